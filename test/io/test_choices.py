from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from motionseg_ros.core.errors import PromptError
from motionseg_ros.core.types import Frame, FrameResult, Prompts
from motionseg_ros.io.choices import Choosing, read_mask, read_points


@pytest.fixture
def make_file(tmp_path: Path) -> Callable[..., Path]:
    """``make_file("text")`` or ``make_file(b"bytes")`` -> a file of points."""

    def make(content: str | bytes, name: str = "points.yaml") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


@pytest.fixture
def make_image(tmp_path: Path) -> Callable[[np.ndarray], Path]:
    def make(image: np.ndarray) -> Path:
        path = tmp_path / "mask.png"
        assert cv2.imwrite(str(path), image)
        return path

    return make


def refusal(read: Callable[[Path], object], path: Path) -> str:
    """The one line, which names the file, with which it is refused."""
    with pytest.raises(PromptError) as error:
        read(path)
    text = str(error.value)
    assert str(path) in text
    assert "\n" not in text
    return text.replace(str(path), "FILE")


def plain(choices: dict[int, list[Prompts]]) -> dict[int, list[tuple[list, list]]]:
    """Points and labels per frame."""
    for prompts in choices.values():
        assert all(p.mask is None and p.box is None for p in prompts)
    return {f: [(p.points.tolist(), p.labels.tolist()) for p in prompts] for f, prompts in choices.items()}


class TestReadPoints:
    def test_yaml(self, make_file):
        path = make_file("- points: [[412, 233.5], [440, 260]]\n  labels: [1, 0]\n  frame: 24\n")
        assert plain(read_points(path)) == {24: [([[412.0, 233.5], [440.0, 260.0]], [1, 0])]}

    def test_json(self, make_file):
        entries = [{"points": [[412, 233.5], [440, 260]], "labels": [1, 0], "frame": 24}]
        path = make_file(json.dumps(entries, indent=2), "points.json")
        assert plain(read_points(path)) == {24: [([[412.0, 233.5], [440.0, 260.0]], [1, 0])]}

    def test_without_labels_all_points_are_on_the_object_in_the_first_frame(self, make_file):
        assert plain(read_points(make_file("[{points: [[1, 2], [3, 4]]}]"))) == {
            0: [([[1.0, 2.0], [3.0, 4.0]], [1, 1])]
        }

    def test_each_entry_is_an_object_in_its_frame(self, make_file):
        text = """
        - points: [[1, 1]]
        - {points: [[2, 2]], frame: 7}
        - points: [[3, 3], [4, 4]]
          labels: [0, 1]
        - {points: [[5, 5]], frame: 7}
        """
        assert plain(read_points(make_file(text))) == {
            0: [([[1.0, 1.0]], [1]), ([[3.0, 3.0], [4.0, 4.0]], [0, 1])],
            7: [([[2.0, 2.0]], [1]), ([[5.0, 5.0]], [1])],
        }

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            ("", "FILE: input should be a valid list"),
            ("points: [[1, 2]]", "FILE: input should be a valid list"),
            ("[]", "FILE has no points; give a list of objects"),
            ("[7]", "FILE: 0: input should be a valid dictionary"),
            ("[{frame: 3}]", "FILE: 0.points: field required"),
            ("[{points: []}]", "FILE: 0.points: list should have at least 1 item"),
            ("[{points: [[1, 2]]}, {points: [[1]]}]", "FILE: 1.points.0.1: field required"),
            ("[{points: [[1, 2, 3]]}]", "FILE: 0.points.0: tuple should have at most 2 items"),
            ("[{points: [[1, left]]}]", "FILE: 0.points.0.1: input should be a valid number"),
            ("[{points: [[1, .nan]]}]", "FILE: 0.points.0.1: input should be a finite number"),
            ("[{points: [[1, .inf]]}]", "FILE: 0.points.0.1: input should be a finite number"),
            ("[{points: [[1, 2]], frame: -1}]", "FILE: 0.frame: input should be greater than or equal to 0"),
            ("[{points: [[1, 2]], frame: 1.5}]", "FILE: 0.frame: input should be a valid integer"),
            ("[{points: [[1, 2]], frames: 1}]", "FILE: 0.frames: extra inputs are not permitted"),
            ("[{points: [[1, 2]], labels: [1, 0]}]", "FILE: 0: 1 points have 2 labels"),
            ("[{points: [[1, 2]], labels: []}]", "FILE: 0: 1 points have 0 labels"),
            ("[{points: [[1, 2]], labels: [2]}]", "FILE: 0: a label must be 1 (on the object) or 0 (off it)"),
            (
                "[{points: [[1, 2]], labels: [0]}]",
                "FILE: 0: at least one point must lie on the object (label 1)",
            ),
            ("[{points: [[1, 2]]", "FILE is neither YAML nor JSON: while parsing"),
            ("[{points: [[2024-13-45, 3]]}]", "FILE is neither YAML nor JSON: month must be in 1..12"),
            (b"\xff\xfe\x00points", "FILE is neither YAML nor JSON"),
            (b"\x89PNG\r\n\x1a\n\x00\x00", "FILE is neither YAML nor JSON"),
        ],
    )
    def test_what_cannot_be_used_is_told_in_one_line(self, make_file, content, reason):
        text = refusal(read_points, make_file(content))
        assert reason in text
        assert "_entry" not in text  # a name of ours

    def test_no_such_file(self, tmp_path):
        text = refusal(read_points, tmp_path / "gone.yaml")
        assert text == "FILE cannot be read: no such file or directory"

    def test_a_folder(self, tmp_path):
        assert refusal(read_points, tmp_path) == "FILE cannot be read: is a directory"


