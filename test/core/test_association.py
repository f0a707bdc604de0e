from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from motionseg_ros.core.association import PART_COUNT, Associator, Decisions, lies_beside


def decide(
    associator: Associator, groups: Sequence[int], owners: Sequence[int], beside: Sequence[int] | None = None
) -> Decisions:
    """Without `beside`, every trajectory lies on the object that owns it and beside no other."""
    beside = owners if beside is None else beside
    return associator(*(np.array(values, np.int64) for values in (groups, owners, beside)))


def as_lists(decisions: Decisions) -> dict[str, object]:
    return {
        "grow": {key: sorted(rows.tolist()) for key, rows in decisions.grow.items() if len(rows)},
        "new": [sorted(rows.tolist()) for rows in decisions.new],
        "split": [(key, sorted(rows.tolist())) for key, rows in decisions.split],
        "merge": decisions.merge,
    }


NOTHING = {"grow": {}, "new": [], "split": [], "merge": []}


class TestNewAndGrow:
    def test_a_group_that_nobody_owns_is_new_at_once(self):
        found = decide(Associator(3, 3), [0, 0, 0, 1, 1, 1, -1], [0] * 7)
        assert as_lists(found) == {**NOTHING, "new": [[0, 1, 2], [3, 4, 5]]}

    def test_no_new_object_from_too_few_trajectories(self):
        assert as_lists(decide(Associator(3, 3), [0, 0, 1, -1], [0, 0, 0, 0])) == NOTHING

    def test_what_is_owned_already_is_no_news(self):
        assert as_lists(decide(Associator(3, 3), [0, 0, 0], [5, 5, 5])) == NOTHING

    def test_an_object_grows_by_the_free_ones_of_its_group(self):
        found = decide(Associator(3, 3), [0, 0, 0, 0, 0, -1], [5, 5, 0, 0, 5, 0])
        assert as_lists(found) == {**NOTHING, "grow": {5: [2, 3]}}

    def test_a_few_strays_do_not_own_a_group(self):
        """One of twelve carries object 5; the others are a new object, and the stray stays where it was."""
        found = decide(Associator(3, 3), [0] * 12, [5] + [0] * 11)
        assert as_lists(found) == {**NOTHING, "new": [list(range(1, 12))]}

    def test_free_ones_go_to_the_object_with_the_larger_share(self):
        found = decide(Associator(9, 2), [0] * 8, [1, 1, 1, 4, 4, 4, 4, 0])
        assert as_lists(found)["grow"] == {4: [7]}

    def test_an_object_in_two_groups_grows_in_both(self):
        owners = [5, 5, 5, 0, 5, 5, 5, 0, 0]
        found = decide(Associator(9, 3), [0, 0, 0, 0, 1, 1, 1, 1, 1], owners)
        assert as_lists(found)["grow"] == {5: [3, 7, 8]}

    def test_an_object_that_owns_enough_of_a_group_has_it_whatever_it_lies_beside(self):
        found = decide(Associator(3, 3), [0] * 6, [5, 5, 5, 0, 0, 0], [5, 5, 5, 8, 8, 8])
        assert as_lists(found) == {**NOTHING, "grow": {5: [3, 4, 5]}}

    @pytest.mark.parametrize(("groups", "owners"), [([], []), ([-1, -1, -1], [0, 2, 0])])
    def test_nothing_moves_nothing_happens(self, groups, owners):
        assert as_lists(decide(Associator(1, 1), groups, owners)) == NOTHING


