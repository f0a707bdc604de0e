"""The tool that compares trajectory classifiers, on a tiny rendered scene."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from types import ModuleType

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

TINY = ["--size", "160x120", "--frames", "22", "--seeds", "1"]


@pytest.fixture(scope="module")
def tool(request) -> ModuleType:
    path = request.config.rootpath / "tools" / "measure_classifiers.py"
    specification = importlib.util.spec_from_file_location("measure_classifiers", path)
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def call(tool, tmp_path):
    """Runs the tool with these arguments; returns typer's result."""
    import typer

    app = typer.Typer()
    app.command()(tool.main)
    return lambda *arguments: CliRunner().invoke(app, [*arguments, "--cache", str(tmp_path / "cache")])


def test_tables_figures_and_sheets(call, tmp_path):
    out, sheets = tmp_path / "figures.json", tmp_path / "sheets"
    result = call(
        *("-c", "geometric", "-c", "homography", "--on", "crossing", "--on", "static", *TINY),
        *("--json", str(out), "--contact", str(sheets)),
    )
    assert result.exit_code == 0, result.output
    assert "rendered/crossing-0" in result.output
    figures = json.loads(out.read_text())
    assert list(figures["classifiers"]) == ["geometric", "homography"]
    for scores in figures["classifiers"].values():
        moving, rigid = scores["sequences"]
        assert 0 < moving["ap"] <= 1
        assert rigid["ap"] is None
        assert 0 <= rigid["alarms"] <= 1
        assert scores["milliseconds_per_window"] > 0
        assert scores["groups"][0]["alarms"] == rigid["alarms"]
    names = [
        f"rendered-{scene}-0-{c}.png" for scene in ("crossing", "static") for c in figures["classifiers"]
    ]
    assert sorted(path.name for path in sheets.iterdir()) == sorted(names)
    sheet = cv2.imread(str(sheets / names[0]))
    assert sheet.shape[1] == 3 * 640 + 2 * 4
    assert len(list((tmp_path / "cache").iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--on", "absent"), "is neither a folder"),
        (("-c", "absent"), "classifier.name must be"),
        (("--checkpoint", "absent.pt"), "no such file"),
        (("--every", "3"), "multiple of window.stride"),
        (("--size", "big"), "width x height"),
        (("--set", "tracker.spacing=0"), "tracker.spacing"),
    ],
)
def test_bad_options(call, tool, arguments, reason):
    result = call(*arguments)
    assert isinstance(result.exception, tool.MotionSegError)
    assert reason in str(result.exception)


def test_an_error_is_one_line(request):
    command = [sys.executable, "tools/measure_classifiers.py", "--on", "absent"]
    result = subprocess.run(command, cwd=request.config.rootpath, capture_output=True, text=True)
    assert result.returncode != 0
    assert result.stderr.startswith("measure_classifiers: error: absent: ")
    assert result.stderr.count("\n") == 1


def test_worst_errors_off_the_ring_come_first(tool):
    probability = np.array([0.9, 0.6, 0.4, 0.3, 0.1], np.float32)
    moving = np.array([False, False, False, True, True])
    distance = np.array([3, 40, 40, 40, 2], np.float32)
    assert tool.worst(probability, moving, distance).tolist() == [3, 4, 1, 0]
