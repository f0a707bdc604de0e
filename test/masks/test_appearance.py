from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.masks.appearance import ColourModel, LocalColourModel, centre_of, colour_index

RED, BLUE, GREEN = (80, 200, 190), (80, 140, 40), (150, 70, 180)  # in 8-bit Lab


def two_halves(left=RED, right=BLUE, size=(40, 60)) -> np.ndarray:
    lab = np.empty((*size, 3), np.uint8)
    lab[:, : size[1] // 2], lab[:, size[1] // 2 :] = left, right
    return lab


def left_moves(size=(40, 60)) -> np.ndarray:
    probability = np.zeros(size)
    probability[:, : size[1] // 2] = 1.0
    return probability


def teach(model: ColourModel, lab: np.ndarray, moving: np.ndarray) -> None:
    """Every pixel is either moving or static."""
    model.learn(lab, moving, 1 - moving)


class TestColourModel:
    def test_says_nothing_before_it_has_seen_motion(self):
        model = ColourModel()
        assert model(two_halves()) is None
        for _ in range(5):
            teach(model, two_halves(), np.zeros((40, 60)))
        assert model(two_halves()) is None

    def test_tells_the_colours_apart(self):
        model = ColourModel()
        teach(model, two_halves(), left_moves())
        logits = model(two_halves(right=RED, left=BLUE))
        assert logits.shape == (40, 60)
        assert logits.dtype == np.float32
        assert (logits[:, 30:] > 1).all()
        assert (logits[:, :30] < -1).all()

    def test_a_colour_on_both_sides_says_little(self):
        model = ColourModel()
        probability = left_moves()
        for _ in range(3):
            teach(model, two_halves(RED, RED), probability)
        assert np.abs(model(two_halves(RED, RED))).max() < 0.2

    def test_logits_are_bounded(self):
        model = ColourModel()
        for _ in range(200):
            teach(model, two_halves(), left_moves())
        logits = model(two_halves())
        assert np.isfinite(logits).all()
        assert np.abs(logits).max() < 10

    def test_it_learns_anew_when_things_change(self):
        model = ColourModel()
        for _ in range(10):
            teach(model, two_halves(), left_moves())
        for _ in range(150):
            teach(model, two_halves(), 1 - left_moves())
        logits = model(two_halves())
        assert logits[0, 0] < -1
        assert logits[0, -1] > 1

    def test_pixels_that_are_neither_teach_nothing(self):
        model = ColourModel()
        teach(model, two_halves(), left_moves())
        before = model(two_halves())
        for _ in range(5):
            model.learn(two_halves(BLUE, RED), np.zeros((40, 60)), np.zeros((40, 60)))
        np.testing.assert_allclose(model(two_halves()), before, atol=0.2)

    def test_unsure_pixels_teach_less(self):
        sure, unsure = ColourModel(), ColourModel()
        for model, certainty in ((sure, 0.95), (unsure, 0.6)):
            teach(model, two_halves(), np.where(left_moves() > 0, certainty, 1 - certainty))
        assert sure(two_halves())[0, 0] > unsure(two_halves())[0, 0] > 0


HERE = (59.5, 44.5)  # centre of the mask below


class TestLocalColourModel:
    MASK = np.zeros((96, 128), bool)
    MASK[30:60, 40:80] = True

    def image(self, shift: int = 0) -> np.ndarray:
        """Upper half of the object red, lower half blue, before green; a second red thing far away."""
        lab = np.full((96, 128, 3), GREEN, np.uint8)
        lab[30:45, 40 + shift : 80 + shift] = RED
        lab[45:60, 40 + shift : 80 + shift] = BLUE
        return lab

    def learned(self) -> LocalColourModel:
        model = LocalColourModel()
        for _ in range(4):
            model.learn(self.image(), self.MASK, self.MASK.astype(float), 1.0 - self.MASK)
        return model

    def test_says_nothing_before_it_has_learned(self):
        model = LocalColourModel()
        assert not model.taught
        model.learn(self.image(), np.zeros((96, 128), bool), np.zeros((96, 128)), np.ones((96, 128)))
        assert not model.taught
        assert not model(self.image(), HERE).any()

    def test_the_object_is_found_where_it_was(self):
        logits = self.learned()(self.image(), HERE)
        assert logits.shape == (96, 128)
        assert (logits[self.MASK] > 0).all()
        assert (logits[~self.MASK] <= 0).all()
        assert logits[10, 10] <= 0

    @pytest.mark.parametrize("shift", [15, 30])
    def test_the_object_is_found_where_it_has_gone(self, shift):
        logits = self.learned()(self.image(shift), (HERE[0] + shift, HERE[1]))
        there = np.roll(self.MASK, shift, axis=1)
        assert (logits[there] > 0).mean() > 0.95
        assert (logits[~there] > 0).mean() < 0.01

    def test_place_matters(self):
        """The object's own colour far from it is no object."""
        lab = self.image()
        lab[0:8, 100:128] = RED
        logits = self.learned()(lab, HERE)
        assert logits[33:42, 44:76].min() > logits[0:8, 110:128].max() + 0.5

    def test_logits_are_bounded(self):
        model = LocalColourModel()
        for _ in range(100):
            model.learn(self.image(), self.MASK, self.MASK.astype(float), 1.0 - self.MASK)
        logits = model(self.image(), HERE)
        assert np.isfinite(logits).all()
        assert np.abs(logits).max() < 10

    @pytest.mark.parametrize("centre", [(1e4, -1e4), (-3.5, 0.5)])
    def test_any_centre_is_an_answer(self, centre):
        assert np.isfinite(self.learned()(self.image(), centre)).all()

    def test_a_part_of_the_image_says_what_the_whole_says(self):
        model, box = self.learned(), np.s_[20:70, 35:90]
        part = model(self.image()[box], HERE, (35, 20))
        np.testing.assert_array_equal(part, model(self.image(), HERE)[box])


def test_centre_of_a_mask():
    assert centre_of(TestLocalColourModel.MASK) == HERE
    assert centre_of(np.zeros((5, 5), bool)) is None


@pytest.mark.parametrize("bits", [3, 5])
def test_colour_index_counts_the_bins(bits):
    lab = np.array([[[0, 0, 0], [255, 255, 255]], [[0, 0, 255], [255, 0, 0]]], np.uint8)
    last = (1 << bits) - 1
    expected = [[0, (1 << (3 * bits)) - 1], [last, last << (2 * bits)]]
    np.testing.assert_array_equal(colour_index(lab, bits), expected)
