"""``make demo``: a rendered scene, the live node on it, and what came out."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import MotionSegError, OutputError

if TYPE_CHECKING:
    from rich.console import Console

    from ..evaluation.sequence import SequenceScore
    from .demo_run import Live


def demo(
    output: Annotated[Path, typer.Option(help="Folder for everything that the demo makes.")] = Path(
        "demo_output"
    ),
) -> None:
    """Render a scene, play it to the live node over ROS 2, score and draw what the node publishes."""
    from rich.console import Console

    from ..ros.requirements import require_ros
    from ..ros.transport import use_fastdds_profile
    from .demo_results import score, write_results
    from .demo_run import isolate, run_live
    from .demo_scene import TOPIC

    require_ros()
    isolate()
    use_fastdds_profile()
    console = Console(highlight=False, soft_wrap=True)
    begin = time.monotonic()
    work = output / "logs"
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot write {output}: {error.strerror}; choose another folder with --output"
        ) from None

    recording, truth = output / "recording", output / "truth"
    _render(console, recording, truth)
    console.print(
        "[bold]2/3[/] The node runs in a process of its own; the recording is played to it in real time"
    )
    with _Bar(console, "answers") as bar:
        live = run_live(recording, TOPIC, work, bar)
    console.print("[bold]3/3[/] Drawing and scoring what it has published")
    write_results(output, recording, TOPIC, live)
    _print_report(console, output, live, score(output, truth), time.monotonic() - begin)


def _render(console: Console, recording: Path, truth: Path) -> None:
    from ..synthesis import get_scene
    from .demo_scene import TOPIC, prepare_scene

    console.print(
        "[bold]1/3[/] Rendering a street: a robot's camera drives, a van, a walker and a courier robot move"
    )
    with _Bar(console, "frames") as bar:
        anew = prepare_scene(get_scene("demo"), recording, truth, bar)
    kept = "" if anew else " (kept from the last run)"
    console.print(f"    {recording}: {TOPIC}, 640x480 at 10 Hz{kept}")


class _Bar:
    """A progress bar that is only there in a terminal."""

    def __init__(self, console: Console, what: str) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("    {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task(what, total=None)

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, done: int, total: int | None = None) -> None:
        self._progress.update(self._task, completed=done, total=total)


def _print_report(console: Console, output: Path, live: Live, score: SequenceScore, seconds: float) -> None:
    from ..evaluation.report import figures
    from .demo_results import CONTACT_SHEET, latency_quantiles

    answered = len(live.results)
    median, p95 = latency_quantiles(live)
    dropped = live.diagnostics.get("frames_dropped", "?")
    values = figures(score)
    console.print()
    console.print(
        f"[bold]Live[/]     {live.sent} images sent, {answered} answered, {dropped} dropped by the node "
        f"(older ones make room for newer ones)"
    )
    console.print(
        f"         latency from stamp to subscriber: median {median:.0f} ms, 95 % below {p95:.0f} ms"
    )
    console.print(
        f"[bold]Score[/]    J {_number(values['J_mean'])}   F {_number(values['F_mean'])}   "
        f"J&F {_number(values['JF_mean'])}   (DAVIS measures, all {len(score.frames)} frames, "
        "frames without an answer count as empty)"
    )
    for item in score.objects:
        name = _object_names(output).get(item.id, "object")
        matched = "not found" if item.matched is None else f"id {item.matched}"
        console.print(
            f"         {name:<8} J {item.region.mean:.2f}   F {item.boundary.mean:.2f}   {matched}, "
            f"visible in {item.frames} frames"
        )
    console.print(f"[bold]Look at[/]  {output / 'overlay.mp4'}")
    console.print(f"         {output / CONTACT_SHEET}")
    console.print(f"         {output}/labels, instances.jsonl, score.json, logs")
    console.print(f"         {seconds:.0f} s in all")
    motionseg = _command()
    console.print()
    console.print("[bold]On your own recording[/]")
    console.print(f"  {motionseg} segment my_bag.mcap -o out --overlay")
    console.print("[bold]Live, in three terminals[/]")
    console.print(f"  {motionseg} node --ros-args -r image:=/camera/image_raw")
    console.print(f"  {motionseg} play my_bag.mcap --topic /camera/image_raw")
    console.print("  and a subscriber to /motionseg/instances, /motionseg/labels or /motionseg/mask")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _object_names(output: Path) -> dict[int, str]:
    import json

    scene = json.loads((output / "truth" / "scene.json").read_text())
    return {item["id"]: item["name"] for item in scene["objects"]}


def _command() -> str:
    """How `motionseg` is called in this environment."""
    beside = Path(sys.executable).with_name("motionseg")
    try:
        return str(beside.relative_to(Path.cwd()))
    except ValueError:
        return str(beside) if beside.exists() else "motionseg"


def main() -> None:
    """Run the demo; exit status as that of `motionseg`."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    # Whoever ends the demo ends its processes too.
    signal.signal(signal.SIGTERM, interrupt)
    try:
        typer.run(demo)
    except MotionSegError as error:
        print(f"motionseg: error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
