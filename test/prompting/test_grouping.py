from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.core.config import GroupingConfig
from motionseg_ros.prompting.grouping import ProximityGrouper

SIZE = (480, 640)


def cluster(x: float, y: float, n: int, seed: int = 0) -> np.ndarray:
    """n positions within 12 px of (x, y)."""
    return np.random.default_rng(seed).uniform(-12, 12, (n, 2)) + np.array([x, y])


def group(positions, velocities, size=SIZE, **config) -> np.ndarray:
    """`velocities` (N, 2) or (2,): the same over three gaps."""
    positions = np.asarray(positions, np.float32).reshape(-1, 2)
    velocities = np.broadcast_to(np.asarray(velocities, np.float32), positions.shape)
    return group_by_motions(positions, np.repeat(velocities[:, None], 3, axis=1), size, **config)


def group_by_motions(positions, motions, size=SIZE, **config) -> np.ndarray:
    found = ProximityGrouper(GroupingConfig(**config))(positions, motions, size)
    assert found.dtype == np.int64
    assert found.shape == (len(positions),)
    return found


def test_near_and_alike_is_one_object():
    np.testing.assert_array_equal(group(cluster(300, 200, 12), (3, 1)), np.zeros(12))


def test_apart_makes_two_numbered_by_falling_size():
    positions = np.concatenate([cluster(100, 100, 5), cluster(500, 400, 9)])
    np.testing.assert_array_equal(group(positions, (3, 1)), [1] * 5 + [0] * 9)


@pytest.mark.parametrize("other", [(-4, 0), (0, 4), (0, -4), (15, 0)])
def test_near_but_moving_differently_makes_two(other):
    positions = np.concatenate([cluster(300, 200, 8, 1), cluster(306, 200, 6, 2)])
    velocities = np.array([[4, 0]] * 8 + [other] * 6)
    np.testing.assert_array_equal(group(positions, velocities), [0] * 8 + [1] * 6)


def test_a_chain_of_neighbours_is_one_object():
    """A long object: its ends are far apart and turn differently, but each link is near and alike."""
    x = np.arange(0, 400, 20.0)
    positions = np.stack([x, np.full_like(x, 100)], 1)
    velocities = np.stack([np.full_like(x, 4), np.linspace(-3, 3, len(x))], 1)
    np.testing.assert_array_equal(group(positions, velocities, reach=0.06), np.zeros(len(x)))


@pytest.mark.parametrize(("n", "expected"), [(1, -1), (2, -1), (3, 0), (4, 0)])
def test_a_group_needs_min_trajectories(n, expected):
    np.testing.assert_array_equal(group(cluster(300, 200, n), (3, 1), min_trajectories=3), [expected] * n)


def test_strays_do_not_disturb_the_numbers():
    positions = np.concatenate([cluster(50, 50, 1), cluster(300, 200, 5), cluster(600, 450, 2)])
    np.testing.assert_array_equal(group(positions, (3, 1)), [-1] + [0] * 5 + [-1] * 2)


def test_no_trajectories():
    assert group(np.zeros((0, 2)), (0, 0)).shape == (0,)


def test_trajectories_in_one_place_are_one_group():
    np.testing.assert_array_equal(group(np.full((5, 2), 7.0), (1, 0)), np.zeros(5))


def test_those_at_rest_hang_together():
    """Velocities that are nothing but noise have no direction to differ in."""
    velocities = np.random.default_rng(3).normal(0, 0.05, (10, 2))
    np.testing.assert_array_equal(group(cluster(300, 200, 10), velocities), np.zeros(10))


def test_one_gap_over_which_they_part_is_enough():
    """Two things that move alike by chance now and differently before."""
    positions = np.concatenate([cluster(300, 200, 8, 1), cluster(306, 200, 6, 2)])
    motions = np.tile(np.float32([4, 0]), (14, 3, 1))
    np.testing.assert_array_equal(group_by_motions(positions, motions), np.zeros(14))
    motions[8:, 2] = (-1, 3)
    np.testing.assert_array_equal(group_by_motions(positions, motions), [0] * 8 + [1] * 6)


@pytest.mark.parametrize("gaps", [0, 3])
def test_where_motions_are_unknown_nearness_decides(gaps):
    positions = np.concatenate([cluster(100, 100, 5), cluster(500, 400, 9)])
    motions = np.full((14, gaps, 2), np.nan, np.float32)
    np.testing.assert_array_equal(group_by_motions(positions, motions), [1] * 5 + [0] * 9)


def test_a_trajectory_too_young_for_the_long_gaps_joins_by_the_short_ones():
    positions = cluster(300, 200, 8)
    motions = np.tile(np.float32([4, 0]), (8, 3, 1))
    motions[0, 1:] = np.nan
    np.testing.assert_array_equal(group_by_motions(positions, motions), np.zeros(8))
    motions[0, 0] = (-4, 0)
    np.testing.assert_array_equal(group_by_motions(positions, motions), [-1] + [0] * 7)


def test_the_order_does_not_matter():
    rng = np.random.default_rng(4)
    positions = np.concatenate([cluster(100, 100, 5), cluster(500, 400, 9), cluster(300, 50, 2)])
    velocities = np.repeat([[3.0, 1.0]], 16, axis=0)
    order = rng.permutation(16)
    np.testing.assert_array_equal(
        group(positions[order], velocities[order]), group(positions, velocities)[order]
    )


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_reach_is_a_share_of_the_image(scale):
    """The same picture at another resolution gives the same groups."""
    positions = np.concatenate([cluster(300, 200, 6), cluster(350, 200, 6, 1), cluster(480, 200, 5, 2)])
    size = (int(480 * scale), int(640 * scale))
    np.testing.assert_array_equal(
        group(positions * scale, np.array([3, 1]) * scale, size), group(positions, (3, 1))
    )


def test_reach_decides():
    positions = np.array([[x, 100] for x in (0, 30, 60)])
    assert group(positions, (2, 0), reach=0.06).max() == 0  # 38 px
    np.testing.assert_array_equal(group(positions, (2, 0), reach=0.03), [-1] * 3)
