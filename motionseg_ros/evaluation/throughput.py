"""How fast frames go through a segmenter, and how much memory it holds."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from ..core.pipeline import Workload
from ..core.types import Frame, FrameResult
from ..device.memory import peak_mb

TOTAL = "total"
"""Name under which the latency of a whole push is listed beside those of the stages."""
MEMORY_MARK = 300
"""Memory is compared with that after so many frames: by then every buffer has been filled."""
_MEMORY_PERIOD = 100
_STATUS = Path("/proc/self/status")


class Segmenter(Protocol):
    """What is measured."""

    @property
    def workload(self) -> Workload:
        """What it has to do in a frame."""

    def push(self, frame: Frame) -> FrameResult:
        """Take one frame, give its result."""


@dataclass(frozen=True)
class Latency:
    """Milliseconds per frame that has the stage."""

    median: float
    p95: float
    p99: float
    largest: float
    mean: float
    frames: int


@dataclass(frozen=True)
class Throughput:
    """What `measure` found.

    Args:
        frames: frames pushed.
        seconds: time spent inside `push`, all frames together.
        latency_ms: per stage, and for the whole push under "total"; slowest stage (by mean) first.
        resident_mb: resident memory after so many frames, MB; empty where the system does not tell.
        peak_mb: the process's greatest resident memory so far, MB, or None where the system does not tell.
        gpu_peak_mb: its greatest GPU memory so far, MB, or None where no GPU is in use.
        trajectories, objects: what the pipeline followed, mean per frame.
    """

    frames: int
    seconds: float
    latency_ms: dict[str, Latency]
    resident_mb: dict[int, float] = field(default_factory=dict)
    peak_mb: float | None = None
    gpu_peak_mb: float | None = None
    trajectories: float = 0.0
    objects: float = 0.0

    @property
    def frames_per_second(self) -> float:
        return self.frames / self.seconds

    @property
    def memory_growth(self) -> float | None:
        """Resident memory at the end over that after 300 frames; None for shorter runs."""
        mark = self.resident_mb.get(MEMORY_MARK)
        return self.resident_mb[self.frames] / mark if mark and self.frames > MEMORY_MARK else None


def measure(
    segmenter: Segmenter, frames: Iterable[Frame], on_frame: Callable[[], None] | None = None
) -> Throughput:
    """Push frames and keep time; making the frames is not counted.

    Args:
        segmenter: as ready as the node's is when its first frame comes.
        frames: at least one.
        on_frame: called after each frame, outside the measured time.

    Raises:
        ValueError: no frames.
    """
    durations: dict[str, array[float]] = {TOTAL: array("d")}
    resident: dict[int, float] = {}
    count = trajectories = objects = 0
    for count, frame in enumerate(frames, start=1):
        begin = time.perf_counter()
        result = segmenter.push(frame)
        durations[TOTAL].append((time.perf_counter() - begin) * 1e3)
        for stage, milliseconds in result.timings_ms.items():
            if stage != TOTAL:
                durations.setdefault(stage, array("d")).append(milliseconds)
        workload = segmenter.workload
        trajectories, objects = trajectories + workload.trajectories, objects + workload.objects
        if count % _MEMORY_PERIOD == 0:
            resident |= _resident(count)
        if on_frame:
            on_frame()
    if not count:
        raise ValueError("frames must hold at least one frame, but got none")
    resident |= _resident(count)
    latencies = {stage: _latency(values) for stage, values in durations.items()}
    return Throughput(
        frames=count,
        seconds=sum(durations[TOTAL]) / 1e3,
        latency_ms=dict(sorted(latencies.items(), key=lambda item: -item[1].mean)),
        resident_mb=resident,
        peak_mb=_memory_mb("VmHWM"),
        gpu_peak_mb=peak_mb(),
        trajectories=trajectories / count,
        objects=objects / count,
    )


def back_and_forth(clip: Sequence[Frame], count: int, period_ns: int) -> Iterator[Frame]:
    """`count` frames from a clip played forth and back, so that no cut arises; stamps and indices rise.

    Args:
        clip: at least one frame; their images are shared, not copied.
        count: frames to give.
        period_ns: time from one stamp to the next, ns.
    """
    turn = max(1, 2 * (len(clip) - 1))
    for index in range(count):
        place = index % turn
        frame = clip[place if place < len(clip) else turn - place]
        yield Frame(frame.image, clip[0].stamp + index * period_ns, frame.frame_id, index)


def _latency(values: array[float]) -> Latency:
    median, p95, p99, largest = np.percentile(values, (50, 95, 99, 100)).tolist()
    return Latency(median, p95, p99, largest, float(np.mean(values)), len(values))


def _resident(count: int) -> dict[int, float]:
    size = _memory_mb("VmRSS")
    return {} if size is None else {count: size}


def _memory_mb(field_name: str) -> float | None:
    """A memory figure of this process (Linux), MB."""
    if not _STATUS.exists():
        return None
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{field_name}:"))
    return int(line.split()[1]) / 1024
