"""A segmenter's way over the frames: once, or forward and backward in time."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol

from ..core.errors import SourceError
from ..core.offline import Overlaps, join, match_objects, mirrored, unmirrored
from ..core.types import Frame, FrameResult
from .prefetch import prefetch
from .spool import Spool, pack_frame, pack_result, unpack_frame, unpack_result

_READ_AHEAD = 3
PHASES = ("forward", "backward", "write")
"""What an offline run does, in this order."""

Timed = tuple[Frame, FrameResult, float]
"""A frame, its result, and the milliseconds that the segmenter took for it."""


class Segmenter(Protocol):
    """What a run asks of the pipeline."""

    def push(self, frame: Frame) -> FrameResult:
        """The result for the next frame."""


def once(frames: Iterable[Frame], segmenter: Segmenter, stop: threading.Event) -> Iterator[Timed]:
    """Each frame with its result, up to the one at hand when `stop` is set; frames are read ahead."""
    with closing(prefetch(frames, _READ_AHEAD)) as ahead:
        for frame in ahead:
            if stop.is_set():
                return
            begin = time.perf_counter()
            result = segmenter.push(frame)
            yield frame, result, (time.perf_counter() - begin) * 1e3


def forward_and_backward(
    frames: Iterable[Frame],
    segmenters: tuple[Segmenter, Segmenter],
    folder: Path,
    stop: threading.Event,
    progress: Callable[[str, int], None],
) -> Iterator[Timed]:
    """Each frame with the joined result of both passes, after all frames have been read.

    An error of the source is raised after the joined results of all frames before it.

    Args:
        segmenters: two fresh ones, for the pass forward and the pass backward.
        folder: on whose disk frames and results wait meanwhile.
        stop: ends the passes, or the results, when set.
        progress: called with the pass and the number of frames it has done, after each.
    """
    with Spool(folder) as spool, Spool(folder) as forward, Spool(folder) as backward:
        broken_off = _pass_forward(frames, segmenters[0], stop, progress, spool, forward)
        overlaps = _pass_backward(segmenters[1], stop, progress, spool, forward, backward)
        match = match_objects(overlaps)
        count = len(spool)
        for number in range(count):
            if stop.is_set():
                return
            ours, our_ms = _unpack_timed(forward[number])
            theirs, their_ms = _unpack_timed(backward[count - 1 - number])
            yield unpack_frame(spool[number]), join(ours, theirs, match), our_ms + their_ms
        if broken_off is not None:
            raise broken_off


def _pass_forward(
    frames: Iterable[Frame],
    segmenter: Segmenter,
    stop: threading.Event,
    progress: Callable[[str, int], None],
    spool: Spool,
    results: Spool,
) -> SourceError | None:
    """Spool every frame and its result; returns the error that ended the source early, if one did."""

    def spooled() -> Iterator[Frame]:
        for frame in frames:
            spool.append(pack_frame(frame))
            yield frame

    try:
        with closing(once(spooled(), segmenter, stop)) as timed:
            for _, result, milliseconds in timed:
                results.append(_pack_timed(result, milliseconds))
                progress("forward", len(results))
    except SourceError as error:
        return error
    return None


def _pass_backward(
    segmenter: Segmenter,
    stop: threading.Event,
    progress: Callable[[str, int], None],
    spool: Spool,
    forward: Spool,
    results: Spool,
) -> Overlaps:
    """Spool the results from the last frame to the first, and compare them with those of the pass forward.

    Mirrored stamps have the same distances, so a stream that breaks somewhere breaks there in this pass, too.
    """
    overlaps = Overlaps()
    if stop.is_set() or not len(spool):
        return overlaps
    numbers = range(len(spool) - 1, -1, -1)
    pivot = unpack_frame(spool[numbers[0]]).stamp
    frames = (mirrored(unpack_frame(spool[number]), pivot) for number in numbers)
    with closing(once(frames, segmenter, stop)) as timed:
        for number, (_, result, milliseconds) in zip(numbers, timed, strict=False):  # shorter when stopped
            result = unmirrored(result, pivot)
            overlaps.add(_unpack_timed(forward[number])[0], result)
            results.append(_pack_timed(result, milliseconds))
            progress("backward", len(results))
    return overlaps


def _pack_timed(result: FrameResult, milliseconds: float) -> bytes:
    return struct.pack("<d", milliseconds) + pack_result(result)


def _unpack_timed(data: bytes) -> tuple[FrameResult, float]:
    return unpack_result(data[8:]), struct.unpack("<d", data[:8])[0]
