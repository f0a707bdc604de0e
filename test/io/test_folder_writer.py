from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from motionseg_ros.core.errors import OutputError
from motionseg_ros.core.types import Frame, ObjectState
from motionseg_ros.io.folder_writer import FolderWriter, encode_labels


@pytest.fixture
def frame(ros) -> Frame:
    return Frame(ros.square_images(1)[0], 100 * 10**9, "camera")


@pytest.mark.parametrize(
    ("top", "dtype"), [(0, np.uint8), (255, np.uint8), (256, np.uint16), (65534, np.uint16)]
)
def test_labels_survive_with_as_few_bits_as_they_need(top, dtype):
    labels = np.zeros((5, 7), np.uint16)
    labels[2, 3] = top
    read = cv2.imdecode(np.frombuffer(encode_labels(labels), np.uint8), cv2.IMREAD_UNCHANGED)
    assert read.dtype == dtype
    assert np.array_equal(read, labels)


def test_every_frame_has_its_label_image_and_its_line(tmp_path, frame, make_result):
    writer = FolderWriter(tmp_path / "deep" / "out")
    for index in range(3):
        writer.write(frame, make_result(index, object_id=4, stamp=100 * 10**9 + index))
    writer.close({"complete": True})
    out = tmp_path / "deep" / "out"
    assert sorted(f.name for f in out.iterdir()) == ["instances.jsonl", "labels", "summary.json"]
    assert sorted(f.name for f in (out / "labels").iterdir()) == ["00000.png", "00001.png", "00002.png"]
    assert json.loads((out / "summary.json").read_text()) == {"complete": True}
    records = [json.loads(line) for line in (out / "instances.jsonl").read_text().splitlines()]
    assert [r["index"] for r in records] == [0, 1, 2]
    assert records[2]["header"] == {"stamp": {"sec": 100, "nanosec": 2}, "frame_id": "camera"}
    assert records[2]["stamp"] == 100 * 10**9 + 2
    assert records[0]["instances"] == [
        {
            "id": 4,
            "state": "MOVING",
            "motion_score": 0.9,
            "mask_score": 0.8,
            "roi": {"x_offset": 20, "y_offset": 15, "width": 10, "height": 10},
            "area": 99,
            "velocity_px": [30.0, -1.5],
            "num_trajectories": 7,
            "first_seen": {"sec": 5, "nanosec": 0},
            "has_position": False,
            "position": None,
            "velocity": None,
        }
    ]


def test_the_overlay_appears_when_it_is_whole(tmp_path, frame, make_result):
    writer = FolderWriter(tmp_path, overlay=True, fps=20)
    for index in range(5):
        writer.write(frame, make_result(index))
    assert not (tmp_path / "overlay.mp4").exists()
    writer.close({})
    capture = cv2.VideoCapture(str(tmp_path / "overlay.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 5
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(20)
    assert not [f for f in tmp_path.iterdir() if f.name.startswith(".")]


def test_a_frame_of_another_size_is_fitted_into_the_video(tmp_path, frame, make_result):
    from motionseg_ros.core.types import FrameResult

    small = Frame(np.full((40, 40, 3), 200, np.uint8))
    writer = FolderWriter(tmp_path, overlay=True)
    writer.write(frame, make_result(0))
    writer.write(small, FrameResult(1, 0, "", np.zeros((40, 40), np.uint16)))
    writer.close({})
    capture = cv2.VideoCapture(str(tmp_path / "overlay.mp4"))
    capture.read()
    _, image = capture.read()
    assert image.shape == (48, 64, 3)
    assert image[24, 32, 0] > 150
    assert image[24, 1, 0] < 50


def test_a_video_that_could_not_be_written_is_an_error_and_leaves_nothing(tmp_path, frame, make_result):
    writer = FolderWriter(tmp_path, overlay=True)
    writer.write(frame, make_result(0))
    (tmp_path / ".overlay.part.mp4").unlink()  # what OpenCV goes on to write is lost, as on a full disk
    with pytest.raises(OutputError, match=r"overlay\.mp4: the video is not whole"):
        writer.close({"complete": False})
    assert not (tmp_path / "overlay.mp4").exists()
    assert (tmp_path / "summary.json").exists()


@pytest.mark.parametrize("former", ["summary.json", "instances.jsonl", "overlay.mp4", "labels/00007.png"])
def test_former_results_are_not_overwritten_unasked(tmp_path, former):
    (tmp_path / "labels").mkdir()
    (tmp_path / former).write_text("precious")
    with pytest.raises(OutputError, match=f"already holds results .{former}.*--overwrite"):
        FolderWriter(tmp_path)
    assert (tmp_path / former).read_text() == "precious"


def test_overwrite_clears_our_files_and_no_others(tmp_path, frame, make_result):
    (tmp_path / "labels").mkdir()
    for name in ("labels/00009.png", "labels/mine.png", "labels/.00003.part.png", "overlay.mp4", "notes.txt"):
        (tmp_path / name).write_text("old")
    writer = FolderWriter(tmp_path, overwrite=True)
    writer.write(frame, make_result(0))
    writer.close({})
    assert sorted(f.name for f in (tmp_path / "labels").iterdir()) == ["00000.png", "mine.png"]
    assert sorted(f.name for f in tmp_path.iterdir()) == [
        "instances.jsonl",
        "labels",
        "notes.txt",
        "summary.json",
    ]


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*out.*a file is in the way"):
        FolderWriter(tmp_path / "out")


def test_numbers_that_json_lacks_become_null(tmp_path, frame, make_result):
    from dataclasses import replace

    result = make_result(0)
    odd = replace(result.instances[0], velocity_px=(float("nan"), float("inf")), state=ObjectState.STOPPED)
    writer = FolderWriter(tmp_path)
    writer.write(frame, replace(result, instances=(odd,)))
    writer.close({})
    (instance,) = json.loads((tmp_path / "instances.jsonl").read_text())["instances"]
    assert instance["velocity_px"] == [None, None]
    assert instance["state"] == "STOPPED"
