from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from motionseg_ros.synthesis import Renderer, SurfacePoints
from motionseg_ros.synthesis.motion import Keyframes
from motionseg_ros.synthesis.poses import pose
from motionseg_ros.synthesis.simulator import _directions, _project, cast
from motionseg_ros.synthesis.textures import build_texture
from motionseg_ros.synthesis.world_scene import bodies_of, local_points, omitted, scene_of
from motionseg_ros.synthesis.worlds import SLABS, draw_worlds

FRAMES = 6


def plain(worlds):
    """The worlds without what a scene cannot show."""
    zeros = {name: np.zeros_like(getattr(worlds, name)) for name in ("distortion", "rolling", "wobble")}
    more = {name: np.zeros_like(getattr(worlds, name)) for name in ("unrest", "roughness")}
    focal = np.repeat(worlds.focal[:, -1:], worlds.num_frames, axis=1)
    return replace(worlds, focal=focal, **zeros, **more)


def rays(worlds, index):
    """Pixels (1, H * W, 2) of the whole image."""
    height, width = worlds.sizes[index]
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).reshape(1, -1, 2).astype(np.float32)


def one(worlds, index):
    """The batch of this world alone."""
    fields = {k: v[index : index + 1] for k, v in vars(worlds).items() if k not in ("thing", "paths")}
    return replace(worlds, **fields)


@pytest.fixture(scope="module")
def worlds():
    drawn = plain(draw_worlds(24, FRAMES, np.random.default_rng(5)))
    yield drawn
    build_texture.cache_clear()  # hundreds of textures that nobody else needs


@pytest.mark.parametrize("index", range(24))
def test_surface_points_agree(worlds, index):
    rng = np.random.default_rng(index)
    height, width = worlds.sizes[index]
    alone = one(worlds, index)
    pixels = (rng.random((1, 400, 2)) * (width - 1, height - 1)).astype(np.float32)
    box, depth = cast(alone, pixels)
    hit = box[0] >= 0
    points = (_directions(alone, pixels) * depth[..., None])[:, hit]
    box = box[:, hit]
    paths, z = _project(alone, np.zeros((1, 1), int), points, box)

    scene = scene_of(worlds, index, seed=1)
    order, labels = bodies_of(worlds, index)
    body = np.argsort(order)[np.searchsorted(np.sort(order), box[0])]
    local = local_points(worlds, index, box[0], points[0])
    surface = SurfacePoints(body, local, np.zeros_like(local), labels[box[0]])
    np.testing.assert_array_equal([scene.bodies[k][0] for k in body], labels[box[0]])
    for frame in range(FRAMES):
        seen, depths = scene.image_points(surface, scene.time_of(frame))
        good = (z[0, :, frame] > 0.3) & (np.abs(paths[0, :, frame]) < 1000).all(-1)
        np.testing.assert_allclose(depths[good], z[0, good, frame], rtol=1e-3)
        # far out of the image, float32 of the simulator is the limit
        np.testing.assert_allclose(seen[good], paths[0, good, frame], atol=0.02)


@pytest.mark.parametrize("index", range(0, 24, 4))
def test_renderer_shows_what_the_simulator_casts(worlds, index):
    scene = scene_of(worlds, index, seed=1)
    _, labels = bodies_of(worlds, index)
    alone = one(worlds, index)
    box, depth = cast(alone, rays(alone, 0))
    expected = np.where(box[0] >= 0, labels[box[0]], 0).reshape(alone.sizes[0])
    frame = Renderer(scene, supersampling=1, near=0.05).render(FRAMES - 1)
    differs = frame.labels != expected
    assert differs.mean() < 2e-3  # outlines that pass through a pixel's centre
    far = np.abs(frame.depth - depth.reshape(expected.shape)) > 0.01 * depth.reshape(expected.shape)
    seen = np.isfinite(frame.depth)
    assert (far & seen).mean() < 2e-3
    np.testing.assert_array_equal(seen.mean() > 0, (box >= 0).any())
    assert np.abs(seen.mean() - (box >= 0).mean()) < 2e-3


def test_pictures_have_texture(worlds):
    for index in (0, 12):
        image = Renderer(scene_of(worlds, index, seed=1), supersampling=1).render(0).image
        assert image.std() > 8


