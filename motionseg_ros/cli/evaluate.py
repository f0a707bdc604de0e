"""``motionseg evaluate``: score label images against ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    predictions: Annotated[
        Path, typer.Argument(help="A result of `motionseg segment`, or a folder of such, one per sequence.")
    ],
    ground_truth: Annotated[
        Path, typer.Argument(help="A sequence (masks/*.png), a folder of such, or DAVIS (Annotations/).")
    ],
    json: Annotated[Path | None, typer.Option(help="Also write everything measured to this file.")] = None,
) -> None:
    """Score label images against ground truth: DAVIS J, F and J&F, single objects, false alarms.

    Every frame counts, the first and the last too.
    """
    from json import dumps

    from rich.console import Console
    from rich.progress import Progress

    from ..evaluation.layout import match_frames, pair_sequences
    from ..evaluation.report import document, object_table, score_table
    from ..evaluation.sequence import evaluate_sequence
    from ..io.atomic import write_atomic

    folders = pair_sequences(predictions, ground_truth)
    pairs = {name: match_frames(*both) for name, both in folders.items()}
    console = Console()
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Scoring", total=sum(map(len, pairs.values())))
        scores = [evaluate_sequence(*item, on_frame=lambda: progress.advance(task)) for item in pairs.items()]
    console.print(score_table(scores))
    if any(score.objects for score in scores):
        console.print(object_table(scores))
    if json:
        inputs = {"predictions": str(predictions), "ground_truth": str(ground_truth)}
        write_atomic(json, dumps(inputs | document(scores), indent=1, allow_nan=False).encode() + b"\n")
