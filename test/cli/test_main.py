from __future__ import annotations

import subprocess
import sys

import pytest

from motionseg_ros import __version__
from motionseg_ros.cli import main as cli
from motionseg_ros.core.errors import ConfigError

COMMANDS = ("segment", "evaluate", "play", "node", "train", "simulate", "bench", "weights")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "motionseg_ros.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_help_lists_every_command():
    result = run("--help")
    assert result.returncode == 0
    assert all(command in result.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command):
    result = run(command, "--help")
    assert result.returncode == 0, result.stderr
    assert "Usage" in result.stdout


def test_version():
    assert run("--version").stdout.strip() == f"motionseg {__version__}"


@pytest.mark.parametrize("arguments", [["fly"], ["segment"], ["segment", "here"], ["segment", "--fast", "x"]])
def test_wrong_usage_has_status_2(arguments):
    result = run(*arguments)
    assert result.returncode == 2
    assert "Usage" in result.stderr


def test_segment_does_not_need_ros(tmp_path):
    code = (
        "import sys; sys.modules['rclpy'] = None\n"
        "from motionseg_ros.cli.main import main\n"
        "sys.argv = ['motionseg', 'segment', '--help']\n"
        "main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (
            ConfigError("window.stride:\n  must be   more"),
            2,
            "motionseg: error: window.stride: must be more\n",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors_leave_as_one_line_and_a_status(monkeypatch, capsys, error, status, text):
    def fails():
        raise error

    monkeypatch.setattr(cli, "app", fails)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == status
    assert capsys.readouterr().err == text


def test_a_closed_pipe_is_no_error():
    command = f"{sys.executable} -m motionseg_ros.cli.main segment --help | true"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in result.stderr
    assert "Exception ignored" not in result.stderr


def test_errors_that_are_bugs_are_not_hidden(monkeypatch):
    def fails():
        raise RuntimeError("a bug")

    monkeypatch.setattr(cli, "app", fails)
    with pytest.raises(RuntimeError, match="a bug"):
        cli.main()
