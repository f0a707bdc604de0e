from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from motionseg_ros.cli import simulate as command
from motionseg_ros.core.errors import MotionSegError, OutputError
from motionseg_ros.synthesis.contact_sheet import COLUMNS, MOVING, STATIC, UNDECIDED, draw_contact_sheet
from motionseg_ros.synthesis.simulator import SimulatedWindows, simulate_windows

app = typer.Typer()
app.command()(command.simulate)
SMALL = ("--trajectories", "6", "--frames", "4")


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(a) for a in (*arguments, *SMALL)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def failure(*arguments: object) -> MotionSegError:
    result = CliRunner().invoke(app, [str(a) for a in (*arguments, *SMALL)])
    assert isinstance(result.exception, MotionSegError), result.output
    assert "\n" not in str(result.exception)
    return result.exception


def load(folder: Path) -> list[dict[str, np.ndarray]]:
    shards = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as content:
            shards.append(dict(content))
    return shards


def test_files_as_they_are_described(tmp_path):
    out = tmp_path / "new" / "out"
    told = run(out, "--windows", 130, "--workers", 1)
    assert "130 windows of 6 x 4" in told
    assert "windows/s" in told
    assert str(out) in told
    names = sorted(path.name for path in out.iterdir())
    assert names == ["simulation.json", "windows_00000.npz", "windows_00001.npz"]
    description = json.loads((out / "simulation.json").read_text())
    assert (description["windows"], description["seed"], description["windows_per_file"]) == (130, 0, 128)
    shards = load(out)
    assert [len(shard["sizes"]) for shard in shards] == [128, 2]
    dimensions = {"(B, N, T, 2)": (6, 4, 2), "(B, N, T)": (6, 4), "(B, N)": (6,), "(B, 2)": (2,)}
    for shard in shards:
        assert shard.keys() == description["layout"].keys()
        for name, text in description["layout"].items():
            shape, _, rest = text.partition(") ")
            kind = rest.replace(",", " ").split()[0]
            assert shard[name].shape[1:] == dimensions[f"{shape})"], name
            assert shard[name].dtype == kind, name


def test_the_seed_and_nothing_else_decides(tmp_path):
    for name, *options in (("a", "--workers", 1), ("b", "--workers", 2), ("c", "--workers", 1, "--seed", 1)):
        run(tmp_path / name, "--windows", 129, *options)
    a, b, c = (load(tmp_path / name) for name in "abc")
    for one, other in zip(a, b, strict=True):
        for name, value in one.items():
            np.testing.assert_array_equal(value, other[name])
    assert (a[0]["positions"] != c[0]["positions"]).any()


def test_a_folder_in_use_is_kept(tmp_path):
    (tmp_path / "windows_00007.npz").write_text("mine")
    error = failure(tmp_path)
    assert isinstance(error, OutputError)
    assert "already" in str(error)
    assert [path.name for path in tmp_path.iterdir()] == ["windows_00007.npz"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot make the folder" in str(failure(tmp_path / "file"))


def test_picture(tmp_path):
    path = tmp_path / "sheet.png"
    assert "24 windows" in run("--picture", path)
    sheet = cv2.imread(str(path))
    assert sheet.ndim == 3
    assert sheet.shape[1] > COLUMNS * 400
    assert (sheet == STATIC).all(-1).any()
    assert [item.name for item in tmp_path.iterdir()] == ["sheet.png"]


def test_picture_of_another_kind(tmp_path):
    assert "must end in .png" in str(failure("--picture", tmp_path / "sheet.jpg"))


def test_benchmark_writes_nothing(tmp_path):
    told = run(tmp_path / "out", "--benchmark", "--windows", 20, "--workers", 1)
    assert "20 windows of 6 x 4" in told
    assert "per second of a core" in told
    assert "1 process" in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments", [[], ["out", "--windows", "0"], ["out", "--seed", "-1"], ["out", "--frames", "x"]]
)
def test_wrong_usage(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_colours_of_the_contact_sheet():
    windows = simulate_windows(2, np.random.default_rng(0), 4, 3)
    empty = {name: getattr(windows, name).copy() for name in command.LAYOUT}
    empty["positions"][:] = np.array([[50, 50], [100, 50], [50, 100], [100, 100]])[None, :, None]
    empty["visible"][:] = True
    empty["visible"][0, 3] = False
    empty["positions"][0, 3] = np.nan
    empty["moving"][:] = [1, 0, 1, 1]
    empty["weight"][:] = [1, 1, 0, 1]
    empty["sizes"][:] = (432, 432)
    sheet = draw_contact_sheet(SimulatedWindows(**empty))
    assert sheet.shape[1] == COLUMNS * sheet.shape[0]
    drawn = [tuple(sheet[4 + y, 4 + x]) for x, y in ((50, 50), (100, 50), (50, 100), (100, 100))]
    assert drawn == [MOVING, STATIC, UNDECIDED, (0, 0, 0)]
