from __future__ import annotations

import json
import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest

from motionseg_ros.assembly import build_segmenter
from motionseg_ros.core.config import Config
from motionseg_ros.core.errors import FrameError, OutputError, SourceError
from motionseg_ros.io.passes import PHASES
from motionseg_ros.io.runner import run, run_offline, was_stopped
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


@pytest.fixture
def late(brightness_segmenter):
    """Makes segmenters that say nothing about their first frames, as the real one does, and note the stamps."""

    class Late(brightness_segmenter):
        def __init__(self, object_id=1, blind=3, fails_at=None):
            super().__init__(object_id)
            self.blind, self.fails_at, self.stamps = blind, fails_at, []

        def push(self, frame):
            if frame.index == self.fails_at:
                raise RuntimeError("a bug")
            self.stamps.append(frame.stamp)
            result = super().push(frame)
            if self.pushed > self.blind:
                return result
            return replace(result, labels=np.zeros_like(result.labels), instances=())

    return Late


@pytest.fixture
def segment_offline(tmp_path, late):
    """Runs a source forward and backward into ``out``; returns what `run_offline` returns."""

    def call(path, config=None, segmenters=None, out="out", **options):
        with open_source(path) as source:
            writer = open_writer(tmp_path / out, source=path)
            both = segmenters or (late(4), late(9))
            return run_offline(source, both, writer, config or Config(), **options)

    return call


def read_labels(out, index):
    return cv2.imread(str(out / "labels" / f"{index:05d}.png"), cv2.IMREAD_UNCHANGED)


class TestOffline:
    def test_objects_have_a_mask_from_the_first_frame(self, segment_offline, outcome, make_bag, tmp_path):
        summary = segment_offline(make_bag(12))
        lines, written = outcome()
        assert lines == list(range(12))
        assert (summary.frames, written["complete"], written["offline"]) == (12, True, True)
        assert written["stages_ms"]["masking"]["median"] == pytest.approx(4.0, rel=0.02)
        for index in range(12):
            labels = read_labels(tmp_path / "out", index)
            assert set(np.unique(labels)) == {0, 4}
            assert labels[15, 2 + index + 5] == 4
            assert labels[15, 2 + index - 1] == 0
        text = (tmp_path / "out" / "instances.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in text]
        assert [r["stamp"] for r in records] == [100 * SECOND + i * SECOND // 10 for i in range(12)]
        velocities = [r["instances"][0]["velocity_px"] for r in records]
        assert velocities == [[-30.0, 1.5]] * 3 + [[30.0, -1.5]] * 9

    def test_a_causal_run_has_none_there_and_says_so(self, segment, outcome, make_bag, tmp_path, late):
        segment(make_bag(6), segmenter=late())
        assert outcome()[1]["offline"] is False
        assert not read_labels(tmp_path / "out", 0).any()

    def test_the_phases_are_told(self, segment_offline, make_bag):
        told = []
        segment_offline(make_bag(3), progress=lambda *step: told.append(step))
        assert told == [(phase, count) for phase in PHASES for count in (1, 2, 3)]

    def test_again_gives_the_same(self, segment_offline, make_bag, tmp_path):
        path = make_bag(8)
        for out in ("one", "two"):
            segment_offline(path, out=out)
        for name in ("instances.jsonl", "labels/00000.png", "labels/00007.png"):
            assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()

    def test_the_pass_backward_gets_rising_stamps(self, segment_offline, make_bag, late):
        both = late(), late()
        segment_offline(make_bag(4, stamps=[5, 6, 9, 20]), segmenters=both)
        assert both[0].stamps == [5, 6, 9, 20]
        assert both[1].stamps == [0, 11, 14, 15]

    @pytest.mark.parametrize("stamps", [[5, 6, 7, 2, 3], None])
    def test_a_broken_stream_goes_on_where_that_is_asked_for(
        self, segment_offline, outcome, make_bag, ros, stamps
    ):
        images = ros.square_images(5)
        if stamps is None:
            images[3:] = [image[:40] for image in images[3:]]
        both = build_segmenter(RESTART), build_segmenter(RESTART)
        segment_offline(make_bag(images=images, stamps=stamps), RESTART, both)
        lines, written = outcome()
        assert lines == [0, 1, 2, 3, 4]
        assert [r["index"] for r in written["restarts"]] == [3]

    def test_what_comes_before_a_bad_frame_is_segmented(self, segment_offline, outcome, make_bag, tmp_path):
        path = make_bag(12, stamps=[*range(10, 20), 1, 2])
        with pytest.raises(FrameError, match=r"frame 10: the stamp jumped back.*; 10 of 12 frames are in"):
            segment_offline(path)
        lines, written = outcome()
        assert lines == list(range(10))
        assert written["complete"] is False
        assert read_labels(tmp_path / "out", 0).any()

    def test_a_source_without_a_usable_frame(self, segment_offline, make_bag, tmp_path, ros):
        path = ros.write_bag(tmp_path / "bag", [("/c", ros.image(np.zeros((4, 4, 3), np.uint8)[:0], 1), 1)])
        with pytest.raises(SourceError, match=r"0 of 1 frames are in"):
            segment_offline(path)

    @pytest.mark.parametrize(("phase", "written"), [("forward", 0), ("backward", 0), ("write", 3)])
    def test_a_stop_in_any_phase_leaves_whole_files(self, segment_offline, outcome, make_bag, phase, written):
        stop = threading.Event()
        path = make_bag(20)
        summary = segment_offline(
            path, stop=stop, progress=lambda now, count: stop.set() if (now, count) == (phase, 3) else None
        )
        lines, record = outcome()
        assert written <= len(lines) < 20
        assert (len(lines) > 0) == (written > 0)
        assert lines == list(range(summary.frames))
        assert (record["complete"], record["stopped_by"]) == (False, "interrupted")
        assert was_stopped(summary, open_source(path), stop)

    @pytest.mark.parametrize("failing", [0, 1])
    def test_a_failure_of_a_segmenter_leaves_whole_files(
        self, segment_offline, outcome, make_bag, late, failing
    ):
        both = [late(), late()]
        both[failing] = late(fails_at=2)
        with pytest.raises(RuntimeError, match="a bug"):
            segment_offline(make_bag(4), segmenters=tuple(both))
        lines, written = outcome()
        assert lines == []
        assert written["stopped_by"] == "a bug"
