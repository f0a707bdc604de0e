from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from motionseg_ros.synthesis.simulator import cast, follow_worlds, monocular_depth, simulate_windows
from motionseg_ros.synthesis.tracker_model import TrackerModel
from motionseg_ros.synthesis.worlds import BOXES, FAR, PARTS, SLABS, THINGS, Worlds

FRAMES = 8
FOCAL, SIZE = 400.0, (240, 432)
#: Tracks without a fault on its own surface, and loses nothing (but trajectories may be young).
PERFECT = TrackerModel(
    step_weak=0, step_strong=0, slide_share=0, birth_jump=0, jump=0, carried=0, carried_back=0, loss=0, crowding=0
)  # fmt: skip

#: All within 8 px of an outline are reached by it.
FAR_REACH = {"reach": 8.0, "reach_per_octave": 0.0, "softness": 1e-3}


def make_world(*things, frames=FRAMES, backdrop=12.0, camera=(0.0, 0.0, 0.0)):
    """A wall across the whole image, and things as (centre, half, velocity m/frame, whether it is called moving).

    `camera`: velocity, m/frame. All is at rest where velocities are 0.
    """
    time = np.arange(frames) - (frames - 1)
    half = np.zeros((1, BOXES, 3), np.float32)
    centre = np.zeros((1, BOXES, frames, 3), np.float32)
    moving = np.zeros((1, THINGS), bool)
    half[0, 1] = (FAR, FAR, 0.5)
    centre[0, 1] = (0, 0, backdrop + 0.5)
    for k, (where, size, velocity, moves) in enumerate(things):
        half[0, SLABS + k * PARTS] = size
        centre[0, SLABS + k * PARTS] = np.asarray(where) + time[:, None] * np.asarray(velocity)
        moving[0, k] = moves
    turn = np.broadcast_to(np.eye(3, dtype=np.float32), (1, BOXES, frames, 3, 3))
    return Worlds(
        sizes=np.array([SIZE]),
        focal=np.full((1, frames), FOCAL, np.float32),
        distortion=np.zeros(1, np.float32),
        rolling=np.zeros(1, np.float32),
        rotation=turn[:, 0].copy(),
        centre=(time[:, None] * np.asarray(camera, np.float32))[None].astype(np.float32),
        half=half,
        box_rotation=turn.copy(),
        box_centre=centre,
        thing=np.concatenate([np.full(SLABS, -1), np.repeat(np.arange(THINGS), PARTS)]),
        moving=moving,
        wobble=np.zeros((1, THINGS), np.float32),
        roughness=np.zeros(1, np.float32),
        unrest=np.zeros((1, BOXES), np.float32),
        texture=np.ones((1, BOXES), np.float32),
    )


def follow(world, tracker=PERFECT, count=200, seed=0):
    return follow_worlds(world, np.random.default_rng(seed), count, tracker)


BOX = ((0.0, 0.0, 6.0), (1.0, 1.0, 1.0), (0.1, 0.0, 0.0), True)


def on_box(positions, centre=(0.0, 0.0), half=FOCAL / 5):
    """(N,) bool: newest positions on the front of BOX, which is 5 m away, in the image's middle."""
    middle = (np.array(SIZE[::-1]) - 1) / 2 + centre
    return (np.abs(positions[:, -1] - middle) < half).all(1)


