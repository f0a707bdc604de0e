from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from motionseg_ros.core.types import Frame
from motionseg_ros.device.frames import upload
from motionseg_ros.device.pixels import DEVIATION, MEAN
from motionseg_ros.masks.sam2.image import resize, to_input

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    "size", [(96, 120), (480, 854), (33, 77), (128, 300), (120, 96), (128, 128), (1080, 1920), (2, 1)]
)
@pytest.mark.parametrize("resolution", [128, 256])
def test_bytes_are_pillows(size, resolution):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    pixels = torch.from_numpy(image)
    found = resize(resize(pixels, 1, resolution), 0, resolution).numpy()
    expected = np.array(Image.fromarray(image).resize((resolution, resolution)))
    np.testing.assert_array_equal(found, expected)


def test_what_sam2_reads_from_a_file_is_what_it_gets_here(tmp_path):
    from sam2.utils.misc import load_video_frames

    image = np.random.default_rng(1).integers(0, 256, (60, 90, 3), np.uint8)
    with open(tmp_path / "00000.jpg", "wb") as file:  # sam2 goes by the ending, Pillow by the content
        Image.fromarray(image[..., ::-1]).save(file, "PNG")
    expected, height, width = load_video_frames(str(tmp_path), 128, False, compute_device=CPU)
    assert (height, width) == (60, 90)
    np.testing.assert_array_equal(to_input(upload(Frame(image), CPU), 128)[0], expected[0])


def test_channels_are_turned_round_and_normalised():
    image = np.zeros((8, 8, 3), np.uint8)
    image[..., 0] = 255  # blue
    found = to_input(upload(Frame(image), CPU), 8)[0, :, 0, 0]
    expected = (np.array([0, 0, 1]) - MEAN) / DEVIATION
    np.testing.assert_allclose(found, expected, rtol=1e-6)
