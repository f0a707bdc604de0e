"""The model's statistics are what its constants say, whatever those are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from motionseg_ros.synthesis.tracker_model import TrackerModel, perturb

B, N, T = 40, 100, 16
#: No errors at all, and no losses.
PERFECT = TrackerModel(step_weak=0, step_strong=0, slide_share=0, birth_jump=0, jump=0, loss=0, crowding=0)
#: The same steps for all points.
EVEN = {"weak_spread": 0.0, "per_point": 0.0, "per_window": 0.0, "typical_window": 1.0}


def still(b=B, n=N, t=T):
    """Paths that stand at (100, 50), seen all the time."""
    return np.broadcast_to(np.float32([100, 50]), (b, n, t, 2)), np.ones((b, n, t), bool)


def moving(speed, b=B, n=N, t=T):
    """Half of the points stand, half of them move by (speed, 0) px a frame."""
    paths = np.zeros((b, n, t, 2), np.float32)
    paths[:, ::2, :, 0] = np.arange(t) * speed
    return paths, np.ones((b, n, t), bool)


def run(model, paths, visible, seed=0):
    return perturb(model, paths, visible, np.random.default_rng(seed))


class TestPerturb:
    @pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 2), (2, 3, 1), (B, N, T)])
    def test_shapes_and_types(self, shape):
        paths, visible = still(*shape)
        observed = run(TrackerModel(), paths, visible)
        assert (observed.positions.shape, observed.positions.dtype) == ((*shape, 2), np.float32)
        assert (observed.visible.shape, observed.visible.dtype) == (shape, np.bool_)
        assert (observed.confidence.shape, observed.confidence.dtype) == (shape, np.float32)
        assert np.isfinite(observed.positions).all()
        assert np.isfinite(observed.confidence).all()

    def test_same_seed_same_errors(self):
        first, again, other = (run(TrackerModel(), *still(), seed) for seed in (1, 1, 2))
        for name in ("positions", "visible", "confidence"):
            np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
        assert not np.array_equal(first.positions, other.positions)

    def test_perfect_tracker(self):
        paths, visible = moving(3.0)
        observed = run(PERFECT, paths, visible)
        np.testing.assert_array_equal(observed.positions, paths)

    def test_newest_position_is_exact(self):
        paths, visible = moving(3.0)
        observed = run(TrackerModel(), paths, visible)
        np.testing.assert_array_equal(observed.positions[:, :, -1], paths[:, :, -1])

    def test_sees_nothing_that_is_not_visible(self):
        paths, _ = still()
        age = np.random.default_rng(0).integers(0, T + 1, (B, N, 1))
        visible = np.arange(T) >= T - age
        observed = run(TrackerModel(), paths, visible)
        assert not (observed.visible & ~visible).any()
        assert (np.diff(observed.visible.astype(int), axis=-1) >= 0).all()
        np.testing.assert_array_equal(observed.visible[..., -1], visible[..., -1])
        np.testing.assert_array_equal(observed.confidence > 0, observed.visible)
        assert observed.confidence.max() <= 1

    def test_inputs_are_left_alone(self):
        paths, visible = moving(3.0)
        kept = paths.copy(), visible.copy()
        run(TrackerModel(), paths, visible)
        np.testing.assert_array_equal(paths, kept[0])
        np.testing.assert_array_equal(visible, kept[1])


class TestDrift:
    def spread(self, model, lag, paths=None):
        """Root mean square px of the errors `lag` frames before the newest."""
        paths, visible = still(200) if paths is None else paths
        error = run(model, paths, visible).positions[:, :, -1 - lag] - paths[:, :, -1 - lag]
        return float(np.sqrt((error**2).sum(-1).mean()))

    def expected(self, model, lag):
        per_step = model.step_weak**2 + model.step_strong**2
        return np.sqrt(per_step * (model.walk * lag + model.bias * lag**2 + model.jitter / 2))

    @pytest.mark.parametrize("lag", [1, 4, 15])
    def test_error_adds_up(self, lag):
        model = replace(TrackerModel(), **EVEN, slide_share=0, birth_jump=0, jump=0)
        assert self.spread(model, lag) == pytest.approx(self.expected(model, lag), rel=0.06)

    @pytest.mark.parametrize("part", ["jitter", "walk", "bias"])
    def test_each_part_alone(self, part):
        shares = {"jitter": 0.0, "walk": 0.0, "bias": 0.0, part: 1.0}
        model = replace(TrackerModel(), **EVEN, slide_share=0, birth_jump=0, jump=0, **shares)
        growth = self.spread(model, 12) / self.spread(model, 3)
        assert growth == pytest.approx({"jitter": 1, "walk": 2, "bias": 4}[part], rel=0.06)

    def test_weak_direction(self):
        """Steps are unequal along two directions at right angles, which differ from point to point."""
        model = replace(PERFECT, **EVEN, step_weak=0.3, step_strong=0.01, bias=0, walk=1.0, jitter=0)
        paths, visible = still(8, N, 64)
        error = run(model, paths, visible).positions - paths
        steps = np.diff(error, axis=2)
        values = np.linalg.eigvalsh(np.einsum("bnti,bntj->bnij", steps, steps) / steps.shape[2])
        assert np.sqrt(values[..., 1].mean()) == pytest.approx(0.3, rel=0.05)
        assert np.sqrt(values[..., 0].mean()) == pytest.approx(0.01, rel=0.1)

    def test_fast_points_err_more(self):
        model = replace(
            PERFECT, **EVEN, step_weak=0.1, step_strong=0.1, per_speed=5.0, bias=0, jitter=0, walk=1.0
        )
        paths, visible = moving(10.0, 100)
        error = run(model, paths, visible).positions - paths
        size = np.sqrt((np.diff(error, axis=2) ** 2).sum(-1).mean((0, 2)))
        assert size[::2].mean() / size[1::2].mean() == pytest.approx(3.0, rel=0.05)

    def test_windows_differ(self):
        model = replace(
            PERFECT, step_weak=0.1, step_strong=0.1, per_point=0.0, per_window=0.7, weak_spread=0.0
        )
        paths, visible = still(400, 40)
        error = run(model, paths, visible).positions - paths
        level = np.log(np.sqrt((error[:, :, 8] ** 2).sum(-1).mean(1)))
        assert level.std() == pytest.approx(0.7, rel=0.15)

    def test_sliding_misses_part_of_the_motion(self):
        model = replace(PERFECT, slide_share=1.0, slide=0.4)
        paths, visible = moving(5.0)
        error = run(model, paths, visible).positions - paths
        missed = np.linalg.norm(np.diff(error, axis=2), axis=-1)
        # The median of the points moves by 0 or 5, so that one half of them is at rest against it.
        assert 0 < missed.max() <= 0.4 * 5.0
        assert np.percentile(missed, 95) > 0.5


class TestJumps:
    def test_later_jumps(self):
        model = replace(PERFECT, jump=0.03, jump_px=6.0)
        paths, visible = still()
        steps = np.linalg.norm(np.diff(run(model, paths, visible).positions, axis=2), axis=-1)
        assert (steps > 0).mean() == pytest.approx(0.03, rel=0.1)
        assert np.median(steps[steps > 0]) == pytest.approx(6.0, rel=0.1)

    def test_first_jumps(self):
        """They come right after the first frame in which a trajectory is seen."""
        model = replace(PERFECT, birth_jump=0.5)
        paths, _ = still()
        visible = np.broadcast_to(np.arange(T) >= 6, (B, N, T))
        observed = run(model, paths, visible)
        steps = np.linalg.norm(np.diff(observed.positions, axis=2), axis=-1) > 0
        born = observed.visible.argmax(-1)
        at_birth = np.take_along_axis(steps, np.minimum(born, T - 2)[..., None], -1)[..., 0]
        assert at_birth[born < T - 1].mean() == pytest.approx(0.5, abs=0.05)
        alive = np.arange(T - 1) > born[..., None]
        assert not steps[alive].any()

    def test_older_than_the_window(self):
        """What was seen before the window began does not jump in it."""
        observed = run(replace(PERFECT, birth_jump=1.0), *still())
        old = observed.visible.all(-1)
        assert np.ptp(observed.positions[old], axis=1).max() == 0


class TestReach:
    @pytest.mark.parametrize("distance", [1.0, 3.0, 6.0])
    def test_probability_over_distance(self, distance):
        model = replace(TrackerModel(), reach_per_octave=0.0)
        reach = model.draw_reach(200, 500, np.random.default_rng(0))
        assert (reach.shape, reach.dtype) == ((200, 500), np.float32)
        expected = 1 / (1 + np.exp((distance - model.reach) / model.softness))
        assert (reach > distance).mean() == pytest.approx(expected, abs=0.01)

    def test_windows_differ_with_the_motion(self):
        model = replace(TrackerModel(), softness=1e-4, reach_per_octave=1.0, reach=5.0)
        middles = model.draw_reach(500, 20, np.random.default_rng(0))
        assert np.ptp(middles, axis=1).max() < 0.02
        assert middles.std() > 0.5

    def test_is_bounded(self):
        reach = replace(TrackerModel(), softness=50.0).draw_reach(50, 50, np.random.default_rng(0))
        assert reach.min() > 0
        assert reach.max() < 20


class TestAges:
    def ages(self, model, speed=0.0, b=400, n=100):
        return model.draw_ages(np.full((b, n), speed, np.float32), T, np.random.default_rng(0))

    def test_range(self):
        ages = self.ages(TrackerModel())
        assert ages.shape == (400, 100)
        assert ages.min() == 1
        assert ages.max() == T

    def test_without_losses_all_ages_are_alike(self):
        """Up to the last, which stands for all that are older."""
        share = np.bincount(self.ages(PERFECT).ravel(), minlength=T + 1)[1:]
        np.testing.assert_allclose(share[:-1], share[:-1].mean(), rtol=0.2)
        assert share[-1] > 5 * share[0]

    def test_survival_follows_the_hazard(self):
        """As many trajectories have an age as survive to it: neighbouring ages differ by the hazard."""
        model = replace(TrackerModel(), loss=0.1, loss_decay=0.0, crowding=0.0)
        slow, fast = (np.bincount(self.ages(model, v).ravel(), minlength=12)[1:12] for v in (0.0, 10.0))
        for counts in (slow, fast):
            assert (np.diff(counts) < 0.1 * counts[0]).all()
            assert counts[10] < counts[0]
        assert (fast / fast.sum())[:3].sum() > (slow / slow.sum())[:3].sum()

    def test_young_ones_are_crowded_out(self):
        bare = replace(TrackerModel(), crowding=0.0)
        crowded = replace(TrackerModel(), crowding=0.5)
        first = [np.bincount(self.ages(m).ravel())[1:3] for m in (bare, crowded)]
        assert first[1][0] / first[1][1] > first[0][0] / first[0][1] + 0.2

    def test_decides_how_long_points_are_seen(self):
        observed = run(TrackerModel(), *still(200))
        ages = self.ages(TrackerModel())
        seen = observed.visible.sum(-1)
        for age in (2, 8, T):
            assert (seen >= age).mean() == pytest.approx((ages >= age).mean(), abs=0.03)
