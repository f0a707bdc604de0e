from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from motionseg_ros.prompting.reinitialisation import Reinitialiser

VARIANTS = ["horizon", "median_area", "similar_area", "similar_area_all"]


def play(reinitialiser: Reinitialiser, **areas: Sequence[int | None]) -> list[dict[int, int]]:
    """Feed areas per object (``_1=[...]``; None: left out in that frame); the answers, frame by frame."""
    rows = {int(name[1:]): values for name, values in areas.items()}
    frames = max(map(len, rows.values()))
    return [
        reinitialiser.update({i: row[t] for i, row in rows.items() if t < len(row) and row[t] is not None})
        for t in range(frames)
    ]


def restarts(answers: list[dict[int, int]], object_id: int = 1) -> dict[int, int]:
    """Frame in which the object was given new points -> how many frames back their mask was."""
    return {t: answer[object_id] for t, answer in enumerate(answers) if object_id in answer}


class TestOff:
    def test_never_restarts(self):
        assert play(Reinitialiser("off"), _1=[50] * 40, _2=[0] * 40) == [{}] * 40


class TestHorizon:
    def test_restarts_every_eight_frames_from_the_newest_mask(self):
        assert restarts(play(Reinitialiser(), _1=[50] * 25)) == {8: 0, 16: 0, 24: 0}

    @pytest.mark.parametrize("horizon", [1, 3])
    def test_restarts_every_horizon_frames(self, horizon):
        answers = play(Reinitialiser("horizon", horizon), _1=[50] * 10)
        assert list(restarts(answers)) == list(range(horizon, 10, horizon))

    def test_an_empty_mask_is_tried_again_in_the_next_frame(self):
        """And the next horizon counts from the frame in which it worked."""
        answers = play(Reinitialiser("horizon", 3), _1=[50, 50, 50, 0, 0, 50, 50, 50, 50, 50])
        assert restarts(answers) == {5: 0, 8: 0}

    def test_an_empty_mask_before_the_end_does_not_matter(self):
        assert restarts(play(Reinitialiser("horizon", 3), _1=[50, 0, 0, 50])) == {3: 0}

    def test_the_area_does_not_matter(self):
        assert restarts(play(Reinitialiser("horizon", 3), _1=[50, 500, 5, 1])) == {3: 0}

    def test_a_late_object_counts_for_itself(self):
        answers = play(Reinitialiser("horizon", 4), _1=[9] * 12, _2=[None, None, None, *[9] * 9])
        assert restarts(answers, 1) == {4: 0, 8: 0}
        assert restarts(answers, 2) == {7: 0, 11: 0}

    def test_an_object_that_is_left_out_has_no_mask(self):
        assert restarts(play(Reinitialiser("horizon", 3), _1=[9, 9, 9, None, 9], _2=[9] * 5), 1) == {4: 0}


class TestMedianArea:
    @pytest.mark.parametrize(
        ("masks", "back"),
        [
            ([10, 20, 30, 40, 50], 2),
            ([30, 10, 20, 50, 40], 4),
            ([10, 50, 20, 40, 30], 0),
            ([10, 30, 30, 30, 50], 1),  # the newest of equals
            ([0, 10, 0, 20, 30], 1),  # among the non-empty ones
            ([0, 20, 0, 0, 0], 3),
            ([0, 40, 10, 20, 90], 1),  # an even number: the newer of the two in the middle, here 20 ...
            ([0, 20, 10, 40, 90], 1),  # ... and here 40
            ([10, 10, 12, 14, 1000], 2),  # not the mean, 209, to which 14 is the nearest
        ],
    )
    def test_samples_from_the_frame_of_median_area(self, masks, back):
        """The first frame is that of the initialisation: its mask is not one of the predicted ones."""
        assert restarts(play(Reinitialiser("median_area", 5), _1=[30, *masks])) == {5: back}

    def test_empty_masks_throughout_are_no_restart(self):
        """The first mask after that is taken at once, and the next horizon counts from there."""
        answers = play(Reinitialiser("median_area", 3), _1=[30, 0, 0, 0, 0, 0, 7, 10, 30, 20])
        assert restarts(answers) == {6: 0, 9: 0}

    def test_looks_at_the_masks_of_one_horizon_only(self):
        answers = play(Reinitialiser("median_area", 3), _1=[30, 900, 900, 900, 10, 20, 30])
        assert restarts(answers) == {3: 0, 6: 1}

    def test_an_object_that_is_hidden_at_the_end_is_sampled_from_before(self):
        answers = play(Reinitialiser("median_area", 3), _1=[30, 10, 20, 0], _2=[None, 5, 5, 5, 5, 5])
        assert restarts(answers, 1) == {3: 1}
        assert restarts(answers, 2) == {4: 0}


class TestSimilarArea:
    @pytest.mark.parametrize(
        ("area", "fits"), [(89, False), (90, True), (100, True), (110, True), (111, False)]
    )
    def test_restarts_at_an_area_within_the_tolerance(self, area, fits):
        answers = play(Reinitialiser("similar_area", 2, tolerance=0.1), _1=[100, 5, area])
        assert restarts(answers) == ({2: 0} if fits else {})

    def test_waits_for_the_horizon(self):
        assert restarts(play(Reinitialiser("similar_area"), _1=[100] * 9)) == {8: 0}

    def test_waits_beyond_the_horizon_for_the_first_area_that_fits(self):
        answers = play(Reinitialiser("similar_area", 3), _1=[100, 100, 100, 50, 70, 0, 95, 100, 100])
        assert restarts(answers) == {6: 0}

    def test_the_new_mask_is_the_next_reference(self):
        """100 -> 92 -> 84 -> 77: each within 10 % of the one before, the last two not of the first."""
        answers = play(Reinitialiser("similar_area", 1), _1=[100, 92, 84, 77, 100])
        assert list(restarts(answers)) == [1, 2, 3]

    def test_each_object_for_itself(self):
        answers = play(Reinitialiser("similar_area", 2), _1=[100, 10, 100, 10], _2=[40, 40, 4, 40])
        assert restarts(answers, 1) == {2: 0}
        assert restarts(answers, 2) == {3: 0}

    def test_without_a_mask_at_first_the_first_mask_is_the_reference(self):
        answers = play(Reinitialiser("similar_area", 2), _1=[0, 0, 0, 60, 100, 60])
        assert restarts(answers) == {3: 0, 5: 0}

    @pytest.mark.parametrize("variant", ["similar_area", "similar_area_all"])
    def test_no_mask_is_never_similar(self, variant):
        assert play(Reinitialiser(variant, 1, tolerance=5.0), _1=[0] * 5) == [{}] * 5


