"""How well moving objects are found, kept apart, kept by their id and told from what stands, against exact truth.

MOS-I is the protocol of Xie et al., "GMOS: Grounding Moving Object Segmentation in 3D Space and Time" (arXiv
2605.30352): what counts is which object moves in which frame. Its three measures are `moving_region` (J_mov),
`mtiou` and `false_positives`, as in the authors' `benchmark_mos_i.py` but for this: one matching serves all measures
here (theirs is made anew on masks without standing objects), and frames in which a moving object is hidden are left
out (theirs count as a hit if nothing is predicted). `moving_iou` is ours.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from .objects import Carriers, ids_in, region_table

MIN_SHARE = 5e-4
"""Share of the image that an object must show in a frame for the frame to count for it."""
MIN_TRUE_SHARE = 0.5
"""A predicted object of which a smaller share lies on true ones is a false object."""
THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""Values of J from which an object counts as found in a frame, for mtIoU."""


@dataclass(frozen=True)
class ObjectQuality:
    """One true object over a scene; its frames are those from its first motion on that show enough of it.

    Args:
        id: its id in the truth.
        matched: the predicted id that stands for it over the whole scene, or None where there is none.
        frames: its frames.
        region: mean J over its frames against the matched id.
        switches: how often another predicted id than before covers it best.
        moving_frames: those of its frames in which it really moves.
        moving_region: MOS-I's J_mov: mean J over these, where the prediction has to be reported as moving.
        moving_iou: frames in which it moves, against those in which the matched id is reported as moving: IoU.
        region_per_frame: J of each frame of the scene, None for frames that are not its own.
    """

    id: int
    matched: int | None
    frames: int
    region: float
    switches: int
    moving_frames: int
    moving_region: float
    moving_iou: float
    region_per_frame: tuple[float | None, ...] = field(repr=False)


@dataclass(frozen=True)
class SceneQuality:
    """The scores of one scene.

    Args:
        name: the scene's.
        frames: its frames.
        objects: true objects that move and can be seen, by id.
        false_objects: per frame, predicted objects that lie less than half on true ones.
        false_positives: MOS-I's count: per frame, predicted objects that are reported as moving and stand for none
            that moves. A second id on one object is one, and so is an object reported as moving while it stands.
        mtiou: MOS-I's mean temporal IoU: pairs of frame and object that are found, against all that are either
            true or predicted, mean over `THRESHOLDS`; None where nothing moves.
    """

    name: str
    frames: int
    objects: tuple[ObjectQuality, ...]
    false_objects: float
    false_positives: float
    mtiou: float | None


@dataclass(frozen=True)
class QualitySummary:
    """All scenes together; None where no object moves in any of them.

    Args:
        scenes, frames, objects: how many.
        region, moving_region, moving_iou: mean over all objects of all scenes.
        switches: per object.
        false_objects, false_positives: per frame, all frames of all scenes together.
        mtiou: mean over the scenes in which something moves.
    """

    scenes: int
    frames: int
    objects: int
    region: float | None
    switches: float | None
    false_objects: float
    moving_region: float | None
    moving_iou: float | None
    mtiou: float | None
    false_positives: float


@dataclass(frozen=True, eq=False)
class _Seen:
    """What one frame leaves behind: (G,) bool arrays over the true objects, and J of each predicted id."""

    counted: np.ndarray
    moving: np.ndarray
    region: Mapping[int, np.ndarray]
    reported: frozenset[int]


