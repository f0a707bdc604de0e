from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.synthesis import SCENES, Renderer, get_scene
from motionseg_ros.synthesis.poses import inverse, transform


def flow(scene, frame, object_id):
    """Image motion (n,) in pixels to the next frame of an object's pixels, relative to the background there."""
    height, width = frame.labels.shape
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(float)
    here = (frame.labels == object_id) & np.isfinite(frame.depth)
    world = transform(frame.camera_to_world, scene.camera.back_project(pixels[here], frame.depth[here]))
    later = frame.time + 1 / scene.fps
    to_camera = inverse(scene.camera_pose(later))
    still, _ = scene.camera.project(transform(to_camera, world))
    if object_id == 0:
        return np.linalg.norm(still - pixels[here], axis=1)
    step = scene.object_pose(object_id, later) @ inverse(scene.object_pose(object_id, frame.time))
    moved, _ = scene.camera.project(transform(to_camera, transform(step, world)))
    return np.linalg.norm(moved - still, axis=1)


@pytest.fixture(scope="module")
def demo():
    scene = get_scene("demo", width=160, height=120)
    renderer = Renderer(scene, supersampling=1)
    return scene, {index: renderer.render(index) for index in range(0, scene.num_frames, 4)}


def test_unknown_name_lists_the_names():
    with pytest.raises(ValueError, match="demo, static, crossing"):
        get_scene("moon")


@pytest.mark.parametrize("name", sorted(SCENES))
def test_arguments(name):
    scene = get_scene(name, seed=3, width=320, height=200, fps=5.0, duration=2.0)
    assert (scene.camera.width, scene.camera.height, scene.num_frames) == (320, 200, 10)
    usual = get_scene(name)
    assert (usual.camera.width, usual.camera.height, usual.fps) == (640, 480, 10.0)
    assert usual.num_frames >= 80
    np.testing.assert_array_equal(scene.camera_pose(1.0), usual.camera_pose(1.0))


def test_demo_objects_are_big_and_move(demo):
    scene, frames = demo
    assert len(scene.objects) >= 3
    scale = 640 / 160
    for item in scene.objects:
        shares = np.array([(frame.labels == item.object_id).mean() for frame in frames.values()])
        assert 0.03 < np.median(shares) < 0.12
        speeds = [
            scale * np.median(flow(scene, frame, item.object_id))
            for frame in frames.values()
            if (frame.labels == item.object_id).sum() > 50 and scene.is_moving(item.object_id, frame.time)
        ]
        assert max(speeds) < 15
        assert np.median(speeds) > 1.5


def test_demo_camera_moves(demo):
    scene, frames = demo
    medians = [4 * np.median(flow(scene, frame, 0)) for frame in frames.values()]
    assert min(medians) > 1
    assert max(medians) < 9


def test_demo_van_stops_for_two_seconds(demo):
    scene, _ = demo
    (_, stop), (go, _) = scene.moving_intervals(1)
    assert 18 <= go - stop <= 26


def test_demo_walker_is_hidden_and_comes_back(demo):
    _, frames = demo
    shares = {index: (frame.labels == 2).mean() for index, frame in frames.items()}
    assert shares[0] > 0.015
    hidden = [index for index, share in shares.items() if share < 0.004]
    assert 2 <= len(hidden) <= 4  # of every fourth frame: about a second
    assert max(shares[index] for index in shares if index > hidden[-1]) > 0.03


def test_crossing_objects_cross(demo):
    scene = get_scene("crossing")
    sides = []
    for t in (0.0, 6.0):
        middles = [scene.object_pose(i, t)[:3, 3] for i in (1, 2)]
        pixels, _ = scene.camera.project(transform(inverse(scene.camera_pose(t)), np.array(middles)))
        sides.append(np.sign(pixels[0, 0] - pixels[1, 0]))
    assert sides[0] == -sides[1]


def test_static_scene_has_parallax_and_nothing_moves():
    scene = get_scene("static", width=160, height=120)
    assert scene.objects == ()
    frame = Renderer(scene, supersampling=1).render(20)
    assert not frame.labels.any()
    low, high = np.nanpercentile(4 * flow(scene, frame, 0), (10, 90))
    assert high > 2 * low
