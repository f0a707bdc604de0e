"""Run a segmenter over a source into a writer, and leave everything whole however it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

from ..core.config import Config
from ..core.errors import MotionSegError, OutputError, SourceError
from ..core.types import Frame
from .continuity import continuous
from .frame_source import FrameSource
from .passes import Segmenter, Timed, forward_and_backward, once
from .prefetch import prefetch
from .summary import RunSummary
from .writers import ResultWriter

_NOTE_PERIOD_S = 5.0
_WRITE_BEHIND = 2
_RUNNING = "still running, or killed"


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
    results = once(_frames(source, config), segmenter, stop)
    return _write_all(results, source, writer, RunSummary(source, config), stop, progress, offline=False)


def run_offline(
    source: FrameSource,
    segmenters: tuple[Segmenter, Segmenter],
    writer: ResultWriter,
    config: Config,
    stop: threading.Event | None = None,
    progress: Callable[[str, int], None] = lambda phase, frames: None,
) -> RunSummary:
    """Segment `source` forward and backward in time, join both and write that; closes the writer in any case.

    Frames and results of both passes wait on the disk that the results go to. Where the source breaks off, what
    comes before is segmented all the same. Setting `stop` ends the run after the frame at hand; nothing has been
    written before the last phase.

    Args:
        segmenters: two fresh ones, for the pass forward and the pass backward.
        progress: called with the phase (one of `passes.PHASES`) and the number of frames done in it, after
            each, from any thread.

    Raises:
        MotionSegError: what ended the run early; the message says how many frames were written.
    """
    stop = stop or threading.Event()
    folder = writer.path if writer.path.is_dir() else writer.path.parent
    results = forward_and_backward(_frames(source, config), segmenters, folder, stop, progress)
    return _write_all(
        results,
        source,
        writer,
        RunSummary(source, config),
        stop,
        lambda frames: progress("write", frames),
        offline=True,
    )


def was_stopped(summary: RunSummary, source: FrameSource, stop: threading.Event) -> bool:
    """Whether `stop` ended the run before the source did."""
    return stop.is_set() and (source.length is None or summary.frames < source.length)


def _write_all(
    results: Iterator[Timed],
    source: FrameSource,
    writer: ResultWriter,
    summary: RunSummary,
    stop: threading.Event,
    progress: Callable[[int], None],
    offline: bool,
) -> RunSummary:
    """Write what comes, and close the writer however that ends."""
    failure: BaseException | None = None
    try:
        writer.note(_record(summary, offline, complete=False, stopped_by=_RUNNING))
        noted = time.monotonic()
        with closing(prefetch(results, _WRITE_BEHIND)) as ahead:
            for frame, result, latency_ms in ahead:
                writer.write(frame, result)
                summary.add(result, latency_ms)
                progress(summary.frames)
                if time.monotonic() - noted > _NOTE_PERIOD_S:
                    writer.note(_record(summary, offline, complete=False, stopped_by=_RUNNING))
                    noted = time.monotonic()
        if summary.frames == 0 and not stop.is_set():
            raise SourceError(f"{source.name} holds no frames; give another source")
    except BaseException as error:  # also an interrupt: the files are closed before it goes on
        failure = error
    _close(writer, summary, failure, stop, offline)
    if isinstance(failure, MotionSegError):
        raise type(failure)(f"{failure}; {_how_far(summary, source)} in {writer.path}") from failure
    if failure is not None:
        raise failure
    return summary


def _frames(source: FrameSource, config: Config) -> Iterator[Frame]:
    """The frames of the source, up to the first break where the configuration wants that."""
    frames: Iterator[Frame] = iter(source)
    return continuous(frames, source.name) if config.source.on_discontinuity == "error" else frames


def _record(summary: RunSummary, offline: bool, complete: bool, stopped_by: str | None) -> dict[str, Any]:
    """What goes into ``summary.json``."""
    return {"offline": offline, **summary.as_dict(complete, stopped_by)}


def _close(
    writer: ResultWriter,
    summary: RunSummary,
    failure: BaseException | None,
    stop: threading.Event,
    offline: bool,
) -> None:
    """Close the writer; its errors matter only where nothing failed before."""
    complete = failure is None and not was_stopped(summary, summary.source, stop)
    stopped_by = None if complete else "interrupted"
    if failure is not None and not isinstance(failure, KeyboardInterrupt):
        stopped_by = str(failure) or type(failure).__name__
    record = _record(summary, offline, complete, stopped_by)
    if failure is None:
        writer.close(record)
        return
    with suppress(OutputError):
        writer.close(record)


def _how_far(summary: RunSummary, source: FrameSource) -> str:
    expected = "" if source.length is None else f" of {source.length}"
    return f"{summary.frames}{expected} frames are"
