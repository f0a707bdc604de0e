"""What the shipped classifier is trained on: batches of simulated windows with their features.

The number of a batch alone decides what is in it, so a run is the same whatever the number of processes that
simulate. Needs no torch, and so do these processes not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..io.workers import map_in_order
from ..synthesis.simulator import monocular_depth, simulate_windows
from .features import WindowFeatures, window_features

_VALIDATION_SEED = 1_000_003
_VALIDATION_BATCH = 64
_SHORTEST = 3
_PURPOSE = "simulates windows"


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Args:
        steps: batches in all.
        batch: windows per batch; trajectories, frames: size of a window; anchors: trajectories attended to.
        learning_rate: highest rate of AdamW, after `warmup` steps; falls to zero along a cosine.
        weight_decay: of AdamW, on weight matrices.
        balance: exponent of the weight (static / moving trajectories of the window) of the moving ones; 1 is the
            paper's (Segment Any Motion, section 3.2), 0 weights all alike.
        depth_share: share of windows with a depth cue.
        average: decay per step of the running mean of the weights that is kept.
        seed: of everything.
        validate_every: steps between two validations and checkpoints.
        validation_windows: held-out simulated windows.

    Raises:
        ValueError: a number that makes no sense, or the seed of the held-out windows.
    """

    steps: int = 6000
    batch: int = 64
    trajectories: int = 192
    anchors: int = 96
    frames: int = 16
    learning_rate: float = 1.5e-3
    warmup: int = 200
    weight_decay: float = 0.02
    balance: float = 0.5
    depth_share: float = 0.3
    average: float = 0.998
    seed: int = 0
    validate_every: int = 250
    validation_windows: int = 512

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "trajectories", "anchors", "validate_every", "validation_windows"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, but got {getattr(self, name)}")
        if self.frames < _SHORTEST:
            raise ValueError(f"frames must be at least {_SHORTEST}, but got {self.frames}")
        if self.seed < 0 or self.seed == _VALIDATION_SEED:
            raise ValueError(
                f"seed must be at least 0, and not {_VALIDATION_SEED}, which makes the held-out windows, "
                f"but got {self.seed}"
            )


@dataclass(frozen=True, eq=False)
class TrainingBatch:
    """Features, labels (B, N) float32 0/1 and weights (B, N) float32 of simulated windows."""

    features: WindowFeatures
    moving: np.ndarray
    weight: np.ndarray

    def __len__(self) -> int:
        return len(self.moving)


def make_batch(config: TrainingConfig, seed: tuple[int, ...], count: int) -> TrainingBatch:
    """`count` simulated windows; the same for the same seed. Some are short, some have no depth."""
    rng = np.random.default_rng(seed)
    windows = simulate_windows(count, rng, config.trajectories, config.frames)
    depth = monocular_depth(windows.inverse_depth, rng)
    depth[rng.random(count) >= config.depth_share] = np.nan
    visible = windows.visible.copy()
    # Windows after a restart are shorter.
    length = np.where(
        rng.random(count) < 0.15, rng.integers(_SHORTEST, config.frames + 1, count), config.frames
    )
    visible &= np.arange(config.frames) >= (config.frames - length)[:, None, None]
    # Other trackers lose points for a while; this one never does.
    gaps = rng.random((count, 1, 1)) < 0.1
    visible &= ~(gaps & (rng.random(visible.shape) < 0.2))
    weight = windows.weight * (visible.sum(-1) >= np.minimum(_SHORTEST, length)[:, None])
    features = window_features(windows.positions, visible, windows.confidence, windows.sizes, depth)
    return TrainingBatch(features, windows.moving, (weight * features.known).astype(np.float32))


def stream_batches(config: TrainingConfig, first: int, workers: int) -> Iterator[TrainingBatch]:
    """Batches `first` to `config.steps` - 1 in order, simulated by `workers` processes (0: by this one).

    Raises:
        MotionSegError: one of these processes has ended.
    """
    return map_in_order(partial(_numbered, config), range(first, config.steps), workers, _PURPOSE)


def _numbered(config: TrainingConfig, step: int) -> TrainingBatch:
    return make_batch(config, (config.seed, step), config.batch)


def validation_batches(config: TrainingConfig, workers: int) -> list[TrainingBatch]:
    """The held-out windows; the same for every training seed.

    Raises:
        MotionSegError: see `stream_batches`.
    """
    number = -(-config.validation_windows // _VALIDATION_BATCH)
    return list(map_in_order(partial(_held_out, config), range(number), workers, _PURPOSE))


def _held_out(config: TrainingConfig, number: int) -> TrainingBatch:
    count = min(_VALIDATION_BATCH, config.validation_windows - number * _VALIDATION_BATCH)
    return make_batch(config, (_VALIDATION_SEED, number), count)
