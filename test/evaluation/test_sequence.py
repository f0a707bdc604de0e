from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from motionseg_ros.core.errors import EvaluationError
from motionseg_ros.evaluation.sequence import TruthLabels, evaluate_sequence

SIZE = (100, 200)


def image(*spans: tuple[int, int, int], dtype: type = np.uint8) -> np.ndarray:
    """Blocks of 20 rows: (value, first column, one past the last)."""
    labels = np.zeros(SIZE, dtype=dtype)
    for value, start, stop in spans:
        labels[40:60, start:stop] = value
    return labels


@pytest.fixture
def score(tmp_path):
    def run(*frames: tuple[np.ndarray, np.ndarray]):
        """Score frames of (ground truth, prediction)."""
        pairs = []
        for index, (truth, prediction) in enumerate(frames):
            paths = tmp_path / f"p{index:05d}.png", tmp_path / f"t{index:05d}.png"
            for path, labels in zip(paths, (prediction, truth), strict=True):
                cv2.imwrite(str(path), labels)
            pairs.append(paths)
        return evaluate_sequence("car", pairs)

    return run


class TestTruthLabels:
    def of(self, tmp_path: Path, *images: np.ndarray) -> TruthLabels:
        paths = [tmp_path / f"{index}.png" for index in range(len(images))]
        for path, labels in zip(paths, images, strict=True):
            cv2.imwrite(str(path), labels)
        return TruthLabels.of(paths)

    def test_davis16_255_is_foreground(self, tmp_path):
        assert self.of(tmp_path, image(), image((255, 0, 9))) == TruthLabels((), None, empty=False)

    def test_davis17_255_beside_ids_is_void(self, tmp_path):
        # In whichever frame the ids are: the decision is the sequence's.
        truth = self.of(tmp_path, image((255, 0, 9)), image((1, 0, 9), (3, 20, 30)))
        assert truth == TruthLabels((1, 3), 255, empty=False)

    def test_ids_without_void(self, tmp_path):
        assert self.of(tmp_path, image((2, 0, 9))) == TruthLabels((2,), None, empty=False)

    def test_255_is_an_id_like_any_other_in_16_bits(self, tmp_path):
        truth = self.of(tmp_path, image((255, 0, 9), (256, 20, 30), (65535, 40, 50), dtype=np.uint16))
        assert truth == TruthLabels((255, 256), 65535, empty=False)

    def test_empty(self, tmp_path):
        assert self.of(tmp_path, image(), image()) == TruthLabels((), None, empty=True)


def test_binary_truth_scores_all_objects_together(score):
    # Two predicted objects, columns 0..9 and 10..29, against a mask of columns 0..19: J = 20 / 30.
    result = score((image((255, 0, 20)), image((1, 0, 10), (2, 10, 30))))
    assert result.region.mean == pytest.approx(2 / 3)
    assert result.objects == ()
    assert result.objects_per_frame == 2.0
    assert result.false_area is None


def test_first_and_last_frame_count(score):
    good, bad = (image((255, 0, 20)), image((1, 0, 20))), (image((255, 0, 20)), image())
    result = score(bad, good, good, bad)
    assert result.region.mean == result.boundary.mean == result.region.recall == 0.5


def test_label_map_scores_each_object(score):
    result = score((image((1, 0, 20), (2, 20, 40)), image((4, 0, 40))))
    assert result.region.mean == 1.0  # the foreground is right,
    assert sorted(item.region.mean for item in result.objects) == [0.0, 0.5]  # but one object stands for two


def test_void_does_not_count(score):
    # Columns 20..39 are void: that the prediction reaches over them changes neither J nor F nor the alarms.
    truth = image((1, 0, 20), (255, 20, 40))
    result = score((truth, image((9, 0, 40))))
    assert (result.region.mean, result.boundary.mean, result.false_objects_per_frame) == (1.0, 1.0, 0.0)
    assert result.objects[0].region.mean == result.objects[0].boundary.mean == 1.0
    # An object that lies in void only is none that is false.
    result = score((truth, image((9, 0, 20), (5, 25, 40))))
    assert (result.objects_per_frame, result.false_objects_per_frame) == (2.0, 0.0)


def test_static_sequence_has_alarms_but_no_scores(score):
    # 20 rows x 50 columns of 100 x 200 pixels are 5 %; with the empty frame 2.5 % on average.
    result = score((image(), image((1, 0, 20), (2, 60, 90))), (image(), image()))
    assert result.region is None
    assert result.boundary is None
    assert result.false_area == 2.5
    assert result.objects_per_frame == result.false_objects_per_frame == 1.0


def test_frames_without_truth_in_a_moving_sequence(score):
    # DAVIS counts them: 1 for an empty prediction, else 0. The false area is that of these frames alone.
    truth = image((255, 0, 20))
    result = score((truth, image((1, 0, 20))), (image(), image()), (image(), image((1, 0, 20))))
    assert [frame.region for frame in result.frames] == [1.0, 1.0, 0.0]
    assert [frame.boundary for frame in result.frames] == [1.0, 1.0, 0.0]
    assert result.false_area == 1.0  # 20 x 20 of 20,000 pixels in one frame of two


@pytest.mark.parametrize(
    ("stop", "false"),
    [
        (40, 0.0),  # exactly half of columns 0..39 lies on the truth
        (41, 1.0),
    ],
)
def test_false_object_is_one_that_lies_less_than_half_on_the_truth(score, stop, false):
    assert score((image((255, 0, 20)), image((1, 0, stop)))).false_objects_per_frame == false


def test_sizes_differ(score):
    with pytest.raises(EvaluationError, match=r"p00000\.png: is 80x60 px, but .*t00000\.png is 200x100 px"):
        score((image(), np.zeros((60, 80), dtype=np.uint8)))


def test_no_frames():
    with pytest.raises(EvaluationError, match="car: has no frames"):
        evaluate_sequence("car", [])


def test_reports_progress(tmp_path):
    path = tmp_path / "0.png"
    cv2.imwrite(str(path), image((255, 0, 5)))
    calls = []
    evaluate_sequence("car", [(path, path)] * 3, on_frame=lambda: calls.append(1))
    assert len(calls) == 3