class TestSplit:
    GROUPS = (0,) * 14 + (1,) * 12
    OWNERS = (5,) * 26
    LEAVES = tuple(range(14, 26))

    @pytest.mark.parametrize("patience", [1, 2, 4])
    def test_the_smaller_part_leaves_when_patience_is_out(self, patience):
        associator = Associator(patience, 3)
        for _ in range(patience - 1):
            assert as_lists(decide(associator, self.GROUPS, self.OWNERS))["split"] == []
        assert as_lists(decide(associator, self.GROUPS, self.OWNERS))["split"] == [(5, list(self.LEAVES))]

    def test_one_classification_that_says_otherwise_begins_the_count_anew(self):
        associator = Associator(3, 3)
        decide(associator, self.GROUPS, self.OWNERS)
        decide(associator, self.GROUPS, self.OWNERS)
        decide(associator, [0] * 26, self.OWNERS)
        decide(associator, self.GROUPS, self.OWNERS)
        assert as_lists(decide(associator, self.GROUPS, self.OWNERS))["split"] == []
        assert as_lists(decide(associator, self.GROUPS, self.OWNERS))["split"] == [(5, list(self.LEAVES))]

    def test_is_counted_anew_after_it_was_done(self):
        associator = Associator(2, 3)
        answers = [as_lists(decide(associator, self.GROUPS, self.OWNERS))["split"] for _ in range(4)]
        assert [len(answer) for answer in answers] == [0, 1, 0, 1]

    def test_small_parts_do_not_split_an_object(self):
        associator = Associator(1, 3)
        assert decide(associator, [0] * 6 + [1, 1], [5] * 8).split == []  # fewer than three
        assert decide(associator, [0] * 20 + [1] * 3, [5] * 23).split == []  # three, but of 23
        assert decide(associator, [0] * 6 + [1] * 5, [5] * 11).split == []  # fewer than twice the least

    @pytest.mark.parametrize(("count", "leaves"), [(PART_COUNT - 1, False), (PART_COUNT, True)])
    def test_a_part_of_many_leaves_even_a_very_large_object(self, count, leaves):
        """A walker that a mask of a hundred trajectories has swallowed is far under a third of them."""
        split = decide(Associator(1, 3), [0] * 100 + [1] * count, [5] * (100 + count)).split
        assert [rows.tolist() for _, rows in split] == ([list(range(100, 100 + count))] if leaves else [])

    def test_reset_forgets_the_count(self):
        associator = Associator(2, 3)
        decide(associator, self.GROUPS, self.OWNERS)
        associator.reset()
        assert decide(associator, self.GROUPS, self.OWNERS).split == []


class TestBeside:
    """A group that no object owns, but right beside one: a limb, an outline, or something else after all."""

    def test_it_joins_its_neighbour(self):
        found = decide(Associator(3, 3), [0, 0, 0, -1], [0] * 4, [5, 5, 5, 8])
        assert as_lists(found) == {**NOTHING, "grow": {5: [0, 1, 2]}}

    def test_the_neighbour_is_what_most_of_it_lies_beside(self):
        assert as_lists(decide(Associator(3, 3), [0] * 5, [0] * 5, [5, 8, 8, 0, 8]))["grow"] == {
            8: list(range(5))
        }
        assert as_lists(decide(Associator(3, 3), [0] * 5, [0] * 5, [5, 0, 0, 0, 8]))["new"] == [
            list(range(5))
        ]

    def test_too_few_do_not_join(self):
        assert as_lists(decide(Associator(3, 3), [0, 0], [0, 0], [5, 5])) == NOTHING

    def test_a_stray_of_another_object_is_not_taken_along(self):
        found = decide(Associator(3, 3), [0] * 12, [8] + [0] * 11, [8] + [5] * 11)
        assert as_lists(found) == {**NOTHING, "grow": {5: list(range(1, 12))}}

    @pytest.mark.parametrize("patience", [1, 3])
    def test_it_joins_first_and_is_split_off_after_patience(self, patience):
        """Played as the pipeline does: what joins is owned by the neighbour at the next classification."""
        associator = Associator(patience, 3)
        groups, owners = np.repeat([0, 1], [20, 10]), np.repeat([5, 0], [20, 10])
        joined = associator(groups, owners, np.full(30, 5))
        assert as_lists(joined) == {**NOTHING, "grow": {5: list(range(20, 30))}}
        owners[joined.grow[5]] = 5
        splits = [as_lists(associator(groups, owners, owners))["split"] for _ in range(patience)]
        assert splits == [[]] * (patience - 1) + [[(5, list(range(20, 30)))]]


