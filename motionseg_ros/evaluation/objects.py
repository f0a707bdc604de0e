"""Scores of single objects: which predicted id stands for which true one, how well, and how steadily."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from .measures import Boundary, Statistics, boundary_agreement, statistics


@dataclass(frozen=True)
class ObjectScore:
    """One object of the ground truth over a sequence.

    Args:
        id: its id in the ground truth.
        matched: the predicted id that stands for it, or None where no prediction is left for it.
        frames: frames in which it can be seen.
        region, boundary: J and F against the matched id over all frames (1 where both are absent).
        switches: how often another predicted id than before covers it best.
        region_per_frame, boundary_per_frame: J and F of each frame.
    """

    id: int
    matched: int | None
    frames: int
    region: Statistics
    boundary: Statistics
    switches: int
    region_per_frame: tuple[float, ...] = field(repr=False)
    boundary_per_frame: tuple[float, ...] = field(repr=False)


class ObjectTally:
    """Compares the objects of a sequence frame by frame; memory grows only by scores, not by masks."""

    def __init__(self, truth_ids: Sequence[int]) -> None:
        self._ids = tuple(truth_ids)
        self._absent: list[np.ndarray] = []  # (2, G): J and F of a prediction that is not in that frame
        self._present: dict[int, list[tuple[int, np.ndarray]]] = {}  # predicted id: (frame, (2, G))
        self._visible = np.zeros(len(self._ids), dtype=int)
        self._carriers = Carriers(len(self._ids))

    def add(self, truth: np.ndarray, prediction: np.ndarray) -> None:
        """Take the next frame: two (H, W) label images of unsigned integers."""
        predicted_ids = ids_in(prediction)
        overlap = region_table(truth, prediction, self._ids, predicted_ids)
        true_boundaries = [Boundary.of(truth == i) for i in self._ids]
        visible = np.array([bool(np.any(truth == i)) for i in self._ids], dtype=bool)
        hidden = [float(len(boundary.at) == 0) for boundary in true_boundaries]
        self._absent.append(np.array([1.0 - visible, hidden]))
        for row, predicted_id in enumerate(predicted_ids):
            boundary = Boundary.of(prediction == predicted_id)
            agreement = [boundary_agreement(true, boundary) for true in true_boundaries]
            scores = np.array([overlap[row], agreement])
            self._present.setdefault(predicted_id, []).append((len(self._absent) - 1, scores))
        self._visible += visible
        self._carriers.follow(overlap, predicted_ids)

    def scores(self) -> tuple[ObjectScore, ...]:
        """The objects' scores under the matching whose mean J&F over the sequence is greatest."""
        if not self._absent:
            return ()
        absent = np.stack(self._absent, axis=2)  # (2, G, T)
        predicted: list[int | None] = sorted(self._present)
        # Surplus objects meet an empty prediction, as in the official evaluation.
        predicted += [None] * (len(self._ids) - len(predicted))
        means = np.array([self._series(i, absent).mean(axis=(0, 2)) for i in predicted])
        rows, columns = linear_sum_assignment(means, maximize=True)
        order = sorted(zip(columns.tolist(), rows.tolist(), strict=True))
        return tuple(self._score(column, predicted[row], absent) for column, row in order)

    def _series(self, predicted_id: int | None, absent: np.ndarray) -> np.ndarray:
        """(2, G, T): J and F of one predicted id against each object in each frame."""
        series = absent.copy()
        for frame, scores in self._present.get(predicted_id, ()) if predicted_id is not None else ():
            series[:, :, frame] = scores
        return series

    def _score(self, column: int, predicted_id: int | None, absent: np.ndarray) -> ObjectScore:
        region, boundary = self._series(predicted_id, absent)[:, column]
        return ObjectScore(
            id=self._ids[column],
            matched=predicted_id,
            frames=int(self._visible[column]),
            region=statistics(region),
            boundary=statistics(boundary),
            switches=self._carriers.switches[column],
            region_per_frame=tuple(region.tolist()),
            boundary_per_frame=tuple(boundary.tolist()),
        )


class Carriers:
    """Which predicted id covers each of a number of true objects, and how often that changes."""

    def __init__(self, number: int) -> None:
        self.switches = [0] * number
        self._carriers: list[int | None] = [None] * number

    def follow(self, overlap: np.ndarray, predicted_ids: Sequence[int]) -> None:
        """Take the next frame: of the ids that cover no other object better, the best one of each object.

        Args:
            overlap: (P, G) J of every predicted id with every true object.
            predicted_ids: P ids.
        """
        if not predicted_ids or not self.switches:
            return
        home = np.where(overlap.max(axis=1) > 0, overlap.argmax(axis=1), -1)
        for column in range(len(self.switches)):
            own = np.where(home == column, overlap[:, column], 0.0)
            if own.max() == 0:
                continue
            carrier = predicted_ids[int(own.argmax())]
            self.switches[column] += self._carriers[column] not in (None, carrier)
            self._carriers[column] = carrier


def ids_in(labels: np.ndarray) -> list[int]:
    """The ids above 0 that occur in an (H, W) label image of unsigned integers, in order."""
    return (np.flatnonzero(np.bincount(labels.ravel())[1:]) + 1).tolist()


def region_table(
    truth: np.ndarray, prediction: np.ndarray, truth_ids: Sequence[int], predicted_ids: Sequence[int]
) -> np.ndarray:
    """J of every predicted id with every true id in two (H, W) label images.

    Returns:
        (P, G) float64; 1 where both are absent.
    """
    rows, columns = _ranks(prediction, predicted_ids), _ranks(truth, truth_ids)
    width = len(truth_ids) + 1
    counts = np.bincount((rows * width + columns).ravel(), minlength=(len(predicted_ids) + 1) * width)
    counts = counts.reshape(-1, width)
    common = counts[1:, 1:]
    union = counts.sum(axis=1)[1:, None] + counts.sum(axis=0)[None, 1:] - common
    return np.divide(common, union, out=np.ones(common.shape), where=union > 0)


def _ranks(labels: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    """Replace each id by its place in `ids`, from 1, and everything else by 0."""
    table = np.zeros(np.iinfo(labels.dtype).max + 1, dtype=np.int32)
    table[list(ids)] = np.arange(1, len(ids) + 1)
    return table[labels]
