"""Training of the shipped classifier on simulated windows. Needs torch.

A run is decided by its settings: it is the same whatever the number of processes that simulate, and one that was
interrupted goes on where it stopped as if nothing had happened (on a CPU bit for bit, given the same number of
threads).
"""

from __future__ import annotations

import csv
import io
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from ..core.errors import ModelError, OutputError
from ..device.choice import find_device
from ..evaluation.trajectories import average_precision
from .batches import TrainingBatch, TrainingConfig, make_batch, stream_batches, validation_batches
from .calibration import Calibration, calibration_error, fit_calibration
from .network import NetworkConfig, forward, initial_parameters, save_network

__all__ = [
    "NetworkConfig",
    "Trainer",
    "TrainingBatch",
    "TrainingConfig",
    "loss_of",
    "make_batch",
    "stream_batches",
]

CHECKPOINT, WEIGHTS, CURVES = "checkpoint.pt", "weights.safetensors", "curves.csv"
_LARGEST_GRADIENT = 1.0


def loss_of(
    answers: torch.Tensor, moving: torch.Tensor, weight: torch.Tensor, config: TrainingConfig
) -> torch.Tensor:
    """Weighted binary cross-entropy, mean over windows.

    Args:
        answers: (B, N) logits of P(moving).
        moving: (B, N) truth, 0 or 1.
        weight: (B, N), 0 for what does not count.
        config: see `TrainingConfig`.

    Returns:
        a scalar.
    """
    positive = (weight * moving).sum(1, keepdim=True)
    negative = (weight * (1 - moving)).sum(1, keepdim=True)
    factor = (negative / positive.clamp(min=1)).clamp(0.2, 30) ** config.balance
    weight = weight * torch.where(moving > 0, factor, torch.ones_like(factor))
    each = F.binary_cross_entropy_with_logits(answers, moving, weight, reduction="none")
    return (each.sum(1) / weight.sum(1).clamp(min=1)).mean()


