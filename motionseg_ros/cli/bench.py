"""``motionseg bench``: throughput, latency per stage and memory of the whole pipeline, or its quality."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from ..core.config import Config
    from ..core.types import Frame
    from ..evaluation.throughput import Throughput

CLIP_LENGTH = 60
"""Frames kept in memory, at most, and played back and forth: neither rendering nor decoding is measured."""
RENDERED_SIZE = (854, 480)
SPEED_ONLY = {
    "source": "SOURCE",
    "topic": "--topic",
    "frames": "--frames",
    "size": "--size",
    "random_weights": "--random-weights",
}
QUALITY_ONLY = {"scene": "--scene", "workers": "--workers", "sheets": "--sheets", "cache": "--cache"}


def bench(
    context: typer.Context,
    source: Annotated[
        Path | None,
        typer.Argument(help="Recording, video or folder to take images from; else a scene is rendered."),
    ] = None,
    config: Annotated[
        str,
        typer.Option(
            "--config", "--profile", help="Profile (cpu, gpu) or YAML file.", metavar="cpu|gpu|FILE"
        ),
    ] = "cpu",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Replace one option; may be repeated.", metavar="KEY=VALUE"),
    ] = None,
    topic: Annotated[
        str | None, typer.Option(help="Image topic; needed where a recording has several.")
    ] = None,
    frames: Annotated[
        int, typer.Option(min=1, help="Frames to push; over 300 also tell how memory grows.")
    ] = 300,
    size: Annotated[
        str | None,
        typer.Option(help="Image size; the source's own by default, else 854x480.", metavar="WxH"),
    ] = None,
    random_weights: Annotated[
        bool,
        typer.Option(
            "--random-weights",
            help="Download nothing: models have random weights, under which they take the same effort.",
        ),
    ] = False,
    json: Annotated[Path | None, typer.Option(help="Also write everything measured to this file.")] = None,
    quality: Annotated[
        bool, typer.Option("--quality", help="Score the rendered benchmark instead of measuring speed.")
    ] = False,
    scene: Annotated[
        list[str] | None,
        typer.Option(help="With --quality: only this scene; may be repeated.", metavar="NAME"),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="With --quality: processes; one per core by default.")
    ] = None,
    sheets: Annotated[
        Path | None,
        typer.Option(help="With --quality: folder for a picture of each scene, truth beside prediction."),
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="With --quality: folder that keeps rendered scenes for the next run.")
    ] = None,
) -> None:
    """Measure frames per second, latency per stage and memory on a clip played back and forth; or masks and ids."""
    from json import dumps
    from time import perf_counter

    from rich.console import Console
    from rich.progress import Progress

    from ..assembly import build_segmenter, weights_of
    from ..core.errors import ConfigError
    from ..evaluation.throughput import back_and_forth, measure
    from ..io.atomic import write_atomic
    from ..io.config_files import load_config

    _refuse(context, SPEED_ONLY if quality else QUALITY_ONLY, quality)
    settings = load_config(config, set_ or ())
    if quality:
        from .bench_quality import bench_quality

        bench_quality(settings, scene or (), workers, sheets, cache, json)
        return
    if settings.depth.name == "sensor":
        raise ConfigError("depth.name sensor: bench has no depth images; choose another")
    wanted = _parse_size(size) if size else None
    progress_console = Console(stderr=True)
    with progress_console.status("Loading"):
        begin = perf_counter()
        segmenter = build_segmenter(settings, random_weights=random_weights)
        ready = perf_counter() - begin
    with progress_console.status("Reading" if source else "Rendering"):
        length, shown = min(frames, CLIP_LENGTH), wanted or RENDERED_SIZE
        clip = _read_clip(source, topic, length, wanted) if source else _render_clip(length, shown)
    if weights_of(settings):  # as the node does
        with progress_console.status("Warming up"):
            begin = perf_counter()
            segmenter.warm_up(clip[0].size)
            ready += perf_counter() - begin
    with Progress(console=progress_console, transient=True) as progress:
        task = progress.add_task("Measuring", total=frames)
        looped = back_and_forth(clip, frames, _period_ns(clip))
        result = measure(segmenter, looped, on_frame=lambda: progress.advance(task))
    name = str(source) if source else "rendered scene"
    if random_weights:
        name += ", random weights"
    console = Console()
    console.print(_latency_table(result))
    console.print(_headline(result, name, clip, ready), highlight=False, soft_wrap=True)
    if json:
        content = _document(result, name, clip, settings) | {"ready_after_s": ready}
        write_atomic(json, dumps(content, indent=1, allow_nan=False).encode() + b"\n")


def _refuse(context: typer.Context, options: dict[str, str], quality: bool) -> None:
    """Raise ConfigError if one of `options` (by parameter) was given, which do not go with(out) --quality."""
    from ..core.errors import ConfigError

    for parameter, shown in options.items():
        # Compared by name: typer brings a click of its own.
        given = context.get_parameter_source(parameter)
        if given is not None and given.name != "DEFAULT":
            reason = (
                "does not go with --quality, which renders its own scenes" if quality else "needs --quality"
            )
            raise ConfigError(f"{shown}: {reason}")


def _parse_size(text: str) -> tuple[int, int]:
    """(width, height) from e.g. "854x480"."""
    from ..core.errors import ConfigError

    match = re.fullmatch(r"(\d+)[xX](\d+)", text.strip())
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(16 <= side <= 16384 for side in size):
        raise ConfigError(
            f"--size {text}: must be width x height in px, 16 to 16384 each, e.g. --size 854x480"
        )
    return size


def _render_clip(length: int, size: tuple[int, int]) -> list[Frame]:
    """The first `length` frames of the demo scene; `size` is (width, height)."""
    from itertools import islice

    from ..core.types import Frame
    from ..synthesis import get_scene, render

    scene = get_scene("demo", width=size[0], height=size[1])
    rendered = islice(render(scene, supersampling=1), length)
    return [Frame(item.image, round(item.time * 1e9), "camera", i) for i, item in enumerate(rendered)]


def _read_clip(source: Path, topic: str | None, length: int, size: tuple[int, int] | None) -> list[Frame]:
    """The first `length` frames of a source, scaled to (width, height) `size` if that is given."""
    from itertools import islice

    import cv2

    from ..core.errors import SourceError
    from ..core.types import Frame
    from ..io.sources import open_source

    with open_source(source, topic) as stream:
        clip = list(islice(stream, length))
    if not clip:
        raise SourceError(f"{source}: has no frames; give another recording, video or folder")
    if size is None:
        return clip
    return [
        Frame(
            cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA),
            frame.stamp,
            frame.frame_id,
            frame.index,
        )
        for frame in clip
    ]


def _period_ns(clip: list[Frame]) -> int:
    """Mean time between two stamps of the clip, ns; 0.1 s where the clip does not tell."""
    span = clip[-1].stamp - clip[0].stamp
    return max(1, span // (len(clip) - 1)) if len(clip) > 1 and span > 0 else 100_000_000


def _document(result: Throughput, name: str, clip: list[Frame], config: Config) -> dict[str, Any]:
    """Everything measured and where, ready for JSON."""
    from dataclasses import asdict

    from ..io.versions import versions

    height, width = clip[0].size
    return {
        "source": name,
        "width": width,
        "height": height,
        "clip_frames": len(clip),
        "frames_per_second": result.frames_per_second,
        "memory_growth": result.memory_growth,
        **asdict(result),
        "versions": versions(),
        "config": config.model_dump(mode="json"),
    }


def _latency_table(result: Throughput) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table("stage", box=SIMPLE_HEAD, title="Latency, ms", title_justify="left")
    for column in ("median", "p95", "p99", "max", "mean", "frames"):
        table.add_column(column, justify="right")
    for stage, latency in result.latency_ms.items():
        figures = (latency.median, latency.p95, latency.p99, latency.largest, latency.mean)
        table.add_row(stage, *(f"{figure:.2f}" for figure in figures), str(latency.frames))
    return table


def _headline(result: Throughput, name: str, clip: list[Frame], ready: float) -> str:
    height, width = clip[0].size
    lines = [
        f"{result.frames_per_second:.1f} frames/s over {result.frames} frames of {width}x{height} ({name})",
        f"{result.trajectories:.0f} trajectories and {result.objects:.1f} objects in a frame, on average; "
        f"ready after {ready:.1f} s",
    ]
    if result.peak_mb is not None:
        clip_mb = sum(frame.image.nbytes for frame in clip) / 2**20
        lines.append(
            f"resident memory {result.resident_mb[result.frames]:.0f} MB, peak {result.peak_mb:.0f} MB "
            f"(the clip: {clip_mb:.0f} MB)"
        )
    if result.gpu_peak_mb is not None:
        lines.append(f"GPU memory, peak {result.gpu_peak_mb:.0f} MB")
    if result.memory_growth is not None:
        lines.append(f"memory after {result.frames} frames over that after 300: {result.memory_growth:.3f}")
    return "\n".join(lines)
