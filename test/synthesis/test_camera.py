from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.synthesis import PinholeCamera


def test_back_project_inverts_project():
    camera = PinholeCamera(300.0, 310.0, 158.0, 121.0, 320, 240)
    points = np.random.default_rng(0).uniform((-2, -2, 1), (2, 2, 9), (50, 3))
    pixels, depth = camera.project(points)
    np.testing.assert_allclose(camera.back_project(pixels, depth), points)
    homogeneous = points @ camera.matrix.T
    np.testing.assert_allclose(pixels, homogeneous[:, :2] / homogeneous[:, 2:])


def test_points_behind_have_no_pixel():
    pixels, depth = PinholeCamera.from_fov(64, 48).project(np.array([[0.0, 0.0, -1.0], [0.0, 0.0, 0.0]]))
    assert np.isnan(pixels).all()
    assert depth.tolist() == [-1.0, 0.0]


def test_from_fov_is_symmetric():
    camera = PinholeCamera.from_fov(100, 50, 90.0)
    assert camera.fx == pytest.approx(50.0)
    assert (camera.cx, camera.cy) == (49.5, 24.5)


@pytest.mark.parametrize(
    "change", [{"fx": 0.0}, {"fy": -1.0}, {"fx": float("nan")}, {"width": 0}, {"height": -3}]
)
def test_refuses(change):
    values = {"fx": 1.0, "fy": 1.0, "cx": 0.0, "cy": 0.0, "width": 4, "height": 4} | change
    with pytest.raises(ValueError, match="must be positive"):
        PinholeCamera(**values)


def test_refuses_fov():
    with pytest.raises(ValueError, match="horizontal_fov"):
        PinholeCamera.from_fov(4, 4, 180.0)
