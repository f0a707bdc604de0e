"""Scores as a document (JSON) and as tables (terminal)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from .objects import ObjectScore
from .sequence import SequenceScore

Row = dict[str, float | None]


def figures(score: SequenceScore) -> Row:
    """The figures of a sequence by name; None where it has nothing that the figure is about."""
    region, boundary = score.region, score.boundary
    return {
        "J_mean": region and region.mean,
        "J_recall": region and region.recall,
        "J_decay": region and region.decay,
        "F_mean": boundary and boundary.mean,
        "F_recall": boundary and boundary.recall,
        "F_decay": boundary and boundary.decay,
        "JF_mean": (region.mean + boundary.mean) / 2 if region and boundary else None,
        "false_area_percent": score.false_area,
        "objects_per_frame": score.objects_per_frame,
        "false_objects_per_frame": score.false_objects_per_frame,
    }


def mean_over_sequences(scores: Sequence[SequenceScore]) -> Row:
    """Each figure's mean over the sequences that have it; of objects, over all objects of all sequences."""
    rows = [figures(score) for score in scores]
    objects = [item for score in scores for item in score.objects]
    return {name: _mean(row[name] for row in rows) for name in rows[0]} | {
        "object_J_mean": _mean(item.region.mean for item in objects),
        "object_F_mean": _mean(item.boundary.mean for item in objects),
        "object_JF_mean": _mean((item.region.mean + item.boundary.mean) / 2 for item in objects),
        "object_switches": _mean(item.switches for item in objects),
    }


def mean_over_frames(scores: Sequence[SequenceScore]) -> Row:
    """Mean over all frames; of J and F, over those of sequences in which something moves."""
    frames = [frame for score in scores for frame in score.frames]
    moving = [frame for score in scores if not score.truth.empty for frame in score.frames]
    return {
        "J_mean": _mean(frame.region for frame in moving),
        "J_recall": _mean(frame.region > 0.5 for frame in moving),
        "F_mean": _mean(frame.boundary for frame in moving),
        "F_recall": _mean(frame.boundary > 0.5 for frame in moving),
        "JF_mean": _mean((frame.region + frame.boundary) / 2 for frame in moving),
        "false_area_percent": _mean(frame.predicted_percent for frame in frames if frame.truth_empty),
        "objects_per_frame": _mean(frame.objects for frame in frames),
        "false_objects_per_frame": _mean(frame.false_objects for frame in frames),
    }


def document(scores: Sequence[SequenceScore]) -> dict[str, Any]:
    """Everything measured, ready for JSON."""
    return {
        "mean_over_sequences": mean_over_sequences(scores),
        "mean_over_frames": mean_over_frames(scores),
        "num_sequences": len(scores),
        "num_frames": sum(len(score.frames) for score in scores),
        "sequences": {
            score.name: figures(score)
            | {
                "num_frames": len(score.frames),
                "objects": [_object(item) for item in score.objects],
                "per_frame": [asdict(frame) for frame in score.frames],
            }
            for score in scores
        },
    }


def score_table(scores: Sequence[SequenceScore]) -> Table:
    """One row per sequence, then the means."""
    columns = (
        "frames",
        "J\nmean",
        "J\nrecall",
        "F\nmean",
        "J&F",
        "false\narea %",
        "objects",
        "false\nobjects",
    )
    table = _table("Foreground: all moving objects together", columns)
    for score in scores:
        table.add_row(score.name, str(len(score.frames)), *_cells(figures(score)))
    num_frames = str(sum(len(score.frames) for score in scores))
    table.add_section()
    table.add_row("mean (sequences)", num_frames, *_cells(mean_over_sequences(scores)))
    table.add_row("mean (frames)", num_frames, *_cells(mean_over_frames(scores)))
    return table


def object_table(scores: Sequence[SequenceScore]) -> Table:
    """One row per object of the ground truth, then the mean."""
    columns = ("object", "predicted\nid", "frames", "J\nmean", "J\nrecall", "F\nmean", "J&F", "id\nswitches")
    table = _table("Objects, each against the predicted id that fits it best", columns)
    for score in scores:
        for item in score.objects:
            matched = "none" if item.matched is None else str(item.matched)
            cells = (item.region.mean, item.region.recall, item.boundary.mean, _both(item))
            table.add_row(
                score.name, str(item.id), matched, str(item.frames), *map(_score, cells), str(item.switches)
            )
    mean = mean_over_sequences(scores)
    table.add_section()
    cells = (mean["object_J_mean"], None, mean["object_F_mean"], mean["object_JF_mean"])
    table.add_row("mean (objects)", "", "", "", *map(_score, cells), _number(mean["object_switches"]))
    return table


def _table(title: str, columns: Sequence[str]) -> Table:
    """A table that fits 80 columns: narrow headings, no frame."""
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title_justify="left")
    table.add_column("sequence", overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _object(item: ObjectScore) -> dict[str, Any]:
    return {
        "id": item.id,
        "matched": item.matched,
        "visible_frames": item.frames,
        "J": asdict(item.region),
        "F": asdict(item.boundary),
        "JF_mean": _both(item),
        "switches": item.switches,
        "J_per_frame": item.region_per_frame,
        "F_per_frame": item.boundary_per_frame,
    }


def _both(item: ObjectScore) -> float:
    return (item.region.mean + item.boundary.mean) / 2


def _cells(row: Row) -> list[str]:
    scores = [_score(row[name]) for name in ("J_mean", "J_recall", "F_mean", "JF_mean")]
    counts = ("false_area_percent", "objects_per_frame", "false_objects_per_frame")
    return scores + [_number(row[name]) for name in counts]


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