def test_same_seed_same_scene(worlds):
    first, again, other = (
        Renderer(scene_of(worlds, 3, seed), supersampling=1).render(2).image for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.5


def test_objects_are_the_things_that_move(worlds):
    for index in range(len(worlds)):
        scene = scene_of(worlds, index, seed=0)
        order, labels = bodies_of(worlds, index)
        assert len(order) == len(scene.bodies) == (worlds.half[index].min(-1) > 0).sum()
        things = worlds.thing[labels > 0]
        assert len(scene.objects) == len(np.unique(things)) == labels.max()
        assert worlds.moving[index, things].all()
        assert not labels[:SLABS].any()
        assert scene.num_frames == FRAMES


def test_gravity_points_down(worlds):
    """The ground's normal is the scene's z axis, and level things stay level."""
    for index in range(len(worlds)):
        scene = scene_of(worlds, index, seed=0)
        order, _ = bodies_of(worlds, index)
        if 0 in order:
            pose = scene.body_poses(0.0)[list(order).index(0)]
            np.testing.assert_allclose(pose[:3, :3], np.eye(3), atol=1e-5)
            assert pose[2, 3] < 0


def test_one_frame():
    worlds = plain(draw_worlds(2, 1, np.random.default_rng(0)))
    scene = scene_of(worlds, 1, seed=0, fps=30.0)
    assert scene.num_frames == 1
    assert Renderer(scene, supersampling=1).render(0).image.shape[:2] == tuple(worlds.sizes[1])


def test_omitted_lists_what_is_left_out():
    worlds = draw_worlds(60, 3, np.random.default_rng(2))
    every = {name for index in range(len(worlds)) for name in omitted(worlds, index)}
    assert every == {"zoom", "distortion", "rolling", "wobble", "unrest", "roughness"}
    assert not any(omitted(plain(worlds), index) for index in range(len(worlds)))
    for index in range(len(worlds)):
        scene_of(worlds, index, seed=0)  # goes on without


def test_refuses(worlds):
    for call in (
        lambda i: scene_of(worlds, i, 0),
        lambda i: omitted(worlds, i),
        lambda i: bodies_of(worlds, i),
    ):
        for index in (-1, 24):
            with pytest.raises(IndexError, match=f"world {index} of 24"):
                call(index)
    with pytest.raises(ValueError, match="fps"):
        scene_of(worlds, 0, 0, fps=0.0)


class TestKeyframes:
    """Their poses are where they should be, and between them the shortest way at constant speed."""

    keys = Keyframes([0.0, 1.0, 3.0], np.array([pose(), pose((1, 0, 0), 0.4), pose((1, 2, 0), 0.4, 0.6)]))

    def test_at_the_keys_and_beyond(self):
        for t, index in ((-1.0, 0), (0.0, 0), (1.0, 1), (3.0, 2), (9.0, 2)):
            np.testing.assert_array_equal(self.keys.pose(t), self.keys.poses[index])

    def test_in_between(self):
        np.testing.assert_allclose(self.keys.pose(0.25), pose((0.25, 0, 0), 0.1), atol=1e-12)
        np.testing.assert_allclose(self.keys.pose(2.5), pose((1, 1.5, 0), 0.4, 0.45), atol=1e-12)

    def test_one_key_stands(self):
        np.testing.assert_allclose(Keyframes([2.0], pose((1, 2, 3))[None]).pose(7.0), pose((1, 2, 3)))

    def test_rotations_of_low_precision_become_exact(self):
        rough = pose((1, 2, 3), 0.3, 0.2, 0.1).astype(np.float32)[None]
        turn = Keyframes([0.0], rough).pose(0.0)[:3, :3]
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-14)

    @pytest.mark.parametrize(
        ("times", "poses", "reason"),
        [
            ([0.0, 1.0], np.eye(4)[None], "times and poses"),
            ([], np.zeros((0, 4, 4)), "times and poses"),
            ([0.0, 0.0], np.tile(np.eye(4), (2, 1, 1)), "must increase"),
            ([0.0], np.full((1, 4, 4), np.nan), "finite"),
        ],
    )
    def test_refuses(self, times, poses, reason):
        with pytest.raises(ValueError, match=reason):
            Keyframes(times, poses)
