from __future__ import annotations

from pathlib import Path

import pytest

from motionseg_ros.core.errors import EvaluationError
from motionseg_ros.evaluation.layout import find_sequences, match_frames, pair_sequences


def make(root: Path, *files: str) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    root.mkdir(exist_ok=True)
    return root


class TestFindSequences:
    @pytest.mark.parametrize(
        ("file", "inside"),
        [
            ("car/labels/00000.png", "car/labels"),
            ("car/masks/00000.png", "car/masks"),
            ("car/00000.png", "car"),
            ("Annotations/car/00000.png", "Annotations/car"),
            ("Annotations/480p/car/00000.png", "Annotations/480p/car"),
        ],
    )
    def test_layouts(self, tmp_path, file, inside):
        root = make(tmp_path, file, "JPEGImages/480p/car/00000.jpg", "README.txt")
        assert find_sequences(root, "ground truth") == {"car": tmp_path / inside}

    def test_the_annotations_folder_itself(self, tmp_path):
        make(tmp_path, "Annotations/480p/car/00000.png")
        found = find_sequences(tmp_path / "Annotations", "ground truth")
        assert found == {"car": tmp_path / "Annotations/480p/car"}

    @pytest.mark.parametrize("inside", ["labels", "masks", "."])
    def test_one_sequence(self, tmp_path, inside):
        root = make(tmp_path / "car", f"{inside}/00000.png")
        assert find_sequences(root, "predictions") == {"car": root / inside}

    @pytest.mark.parametrize("inside", ["labels", "masks"])
    def test_the_label_folder_itself_bears_the_sequence_name(self, tmp_path, inside):
        root = make(tmp_path / "car", f"{inside}/00000.png")
        assert find_sequences(root / inside, "predictions") == {"car": root / inside}

    def test_labels_come_before_images_of_the_same_kind(self, tmp_path):
        root = make(tmp_path, "car/frames/00000.png", "car/masks/00000.png", "car/contact_sheet.png")
        assert find_sequences(root, "ground truth") == {"car": root / "car/masks"}

    def test_missing_folder(self, tmp_path):
        with pytest.raises(EvaluationError, match=r"nowhere: no such folder; give the folder .* predictions"):
            find_sequences(tmp_path / "nowhere", "predictions")

    def test_nothing_there_says_what_was_looked_for(self, tmp_path):
        root = make(tmp_path, "car/00000.jpg")
        with pytest.raises(
            EvaluationError, match=r"holds no ground truth; looked for \*\.png in it, in labels/"
        ):
            find_sequences(root, "ground truth")

    def test_ambiguous(self, tmp_path):
        root = make(tmp_path, "Annotations/480p/car/0.png", "Annotations/1080p/car/0.png")
        with pytest.raises(EvaluationError, match="holds sequence car twice"):
            find_sequences(root, "ground truth")


class TestPairSequences:
    def test_by_name_and_spare_predictions_do_not_matter(self, tmp_path):
        predictions = make(tmp_path / "p", "a/labels/0.png", "b/labels/0.png", "c/labels/0.png")
        truth = make(tmp_path / "t", "b/masks/0.png", "a/masks/0.png")
        pairs = pair_sequences(predictions, truth)
        assert list(pairs) == ["a", "b"]
        assert pairs["b"] == (predictions / "b/labels", truth / "b/masks")

    def test_one_against_one_whatever_the_names(self, tmp_path):
        predictions, truth = make(tmp_path / "out", "labels/0.png"), make(tmp_path / "car", "masks/0.png")
        assert pair_sequences(predictions, truth) == {"car": (predictions / "labels", truth / "masks")}

    def test_one_against_many(self, tmp_path):
        predictions = make(tmp_path / "out/b", "labels/0.png")
        truth = make(tmp_path / "t", "a/0.png", "b/0.png")
        assert pair_sequences(predictions, truth) == {"b": (predictions / "labels", truth / "b")}

    def test_one_of_unknown_name_against_many(self, tmp_path):
        predictions = make(tmp_path / "out/x", "labels/0.png")
        truth = make(tmp_path / "t", "a/0.png", "b/0.png")
        with pytest.raises(EvaluationError, match="has no ground truth for x"):
            pair_sequences(predictions, truth)

    def test_missing_sequences_are_named(self, tmp_path):
        predictions = make(tmp_path / "p", "a/0.png")
        truth = make(tmp_path / "t", *(f"{name}/0.png" for name in "abcde"))
        with pytest.raises(EvaluationError, match=r"lacks 4 of the 5 sequences of .*t \(b, c, d, \.\.\.\)"):
            pair_sequences(predictions, truth)


class TestMatchFrames:
    def match(self, tmp_path, predictions, truth):
        p, t = make(tmp_path / "p", *predictions), make(tmp_path / "t", *truth)
        return [(a.name, b.name) for a, b in match_frames(p, t)]

    def test_truth_may_have_some_frames_only(self, tmp_path):
        pairs = self.match(tmp_path, ["00000.png", "00001.png", "00002.png"], ["00002.png", "00000.png"])
        assert pairs == [("00000.png", "00000.png"), ("00002.png", "00002.png")]

    def test_by_number(self, tmp_path):
        pairs = self.match(tmp_path, ["00009.png", "00010.png"], ["v2_frame10.png", "v2_frame9.png"])
        assert pairs == [("00009.png", "v2_frame9.png"), ("00010.png", "v2_frame10.png")]

    def test_by_name_where_numbers_repeat(self, tmp_path):
        names = ["left1.png", "right1.png"]
        assert self.match(tmp_path, names, names) == [
            ("left1.png", "left1.png"),
            ("right1.png", "right1.png"),
        ]

    def test_by_name_without_numbers(self, tmp_path):
        assert self.match(tmp_path, ["a.png", "1.png"], ["a.png"]) == [("a.png", "a.png")]

    def test_hidden_files_do_not_count(self, tmp_path):
        pairs = self.match(tmp_path, ["00000.png", ".00001.part.png"], ["00000.png", ".00002.part.png"])
        assert pairs == [("00000.png", "00000.png")]

    def test_a_missing_prediction_is_named(self, tmp_path):
        with pytest.raises(EvaluationError, match=r"t/00001\.png: has no prediction in .*p;"):
            self.match(tmp_path, ["00000.png", "00002.png"], ["00000.png", "00001.png"])
