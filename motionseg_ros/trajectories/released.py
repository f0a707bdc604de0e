"""The released SegAnyMo model as a classifier: `Tracks` in, probabilities out."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor

from ..core.types import Tracks
from ..device.compute import Compute
from .inputs import check_samples, check_semantics, check_size
from .model import SegAnyMo, normalise_positions, point_features


class SegAnyMoClassifier:
    """P(moves by itself) by the trajectory model of the paper (section 3).

    Args:
        model: with its weights, on the device on which it shall run; see `checkpoint.load_released`.
    """

    def __init__(self, model: SegAnyMo) -> None:
        self._model = model.eval()
        self._compute = Compute(next(model.parameters()).device)
        self._warned: set[str] = set()

    def __call__(
        self,
        tracks: Tracks,
        size: tuple[int, int],
        depth: np.ndarray | None = None,
        semantics: np.ndarray | None = None,
    ) -> np.ndarray:
        """P(moving) per trajectory.

        A trajectory that is never visible gets 0 and has no influence on the others.

        Args:
            tracks: N trajectories over T frames, px. Points whose position is not finite count as not visible.
            size: (height, width) of the image, px.
            depth: (N, T) float32 relative inverse depth at the points, 0..1, near = 1; NaN is not known, and has the
                trajectory's value of the frame before, or after. None stands for 0 everywhere, which the model was
                not trained for: warns once.
            semantics: (N, 768) float32 DINOv2 descriptors at the query frames, not normalised. None likewise.

        Returns:
            (N,) float32 in 0..1.

        Raises:
            ValueError: `size`, `depth` or `semantics` do not fit.
        """
        check_size(size)
        if depth is not None:
            check_samples(depth, len(tracks), tracks.num_frames)
        if semantics is not None:
            check_semantics(semantics, len(tracks))
        probability = np.zeros(len(tracks), np.float32)
        tracks, seen = usable_points(tracks)
        if seen.any():
            self._warn_of_missing(depth, semantics)
            depth = None if depth is None else without_gaps(depth[seen])
            semantics = None if semantics is None else semantics[seen]
            with self._compute("track fewer points"):
                probability[seen] = self._run(tracks[seen], size, depth, semantics)
        return probability

    def _run(
        self, tracks: Tracks, size: tuple[int, int], depth: np.ndarray | None, semantics: np.ndarray | None
    ) -> np.ndarray:
        """Probabilities of trajectories each of which is visible somewhere."""
        visible = self._tensor(show_most_confident(tracks))
        depth, semantics = self._tensor(depth), self._tensor(semantics)
        features = point_features(
            normalise_positions(self._tensor(tracks.positions), size),
            visible,
            self._tensor(tracks.visibility),
            self._tensor(tracks.confidence),
            depth,
            semantics,
            config=self._model.config,
        )
        return self._model(features, visible, semantics).sigmoid().cpu().numpy()

    def _tensor(self, array: np.ndarray | None) -> Tensor | None:
        """On the model's device; copied first where torch could not share the memory."""
        if array is None:
            return None
        return torch.from_numpy(np.require(array, None, "CW")).to(self._compute.device)

    def _warn_of_missing(self, depth: np.ndarray | None, semantics: np.ndarray | None) -> None:
        config = self._model.config
        missing = {
            "depth": config.depth and depth is None,
            "semantics": config.uses_semantics and semantics is None,
        }
        for name in [name for name, absent in missing.items() if absent and name not in self._warned]:
            self._warned.add(name)
            warnings.warn(
                f"the SegAnyMo model was trained with {name}, but gets none: zeros take their place",
                stacklevel=4,
            )


def usable_points(tracks: Tracks) -> tuple[Tracks, np.ndarray]:
    """The same trajectories with finite numbers only.

    Hidden positions reach the model, too. Where one is not finite, the point stays where it was last (before its
    first position: is there already), so that it makes no motion.

    Returns:
        The trajectories, and (N,) bool, which of them are visible in any frame.
    """
    known = np.isfinite(tracks.positions).all(-1)
    visible = tracks.visible & known
    positions = np.take_along_axis(tracks.positions, _nearest_known(known)[..., None], 1)
    usable = Tracks(
        positions,
        visible,
        np.where(known, np.nan_to_num(tracks.visibility), np.float32(0)),
        np.where(known, np.nan_to_num(tracks.confidence), np.float32(0)),
        tracks.birth,
        tracks.ids,
    )
    return usable, visible.any(1)


def without_gaps(values: np.ndarray) -> np.ndarray:
    """(N, T) where NaN is replaced by the last number before it, or the first one; 0 in rows without any."""
    filled = np.take_along_axis(values, _nearest_known(~np.isnan(values)), 1)
    return np.nan_to_num(filled, nan=0.0)


def _nearest_known(known: np.ndarray) -> np.ndarray:
    """(N, T) for (N, T) bool: the last frame up to each in which something is known, before any the first such."""
    frames = known.shape[1]
    source = np.maximum.accumulate(np.where(known, np.arange(frames), -1), 1)
    return np.where(source < 0, known.argmax(1)[:, None], source) if frames else source


def show_most_confident(tracks: Tracks) -> np.ndarray:
    """(N, T) bool visibility, and in a frame that no trajectory is visible in, the most confident one's.

    Of equals the one with the smallest id is taken: the choice must not depend on the order of the trajectories.
    """
    visible = tracks.visible.copy()
    for frame in np.flatnonzero(~visible.any(0)):
        order = np.lexsort((-tracks.ids, tracks.visibility[:, frame], tracks.confidence[:, frame]))
        visible[order[-1], frame] = True
    return visible