class Trainer:
    """One run and its folder.

    The folder gets ``checkpoint.pt`` (everything needed to go on), ``weights.safetensors`` (the mean weights, ready
    for use) and ``curves.csv`` (one line per validation). A checkpoint that is there is gone on from.

    Args:
        config: how to train.
        network: size of the network.
        folder: made where it does not exist.
        device: "cpu" or "cuda"; there, products are computed in bfloat16.

    Raises:
        ModelError: there is no such device, or the folder's checkpoint is damaged or of another run.
        OutputError: the folder cannot be made.
    """

    def __init__(
        self, config: TrainingConfig, network: NetworkConfig, folder: Path, device: str = "cpu"
    ) -> None:
        self.config, self.network, self.folder = config, network, folder
        self.device = find_device(device)
        self.step = 0
        self.calibration = Calibration()
        #: What each validation found, oldest first, with its step.
        self.curves: list[dict[str, float]] = []
        # Sum and number of the losses since then.
        self._losses = (0.0, 0)
        torch.manual_seed(config.seed)  # nothing draws from it today
        initial = initial_parameters(network, np.random.default_rng(config.seed))
        self.parameters = {
            name: torch.tensor(value, device=self.device, requires_grad=True)
            for name, value in initial.items()
        }
        self.mean = {name: value.detach().clone() for name, value in self.parameters.items()}
        matrices = [p for p in self.parameters.values() if p.ndim == 2]
        others = [p for p in self.parameters.values() if p.ndim < 2]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": config.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=config.learning_rate,
            betas=(0.9, 0.98),
        )
        with _written(folder):
            folder.mkdir(parents=True, exist_ok=True)
        if (folder / CHECKPOINT).exists():
            self._resume()

    @property
    def loss(self) -> float | None:
        """Mean loss of the steps since the last validation; None right after it."""
        total, number = self._losses
        return total / number if number else None

    def run(
        self,
        workers: int,
        report: Callable[[int, dict[str, float]], None],
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Train to the end, or until `stop()`; either way everything is saved.

        Args:
            workers: processes that simulate; 0 simulates in between the steps.
            report: called as `report(step, curves)` after every step, with curves when validated.
            stop: asked after every step.

        Raises:
            MotionSegError: a process that simulates has ended.
            ModelError: the loss is not finite any more.
            OutputError: the folder cannot be written.
        """
        if self.step >= self.config.steps:
            self.validate(validation_batches(self.config, workers))
            self._save()  # the weights may have been lost
            return
        validation = validation_batches(self.config, workers)
        began, number = time.monotonic(), 0
        with _repeatable(self.device), closing(stream_batches(self.config, self.step, workers)) as batches:
            for batch in batches:
                total, count = self._losses
                self._losses = total + self._learn(batch), count + 1
                self.step, number = self.step + 1, number + 1
                curves: dict[str, float] = {}
                if self.step % self.config.validate_every == 0 or self.step == self.config.steps:
                    rate = number * self.config.batch / (time.monotonic() - began)
                    curves = {"loss": self.loss, **self.validate(validation), "windows_per_s": rate}
                    self.curves.append({"step": self.step, **curves})
                    self._losses = (0.0, 0)
                    self._save()
                    began, number = time.monotonic(), 0
                report(self.step, curves)
                if stop():
                    if not curves:
                        self._save()
                    return

    def _learn(self, batch: TrainingBatch) -> float:
        rate = self._rate()
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            answers = self._forward(self.parameters, batch)
        moving, weight = self._send(batch.moving), self._send(batch.weight)
        loss = loss_of(answers.float(), moving, weight, self.config)
        value = loss.item()
        if not math.isfinite(value):
            raise ModelError(
                f"the loss is {value} in step {self.step + 1}: training has failed; the last good weights are in "
                f"{self.folder}, another seed or smaller rates may help"
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(self.parameters.values()), _LARGEST_GRADIENT)
        self.optimiser.step()
        # The first weights are worth nothing: the mean forgets them fast.
        decay = min(self.config.average, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for name, mean in self.mean.items():
                mean.lerp_(self.parameters[name], 1 - decay)
        return value

    def _rate(self) -> float:
        """A Python float, not NumPy's: it goes into the checkpoint, from which only plain values are read back."""
        rise = min(1.0, (self.step + 1) / max(self.config.warmup, 1))
        fall = 0.5 * (1 + math.cos(math.pi * self.step / self.config.steps))
        return self.config.learning_rate * rise * fall

    def _send(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device)

    def _forward(self, parameters: Mapping[str, torch.Tensor], batch: TrainingBatch) -> torch.Tensor:
        features = batch.features
        values, points, known = map(self._send, (features.values, features.points, features.known))
        return forward(parameters, self.network, values, points, known, self.config.anchors, torch)

    def validate(self, batches: list[TrainingBatch]) -> dict[str, float]:
        """Loss, average precision and calibration error of trajectories on held-out simulation, with the mean weights.

        The calibration that goes with the weights is fitted here, too.
        """
        losses, scores, excesses, labels = [], [], [], []
        with torch.inference_mode():
            for batch in batches:
                answers = self._forward(self.mean, batch)
                moving, weight = self._send(batch.moving), self._send(batch.weight)
                losses.append(loss_of(answers, moving, weight, self.config).item())
                counted = batch.weight > 0
                scores.append(answers.cpu().numpy()[counted])
                excesses.append(batch.features.excess[counted])
                labels.append(batch.moving[counted] > 0)
        sizes = [len(batch) for batch in batches]
        logits, excess, positive = map(np.concatenate, (scores, excesses, labels))
        if positive.any() and not positive.all():
            self.calibration = fit_calibration(logits, excess, positive)
        return {
            "validation_loss": float(np.average(losses, weights=sizes)),
            "validation_ap": average_precision(logits, positive) or 0.0,
            "calibration_error": calibration_error(self.calibration(logits, excess), positive),
        }

    def weights(self) -> dict[str, np.ndarray]:
        """The mean weights by name, float32."""
        return {name: value.detach().cpu().numpy() for name, value in self.mean.items()}

    def _save(self) -> None:
        state = {
            "step": self.step,
            "config": asdict(self.config),
            "network": asdict(self.network),
            "parameters": {name: value.detach() for name, value in self.parameters.items()},
            "mean": self.mean,
            "optimiser": self.optimiser.state_dict(),
            "losses": list(self._losses),
            "curves": self.curves,
            "calibration": asdict(self.calibration),
        }
        # By way of memory: torch does not tell a full disk from any other failure.
        buffer = io.BytesIO()
        torch.save(state, buffer)
        self._replace(CHECKPOINT, buffer.getvalue())
        with _written(self.folder / WEIGHTS):
            save_network(self.folder / WEIGHTS, self.weights(), self.network, self.calibration)
        if self.curves:
            table = io.StringIO(newline="")
            writer = csv.DictWriter(table, list(self.curves[0]))
            writer.writeheader()
            writer.writerows({name: f"{value:.9g}" for name, value in row.items()} for row in self.curves)
            self._replace(CURVES, table.getvalue().encode())

    def _replace(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all."""
        path, partial = self.folder / name, self.folder / f"{name}.partial"
        with _written(path):
            partial.write_bytes(content)
            partial.replace(path)

    def _resume(self) -> None:
        path = self.folder / CHECKPOINT
        damaged = f"{path} is damaged, or no checkpoint of a training; delete it, or give another folder"
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            made = {"config": dict(state["config"]), "network": dict(state["network"])}
        # On a file that is something else torch can raise nearly anything.
        except Exception as error:
            raise ModelError(damaged) from error
        differing = _differences(made["config"], asdict(self.config))
        differing += _differences(made["network"], asdict(self.network))
        if differing:
            raise ModelError(
                f"{path} was made with other settings ({', '.join(differing)}); use those, or give another folder"
            )
        try:
            self._restore(state)
        except Exception as error:
            raise ModelError(damaged) from error

    def _restore(self, state: dict[str, Any]) -> None:
        """Raises nearly anything where `state` does not fit."""
        shapes = {name: value.shape for name, value in self.parameters.items()}
        for values in (state["parameters"], state["mean"]):
            if {name: value.shape for name, value in values.items()} != shapes:
                raise ValueError("the tensors are others")
        self.optimiser.load_state_dict(state["optimiser"])
        with torch.no_grad():
            for name, value in self.parameters.items():
                value.copy_(state["parameters"][name])
                self.mean[name].copy_(state["mean"][name])
        total, number = state["losses"]
        self._losses = float(total), int(number)
        self.curves = [dict(row) for row in state["curves"]]
        self.calibration = Calibration(**state.get("calibration", {}))
        self.step = int(state["step"])


def _differences(made: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    names = [name for name in {**made, **wanted} if made.get(name) != wanted.get(name)]
    return [f"{name} {made.get(name)} instead of {wanted.get(name)}" for name in names]


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """Tell in one line what cannot be written."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise OutputError(f"cannot write {path}: {reason}; give a folder that you may write to") from error


@contextmanager
def _repeatable(device: torch.device) -> Iterator[None]:
    """Let CUDA compute in ways that give the same bits each time, where there are such; a CPU always does."""
    if device.type != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    former = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(former[0], warn_only=former[1])
