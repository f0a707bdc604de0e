from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from motionseg_ros.core.errors import ModelError, OutputError
from motionseg_ros.trajectories.batches import (
    TrainingBatch,
    TrainingConfig,
    make_batch,
    stream_batches,
    validation_batches,
)
from motionseg_ros.trajectories.network import NetworkConfig

torch = pytest.importorskip("torch", reason="torch is not installed (pip install .[train])")

from motionseg_ros.trajectories.training import CHECKPOINT, CURVES, WEIGHTS, Trainer, loss_of  # noqa: E402

CONFIG = TrainingConfig(
    steps=4,
    batch=4,
    trajectories=12,
    anchors=8,
    frames=6,
    warmup=2,
    validate_every=2,
    validation_windows=6,
)
NETWORK = NetworkConfig(width=8, hidden=8, layers=1)


def silent(_step: int, _curves: dict[str, float]) -> None:
    pass


def arrays(batch: TrainingBatch) -> list[np.ndarray]:
    return [
        *(getattr(batch.features, name) for name in ("values", "points", "known")),
        batch.moving,
        batch.weight,
    ]


def assert_same(first: TrainingBatch, second: TrainingBatch) -> None:
    for one, other in zip(arrays(first), arrays(second), strict=True):
        np.testing.assert_array_equal(one, other)


def trained(folder: Path, config: TrainingConfig = CONFIG, **kwargs) -> Trainer:
    trainer = Trainer(config, NETWORK, folder)
    trainer.run(0, silent, **kwargs)
    return trainer


def tensors(trainer: Trainer) -> dict[str, np.ndarray]:
    """Everything that has been learned, momenta included."""
    found = {f"mean {name}": value for name, value in trainer.weights().items()}
    found |= {name: value.detach().numpy() for name, value in trainer.parameters.items()}
    for index, state in trainer.optimiser.state_dict()["state"].items():
        found |= {f"{index} {name}": value.numpy() for name, value in state.items()}
    return found


def assert_equal(first: Trainer, second: Trainer) -> None:
    one, other = tensors(first), tensors(second)
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)


# Batches


def test_a_batch_is_made_by_its_seed():
    batch = make_batch(CONFIG, (0, 1), 3)
    assert len(batch) == 3
    assert batch.features.values.shape[:2] == batch.moving.shape == batch.weight.shape == (3, 12)
    assert all(np.isfinite(array).all() for array in arrays(batch))
    assert not batch.weight[~batch.features.known].any()
    assert_same(batch, make_batch(CONFIG, (0, 1), 3))
    assert (batch.features.values != make_batch(CONFIG, (0, 2), 3).features.values).any()


def test_batches_are_the_same_with_any_number_of_processes():
    config = replace(CONFIG, steps=6)
    here = list(stream_batches(config, 1, 0))
    assert len(here) == 5
    for workers in (1, 2):
        for one, other in zip(here, stream_batches(config, 1, workers), strict=True):
            assert_same(one, other)


def test_held_out_windows_are_those_of_any_run():
    config = replace(CONFIG, validation_windows=70)
    batches = validation_batches(config, 0)
    assert [len(batch) for batch in batches] == [64, 6]
    for one, other in zip(batches, validation_batches(replace(config, seed=7, batch=9), 0), strict=True):
        assert_same(one, other)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"steps": 0}, "steps must be at least 1, but got 0"),
        ({"anchors": 0}, "anchors must be at least 1"),
        ({"frames": 2}, "frames must be at least 3, but got 2"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"seed": 1_000_003}, "held-out windows"),
    ],
)
def test_settings_that_make_no_sense(change, told):
    with pytest.raises(ValueError, match=told):
        replace(CONFIG, **change)


def test_simulating_processes_do_without_torch():
    code = "import sys; sys.modules['torch'] = None; import motionseg_ros.trajectories.batches"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# Loss


def loss(answers, moving, weight, **settings) -> float:
    given = (torch.tensor(value, dtype=torch.float32) for value in (answers, moving, weight))
    return loss_of(*given, replace(CONFIG, **settings)).item()


