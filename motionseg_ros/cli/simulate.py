"""``motionseg simulate``: windows of simulated trajectories, as files, as a picture, or for their rate only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..synthesis.simulator import SimulatedWindows

SHARD = 128
"""Windows per file. With the seed, the number of the file decides what is in it."""
DESCRIPTION = "simulation.json"
LAYOUT = {
    "positions": "(B, N, T, 2) float32, px (x, y); the newest frame is the last",
    "visible": "(B, N, T) bool",
    "confidence": "(B, N, T) float32, 0 to 1, of the tracker",
    "moving": "(B, N) float32, 1 on a thing that moves by itself, 0 on one that rests",
    "weight": "(B, N) float32, 0 for padding and for what moves too little to be told",
    "inverse_depth": "(B, N, T) float32, 0 to 1, nearest 1, without errors",
    "sizes": "(B, 2) int64, height and width of the image, px",
}
"""The arrays of a file: B windows of N trajectories over T frames."""


def simulate(
    out: Annotated[
        Path | None,
        typer.Argument(
            help=f"Folder for the windows: windows_00000.npz, ... with {SHARD} each; their layout is in "
            f"{DESCRIPTION}, which lies beside them."
        ),
    ] = None,
    windows: Annotated[int, typer.Option(min=1, help="Windows to simulate.")] = 1000,
    trajectories: Annotated[int, typer.Option(min=1, help="Trajectories per window.")] = 256,
    frames: Annotated[int, typer.Option(min=1, help="Frames per window.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same windows.")] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that simulate; one per core by default.")
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="Draw the first 24 windows: red moves, blue rests, gray cannot be told."),
    ] = None,
    benchmark: Annotated[
        bool, typer.Option("--benchmark", help="Measure windows per second; write no windows.")
    ] = False,
) -> None:
    """Simulate windows of point trajectories: what the classifier is trained on."""
    import time
    from functools import partial

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ..io.workers import available_cores, map_in_order

    if out is None and picture is None and not benchmark:
        raise typer.BadParameter("a folder for the windows is missing (or give --picture or --benchmark)")
    if picture is not None:
        _draw(picture, min(windows, SHARD), trajectories, frames, seed)
        typer.echo(f"the first {min(windows, 24)} windows are drawn in {picture}")
    if out is None and not benchmark:
        return
    target = None if benchmark else out
    if target is not None:
        _prepare(target, {"windows": windows, "trajectories": trajectories, "frames": frames, "seed": seed})
    processes = workers or available_cores()
    shards = -(-windows // SHARD)
    work = partial(_shard, windows, trajectories, frames, seed, target)
    # Simulated before the clock starts, so that starting processes is not measured.
    warm = min(processes, shards) if benchmark else 0
    numbers = range(-warm, shards)
    done, busy, began = 0, 0.0, time.monotonic()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("simulating windows", total=windows)
            for number, (count, seconds) in zip(
                numbers, map_in_order(work, numbers, processes, "simulates windows"), strict=True
            ):
                if number < 0:
                    began = time.monotonic()
                    continue
                done, busy = done + count, busy + seconds
                bar.update(task, completed=done)
    except KeyboardInterrupt:
        typer.echo(f"motionseg: interrupted after {done} of {windows} windows", err=True)
        raise typer.Exit(130) from None
    rate = done / max(time.monotonic() - began, 1e-9)
    # On a machine that has other work, too, the second figure is the one to compare.
    where = f" ({done / busy:.0f} per second of a core)" if target is None else f", in {target}"
    noun = "process" if processes == 1 else "processes"
    typer.echo(
        f"{done} windows of {trajectories} x {frames} at {rate:.0f} windows/s with {processes} {noun}{where}"
    )


def _shard(
    windows: int, trajectories: int, frames: int, seed: int, target: Path | None, number: int
) -> tuple[int, float]:
    """Simulate one file's windows, write them to `target` if there is one; their number and the seconds of a core."""
    import time

    began = time.process_time()
    # The negative numbers are for warming up.
    count = SHARD if number < 0 else min(SHARD, windows - number * SHARD)
    simulated = _simulate(count, trajectories, frames, seed, abs(number))
    if target is not None:
        from ..io.atomic import write_atomic

        write_atomic(target / f"windows_{number:05d}.npz", _packed(simulated))
    return count, time.process_time() - began


def _simulate(count: int, trajectories: int, frames: int, seed: int, number: int) -> SimulatedWindows:
    import numpy as np

    from ..synthesis.simulator import simulate_windows

    return simulate_windows(count, np.random.default_rng((seed, number)), trajectories, frames)


def _packed(windows: SimulatedWindows) -> bytes:
    """The content of an .npz file."""
    import io

    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, **{name: getattr(windows, name) for name in LAYOUT})
    return buffer.getvalue()


def _prepare(target: Path, settings: dict[str, Any]) -> None:
    """Make the folder and describe what will be in it."""
    import json

    from .. import __version__
    from ..core.errors import OutputError
    from ..io.atomic import write_atomic

    try:
        target.mkdir(parents=True, exist_ok=True)
        taken = next(target.glob("windows_*.npz"), None)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder {target}: {(error.strerror or str(error)).lower()}"
        ) from error
    if taken is not None:
        raise OutputError(f"{target} has simulated windows already; give another folder")
    description = {"motionseg_ros": __version__, **settings, "windows_per_file": SHARD, "layout": LAYOUT}
    write_atomic(target / DESCRIPTION, json.dumps(description, indent=1).encode() + b"\n")


def _draw(picture: Path, count: int, trajectories: int, frames: int, seed: int) -> None:
    """Draw the first windows of the first file."""
    import cv2

    from ..core.errors import OutputError
    from ..io.atomic import write_atomic
    from ..synthesis.contact_sheet import draw_contact_sheet

    if picture.suffix.lower() != ".png":
        raise OutputError(f"--picture {picture}: the name must end in .png")
    sheet = draw_contact_sheet(_simulate(count, trajectories, frames, seed, 0))
    encoded = cv2.imencode(".png", sheet)[1]
    write_atomic(picture, encoded.tobytes())
