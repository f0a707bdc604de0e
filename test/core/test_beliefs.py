from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.core.beliefs import LEAST_POPULATION, TrajectoryBeliefs, log_odds


def ids(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def everything(n: int) -> np.ndarray:
    return np.ones(n, bool)


def beliefs_of(values: dict[int, tuple[float, int]], weight: float = 1.0) -> TrajectoryBeliefs:
    """Trajectory id -> (P(moving) told once, owner)."""
    beliefs = TrajectoryBeliefs(weight, 0.6, 0.4)
    beliefs.follow(ids(*values))
    beliefs.update(everything(len(values)), np.array([p for p, _ in values.values()], np.float32))
    beliefs.own(np.array([owner for _, owner in values.values()]))
    beliefs.lie_on(np.array([owner for _, owner in values.values()]))
    return beliefs


class TestFollow:
    def test_new_trajectories_are_unknown_and_own_nothing(self):
        beliefs = TrajectoryBeliefs(0.5, 0.6, 0.4)
        beliefs.follow(ids(4, 9, 2))
        assert not beliefs.known.any()
        assert not beliefs.owners.any()
        assert (beliefs.moving < 0.5).all()
        assert (len(beliefs.moving), len(beliefs.known), len(beliefs.owners)) == (3, 3, 3)

    @pytest.mark.parametrize("order", [(3, 8, 5), (8, 5, 3), (5, 3, 8)])
    def test_values_go_with_the_ids_in_any_order(self, order):
        values = {3: (0.1, 0), 8: (0.9, 2), 5: (0.6, 7)}
        beliefs = beliefs_of(values)
        beliefs.follow(ids(*order))
        np.testing.assert_allclose(beliefs.moving, [values[i][0] for i in order])
        np.testing.assert_array_equal(beliefs.owners, [values[i][1] for i in order])
        np.testing.assert_array_equal(beliefs.under, [values[i][1] for i in order])
        assert beliefs.known.all()

    def test_lost_ones_are_forgotten_and_new_ones_fill_in(self):
        beliefs = beliefs_of({1: (0.9, 2), 2: (0.8, 3), 3: (0.7, 4)})
        beliefs.follow(ids(3, 10, 1))
        np.testing.assert_array_equal(beliefs.owners, [4, 0, 2])
        np.testing.assert_array_equal(beliefs.under, [4, 0, 2])
        np.testing.assert_array_equal(beliefs.known, [True, False, True])
        np.testing.assert_allclose(beliefs.moving[[0, 2]], [0.7, 0.9])
        beliefs.follow(ids(1, 2, 3))  # 2 was lost in between: what was known of it is gone
        np.testing.assert_array_equal(beliefs.owners, [2, 0, 4])
        np.testing.assert_array_equal(beliefs.known, [True, False, True])

    @pytest.mark.parametrize("then", [(), (5,), (1, 2, 3, 4, 5)])
    def test_from_none_and_to_none(self, then):
        beliefs = TrajectoryBeliefs(0.5, 0.6, 0.4)
        beliefs.follow(ids())
        beliefs.follow(ids(*then))
        assert len(beliefs.moving) == len(then)
        beliefs.follow(ids())
        assert len(beliefs.owners) == 0
        beliefs.follow(ids(7))
        np.testing.assert_array_equal(beliefs.owners, [0])

    def test_keeps_the_types(self):
        beliefs = beliefs_of({1: (0.9, 2)})
        beliefs.follow(ids(1, 2))
        assert (beliefs.moving.dtype, beliefs.known.dtype, beliefs.owners.dtype) == (
            np.float32,
            bool,
            np.int64,
        )

    def test_takes_a_copy_of_the_ids(self):
        mine = ids(1, 2)
        beliefs = TrajectoryBeliefs(1.0, 0.6, 0.4)
        beliefs.follow(mine)
        beliefs.own(ids(5, 6))
        mine[:] = (8, 9)
        beliefs.follow(ids(2, 1))
        np.testing.assert_array_equal(beliefs.owners, [6, 5])


class TestUpdate:
    @pytest.mark.parametrize("weight", [0.25, 0.5, 1.0])
    def test_moves_towards_the_probability_by_its_weight(self, weight):
        beliefs = TrajectoryBeliefs(weight, 0.6, 0.4)
        beliefs.follow(ids(1, 2))
        prior = beliefs.moving.copy()
        beliefs.update(everything(2), np.array([1.0, 0.0], np.float32))
        np.testing.assert_allclose(
            beliefs.moving, (1 - weight) * prior + weight * np.array([1, 0]), rtol=1e-5
        )

    @pytest.mark.parametrize("rows", [np.array([False, True, False, True]), np.array([1, 3])])
    def test_only_the_rows_told_change(self, rows):
        beliefs = TrajectoryBeliefs(1.0, 0.6, 0.4)
        beliefs.follow(ids(1, 2, 3, 4))
        prior = beliefs.moving.copy()
        beliefs.update(rows, np.array([0.9, 0.8], np.float32))
        np.testing.assert_allclose(beliefs.moving, [prior[0], 0.9, prior[2], 0.8])
        np.testing.assert_array_equal(beliefs.known, [False, True, False, True])

    def test_agreeing_classifications_win_in_the_end(self):
        beliefs = beliefs_of({1: (0.0, 0)}, weight=0.5)
        for _ in range(10):
            beliefs.update(everything(1), np.ones(1, np.float32))
        assert beliefs.moving[0] > 0.99

    def test_in_the_first_window_a_new_trajectory_is_believed_at_once(self):
        """Otherwise nothing would be shown in the first frames of a stream and after every scene cut."""
        beliefs = TrajectoryBeliefs(0.5, 0.6, 0.4)
        beliefs.follow(ids(1, 2))
        beliefs.update(everything(2), np.array([0.9, 0.1], np.float32), first_window=True)
        np.testing.assert_allclose(beliefs.moving, [0.9, 0.1], rtol=1e-5)
        assert beliefs.movers.tolist() == [True, False]
        beliefs.follow(ids(1, 2, 3))
        beliefs.update(everything(3), np.array([0.1, 0.1, 0.8], np.float32), first_window=True)
        np.testing.assert_allclose(beliefs.moving, [0.5, 0.1, 0.8], rtol=1e-5)

    def test_one_classification_alone_makes_no_mover_at_half_weight(self):
        beliefs = TrajectoryBeliefs(0.5, 0.6, 0.4)
        beliefs.follow(ids(1))
        assert beliefs.moving[0] < 0.5


def test_reset_forgets_all():
    beliefs = beliefs_of({1: (0.9, 2), 2: (0.8, 3)})
    beliefs.reset()
    assert len(beliefs.moving) == 0
    beliefs.follow(ids(1, 2))
    assert not beliefs.known.any()
    assert not beliefs.owners.any()
    assert not beliefs.under.any()


class TestSurvival:
    @staticmethod
    def survival(n: int, ids: np.ndarray) -> float:
        beliefs = TrajectoryBeliefs(0.5, 0.6, 0.4)
        beliefs.follow(np.arange(n))
        return beliefs.survival(ids)

    @pytest.mark.parametrize("go_on", [0, 10, 40])
    def test_is_the_share_that_goes_on(self, go_on):
        new = np.arange(100, 300)  # those that were seeded with the frame do not count
        assert self.survival(40, np.concatenate([new, np.arange(go_on)])) == go_on / 40

    @pytest.mark.parametrize("n", [0, LEAST_POPULATION - 1])
    def test_few_trajectories_tell_nothing(self, n):
        """A dark hall with a handful of points must not begin anew with every frame."""
        assert self.survival(n, np.arange(100, 110)) == 1.0
        assert self.survival(LEAST_POPULATION, np.arange(100, 110)) == 0.0


def test_log_odds_are_odd_about_one_half_and_bounded():
    belief = np.linspace(0, 1, 11)
    found = log_odds(belief)
    np.testing.assert_allclose(found, -found[::-1], atol=1e-9)
    assert (np.diff(found) > 0).all()
    assert 3.5 < found[-1] < 4.5


class TestMovers:
    def told(self, *probabilities: float) -> list[bool]:
        """The decision on one trajectory after each classification; no low-pass."""
        beliefs = TrajectoryBeliefs(1.0, 0.6, 0.4)
        beliefs.follow(ids(1))
        decisions = []
        for probability in probabilities:
            beliefs.update(everything(1), np.array([probability], np.float32))
            decisions.append(bool(beliefs.movers[0]))
        return decisions

    def test_enters_high_and_leaves_low(self):
        assert self.told(0.5, 0.61, 0.5, 0.41, 0.39, 0.5, 0.59, 0.7) == [
            False, True, True, True, False, False, False, True,
        ]  # fmt: skip

    def test_goes_with_the_id_and_is_forgotten_with_it(self):
        beliefs = beliefs_of({1: (0.9, 0), 2: (0.1, 0)})
        beliefs.follow(ids(2, 3, 1))
        np.testing.assert_array_equal(beliefs.movers, [False, False, True])
        beliefs.follow(ids(2))
        beliefs.follow(ids(1, 2))
        assert not beliefs.movers.any()

    def test_one_classification_alone_does_not_make_a_mover(self):
        beliefs = TrajectoryBeliefs(0.5, 0.6, 0.4)
        beliefs.follow(ids(1))
        beliefs.update(everything(1), np.array([0.85], np.float32))
        assert not beliefs.movers[0]
        beliefs.update(everything(1), np.array([0.85], np.float32))
        assert beliefs.movers[0]

    def test_thresholds_in_the_wrong_order(self):
        with pytest.raises(ValueError, match="leave must be at most enter"):
            TrajectoryBeliefs(0.5, 0.4, 0.6)


def test_knows_the_trajectories_it_has_followed():
    beliefs = TrajectoryBeliefs(0.5, 0.6, 0.4)
    assert not beliefs.knows(np.array([3, 4])).any()
    beliefs.follow(np.array([3, 5]))
    np.testing.assert_array_equal(beliefs.knows(np.array([3, 4, 5])), [True, False, True])
