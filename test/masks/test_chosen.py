"""Masks of chosen objects, carried by known flow."""

from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.core.background import BackgroundMotion
from motionseg_ros.core.image import WorkingImage
from motionseg_ros.core.types import Frame
from motionseg_ros.masks.chosen import HELD_LOGIT, ChosenMasks

SIZE = (80, 120)
IMAGE = WorkingImage.prepare(Frame(np.zeros((160, 240, 3), np.uint8)), 120)
NOWHERE = np.zeros(SIZE, bool)
EVERYWHERE = ~NOWHERE


def flow(x: float, y: float = 0.0) -> np.ndarray:
    """Everything goes by x, y working px a frame: from the newest frame to the one before."""
    return np.tile(np.float32([-x, -y]), (*SIZE, 1))


def background(x: float = 0.0) -> BackgroundMotion:
    """The background goes to the right by x working px a frame."""
    return BackgroundMotion({1: np.array([[1, 0, -2.0 * x], [0, 1, 0], [0, 0, 1]])}, {}, 0.3)


def box(x: int, y: int, width: int, height: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[y : y + height, x : x + width] = True
    return mask


class Rig:
    """The masks and what they are put into, frame by frame."""

    def __init__(self) -> None:
        self.masks = ChosenMasks()
        self.next()

    def next(
        self,
        motion: np.ndarray | None = None,
        moves: np.ndarray = NOWHERE,
        others: np.ndarray = NOWHERE,
        behind: BackgroundMotion | None = None,
        shown: np.ndarray | None = None,
    ) -> None:
        """`others`: pixels of object 99; `shown`: the labels in the end, by default what was carried."""
        self.carried = np.where(others, 99, 0).astype(np.int32)
        self.masks.carry(IMAGE, motion, behind or background(), self.carried)
        self.logit = np.full(SIZE, -6.0, np.float32)
        self.masks.hold(moves, self.carried, self.logit)
        self.masks.note(self.carried if shown is None else shown)

    def add(self, object_id: int, mask: np.ndarray) -> None:
        self.masks.add(object_id, mask.astype(np.float32), self.carried, self.logit)

    def has(self, object_id: int) -> np.ndarray:
        return self.carried == object_id


@pytest.fixture
def rig() -> Rig:
    return Rig()


def jaccard(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_a_new_one_has_its_pixels_at_once(rig):
    rig.add(5, box(20, 30, 40, 20))
    np.testing.assert_array_equal(rig.has(5), box(20, 30, 40, 20))
    np.testing.assert_array_equal(rig.logit == HELD_LOGIT, box(20, 30, 40, 20))
    assert rig.masks.held == {5}


@pytest.mark.parametrize("step", [(0, 0), (2, 1), (0.3, -0.2), (-0.5, 0.5), (1.4, 0)])
def test_they_go_with_the_flow_by_parts_of_a_pixel_too(rig, step):
    rig.add(5, box(40, 30, 30, 20))
    for _ in range(20):
        rig.next(flow(*step))
    x, y = np.rint(20 * np.array(step)).astype(int)
    assert jaccard(rig.has(5), box(40 + x, 30 + y, 30, 20)) > 0.85
    assert jaccard(rig.logit > 0, rig.has(5)) == 1
    assert rig.logit.max() <= HELD_LOGIT


def test_without_flow_they_stay(rig):
    rig.add(5, box(40, 30, 30, 20))
    rig.next(None)
    np.testing.assert_array_equal(rig.has(5), box(40, 30, 30, 20))


def test_what_leaves_the_image_is_gone(rig):
    rig.add(5, box(80, 30, 30, 20))
    for _ in range(15):
        rig.next(flow(3))
    assert not rig.has(5).any()
    assert rig.masks.held == set()
    for _ in range(15):
        rig.next(flow(-3))
    assert not rig.has(5).any()


def test_a_small_one_does_not_wear_away(rig):
    rig.add(5, box(60, 40, 4, 4))
    for k in range(60):
        rig.next(flow(0.5 if k % 2 else -0.5))
    assert 8 <= rig.has(5).sum() <= 30


def test_pixels_of_others_are_left_to_them(rig):
    rig.add(5, box(40, 30, 30, 20))
    rig.next(flow(0), others=box(60, 20, 40, 40))
    np.testing.assert_array_equal(rig.has(5), box(40, 30, 20, 20))
    np.testing.assert_array_equal(rig.has(99), box(60, 20, 40, 40))
    assert (rig.logit[box(60, 20, 40, 40)] < 0).all()


@pytest.mark.parametrize("pan", [0.0, 1.0])
def test_what_passes_in_front_does_not_take_them_along(rig, pan):
    """The flow there is that of what passes, and round it of neither."""
    rig.add(5, box(30, 30, 30, 20))
    for k in range(24):
        passing = box(max(5 * k - 25, 0), 35, 20, 10)
        motion = flow(pan)
        motion[box(max(5 * k - 28, 0), 32, 26, 16)] = (-5, 0)
        rig.next(motion, others=passing, behind=background(pan))
    assert jaccard(rig.has(5), box(30 + round(24 * pan), 30, 30, 20)) > 0.9


@pytest.mark.parametrize(("share", "held"), [(0.0, True), (0.3, True), (0.7, False), (1.0, False)])
def test_one_of_which_most_moves_is_not_held(rig, share, held):
    rig.add(5, box(40, 30, 30, 20))
    rig.next(flow(0), moves=box(40, 30, round(30 * share), 20))
    assert (rig.masks.held == {5}) == held
    assert (rig.logit > 0).any() == held
    np.testing.assert_array_equal(rig.has(5), box(40, 30, 30, 20))


def test_one_that_is_not_held_becomes_what_was_shown_of_it(rig):
    rig.add(5, box(40, 30, 30, 20))
    rig.add(6, box(80, 30, 30, 20))
    shown = np.where(box(42, 28, 30, 20), 5, 0) + np.where(box(85, 30, 10, 10), 6, 0)
    rig.next(flow(0), moves=box(40, 30, 30, 20), shown=shown)
    assert rig.masks.held == {6}
    rig.next(flow(0))
    np.testing.assert_array_equal(rig.has(5), box(42, 28, 30, 20))
    np.testing.assert_array_equal(rig.has(6), box(80, 30, 30, 20))


def test_they_and_not_the_labels_of_the_frame_before_say_where_they_are(rig):
    """Labels go by whole pixels."""
    rig.add(5, box(40, 30, 30, 20))
    rig.carried = np.where(box(60, 30, 30, 20), 5, 0).astype(np.int32)
    rig.masks.carry(IMAGE, flow(0), background(), rig.carried)
    np.testing.assert_array_equal(rig.has(5), box(40, 30, 30, 20))


def test_a_removed_one_is_gone(rig):
    rig.add(5, box(40, 30, 30, 20))
    rig.add(6, box(80, 30, 30, 20))
    rig.masks.remove(5)
    rig.masks.remove(77)
    assert rig.masks.held == {6}
    rig.next(flow(0))
    assert not rig.has(5).any()
    assert rig.has(6).any()


def test_none_at_all(rig):
    rig.next(flow(1), others=box(60, 20, 40, 40))
    np.testing.assert_array_equal(rig.carried == 99, box(60, 20, 40, 40))
    assert (rig.logit == -6).all()
