"""The learned trajectory classifier, whatever file its weights are in. Importing this needs no torch."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import ModelError
from ..core.protocols import Classifier
from ..core.types import Tracks

if TYPE_CHECKING:
    from .model import DepthMode


class TrajectoryClassifier:
    """P(moves by itself) per trajectory, learned. See `from_checkpoint`.

    Args:
        classifier: what does the work.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier

    @classmethod
    def from_checkpoint(
        cls, path: str | PathLike[str], device: str = "cpu", depth_mode: DepthMode = "fixed"
    ) -> TrajectoryClassifier:
        """The classifier whose weights are in a file.

        Args:
            path: `*.safetensors` is this package's own network; any other file is taken for the released SegAnyMo
                model (`moseg.pth`), which needs torch.
            device: "cpu" or "cuda", for the released model; our network runs on the CPU.
            depth_mode: "fixed" or "reference", for the released model: see `model.sample_depth`.

        Raises:
            ModelError: the file cannot be used, or a device or library that it needs is missing.
            ValueError: no such `depth_mode`.
        """
        if Path(path).suffix.lower() == ".safetensors":
            from .learned import NetworkClassifier

            return cls(NetworkClassifier.load(path))
        _require_torch(path)
        from .checkpoint import load_released
        from .released import SegAnyMoClassifier

        return cls(SegAnyMoClassifier(load_released(path, device), depth_mode))

    def __call__(
        self,
        tracks: Tracks,
        size: tuple[int, int],
        depth: np.ndarray | None = None,
        semantics: np.ndarray | None = None,
    ) -> np.ndarray:
        """P(moving) per trajectory; one that is never visible gets 0 and does not influence the others.

        Args:
            tracks: N trajectories over T frames, px.
            size: (height, width) of the image, px.
            depth: (T, H, W) float32 relative inverse depth in 0..1, near = 1, of the image's size; or None.
            semantics: (N, 768) float32 DINOv2 descriptors at the query frames; or None.

        Returns:
            (N,) float32 in 0..1.

        Raises:
            ValueError: `size`, `depth` or `semantics` do not fit.
        """
        return self._classifier(tracks, size, depth, semantics)


def _require_torch(path: str | PathLike[str]) -> None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise ModelError(f"{path} needs torch: pip install motionseg_ros[models]") from error
