from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from motionseg_ros.core.errors import FrameError
from motionseg_ros.io.camera_messages import message_to_camera

K = [500.0, 0, 320, 0, 480, 240, 0, 0, 1]
P = [450.0, 0, 310, 0, 0, 450, 230, 0, 0, 0, 1, 0]


def info(**changes) -> SimpleNamespace:
    values = {"k": K, "p": P, "d": [0.1, 0, 0, 0, 0], "height": 480, "width": 640}
    return SimpleNamespace(**{**values, "distortion_model": "plumb_bob", **changes})


def test_of_an_image_as_it_comes():
    camera = message_to_camera(info())
    assert camera.matrix.tolist() == [[500, 0, 320], [0, 480, 240], [0, 0, 1]]
    assert camera.distortion.tolist() == [0.1, 0, 0, 0, 0]
    assert (camera.size, camera.model) == ((480, 640), "plumb_bob")


def test_of_a_rectified_image():
    camera = message_to_camera(info(), rectified=True)
    assert camera.matrix.tolist() == [[450, 0, 310], [0, 450, 230], [0, 0, 1]]
    assert not camera.distortion.size


def test_of_a_driver_that_names_no_model():
    camera = message_to_camera(info(d=[], distortion_model=""))
    np.testing.assert_allclose(camera.rays(np.array([[320.0, 240]]), (480, 640)), [[0, 0, 1]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": [0.0] * 9}, "camera_info cannot be used: focal lengths must be positive"),
        ({"k": [float("nan")] * 9}, "camera_info cannot be used: matrix must be"),
        ({"height": 0}, "camera_info is of an image of 640x0; mend the camera driver"),
        ({"distortion_model": "omni"}, "camera_info cannot be used: model must be one of"),
    ],
)
def test_what_cannot_be_used(changes, message):
    with pytest.raises(FrameError, match=message) as caught:
        message_to_camera(info(**changes))
    assert "\n" not in str(caught.value)
