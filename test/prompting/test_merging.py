from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from motionseg_ros.core.types import MaskLogits
from motionseg_ros.prompting.merging import LEAST_TIMES, OverlapHistory, overlap

SIZE = (60, 80)


def mask(x0: int, y0: int, x1: int, y1: int, whole: bool = False) -> MaskLogits:
    """On the pixels from x0, y0 to x1, y1 (not included); given for these and two around, or for all."""
    logits = np.full(SIZE, -3, np.float32)
    logits[y0:y1, x0:x1] = 3
    if whole:
        return MaskLogits(logits)
    top, left = max(y0 - 2, 0), max(x0 - 2, 0)
    return MaskLogits(logits[top : y1 + 2, left : x1 + 2].copy(), (left, top))


EMPTY = MaskLogits(np.full((10, 10), -3, np.float32), (10, 10))
HERE, THERE = mask(10, 10, 30, 30), mask(50, 10, 70, 30)


class TestOverlap:
    @pytest.mark.parametrize("whole", [True, False])
    @pytest.mark.parametrize(
        ("other", "share"),
        [
            ((10, 10, 30, 30), 1),
            ((12, 10, 32, 30), 0.9),
            ((13, 10, 33, 30), 0.85),
            ((20, 20, 40, 40), 0.25),
            ((29, 29, 49, 49), 1 / 400),
            ((30, 10, 50, 30), 0),
        ],
        ids=["same", "a tenth off", "more off", "quarter", "corner", "side by side"],
    )
    def test_is_what_they_share(self, other, share, whole):
        one, other = mask(10, 10, 30, 30, whole), mask(*other, whole)
        assert overlap(one, other) == pytest.approx(share)
        assert overlap(other, one) == pytest.approx(share)

    @pytest.mark.parametrize(
        ("part", "share"), [((15, 15, 20, 20), 1), ((26, 10, 31, 20), 0.8), ((10, 10, 30, 12), 1)]
    )
    def test_is_how_far_the_smaller_one_is_covered(self, part, share):
        assert overlap(HERE, mask(*part)) == pytest.approx(share)
        assert overlap(mask(*part), HERE) == pytest.approx(share)

    @pytest.mark.parametrize("seed", range(5))
    def test_is_the_largest_of_iou_and_both_shares(self, seed):
        """Of masks of any shape in boxes of any place."""
        rng = np.random.default_rng(seed)
        masks, full = [], []
        for _ in range(2):
            (x, y), (w, h) = rng.integers(0, 20, 2), rng.integers(20, 40, 2)
            masks.append(MaskLogits(rng.normal(0, 1, (h, w)).astype(np.float32), (int(x), int(y))))
            full.append(np.zeros(SIZE, bool))
            full[-1][masks[-1].box] = masks[-1].logits > 0
        both = (full[0] & full[1]).sum()
        assert both > 0
        expected = max(both / (full[0] | full[1]).sum(), both / full[0].sum(), both / full[1].sum())
        assert overlap(*masks) == pytest.approx(expected)

    @pytest.mark.parametrize("other", [HERE, EMPTY, MaskLogits(np.zeros((0, 0), np.float32))])
    def test_is_none_with_an_empty_mask(self, other):
        assert overlap(EMPTY, other) == 0
        assert overlap(other, EMPTY) == 0

    @pytest.mark.parametrize("corner", [(40, 0), (0, 40), (40, 40), (20, 0), (0, 20)])
    def test_is_none_of_boxes_that_do_not_meet(self, corner):
        """Nor of those that only touch."""
        one, other = (MaskLogits(np.ones((20, 20), np.float32), place) for place in ((0, 0), corner))
        assert overlap(one, other) == 0
        assert overlap(other, one) == 0

    def test_of_boxes_that_meet_the_pixels_count(self):
        """Each has a half of the square in which their boxes meet."""
        left, right = (np.full((20, 20), -3, np.float32) for _ in range(2))
        left[:, :15], right[:, 5:] = 3, 3
        assert overlap(MaskLogits(left), MaskLogits(right, (10, 0))) == 0
        assert overlap(MaskLogits(left), MaskLogits(right, (9, 0))) == pytest.approx(1 / 15)


def history(share: float = 0.3, window: int = 10, least: float = 0.9) -> OverlapHistory:
    return OverlapHistory(least, share, window)


def note(overlaps: OverlapHistory, answers: Iterable[bool], one: int = 1, other: int = 2) -> None:
    """Classifications in which two objects cover each other, or do not."""
    for answer in answers:
        overlaps.note(frozenset({one, other}), {one: HERE, other: HERE if answer else THERE})


