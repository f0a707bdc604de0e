"""``motionseg weights``: what can be downloaded, what is there, whether it is whole, and where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from ..io.weights import WeightsFile

weights = typer.Typer(help="Download and check the weights of stages that need some.", no_args_is_help=True)

OptionalNames = Annotated[
    list[str] | None, typer.Argument(help="As `motionseg weights list` tells them.", metavar="NAME")
]


@weights.command("list")
def list_weights(
    json: Annotated[bool, typer.Option("--json", help="Print everything known of each as JSON.")] = False,
) -> None:
    """List all weights: size, licence, the option that takes them, and whether they are in the store."""
    from json import dumps

    from rich.console import Console

    from ..io.weights import catalogue, store

    rows = list(catalogue().values())
    if json:
        document = [row.model_dump() | {"path": str(row.path), "state": row.state} for row in rows]
        typer.echo(dumps(document, indent=1))
    else:
        Console().print(_table(rows))
        typer.echo(f"store: {store()}")


@weights.command()
def download(
    names: OptionalNames = None,
    config: Annotated[
        str | None,
        typer.Option(
            help="Also all that this profile or YAML file takes from the store.", metavar="cpu|gpu|FILE"
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="With --config: replace one option; may be repeated.", metavar="KEY=VALUE"
        ),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="With --config: also what `motionseg segment --offline` takes.")
    ] = False,
    mirror: Annotated[
        str | None,
        typer.Option(
            help="Take the files from this address, where they lie under their file names.",
            envvar="MOTIONSEG_WEIGHTS_MIRROR",
            metavar="URL",
        ),
    ] = None,
) -> None:
    """Download weights into the store; what was broken off before goes on where it was."""
    from ..core.errors import ConfigError
    from ..io.weights import find, source_url

    chosen = list(names or ())
    if config is not None:
        chosen += [name for name in _taken_by(config, set_ or (), offline) if name not in chosen]
    elif set_ or offline:
        raise ConfigError("--set and --offline say more about --config, which is missing")
    elif not chosen:
        raise ConfigError("give names, as `motionseg weights list` tells them, or --config with a profile")
    if not chosen:
        typer.echo(f"{config} needs no weights from the store")
    # All names and addresses first: a slip of the pen in the last one shows before the first has taken an hour.
    wanted = [(entry, source_url(entry, mirror)) for entry in map(find, chosen)]
    for entry, url in wanted:
        if entry.state == "present":
            typer.echo(f"{entry.name}: {entry.path} (it was there already)")
        else:
            _download(entry, url)
            typer.echo(f"{entry.name}: {entry.path}")


@weights.command()
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Only these; by default all that are there.", metavar="NAME"),
    ] = None,
) -> None:
    """Check size and SHA-256 of weights in the store; exit status 1 if a file is missing or bad."""
    from ..io.weights import catalogue, find, store

    chosen = [find(name) for name in names or ()]
    if not names:
        chosen = [entry for entry in catalogue().values() if entry.path.is_file()]
    if not chosen:
        typer.echo(f"no weights in {store()}")
    problems = 0
    for entry in chosen:
        good, findings = _check(entry)
        problems += not good
        typer.echo(f"{entry.name}: {findings}")
    if problems:
        raise typer.Exit(1)


@weights.command()
def path(
    name: Annotated[str | None, typer.Argument(help="Weights whose file is wanted.", metavar="NAME")] = None,
) -> None:
    """Print the folder of the store, or the path of the file of one."""
    from ..io.weights import locate, store

    typer.echo(locate(name) if name else store())


def _taken_by(config: str, overrides: Iterable[str], offline: bool) -> list[str]:
    """Names of the weights that a configuration takes from the store; of an offline run, too, if `offline`."""
    from ..assembly import weights_of
    from ..io.config_files import load_config

    settings = load_config(config, overrides)
    runs = (False, True) if offline else (False,)
    files = [file for run in runs for file in weights_of(settings, offline=run).values()]
    return list(dict.fromkeys(file.name for file in files if not file.given))


def _table(rows: list[WeightsFile]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.filesize import decimal
    from rich.table import Table

    colours = {"present": "green", "incomplete": "yellow", "wrong size": "red", "missing": "dim"}
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("name", "size", "licence", "option", "state"):
        table.add_column(
            heading, justify="right" if heading == "size" else "left", no_wrap=heading != "licence"
        )
    table.columns[2].min_width = len("Apache-2.0")
    for row in rows:
        size = "?" if row.size is None else decimal(row.size)
        state = f"[{colours[row.state]}]{row.state}[/]"
        table.add_row(row.name, size, row.licence, row.option, state)
    return table


def _download(entry: WeightsFile, url: str) -> None:
    from rich.console import Console
    from rich.filesize import decimal
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from ..io.download import download as fetch

    console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    size = "" if entry.size is None else f", {decimal(entry.size)}"
    console.print(f"{entry.name}{size}, from {url} (licence: {entry.licence})")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(entry.name, total=entry.size)
            fetch(
                url,
                entry.path,
                entry.size,
                entry.sha256,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
                notice=console.print,
            )
    except KeyboardInterrupt:
        if entry.state == "incomplete":
            console.print(
                "motionseg: interrupted; what came is kept, and the same command goes on from there"
            )
        raise


def _check(entry: WeightsFile) -> tuple[bool, str]:
    """Whether a file in the store is as it must be, and what to tell about it."""
    from ..io.checksum import sha256_of
    from ..io.weights import misfit

    get = f"motionseg weights download {entry.name}"
    if not entry.path.is_file():
        return False, f"{entry.state}; get it with: {get}"
    replace = f"delete {entry.path} and get it again with: {get}"
    if entry.state == "wrong size":
        return False, f"bad: it {misfit(entry)}; {replace}"
    found = sha256_of(entry.path)
    if entry.sha256 is None:
        return True, f"{entry.path.stat().st_size:,} bytes, SHA-256 {found}; none is known to compare it with"
    if found != entry.sha256:
        return False, f"bad: its SHA-256 is {found} instead of {entry.sha256}; {replace}"
    return True, "good"
