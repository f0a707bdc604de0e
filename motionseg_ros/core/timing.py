"""Milliseconds per stage of one frame."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class StageTimer:
    """``with timer("track"): ...`` adds to `milliseconds`; `total` is the time since it was made."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}
        self._begin = time.perf_counter()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            spent = (time.perf_counter() - begin) * 1e3
            self.milliseconds[stage] = self.milliseconds.get(stage, 0.0) + spent

    def finish(self) -> dict[str, float]:
        """All stages and "total"."""
        return {**self.milliseconds, "total": (time.perf_counter() - self._begin) * 1e3}