class TestWindows:
    def test_shapes_types_and_ranges(self):
        windows = simulate_windows(20, np.random.default_rng(0), 100, FRAMES)
        shape = (20, 100, FRAMES)
        expected = {
            "positions": ((*shape, 2), np.float32), "visible": (shape, np.bool_), "confidence": (shape, np.float32),
            "moving": (shape[:2], np.float32), "weight": (shape[:2], np.float32),
            "inverse_depth": (shape, np.float32), "sizes": ((20, 2), np.int64),
        }  # fmt: skip
        assert len(windows) == 20
        for name, (size, kind) in expected.items():
            values = getattr(windows, name)
            assert (values.shape, values.dtype) == (size, kind), name
            assert np.isfinite(values).all(), name
        for name in ("confidence", "inverse_depth"):
            values = getattr(windows, name)
            assert values.min() >= 0
            assert values.max() <= 1
        assert set(np.unique(windows.moving)) <= {0, 1}
        assert set(np.unique(windows.weight)) <= {0, 1}

    def test_same_seed_same_windows(self):
        first, again, other = (simulate_windows(6, np.random.default_rng(s), 50, FRAMES) for s in (1, 1, 2))
        for name in vars(first):
            np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
        assert not np.array_equal(first.positions, other.positions)

    def test_visible_runs_end_at_the_newest_frame(self):
        windows = simulate_windows(20, np.random.default_rng(3), 100, FRAMES)
        assert (np.diff(windows.visible.astype(int), axis=-1) >= 0).all()
        assert not windows.confidence[~windows.visible].any()
        assert not windows.weight[~windows.visible[..., -1]].any()
        height, width = windows.sizes[:, 0, None], windows.sizes[:, 1, None]
        newest = windows.positions[:, :, -1]
        inside = (newest >= 0).all(-1) & (newest[..., 0] <= width - 1) & (newest[..., 1] <= height - 1)
        assert inside[windows.visible[..., -1]].all()

    def test_most_rows_can_be_learned_from(self):
        windows = simulate_windows(60, np.random.default_rng(4), 256, 16)
        assert windows.weight.mean() > 0.8
        share = windows.moving.mean(1)
        assert 0.1 < (share == 0).mean() < 0.6
        assert (share > 0.05).mean() > 0.3

    @pytest.mark.parametrize("count", [1, 3])
    @pytest.mark.parametrize("frames", [1, 2, 3])
    @pytest.mark.parametrize("trajectories", [1, 7])
    def test_small_windows(self, count, frames, trajectories):
        windows = simulate_windows(count, np.random.default_rng(0), trajectories, frames)
        assert windows.positions.shape == (count, trajectories, frames, 2)
        assert np.isfinite(windows.positions).all()

    def test_more_trajectories_than_cells(self):
        assert np.isfinite(simulate_windows(2, np.random.default_rng(0), 1500, 3).positions).all()

    @pytest.mark.parametrize("arguments", [(0, 10, 4), (2, 10, 0)])
    def test_refuses(self, arguments):
        count, trajectories, frames = arguments
        with pytest.raises(ValueError, match="at least 1"):
            simulate_windows(count, np.random.default_rng(0), trajectories, frames)


class TestLabels:
    def test_nothing_moves(self):
        """Neither a camera on its way nor things at rest make a label."""
        windows = follow(make_world((*BOX[:2], (0, 0, 0), False), camera=(0.05, 0, 0.05)))
        assert not windows.moving.any()
        assert windows.weight[windows.visible[..., -1]].all()

    def test_windows_without_movers(self):
        worlds = make_world()
        assert not follow(worlds, TrackerModel()).moving.any()

    @pytest.mark.parametrize("camera", [(0, 0, 0), (0.05, 0.02, 0.1)])
    def test_one_moving_box(self, camera):
        windows = follow(make_world(BOX, camera=camera))
        inside = on_box(windows.positions[0])
        assert 20 < inside.sum() < 150
        np.testing.assert_array_equal(windows.moving[0] > 0, inside)

    def test_carried_points_keep_the_label_of_what_they_are_on(self):
        greedy = replace(PERFECT, carried=1.0, captured=0.0, **FAR_REACH)
        windows = follow(make_world(BOX), greedy, 400)
        inside = on_box(windows.positions[0])
        np.testing.assert_array_equal(windows.moving[0] > 0, inside)
        travelled = np.abs(windows.positions[0, :, -1] - windows.positions[0, :, -2]).max(-1) > 1
        assert travelled[inside].all()
        assert (travelled & ~inside).sum() > 5

    @pytest.mark.parametrize(("speed", "label", "weight"), [(0.02, 1, 1), (0.0015, 0, 0), (0.0005, 0, 1)])
    def test_slow_things_are_left_out(self, speed, label, weight):
        """7 frames at 400 px / 5 m: 11, 0.84 and 0.28 px."""
        windows = follow(make_world((*BOX[:2], (speed, 0, 0), True)))
        inside = on_box(windows.positions[0])
        assert (windows.moving[0, inside] == label).all()
        assert (windows.weight[0, inside] == weight).all()
        assert windows.weight[0, ~inside & windows.visible[0, :, -1]].all()