@pytest.mark.parametrize(("balance", "factor"), [(1.0, 2.0), (0.5, 2**0.5), (0.0, 1.0)])
def test_loss_by_hand(balance, factor):
    # One moving and three resting trajectories, one of which does not count: two rest for one that moves.
    value = loss([[2.0, -1.0, 0.0, 50.0]], [[1, 0, 0, 0]], [[1, 1, 1, 0]], balance=balance)
    each = factor * np.log1p(np.exp(-2)) + np.log1p(np.exp(-1)) + np.log(2)
    assert value == pytest.approx(each / (factor + 2), rel=1e-5)


def test_loss_is_the_mean_over_windows():
    answers, moving, weight = [[1.0, 2.0], [-1.0, 3.0]], [[1, 1], [0, 0]], [[1, 1], [1, 0]]
    apart = [loss([answers[k]], [moving[k]], [weight[k]]) for k in (0, 1)]
    assert loss(answers, moving, weight) == pytest.approx(np.mean(apart), rel=1e-5)


def test_loss_of_a_window_in_which_nothing_counts():
    assert loss([[9.0, -9.0]], [[1, 0]], [[0, 0]]) == 0


# Runs


def test_training_lowers_the_loss(tmp_path):
    config = replace(CONFIG, steps=15, batch=16, validate_every=5, learning_rate=2e-2, average=0.5)
    network = NetworkConfig(width=16, hidden=16, layers=1)
    trainer = Trainer(config, network, tmp_path)
    before = trainer.validate(validation_batches(config, 0))["validation_loss"]
    trainer.run(0, silent)
    assert [row["step"] for row in trainer.curves] == [5, 10, 15]
    assert trainer.curves[-1]["validation_loss"] < 0.95 * before
    assert trainer.curves[-1]["loss"] < trainer.curves[0]["loss"]


def test_results_in_the_folder(tmp_path):
    from safetensors.numpy import load_file

    reported = []
    trainer = Trainer(CONFIG, NETWORK, tmp_path / "new" / "run")
    trainer.run(0, lambda step, curves: reported.append((step, bool(curves))))
    assert reported == [(1, False), (2, True), (3, False), (4, True)]
    assert sorted(path.name for path in trainer.folder.iterdir()) == sorted([CHECKPOINT, CURVES, WEIGHTS])
    assert (trainer.folder / WEIGHTS).stat().st_mode == (trainer.folder / CHECKPOINT).stat().st_mode
    stored = load_file(trainer.folder / WEIGHTS)
    for name, value in trainer.weights().items():
        np.testing.assert_array_equal(stored[name], value)
    with (trainer.folder / CURVES).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "4"]
    for row, curves in zip(rows, trainer.curves, strict=True):
        assert {name: float(value) for name, value in row.items()} == pytest.approx(curves)


def test_the_same_settings_train_the_same_weights(tmp_path):
    assert_equal(trained(tmp_path / "a"), trained(tmp_path / "b"))


@pytest.mark.parametrize("after", [1, 2, 3])
def test_an_interrupted_run_ends_like_one_that_was_not(tmp_path, after):
    whole = trained(tmp_path / "whole")
    stopped = Trainer(CONFIG, NETWORK, tmp_path / "parts")
    stopped.run(0, silent, stop=lambda: stopped.step == after)
    assert stopped.step == after
    resumed = Trainer(CONFIG, NETWORK, tmp_path / "parts")
    assert resumed.step == after
    assert_equal(resumed, stopped)
    resumed.run(0, silent)
    assert_equal(resumed, whole)
    for ours, theirs in zip(resumed.curves, whole.curves, strict=True):
        assert {**ours, "windows_per_s": 0} == {**theirs, "windows_per_s": 0}


def test_a_finished_run_only_writes_its_results_again(tmp_path):
    first = trained(tmp_path)
    (tmp_path / WEIGHTS).unlink()
    again = trained(tmp_path)
    assert_equal(first, again)
    assert (tmp_path / WEIGHTS).is_file()


