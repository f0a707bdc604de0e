from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.core.beliefs import log_odds
from motionseg_ros.core.observe import compose, compress, observe, sample, touching
from motionseg_ros.core.types import MaskLogits


def field(height: int, width: int, inside: tuple[slice, slice], logit: float) -> np.ndarray:
    logits = np.full((height, width), -3.0, np.float32)
    logits[inside] = logit
    return logits


def everywhere(masks: dict[int, np.ndarray]) -> dict[int, MaskLogits]:
    return {object_id: MaskLogits(logits.astype(np.float32)) for object_id, logits in masks.items()}


class TestCompose:
    def test_the_largest_positive_logit_wins(self):
        masks = {
            9: field(4, 6, np.s_[:, :4], 1.0),
            4: field(4, 6, np.s_[:, 2:], 2.0),
        }
        labels, best = compose(everywhere(masks), (4, 6))
        assert labels.dtype == np.uint16
        np.testing.assert_array_equal(labels[0], [9, 9, 4, 4, 4, 4])
        np.testing.assert_array_equal(best[0], [1, 1, 2, 2, 2, 2])

    @pytest.mark.parametrize("logit", [0.0, -0.1])
    def test_what_is_not_positive_is_background(self, logit):
        labels, best = compose(everywhere({1: np.full((3, 3), logit)}), (3, 3))
        assert not labels.any()
        assert not best.any()

    def test_no_masks_no_labels(self):
        labels, best = compose({}, (2, 5))
        assert labels.shape == best.shape == (2, 5)
        assert not labels.any()

    def test_the_answer_does_not_depend_on_the_order_of_the_objects(self):
        rng = np.random.default_rng(0)
        masks = {i: rng.normal(size=(8, 8)).astype(np.float32).round() for i in (3, 1, 2)}
        one, _ = compose(everywhere(masks), (8, 8))
        other, _ = compose(everywhere(dict(reversed(masks.items()))), (8, 8))
        np.testing.assert_array_equal(one, other)

    def test_a_mask_of_a_part_of_the_image(self):
        masks = {
            7: MaskLogits(np.full((2, 3), 1.5, np.float32), (2, 1)),
            9: everywhere({9: np.full((4, 6), 1.0)})[9],
        }
        labels, best = compose(masks, (4, 6))
        assert (labels == 7).sum() == 6
        assert (labels[1:3, 2:5] == 7).all()
        assert (best[1:3, 2:5] == 1.5).all()
        assert best[0, 0] == 1.0

    def test_the_largest_id_fits(self):
        assert compose(everywhere({65534: np.ones((1, 1))}), (1, 1))[0][0, 0] == 65534


class TestSample:
    LABELS = np.arange(12, dtype=np.uint16).reshape(3, 4)

    @pytest.mark.parametrize(
        ("x", "y", "expected"),
        [(0, 0, 0), (2, 1, 6), (2.4, 1.4, 6), (2.6, 0.6, 7), (-5, 1, 4), (9, 9, 11), (3.4, -0.4, 3)],
    )
    def test_takes_the_nearest_pixel(self, x, y, expected):
        found = sample(self.LABELS, np.array([[x, y]], np.float32))
        assert found.dtype == np.int64
        assert found.tolist() == [expected]

    def test_no_positions(self):
        assert sample(self.LABELS, np.zeros((0, 2), np.float32)).shape == (0,)


