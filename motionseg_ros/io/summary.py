"""What a run says about itself in ``summary.json``."""

from __future__ import annotations

import time
from typing import Any

from ..core.config import Config
from ..core.types import FrameResult
from .frame_source import FrameSource
from .statistics import Durations
from .versions import versions

_MAX_EVENTS = 100


class _Events:
    """What happened in some frames, and why: all are counted, the first ones kept."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[dict[str, Any]] = []

    def add(self, result: FrameResult, reason: str | None) -> None:
        if reason is None:
            return
        self.count += 1
        if len(self.first) < _MAX_EVENTS:
            self.first.append({"index": result.index, "stamp": result.stamp, "reason": reason})


class RunSummary:
    """Collects the figures of a run, in constant memory.

    Args:
        source: what is being read.
        config: the configuration used.
    """

    def __init__(self, source: FrameSource, config: Config) -> None:
        self.frames = 0
        self.source = source
        self._config = config
        self._stages: dict[str, Durations] = {}
        self._latency = Durations()
        self._restarts = _Events()
        self._warnings = _Events()
        self._size: tuple[int, int] | None = None
        self._begin = time.perf_counter()

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self._begin

    @property
    def fps(self) -> float:
        """Frames per second so far, reading and writing included."""
        return self.frames / self.elapsed if self.elapsed > 0 else 0.0

    def add(self, result: FrameResult, latency_ms: float) -> None:
        """Count one written frame; `latency_ms` is from the decoded frame to its result."""
        self.frames += 1
        self._size = self._size or result.size
        self._latency.add(latency_ms)
        for stage, milliseconds in result.timings_ms.items():
            self._stages.setdefault(stage, Durations()).add(milliseconds)
        self._restarts.add(result, result.restart)
        self._warnings.add(result, result.warning)

    def as_dict(self, complete: bool, stopped_by: str | None = None) -> dict[str, Any]:
        """The summary as JSON-ready values.

        Args:
            complete: whether every frame of the source was written.
            stopped_by: why not, in one line.
        """
        height, width = self._size or (0, 0)
        return {
            "complete": complete,
            "stopped_by": stopped_by,
            "frames": self.frames,
            "frames_expected": self.source.length,
            "fps": round(self.fps, 3),
            "seconds": round(self.elapsed, 3),
            "stages_ms": {stage: durations.summary() for stage, durations in self._stages.items()},
            "latency_ms": self._latency.summary(),
            "restart_count": self._restarts.count,
            "restarts": self._restarts.first,
            "warning_count": self._warnings.count,
            "warnings": self._warnings.first,
            "source": {
                "path": self.source.name,
                "kind": self.source.kind,
                "description": self.source.describe(),
                "frame_id": self.source.frame_id,
                "fps": self.source.fps,
                "width": width,
                "height": height,
            },
            "versions": versions(),
            "config": self._config.model_dump(mode="json"),
        }
