from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest

from motionseg_ros.core.association import (
    OUTVOTED,
    PART_COUNT,
    Associator,
    Decisions,
    components,
    follow_neighbours,
    lies_beside,
    links_within,
    nearness,
)
from motionseg_ros.core.config import GroupingConfig
from motionseg_ros.prompting.grouping import ProximityGrouper


def pairs_of(groups: Sequence[int]) -> np.ndarray:
    """(L, 2): all pairs of the same group, -1 is in none."""
    pairs = [(a, b) for a, b in combinations(range(len(groups)), 2) if groups[a] == groups[b] >= 0]
    return np.array(pairs, np.int64).reshape(-1, 2)


def decide(
    associator: Associator,
    groups: Sequence[int] | np.ndarray,
    owners: Sequence[int],
    *,
    beside: Sequence[int] | None = None,
    evidence: float = 4.0,
    regions: Sequence[int] | None = None,
    differ: bool | float = True,
    favour: np.ndarray | None = None,
    attached: Sequence[tuple[int, int]] = (),
    together: Sequence[tuple[int, int]] = (),
) -> Decisions:
    """`groups`: number of each trajectory's group, all of which are linked, or the links (L, 2) themselves.

    Without `beside` nothing lies beside anything. `differ`: True, False, or by how many times the tolerance.
    """
    links = np.asarray(groups, np.int64)
    links = links if links.ndim == 2 else pairs_of(groups)
    owners = np.array(owners, np.int64)
    ids = np.unique(owners[owners > 0])
    n = len(owners)
    times = {True: np.inf, False: 0.0}.get(differ, differ)
    return associator(
        links,
        np.ones(len(links)),
        owners,
        ids,
        np.zeros((n, len(ids))) if favour is None else favour,
        np.full(n, evidence),
        np.zeros(n, np.int64) if regions is None else np.array(regions),
        lambda _: np.zeros(n, np.int64) if beside is None else np.array(beside),
        lambda one, other, tolerance: tolerance < times,
        attached,
        together,
    )


def as_lists(decisions: Decisions) -> dict[str, object]:
    return {
        "new": [rows.tolist() for rows in decisions.new],
        "split": [(key, rows.tolist()) for key, rows in decisions.split],
        "merge": decisions.merge,
    }


NOTHING = {"new": [], "split": [], "merge": []}


class TestNewAndGrow:
    def test_a_group_that_nobody_owns_is_new_at_once(self):
        found = decide(Associator(3, 3, 4), [0, 0, 0, 1, 1, 1, -1], [0] * 7)
        assert as_lists(found) == {**NOTHING, "new": [[0, 1, 2], [3, 4, 5]]}
        assert not found.owners.any()

    def test_no_new_object_from_too_few_trajectories(self):
        assert as_lists(decide(Associator(3, 3, 4), [0, 0, 1, -1], [0] * 4)) == NOTHING

    @pytest.mark.parametrize(("evidence", "new"), [(-1.0, 0), (1.2, 0), (1.4, 1)])
    def test_no_new_object_from_weak_evidence(self, evidence, new):
        """Three that each move a little more likely than not: a flicker of the classifier is no object."""
        assert len(decide(Associator(3, 3, 4), [0, 0, 0], [0] * 3, evidence=evidence).new) == new

    def test_an_object_grows_by_the_free_ones_linked_with_it(self):
        found = decide(Associator(3, 3, 4), [0, 0, 0, 0, 0, -1], [5, 5, 0, 0, 5, 0])
        assert as_lists(found) == NOTHING
        assert found.owners.tolist() == [5, 5, 5, 5, 5, 0]

    def test_free_ones_go_to_the_object_with_more_votes(self):
        found = decide(Associator(9, 2, 4), [0] * 8, [1, 1, 1, 4, 4, 4, 4, 0])
        assert found.owners.tolist() == [1, 1, 1, 4, 4, 4, 4, 4]

    def test_an_object_in_two_groups_grows_in_both(self):
        found = decide(Associator(9, 3, 4), [0, 0, 0, 0, 1, 1, 1, 1, 1], [5, 5, 5, 0, 5, 5, 5, 0, 0])
        assert found.owners.tolist() == [5] * 9

    @pytest.mark.parametrize(("groups", "owners"), [([], []), ([-1, -1, -1], [0, 2, 0])])
    def test_nothing_moves_nothing_happens(self, groups, owners):
        found = decide(Associator(1, 1, 4), groups, owners, evidence=1.0)
        assert as_lists(found) == NOTHING
        assert found.owners.tolist() == owners

    def test_does_not_change_its_input(self):
        owners = np.array([5, 5, 0, 0])
        decide(Associator(1, 1, 4), [0] * 4, owners)
        assert owners.tolist() == [5, 5, 0, 0]

    def test_what_moves_as_one_region_of_the_image_is_one_object(self):
        """Parts of a ball that rolls move differently, so no links join them: still one object and not two."""
        groups, regions = [0, 0, 0, 1, 1, 1, 2, 2, 2], [7, 7, 7, 7, 7, 7, 9, 9, 0]
        found = decide(Associator(3, 3, 4), groups, [0] * 9, regions=regions)
        assert as_lists(found)["new"] == [[0, 1, 2, 3, 4, 5], [6, 7, 8]]

    def test_a_region_takes_no_trajectory_from_an_object(self):
        found = decide(Associator(3, 3, 4), [-1] * 6, [5, 5, 0, 0, 0, 0], regions=[7] * 6)
        assert found.owners.tolist() == [5, 5, 0, 0, 0, 0]
        assert as_lists(found)["new"] == [[2, 3, 4, 5]]


