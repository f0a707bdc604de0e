from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.evaluation.objects import ObjectTally, ids_in, region_table


def blocks(*spans: tuple[int, int, int], width: int = 200) -> np.ndarray:
    """A (100, width) label image of blocks in the rows 40..59: (id, first column, one past the last)."""
    labels = np.zeros((100, width), dtype=np.uint16)
    for object_id, start, stop in spans:
        labels[40:60, start:stop] = object_id
    return labels


def tally(truth_ids, *frames: tuple[np.ndarray, np.ndarray]):
    result = ObjectTally(truth_ids)
    for truth, prediction in frames:
        result.add(truth, prediction)
    return {score.id: score for score in result.scores()}


def test_ids_in():
    assert ids_in(blocks((300, 0, 5), (7, 10, 12))) == [7, 300]
    assert ids_in(np.zeros((3, 3), dtype=np.uint8)) == []


def test_region_table():
    truth = blocks((1, 0, 20), (2, 50, 70))
    prediction = blocks((5, 10, 30), (9, 50, 60), (12, 60, 70))
    # 5 with 1: 10 of 30 columns. 9 and 12 with 2: 10 of 20 columns each. Nothing else touches.
    expected = [[1 / 3, 0], [0, 1 / 2], [0, 1 / 2]]
    assert np.allclose(region_table(truth, prediction, [1, 2], [5, 9, 12]), expected)


def test_region_table_of_ids_that_are_not_there():
    empty = blocks()
    assert region_table(empty, empty, [1], [5]) == 1.0
    assert region_table(blocks((1, 0, 9)), empty, [1], [5]) == 0.0
    assert region_table(empty, empty, [1], []).shape == (0, 1)


def test_swapped_ids_are_matched():
    truth = blocks((1, 0, 20), (2, 50, 70))
    scores = tally([1, 2], (truth, blocks((2, 0, 20), (1, 50, 70))))
    assert (scores[1].matched, scores[2].matched) == (2, 1)
    assert scores[1].region.mean == scores[2].boundary.mean == 1.0


def test_matching_is_best_as_a_whole_not_greedy():
    # Object 1: columns 0..29, object 2: 30..69. Prediction 8: columns 0..12, prediction 7: 13..42.
    # J(7,1) = 17/43 = 0.40, J(7,2) = 13/57 = 0.23, J(8,1) = 13/30 = 0.43, J(8,2) = 0.
    truth = blocks((1, 0, 30), (2, 30, 70))
    scores = tally([1, 2], (truth, blocks((8, 0, 13), (7, 13, 43))))
    assert (scores[1].matched, scores[2].matched) == (8, 7)
    assert scores[1].region.mean == pytest.approx(13 / 30)
    assert scores[2].region.mean == pytest.approx(13 / 57)
    # With prediction 8 shrunk to columns 0..10 (J(8,1) = 0.37) object 1 alone would rather have 7 (columns
    # 11..42, J(7,1) = 19/43 = 0.44, J(7,2) = 13/59 = 0.22), but 0.37 + 0.22 is more than 0.44 + 0.
    scores = tally([1, 2], (truth, blocks((8, 0, 11), (7, 11, 43))))
    assert (scores[1].matched, scores[2].matched) == (8, 7)


def test_one_match_for_the_whole_sequence():
    # Id 5 fits for two frames of three, then 6 takes over: only one of them counts.
    truth = blocks((1, 0, 20))
    scores = tally([1], (truth, blocks((5, 0, 20))), (truth, blocks((5, 0, 20))), (truth, blocks((6, 0, 20))))
    assert scores[1].matched == 5
    assert scores[1].region_per_frame == (1.0, 1.0, 0.0)
    assert scores[1].region.mean == pytest.approx(2 / 3)
    assert scores[1].switches == 1


def test_object_without_prediction():
    truth = blocks((1, 0, 20), (2, 50, 70))
    scores = tally([1, 2], (truth, blocks((5, 0, 20))))
    assert scores[2].matched is None
    assert (scores[2].region.mean, scores[2].boundary.mean, scores[2].switches) == (0.0, 0.0, 0)


def test_hidden_object_and_no_prediction_agree():
    truth = blocks((1, 0, 20))
    scores = tally([1], (truth, blocks((5, 0, 20))), (blocks(), blocks()))
    assert scores[1].frames == 1
    assert scores[1].region_per_frame == scores[1].boundary_per_frame == (1.0, 1.0)


def test_prediction_of_a_hidden_object_is_wrong():
    scores = tally([1], (blocks((1, 0, 20)), blocks((5, 0, 20))), (blocks(), blocks((5, 0, 20))))
    assert scores[1].region_per_frame == scores[1].boundary_per_frame == (1.0, 0.0)


class TestSwitches:
    TRUTH = blocks((1, 0, 20), (2, 50, 70))

    def switches(self, *predictions):
        scores = tally([1, 2], *((self.TRUTH, prediction) for prediction in predictions))
        return scores[1].switches, scores[2].switches

    def test_stable_ids(self):
        assert self.switches(*[blocks((5, 0, 20), (6, 50, 70))] * 4) == (0, 0)

    def test_exchanged_ids(self):
        a, b = blocks((5, 0, 20), (6, 50, 70)), blocks((6, 0, 20), (5, 50, 70))
        assert self.switches(a, b, b, a) == (2, 2)

    def test_gap_with_the_same_id_afterwards(self):
        a, gap = blocks((5, 0, 20), (6, 50, 70)), blocks((6, 50, 70))
        assert self.switches(a, gap, gap, a) == (0, 0)

    def test_gap_with_another_id_afterwards(self):
        a, gap, b = blocks((5, 0, 20)), blocks(), blocks((7, 0, 20))
        assert self.switches(a, gap, b) == (1, 0)

    def test_a_neighbour_that_only_touches_is_no_switch(self):
        # In the second frame only 6, which is object 2's, reaches into object 1.
        a, b = blocks((5, 0, 20), (6, 50, 70)), blocks((6, 18, 70))
        assert self.switches(a, b, a) == (0, 0)


def test_no_frames():
    assert ObjectTally([1, 2]).scores() == ()
