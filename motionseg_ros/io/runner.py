"""Run a segmenter over a source into a writer, and leave everything whole however it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Protocol

from ..core.config import Config
from ..core.errors import MotionSegError, OutputError, SourceError
from ..core.types import Frame, FrameResult
from .continuity import continuous
from .prefetch import prefetch
from .sources import FrameSource
from .summary import RunSummary
from .writers import ResultWriter

_NOTE_PERIOD_S = 5.0
_READ_AHEAD = 3
_WRITE_BEHIND = 2


class Segmenter(Protocol):
    """What a run asks of the pipeline."""

    def push(self, frame: Frame) -> FrameResult:
        """The result for the next frame."""


def run(
    source: FrameSource,
    segmenter: Segmenter,
    writer: ResultWriter,
    config: Config,
    stop: threading.Event | None = None,
    progress: Callable[[int], None] = lambda frames: None,
) -> RunSummary:
    """Segment every frame of `source` and write the results; closes the writer in any case.

    Frames are read and results are written while the segmenter works on the next frame; a few frames at most
    wait in between. Setting `stop` ends the run after the frame at hand, with all results so far written.

    Args:
        progress: called with the number of frames written, after each.

    Raises:
        MotionSegError: what ended the run early; the message says how many frames were written.
    """
    stop = stop or threading.Event()
    summary = RunSummary(source, config)
    failure: BaseException | None = None
    try:
        writer.note(summary.as_dict(complete=False, stopped_by="still running, or killed"))
        noted = time.monotonic()
        with closing(prefetch(_results(source, segmenter, config, stop), _WRITE_BEHIND)) as results:
            for frame, result, latency_ms in results:
                writer.write(frame, result)
                summary.add(result, latency_ms)
                progress(summary.frames)
                if time.monotonic() - noted > _NOTE_PERIOD_S:
                    writer.note(summary.as_dict(complete=False, stopped_by="still running, or killed"))
                    noted = time.monotonic()
        if summary.frames == 0 and not stop.is_set():
            raise SourceError(f"{source.name} holds no frames; give another source")
    except BaseException as error:  # also an interrupt: the files are closed before it goes on
        failure = error
    _close(writer, summary, failure, stop)
    if isinstance(failure, MotionSegError):
        raise type(failure)(f"{failure}; {_how_far(summary, source)} in {writer.path}") from failure
    if failure is not None:
        raise failure
    return summary


def was_stopped(summary: RunSummary, source: FrameSource, stop: threading.Event) -> bool:
    """Whether `stop` ended the run before the source did."""
    return stop.is_set() and (source.length is None or summary.frames < source.length)


def _results(
    source: FrameSource, segmenter: Segmenter, config: Config, stop: threading.Event
) -> Iterator[tuple[Frame, FrameResult, float]]:
    """(frame, result, latency in ms) of each frame."""
    frames: Iterator[Frame] = iter(source)
    if config.source.on_discontinuity == "error":
        frames = continuous(frames, source.name)
    with closing(prefetch(frames, _READ_AHEAD)) as ahead:
        for frame in ahead:
            if stop.is_set():
                return
            begin = time.perf_counter()
            result = segmenter.push(frame)
            yield frame, result, (time.perf_counter() - begin) * 1e3


def _close(
    writer: ResultWriter, summary: RunSummary, failure: BaseException | None, stop: threading.Event
) -> None:
    """Close the writer; its errors matter only where nothing failed before."""
    complete = failure is None and not was_stopped(summary, summary.source, stop)
    stopped_by = None if complete else "interrupted"
    if failure is not None and not isinstance(failure, KeyboardInterrupt):
        stopped_by = str(failure) or type(failure).__name__
    record = summary.as_dict(complete, stopped_by)
    if failure is None:
        writer.close(record)
        return
    with suppress(OutputError):
        writer.close(record)


def _how_far(summary: RunSummary, source: FrameSource) -> str:
    expected = "" if source.length is None else f" of {source.length}"
    return f"{summary.frames}{expected} frames are"
