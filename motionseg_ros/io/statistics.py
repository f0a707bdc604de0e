"""Duration statistics in constant memory."""

from __future__ import annotations

import math

import numpy as np

_FLOOR_MS = 1e-3
_RATIO = 1.02
_BINS = 1000


class Durations:
    """Mean, median and 95th percentile of any number of durations, ms.

    Percentiles come from a histogram with bins 2 % wide from 1 microsecond to 6 minutes.
    """

    def __init__(self) -> None:
        self._bins = np.zeros(_BINS, np.int64)
        self._sum = 0.0
        self._count = 0

    def add(self, milliseconds: float) -> None:
        """Count one duration."""
        position = math.log(max(milliseconds, _FLOOR_MS) / _FLOOR_MS) / math.log(_RATIO)
        self._bins[min(int(position), _BINS - 1)] += 1
        self._sum += milliseconds
        self._count += 1

    def percentile(self, percent: float) -> float:
        """The duration that `percent` of all do not exceed, within 1 %; 0 without any."""
        if self._count == 0:
            return 0.0
        reached = np.searchsorted(np.cumsum(self._bins), self._count * percent / 100.0)
        return _FLOOR_MS * _RATIO ** (float(reached) + 0.5)

    def summary(self) -> dict[str, float]:
        """For ``summary.json``: mean, median and p95 in ms."""
        mean = self._sum / self._count if self._count else 0.0
        return {
            "mean": round(mean, 3),
            "median": round(self.percentile(50), 3),
            "p95": round(self.percentile(95), 3),
        }