class TestReadMask:
    @pytest.mark.parametrize(
        ("dtype", "values"), [(np.uint8, [255]), (np.uint8, [1, 2, 9]), (np.uint16, [3, 300])]
    )
    def test_each_value_but_0_is_an_object_of_the_first_frame(self, make_image, dtype, values):
        image = np.zeros((48, 64), dtype)
        for number, value in enumerate(values):
            image[5:15, 20 * number : 20 * number + 12] = value
        choices = read_mask(make_image(image))
        assert list(choices) == [0]
        assert len(choices[0]) == len(values)
        for prompts, value in zip(choices[0], values, strict=True):
            np.testing.assert_array_equal(prompts.mask, image == value)
            assert len(prompts.points) == 0
            assert prompts.box is None
            prompts.check((48, 64))

    @pytest.mark.parametrize(
        ("image", "reason"),
        [
            (np.zeros((48, 64), np.uint8), "FILE shows nothing: all its pixels are 0"),
            (np.full((48, 64, 3), 9, np.uint8), "FILE has colours; give a mask with one channel"),
            (np.full((48, 64, 4), 9, np.uint8), "FILE has colours"),
        ],
    )
    def test_what_shows_no_objects_is_refused(self, make_image, image, reason):
        assert reason in refusal(read_mask, make_image(image))

    @pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"])
    def test_what_is_no_image(self, make_file, content):
        assert refusal(read_mask, make_file(content, "mask.png")) == "FILE is not an image"

    def test_an_image_that_is_cut_off(self, make_image):
        path = make_image(np.random.default_rng(0).integers(0, 2, (48, 64), np.uint8))
        path.write_bytes(path.read_bytes()[:-40])
        assert refusal(read_mask, path) == "FILE is not an image"

    def test_no_such_file(self, tmp_path):
        assert refusal(read_mask, tmp_path / "gone.png") == "FILE: no such file"
        assert refusal(read_mask, tmp_path) == "FILE: no such file"


class NotingSegmenter:
    """Knows what it was told; refuses what `refuses` says."""

    def __init__(self, refuses: str = "") -> None:
        self.told: list[list[Prompts]] = []
        self._refuses = refuses

    def push(self, frame: Frame, choices: list[Prompts] = ()) -> FrameResult:
        self.told.append(list(choices))
        if choices and self._refuses:
            raise PromptError(self._refuses)
        return FrameResult(frame.index, frame.stamp, frame.frame_id, np.zeros(frame.size, np.uint16))


def on(x: float) -> Prompts:
    return Prompts(np.float32([[x, 1]]), np.ones(1, np.int8))


def frame(index: int) -> Frame:
    return Frame(np.zeros((4, 6, 3), np.uint8), stamp=7 * index, index=index)


class TestChoosing:
    def test_each_frame_is_pushed_with_its_choices(self):
        first, second, third = on(1), on(2), on(3)
        segmenter = NotingSegmenter()
        choosing = Choosing(segmenter, {3: [third], 0: [first, second]})
        results = [choosing.push(frame(k)) for k in range(5)]
        assert [result.stamp for result in results] == [0, 7, 14, 21, 28]
        assert segmenter.told == [[first, second], [], [], [third], []]

    def test_frames_count_from_0_whatever_number_the_source_gives_them(self):
        segmenter, choice = NotingSegmenter(), on(1)
        choosing = Choosing(segmenter, {1: [choice]})
        for index in (40, 41, 42):
            choosing.push(frame(index))
        assert segmenter.told == [[], [choice], []]

    def test_an_error_names_the_frame(self):
        choosing = Choosing(NotingSegmenter("the mask is too small"), {2: [on(1)]})
        for k in range(2):
            choosing.push(frame(k))
        with pytest.raises(PromptError, match=r"^frame 2: the mask is too small$"):
            choosing.push(frame(2))

    def test_left_are_the_frames_with_choices_that_have_not_come(self):
        choosing = Choosing(NotingSegmenter(), {9: [on(1)], 0: [on(2)], 2: [on(3)]})
        left = [choosing.left]
        for k in range(4):
            choosing.push(frame(k))
            left.append(choosing.left)
        assert left == [[0, 2, 9], [2, 9], [2, 9], [9], [9]]
