"""The scores of one sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..core.errors import EvaluationError
from .label_images import read_labels
from .measures import Statistics, boundary_measure, region_similarity, statistics
from .objects import ObjectScore, ObjectTally, ids_in


@dataclass(frozen=True)
class TruthLabels:
    """What the values of a sequence's ground truth mean.

    The greatest value of the file's type (255, or 65535 with 16 bits) is foreground where it is the only
    value beside 0 (a binary mask, DAVIS 2016), and void, that is pixels that do not count, beside other ids
    (DAVIS 2017).

    Args:
        ids: the objects' ids; empty where the ground truth is binary or empty.
        void: the value of void pixels, or None.
        empty: no pixel of any frame is foreground.
    """

    ids: tuple[int, ...] = ()
    void: int | None = None
    empty: bool = True

    @classmethod
    def of(cls, frames: Sequence[Path]) -> TruthLabels:
        """Look through the label images of a sequence."""
        values: set[int] = set()
        greatest = 255
        for path in frames:
            labels = read_labels(path)
            values.update(ids_in(labels))
            greatest = max(greatest, np.iinfo(labels.dtype).max)
        objects = tuple(sorted(values - {greatest}))
        has_void = bool(objects) and greatest in values
        return cls(objects, greatest if has_void else None, not values)


@dataclass(frozen=True)
class FrameScore:
    """One frame's scores.

    Args:
        name: stem of the ground truth's file.
        region, boundary: J and F of the foreground, all objects together.
        truth_empty: the ground truth of this frame is empty.
        predicted_percent: pixels called moving, in percent of the image, void left out.
        objects: predicted objects.
        false_objects: those of which less than half lies on foreground of the ground truth (or void).
    """

    name: str
    region: float
    boundary: float
    truth_empty: bool
    predicted_percent: float
    objects: int
    false_objects: int


@dataclass(frozen=True)
class SequenceScore:
    """The scores of a sequence; all frames count, the first and the last too."""

    name: str
    frames: tuple[FrameScore, ...]
    truth: TruthLabels
    objects: tuple[ObjectScore, ...] = field(default=())

    @property
    def region(self) -> Statistics | None:
        """J of the foreground, or None where no frame of the ground truth shows anything."""
        return None if self.truth.empty else statistics([frame.region for frame in self.frames])

    @property
    def boundary(self) -> Statistics | None:
        """F of the foreground, or None where no frame of the ground truth shows anything."""
        return None if self.truth.empty else statistics([frame.boundary for frame in self.frames])

    @property
    def false_area(self) -> float | None:
        """Pixels called moving where nothing moves: mean percentage over such frames, None without such."""
        areas = [frame.predicted_percent for frame in self.frames if frame.truth_empty]
        return float(np.mean(areas)) if areas else None

    @property
    def objects_per_frame(self) -> float:
        return float(np.mean([frame.objects for frame in self.frames]))

    @property
    def false_objects_per_frame(self) -> float:
        return float(np.mean([frame.false_objects for frame in self.frames]))


def evaluate_sequence(
    name: str, pairs: Sequence[tuple[Path, Path]], on_frame: Callable[[], None] | None = None
) -> SequenceScore:
    """Score a sequence.

    Args:
        name: the sequence's name.
        pairs: label images (prediction, ground truth) of each frame, in order.
        on_frame: called after each frame.

    Raises:
        EvaluationError: no frames, an image that cannot be read, or two images of different size.
    """
    if not pairs:
        raise EvaluationError(f"{name}: has no frames to score")
    truth_labels = TruthLabels.of([truth for _, truth in pairs])
    tally = ObjectTally(truth_labels.ids)
    frames = []
    for prediction_path, truth_path in pairs:
        truth, prediction = _read_pair(truth_path, prediction_path)
        num_objects = len(ids_in(prediction))
        if truth_labels.void is not None:
            # Taking void out of both sides takes it out of every count and boundary that follows.
            void = truth == truth_labels.void
            truth[void], prediction[void] = 0, 0
        frames.append(_score_frame(truth_path.stem, truth, prediction, num_objects))
        if truth_labels.ids:
            tally.add(truth, prediction)
        if on_frame:
            on_frame()
    return SequenceScore(name, tuple(frames), truth_labels, tally.scores())


def _read_pair(truth_path: Path, prediction_path: Path) -> tuple[np.ndarray, np.ndarray]:
    truth, prediction = read_labels(truth_path), read_labels(prediction_path)
    if truth.shape != prediction.shape:
        raise EvaluationError(
            f"{prediction_path}: is {prediction.shape[1]}x{prediction.shape[0]} px, but its ground truth "
            f"{truth_path} is {truth.shape[1]}x{truth.shape[0]} px; both must have the same size"
        )
    return truth, prediction


def _score_frame(name: str, truth: np.ndarray, prediction: np.ndarray, num_objects: int) -> FrameScore:
    true, predicted = truth > 0, prediction > 0
    areas = np.bincount(prediction.ravel())
    on_truth = np.bincount(prediction[true], minlength=len(areas))
    return FrameScore(
        name=name,
        region=region_similarity(true, predicted),
        boundary=boundary_measure(true, predicted),
        truth_empty=not true.any(),
        predicted_percent=100.0 * np.count_nonzero(predicted) / predicted.size,
        objects=num_objects,
        false_objects=int(np.count_nonzero(2 * on_truth[1:] < areas[1:])),
    )