class TestFollowNeighbours:
    @staticmethod
    def follow(links, owners, weight=1.0, favour=None, ids=(5, 8)) -> list[int]:
        links, owners = np.array(links, np.int64).reshape(-1, 2), np.array(owners, np.int64)
        favour = np.zeros((len(owners), len(ids))) if favour is None else np.array(favour, float)
        return follow_neighbours(links, np.full(len(links), weight), owners, np.array(ids), favour).tolist()

    def star(self, neighbours: int) -> tuple[list[tuple[int, int]], list[int]]:
        """Trajectory 0, which carries 5, among `neighbours` that carry 8."""
        return [(0, k + 1) for k in range(neighbours)], [5] + [8] * neighbours

    @pytest.mark.parametrize(("neighbours", "owner"), [(1, 5), (int(OUTVOTED), 5), (int(OUTVOTED) + 1, 8)])
    def test_one_that_slipped_is_taken_over_when_outvoted_and_not_before(self, neighbours, owner):
        assert self.follow(*self.star(neighbours))[0] == owner

    def test_its_own_neighbours_hold_it(self):
        links, owners = self.star(4)
        assert self.follow([*links, (0, 5), (0, 6)], [*owners, 5, 5])[0] == 5

    def test_far_neighbours_have_less_to_say(self):
        assert self.follow(*self.star(6), weight=0.3)[0] == 5

    @pytest.mark.parametrize(("own", "owner"), [(0.0, 8), (1.5, 5)])
    def test_the_mask_and_the_colours_under_it_hold_it(self, own, owner):
        links, owners = self.star(3)
        assert self.follow(links, owners, favour=[[own, 0]] + [[0, 0]] * 3)[0] == owner

    def test_its_look_alone_does_not_draw_it_to_an_object_far_away(self):
        """Two robots of one make: what is on one does not become the other's for being of its colour."""
        assert self.follow([(1, 2)], [5, 8, 8], favour=[[0, 9], [0, 0], [0, 0]])[0] == 5
        assert self.follow([(1, 2)], [0, 8, 8], favour=[[0, 9], [0, 0], [0, 0]])[0] == 0

    def test_colours_decide_between_two_neighbours(self):
        assert self.follow([(0, 1), (0, 2)], [0, 5, 8], favour=[[0, 0.5], [0, 0], [0, 0]])[0] == 8
        assert self.follow([(0, 1), (0, 2)], [0, 5, 8], favour=[[0.5, 0], [0, 0], [0, 0]])[0] == 5

    def test_a_change_does_not_run_along_the_links(self):
        """Once 0 has gone over, 1 is outvoted too; it goes at the next classification if that is still so."""
        links = [(0, 1), *((0, k) for k in range(2, 6)), (1, 6), (1, 7), (1, 8)]
        first = self.follow(links, [5, 5] + [8] * 7)
        assert first[:2] == [8, 5]
        assert self.follow(links, first)[:2] == [8, 8]

    def test_an_object_spreads_along_a_chain_of_free_ones_but_not_without_end(self):
        found = self.follow([(k, k + 1) for k in range(9)], [5] + [0] * 9)
        assert found == [5, 5, 5, 5, 0, 0, 0, 0, 0, 0]

    def test_without_objects_or_trajectories(self):
        assert self.follow([(0, 1)], [0, 0], ids=()) == [0, 0]
        assert self.follow([], []) == []


