from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from motionseg_ros.cli import train as command
from motionseg_ros.core.errors import ConfigError, ModelError, MotionSegError

app = typer.Typer()
app.command()(command.train)
SMALL = ("--batch", "4", "--trajectories", "12", "--workers", "1", "--threads", "1")


@pytest.fixture
def small(monkeypatch):
    """What has no option is small, too."""
    pytest.importorskip("torch", reason="torch is not installed (pip install .[train])")
    from motionseg_ros.trajectories import training

    config = partial(training.TrainingConfig, frames=6, anchors=8, validate_every=2, validation_windows=4)
    network = partial(training.NetworkConfig, width=8, hidden=8, layers=1)
    monkeypatch.setattr(training, "TrainingConfig", config)
    monkeypatch.setattr(training, "NetworkConfig", network)


def invoke(*arguments: object, status: int = 0):
    result = CliRunner().invoke(app, [str(a) for a in (*arguments, *SMALL)], catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result


def failure(*arguments: object) -> MotionSegError:
    result = CliRunner().invoke(app, [str(a) for a in (*arguments, *SMALL)])
    assert isinstance(result.exception, MotionSegError), result.output
    assert "\n" not in str(result.exception)
    return result.exception


def test_defaults_are_those_of_the_training():
    from motionseg_ros.trajectories.batches import TrainingConfig

    parameters = inspect.signature(command.train).parameters
    for name in ("steps", "batch", "trajectories", "seed"):
        assert parameters[name].default == getattr(TrainingConfig(), name), name


def test_weights_curves_and_what_is_said(small, tmp_path):
    out = tmp_path / "run"
    result = invoke(out, "--steps", 3)
    assert "step 2: loss 0." in result.stderr
    assert "3 steps; on held-out simulation: loss 0." in result.stdout
    assert f"--set classifier.weights={out}/weights.safetensors" in result.stdout
    assert (out / "weights.safetensors").is_file()
    assert (out / "curves.csv").read_text().startswith("step,loss,validation_loss,validation_ap")
    # Once more: nothing is left to do.
    assert "3 steps; on held-out simulation" in invoke(out, "--steps", 3).stdout


def test_ctrl_c_and_the_same_command_again(small, tmp_path, monkeypatch):
    def press(trainer):
        if trainer.step == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return ""

    with monkeypatch.context() as patch:
        patch.setattr(command, "_state", press)
        told = invoke(tmp_path, "--steps", 3, status=130).stderr
    assert "interrupted after 1 of 3 steps" in told
    assert f"{tmp_path}/checkpoint.pt" in told
    assert "the same command goes on" in told
    again = invoke(tmp_path, "--steps", 3)
    assert "going on after step 1 of 3" in again.stderr
    assert "3 steps; on held-out simulation" in again.stdout


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux")
def test_ctrl_c_in_a_terminal_reaches_all_processes(tmp_path):
    pytest.importorskip("torch", reason="torch is not installed (pip install .[train])")
    arguments = ["train", tmp_path / "run", "--steps", "100000", *SMALL]
    process = subprocess.Popen(
        [sys.executable, "-m", "motionseg_ros.cli.main", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + 60
        # The resource tracker, and the process that simulates.
        while len(children(process.pid)) < 2:
            assert time.monotonic() < end, "nothing was started in a minute"
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        _, told = process.communicate(timeout=200)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130, told
    (line,) = told.strip().splitlines()
    assert "interrupted after 1 of 100000 steps" in line


def test_other_settings(small, tmp_path):
    invoke(tmp_path, "--steps", 1)
    error = failure(tmp_path, "--steps", 2)
    assert isinstance(error, ModelError)
    assert "steps 1 instead of 2" in str(error)


def test_damaged_checkpoint(small, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"PK\x03\x04")
    assert "damaged" in str(failure(tmp_path))


def test_the_seed_of_the_held_out_windows(small, tmp_path):
    error = failure(tmp_path, "--seed", 1_000_003)
    assert isinstance(error, ConfigError)
    assert not list(tmp_path.iterdir())


def test_without_torch():
    code = (
        "import sys; sys.modules['torch'] = None; sys.argv = ['motionseg', 'train', '/nowhere/x']\n"
        "from motionseg_ros.cli.main import main\n"
        "main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert result.stderr == "motionseg: error: training needs torch: pip install 'motionseg_ros[train]'\n"


def test_help_needs_neither_torch_nor_numpy():
    code = (
        "import sys; sys.modules['torch'] = sys.modules['numpy'] = None; sys.argv = ['motionseg', 'train', '-h']\n"
        "from motionseg_ros.cli.main import main\n"
        "main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    "option", [("--steps", "0"), ("--device", "tpu"), ("--workers", "0"), ("--seed", "-1")]
)
def test_wrong_usage(tmp_path, option):
    assert CliRunner().invoke(app, [str(tmp_path), *option]).exit_code == 2