class TestObserve:
    @staticmethod
    def observe(labels, logits=None, under=(), moving=(), velocities=(), relative=(), known=None):
        return observe(
            labels,
            np.where(labels > 0, 2.0, 0.0).astype(np.float32) if logits is None else logits,
            {int(i): np.s_[0 : labels.shape[0], 0 : labels.shape[1]] for i in np.unique(labels) if i},
            np.array(under, np.int64),
            np.array(moving, np.float32),
            np.ones(len(moving), bool) if known is None else np.array(known),
            np.array(velocities, np.float32).reshape(-1, 2),
            np.array(relative, np.float32).reshape(-1, 2),
        )

    def test_roi_is_tight_and_the_mask_fills_it(self):
        labels = np.zeros((10, 12), np.uint16)
        labels[2:5, 3:9] = 7
        labels[2, 3] = 0
        found = self.observe(labels)
        assert set(found) == {7}
        assert found[7].roi == (3, 2, 6, 3)
        np.testing.assert_array_equal(found[7].mask, labels[2:5, 3:9] == 7)

    def test_only_its_box_is_looked_at(self):
        labels = np.zeros((10, 12), np.uint16)
        labels[2:5, 3:9] = 7
        nothing = np.zeros((0, 2), np.float32)
        logits = (labels > 0).astype(np.float32)
        boxes = {7: np.s_[1:9, 2:12], 8: np.s_[0:4, 0:4]}
        found = observe(
            labels, logits, boxes, np.zeros(0, int), np.zeros(0), np.zeros(0, bool), nothing, nothing
        )
        assert found[7].roi == (3, 2, 6, 3)
        assert 8 not in found  # another object lies before all of it

    def test_two_objects_that_overlap_in_their_boxes(self):
        labels = np.tri(6, dtype=np.uint16) + 1
        found = self.observe(labels)
        assert found[1].mask.sum() + found[2].mask.sum() == labels.size
        assert found[2].roi == (0, 0, 6, 6)

    def test_scores_are_means_over_its_own_pixels_and_trajectories(self):
        labels = np.array([[1, 1, 0, 2]], np.uint16)
        logits = np.array([[0.0, 100.0, 0.0, np.log(3)]], np.float32)
        found = self.observe(
            labels, logits, [1, 1, 0, 2], [0.4, 0.8, 0.9, 1.0], np.zeros((4, 2)), np.zeros((4, 2))
        )
        assert found[1].mask_score == pytest.approx(0.75)
        assert found[2].mask_score == pytest.approx(0.75)
        assert found[1].motion_score == pytest.approx(0.6)
        assert found[2].motion_score == pytest.approx(1.0)
        assert (found[1].num_trajectories, found[2].num_trajectories) == (2, 1)

    def test_evidence_is_the_sum_over_its_classified_trajectories(self):
        """Many that are sure count more than one; a young one of which nothing is known does not count against it."""
        labels = np.array([[1, 2]], np.uint16)
        moving, nothing = [0.9, 0.9, 0.3, 0.1], np.zeros((4, 2))
        found = self.observe(labels, None, [1, 1, 1, 2], moving, nothing, nothing, [True, True, False, True])
        assert found[1].evidence == pytest.approx(2 * log_odds(np.float32(0.9)))
        assert found[2].evidence == pytest.approx(log_odds(np.float32(0.1)))
        assert found[2].evidence < 0

    def test_velocity_and_speed_are_medians_of_what_is_known(self):
        labels = np.full((2, 2), 1, np.uint16)
        velocities = [[1, 2], [3, 2], [100, 2], [np.nan, np.nan]]
        relative = [[3, 4], [6, 8], [0, 0], [np.nan, 1]]
        found = self.observe(labels, None, [1] * 4, [0.9] * 4, velocities, relative)[1]
        np.testing.assert_allclose(found.velocity, [3, 2])
        assert found.speed == pytest.approx(5.0)

    def test_without_trajectories_the_speed_is_unknown(self):
        found = self.observe(np.full((2, 2), 1, np.uint16))[1]
        assert found.num_trajectories == 0
        assert found.motion_score == 0.0
        assert found.evidence == 0.0
        assert np.isnan(found.speed)
        np.testing.assert_array_equal(found.velocity, [0, 0])

    def test_an_empty_image_shows_nothing(self):
        assert self.observe(np.zeros((3, 3), np.uint16)) == {}


@pytest.mark.parametrize(
    ("rows", "pairs"),
    [
        (["112", "112"], {(1, 2)}),
        (["33", "11"], {(1, 3)}),
        (["102", "102"], set()),  # background between them
        (["10", "02"], set()),  # only corners meet
        (["121", "333"], {(1, 2), (1, 3), (2, 3)}),
        (["00", "00"], set()),
        (["5"], set()),
    ],
)
def test_touching(rows, pairs):
    labels = np.array([[int(c) for c in row] for row in rows], np.uint16)
    assert touching(labels) == pairs
    assert touching(labels.T) == pairs


def test_touching_of_the_largest_ids():
    assert touching(np.array([[65534, 65533]], np.uint16)) == {(65533, 65534)}


def test_a_field_is_compressed_to_sixteenths_and_clipped():
    field = compress(np.array([[-20.0, -0.5, 0.0, 0.25, 20.0]], np.float32))
    assert field.dtype == np.int8
    np.testing.assert_array_equal(field, [[-127, -8, 0, 4, 127]])
    assert compress(None) is None
