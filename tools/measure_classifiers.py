"""Scores trajectory classifiers on sequences with known truth, without grouping and masks.

python tools/measure_classifiers.py -c geometric -c homography --contact sheets

Tracked windows are kept in the cache folder, so that only the first run takes minutes. The threshold of the
alarms is that of 80 % recall on davis16-dev (or on all sequences with movers where that set is not asked for).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from motionseg_ros.assembly import build_classifier
from motionseg_ros.core.config import Config
from motionseg_ros.core.errors import ConfigError, MotionSegError
from motionseg_ros.core.pipeline import MIN_VISIBLE
from motionseg_ros.core.protocols import Classifier
from motionseg_ros.evaluation import trajectories as measure
from motionseg_ros.io.atomic import write_atomic
from motionseg_ros.io.config_files import load_config
from motionseg_ros.io.overlay import contact_sheet

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
THRESHOLD_SET = "davis16-dev"
# The check set is left out on purpose: it is to be looked at when everything is fixed.
DEFAULT_SETS = (THRESHOLD_SET, "static-scene", "rendered")
SHEET_PANELS = 6
SHEET_WIDTH = 640
MARKED = 6
"""Worst errors marked per panel, of each kind."""
_FALSE_ALARM, _MISSED, _OUTLINE, _POSITIVE = (0, 255, 255), (0, 255, 0), (200, 200, 200), (255, 255, 255)


@dataclass(frozen=True, eq=False)
class Result:
    """What one classifier scored."""

    label: str
    scores: list[measure.TrajectoryScore]
    threshold: float | None
    milliseconds: float


def main(
    classifier: Annotated[
        list[str] | None,
        typer.Option("-c", "--classifier", help="Name in the configuration, or homography; may be repeated."),
    ] = None,
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="Weights of a learned classifier; may be repeated.")
    ] = None,
    on: Annotated[
        list[str] | None,
        typer.Option(
            help="A set of the data folder, SET/SEQUENCE, rendered, or a scene's name; may be repeated. "
            f"Default: {', '.join(DEFAULT_SETS)}."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Replace one option; may be repeated.", metavar="K=V")
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Frames between two windows of the plain scores.")] = 4,
    visible: Annotated[
        int, typer.Option(min=MIN_VISIBLE, help="Leave out trajectories seen in fewer frames.")
    ] = MIN_VISIBLE,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds per rendered scene.")] = 2,
    size: Annotated[str, typer.Option(help="Image size of rendered scenes.", metavar="WxH")] = "640x480",
    frames: Annotated[int | None, typer.Option(min=1, help="At most that many of each sequence.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Where windows are kept.")] = None,
    json: Annotated[Path | None, typer.Option(help="Also write all figures to this file.")] = None,
    contact: Annotated[Path | None, typer.Option(help="Draw a picture per sequence in this folder.")] = None,
    bare: Annotated[
        bool,
        typer.Option("--bare", help="Draw trajectories only, not the frames, which may not be ours to show."),
    ] = False,
) -> None:
    """Average precision per sequence, false alarms on rigid scenes, the effect of smoothing, and time."""
    config = load_config("cpu", set_ or ())
    stride = config.window.stride
    if every % stride:
        raise ConfigError(f"--every {every}: must be a multiple of window.stride, {stride}")
    named = make_classifiers(classifier or ([] if checkpoint else ["geometric"]), checkpoint or (), config)
    data = Path(os.environ.get("MOTIONSEG_DATA", DATA))
    sequences = {  # by name, since sets may be asked for twice
        (item.group, item.name): item
        for name in on or DEFAULT_SETS
        for item in measure.find_labelled(name, data, seeds, parse_size(size), frames)
    }
    windows = collect(list(sequences.values()), config, cache or default_cache())
    windows = [measure.seen_for(found, visible) for found in windows]
    results: list[Result] = []
    console = Console(width=None if sys.stdout.isatty() else 120)  # in a file, tables are not squeezed
    for label, made in named.items():
        classified = [
            measure.classify(item, found, made, every // stride)
            for item, found in zip(sequences.values(), windows, strict=True)
        ]
        results.append(assess(label, classified, config))
        console.print(sequence_table(results[-1]))
        if contact:
            draw_sheets(contact, label, list(sequences.values()), classified, bare)
    console.print(summary_table(results))
    if json:
        import json as format

        text = format.dumps(document(results, config, every, visible), indent=1, allow_nan=False)
        write_atomic(json, text.encode() + b"\n")


def make_classifiers(
    names: Sequence[str], checkpoints: Sequence[Path], config: Config
) -> dict[str, Classifier]:
    """Classifiers by the label they have in tables.

    Raises:
        ConfigError: a name that the configuration does not know, or a checkpoint that is no file.
    """
    made: dict[str, Classifier] = {}
    for name in names:
        if name == "homography":
            made[name] = measure.HomographyClassifier()
        else:
            made[name] = build_classifier(
                config.with_values({"classifier.name": name}, f"--classifier {name}")
            )
    for path in checkpoints:
        if not path.is_file():
            raise ConfigError(f"--checkpoint {path}: no such file; check the path")
        from motionseg_ros.trajectories.classifier import TrajectoryClassifier

        label = path.stem if path.stem not in made else str(path)
        made[label] = TrajectoryClassifier.from_checkpoint(path)
    return made


def default_cache() -> Path:
    """A folder of the user's own."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "motionseg_ros" / "windows"


