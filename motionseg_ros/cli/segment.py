"""``motionseg segment``: a recording, video or folder in, moving-object masks out."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer


def segment(
    source: Annotated[
        Path, typer.Argument(help="Folder of images, video file, rosbag2 folder, .mcap or .db3 file.")
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Result folder, or a bag if the name ends in .mcap.")
    ],
    config: Annotated[
        str, typer.Option(help="Profile (cpu, gpu) or YAML file.", metavar="cpu|gpu|FILE")
    ] = "cpu",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Replace one option; may be repeated.", metavar="KEY=VALUE"),
    ] = None,
    topic: Annotated[
        str | None, typer.Option(help="Image topic; needed where a recording has several.")
    ] = None,
    depth_topic: Annotated[
        str | None,
        typer.Option(help="Topic of a recording with depth images that are registered to the images."),
    ] = None,
    camera_info_topic: Annotated[
        str | None,
        typer.Option(help="Topic with the calibration; by default camera_info beside the image topic."),
    ] = None,
    offline: Annotated[
        bool,
        typer.Option("--offline", help="Use all frames for each: forward and backward in time, joined."),
    ] = False,
    points: Annotated[
        Path | None,
        typer.Option(help="Also track these objects: YAML or JSON with points on them.", metavar="FILE"),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(help="Also track the objects in this label image of the first frame.", metavar="PNG"),
    ] = None,
    overlay: Annotated[bool, typer.Option("--overlay", help="Also draw the results on the images.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the results in OUT.")] = False,
) -> None:
    """Segment the moving objects in a recording, a video or a folder of images."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ..assembly import build_segmenter
    from ..core.errors import ConfigError, PromptError
    from ..io.choices import Choices, Choosing, read_mask, read_points
    from ..io.config_files import load_config
    from ..io.passes import PHASES
    from ..io.runner import run, run_offline, was_stopped
    from ..io.sources import open_source
    from ..io.writers import open_writer

    settings = load_config(config, set_ or ())
    if depth_topic is not None and settings.depth.name == "none":
        settings = settings.with_values({"depth.name": "sensor"}, origin="--depth-topic")
    if (settings.depth.name == "sensor") != (depth_topic is not None):
        raise ConfigError(
            f"depth.name {settings.depth.name} does not go with "
            f"{'--depth-topic' if depth_topic else 'leaving --depth-topic out'}"
        )
    choices: Choices = read_points(points) if points else {}
    for number, masks in (read_mask(mask) if mask else {}).items():
        choices.setdefault(number, []).extend(masks)
    if choices and offline:
        raise PromptError("--points and --mask follow objects forward in time: leave --offline out")
    segmenters = [build_segmenter(settings, offline=offline) for _ in range(2 if offline else 1)]
    chooser = Choosing(segmenters[0], choices) if choices else None
    phases = PHASES if offline else ("segment",)
    reached = dict.fromkeys(phases, 0)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    depth = settings.depth
    opened = open_source(source, topic, depth_topic, camera_info_topic, depth.rectified, depth.tolerance)
    with opened as frames, _interruptible() as interrupt:
        writer = open_writer(out, source=source, overlay=overlay, overwrite=overwrite, fps=frames.fps)
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            tasks = {
                phase: bar.add_task(f"{source.name} {phase}" if offline else source.name, total=frames.length)
                for phase in phases
            }

            def advance(phase: str, count: int) -> None:
                reached[phase] = count
                bar.update(tasks[phase], completed=count)

            if offline:
                summary = run_offline(frames, tuple(segmenters), writer, settings, interrupt.stop, advance)
            else:
                summary = run(
                    frames,
                    chooser or segmenters[0],
                    writer,
                    settings,
                    interrupt.stop,
                    lambda count: advance("segment", count),
                )
        stopped = was_stopped(summary, frames, interrupt.stop)
    typer.echo(f"{summary.frames} frames at {summary.fps:.1f} frames/s, results in {out}")
    if chooser is not None and chooser.left and not stopped:
        raise PromptError(
            f"{points} has points in frame {chooser.left[0]}, but there are {summary.frames} frames"
        )
    if stopped:
        passed = ", ".join(f"{reached[phase]} {phase}" for phase in phases[:-1])
        detail = f" (frames passed: {passed})" if offline else ""
        typer.echo(
            f"motionseg: interrupted after {summary.frames} of {frames.length or '?'} frames{detail}",
            err=True,
        )
        raise typer.Exit(128 + interrupt.signal)


class _Interrupt:
    """What the user's interrupt leaves behind."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.signal = 0

    def __call__(self, number: int, _frame: object) -> None:
        """The first signal asks for an orderly end; a second one ends at once."""
        if self.stop.is_set():
            raise KeyboardInterrupt
        self.signal = number
        self.stop.set()


@contextmanager
def _interruptible() -> Iterator[_Interrupt]:
    """Catch SIGINT and SIGTERM while results are being written."""
    interrupt = _Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    former = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
