from __future__ import annotations

import mmap
import time

import numpy as np
import pytest

from motionseg_ros.core.pipeline import Workload
from motionseg_ros.core.types import Frame, FrameResult
from motionseg_ros.evaluation.throughput import MEMORY_MARK, Throughput, back_and_forth, measure

LABELS = np.zeros((4, 5), dtype=np.uint16)


def clip(length: int) -> list[Frame]:
    return [Frame(np.full((4, 5, 3), i, np.uint8), 1000 + 7 * i, "camera", i) for i in range(length)]


class Waiting:
    """A segmenter that takes 4 ms for every frame and 8 ms more for every fourth."""

    workload = Workload(0, 0)

    def push(self, frame: Frame) -> FrameResult:
        timings = {"tracking": 4.0}
        time.sleep(0.004)
        if frame.index % 4 == 0:
            time.sleep(0.008)
            timings["classifier"] = 8.0
        return FrameResult(frame.index, frame.stamp, frame.frame_id, LABELS, timings_ms=timings)


class Hoarder:
    """A segmenter that keeps a megabyte of every frame, from the system itself.

    What other tests have let go would be used again otherwise, and this process would not grow.
    """

    workload = Workload(0, 0)

    def __init__(self) -> None:
        self._kept: list[mmap.mmap] = []

    def push(self, frame: Frame) -> FrameResult:
        self._kept.append(mmap.mmap(-1, 2**20))
        self._kept[-1].write(b"\1" * 2**20)
        return FrameResult(frame.index, frame.stamp, frame.frame_id, LABELS)


class Growing:
    """A segmenter that after the first frame follows 10 trajectories and no object, then 20 and 1, then 30 and 2..."""

    workload = Workload(0, -1)

    def push(self, frame: Frame) -> FrameResult:
        self.workload = Workload(self.workload.trajectories + 10, self.workload.objects + 1)
        timings = {"tracking": float(frame.index), "total": 1e6}
        return FrameResult(frame.index, frame.stamp, frame.frame_id, LABELS, timings_ms=timings)


class TestBackAndForth:
    def test_turns_round_without_a_cut_or_a_repeated_frame(self):
        frames = list(back_and_forth(clip(4), 11, 50))
        assert [int(frame.image[0, 0, 0]) for frame in frames] == [0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2]

    def test_stamps_and_indices_rise_evenly(self):
        frames = list(back_and_forth(clip(3), 9, 50))
        assert [frame.stamp for frame in frames] == [1000 + 50 * i for i in range(9)]
        assert [frame.index for frame in frames] == list(range(9))
        assert {frame.frame_id for frame in frames} == {"camera"}

    @pytest.mark.parametrize("length", [1, 2])
    def test_short_clips(self, length):
        images = [int(frame.image[0, 0, 0]) for frame in back_and_forth(clip(length), 4, 1)]
        assert images == ([0] * 4 if length == 1 else [0, 1, 0, 1])

    def test_shares_the_images(self):
        frames = clip(2)
        assert all(frame.image is frames[i % 2].image for i, frame in enumerate(back_and_forth(frames, 4, 1)))


class TestMeasure:
    def test_latencies_per_stage(self):
        result = measure(Waiting(), back_and_forth(clip(3), 40, 10**8))
        assert result.frames == 40
        assert result.latency_ms["tracking"].median == 4.0
        assert result.latency_ms["classifier"].frames == 10
        tracking = result.latency_ms["tracking"]
        assert (tracking.p95, tracking.p99, tracking.largest, tracking.mean) == (4.0, 4.0, 4.0, 4.0)
        total = result.latency_ms["total"]
        assert 4.0 <= total.median < 60.0  # a busy machine lets it sleep for longer
        assert 12.0 <= total.p95 <= total.p99 <= total.largest
        # 40 frames take 40 * 4 + 10 * 8 = 240 ms at least.
        assert 0.240 <= result.seconds == pytest.approx(total.mean * 40 / 1e3)
        assert result.frames_per_second == 40 / result.seconds

    def test_shares_of_the_frames_that_were_faster(self):
        """0 to 100 ms: so each share is its own number."""
        tracking = measure(Growing(), back_and_forth(clip(3), 101, 1)).latency_ms["tracking"]
        figures = tracking.median, tracking.p95, tracking.p99, tracking.largest, tracking.mean
        assert figures == pytest.approx((50.0, 95.0, 99.0, 100.0, 50.0))

    def test_the_total_is_measured_here(self):
        """What the pipeline tells as its total is another figure, and not listed as a stage."""
        result = measure(Growing(), clip(3))
        assert set(result.latency_ms) == {"total", "tracking"}
        assert result.latency_ms["total"].largest < 1e6

    @pytest.mark.parametrize(("count", "trajectories", "objects"), [(1, 10, 0), (2, 15, 0.5), (4, 25, 1.5)])
    def test_the_workload_is_the_mean_over_frames(self, count, trajectories, objects):
        result = measure(Growing(), back_and_forth(clip(3), count, 1))
        assert (result.trajectories, result.objects) == (trajectories, objects)

    def test_gpu_memory_is_told_where_one_is_in_use(self, gpus):
        gpus(first=200, second=30)
        assert measure(Growing(), clip(2)).gpu_peak_mb == 230.0

    def test_without_a_gpu_there_is_no_figure(self, monkeypatch):
        monkeypatch.setattr("motionseg_ros.device.memory._cuda", lambda: None)
        assert measure(Growing(), clip(2)).gpu_peak_mb is None

    def test_making_frames_is_not_counted(self):
        def slow():
            for frame in clip(5):
                time.sleep(0.05)
                yield frame

        assert measure(Waiting(), slow()).seconds < 0.2

    def test_memory_growth_shows(self):
        result = measure(Hoarder(), back_and_forth(clip(3), 400, 10**8))
        assert sorted(result.resident_mb) == [100, 200, 300, 400]
        # 100 MB more from frame 300 to frame 400.
        assert result.resident_mb[400] - result.resident_mb[300] == pytest.approx(100, abs=20)
        assert result.memory_growth == result.resident_mb[400] / result.resident_mb[300] > 1
        assert result.peak_mb >= result.resident_mb[400] * 0.99

    @pytest.mark.parametrize("frames", [1, MEMORY_MARK])
    def test_short_runs_tell_no_growth(self, frames):
        assert measure(Hoarder(), back_and_forth(clip(2), frames, 1)).memory_growth is None

    def test_systems_that_do_not_tell(self):
        assert Throughput(400, 1.0, {}).memory_growth is None

    def test_no_frames(self):
        with pytest.raises(ValueError, match="at least one frame"):
            measure(Waiting(), [])

    def test_reports_progress(self):
        calls = []
        measure(Hoarder(), clip(3), on_frame=lambda: calls.append(1))
        assert len(calls) == 3
