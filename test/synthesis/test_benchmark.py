"""Each scene of the rendered benchmark shows the difficulty that its name says, and shows its movers."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import pytest

from motionseg_ros.synthesis import Renderer, get_scene
from motionseg_ros.synthesis.benchmark import BENCHMARK
from motionseg_ros.synthesis.poses import inverse, transform

ENOUGH = 5e-4  # share of the image from which an object counts, as in evaluation.quality


@lru_cache(maxsize=2)
def rendered(name: str):
    """The scene, small, and ten of its frames."""
    scene = get_scene(name, width=160, height=120)
    renderer = Renderer(scene, supersampling=1)
    indices = np.linspace(0, scene.num_frames - 2, 10).astype(int).tolist()
    return scene, [renderer.render(index) for index in indices]


def shares(frames, object_id: int) -> np.ndarray:
    return np.array([(frame.labels == object_id).mean() for frame in frames])


def background_flow(scene, frame) -> tuple[np.ndarray, np.ndarray]:
    """Image motion (n,) of the background to the next frame, px of an image 480 wide: all of it, and parallax only."""
    pixels = np.stack(np.meshgrid(*map(np.arange, frame.labels.shape[::-1])), -1).astype(float)
    here = (frame.labels == 0) & np.isfinite(frame.depth)
    world = transform(frame.camera_to_world, scene.camera.back_project(pixels[here], frame.depth[here]))
    later = scene.camera_pose(frame.time + 1 / scene.fps)
    turned = later.copy()
    turned[:3, 3] = frame.camera_to_world[:3, 3]
    moved, only_turned = (scene.camera.project(transform(inverse(m), world))[0] for m in (later, turned))
    return 3 * np.linalg.norm(moved - pixels[here], axis=1), 3 * np.linalg.norm(moved - only_turned, axis=1)


def test_there_are_twelve_of_moderate_length():
    assert len(BENCHMARK) == 12
    for name, challenge in BENCHMARK.items():
        scene = get_scene(name)
        assert (scene.camera.width, scene.camera.height) == (480, 360)
        assert 60 <= scene.num_frames <= 100
        assert 10 <= scene.fps <= 15
        assert challenge.difficulty


@pytest.mark.parametrize("name", BENCHMARK)
def test_movers_are_seen_and_move(name):
    """Half of the frames at least: some pass behind others."""
    scene, frames = rendered(name)
    assert bool(scene.objects) == (name != "still")
    for item in scene.objects:
        assert scene.moving_intervals(item.object_id)
        assert (shares(frames, item.object_id) >= ENOUGH).mean() >= 0.5
        assert max(shares(frames, item.object_id)) > 2 * ENOUGH


@pytest.mark.parametrize("name", BENCHMARK)
def test_nothing_runs_into_anything(name):
    scene = get_scene(name)
    for index in range(0, scene.num_frames, 2):
        t = scene.time_of(index)
        places = [scene.object_pose(i + 1, t)[:2, 3] for i in range(len(scene.objects))]
        places.append(scene.camera_pose(t)[:2, 3])
        gaps = [np.linalg.norm(a - b) for k, a in enumerate(places) for b in places[:k]]
        assert min(gaps, default=9) > 0.7


def test_a_seed_always_gives_the_same_and_another_one_other_textures():
    first, again, other = (
        Renderer(get_scene("passing", seed, 96, 72), supersampling=1).render(9) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert np.abs(first.image.astype(int) - other.image).mean() > 3
    assert (first.labels != other.labels).mean() < 0.01


def test_passing_has_one_object_in_front_of_another():
    scene, _ = rendered("passing")
    apart = [scene.object_pose(2, t)[1, 3] - scene.object_pose(1, t)[1, 3] for t in np.arange(0, 8, 0.1)]
    assert apart[0] > 3
    assert apart[-1] < -3


def test_abreast_go_side_by_side_then_part():
    scene, _ = rendered("abreast")
    gaps = [
        np.linalg.norm(scene.object_pose(1, t)[:2, 3] - scene.object_pose(2, t)[:2, 3]) for t in (0, 2, 3, 8)
    ]
    assert max(gaps[:3]) < 0.9
    assert gaps[3] > 2.5


def test_far_objects_are_small():
    scene, frames = rendered("far")
    for item in scene.objects:
        assert np.median(shares(frames, item.object_id)) < 0.005


def test_dominant_fills_a_third_to_half_of_the_image():
    _, frames = rendered("dominant")
    assert 1 / 3 < np.quantile(shares(frames, 1), 0.8) < 0.52


def test_walkers_swing_their_limbs():
    scene, _ = rendered("walkers")
    assert {item.name for item in scene.objects} == {"walker"}
    assert all(len(item.parts) == 5 for item in scene.objects)


def test_stop_and_go_stops_and_starts():
    intervals = [get_scene("stop_and_go").moving_intervals(i) for i in (1, 2, 3)]
    assert [len(runs) for runs in intervals] == [2, 2, 1]
    assert all(runs[1][0] - runs[0][1] > 12 for runs in intervals[:2])
    assert intervals[2][0][0] > 45


@pytest.mark.parametrize("name", ["parallax", "still"])
def test_near_things_pass_much_faster_than_far_ones(name):
    scene, frames = rendered(name)
    spread = [np.percentile(background_flow(scene, frame)[1], (20, 95)) for frame in frames]
    assert np.median([high / low for low, high in spread]) > 4
    assert np.median([high for _, high in spread]) > 5


def test_yaw_turns_fast():
    scene, frames = rendered("yaw")
    assert np.median([np.median(background_flow(scene, frame)[0]) for frame in frames]) > 8
    assert BENCHMARK["yaw"].fps == 15


def test_low_texture_gives_little_to_hold_on_to():
    def corners(name: str) -> float:
        image = Renderer(get_scene(name, width=240, height=180), supersampling=1).render(20).image
        gray = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (0, 0), 1.0)
        return float((cv2.cornerMinEigenVal(gray, 5) > 1e-3).mean())

    assert corners("low_texture") < 0.35 * corners("passing")


def test_night_is_dark_and_smeared():
    _, frames = rendered("night")
    assert np.mean([frame.image.mean() for frame in frames]) < 50
    sensor = BENCHMARK["night"].sensor
    assert sensor.noise >= 4
    assert sensor.shutter > 0.02


def test_busy_moves_in_much_of_the_image():
    scene, frames = rendered("busy")
    assert len(scene.objects) >= 5
    assert np.median([(frame.labels > 0).mean() for frame in frames]) > 0.25
