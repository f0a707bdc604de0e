from __future__ import annotations

import cv2
import numpy as np
import pytest

from motionseg_ros.core.flow import LEAST_SIDE, FlowEstimator, pixel_grid
from motionseg_ros.core.image import WorkingImage
from motionseg_ros.core.types import Frame


def image(
    shift: tuple[int, int] = (0, 0), size: tuple[int, int] = (120, 200), working: int = 200
) -> WorkingImage:
    """Texture that has gone by `shift` px (x, y)."""
    rng = np.random.default_rng(0)
    scene = cv2.GaussianBlur(rng.integers(0, 256, (400, 500, 3), np.uint8), (0, 0), 2)
    scene = cv2.normalize(scene, None, 0, 255, cv2.NORM_MINMAX)
    x, y = 100 - shift[0], 100 - shift[1]
    return WorkingImage.prepare(Frame(np.ascontiguousarray(scene[y : y + size[0], x : x + size[1]])), working)


@pytest.mark.parametrize("shift", [(0, 0), (3, 0), (-4, 2), (6, -5)])
@pytest.mark.parametrize("working", [200, 128])
def test_of_a_translation(shift, working):
    flow = FlowEstimator()(image(working=working), image(shift, working=working))
    source = image(working=working)
    assert flow.shape == (*source.size, 2)
    inner = flow[12:-12, 12:-12].reshape(-1, 2)
    np.testing.assert_allclose(np.median(inner, axis=0), shift * source.scale, atol=0.25)


def test_too_small_to_tell():
    side = 2 * LEAST_SIDE - 2
    flow = FlowEstimator()(image(size=(side, 200)), image((3, 0), size=(side, 200)))
    assert flow.shape == (side, 200, 2)
    assert not flow.any()


def test_pixel_grid_is_x_and_y():
    grid = pixel_grid(3, 5)
    assert grid.shape == (3, 5, 2)
    np.testing.assert_array_equal(grid[1, 4], [4, 1])
