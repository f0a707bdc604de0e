from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.core.association import components
from motionseg_ros.core.config import GroupingConfig
from motionseg_ros.prompting.grouping import ProximityGrouper

SIZE = (480, 640)


def cluster(x: float, y: float, n: int, seed: int = 0) -> np.ndarray:
    """n positions within 12 px of (x, y)."""
    return np.random.default_rng(seed).uniform(-12, 12, (n, 2)) + np.array([x, y])


def group(positions, velocities, size=SIZE, **config) -> list[list[int]]:
    """What the links connect, by falling size; `velocities` (N, 2) or (2,): the same over three gaps."""
    positions = np.asarray(positions, np.float32).reshape(-1, 2)
    velocities = np.broadcast_to(np.asarray(velocities, np.float32), positions.shape)
    return group_by_motions(positions, np.repeat(velocities[:, None], 3, axis=1), size, **config)


def group_by_motions(positions, motions, size=SIZE, **config) -> list[list[int]]:
    links = ProximityGrouper(GroupingConfig(**config)).links(positions, motions, size)
    assert links.dtype == np.int64
    assert links.shape[1:] == (2,)
    return [rows.tolist() for rows in components(links, np.ones(len(positions), bool))]


def numbers(*counts: int) -> list[list[int]]:
    """``numbers(2, 3)`` -> [[0, 1], [2, 3, 4]]"""
    ends = np.cumsum(counts)
    return [list(range(end - count, end)) for count, end in zip(counts, ends, strict=True)]


def test_near_and_alike_is_one_object():
    assert group(cluster(300, 200, 12), (3, 1)) == numbers(12)


def test_apart_makes_two():
    positions = np.concatenate([cluster(100, 100, 9), cluster(500, 400, 5)])
    assert group(positions, (3, 1)) == numbers(9, 5)


@pytest.mark.parametrize("other", [(-4, 0), (0, 4), (0, -4), (15, 0)])
def test_near_but_moving_differently_makes_two(other):
    positions = np.concatenate([cluster(300, 200, 8, 1), cluster(306, 200, 6, 2)])
    velocities = np.array([[4, 0]] * 8 + [other] * 6)
    assert group(positions, velocities) == numbers(8, 6)


def test_a_chain_of_neighbours_is_one_object():
    """A long object: its ends are far apart and turn differently, but each link is near and alike."""
    x = np.arange(0, 400, 20.0)
    positions = np.stack([x, np.full_like(x, 100)], 1)
    velocities = np.stack([np.full_like(x, 4), np.linspace(-3, 3, len(x))], 1)
    assert group(positions, velocities, reach=0.06) == numbers(len(x))


@pytest.mark.parametrize("gaps", [0, 3])
def test_no_trajectories(gaps):
    assert group_by_motions(np.zeros((0, 2)), np.zeros((0, gaps, 2))) == []


def test_trajectories_in_one_place_are_one_group():
    assert group(np.full((5, 2), 7.0), (1, 0)) == numbers(5)


def test_those_at_rest_hang_together():
    """Velocities that are nothing but noise have no direction to differ in."""
    velocities = np.random.default_rng(3).normal(0, 0.05, (10, 2))
    assert group(cluster(300, 200, 10), velocities) == numbers(10)


def test_one_gap_over_which_they_part_is_enough():
    """Two things that move alike by chance now and differently before."""
    positions = np.concatenate([cluster(300, 200, 8, 1), cluster(306, 200, 6, 2)])
    motions = np.tile(np.float32([4, 0]), (14, 3, 1))
    assert group_by_motions(positions, motions) == numbers(14)
    motions[8:, 2] = (-1, 3)
    assert group_by_motions(positions, motions) == numbers(8, 6)


@pytest.mark.parametrize("gaps", [0, 3])
def test_where_motions_are_unknown_nearness_decides(gaps):
    positions = np.concatenate([cluster(100, 100, 9), cluster(500, 400, 5)])
    motions = np.full((14, gaps, 2), np.nan, np.float32)
    assert group_by_motions(positions, motions) == numbers(9, 5)


def test_a_trajectory_too_young_for_the_long_gaps_joins_by_the_short_ones():
    positions = cluster(300, 200, 8)
    motions = np.tile(np.float32([4, 0]), (8, 3, 1))
    motions[7, 1:] = np.nan
    assert group_by_motions(positions, motions) == numbers(8)
    motions[7, 0] = (-4, 0)
    assert group_by_motions(positions, motions) == numbers(7, 1)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_reach_is_a_share_of_the_image(scale):
    """The same picture at another resolution gives the same groups."""
    positions = np.concatenate([cluster(300, 200, 6), cluster(350, 200, 6, 1), cluster(480, 200, 5, 2)])
    size = (int(480 * scale), int(640 * scale))
    assert group(positions * scale, np.array([3, 1]) * scale, size) == group(positions, (3, 1))


def test_reach_decides():
    positions = np.array([[x, 100] for x in (0, 30, 60)])
    assert group(positions, (2, 0), reach=0.06) == numbers(3)  # 38 px
    assert group(positions, (2, 0), reach=0.03) == numbers(1, 1, 1)


class TestDiffer:
    @staticmethod
    def differ(one, other, tolerance=1.0, size=SIZE) -> list[bool]:
        one, other = (np.array(m, np.float32).reshape(len(m), -1, 2) for m in (one, other))
        return ProximityGrouper(GroupingConfig()).differ(one, other, size, tolerance).tolist()

    def test_each_pair_is_told_on_its_own(self):
        assert self.differ([[4, 0], [4, 0], [0, 0]], [[4, 0.2], [-4, 0], [0.1, 0]]) == [False, True, False]

    def test_more_is_tolerated_where_asked_for(self):
        """What tolerates the swing of a leg must not tolerate the opposite way."""
        for other, parts in (((2.2, 0), 1.0), ((-4, 0), 2.0)):
            assert self.differ([[4, 0]], [other], parts) == [True]
        assert self.differ([[4, 0]], [[2.2, 0]], 2.0) == [False]

    def test_is_symmetric(self):
        motions = np.random.default_rng(0).normal((4, 0), 1, (2, 40, 2))
        assert self.differ(*motions) == self.differ(*motions[::-1])
        assert 0 < sum(self.differ(*motions)) < 40

    def test_a_gap_that_is_unknown_parts_nobody(self):
        assert self.differ([[4, 0, np.nan, np.nan]], [[4, 0, -9, 0]]) == [False]

    def test_noise_is_a_share_of_the_image(self):
        assert self.differ([[0, 0]], [[0.3, 0]], size=(160, 240)) == [True]
        assert self.differ([[0, 0]], [[0.3, 0]], size=(1600, 2400)) == [False]