def test_a_loss_that_is_not_finite(tmp_path):
    trainer = Trainer(CONFIG, NETWORK, tmp_path)
    with torch.no_grad():
        trainer.parameters["answer.bias"].fill_(float("nan"))
    with pytest.raises(ModelError, match="the loss is nan in step 1"):
        trainer.run(0, silent)


# Checkpoints that cannot be gone on from


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> bytes:
    folder = tmp_path_factory.mktemp("run")
    Trainer(CONFIG, NETWORK, folder).run(0, silent, stop=lambda: True)
    return (folder / CHECKPOINT).read_bytes()


def refusal(folder: Path, **settings) -> str:
    with pytest.raises(ModelError) as raised:
        Trainer(replace(CONFIG, **settings), NETWORK, folder)
    assert "\n" not in str(raised.value)
    assert str(folder / CHECKPOINT) in str(raised.value)
    return str(raised.value)


def test_other_settings(tmp_path, checkpoint):
    (tmp_path / CHECKPOINT).write_bytes(checkpoint)
    told = refusal(tmp_path, steps=5, seed=3)
    assert "steps 4 instead of 5, seed 0 instead of 3" in told
    assert "another folder" in told


def test_another_network(tmp_path, checkpoint):
    (tmp_path / CHECKPOINT).write_bytes(checkpoint)
    with pytest.raises(ModelError, match="width 8 instead of 16"):
        Trainer(CONFIG, replace(NETWORK, width=16), tmp_path)


@pytest.mark.parametrize(
    "damage", ["empty", "cut off", "text", "foreign", "list", "other tensors", "no optimiser"]
)
def test_damaged_checkpoint(tmp_path, checkpoint, damage):
    path = tmp_path / CHECKPOINT
    path.write_bytes(checkpoint)
    state = torch.load(path, weights_only=True)
    if damage == "other tensors":
        # One that would be broadcast without a word.
        state["parameters"]["answer.weight"] = torch.ones(1, 1)
    elif damage == "no optimiser":
        del state["optimiser"]
    contents = {"empty": b"", "cut off": checkpoint[: len(checkpoint) // 2], "text": b"step,loss\n"}
    if damage in contents:
        path.write_bytes(contents[damage])
    else:
        others = {"foreign": {"epoch": 5, "model_state_dict": {}}, "list": [1, 2]}
        torch.save(others.get(damage, state), path)
    assert "damaged" in refusal(tmp_path)


def test_a_checkpoint_runs_no_code(tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "was_here",))

    torch.save({"config": Evil()}, tmp_path / CHECKPOINT, pickle_module=pickle)
    refusal(tmp_path)
    assert not (tmp_path / "was_here").exists()


def test_a_device_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match="nowhere"):
        Trainer(CONFIG, NETWORK, tmp_path, "nowhere")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        Trainer(CONFIG, NETWORK, tmp_path / "file")


def test_results_that_cannot_be_written(tmp_path):
    trainer = Trainer(CONFIG, NETWORK, tmp_path)
    (tmp_path / f"{CHECKPOINT}.partial").mkdir()
    with pytest.raises(OutputError, match=CHECKPOINT):
        trainer.run(0, silent)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_training_on_cuda(tmp_path):
    trainer = Trainer(CONFIG, NETWORK, tmp_path, "cuda")
    trainer.run(0, silent)
    assert all(np.isfinite(value).all() for value in trainer.weights().values())
    assert asdict(CONFIG)["steps"] == Trainer(CONFIG, NETWORK, tmp_path, "cuda").step


def test_a_simulating_process_that_dies_ends_the_training(tmp_path):
    from multiprocessing import active_children

    from motionseg_ros.core.errors import MotionSegError

    def kill(_step: int, _curves: dict[str, float]) -> None:
        for child in active_children():
            os.kill(child.pid, signal.SIGKILL)

    trainer = Trainer(replace(CONFIG, steps=50, validate_every=50), NETWORK, tmp_path)
    with pytest.raises(
        MotionSegError, match=r"a process that simulates windows has ended \(killed by signal 9"
    ):
        trainer.run(1, kill)
    assert not active_children()
