from __future__ import annotations

import cv2
import numpy as np
import pytest

from motionseg_ros.core.camera import CameraModel

MATRIX = np.array([[500.0, 0, 320], [0, 480, 240], [0, 0, 1]])
PLUMB_BOB = np.array([-0.2, 0.05, 0.001, -0.002, 0.01])
FISH_EYE = np.array([0.03, -0.01, 0.004, -0.001])
SIZE = (480, 640)


def points(count: int = 50) -> np.ndarray:
    """(count, 3) m in front of the camera, in its view."""
    rng = np.random.default_rng(0)
    return np.column_stack(
        [rng.uniform(-0.4, 0.4, count), rng.uniform(-0.3, 0.3, count), np.ones(count)]
    ) * rng.uniform(1, 5, (count, 1))


@pytest.mark.parametrize(
    ("distortion", "model"),
    [
        (np.zeros(0), "plumb_bob"),
        (np.zeros(5), "plumb_bob"),
        (PLUMB_BOB, "plumb_bob"),
        (FISH_EYE, "equidistant"),
    ],
)
def test_rays_lead_back_to_what_was_projected(distortion, model):
    camera = CameraModel(MATRIX, distortion, SIZE, model)
    seen = points()
    project = cv2.fisheye.projectPoints if model == "equidistant" else cv2.projectPoints
    given = distortion if len(distortion) else np.zeros(5)
    pixels, _ = project(seen[:, None], np.zeros(3), np.zeros(3), MATRIX, given)
    rays = camera.rays(pixels[:, 0], SIZE)
    np.testing.assert_allclose(rays * seen[:, 2:], seen, atol=2e-3)
    assert (rays[:, 2] == 1).all()


def test_a_scaled_image_has_the_same_rays():
    camera = CameraModel(MATRIX, PLUMB_BOB, SIZE)
    corners = np.array([[-0.5, -0.5], [639.5, 479.5]])
    small = np.array([[-0.5, -0.5], [319.5, 239.5]])
    np.testing.assert_allclose(camera.rays(small, (240, 320)), camera.rays(corners, SIZE), atol=1e-9)


@pytest.mark.parametrize("distortion", [np.zeros(0), PLUMB_BOB])
def test_no_points(distortion):
    assert CameraModel(MATRIX, distortion, SIZE).rays(np.zeros((0, 2)), SIZE).shape == (0, 3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"matrix": np.zeros((3, 3))}, "focal lengths must be positive: the camera is not calibrated"),
        ({"matrix": np.full((3, 3), np.nan)}, r"matrix must be \(3, 3\) and finite"),
        ({"matrix": np.eye(4)}, r"matrix must be \(3, 3\) and finite"),
        ({"distortion": np.array([np.inf])}, "distortion must be finite"),
        (
            {"model": "omni"},
            "model must be one of plumb_bob, rational_polynomial, equidistant, but got 'omni'",
        ),
    ],
)
def test_what_is_no_camera(values, message):
    good = {"matrix": MATRIX, "distortion": PLUMB_BOB, "size": SIZE}
    with pytest.raises(ValueError, match=message):
        CameraModel(**{**good, **values})
