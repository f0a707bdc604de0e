"""The learned trajectory classifier, whatever file its weights are in. Importing this needs no torch."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np

from ..core.depth import BY_MODE, OWN, DepthReading
from ..core.errors import ModelError
from ..core.protocols import Classifier
from ..core.types import Tracks
from .inputs import check_depth, check_size

DepthMode = Literal["fixed", "reference"]


class TrajectoryClassifier:
    """P(moves by itself) per trajectory, learned. See `from_checkpoint`.

    Args:
        at_points: what does the work; it takes depth at the trajectories' points.
        reading: how it wants depth images read.
    """

    def __init__(self, at_points: Classifier, reading: DepthReading) -> None:
        self.at_points = at_points
        self.reading = reading

    @classmethod
    def from_checkpoint(
        cls, path: str | PathLike[str], device: str = "cpu", depth_mode: DepthMode = "fixed"
    ) -> TrajectoryClassifier:
        """The classifier whose weights are in a file.

        Args:
            path: `*.safetensors` is this package's own network; any other file is taken for the released SegAnyMo
                model (`moseg.pth`), which needs torch.
            device: "cpu" or "cuda", for the released model; our network runs on the CPU.
            depth_mode: "fixed" or "reference", for the released model: see `core.depth`.

        Raises:
            ModelError: the file cannot be used, or a device or library that it needs is missing.
            ValueError: no such `depth_mode`.
        """
        if Path(path).suffix.lower() == ".safetensors":
            from .learned import NetworkClassifier

            return cls(NetworkClassifier.load(path), OWN)
        if depth_mode not in BY_MODE:
            raise ValueError(f"depth_mode must be one of {', '.join(BY_MODE)}, but got {depth_mode!r}")
        _require_torch(path)
        from .checkpoint import load_released
        from .released import SegAnyMoClassifier

        return cls(SegAnyMoClassifier(load_released(path, device)), BY_MODE[depth_mode])

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
        check_size(size)
        if depth is not None:
            check_depth(depth, tracks.num_frames, size)
            depth = self.reading.sample(depth, tracks.positions)
        return self.at_points(tracks, size, depth, semantics)


def _require_torch(path: str | PathLike[str]) -> None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise ModelError(f"{path} needs torch: pip install motionseg_ros[models]") from error
