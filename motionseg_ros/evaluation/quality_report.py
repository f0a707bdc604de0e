"""Scores of the rendered benchmark as a table and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from .quality import QualitySummary, SceneQuality, summarise

_COLUMNS = (
    "objects",
    "J",
    "id\nswitches",
    "false\nobjects",
    "J\nmoving",
    "moving\nIoU",
    "mtIoU",
    "false\npos.",
)


def quality_table(scenes: Sequence[SceneQuality]) -> Table:
    """One row per scene, then all together. Switches are per object, false ones per frame."""
    title = "Rendered benchmark (J moving, mtIoU and false pos.: MOS-I)"
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title_justify="left")
    table.add_column("scene", overflow="fold")
    for column in _COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for scene in scenes:
        table.add_row(scene.name, *_cells(summarise([scene])))
    table.add_section()
    table.add_row("all", *_cells(summarise(scenes)))
    return table


def quality_document(scenes: Sequence[SceneQuality], difficulties: Mapping[str, str]) -> dict[str, Any]:
    """Everything measured, ready for JSON; `difficulties` by the scenes' names."""
    return {
        "all": asdict(summarise(scenes)),
        "scenes": {
            scene.name: {"difficulty": difficulties[scene.name]}
            | {key: value for key, value in asdict(summarise([scene])).items() if key != "scenes"}
            | {"per_object": [asdict(item) for item in scene.objects]}
            for scene in scenes
        },
    }


def _cells(row: QualitySummary) -> list[str]:
    return [
        str(row.objects),
        _figure(row.region, 3),
        _figure(row.switches, 2),
        _figure(row.false_objects, 2),
        _figure(row.moving_region, 3),
        _figure(row.moving_iou, 3),
        _figure(row.mtiou, 3),
        _figure(row.false_positives, 2),
    ]


def _figure(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
