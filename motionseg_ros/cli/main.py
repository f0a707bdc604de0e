"""The command line: all commands, and how errors leave it."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from .. import __version__
from ..core.errors import MotionSegError
from .bench import bench
from .evaluate import evaluate
from .node import node
from .play import play
from .segment import segment
from .simulate import simulate
from .train import train
from .weights import weights

ERROR_STATUS = 2

app = typer.Typer(
    name="motionseg",
    help="Moving-object masks for a moving camera.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"motionseg {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Moving-object masks for a moving camera."""


app.command()(segment)
app.command()(evaluate)
app.command()(play)
# What `node` does not know is ROS's (--ros-args ...), so it goes through as it is.
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(node)
app.command()(train)
app.command()(simulate)
app.command()(bench)
app.add_typer(weights, name="weights")


def main() -> None:
    """Run a command. Exit status: 0 done, 2 an error that is told in one line, 130 interrupted."""
    try:
        app()
    except MotionSegError as error:
        print(f"motionseg: error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(ERROR_STATUS)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has gone; without this, Python would complain when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
