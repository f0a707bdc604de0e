from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.core.appearance import ObjectColours

RED, BLUE, GRAY = (120, 200, 180), (90, 150, 60), (120, 128, 128)  # Lab as OpenCV has it, 0..255


def picture(*boxes: tuple[int, tuple[int, int, int]], noise: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    """A gray Lab image (60, 100, 3) with a 20 px wide column of each colour, and the ids there."""
    lab = np.empty((60, 100, 3))
    lab[:] = GRAY
    labels = np.zeros((60, 100), np.uint16)
    for k, (object_id, colour) in enumerate(boxes):
        box = np.s_[:40, 25 * k : 25 * k + 20]
        lab[box], labels[box] = colour, object_id
    lab += np.random.default_rng(0).normal(0, noise, lab.shape)
    return np.clip(lab, 0, 255).astype(np.uint8), labels


def centre(k: int) -> np.ndarray:
    return np.array([[25 * k + 8.0, 15.0], [25 * k + 12.0, 25.0]])


@pytest.fixture
def taught() -> tuple[ObjectColours, np.ndarray]:
    """Object 3 is red and object 7 blue; and the image."""
    lab, labels = picture((3, RED), (7, BLUE))
    colours = ObjectColours()
    colours.learn(lab, labels)
    return colours, lab


class TestLogLikelihood:
    def test_an_objects_own_colours_speak_for_it_and_others_against_it(self, taught):
        colours, lab = taught
        for object_id, own, other in ((3, 0, 1), (7, 1, 0)):
            found = colours.log_likelihood(lab, object_id)
            assert found.shape == lab.shape[:2]
            assert found.dtype == np.float32
            assert np.median(found[:40, 25 * own : 25 * own + 20]) > 1
            assert np.median(found[:40, 25 * other : 25 * other + 20]) < -3
            assert np.median(found[:, 60:]) < -3

    def test_an_object_without_a_look_says_nothing(self, taught):
        colours, lab = taught
        assert not colours.log_likelihood(lab, 99).any()
        assert not ObjectColours().log_likelihood(lab, 3).any()

    def test_a_colour_never_seen_is_no_certainty(self, taught):
        new = np.full((4, 4, 3), (250, 40, 240), np.uint8)
        assert np.isfinite(taught[0].log_likelihood(new, 3)).all()

    def test_is_of_each_pixel(self, taught):
        colours, lab = taught
        part = np.s_[10:20, 15:30]
        np.testing.assert_array_equal(
            colours.log_likelihood(lab[part], 3), colours.log_likelihood(lab, 3)[part]
        )

    def test_light_matters_less_than_hue(self):
        """An object that goes into the shade keeps its look."""
        colours = ObjectColours()
        colours.learn(*picture((3, (128 + 24, *RED[1:])), noise=0))
        shaded = np.full((2, 2, 3), (128 + 4, *RED[1:]), np.uint8)
        other = np.full((2, 2, 3), (128 + 24, RED[1] - 40, RED[2]), np.uint8)
        assert colours.log_likelihood(shaded, 3).min() > 1 > colours.log_likelihood(other, 3).max()


class TestLearning:
    def test_a_mistake_of_the_mask_does_not_change_the_look(self, taught):
        """One frame in which object 3's mask lies on the blue one."""
        colours, lab = taught
        wrong = picture((7, RED), (3, BLUE))[1]
        colours.learn(lab, wrong)
        assert colours.resembles(lab, centre(0), 3)
        assert colours.at(lab, centre(0), [3]).mean() > colours.at(lab, centre(1), [3]).mean()

    def test_a_look_that_lasts_is_learned_in_the_end(self, taught):
        colours, lab = taught
        for _ in range(60):
            colours.learn(lab, picture((7, RED), (3, BLUE))[1])
        assert colours.at(lab, centre(0), [3]).mean() < colours.at(lab, centre(1), [3]).mean()

    def test_an_object_out_of_sight_keeps_its_look(self, taught):
        colours, lab = taught
        for _ in range(60):
            colours.learn(lab, np.zeros(lab.shape[:2], np.uint16))
        assert colours.resembles(lab, centre(0), 3)
        assert not colours.resembles(lab, centre(1), 3)

    def test_keep_forgets_the_others(self, taught):
        colours, lab = taught
        colours.keep(frozenset({7, 50}))
        assert not colours.log_likelihood(lab, 3).any()
        assert colours.log_likelihood(lab, 7).any()

    def test_clear_forgets_all(self, taught):
        colours, lab = taught
        colours.clear()
        assert not colours.log_likelihood(lab, 7).any()


class TestAt:
    def test_is_a_row_per_point_and_a_column_per_object(self, taught):
        colours, lab = taught
        found = colours.at(lab, np.concatenate([centre(0), centre(1)]), [7, 3, 99])
        assert found.shape == (4, 3)
        assert (found[:2, 1] > found[:2, 0]).all()
        assert (found[2:, 0] > found[2:, 1]).all()
        assert not found[:, 2].any()

    @pytest.mark.parametrize("point", [(0, 0), (99, 59), (-8, 30), (140, 80), (3.5, -0.4)])
    def test_at_and_beyond_the_border(self, taught, point):
        assert np.isfinite(taught[0].at(taught[1], np.array([point]), [3])).all()


class TestResembles:
    def test_its_own_place_but_not_anothers(self, taught):
        colours, lab = taught
        assert colours.resembles(lab, centre(0), 3)
        assert not colours.resembles(lab, centre(1), 3)
        assert not colours.resembles(lab, np.array([[80.0, 30.0]]), 3)

    def test_what_is_not_known_is_no_argument(self, taught):
        colours, lab = taught
        assert colours.resembles(lab, centre(1), 99)
        assert colours.resembles(lab, np.zeros((0, 2)), 3)
