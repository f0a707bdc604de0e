"""Counts what happens to every frame, for diagnostics. Thread-safe, bounded."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

RATE_WINDOW = 5.0
"""Rates and latencies are those of the newest seconds, s."""


@dataclass(frozen=True)
class Counts:
    """Frames since the node was configured.

    Every frame that the publisher sent after the node's first one is in exactly one of `lost`, `answered`,
    `dropped`, `bad`, `failed`, `unpaired`, `skipped`, or in work or waiting for its depth.

    Args:
        received: came into the node.
        lost: sent by the publisher, but never came into the node (unknown, thus 0, on Humble).
        answered: a result was published.
        dropped: replaced by a newer one before its turn came.
        bad: the message is no image.
        failed: an unexpected error in the pipeline.
        unpaired: no depth image came for it.
        skipped: came while the node was disabled or being stopped.
        restarts: fresh windows that the stream made necessary.
        reduced: frames in which a stage had to leave something undone.
    """

    received: int = 0
    lost: int = 0
    answered: int = 0
    dropped: int = 0
    bad: int = 0
    failed: int = 0
    unpaired: int = 0
    skipped: int = 0
    restarts: int = 0
    reduced: int = 0

    def __sub__(self, other: Counts) -> Counts:
        return Counts(**{name: value - vars(other)[name] for name, value in vars(self).items()})


@dataclass(frozen=True)
class Snapshot:
    """What is known at one moment.

    Args:
        counts: totals.
        input_rate, output_rate: Hz, over `RATE_WINDOW`.
        processing_ms, latency_ms: median and 95th percentile over `RATE_WINDOW`, from arrival and from the stamp to
            publication; None where there were no frames.
        stages_ms: smoothed milliseconds per stage.
        published: messages per output topic.
        last: the last reason per counter.
        idle_for: seconds since the last image.
    """

    counts: Counts
    input_rate: float
    output_rate: float
    processing_ms: tuple[float, float] | None
    latency_ms: tuple[float, float] | None
    stages_ms: dict[str, float]
    published: dict[str, int]
    last: dict[str, str]
    idle_for: float


class Statistics:
    """Counters and the newest timings."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counts()
        self._received: deque[float] = deque(maxlen=2000)
        self._answered: deque[tuple[float, float, float]] = deque(maxlen=2000)
        self._stages: dict[str, float] = {}
        self._published: dict[str, int] = {}
        self._last: dict[str, str] = {}
        self._since = time.monotonic()

    def count(self, name: str, amount: int = 1, reason: str = "") -> None:
        """Add to the counter `name` of `Counts`; `reason` is kept as the last one of its kind."""
        with self._lock:
            self._counts = replace(self._counts, **{name: getattr(self._counts, name) + amount})
            if reason:
                self._last[name] = reason

    def received(self) -> int:
        """A frame came in; returns its number, from 0."""
        self.count("received")
        with self._lock:
            self._since = time.monotonic()
            self._received.append(self._since)
            return self._counts.received - 1

    def answered(
        self,
        processing_ms: float,
        latency_ms: float,
        stages_ms: Mapping[str, float],
        published: Iterable[str] = (),
    ) -> None:
        """A result went out on the topics `published`, so long after the frame came in and after its stamp."""
        self.count("answered")
        with self._lock:
            self._answered.append((time.monotonic(), processing_ms, latency_ms))
            for stage, ms in stages_ms.items():
                # Smoothed: the slow path runs in every few frames only.
                self._stages[stage] = self._stages.get(stage, ms) * 0.9 + ms * 0.1
            for output in published:
                self._published[output] = self._published.get(output, 0) + 1

    def waiting_from_now(self) -> None:
        """Images are expected from now on."""
        with self._lock:
            self._since = time.monotonic()

    def snapshot(self) -> Snapshot:
        """Everything, as of now."""
        with self._lock:
            now = time.monotonic()
            received = [t for t in self._received if now - t <= RATE_WINDOW]
            answered = [entry for entry in self._answered if now - entry[0] <= RATE_WINDOW]
            return Snapshot(
                counts=self._counts,
                input_rate=_rate(received),
                output_rate=_rate([entry[0] for entry in answered]),
                processing_ms=_median_p95([entry[1] for entry in answered]),
                latency_ms=_median_p95([entry[2] for entry in answered]),
                stages_ms=dict(self._stages),
                published=dict(self._published),
                last=dict(self._last),
                idle_for=now - self._since,
            )


def _rate(times: list[float]) -> float:
    """Events per second, from the spacing of the events."""
    return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else 0.0


def _median_p95(values: list[float]) -> tuple[float, float] | None:
    if not values:
        return None
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
