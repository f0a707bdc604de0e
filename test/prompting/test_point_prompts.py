from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.core.types import Prompts
from motionseg_ros.prompting.point_prompts import point_prompts

POSITIONS = np.float32([[10, 11], [20, 21], [30, 31], [40, 41], [50, 51]])
LABELS = np.int8([1, 0, 1, 0, 1])


def seen(*rows: int) -> np.ndarray:
    return np.isin(np.arange(len(POSITIONS)), rows)


def shown(prompts: Prompts) -> list[tuple[int, int]]:
    """Row of POSITIONS and label of each point."""
    assert prompts.box is None
    assert prompts.mask is None
    rows = [POSITIONS.tolist().index(point) for point in prompts.points.tolist()]
    return list(zip(rows, prompts.labels.tolist(), strict=True))


def calls(
    visible: np.ndarray, refinements: int = 0, labels: np.ndarray = LABELS
) -> list[list[tuple[int, int]]]:
    return [shown(prompts) for prompts in point_prompts(POSITIONS, visible, labels, refinements)]


def test_first_the_positive_points_then_all():
    assert calls(seen(0, 1, 2, 3, 4)) == [
        [(0, 1), (2, 1), (4, 1)],
        [(0, 1), (1, 0), (2, 1), (3, 0), (4, 1)],
    ]


def test_occluded_points_are_left_out():
    assert calls(seen(1, 2)) == [[(2, 1)], [(1, 0), (2, 1)]]


def test_where_an_occluded_point_is_does_not_matter():
    positions = POSITIONS.copy()
    positions[[0, 3]] = np.nan
    for prompts in point_prompts(positions, seen(1, 2, 4), LABELS, 1):
        assert np.isfinite(prompts.points).all()


@pytest.mark.parametrize("refinements", [1, 3])
def test_refinement_repeats_the_second_call(refinements):
    first, second = calls(seen(0, 1))
    assert calls(seen(0, 1), refinements) == [first, second, *[second] * refinements]


def test_twelve_refinements_as_in_the_paper():
    assert len(point_prompts(POSITIONS, seen(0, 1), LABELS)) == 14


@pytest.mark.parametrize("refinements", [0, 3])
@pytest.mark.parametrize("visible", [seen(), seen(1), seen(1, 3)])
def test_no_call_without_a_visible_positive_point(visible, refinements):
    assert calls(visible, refinements) == []


@pytest.mark.parametrize("refinements", [0, 1, 3])
def test_without_a_visible_negative_point_only_refinement_follows(refinements):
    """The second call would be the first one again: a repetition, and counted as such."""
    assert calls(seen(0, 2), refinements) == [[(0, 1), (2, 1)]] * (1 + refinements)


def test_without_any_negative_point():
    assert calls(seen(0, 1), 0, np.ones(5, np.int8)) == [[(0, 1), (1, 1)]]


def test_no_points():
    assert point_prompts(np.zeros((0, 2), np.float32), np.zeros(0, bool), np.zeros(0, np.int8)) == []


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"positions": POSITIONS[:, :1]}, ValueError, r"positions must be \(K, 2\), but got \(5, 1\)"),
        ({"positions": POSITIONS[0]}, ValueError, r"positions must be \(K, 2\), but got \(2,\)"),
        ({"visible": seen()[:4]}, ValueError, r"visible must be \(5,\) as the positions, but got \(4,\)"),
        (
            {"labels": LABELS[:, None]},
            ValueError,
            r"labels must be \(5,\) as the positions, but got \(5, 1\)",
        ),
        (
            {"labels": np.int8([1, 0, 2, 0, -1])},
            ValueError,
            r"labels must be 0 or 1, but got \[-1, 0, 1, 2\]",
        ),
        ({"refinements": -1}, ValueError, "refinements must not be negative, but got -1"),
        ({"positions": POSITIONS.astype(float)}, TypeError, "positions must be float32, but got float64"),
        ({"visible": seen().astype(np.int8)}, TypeError, "visible must be bool, but got int8"),
        ({"labels": LABELS.astype(int)}, TypeError, "labels must be int8, but got int64"),
    ],
)
def test_refuses(change, error, message):
    with pytest.raises(error, match=message):
        point_prompts(**{"positions": POSITIONS, "visible": seen(0, 1), "labels": LABELS, **change})