class TestSimilarAreaAll:
    def test_restarts_all_in_the_first_frame_that_fits_all(self):
        answers = play(
            Reinitialiser("similar_area_all", 3), _1=[100, 1, 1, 100, 50, 105], _2=[40, 1, 1, 20, 40, 41]
        )
        assert answers == [{}] * 5 + [{1: 0, 2: 0}]

    def test_the_new_masks_are_the_next_references(self):
        answers = play(Reinitialiser("similar_area_all", 1), _1=[100, 92, 84, 84], _2=[40, 40, 42, 39])
        assert answers == [{}] + [{1: 0, 2: 0}] * 3

    def test_an_object_without_mask_holds_all_up_until_it_is_forgotten(self):
        reinitialiser = Reinitialiser("similar_area_all", 2)
        assert play(reinitialiser, _1=[100] * 6, _2=[40, 0, 0, 0, 0, 0]) == [{}] * 6
        reinitialiser.forget(2)
        assert reinitialiser.update({1: 100}) == {1: 0}

    def test_a_new_object_joins_the_next_common_restart(self):
        """It is not waited for ..."""
        late = [None, None, None, 40, 40, 40, 40, 40, 40]
        answers = play(Reinitialiser("similar_area_all", 4), _1=[100] * 9, _2=late)
        assert answers == [{}] * 4 + [{1: 0, 2: 0}] + [{}] * 3 + [{1: 0, 2: 0}]

    def test_a_new_object_must_fit_as_well(self):
        """... but its area counts."""
        late = [None, None, None, 40, 20, 20, 40, 40]
        answers = play(Reinitialiser("similar_area_all", 4), _1=[100] * 8, _2=late)
        assert answers == [{}] * 6 + [{1: 0, 2: 0}, {}]

    def test_points_that_were_sampled_in_this_frame_are_not_sampled_again(self):
        answers = play(Reinitialiser("similar_area_all", 2), _1=[100] * 5, _2=[None, None, 40, 40, 40])
        assert answers == [{}, {}, {1: 0}, {}, {1: 0, 2: 0}]


@pytest.mark.parametrize("variant", VARIANTS)
class TestEveryVariant:
    def test_forgotten_objects_are_not_named_and_begin_anew(self, variant):
        reinitialiser = Reinitialiser(variant, 3)
        play(reinitialiser, _1=[50] * 3, _2=[50] * 3)
        reinitialiser.forget(2)
        assert reinitialiser.update({1: 50}) == {1: 0}
        answers = play(reinitialiser, _2=[900] * 4)
        assert restarts(answers, 2) == ({} if variant == "similar_area_all" else {3: 0})

    def test_forgetting_the_unknown_is_no_error(self, variant):
        reinitialiser = Reinitialiser(variant, 2)
        reinitialiser.forget(7)
        assert restarts(play(reinitialiser, _1=[50] * 3)) == {2: 0}

    def test_points_from_elsewhere_count_from_their_frame(self, variant):
        """A user prompts the object again in frame 2, and its mask is another one then."""
        reinitialiser = Reinitialiser(variant, 3)
        play(reinitialiser, _1=[50] * 3)
        reinitialiser.restart(1, 200)
        assert restarts(play(reinitialiser, _1=[200] * 3)) == {2: 0}

    def test_memory_is_bounded(self, variant):
        """Areas that never give rise to a restart, for long."""
        reinitialiser = Reinitialiser(variant, 4)
        play(reinitialiser, _1=[50, *[0] * 500])
        assert len(reinitialiser._objects) == 1
        assert len(reinitialiser._objects[1].areas) == 4

    def test_no_objects(self, variant):
        assert Reinitialiser(variant).update({}) == {}

    def test_takes_numpy_numbers_and_answers_in_python_ones(self, variant):
        reinitialiser = Reinitialiser(variant, 1)
        reinitialiser.update({1: np.uint16(50)})
        answer = reinitialiser.update({1: np.uint16(48)})  # 48 - 50 does not exist in uint16
        assert answer == {1: 0}
        assert type(answer[1]) is int

    def test_a_refused_frame_changes_nothing(self, variant):
        reinitialiser = Reinitialiser(variant, 2)
        play(reinitialiser, _1=[50] * 2)
        with pytest.raises(ValueError, match="area of object 3 must not be negative, but got -1"):
            reinitialiser.update({1: 50, 3: -1})
        assert reinitialiser.update({1: 50}) == {1: 0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"variant": "median"},
            "one of off, horizon, median_area, similar_area, similar_area_all, but got 'median'",
        ),
        ({"horizon": 0}, "horizon must be at least 1, but got 0"),
        ({"tolerance": -0.1}, "tolerance must not be negative, but got -0.1"),
        ({"tolerance": float("nan")}, "tolerance must not be negative, but got nan"),
    ],
)
def test_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        Reinitialiser(**options)