class TestMerge:
    @pytest.mark.parametrize("patience", [1, 2, 4])
    def test_the_later_object_goes_when_patience_is_out(self, patience):
        associator = Associator(patience, 3)
        for _ in range(patience - 1):
            assert decide(associator, [0] * 6, [7, 7, 7, 2, 2, 2]).merge == []
        assert decide(associator, [0] * 6, [7, 7, 7, 2, 2, 2]).merge == [(2, 7)]

    def test_one_classification_that_says_otherwise_begins_the_count_anew(self):
        associator, owners = Associator(2, 3), [7, 7, 7, 2, 2, 2]
        decide(associator, [0] * 6, owners)
        decide(associator, [0, 0, 0, 1, 1, 1], owners)
        assert decide(associator, [0] * 6, owners).merge == []
        assert decide(associator, [0] * 6, owners).merge == [(2, 7)]

    @pytest.mark.parametrize(("within", "merge"), [(4, []), (5, [(2, 7)]), (10, [(2, 7)])])
    def test_half_of_an_objects_movers_must_go_with_the_other(self, within, merge):
        """Object 2 has ten moving trajectories, `within` of them in the group that 7 keeps."""
        groups, owners = [0] * (40 + within) + [1] * (10 - within), [7] * 40 + [2] * 10
        assert decide(Associator(1, 2), groups, owners).merge == merge

    def test_movers_in_no_group_count_too(self):
        """Two of object 2's ten go with 7, eight with nobody."""
        assert decide(Associator(1, 2), [0] * 42 + [-1] * 8, [7] * 40 + [2] * 10).merge == []

    def test_a_small_object_merges_though_its_share_of_the_group_is_small(self):
        assert decide(Associator(1, 2), [0] * 42, [7] * 40 + [2] * 2).merge == [(2, 7)]

    def test_three_become_one_without_naming_anyone_twice(self):
        merge = decide(Associator(1, 3), [0] * 9, [3, 3, 3, 1, 1, 1, 2, 2, 2]).merge
        gone = [goes for _, goes in merge]
        assert sorted(gone) == sorted(set(gone))
        assert all(stays not in gone for stays, _ in merge)
        assert merge[0] == (1, 2)

    def test_reset_forgets_the_count(self):
        associator = Associator(2, 3)
        decide(associator, [0] * 6, [7, 7, 7, 2, 2, 2])
        associator.reset()
        assert decide(associator, [0] * 6, [7, 7, 7, 2, 2, 2]).merge == []


def test_state_holds_only_what_the_last_classification_said():
    """A thousand objects that part once each leave nothing behind that a later one could trip over."""
    associator = Associator(2, 2)
    for object_id in range(1, 1001):
        assert decide(associator, [0] * 9 + [1] * 9, [object_id] * 18).split == []
    assert decide(associator, [0] * 9 + [1] * 9, [1] * 18).split == []


class TestLiesBeside:
    POSITIONS = np.array([[10, 10], [14, 10], [30, 10], [31, 10], [90, 90]], np.float32)

    def test_the_nearest_owned_one_within_reach(self):
        owners = np.array([5, 0, 0, 8, 0])
        np.testing.assert_array_equal(lies_beside(self.POSITIONS, owners, 17.0), [5, 5, 8, 8, 0])

    def test_an_owned_one_lies_on_its_own_object(self):
        owners = np.array([5, 8, 9, 2, 1])
        np.testing.assert_array_equal(lies_beside(self.POSITIONS, owners, 100.0), owners)

    @pytest.mark.parametrize(("reach", "found"), [(3.9, 0), (4.1, 5)])
    def test_reach_is_in_px(self, reach, found):
        assert lies_beside(self.POSITIONS[:2], np.array([5, 0]), reach)[1] == found

    @pytest.mark.parametrize("n", [0, 4])
    def test_nobody_owns_anything(self, n):
        beside = lies_beside(np.zeros((n, 2), np.float32), np.zeros(n, np.int64), 10.0)
        assert beside.dtype == np.int64
        np.testing.assert_array_equal(beside, np.zeros(n))

    def test_takes_ids_as_they_are(self):
        assert lies_beside(np.zeros((2, 2)), np.array([65534, 0]), 1.0).tolist() == [65534, 65534]
