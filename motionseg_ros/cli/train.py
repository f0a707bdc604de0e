"""``motionseg train``: from simulated trajectories to the weights of the shipped classifier."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .segment import _interruptible

if TYPE_CHECKING:
    from ..trajectories.training import Trainer


class Device(str, Enum):
    """Where to train."""

    CPU = "cpu"
    CUDA = "cuda"


def train(
    out: Annotated[
        Path,
        typer.Argument(
            help="Folder for weights.safetensors, curves.csv and checkpoint.pt; a run that stopped in it goes on."
        ),
    ],
    steps: Annotated[int, typer.Option(min=1, help="Batches in all.")] = 6000,
    batch: Annotated[int, typer.Option(min=1, help="Windows per batch.")] = 64,
    trajectories: Annotated[int, typer.Option(min=1, help="Trajectories per window.")] = 192,
    seed: Annotated[int, typer.Option(min=0, help="Of the first weights and of the simulation.")] = 0,
    device: Annotated[Device, typer.Option(help="Where to train; simulation is the CPU's.")] = Device.CPU,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that simulate; by default one per core but one, at least one."),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1, help="Threads that train; half the cores by default. Others change the last bits."
        ),
    ] = None,
) -> None:
    """Train the trajectory classifier on simulation; the same command goes on where a run was interrupted."""
    _require_torch()
    import torch
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ..core.errors import ConfigError
    from ..io.workers import available_cores
    from ..trajectories.training import CHECKPOINT, NetworkConfig, Trainer, TrainingConfig

    try:
        config = TrainingConfig(steps=steps, batch=batch, trajectories=trajectories, seed=seed)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    cores = available_cores()
    torch.set_num_threads(threads or max(1, cores // 2))
    trainer = Trainer(config, NetworkConfig(), out, device.value)
    console = Console(stderr=True)
    if 0 < trainer.step < steps:
        console.print(f"going on after step {trainer.step} of {steps}", highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with _interruptible() as interrupt, progress as bar:
        task = bar.add_task("simulating held-out windows", total=steps, completed=trainer.step)

        def report(step: int, curves: dict[str, float]) -> None:
            bar.update(task, completed=step, description=_state(trainer))
            if curves:
                console.print(f"step {step}: {_figures(curves)}", highlight=False, soft_wrap=True)

        trainer.run(workers or max(1, cores - 1), report, interrupt.stop.is_set)
    if trainer.step < steps:
        typer.echo(
            f"motionseg: interrupted after {trainer.step} of {steps} steps; all of it is in {out / CHECKPOINT}, "
            "the same command goes on from there",
            err=True,
        )
        raise typer.Exit(128 + interrupt.signal)
    _summarise(trainer)


def _require_torch() -> None:
    from ..core.errors import ModelError

    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise ModelError("training needs torch: pip install 'motionseg_ros[train]'") from error


def _state(trainer: Trainer) -> str:
    """What the progress bar says."""
    loss = trainer.loss if trainer.loss is not None else trainer.curves[-1]["loss"]
    found = f", validation AP {trainer.curves[-1]['validation_ap']:.3f}" if trainer.curves else ""
    return f"loss {loss:.3f}{found}"


def _figures(curves: dict[str, float]) -> str:
    return (
        f"loss {curves['loss']:.4f}, validation loss {curves['validation_loss']:.4f}, "
        f"AP {curves['validation_ap']:.4f}, {curves['windows_per_s']:.0f} windows/s"
    )


def _summarise(trainer: Trainer) -> None:
    from ..trajectories.training import WEIGHTS

    last = trainer.curves[-1]
    weights = trainer.folder / WEIGHTS
    typer.echo(
        f"{trainer.step} steps; on held-out simulation: loss {last['validation_loss']:.4f}, average precision "
        f"{last['validation_ap']:.4f}"
    )
    typer.echo(f"weights in {weights}; for segment, bench and the node: --set classifier.weights={weights}")
