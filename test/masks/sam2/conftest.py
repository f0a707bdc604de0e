"""SAM 2 as released, but with seeded random weights, and small images: what it computes is nonsense, but exact."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (pip install .[models])")
pytest.importorskip("sam2", reason="sam2 is not installed (pip install .[models])")

import torch

from motionseg_ros.masks.sam2.model import build_predictor, keep_in_sight

RESOLUTION = 128
SIZE = (96, 120)


@pytest.fixture(scope="session")
def make_model() -> Callable:
    """``make_model(seed=, resolution=, name=)``."""
    return random_model


def random_model(seed: int = 0, resolution: int = RESOLUTION, name: str = "sam2.1_tiny"):
    """A model of a released configuration to which every object seems to be in sight."""
    torch.manual_seed(seed)
    model = build_predictor(name, None, resolution=resolution)
    keep_in_sight(model)
    return model


@pytest.fixture(scope="session")
def model():
    return random_model()


@pytest.fixture(scope="session")
def frames() -> Callable[[int], list[np.ndarray]]:
    """``frames(n)``: images (96, 120, 3) of a scene that goes by."""
    height, width = SIZE
    rng = np.random.default_rng(0)
    scene = cv2.GaussianBlur(rng.integers(0, 256, (400, 500, 3), np.uint8), (0, 0), 2)
    scene = cv2.normalize(scene, None, 0, 255, cv2.NORM_MINMAX)

    def make(count: int) -> list[np.ndarray]:
        places = [(t % 280, 2 * t % 380) for t in range(count)]
        return [np.ascontiguousarray(scene[y : y + height, x : x + width]) for y, x in places]

    return make


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """For every test here."""
