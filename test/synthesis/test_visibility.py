from __future__ import annotations

import numpy as np

from motionseg_ros.synthesis import PinholeCamera, props
from motionseg_ros.synthesis.poses import OPTICAL_TO_BODY, pose
from motionseg_ros.synthesis.visibility import (
    FacetTable,
    clip_near,
    rasterise,
    row_spans,
    sample_boxes,
    sample_grid,
    view_facets,
)

CAMERA = PinholeCamera.from_fov(80, 60)
MATERIAL = props.tiled("plaster", (128, 128, 128))


def look(*bodies, camera_pose=None, factor=1):
    """Owners and inverse depths of bodies in the world, seen along +x from 1 m up."""
    table = FacetTable.of([(0, body) for body in bodies])
    mount = pose((0, 0, 1.0)) if camera_pose is None else camera_pose
    poses = np.tile(np.eye(4), (len(bodies), 1, 1))
    view = view_facets(table, poses, mount @ OPTICAL_TO_BODY, CAMERA, 0.1)
    return rasterise(table, view, CAMERA, 0.1, factor)


def test_clip_near():
    triangle = np.array([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0], [1.0, 0.0, 1.0]])
    clipped = clip_near(triangle, 0.5)
    assert len(clipped) == 4
    assert clipped[:, 2].min() == 0.5
    assert clip_near(triangle - np.array([0, 0, 2]), 0.5).shape == (0, 3)
    np.testing.assert_array_equal(
        clip_near(triangle + np.array([0, 0, 3]), 0.5), triangle + np.array([0, 0, 3])
    )


def test_row_spans_are_the_half_planes():
    rng = np.random.default_rng(0)
    for _ in range(50):
        angles = np.sort(rng.uniform(0, 2 * np.pi, 5))
        lines = np.column_stack((np.cos(angles), np.sin(angles), rng.uniform(-5, 15, 5)))
        rows, columns = np.arange(-20, 20), np.arange(-20, 20)
        first, last = row_spans(lines, rows)
        got = (columns >= first[:, None]) & (columns <= last[:, None])
        value = (
            lines[:, 0, None, None] * columns
            + lines[:, 1, None, None] * rows[:, None]
            + lines[:, 2, None, None]
        )
        np.testing.assert_array_equal(got, (value >= 0).all(axis=0))


def test_level_edges_are_not_lost():
    lines = np.array([[0.0, 1.0, -2.0], [0.0, -1.0, 4.0], [1.0, 0.0, 0.0], [-1.0, 0.0, 3.0]])
    first, last = row_spans(lines, np.arange(6))
    assert (last >= first).tolist() == [False, False, True, True, True, False]


def test_sample_grid_fills_the_pixel():
    samples = [(sample_grid(2) @ (i, 0, 1))[0] for i in range(4)]
    assert samples == [-0.25, 0.25, 0.75, 1.25]


def test_sample_boxes_stay_inside():
    boxes = np.array([[-1e9, -5.0, 1e9, 3.2], [90.0, 5.0, 95.0, 6.0]])
    assert sample_boxes(boxes, 2, CAMERA)[0] == (0, 0, 160, 8)
    x0, _, x1, _ = sample_boxes(boxes, 2, CAMERA)[1]
    assert x0 >= x1


def test_ground_under_the_camera_needs_no_special_case():
    owner, inverse_depth = look(props.ground((100.0, 100.0), MATERIAL))
    rows = np.arange(60)[:, None] * np.ones(80)
    expected = np.clip((rows - CAMERA.cy) / (CAMERA.fy * 1.0), 0, None)
    inside = (expected > 1 / 49) & (expected < 1 / 0.1)
    np.testing.assert_allclose(inverse_depth[inside], expected[inside], rtol=1e-5)
    assert (owner[inside] == 1).all()
    assert (inverse_depth[expected == 0] == 0).all()


def test_nearer_body_hides_farther_one_whatever_the_order():
    near = props.block((0.5, 0.5, 2.0), MATERIAL).moved(pose((3.0, 0, 0)))
    far = props.panel((4.0, 3.0), MATERIAL).moved(pose((6.0, 0, 0), np.pi))
    for bodies in ((near, far), (far, near)):
        _, inverse_depth = look(*bodies)
        assert abs(1 / inverse_depth[30, 40] - 2.75) < 1e-5
        assert abs(1 / inverse_depth[30, 28] - 6.0) < 1e-5


def test_fronts_only():
    panel = props.panel((4.0, 3.0), MATERIAL)
    assert (look(panel.moved(pose((3, 0, 0))))[0] == 0).all()
    assert (look(panel.moved(pose((3, 0, 0), np.pi)))[0] > 0).any()


def test_closed_body_has_no_holes():
    """Adjacent facets share their edges: no sample falls between them."""
    body = props.column(0.8, 1.6, MATERIAL, corners=11).moved(pose((2.5, 0.1, 0.2), 0.3))
    owner, _ = look(body, factor=3)
    covered = owner > 0
    for row in covered[covered.any(axis=1)]:
        columns = np.flatnonzero(row)
        assert row[columns[0] : columns[-1] + 1].all()


def test_body_around_the_camera_is_not_drawn():
    owner, _ = look(props.block((2.0, 2.0, 2.0), MATERIAL))
    assert (owner == 0).all()
