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
    with pytest.raises(ValueError, match="demo, static, crossing, alley, convoy"):
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


@pytest.fixture(scope="module", params=["alley", "convoy"])
def near(request):
    scene = get_scene(request.param, width=160, height=120)
    renderer = Renderer(scene, supersampling=1)
    return scene, {index: renderer.render(index) for index in range(0, scene.num_frames, 8)}


def test_near_scenes_have_strong_parallax(near):
    scene, frames = near
    ratios, fastest = [], []
    for frame in frames.values():
        low, high = np.nanpercentile(4 * flow(scene, frame, 0), (20, 95))
        ratios.append(high / low)
        fastest.append(high)
    assert np.median(ratios) > 4
    assert np.median(fastest) > 6  # px of an image 640 wide


def test_near_scenes_show_their_movers_nearly_all_the_time(near):
    scene, frames = near
    for item in scene.objects:
        shares = np.array([(frame.labels == item.object_id).mean() for frame in frames.values()])
        assert 0.015 < np.median(shares) < 0.15
        assert (shares > 0.005).mean() > 0.9


def test_near_scenes_movers_do_not_run_into_each_other(near):
    scene, _ = near
    for index in range(scene.num_frames):
        t = scene.time_of(index)
        places = [scene.object_pose(i + 1, t)[:2, 3] for i in range(len(scene.objects))]
        places.append(scene.camera_pose(t)[:2, 3])
        gaps = [np.linalg.norm(a - b) for k, a in enumerate(places) for b in places[:k]]
        assert min(gaps) > 1.2


def test_alley_movers_cross_go_along_and_come_towards():
    scene = get_scene("alley")
    camera, van, walker, courier = (
        np.array([pose(t)[:2, 3] for t in (0.0, 4.0, 8.0)])
        for pose in (scene.camera_pose, *(item.motion.pose for item in scene.objects))
    )
    assert np.diff(van[:, 0]).max() < -1
    assert np.diff(walker[:, 0]).min() > 3
    assert np.diff(camera[:, 0]).min() > 3.8
    assert np.linalg.norm(courier - camera, axis=1).max() < 5
    assert courier[0, 1] - courier[1, 1] > 1.5


def test_convoy_van_moves_along_the_epipolar_lines():
    """It goes where the camera goes, at other speeds: first it recedes, then the robot closes in."""
    scene = get_scene("convoy")
    times = np.arange(0, scene.duration, 0.1)
    path = np.array([inverse(scene.camera_motion.base.pose(t)) @ scene.object_pose(1, t) for t in times])
    ahead, aside = path[:, 0, 3], path[:, 1, 3]
    assert np.ptp(aside) < 0.05
    assert ahead[33] > ahead[0] + 1
    assert ahead[60] < ahead[33] - 1.5
    speeds = np.array([scene.object_speed(1, t) for t in times])
    assert 0.3 < speeds[0] / 0.9 - 1 < 0.6
    assert (speeds == 0).sum() > 15
