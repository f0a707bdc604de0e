"""Models of `transformers` with seeded random weights, and images: what they compute is nonsense, but exact."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from motionseg_ros.core.types import Tracks

# Before any test asks whether it is installed: `transformers` looks for torchvision when it is first imported.
with contextlib.suppress(ImportError):
    from motionseg_ros.cues.pretrained import import_transformers

    import_transformers()


@pytest.fixture(scope="session")
def library() -> ModuleType:
    """`transformers`, as the package imports it."""
    pytest.importorskip("torch", reason="torch is not installed (pip install .[models])")
    return pytest.importorskip("transformers", reason="transformers is not installed (pip install .[models])")


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """For every test here."""


@pytest.fixture(scope="session")
def make_image() -> Callable[..., np.ndarray]:
    """``make_image(height, width, seed)``: a smooth texture, (height, width, 3) uint8."""

    def make(height: int, width: int, seed: int = 0) -> np.ndarray:
        noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
        return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)

    return make


@pytest.fixture
def make_tracks() -> Callable[..., Tracks]:
    """``make_tracks(ids, births, positions)``: visible everywhere, over `frames` frames, all at rest."""

    def make(ids, births, positions, frames: int = 4) -> Tracks:
        positions = np.repeat(np.asarray(positions, np.float32).reshape(-1, 1, 2), frames, axis=1)
        ones = np.ones(positions.shape[:2], np.float32)
        return Tracks(
            positions, ones > 0, ones, ones, np.array(births, np.int64), np.array(ids, np.int64).reshape(-1)
        )

    return make


@pytest.fixture
def save_released(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """``save_released(model, change)``: its weights, named as in the authors' files, after `change` was made."""
    path = tmp_path / "model.safetensors"

    def save(model: Any, change: Callable[[dict], Any] = lambda weights: None) -> Path:
        from safetensors.torch import save_file

        names = {"q_proj": "attention.query", "k_proj": "attention.key", "v_proj": "attention.value"}
        weights = {}
        for name, tensor in model.state_dict().items():
            for new, old in {**names, "o_proj": "output.dense"}.items():
                name = name.replace(f".attention.{new}.", f".attention.{old}.")
            weights[name] = tensor.contiguous()
        change(weights)
        save_file(weights, path, metadata={"format": "pt"})
        return path

    yield save
    path.unlink(missing_ok=True)  # pytest keeps folders for a while, and this may be 100 MB