class TestGeometry:
    def test_still_world_still_trajectories(self):
        windows = follow(make_world((*BOX[:2], (0, 0, 0), False)))
        np.testing.assert_allclose(windows.positions - windows.positions[:, :, -1:], 0, atol=1e-3)

    def test_image_motion(self):
        windows = follow(make_world(BOX))
        steps = np.diff(windows.positions[0], axis=1)
        inside = on_box(windows.positions[0])
        np.testing.assert_allclose(
            steps[inside], np.broadcast_to([0.1 * FOCAL / 5, 0], steps[inside].shape), atol=1e-3
        )
        np.testing.assert_allclose(steps[~inside], 0, atol=1e-3)

    def test_parallax(self):
        windows = follow(make_world((*BOX[:2], (0, 0, 0), False), camera=(0.1, 0, 0)))
        steps = np.diff(windows.positions[0], axis=1)[..., 0]
        front = on_box(windows.positions[0])
        np.testing.assert_allclose(steps[front], -0.1 * FOCAL / 5, atol=1e-2)
        assert np.median(steps[~front]) == pytest.approx(-0.1 * FOCAL / 12, abs=1e-2)

    def test_inverse_depth_is_relative_to_the_nearest(self):
        windows = follow(make_world(BOX))
        inside = on_box(windows.positions[0])
        np.testing.assert_allclose(windows.inverse_depth[0, inside], 1, rtol=1e-4)
        np.testing.assert_allclose(windows.inverse_depth[0, ~inside], 5 / 12, rtol=1e-3)

    def test_cast(self):
        world = make_world(BOX)
        middle = (np.array(SIZE[::-1], np.float32) - 1) / 2
        box, depth = cast(
            world,
            np.stack([middle, middle + np.float32([0, 79]), middle + np.float32([0, 81]), middle * 0])[None],
        )
        np.testing.assert_array_equal(box[0], [SLABS, SLABS, 1, 1])
        np.testing.assert_allclose(depth[0], [5, 5, 12, 12], rtol=1e-5)

    def test_cast_meets_the_sky(self):
        world = make_world(BOX)
        world.half[0, 1] = 0
        box, depth = cast(world, np.zeros((1, 1, 2), np.float32))
        assert (box[0, 0], depth[0, 0]) == (-1, FAR)

    def test_order_of_boxes_does_not_matter(self):
        """Permuted boxes give the same depths, and permuted answers."""
        rng = np.random.default_rng(0)
        things = [
            (rng.uniform((-2, -2, 4), (2, 2, 8)), rng.uniform(0.3, 1, 3), (0, 0, 0), False)
            for _ in range(THINGS)
        ]
        world = make_world(*things)
        order = rng.permutation(BOXES)
        shuffled = replace(
            world, half=world.half[:, order], box_centre=world.box_centre[:, order],
            box_rotation=world.box_rotation[:, order],
        )  # fmt: skip
        pixels = (rng.random((1, 500, 2)) * SIZE[::-1]).astype(np.float32)
        (box, depth), (moved, again) = cast(world, pixels), cast(shuffled, pixels)
        np.testing.assert_allclose(depth, again)
        np.testing.assert_array_equal(box, order[moved])

    def test_distortion_and_rolling_shutter_bend_paths(self):
        world = make_world(BOX, camera=(0.1, 0, 0))
        plain = follow(world).positions[0]
        for effect in ({"distortion": np.full(1, 0.1, np.float32)}, {"rolling": np.full(1, 0.8, np.float32)}):
            bent = follow(replace(world, **effect))
            assert np.isfinite(bent.positions).all()
            assert np.abs(bent.positions[0] - plain).max() > 0.5