class TestCrossing:
    """Two groups of trajectories that pass by each other, with the default grouper."""

    @staticmethod
    def play(slips: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Owners before and after; 0 to 19 go to the right, 20 to 39 to the left."""
        grid = np.stack(np.meshgrid(np.arange(5) * 12.0, np.arange(4) * 12.0), -1).reshape(-1, 2)
        start = np.concatenate([grid + np.array([100, 100]), grid + np.array([300, 106])])
        velocity = np.repeat([[8.0, 0.0], [-8.0, 0.0]], 20, axis=0)
        grouper, associator, size = ProximityGrouper(GroupingConfig()), Associator(2, 2, 4), (480, 640)
        positions, owners, seen = start, np.zeros(40, np.int64), []
        for frame in range(30):
            if slips and frame == 12:  # one that is in the midst of the others then
                velocity[9] = velocity[20]
            motions = np.repeat(velocity[:, None], 3, axis=1)
            links = grouper.links(positions, motions, size)
            ids = np.unique(owners[owners > 0])

            def differ(one, other, tolerance, motions=motions):
                return bool(grouper.differ(motions[one[:1]], motions[other[:1]], size, tolerance)[0])

            found = associator(
                links, nearness(positions, links, 38.0), owners, ids, np.zeros((40, len(ids))), np.full(40, 3.0),
                np.zeros(40, np.int64), lambda o, p=positions: lies_beside(p, o, 38.0), differ,
            )  # fmt: skip
            owners = found.owners
            for members in [*found.new, *(rows for _, rows in found.split)]:
                owners[members] = owners.max() + 1
            assert not found.merge
            seen.append(owners.copy())
            positions = positions + velocity
        return seen[0], seen[-1]

    def test_they_keep_their_ids(self):
        before, after = self.play()
        assert before.tolist() == [1] * 20 + [2] * 20
        np.testing.assert_array_equal(before, after)

    def test_a_trajectory_that_slips_from_one_to_the_other_goes_over(self):
        before, after = self.play(slips=True)
        assert (before[9], after[9]) == (1, 2)
        np.testing.assert_array_equal(np.delete(before, 9), np.delete(after, 9))


class TestSplit:
    GROUPS = (0,) * 14 + (1,) * 12
    OWNERS = (5,) * 26
    LEAVES = tuple(range(14, 26))

    @pytest.mark.parametrize("patience", [1, 2, 4])
    def test_the_smaller_part_leaves_when_patience_is_out(self, patience):
        associator = Associator(patience, 3, 4)
        for _ in range(patience - 1):
            assert as_lists(decide(associator, self.GROUPS, self.OWNERS))["split"] == []
        assert as_lists(decide(associator, self.GROUPS, self.OWNERS))["split"] == [(5, list(self.LEAVES))]

    def test_one_classification_that_says_otherwise_begins_the_count_anew(self):
        associator = Associator(3, 3, 4)
        decide(associator, self.GROUPS, self.OWNERS)
        decide(associator, self.GROUPS, self.OWNERS)
        decide(associator, [0] * 26, self.OWNERS)
        decide(associator, self.GROUPS, self.OWNERS)
        assert as_lists(decide(associator, self.GROUPS, self.OWNERS))["split"] == []
        assert as_lists(decide(associator, self.GROUPS, self.OWNERS))["split"] == [(5, list(self.LEAVES))]

    def test_is_counted_anew_after_it_was_done(self):
        associator = Associator(2, 3, 4)
        answers = [as_lists(decide(associator, self.GROUPS, self.OWNERS))["split"] for _ in range(4)]
        assert [len(answer) for answer in answers] == [0, 1, 0, 1]

    def test_small_parts_do_not_split_an_object(self):
        associator = Associator(1, 3, 4)
        assert decide(associator, [0] * 6 + [1, 1], [5] * 8).split == []  # fewer than three
        assert decide(associator, [0] * 20 + [1] * 3, [5] * 23).split == []  # three, but of 23
        assert decide(associator, [0] * 6 + [1] * 5, [5] * 11).split == []  # fewer than twice the least

    @pytest.mark.parametrize(("count", "leaves"), [(PART_COUNT - 1, False), (PART_COUNT, True)])
    def test_a_part_of_many_leaves_even_a_very_large_object(self, count, leaves):
        """A walker that a mask of a hundred trajectories has swallowed is far under a third of them."""
        split = decide(Associator(1, 3, 4), [0] * 100 + [1] * count, [5] * (100 + count)).split
        assert [rows.tolist() for _, rows in split] == ([list(range(100, 100 + count))] if leaves else [])

    def test_an_object_that_a_post_cuts_in_two_stays_one(self):
        """Its halves are not linked across the post, but move alike."""
        associator = Associator(1, 3, 4)
        assert all(decide(associator, self.GROUPS, self.OWNERS, differ=False).split == [] for _ in range(4))

    def bridged(self, links: int) -> np.ndarray:
        """The links of two groups of 14 and 12, with `links` accidental ones from one into the other."""
        across = [(k % 14, 14 + (k // 14 + k) % 12) for k in range(links)]
        return np.concatenate([pairs_of(self.GROUPS), np.array(across, np.int64).reshape(-1, 2)])

    @pytest.mark.parametrize(("links", "split"), [(1, True), (4, True), (40, False)])
    def test_a_chain_of_accidental_neighbours_between_two_objects_is_cut(self, links, split):
        found = decide(Associator(1, 3, 4), self.bridged(links), self.OWNERS)
        assert as_lists(found)["split"] == ([(5, list(self.LEAVES))] if split else [])

    def test_what_is_long_is_not_cut_in_its_middle(self):
        """A lorry: few links for its length anywhere, but both halves move alike."""
        chain = [(k, k + step) for k in range(40) for step in (1, 2, 3) if k + step < 40]
        assert decide(Associator(1, 3, 4), np.array(chain), [5] * 40, differ=False).split == []

    @pytest.mark.parametrize("count", range(10, 81))
    def test_what_is_linked_throughout_is_not_cut(self, count):
        """The cut of such a group has no one answer; for 23, LAPACK gives none at all."""
        assert decide(Associator(1, 3, 4), [0] * count, [5] * count).split == []

    def test_reset_forgets_the_count(self):
        associator = Associator(2, 3, 4)
        decide(associator, self.GROUPS, self.OWNERS)
        associator.reset()
        assert decide(associator, self.GROUPS, self.OWNERS).split == []


class TestBeside:
    """A group that no object owns, but right beside one: a limb, an outline, or something else after all."""

    GROUPS, OWNERS = [0] * 10 + [1] * 3, [5] * 10 + [0] * 3

    def test_a_small_one_joins_its_neighbour_however_weak_its_evidence(self):
        found = decide(Associator(3, 3, 4), self.GROUPS, self.OWNERS, beside=[5] * 13, evidence=0.1)
        assert as_lists(found) == NOTHING
        assert found.owners.tolist() == [5] * 13

    @pytest.mark.parametrize(("count", "joins"), [(3, True), (4, False)])
    def test_one_that_is_no_limb_by_its_size_is_new(self, count, joins):
        groups, owners = [0] * 10 + [1] * count, [5] * 10 + [0] * count
        found = decide(Associator(3, 3, 4), groups, owners, beside=[5] * len(groups))
        assert len(found.new) == (not joins)
        assert (found.owners[10:] == 5).all() == joins

    @pytest.mark.parametrize(("beside", "owner"), [((5, 8, 8), 8), ((5, 0, 0), 0)])
    def test_the_neighbour_is_what_most_of_it_lies_beside(self, beside, owner):
        groups, owners = [0] * 10 + [2] * 10 + [1] * 3, [5] * 10 + [8] * 10 + [0] * 3
        found = decide(Associator(3, 3, 4), groups, owners, beside=[0] * 20 + list(beside))
        assert found.owners[20:].tolist() == [owner] * 3
        assert len(found.new) == (owner == 0)

    def test_too_few_do_not_join(self):
        found = decide(Associator(3, 3, 4), [0] * 10 + [1] * 2, [5] * 10 + [0] * 2, beside=[5] * 12)
        assert found.owners[10:].tolist() == [0, 0]

    def test_a_limb_of_something_new_is_new_with_it(self):
        """A walker appears: body and leg swing apart, but one object is to be born and not two."""
        positions = np.array([[10.0 * k, 100] for k in range(13)])
        associator = Associator(3, 3, 4)
        links, nothing = pairs_of(self.GROUPS), np.zeros(13, np.int64)
        found = associator(
            links, np.ones(len(links)), nothing, np.zeros(0, np.int64), np.zeros((13, 0)), np.full(13, 3.0), nothing,
            lambda owners: lies_beside(positions, owners, 35.0), lambda *_: True,
        )  # fmt: skip
        assert as_lists(found)["new"] == [list(range(13))]


class TestMerge:
    @pytest.mark.parametrize("patience", [1, 2, 4])
    def test_the_later_object_goes_when_patience_is_out(self, patience):
        associator = Associator(patience, 3, 4)
        for _ in range(patience - 1):
            assert decide(associator, [0] * 6, [7, 7, 7, 2, 2, 2], differ=False).merge == []
        assert decide(associator, [0] * 6, [7, 7, 7, 2, 2, 2], differ=False).merge == [(2, 7)]

    def test_objects_that_move_differently_as_wholes_stay_two(self):
        """Two walkers side by side: many of their points move alike for a while."""
        associator = Associator(1, 3, 4)
        answers = [decide(associator, [0] * 6, [7, 7, 7, 2, 2, 2], differ=True) for _ in range(4)]
        assert all(answer.merge == [] for answer in answers)

    def test_one_classification_that_says_otherwise_begins_the_count_anew(self):
        associator, owners = Associator(2, 3, 4), [7, 7, 7, 2, 2, 2]
        decide(associator, [0] * 6, owners, differ=False)
        decide(associator, [0, 0, 0, 1, 1, 1], owners, differ=False)
        assert decide(associator, [0] * 6, owners, differ=False).merge == []
        assert decide(associator, [0] * 6, owners, differ=False).merge == [(2, 7)]

    @pytest.mark.parametrize(("within", "merge"), [(4, []), (5, [(2, 7)]), (10, [(2, 7)])])
    def test_half_of_an_objects_movers_must_be_linked_with_the_other(self, within, merge):
        """Object 2 has ten moving trajectories, `within` of them linked with one of 7's forty."""
        groups, owners = [0] * 40 + [1] * 10, [7] * 40 + [2] * 10
        links = np.concatenate([pairs_of(groups), [(0, 40 + k) for k in range(within)]])
        assert decide(Associator(1, 2, 4), links, owners, differ=False).merge == merge

    def test_three_become_one_without_naming_anyone_twice(self):
        merge = decide(Associator(1, 3, 4), [0] * 9, [3, 3, 3, 1, 1, 1, 2, 2, 2], differ=False).merge
        gone = [goes for _, goes in merge]
        assert sorted(gone) == sorted(set(gone))
        assert all(stays not in gone for stays, _ in merge)
        assert merge[0] == (1, 2)

    def test_reset_forgets_the_count(self):
        associator = Associator(2, 3, 4)
        decide(associator, [0] * 6, [7, 7, 7, 2, 2, 2], differ=False)
        associator.reset()
        assert decide(associator, [0] * 6, [7, 7, 7, 2, 2, 2], differ=False).merge == []


class TestFragments:
    """An object that has touched a larger one all its life is a piece of it, links or not."""

    GROUPS = (0,) * 10 + (1,) * 3

    def merged(self, owners=(2,) * 10 + (7,) * 3, attached=((2, 7),), groups=GROUPS, patience=2, **options):
        associator = Associator(patience, 2, 4)
        answers = [decide(associator, groups, owners, attached=attached, **options) for _ in range(patience)]
        assert all(answer.merge == [] for answer in answers[:-1])
        return answers[-1].merge

    def test_it_merges_when_patience_is_out(self):
        assert self.merged(differ=False) == [(2, 7)]

    def test_one_that_has_been_seen_alone_does_not(self):
        assert self.merged(attached=(), differ=False) == []

    def test_the_larger_may_be_the_younger(self):
        assert self.merged(owners=(7,) * 10 + (2,) * 3, differ=False) == [(2, 7)]

    @pytest.mark.parametrize(("count", "merge"), [(3, [(2, 7)]), (4, [])])
    def test_one_of_much_the_same_size_is_an_object_of_its_own(self, count, merge):
        groups, owners = [0] * 10 + [1] * count, [2] * 10 + [7] * count
        assert self.merged(owners, groups=groups, differ=False) == merge

    @pytest.mark.parametrize(("times", "merge"), [(1.2, [(2, 7)]), (2.0, [])])
    def test_a_limb_may_swing_but_not_go_its_own_way(self, times, merge):
        assert self.merged(differ=times) == merge

    def test_those_that_go_the_same_way_in_the_long_run_are_one(self):
        """Whatever their size, and however differently they move now: a walker's legs."""
        groups, owners = [0] * 8 + [1] * 8, [2] * 8 + [7] * 8
        assert self.merged(owners, groups=groups, together=((2, 7),), differ=True) == [(2, 7)]
        assert self.merged(owners, groups=groups, differ=True) == []

    def test_one_that_no_trajectory_carries_goes_along(self):
        assert self.merged(owners=(2,) * 13, groups=(0,) * 13) == [(2, 7)]


def test_state_holds_only_what_the_last_classification_said():
    """Two hundred objects that part once each leave nothing behind that a later one could trip over."""
    associator = Associator(2, 2, 4)
    for object_id in range(1, 201):
        assert decide(associator, [0] * 9 + [1] * 9, [object_id] * 18).split == []
    assert decide(associator, [0] * 9 + [1] * 9, [1] * 18).split == []


class TestComponents:
    def test_are_ascending_and_sorted_by_falling_size(self):
        found = components(np.array([[4, 1], [2, 3], [3, 6]]), np.ones(7, bool))
        assert [rows.tolist() for rows in found] == [[2, 3, 6], [1, 4], [0], [5]]

    def test_links_over_others_do_not_count(self):
        found = components(np.array([[0, 1], [1, 2]]), np.array([True, False, True]))
        assert [rows.tolist() for rows in found] == [[0], [2]]

    @pytest.mark.parametrize("n", [0, 3])
    def test_among_none(self, n):
        assert components(np.zeros((0, 2), np.int64), np.zeros(n, bool)) == []


@pytest.mark.parametrize(
    ("regions", "groups"),
    [([], []), ([0, 0, 0], []), ([3, 0, 3, 5, 3], [[0, 2, 4]]), ([2, 1, 2, 1], [[0, 2], [1, 3]])],
)
def test_links_within_chains_what_lies_in_one_region(regions, groups):
    links = links_within(np.array(regions, np.int64))
    assert links.dtype == np.int64
    assert [g.tolist() for g in components(links, np.ones(len(regions), bool)) if len(g) > 1] == groups


def test_nearness_falls_with_the_distance_in_shares_of_the_reach():
    positions = np.array([[0, 0], [0, 0], [10, 0], [30, 40.0]])
    links = np.array([[0, 1], [0, 2], [0, 3]])
    found = nearness(positions, links, 50.0)
    assert found[0] == 1
    assert 1 > found[1] > found[2] > 0
    assert found[2] < 0.02
    np.testing.assert_allclose(nearness(2 * positions, links, 100.0), found)


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