class TestHistory:
    def test_the_smaller_id_stays(self):
        overlaps = history()
        note(overlaps, [True] * 3, one=7, other=4)
        assert overlaps.merges() == [(4, 7)]

    def test_nothing_overlaps_at_first(self):
        assert history().merges() == []

    @pytest.mark.parametrize(("other", "merges"), [((12, 10, 32, 30), [(1, 2)]), ((13, 10, 33, 30), [])])
    def test_nine_tenths_make_an_overlap(self, other, merges):
        overlaps = history()
        for _ in range(4):
            overlaps.note(frozenset({1, 2}), {1: HERE, 2: mask(*other)})
        assert overlaps.merges() == merges

    @pytest.mark.parametrize(("least", "merges"), [(0.8, [(1, 2)]), (0.86, [])])
    def test_how_much_does_is_an_option(self, least, merges):
        overlaps = history(least=least)
        for _ in range(4):
            overlaps.note(frozenset({1, 2}), {1: HERE, 2: mask(13, 10, 33, 30)})
        assert overlaps.merges() == merges

    def test_a_small_one_within_a_large_one_does(self):
        overlaps = history()
        for _ in range(3):
            overlaps.note(frozenset({1, 2}), {1: mask(15, 15, 20, 20), 2: HERE})
        assert overlaps.merges() == [(1, 2)]

    @pytest.mark.parametrize(("times", "merges"), [(0, []), (2, []), (3, [(1, 2)]), (10, [(1, 2)])])
    def test_three_of_ten_times_make_them_one(self, times, merges):
        overlaps = history()
        note(overlaps, [True] * times + [False] * (10 - times))
        assert overlaps.merges() == merges

    @pytest.mark.parametrize(("share", "merges"), [(0.5, [(1, 2)]), (0.6, [])])
    def test_how_often_is_an_option(self, share, merges):
        overlaps = history(share)
        note(overlaps, [True, False] * 5)
        assert overlaps.merges() == merges

    @pytest.mark.parametrize("times", range(1, LEAST_TIMES + 1))
    def test_a_few_times_mean_nothing(self, times):
        overlaps = history(share=1)
        note(overlaps, [True] * times)
        assert overlaps.merges() == ([(1, 2)] if times == LEAST_TIMES else [])

    @pytest.mark.parametrize("window", [1, 2])
    def test_a_shorter_window_is_enough_when_it_is_full(self, window):
        overlaps = history(window=window)
        note(overlaps, [True] * (window - 1))
        assert overlaps.merges() == []
        note(overlaps, [True])
        assert overlaps.merges() == [(1, 2)]

    @pytest.mark.parametrize("window", [4, 8])
    def test_what_is_past_the_window_is_forgotten(self, window):
        overlaps = history(share=0.5, window=window)
        note(overlaps, [True] * 20)
        note(overlaps, [False] * (window // 2))
        assert overlaps.merges() == [(1, 2)]
        note(overlaps, [False])
        assert overlaps.merges() == []

    @pytest.mark.parametrize("masks", [{}, {1: HERE}, {1: EMPTY, 2: EMPTY}, {1: EMPTY, 2: HERE}])
    def test_empty_masks_never_count(self, masks):
        overlaps = history(share=0.01)
        for _ in range(10):
            overlaps.note(frozenset({1, 2}), masks)
        assert overlaps.merges() == []

    def test_but_they_are_times_that_both_lived_through(self):
        """One overlap of four."""
        overlaps = history(share=0.3)
        note(overlaps, [True])
        for _ in range(3):
            overlaps.note(frozenset({1, 2}), {1: HERE})
        assert overlaps.merges() == []

    def test_only_times_that_both_lived_through_count(self):
        overlaps = history(share=0.9)
        for _ in range(9):
            overlaps.note(frozenset({1}), {1: HERE})
        note(overlaps, [True] * 3)
        assert overlaps.merges() == [(1, 2)]

    def test_a_mask_of_what_does_not_live_is_none(self):
        overlaps = history()
        for _ in range(5):
            overlaps.note(frozenset({1, 3}), {1: HERE, 2: HERE})
        assert overlaps.merges() == []

    def test_ids_that_go_are_forgotten(self):
        """And what comes under the same id later is another object."""
        overlaps = history()
        note(overlaps, [True] * 5)
        overlaps.note(frozenset({1}), {1: HERE})
        assert overlaps.merges() == []
        note(overlaps, [True] * 2)
        assert overlaps.merges() == []

    def test_the_others_are_not(self):
        overlaps = history()
        for ids in [{1, 2, 3}, {1, 2}, {1, 2}]:
            overlaps.note(frozenset(ids), {1: HERE, 2: HERE, 3: THERE})
        assert overlaps.merges() == [(1, 2)]

    def test_clear_forgets_all(self):
        overlaps = history()
        note(overlaps, [True] * 5)
        overlaps.clear()
        assert overlaps.merges() == []
        note(overlaps, [True] * 2)
        assert overlaps.merges() == []


class TestChains:
    """Which of several objects become one; each pair of `covering` overlaps, no other does."""

    @staticmethod
    def merges(*covering: tuple[int, int], ids: int) -> list[tuple[int, int]]:
        """A mask per object: a pixel for each pair, of nine tenths of either's."""
        logits = {i: np.full((1, 1 + len(covering)), -3, np.float32) for i in range(1, ids + 1)}
        overlaps = OverlapHistory(0.01, 0.3, 8)
        for column, pair in enumerate(covering):
            for object_id in pair:
                logits[object_id][0, column] = 3
        for _ in range(4):
            overlaps.note(frozenset(logits), {i: MaskLogits(values) for i, values in logits.items()})
        return sorted(overlaps.merges())

    @pytest.mark.parametrize(
        "covering",
        [
            ((1, 2), (2, 3)),
            ((1, 2), (1, 3)),
            ((1, 3), (2, 3)),
            ((1, 2), (1, 3), (2, 3)),
        ],
    )
    def test_three_merge_into_the_smallest_id_once(self, covering):
        assert self.merges(*covering, ids=3) == [(1, 2), (1, 3)]

    @pytest.mark.parametrize(
        "covering", [((1, 4), (2, 4), (2, 3)), ((3, 4), (2, 3), (1, 2)), ((1, 4), (2, 3), (3, 4))]
    )
    def test_four_do_too(self, covering):
        assert self.merges(*covering, ids=4) == [(1, 2), (1, 3), (1, 4)]

    def test_two_pairs_stay_two_objects(self):
        assert self.merges((1, 3), (2, 4), ids=5) == [(1, 3), (2, 4)]

    def test_none_is_left_out_nor_goes_into_one_that_goes(self):
        found = self.merges((1, 6), (2, 5), (5, 6), (3, 4), ids=7)
        assert found == [(1, 2), (1, 5), (1, 6), (3, 4)]
