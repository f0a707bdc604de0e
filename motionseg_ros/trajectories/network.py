"""The shipped classifier's network: every trajectory is a token, tokens attend to each other.

A perceptron turns a trajectory's features into a token; attention over some of the window's trajectories, the
anchors, lets them agree on what the background is and where objects end; a last layer answers for each.

The forward pass is written once, for NumPy arrays and torch tensors alike: training differentiates it with torch, a
robot runs it with NumPy and needs no torch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from .calibration import Calibration
from .features import NUM_FEATURES

FORMAT = "motionseg-trajectory-network-1"
_EPSILON = 1e-5
_HIDDEN = 1e4
#: How much nearer trajectories are preferred, one number per head, per half longer side. Fixed, as in ALiBi
#: (Press, Smith, Lewis 2022): some heads see all alike, some only what is next to them.
REACHES = (0.0, 0.0, 6.0, 24.0)


@dataclass(frozen=True)
class NetworkConfig:
    """Size of the network: token `width`, hidden width of the perceptrons, number of `layers`."""

    inputs: int = NUM_FEATURES
    width: int = 64
    hidden: int = 160
    layers: int = 4

    def __post_init__(self) -> None:
        if self.width % len(REACHES):
            raise ValueError(f"width must be a multiple of {len(REACHES)}, but got {self.width}")


def initial_parameters(config: NetworkConfig, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Random parameters by name, float32."""
    parameters: dict[str, np.ndarray] = {}

    def linear(name: str, inputs: int, outputs: int, gain: float = 1.0) -> None:
        weight = rng.standard_normal((inputs, outputs)) * gain / np.sqrt(inputs)
        parameters[f"{name}.weight"] = weight.astype(np.float32)
        parameters[f"{name}.bias"] = np.zeros(outputs, np.float32)

    def norm(name: str) -> None:
        parameters[f"{name}.weight"] = np.ones(config.width, np.float32)
        parameters[f"{name}.bias"] = np.zeros(config.width, np.float32)

    small = 1 / np.sqrt(2 * config.layers)
    linear("embed.0", config.inputs, config.hidden, 1.4)
    linear("embed.1", config.hidden, config.hidden, 1.4)
    linear("embed.2", config.hidden, config.width)
    for layer in range(config.layers):
        norm(f"layers.{layer}.norm1")
        linear(f"layers.{layer}.qkv", config.width, 3 * config.width)
        linear(f"layers.{layer}.out", config.width, config.width, small)
        norm(f"layers.{layer}.norm2")
        linear(f"layers.{layer}.up", config.width, config.hidden, 1.4)
        linear(f"layers.{layer}.down", config.hidden, config.width, small)
    norm("norm")
    linear("answer", config.width, 1, 0.1)
    return parameters


def forward(
    parameters: Mapping[str, Any],
    config: NetworkConfig,
    values: Any,
    points: Any,
    known: Any,
    anchors: int,
    xp: ModuleType = np,
) -> Any:
    """Logits of P(moving).

    Args:
        parameters: by name, arrays of the library `xp`.
        values: (B, N, inputs) float32 features.
        points: (B, N, 2) float32 normalised positions.
        known: (B, N) bool; unknown trajectories are not attended to, their own answers mean nothing.
        anchors: how many trajectories are attended to: the first ones. The cost grows with N times this.
        xp: numpy or torch.

    Returns:
        (B, N).
    """

    def linear(name: str, x: Any) -> Any:
        return x @ parameters[f"{name}.weight"] + parameters[f"{name}.bias"]

    def norm(name: str, x: Any) -> Any:
        if xp is not np:
            return xp.nn.functional.layer_norm(
                x, (config.width,), parameters[f"{name}.weight"], parameters[f"{name}.bias"], _EPSILON
            )
        centred = x - x.mean(-1)[..., None]
        variance = (centred * centred).mean(-1)[..., None]
        return (
            centred / xp.sqrt(variance + _EPSILON) * parameters[f"{name}.weight"] + parameters[f"{name}.bias"]
        )

    b, n = values.shape[:2]
    heads, size = len(REACHES), config.width // len(REACHES)
    bias = _bias(points, points[:, :anchors], known[:, :anchors], xp)
    x = _relu(linear("embed.0", values), xp)
    x = _relu(linear("embed.1", x), xp)
    x = linear("embed.2", x)
    for layer in range(config.layers):
        name = f"layers.{layer}"
        qkv = linear(f"{name}.qkv", norm(f"{name}.norm1", x)).reshape(b, n, 3, heads, size)
        query = xp.moveaxis(qkv[:, :, 0], 1, 2)  # (B, heads, N, size)
        key, value = (xp.moveaxis(qkv[:, :anchors, k], 1, 2) for k in (1, 2))
        mixed = xp.moveaxis(_attend(query, key, value, bias, xp), 1, 2).reshape(b, n, config.width)
        x = x + linear(f"{name}.out", mixed)
        x = x + linear(f"{name}.down", _relu(linear(f"{name}.up", norm(f"{name}.norm2", x)), xp))
    x = norm("norm", x)
    return linear("answer", x)[..., 0]


def _relu(x: Any, xp: ModuleType) -> Any:
    return xp.maximum(x, xp.zeros_like(x)) if xp is np else x.relu()


def _bias(points: Any, anchors: Any, known: Any, xp: ModuleType) -> Any:
    """(B, heads, N, K) what is added to the attention scores: less for the far, nothing left for the unknown."""
    dx = points[:, :, None, 0] - anchors[:, None, :, 0]
    dy = points[:, :, None, 1] - anchors[:, None, :, 1]
    distance = xp.sqrt(dx * dx + dy * dy)[:, None]
    hidden = (known[:, None, None, :] * 1.0 - 1.0) * _HIDDEN
    bias = xp.concatenate([hidden - reach * distance for reach in REACHES], 1)
    return bias.astype(np.float32) if xp is np else bias


def _attend(query: Any, key: Any, value: Any, bias: Any, xp: ModuleType) -> Any:
    """Softmax attention: (B, heads, N, size) of queries likewise, keys and values (.., K, size), `bias` (.., N, K)."""
    if xp is not np:
        return xp.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    # BLAS takes contiguous arrays only; for others NumPy has a loop that is 50 times slower.
    query, key, value = (np.ascontiguousarray(a) for a in (query, key, value))
    score = (query * np.float32(query.shape[-1] ** -0.5)) @ key.swapaxes(2, 3)
    score += bias
    score -= score.max(-1, keepdims=True)
    np.exp(score, out=score)
    return (score @ value) / score.sum(-1, keepdims=True)


def save_network(
    path: Path,
    parameters: Mapping[str, np.ndarray],
    config: NetworkConfig,
    calibration: Calibration | None = None,
) -> None:
    """Write parameters, configuration and calibration to a safetensors file, which `learned.read_network` reads."""
    from safetensors.numpy import save_file

    partial = path.with_suffix(".partial")
    tensors = {name: np.ascontiguousarray(value) for name, value in parameters.items()}
    about = {"network": asdict(config), "calibration": asdict(calibration or Calibration())}
    save_file(
        tensors, partial, {"format": FORMAT, **{key: json.dumps(value) for key, value in about.items()}}
    )
    os.chmod(partial, 0o644)  # the library makes files that only their owner can read
    partial.replace(path)
