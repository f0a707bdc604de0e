from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.synthesis.worlds import BOXES, LONG_SIDE, PARTS, SLABS, THINGS, draw_worlds, rotations

COUNT, FRAMES = 200, 5
B, P, T, G = COUNT, BOXES, FRAMES, THINGS
SHAPES = {
    "sizes": (B, 2),
    "focal": (B, T),
    "distortion": (B,),
    "rolling": (B,),
    "rotation": (B, T, 3, 3),
    "centre": (B, T, 3),
    "half": (B, P, 3),
    "box_rotation": (B, P, T, 3, 3),
    "box_centre": (B, P, T, 3),
    "thing": (P,),
    "moving": (B, G),
    "wobble": (B, G),
    "roughness": (B,),
    "unrest": (B, P),
    "texture": (B, P),
}


def draw(seed=0, count=COUNT, frames=FRAMES):
    return draw_worlds(count, frames, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def worlds():
    return draw()


@pytest.fixture(scope="module")
def present(worlds):
    return worlds.half.min(-1) > 0


@pytest.mark.parametrize("name", SHAPES)
def test_arrays(worlds, name):
    values = getattr(worlds, name)
    assert values.shape == SHAPES[name]
    expected = {"sizes": np.int64, "thing": np.int64, "moving": np.bool_}.get(name, np.float32)
    assert values.dtype == expected
    assert np.isfinite(values).all()


def test_length(worlds):
    assert len(worlds) == COUNT
    assert worlds.num_frames == FRAMES


def test_same_seed_same_worlds(worlds):
    again, other = draw(), draw(1)
    for name in SHAPES:
        np.testing.assert_array_equal(getattr(again, name), getattr(worlds, name))
    assert not np.array_equal(other.box_centre, worlds.box_centre)


def test_images_have_the_longer_side(worlds):
    assert (worlds.sizes.max(1) == LONG_SIDE).all()
    assert (worlds.sizes.min(1) > 100).all()
    assert (worlds.sizes[:, 0] > worlds.sizes[:, 1]).any()


def test_newest_camera_is_the_frame_of_reference(worlds):
    np.testing.assert_allclose(worlds.rotation[:, -1], np.broadcast_to(np.eye(3), (B, 3, 3)), atol=1e-5)
    np.testing.assert_allclose(worlds.centre[:, -1], 0, atol=1e-5)


def test_rotations_are_rotations(worlds):
    for matrices in (worlds.rotation, worlds.box_rotation):
        product = matrices @ matrices.swapaxes(-1, -2)
        np.testing.assert_allclose(product, np.broadcast_to(np.eye(3), product.shape), atol=2e-5)
        np.testing.assert_allclose(np.linalg.det(matrices), 1, atol=1e-4)


def test_only_what_moves_moves(worlds, present):
    step = np.abs(np.diff(worlds.box_centre, axis=2)).max((2, 3))
    turn = np.abs(np.diff(worlds.box_rotation, axis=2)).max((2, 3, 4))
    moves = np.where(worlds.thing >= 0, worlds.moving[:, worlds.thing], False) & present
    rests = present & ~moves
    assert (step[rests] == 0).all()
    assert (turn[rests] == 0).all()
    assert ((step + turn)[moves] > 0).mean() > 0.95


def test_things_that_move_are_there(worlds, present):
    there = np.stack([present[:, worlds.thing == k].any(1) for k in range(THINGS)], 1)
    assert there[worlds.moving].all()
    assert not worlds.wobble[~worlds.moving].any()


def test_boxes_are_slabs_then_things(worlds):
    assert (worlds.thing[:SLABS] == -1).all()
    np.testing.assert_array_equal(
        worlds.thing[SLABS:].reshape(THINGS, PARTS), np.arange(THINGS)[:, None].repeat(PARTS, 1)
    )


def test_there_is_variety():
    worlds = draw(3, 2000, 3)
    number = worlds.moving.sum(1)
    assert 0.1 < (number == 0).mean() < 0.4
    assert (number >= 3).mean() > 0.1
    travel = np.linalg.norm(worlds.centre[:, 0], axis=1)
    assert 0.05 < (travel < 1e-3).mean() < 0.6
    for share in (
        np.ptp(worlds.focal, axis=1) > 0,
        worlds.rolling > 0,
        worlds.distortion != 0,
        worlds.roughness > 0,
    ):
        assert 0.05 < share.mean() < 0.7


def test_paths_carry_points_with_their_boxes(worlds):
    """A point given in a box's own frame is where the box is, in every frame."""
    rng = np.random.default_rng(0)
    local = rng.uniform(-1, 1, (B, P, 3))
    turn, shift = worlds.paths
    assert turn.shape == (B, P + 1, T, 3, 3)
    assert shift.shape == (B, P + 1, T, 3)
    newest = (worlds.box_rotation[:, :, -1] @ local[..., None])[..., 0] + worlds.box_centre[:, :, -1]
    seen = (turn[:, :P] @ newest[:, :, None, :, None])[..., 0] + shift[:, :P]
    world = (worlds.box_rotation @ local[:, :, None, :, None])[..., 0] + worlds.box_centre
    expected = (worlds.rotation[:, None] @ (world - worlds.centre[:, None])[..., None])[..., 0]
    scale = 1 + np.abs(expected).max()
    np.testing.assert_allclose(seen, expected, atol=1e-5 * scale)


def test_the_sky_is_at_rest(worlds):
    turn, shift = (part[:, -1] for part in worlds.paths)
    np.testing.assert_allclose(turn, worlds.rotation, atol=1e-6)
    expected = -(worlds.rotation @ worlds.centre[..., None])[..., 0]
    np.testing.assert_allclose(shift, expected, atol=1e-5)


@pytest.mark.parametrize(("count", "frames"), [(1, 1), (1, 2), (3, 1), (2, 40)])
def test_few_worlds_and_frames(count, frames):
    worlds = draw(0, count, frames)
    assert (len(worlds), worlds.num_frames) == (count, frames)
    assert all(
        np.isfinite(part).all() for part in (worlds.rotation, worlds.centre, worlds.box_centre, *worlds.paths)
    )


@pytest.mark.parametrize(("count", "frames"), [(0, 4), (4, 0), (-1, 4)])
def test_refuses(count, frames):
    with pytest.raises(ValueError, match=f"at least 1, but got {count} and {frames}"):
        draw(0, count, frames)


def test_rotations_of_vectors():
    np.testing.assert_allclose(rotations(np.zeros((2, 3), np.float32)), np.broadcast_to(np.eye(3), (2, 3, 3)))
    quarter = rotations(np.array([0, 0, np.pi / 2], np.float32))
    np.testing.assert_allclose(quarter @ [1, 0, 0], [0, 1, 0], atol=1e-6)
