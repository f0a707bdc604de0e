"""SegAnyMo's golden case: weights and inputs by formula, of which the reference's answers are known."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import numpy as np
import pytest

from motionseg_ros.core.types import Tracks


def formula_weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Float32 weights for tensors of these names and shapes."""
    weights = {}
    for i, name in enumerate(sorted(shapes)):
        shape = shapes[name]
        wave = np.sin(0.37 * np.arange(np.prod(shape)) + 1.3 * i + 0.5).reshape(shape)
        if "norm" in name:
            wave = 1 + 0.1 * wave if name.endswith("weight") else 0.02 * wave
        else:
            wave = wave / np.sqrt(shape[1]) if len(shape) > 1 else 0.02 * wave
        weights[name] = wave.astype(np.float32)
    return weights


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """For every test here."""


@pytest.fixture(scope="session")
def golden() -> SimpleNamespace:
    """Inputs of 7 trajectories over 6 frames of 20x12 px, and the reference's answer."""
    count, frames, height, width = 7, 6, 12, 20
    n, t = np.arange(count)[:, None], np.arange(frames)
    x = width * (0.05 + 0.14 * n) + 0.9 * t * np.sin(n + 1)
    y = height * (0.95 - 0.13 * n) + 0.6 * t * np.cos(2 * n)
    pixel = np.arange(height * width).reshape(height, width)
    return SimpleNamespace(
        tracks=Tracks(
            np.stack([x, y], -1).astype(np.float32),
            (n + 2 * t) % 5 != 0,
            (0.5 + 0.4 * np.sin(n + 0.3 * t)).astype(np.float32),
            (0.5 + 0.4 * np.cos(0.7 * n - 0.2 * t)).astype(np.float32),
            np.zeros(count, np.int64),
            np.arange(count, dtype=np.int64),
        ),
        size=(height, width),
        depth=((0.013 * pixel + 0.1 * t[:, None, None]) % 1).astype(np.float32),
        semantics=np.sin(0.01 * np.arange(768) * (n + 1) + 0.2 * n).astype(np.float32),
        probabilities=(0.02998214, 0.99843568, 0.99882382, 0.12514549, 0.08409561, 0.99889272, 0.97318166),
    )


@pytest.fixture(scope="session")
def golden_model():
    """The released architecture with the formula's weights."""
    torch = pytest.importorskip("torch", reason="torch is not installed (pip install .[models])")
    from motionseg_ros.trajectories.model import SegAnyMo

    model = SegAnyMo()
    weights = formula_weights({name: tuple(value.shape) for name, value in model.state_dict().items()})
    model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def golden_checkpoint(golden_model, tmp_path_factory):
    """Those weights in a file like the release's."""
    import torch

    path = tmp_path_factory.mktemp("golden") / "moseg.pth"
    torch.save({"epoch": 5, "model_state_dict": golden_model.state_dict()}, path)
    return path
