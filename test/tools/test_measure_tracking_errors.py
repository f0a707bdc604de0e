import numpy as np
import pytest

from motionseg_ros.synthesis import get_scene
from motionseg_ros.synthesis.visibility import FacetTable


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("measure_tracking_errors")


@pytest.fixture(scope="module")
def truths(tool):
    scene = get_scene("crossing", width=320, height=240)
    camera = tool.working_camera(scene.camera, (120, 160))
    table = FacetTable.of(scene.bodies)
    return [tool.Truth(scene, table, camera, t) for t in (1.0, 1.1)]


def test_working_camera_keeps_pixel_centres(tool):
    camera = get_scene("static").camera
    point = np.array([0.3, -0.2, 2.0])
    full, _ = camera.project(point)
    small, _ = tool.working_camera(camera, (324, 432)).project(point)
    np.testing.assert_allclose(small, (full + 0.5) * 432 / 640 - 0.5)


def test_anchors_project_to_where_they_were_found_and_are_seen(tool, truths):
    points = np.random.default_rng(0).uniform((0, 0), (159, 119), (200, 2))
    anchors = truths[0].anchors(points)
    found, seen = truths[0].project(anchors)
    np.testing.assert_allclose(found, points, atol=1e-6)
    assert seen.all()


def test_flow_is_the_displacement_of_the_anchors(tool, truths):
    points = np.random.default_rng(1).integers((0, 0), (160, 120), (200, 2)).astype(float)
    anchors = truths[0].anchors(points)
    row, column = truths[0].pixels(points)
    flow = truths[0].flow(truths[1], anchors.body, truths[0].inverse_depth[row, column], points)
    np.testing.assert_allclose(points + flow, truths[1].project(anchors)[0], atol=2e-3)


def test_neighbours_are_nearer_and_farther_than_the_own_plane(tool, truths):
    points = np.random.default_rng(2).integers((0, 0), (160, 120), (300, 2)).astype(float)
    anchors = truths[0].anchors(points)
    (near, near_pixel), (far, far_pixel) = truths[0].neighbours(anchors, points)
    for distance, pixel, sign in ((near, near_pixel, 1), (far, far_pixel, -1)):
        found = np.isfinite(distance)
        assert found.any()
        assert (distance[found] <= tool.REACH).all()
        row, column = truths[0].pixels(pixel[found])
        own = truths[0].plane_depth(anchors.facet[found], pixel[found])
        assert (sign * (truths[0].inverse_depth[row, column] - own) > 0).all()


def test_runs_pair_frames_of_one_trajectory_only(tool):
    ids, frames = np.array([2, 1, 2, 1, 2]), np.array([5, 5, 6, 7, 8])
    first, later = tool.runs(ids, frames, 1)
    assert list(zip(first, later, strict=True)) == [(0, 2)]
    assert [len(x) for x in tool.runs(ids[:0], frames[:0], 1)] == [0, 0]


def test_blend_is_0_on_the_own_surface_and_1_on_the_other(tool):
    motion = np.array([[4.0, 0.0], [4.0, 0.0], [4.0, 0.0], [0.0, 0.0]])
    error = np.array([[0.0, 1.0], [4.0, 0.0], [2.0, 0.0], [0.0, 0.0]])
    np.testing.assert_allclose(tool.blend(error, motion), [0, 1, 0.5, 0])


def test_fit_power_finds_the_law(tool):
    x = np.array([0.1, 0.3, 1.0, 4.0])
    np.testing.assert_allclose(tool.fit_power(x, 0.06 * x**-0.27), (0.06, -0.27, 0), atol=1e-9)


def test_fit_bleed_finds_the_law(tool):
    rng = np.random.default_rng(3)
    distance, motion = rng.uniform(0, 12, 20000), np.exp(rng.uniform(0, 3, 20000))
    follows = rng.random(20000) < tool.bleed_model(distance, motion, 0.8, 2.5, 1.2, 1.5)
    params, gain = tool.fit_bleed(distance, motion, follows)
    np.testing.assert_allclose(params, (0.8, 2.5, 1.2, 1.5), atol=0.25)
    assert gain > 0.1


def test_jitter_leaves_out_smooth_motion_and_what_neighbours_share(tool):
    rng = np.random.default_rng(4)
    n, frames = 60, 8
    start = rng.uniform(0, 200, (n, 1, 2))
    t = np.arange(frames + 1.0)[:, None]
    shake = rng.normal(0, 1, (frames + 1, 2))
    path = start + t * [2.0, 1.0] + 0.1 * t**2 + shake
    table = {
        "id": np.tile(np.arange(n), frames), "frame": np.repeat(np.arange(1, frames + 1), n),
        "outcome": np.full(n * frames, tool.ALIVE),
        "x0": path[:, :-1].transpose(1, 0, 2).reshape(-1, 2), "x1": path[:, 1:].transpose(1, 0, 2).reshape(-1, 2),
    }  # fmt: skip
    shared, own = tool.jitter(table)
    assert np.median(shared) > 0.2
    assert own.max() < 1e-9


def test_a_short_measurement_agrees_with_the_truth(tool):
    shot = tool.Shot("short", get_scene("static", width=320, height=240), frames=4)
    table = tool.measure_shot(shot)
    lives = (table["outcome"] == tool.ALIVE) & (table["seen1"] > 0)
    error = np.linalg.norm(table["x1"] - table["p1"], axis=1)[lives]
    assert lives.sum() > 100
    assert np.median(error) < 0.5
    assert set(np.unique(table["outcome"])) <= {tool.ALIVE, tool.LOST, tool.CROWDED, tool.OUTSIDE}
    assert table["frame"].max() == 3