class TestSight:
    def test_occlusion_hides_from_there_on_back(self):
        """A near box covered the middle in the first three frames; what it covered is younger than that."""
        near = ((1.5, 0.0, 3.0), (0.5, 3.0, 0.2), (0.25, 0.0, 0.0), True)  # 36 px a frame, 142 px wide
        windows = follow(make_world(near), count=400)
        x = windows.positions[0, :, -1, 0] - (SIZE[1] - 1) / 2
        covered, never = np.abs(x) < 30, (x < -115) & windows.visible[0, :, -1]
        assert covered.sum() > 20
        assert not windows.moving[0, covered | never].any()
        assert not windows.visible[0, covered, 0].any()
        assert windows.visible[0, covered, -1].all()
        assert windows.visible[0, never, 0].mean() > 0.7

    def test_what_was_out_of_the_image_is_young(self):
        windows = follow(make_world(camera=(-0.5, 0, 0)))  # 17 px a frame, to the right in the image
        x = windows.positions[0, :, -1, 0]
        step = 0.5 * FOCAL / 12
        age = windows.visible[0].sum(-1)
        expected = np.clip(np.floor(x / step) + 1, 1, FRAMES)
        inside = windows.visible[0, :, -1]
        assert (age <= expected + 1)[inside].all()
        assert (age >= expected - 1)[inside].mean() > 0.7

    def test_nothing_behind_the_camera_is_seen(self):
        windows = follow(make_world(camera=(0, 0, -1.7)))
        windows_back = follow(make_world(((0, 0, 6), (1, 1, 1), (0, 0, 1.0), True)))
        for window in (windows, windows_back):
            assert np.isfinite(window.positions).all()
        inside = on_box(windows_back.positions[0])
        assert not windows_back.visible[0, inside, 0].any()  # it was 2 m behind the camera


class TestCarried:
    @pytest.mark.parametrize("share", [0.3, 1.0])
    def test_points_near_an_outline_go_with_the_nearer_surface(self, share):
        model = replace(PERFECT, carried=share, captured=0.0, **FAR_REACH)
        follows, near = [], []
        for seed in range(6):
            windows = follow(make_world(BOX), model, 500, seed)
            newest = windows.positions[0, :, -1] - (np.array(SIZE[::-1]) - 1) / 2
            gap = np.abs(newest) - FOCAL / 5
            outside = np.where((gap < 0).any(1), gap.max(1), np.linalg.norm(np.maximum(gap, 0), axis=1))
            moves = np.abs(windows.positions[0, :, -1] - windows.positions[0, :, -2]).max(-1) > 1
            keep = windows.visible[0, :, -2:].all(-1)
            assert not moves[keep & (outside > 8.1)].any()
            chosen = (
                keep & (outside > 0) & (outside < 5.6)
            )  # closer than that, one of four directions must hit
            follows.append(moves[chosen])
            near.append(chosen.sum())
        rate = np.concatenate(follows).mean()
        assert sum(near) > 60
        assert rate == pytest.approx(share, abs=0.13)

    def test_captured_points_stood_still_at_first(self):
        model = replace(PERFECT, carried=1.0, captured=1.0, **FAR_REACH)
        windows = follow(make_world(BOX), model, 500)
        still = windows.moving[0] == 0
        steps = np.abs(np.diff(windows.positions[0, still], axis=1)).max(-1) > 1
        taken = steps.any(1)
        assert taken.sum() > 5
        assert not steps[taken, 0].all()
        assert (np.diff(steps[taken].astype(int), axis=1) >= 0).all()


@pytest.fixture(scope="module")
def truth():
    """Inverse depths (200, 60, 5)."""
    return np.random.default_rng(0).random((200, 60, 5)).astype(np.float32)


class TestMonocularDepth:
    def test_shape_and_range(self, truth):
        estimate = monocular_depth(truth, np.random.default_rng(1))
        assert (estimate.shape, estimate.dtype) == (truth.shape, np.float32)
        assert estimate.min() >= 0
        assert estimate.max() <= 1

    def test_same_seed_same_errors(self, truth):
        first, again = (monocular_depth(truth, np.random.default_rng(1)) for _ in range(2))
        np.testing.assert_array_equal(first, again)

    def test_half_of_the_windows_are_those_of_a_depth_camera(self, truth):
        estimate = monocular_depth(truth, np.random.default_rng(1))
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.abs(np.log(estimate / truth))
        exact = np.nanmedian(error, axis=(1, 2)) < 0.02
        assert 0.35 < exact.mean() < 0.65
        assert np.median(np.nanmedian(error, axis=(1, 2))[~exact]) > 0.05

    def test_estimates_keep_near_and_far_apart(self, truth):
        estimate = monocular_depth(truth, np.random.default_rng(1))
        kept = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(truth, estimate, strict=True)]
        assert min(kept) > 0.7

    @pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 1)])
    def test_small(self, shape):
        assert monocular_depth(np.ones(shape, np.float32), np.random.default_rng(0)).shape == shape
