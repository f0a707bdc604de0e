"""What every learned classifier accepts beside the trajectories: the same checks, the same messages."""

from __future__ import annotations

import numpy as np

#: Channels of a DINOv2 ViT-B descriptor.
SEMANTIC_WIDTH = 768


def check_size(size: tuple[int, int]) -> None:
    """Raises ValueError unless `size` is a (height, width)."""
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"size must be (height, width) of at least 1 px, but got {size}")


def check_depth(depth: np.ndarray, frames: int, size: tuple[int, int]) -> None:
    """Raises ValueError unless `depth` is (frames, *size) float32 in 0..1."""
    _check_array("depth", depth, "T, H, W", (frames, *size), "the tracks' frames at the image's size")
    low, high = (depth.min(), depth.max()) if depth.size else (0, 0)
    if not (low >= 0 and high <= 1):  # NaN fails both
        raise ValueError(f"depth must be finite and in 0..1, but got {low:g} to {high:g}")


def check_samples(depth: np.ndarray, trajectories: int, frames: int) -> None:
    """Raises ValueError unless `depth` is (trajectories, frames) float32 in 0..1, or NaN."""
    _check_array("depth", depth, "N, T", (trajectories, frames), "a value per trajectory and frame")
    wrong = (depth < 0) | (depth > 1)  # NaN is neither
    if wrong.any():
        raise ValueError(f"depth must be in 0..1, or NaN, but got {depth[wrong][0]:g}")


def check_semantics(semantics: np.ndarray, trajectories: int) -> None:
    """Raises ValueError unless `semantics` is (trajectories, 768) float32 and finite."""
    shape = (trajectories, SEMANTIC_WIDTH)
    _check_array("semantics", semantics, f"N, {SEMANTIC_WIDTH}", shape, "one row per trajectory")
    if not np.isfinite(semantics).all():
        raise ValueError("semantics must be finite, but got NaN or infinite values")


def _check_array(name: str, array: np.ndarray, axes: str, shape: tuple[int, ...], meaning: str) -> None:
    """Raises ValueError unless `array` is float32 of that shape."""
    if not isinstance(array, np.ndarray) or array.shape != shape:
        what = array.shape if isinstance(array, np.ndarray) else type(array).__name__
        raise ValueError(f"{name} must be ({axes}) = {shape}, {meaning}, but got {what}")
    if array.dtype != np.float32:
        raise ValueError(f"{name} must be float32, but got {array.dtype.name}")
