from __future__ import annotations

import cv2
import numpy as np
import pytest

from motionseg_ros.evaluation.measures import (
    Boundary,
    boundary_agreement,
    boundary_map,
    boundary_measure,
    region_similarity,
    statistics,
    tolerance_px,
)


def square(height: int, width: int, top: int, left: int, side: int) -> np.ndarray:
    mask = np.zeros((height, width), dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


def from_rows(*rows: str) -> np.ndarray:
    return np.array([[cell == "#" for cell in row] for row in rows])


class TestRegionSimilarity:
    @pytest.mark.parametrize(
        ("shift", "expected"),
        [
            (0, 1.0),
            (5, 50 / 150),  # 10x10 squares: 5 columns in common, 10 + 10 - 5 columns together, 10 rows each
            (9, 10 / 190),
            (10, 0.0),
        ],
    )
    def test_shifted_squares(self, shift, expected):
        assert region_similarity(square(40, 60, 5, 10, 10), square(40, 60, 5, 10 + shift, 10)) == expected

    def test_square_inside_square(self):
        # 4 x 4 = 16 of 10 x 10 = 100 pixels.
        assert region_similarity(square(40, 60, 5, 10, 10), square(40, 60, 8, 12, 4)) == 0.16

    def test_both_empty_is_perfect(self):
        empty = np.zeros((4, 5), dtype=bool)
        assert region_similarity(empty, empty) == 1.0

    def test_one_empty_is_zero(self):
        empty, full = np.zeros((4, 5), dtype=bool), np.ones((4, 5), dtype=bool)
        assert region_similarity(empty, full) == 0.0
        assert region_similarity(full, empty) == 0.0


class TestBoundaryMap:
    def test_square_lies_half_a_pixel_towards_the_origin(self):
        mask = from_rows(
            "......",
            "......",
            "..##..",
            "..##..",
            "......",
        )
        # On the boundary: whatever differs from its right, lower or lower-right neighbour. That is the ring
        # one pixel up and left of the square, and the square's last row and column, but not its first pixel
        # (2, 2).
        expected = from_rows(
            "......",
            ".###..",
            ".#.#..",
            ".###..",
            "......",
        )
        assert np.array_equal(boundary_map(mask), expected)

    def test_single_pixel_marks_itself_and_three_neighbours(self):
        expected = from_rows("....", ".##.", ".##.", "....")
        assert np.array_equal(boundary_map(square(4, 4, 2, 2, 1)), expected)

    def test_last_row_and_column_compare_along_the_edge_only(self):
        mask = from_rows("...", "..#", "..#")
        # (0, 1): its lower-right neighbour differs. (0, 2): its lower one. (1, 1), (2, 1): their right one.
        # (1, 2): none, as the last column has only the lower neighbour. (2, 2): never.
        assert np.array_equal(boundary_map(mask), from_rows(".##", ".#.", ".#."))

    @pytest.mark.parametrize("filled", [False, True])
    def test_uniform_masks_have_none(self, filled):
        assert not boundary_map(np.full((6, 7), filled)).any()

    def test_single_pixel_image(self):
        assert not boundary_map(np.ones((1, 1), dtype=bool)).any()


class TestTolerance:
    @pytest.mark.parametrize(
        ("size", "expected"),
        [
            ((480, 854), 8),  # diagonal 979.7, 0.8 % of it 7.84
            ((480, 640), 7),  # diagonal 800, 6.4
            ((300, 400), 4),  # diagonal 500, exactly 4
            ((3, 4), 1),  # diagonal 5, 0.04: never under one pixel
        ],
    )
    def test_is_rounded_up(self, size, expected):
        assert tolerance_px(size) == expected


class TestBoundaryMeasure:
    def test_matches_up_to_the_tolerance_and_not_beyond(self):
        # 300x400: tolerance 4 px. Two single pixels on one row; the boundary of each is a 2x2 block.
        # Blocks 4 columns apart: every pixel has one of the other block at distance exactly 4, so all match.
        # 5 apart: the two pixels that face each other are 4 apart and match, the far two (5 and more) do not.
        # 6 apart: the nearest are 5 apart, nothing matches.
        truth = square(300, 400, 100, 100, 1)
        scores = [boundary_measure(truth, square(300, 400, 100, 100 + d, 1)) for d in (0, 4, 5, 6)]
        assert scores == [1.0, 1.0, 0.5, 0.0]

    def test_tolerance_is_a_disk(self):
        # Diagonally apart: (3, 2) is 3.6 px away and matches within 4; (3, 3) is 4.24 px: of the blocks only
        # those pixels match that have one at (2, 3), (3, 2) or nearer: three of four, all but the far corner.
        truth = square(300, 400, 100, 100, 1)
        assert boundary_measure(truth, square(300, 400, 103, 102, 1)) == 1.0
        assert boundary_measure(truth, square(300, 400, 103, 103, 1)) == 0.75

    def test_precision_and_recall_differ(self):
        # The prediction holds the truth's square and an equal one far away: recall 1, precision 1/2, F 2/3.
        truth = square(300, 400, 50, 50, 20)
        prediction = truth | square(300, 400, 200, 200, 20)
        assert boundary_measure(truth, prediction) == pytest.approx(2 / 3, abs=1e-12)
        assert boundary_measure(prediction, truth) == pytest.approx(2 / 3, abs=1e-12)

    def test_square_with_one_side_beyond_the_tolerance(self):
        # 300x400, tolerance 4. Truth: rows 100..119, columns 100..119; prediction: columns 100..129.
        # Boundary of the truth: a ring of 21 rows (99..119) and 21 columns (99..119), 4 * 20 = 80 pixels; of
        # the prediction: 21 rows, columns 99..129, 2 * (20 + 30) = 100 pixels.
        # Truth pixels without a partner: the right side, column 119, is 10 from column 129. Its pixels within
        # 4 px of the prediction's top (row 99) and bottom (row 119) sides match: rows 99..103 and 115..119;
        # rows 104..114 do not: 11 of 80.
        # Prediction pixels without a partner: more than 4 columns right of 119: top and bottom sides at
        # columns 124..129, 6 each, and the rest of the right side, rows 100..118, 19: 31 of 100.
        truth = square(300, 400, 100, 100, 20)
        prediction = truth.copy()
        prediction[100:120, 100:130] = True
        precision, recall = 69 / 100, 69 / 80
        expected = 2 * precision * recall / (precision + recall)
        assert boundary_measure(truth, prediction) == pytest.approx(expected, abs=1e-12)

    @pytest.mark.parametrize(
        ("truth", "prediction", "expected"),
        [
            (False, False, 1.0),
            (True, True, 1.0),  # a full mask has no boundary either
            (False, True, 1.0),
        ],
    )
    def test_without_any_boundary(self, truth, prediction, expected):
        assert boundary_measure(np.full((30, 40), truth), np.full((30, 40), prediction)) == expected

    def test_one_without_boundary_is_zero(self):
        empty, some = np.zeros((30, 40), dtype=bool), square(30, 40, 5, 5, 10)
        assert boundary_measure(empty, some) == 0.0
        assert boundary_measure(some, empty) == 0.0

    def test_far_apart_is_zero(self):
        assert boundary_measure(square(300, 400, 10, 10, 5), square(300, 400, 200, 300, 5)) == 0.0

    def test_agrees_with_distances_between_boundary_pixels(self):
        rng = np.random.default_rng(0)
        for _ in range(5):
            truth, prediction = (
                cv2.GaussianBlur(rng.standard_normal((120, 160)), (0, 0), 7) > 0.01 for _ in range(2)
            )
            a, b = (np.argwhere(boundary_map(mask)) for mask in (truth, prediction))
            distances = np.linalg.norm(a[:, None] - b[None], axis=2)
            recall = np.mean(distances.min(axis=1) <= 2)  # 0.8 % of 200 is 1.6
            precision = np.mean(distances.min(axis=0) <= 2)
            expected = 2 * precision * recall / (precision + recall)
            assert boundary_measure(truth, prediction) == pytest.approx(expected, abs=1e-12)

    def test_prepared_boundaries_give_the_same(self):
        a, b = square(60, 80, 10, 10, 20), square(60, 80, 14, 13, 20)
        assert boundary_agreement(Boundary.of(a), Boundary.of(b)) == boundary_measure(a, b)


class TestStatistics:
    def test_mean_recall_and_decay(self):
        # 8 frames: the quarters' ends lie at 1, 2.75, 4.5, 6.25, 8, rounded 1, 3, 5, 6, 8.
        # First quarter: frames 1..3, mean 0.9; last: frames 6..8, mean 0.3.
        result = statistics([1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.3, 0.1])
        assert result.mean == pytest.approx(4.9 / 8)
        assert result.recall == 5 / 8  # 0.5 itself is not above 0.5
        assert result.decay == pytest.approx(0.6)

    def test_ends_of_quarters_half_way_between_frames_are_rounded_up(self):
        # 7 frames: the first quarter ends at 2.5, rounded 3, the last begins at 5.5, rounded 6.
        # First quarter: frames 1..3, mean 0.8; last: frames 6 and 7, mean 0.1.
        assert statistics([1.0, 1.0, 0.4, 0.0, 0.9, 0.1, 0.1]).decay == pytest.approx(0.7)

    def test_one_frame_does_not_decay(self):
        result = statistics([0.25])
        assert (result.mean, result.recall, result.decay) == (0.25, 0.0, 0.0)

    def test_long_sequences_keep_their_last_quarter(self):
        # The official code counts frames in 8 bits, which goes wrong after 256; here quarters stay quarters.
        values = np.repeat([1.0, 0.5, 0.5, 0.0], 250)
        assert statistics(values).decay == pytest.approx(1.0, abs=0.01)

    @pytest.mark.parametrize("values", [[], np.zeros((2, 2))])
    def test_refuses_what_is_no_sequence(self, values):
        with pytest.raises(ValueError, match="values must be"):
            statistics(values)
