"""TAPIR as released, but with seeded random weights."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (pip install .[models])")
pytest.importorskip(
    "tapnet.torch.tapir_model",
    reason="tapnet is not installed (pip install git+https://github.com/google-deepmind/tapnet)",
)

import torch

from motionseg_ros.tracking.tapir.model import build_tapir


@pytest.fixture(scope="session")
def model():
    torch.manual_seed(0)
    return build_tapir(None)


@pytest.fixture(scope="session")
def window_model():
    """The one that is not causal."""
    torch.manual_seed(0)
    return build_tapir(None, causal=False)


@pytest.fixture(scope="session")
def frames() -> Callable[..., list[np.ndarray]]:
    """``frames(n, size)``: images (*size, 3) of a scene that goes by, 2 px to the left and 1 px up a frame."""
    rng = np.random.default_rng(0)
    scene = cv2.GaussianBlur(rng.integers(0, 256, (700, 900, 3), np.uint8), (0, 0), 2)
    scene = cv2.normalize(scene, None, 0, 255, cv2.NORM_MINMAX)

    def make(count: int, size: tuple[int, int] = (256, 256)) -> list[np.ndarray]:
        h, w = size
        return [np.ascontiguousarray(scene[t : t + h, 2 * t : 2 * t + w]) for t in range(count)]

    return make


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """For every test here."""
