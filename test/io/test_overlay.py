from __future__ import annotations

import itertools

import numpy as np
import pytest

from motionseg_ros.core.types import FrameResult, ObjectState
from motionseg_ros.io.overlay import color_of, contact_sheet, draw_overlay


@pytest.fixture
def gray() -> np.ndarray:
    return np.full((48, 64, 3), 100, np.uint8)


def test_fill_has_the_colour_of_the_id_and_the_image_is_left_alone(gray, make_result):
    drawn = draw_overlay(gray, make_result(object_id=3))
    assert (gray == 100).all()
    expected = 0.55 * 100 + 0.45 * np.array(color_of(3))
    assert np.abs(drawn[20, 25].astype(float) - expected).max() <= 1
    assert (drawn[40:, :15] == 100).all()


def test_a_stopped_object_is_fainter_and_an_occluded_one_is_not_drawn(gray, make_result):
    moving, stopped, occluded = (
        draw_overlay(gray, make_result(state=state)).astype(int) for state in ObjectState
    )
    change = [np.abs(drawn[20, 25] - 100).sum() for drawn in (moving, stopped)]
    assert change[0] > change[1] > 0
    assert (occluded == 100).all()


def test_neighbouring_ids_have_different_colours():
    colors = [np.array(color_of(i), int) for i in range(1, 13)]
    assert min(np.abs(a - b).sum() for a, b in itertools.combinations(colors, 2)) > 40
    assert color_of(5) == color_of(5)


def test_no_objects_no_change(gray):
    empty = FrameResult(0, 0, "", np.zeros((48, 64), np.uint16))
    assert np.array_equal(draw_overlay(gray, empty), gray)


def test_another_size_is_refused(make_result):
    with pytest.raises(ValueError, match=r"image must be \(48, 64\), but got \(10, 10\)"):
        draw_overlay(np.zeros((10, 10, 3), np.uint8), make_result())


def test_contact_sheet_lays_images_out_row_by_row():
    images = [np.full((4, 6, 3), value, np.uint8) for value in (10, 20, 30)]
    sheet = contact_sheet(images, columns=2, gap=1)
    assert sheet.shape == (9, 13, 3)
    assert [sheet[0, 0, 0], sheet[0, 12, 0], sheet[8, 0, 0], sheet[8, 12, 0]] == [10, 20, 30, 0]


@pytest.mark.parametrize(("count", "columns"), [(0, 2), (2, 0)])
def test_contact_sheet_needs_images_and_columns(count, columns):
    with pytest.raises(ValueError, match="sheet needs"):
        contact_sheet([np.zeros((4, 6, 3), np.uint8)] * count, columns)
