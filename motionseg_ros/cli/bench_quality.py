"""``motionseg bench --quality``: masks and ids on rendered scenes, against their exact truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..core.config import Config


def bench_quality(
    config: Config,
    names: Sequence[str],
    workers: int | None,
    sheets: Path | None,
    cache: Path | None,
    json: Path | None,
) -> None:
    """Score the benchmark's scenes, all of them or those of `names`, and print a table.

    Raises ConfigError for a name that is no scene of it, OutputError where something cannot be written, and what
    `build_segmenter` raises.
    """
    from json import dumps

    from rich.console import Console
    from rich.progress import Progress

    from ..assembly import build_segmenter
    from ..evaluation.quality_report import quality_document, quality_table
    from ..evaluation.rendered import RenderedBenchmark
    from ..io.atomic import write_atomic, writing
    from ..io.versions import versions
    from ..io.workers import available_cores, map_in_order
    from ..synthesis.benchmark import BENCHMARK

    chosen = _chosen(names, tuple(BENCHMARK))
    # What cannot work is told before scenes are rendered: here in one line, from a process with a traceback.
    build_segmenter(config)
    for folder in (sheets, cache):
        if folder is not None:
            with writing(folder):
                folder.mkdir(parents=True, exist_ok=True)
    work = RenderedBenchmark(chosen, config, sheets=sheets, cache=cache)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Scoring scenes", total=len(chosen))
        scores = []
        for score in map_in_order(work, range(len(chosen)), workers or available_cores(), "scores scenes"):
            scores.append(score)
            progress.advance(task)
    Console().print(quality_table(scores))
    if json:
        difficulties = {name: BENCHMARK[name].difficulty for name in chosen}
        content = quality_document(scores, difficulties)
        content |= {"versions": versions(), "config": config.model_dump(mode="json")}
        write_atomic(json, dumps(content, indent=1, allow_nan=False).encode() + b"\n")


def _chosen(names: Sequence[str], known: tuple[str, ...]) -> tuple[str, ...]:
    """The scenes to score, each once, in the benchmark's order."""
    from ..core.errors import ConfigError

    for name in names:
        if name not in known:
            raise ConfigError(f"--scene {name}: no scene of the benchmark; choose from {', '.join(known)}")
    return tuple(name for name in known if name in names or not names)
