"""The demo's results: files as `motionseg segment` writes them, a contact sheet, and the score."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from ..core.types import FrameResult
from ..evaluation.layout import match_frames, pair_sequences
from ..evaluation.report import document
from ..evaluation.sequence import SequenceScore, evaluate_sequence
from ..io.atomic import write_atomic
from ..io.folder_writer import FolderWriter
from ..io.overlay import contact_sheet, draw_overlay
from ..io.sources import open_source
from .demo_run import Live

CONTACT_SHEET = "contact_sheet.png"
SCORE = "score.json"

_SHEET_FRAMES, _SHEET_COLUMNS, _SHEET_SIZE = 12, 4, (320, 240)


def write_results(output: Path, recording: Path, topic: str, live: Live) -> None:
    """Write labels, instances, summary, overlay video and contact sheet.

    A frame without an answer gets an empty label image, so it counts as wrong in the score.

    Raises:
        OutputError: they cannot be written.
    """
    with open_source(recording, topic) as source:
        writer = FolderWriter(output, overlay=True, overwrite=True, fps=source.fps)
        shown = set(np.linspace(0, source.length - 1, _SHEET_FRAMES).round().astype(int))
        pictures = []
        for frame in source:
            result = live.results.get(frame.index)
            if result is None:
                empty = np.zeros(frame.size, np.uint16)
                result = FrameResult(frame.index, frame.stamp, frame.frame_id, empty)
            writer.write(frame, result)
            if frame.index in shown:
                pictures.append(
                    cv2.resize(draw_overlay(frame.image, result), _SHEET_SIZE, interpolation=cv2.INTER_AREA)
                )
        writer.close(_summary(live))
    sheet = cv2.imencode(".png", contact_sheet(pictures, _SHEET_COLUMNS))[1]
    write_atomic(output / CONTACT_SHEET, sheet.tobytes())


def score(output: Path, truth: Path) -> SequenceScore:
    """Score the label images, and write everything measured to a file."""
    ((name, folders),) = pair_sequences(output, truth).items()
    result = evaluate_sequence(name, match_frames(*folders))
    write_atomic(output / SCORE, json.dumps(document([result]), indent=1).encode())
    return result


def latency_quantiles(live: Live) -> tuple[float, float]:
    """Median and 95th percentile, ms; nan without answers."""
    if not len(live.latency_ms):
        return float("nan"), float("nan")
    median, p95 = np.percentile(live.latency_ms, (50, 95))
    return float(median), float(p95)


def _summary(live: Live) -> dict:
    median, p95 = latency_quantiles(live)
    known = bool(len(live.latency_ms))
    return {
        "frames": live.sent,
        "answered": len(live.results),
        "latency_ms": {"median": round(median, 2), "p95": round(p95, 2)} if known else None,
        "diagnostics": live.diagnostics,
    }
