from __future__ import annotations

import json
import threading

import numpy as np
import pytest

from motionseg_ros.core.config import Config
from motionseg_ros.core.errors import FrameError, OutputError, SourceError
from motionseg_ros.io.runner import run, was_stopped
from motionseg_ros.io.sources import open_source
from motionseg_ros.io.writers import open_writer

SECOND = 10**9
RESTART = Config().with_values({"source.on_discontinuity": "restart"})


@pytest.fixture
def segment(tmp_path, brightness_segmenter):
    """Runs a source into ``out``; returns what `run` returns."""

    def call(path, config=None, segmenter=None, **options):
        with open_source(path) as source:
            writer = open_writer(tmp_path / "out", source=path)
            return run(source, segmenter or brightness_segmenter(), writer, config or Config(), **options)

    return call


@pytest.fixture
def outcome(tmp_path):
    """(label names, indices in instances.jsonl, summary) of ``out``; fails on anything half-written."""

    def read():
        out = tmp_path / "out"
        assert not list(out.rglob(".*"))
        text = (out / "instances.jsonl").read_text()
        assert text == "" or text.endswith("\n")
        lines = [json.loads(line)["index"] for line in text.splitlines()]
        names = sorted(int(f.stem) for f in (out / "labels").iterdir())
        assert names == lines
        return lines, json.loads((out / "summary.json").read_text())

    return read


def test_a_whole_run_says_everything_about_itself(segment, outcome, make_bag):
    progress = []
    path = make_bag(6)
    summary = segment(path, progress=progress.append)
    lines, written = outcome()
    assert lines == list(range(6))
    assert progress == [1, 2, 3, 4, 5, 6]
    assert summary.frames == 6
    assert written["complete"] is True
    assert written["stopped_by"] is None
    assert (written["frames"], written["frames_expected"]) == (6, 6)
    assert written["fps"] > 0
    assert written["stages_ms"]["masking"]["median"] == pytest.approx(2.0, rel=0.02)
    assert set(written["latency_ms"]) == {"mean", "median", "p95"}
    assert written["restart_count"] == 1
    assert written["restarts"] == [{"index": 0, "stamp": 100 * SECOND, "reason": "first frame"}]
    assert written["source"]["path"] == str(path)
    assert (written["source"]["width"], written["source"]["height"]) == (64, 48)
    assert "opencv" in written["versions"]
    assert Config.from_dict(written["config"]) == Config()


@pytest.mark.parametrize(
    ("stamps", "reason"),
    [
        ([5, 6, 7, 2, 3], "frame 3: the stamp jumped back"),
        (None, "frame 3: the image size changed from 64x48"),
    ],
)
def test_a_broken_stream_stops_with_all_before_it_written(segment, outcome, make_bag, ros, stamps, reason):
    images = ros.square_images(5)
    if stamps is None:
        images[3:] = [image[:40] for image in images[3:]]
    path = make_bag(images=images, stamps=stamps)
    with pytest.raises(FrameError, match=rf"{reason}.*on_discontinuity=restart; 3 of 5 frames are in .*out"):
        segment(path)
    lines, written = outcome()
    assert lines == [0, 1, 2]
    assert written["complete"] is False
    assert reason in written["stopped_by"]


def test_a_broken_stream_goes_on_where_that_is_asked_for(segment, outcome, make_bag, ros):
    images = ros.square_images(5)
    images[3:] = [image[:40] for image in images[3:]]
    segment(make_bag(images=images, stamps=[5, 6, 7, 2, 3]), RESTART)
    lines, written = outcome()
    assert lines == [0, 1, 2, 3, 4]
    assert written["complete"] is True


@pytest.mark.parametrize("config", [Config(), RESTART])
def test_a_bad_frame_in_the_middle_loses_nothing(segment, outcome, tmp_path, ros, config):
    images = ros.square_images(5)
    changes = {"data": np.zeros(5, np.uint8)}
    messages = [("/c", ros.image(p, i, **(changes if i == 4 else {})), i) for i, p in enumerate(images)]
    path = ros.write_bag(tmp_path / "bag", messages)
    with pytest.raises(FrameError, match=r"frame 4: data holds 5 bytes.*4 of 5 frames are"):
        segment(path, config)
    assert outcome()[0] == [0, 1, 2, 3]


def test_a_cut_off_recording_is_segmented_up_to_the_cut(segment, outcome, make_bag, ros):
    path = next(make_bag(images=ros.square_images(40) * 5).glob("*.mcap"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.raises(SourceError, match="is damaged or cut off"):
        segment(path)
    lines, written = outcome()
    assert 80 < len(lines) < 160
    assert written["frames"] == len(lines)
    assert written["complete"] is False


def test_an_error_of_the_writer_keeps_what_is_written(
    segment, outcome, tmp_path, make_bag, brightness_segmenter
):
    class PutsAFolderInTheWay(brightness_segmenter):
        def push(self, frame):
            if frame.index == 3:
                (tmp_path / "out" / "labels" / "00003.png").mkdir()
            return super().push(frame)

    with pytest.raises(OutputError, match=r"00003\.png.*a folder is in the way.*3 of 6 frames are"):
        segment(make_bag(6), segmenter=PutsAFolderInTheWay())
    (tmp_path / "out" / "labels" / "00003.png").rmdir()
    lines, written = outcome()
    assert lines == [0, 1, 2]
    assert written["frames"] == 3


def test_a_failure_of_the_segmenter_leaves_whole_files(segment, outcome, make_bag, brightness_segmenter):
    class Fails(brightness_segmenter):
        def push(self, frame):
            if frame.index == 2:
                raise RuntimeError("a bug")
            return super().push(frame)

    with pytest.raises(RuntimeError, match="a bug"):
        segment(make_bag(4), segmenter=Fails())
    lines, written = outcome()
    assert lines == [0, 1]
    assert written["stopped_by"] == "a bug"


def test_a_stop_ends_the_run_with_every_result_written(segment, outcome, make_bag):
    stop = threading.Event()
    summary = segment(make_bag(40), stop=stop, progress=lambda count: stop.set() if count == 5 else None)
    lines, written = outcome()
    assert 5 <= len(lines) < 40
    assert lines == list(range(len(lines)))
    assert summary.frames == len(lines) == written["frames"]
    assert written["complete"] is False
    assert written["stopped_by"] == "interrupted"


def test_a_stop_after_the_last_frame_changes_nothing(segment, outcome, make_bag):
    stop = threading.Event()
    path = make_bag(3)
    summary = segment(path, stop=stop, progress=lambda count: stop.set() if count == 3 else None)
    assert not was_stopped(summary, open_source(path), stop)
    assert outcome()[1]["complete"] is True