class QualityTally:
    """Compares truth and prediction of a scene frame by frame; memory grows by scores, not by masks.

    An object is truth from the first frame on in which it moves, also while it stands later. Before that, it is
    neither truth nor can a prediction on it be a false object; reporting it as moving is a false positive, though.
    An object that never moves is background.
    """

    def __init__(self, movers: Sequence[int]) -> None:
        """`movers`: ids of the objects that move at some time."""
        self._ids = tuple(movers)
        self._begun = np.zeros(len(self._ids), dtype=bool)
        self._carriers = Carriers(len(self._ids))
        self._seen: list[_Seen] = []
        self._false_objects = 0

    def add(
        self, truth: np.ndarray, moving: Collection[int], prediction: np.ndarray, reported: Collection[int]
    ) -> None:
        """Take the next frame.

        Args:
            truth: (H, W) label image of unsigned integers, all objects, standing ones included.
            moving: true ids that move in this frame.
            prediction: (H, W) label image of unsigned integers.
            reported: predicted ids that are reported as moving.
        """
        if truth.shape != prediction.shape:
            raise ValueError(
                f"truth and prediction must be of one size, but got {truth.shape}, {prediction.shape}"
            )
        moves = np.isin(self._ids, list(moving))
        self._begun |= moves
        areas = np.bincount(truth.ravel(), minlength=max(self._ids, default=0) + 1)
        counted = self._begun & (areas[list(self._ids)] >= MIN_SHARE * truth.size)
        predicted = ids_in(prediction)
        overlap = region_table(truth, prediction, self._ids, predicted)
        self._carriers.follow(np.where(counted, overlap, 0.0), predicted)
        self._false_objects += self._count_false(truth, prediction, predicted)
        region = dict(zip(predicted, overlap, strict=True))
        self._seen.append(_Seen(counted, moves, region, frozenset(reported) & set(predicted)))

    def score(self, name: str) -> SceneQuality:
        """The scores of the frames so far. Raises ValueError without frames."""
        if not self._seen:
            raise ValueError(f"scene {name!r} has no frames to score")
        matched = self._match()
        objects = [self._object(k, matched[k]) for k in range(len(self._ids))]
        shown = [item for item in objects if item.frames]
        positives, mtiou = self._instantaneous(matched)
        frames = len(self._seen)
        return SceneQuality(
            name, frames, tuple(shown), self._false_objects / frames, positives / frames, mtiou
        )

    def _count_false(self, truth: np.ndarray, prediction: np.ndarray, predicted: Sequence[int]) -> int:
        if not predicted:
            return 0
        on_true = np.bincount(prediction[np.isin(truth, self._ids)], minlength=predicted[-1] + 1)
        areas = np.bincount(prediction.ravel())
        return sum(bool(on_true[i] < MIN_TRUE_SHARE * areas[i]) for i in predicted)

    def _region(self, predicted_id: int | None, frame: _Seen) -> np.ndarray:
        """(G,) J of a predicted id with every object in a frame; 0 where it is not predicted."""
        return frame.region.get(predicted_id, np.zeros(len(self._ids)))

    def _match(self) -> list[int | None]:
        """The predicted id of each object, one to one, with the greatest sum of the objects' mean J."""
        counts = np.maximum(sum(frame.counted for frame in self._seen), 1)
        predicted = sorted(set().union(*(frame.region for frame in self._seen)))
        means = np.array(
            [sum(self._region(i, frame) * frame.counted for frame in self._seen) / counts for i in predicted]
        ).reshape(len(predicted), len(self._ids))
        matched: list[int | None] = [None] * len(self._ids)
        for row, column in zip(*linear_sum_assignment(means, maximize=True), strict=True):
            if means[row, column] > 0:
                matched[column] = predicted[row]
        return matched

    def _object(self, column: int, matched: int | None) -> ObjectQuality:
        counted = np.array([frame.counted[column] for frame in self._seen])
        moving = counted & np.array([frame.moving[column] for frame in self._seen])
        region = np.array([self._region(matched, frame)[column] for frame in self._seen])
        reported = np.array([matched in frame.reported for frame in self._seen])
        # Where it moves but can hardly be seen, no answer is wrong.
        hidden = np.array([frame.moving[column] for frame in self._seen]) & ~counted
        either = np.count_nonzero(moving | (reported & ~hidden))
        return ObjectQuality(
            id=self._ids[column],
            matched=matched,
            frames=int(counted.sum()),
            region=_mean(region[counted]),
            switches=self._carriers.switches[column],
            moving_frames=int(moving.sum()),
            moving_region=_mean((region * reported)[moving]),
            moving_iou=np.count_nonzero(moving & reported) / either if either else 0.0,
            region_per_frame=tuple(float(j) if c else None for j, c in zip(region, counted, strict=True)),
        )

    def _instantaneous(self, matched: Sequence[int | None]) -> tuple[int, float | None]:
        """False positives over all frames, and mtIoU."""
        column_of = {i: column for column, i in enumerate(matched) if i is not None}
        positives = predictions = truths = 0
        hits = np.zeros(len(THRESHOLDS))
        for frame in self._seen:
            moving = frame.moving & frame.counted
            truths += np.count_nonzero(moving)
            for i in frame.reported:
                column = column_of.get(i)
                if column is None or not frame.moving[column]:
                    positives += 1
                    predictions += 1
                elif moving[column]:
                    predictions += 1
                    hits += frame.region[i][column] > THRESHOLDS
        return positives, float((hits / (predictions + truths - hits)).mean()) if truths else None


def summarise(scenes: Sequence[SceneQuality]) -> QualitySummary:
    """All scenes together. Raises ValueError without scenes."""
    if not scenes:
        raise ValueError("need at least one scene to summarise")
    objects = [item for scene in scenes for item in scene.objects]
    frames = sum(scene.frames for scene in scenes)
    mtious = [scene.mtiou for scene in scenes if scene.mtiou is not None]
    return QualitySummary(
        scenes=len(scenes),
        frames=frames,
        objects=len(objects),
        region=_mean([item.region for item in objects], None),
        switches=_mean([item.switches for item in objects], None),
        false_objects=sum(scene.false_objects * scene.frames for scene in scenes) / frames,
        moving_region=_mean([item.moving_region for item in objects], None),
        moving_iou=_mean([item.moving_iou for item in objects], None),
        mtiou=_mean(mtious, None),
        false_positives=sum(scene.false_positives * scene.frames for scene in scenes) / frames,
    )


def _mean(values: Sequence[float] | np.ndarray, empty: float | None = 0.0) -> float | None:
    return float(np.mean(values)) if len(values) else empty