def parse_size(text: str) -> tuple[int, int]:
    """(width, height) from e.g. "640x480"."""
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match or not all(16 <= int(side) <= 4096 for side in match.groups()):
        raise ConfigError(f"--size {text}: must be width x height in px, 16 to 4096 each, e.g. 640x480")
    return int(match[1]), int(match[2])


def collect(
    sequences: Sequence[measure.Labelled], config: Config, cache: Path
) -> list[list[measure.LabelledWindow]]:
    """The windows of every sequence, with a progress bar."""
    found = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        total = progress.add_task("", total=sum(map(len, sequences)))
        for item in sequences:
            progress.update(total, description=f"{item.group}/{item.name}")
            done = progress.tasks[0].completed
            found.append(measure.cached_windows(item, config, cache, lambda: progress.advance(total)))
            progress.update(total, completed=done + len(item))
    return found


def assess(label: str, classified: Sequence[measure.Classified], config: Config) -> Result:
    """Scores of all sequences, with the threshold that these sequences give."""
    chosen = [item for item in classified if item.group == THRESHOLD_SET] or classified
    threshold = measure.threshold_at_recall([item.pooled()[:2] for item in chosen], measure.RECALL)
    scores = [measure.score(item, config, threshold) for item in classified]
    times = [spent for item in classified for spent in item.milliseconds]
    return Result(label, scores, threshold, float(np.median(times)) if times else 0.0)


def document(results: Sequence[Result], config: Config, every: int, visible: int) -> dict[str, Any]:
    """All figures, ready for JSON."""
    return {
        "every": every,
        "least_visible": visible,
        "recall_of_threshold": measure.RECALL,
        "ring_px": measure.RING,
        "config": config.model_dump(mode="json"),
        "classifiers": {
            result.label: measure.document(result.scores)
            | {"threshold": result.threshold, "milliseconds_per_window": result.milliseconds}
            for result in results
        },
    }


def sequence_table(result: Result) -> Table:
    """One row per sequence, then the means of each set."""
    columns = (
        "points",
        "moving\n%",
        "AP",
        "AP off\nring",
        "alarms\n%",
        "smoothed:\nprecision",
        "\nrecall",
        "called\n%",
    )
    threshold = "none" if result.threshold is None else f"{result.threshold:.3f}"
    table = _table(f"{result.label} (threshold of alarms {threshold})", "sequence", columns)
    for item in result.scores:
        table.add_row(
            f"{item.group}/{item.name}", str(item.trajectories), _percent(item.moving), *_cells(item)
        )
    table.add_section()
    for item in measure.summarise(result.scores):
        table.add_row(f"mean {item.group} ({item.sequences})", "", "", *_cells(item))
    return table


def summary_table(results: Sequence[Result]) -> Table:
    """One row per set and classifier."""
    columns = (
        "AP",
        "AP off\nring",
        "alarms\n%",
        "smoothed:\nprecision",
        "\nrecall",
        "called\n%",
        "ms",
    )
    table = _table("Sets (alarms and called: rigid sequences only)", "set", ("classifier", *columns))
    groups = [item.group for item in measure.summarise(results[0].scores)] if results else []
    for group in groups:
        for result in results:
            item = next(row for row in measure.summarise(result.scores) if row.group == group)
            table.add_row(group, result.label, *_cells(item), f"{result.milliseconds:.1f}")
        table.add_section()
    return table


def _table(title: str, first: str, columns: Sequence[str]) -> Table:
    table = Table(first, box=SIMPLE_HEAD, title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if column == "classifier" else "right")
    return table


