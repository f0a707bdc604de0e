"""``motionseg play``: publish a recording's images to a live graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

if TYPE_CHECKING:
    from ..ros.player import Published


def play(
    bag: Annotated[Path, typer.Argument(help="rosbag2 folder, .mcap or .db3 file.")],
    rate: Annotated[float, typer.Option(help="2 plays twice as fast.", min=0.01, max=100)] = 1.0,
    loop: Annotated[bool, typer.Option("--loop", help="Begin again at the end, until Ctrl-C.")] = False,
    topic: Annotated[
        list[str] | None, typer.Option(help="Play only this topic; may be repeated. Default: all images.")
    ] = None,
    wait: Annotated[
        float, typer.Option(help="Seconds to wait at most for a subscriber before the first image.", min=0)
    ] = 3.0,
    restamp: Annotated[
        bool, typer.Option("--restamp", help="Shift the stamps to now, as a live camera's.")
    ] = False,
    log: Annotated[
        Path | None,
        typer.Option(
            help="Write topic, recorded stamp, stamp and time of publishing (ns) of each message as CSV."
        ),
    ] = None,
) -> None:
    """Publish a recording's images (and camera_infos) to a live ROS 2 graph, with the timing of the
    recording.

    Messages go out as they were recorded, byte for byte. For machines without rosbag2.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from ..io.bags import Bag
    from ..ros.requirements import require_ros
    from ..ros.transport import use_fastdds_profile

    with Bag(bag) as recording:
        require_ros()
        use_fastdds_profile()
        from ..ros.player import choose_topics
        from ..ros.player import play as publish

        topics = choose_topics(recording, topic or ())
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with _log(log) as write, Progress(*columns, console=console, transient=True) as progress:
            total = None if loop else sum(item.count for item in topics)
            task = progress.add_task(bag.name, total=total)

            def on_publish(message: Published) -> None:
                progress.advance(task)
                write(message)

            report = publish(
                recording,
                topics,
                rate=rate,
                loop=loop,
                wait=wait,
                restamp=restamp,
                on_publish=on_publish,
            )
    counts = ", ".join(f"{count} on {name}" for name, count in report.messages.items())
    late = f", {report.late} of them late" if report.late else ""
    stopped = "stopped; " if report.interrupted else ""
    typer.echo(f"{stopped}published {counts} in {report.seconds:.1f} s{late}")


class _Log:
    """Writes one line per message."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file

    def __call__(self, message: Published) -> None:
        if self._file is not None:
            self._file.write(",".join(map(str, message)) + "\n")


@contextmanager
def _log(path: Path | None) -> Iterator[_Log]:
    """Raises OutputError where the file cannot be written."""
    from ..core.errors import OutputError

    if path is None:
        yield _Log(None)
        return
    try:
        with path.open("w", encoding="utf-8") as file:
            file.write("topic,recorded_stamp,stamp,time\n")
            yield _Log(file)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}; choose another file with --log") from None