def _cells(item: measure.TrajectoryScore | measure.Summary) -> list[str]:
    return [
        _score(item.ap),
        _score(item.ap_off_ring),
        _percent(item.alarms),
        _score(item.precision),
        _score(item.recall),
        _percent(item.called),
    ]


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def draw_sheets(
    folder: Path,
    label: str,
    sequences: Sequence[measure.Labelled],
    classified: Sequence[measure.Classified],
    bare: bool = False,
) -> None:
    """A PNG per sequence: evenly spaced windows with what the classifier says of them; `bare` without the frames.

    Raises:
        OutputError: it cannot be written.
    """
    from motionseg_ros.io.atomic import writing

    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for sequence, item in zip(sequences, classified, strict=True):
        count = len(item.windows)
        if not count:
            continue
        picks = sorted(set(np.linspace(0, count - 1, min(count, SHEET_PANELS)).round().astype(int)))
        panels = []
        for i in picks:
            image, truth = sequence.at(item.windows[i].frame)
            if bare:
                image, truth = np.full_like(image, 50), np.zeros_like(truth)
            panels.append(draw_window(image, truth, item.windows[i], item.probabilities[i]))
        _, data = cv2.imencode(".png", contact_sheet(panels, columns=3))
        write_atomic(folder / f"{item.group}-{item.name}-{label.replace('/', '_')}.png", data.tobytes())


def draw_window(
    image: np.ndarray, truth: np.ndarray, window: measure.LabelledWindow, probability: np.ndarray
) -> np.ndarray:
    """The newest frame with a dot and a trail per trajectory, blue for static to red for moving.

    A white ring: truly moving; a grey line: the truth's outline. Of the static ones with the highest probability
    the worst have a yellow square, of the moving ones with the lowest a green one, if they are beyond one half.
    Worst is judged off the ring around outlines first.

    Args:
        image: (H, W, 3) uint8 BGR.
        truth: (H, W) bool.
        probability: (N,) float32.

    Returns:
        (h, `SHEET_WIDTH`, 3) uint8.
    """
    factor = SHEET_WIDTH / image.shape[1]
    size = (SHEET_WIDTH, round(image.shape[0] * factor))
    drawn = cv2.convertScaleAbs(cv2.resize(image, size, interpolation=cv2.INTER_AREA), alpha=0.6)
    mask = cv2.resize(truth.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(drawn, contours, -1, _OUTLINE, 1)
    paths = np.rint((window.tracks.positions + 0.5) * factor - 0.5).astype(np.int32)
    points = paths[:, -1]
    colours = cv2.applyColorMap(np.rint(255 * probability).astype(np.uint8)[:, None], cv2.COLORMAP_JET)
    for path, seen, colour in zip(paths, window.tracks.visible, colours[:, 0].tolist(), strict=True):
        cv2.polylines(drawn, [path[seen]], False, [value // 2 for value in colour], 1, cv2.LINE_AA)
    for point, colour, positive in zip(points.tolist(), colours[:, 0].tolist(), window.moving, strict=True):
        if positive:
            cv2.circle(drawn, point, 4, _POSITIVE, 1, cv2.LINE_AA)
        cv2.circle(drawn, point, 2, colour, cv2.FILLED, cv2.LINE_AA)
    for row in worst(probability, window.moving, window.distance):
        colour = _MISSED if window.moving[row] else _FALSE_ALARM
        x, y = points[row].tolist()
        cv2.rectangle(drawn, (x - 7, y - 7), (x + 7, y + 7), colour, 1)
    ap = measure.average_precision(probability, window.moving)
    text = f"frame {window.frame}  AP {_score(ap)}"
    cv2.putText(drawn, text, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(drawn, text, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _POSITIVE, 1, cv2.LINE_AA)
    return drawn


def worst(probability: np.ndarray, moving: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Rows of the `MARKED` worst false alarms and as many misses, those off the outlines' ring first."""
    error = np.where(moving, 1 - probability, probability)
    rank = error + (distance > measure.RING)  # an error is at most 1
    rows = np.flatnonzero(error > 0.5)
    rows = rows[np.argsort(-rank[rows], kind="stable")]
    return np.concatenate([rows[moving[rows]][:MARKED], rows[~moving[rows]][:MARKED]])


if __name__ == "__main__":
    try:
        typer.run(main)
    except MotionSegError as error:
        sys.exit(f"measure_classifiers: error: {' '.join(str(error).split())}")
