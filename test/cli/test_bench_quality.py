from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from motionseg_ros.cli.bench import bench
from motionseg_ros.core.errors import ConfigError, MotionSegError, OutputError
from motionseg_ros.evaluation import rendered
from motionseg_ros.synthesis import get_scene

app = typer.Typer()
app.command()(bench)


def failure(*arguments: object) -> BaseException:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert isinstance(result.exception, MotionSegError), result.output
    assert "\n" not in str(result.exception)
    return result.exception


@pytest.fixture
def tiny(monkeypatch):
    """Scenes of half a second, scored in this process."""
    monkeypatch.setattr(rendered, "get_scene", lambda name, seed: get_scene(name, seed, 96, 72, duration=0.5))
    monkeypatch.setattr("motionseg_ros.io.workers.map_in_order", lambda work, numbers, *_: map(work, numbers))


def test_table_json_and_pictures(tiny, tmp_path):
    arguments = ["--quality", "--scene", "still", "--scene", "far", "--set", "window.stride=2"]
    arguments += ["--json", str(tmp_path / "q.json"), "--sheets", str(tmp_path / "new" / "sheets")]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "Rendered benchmark" in result.output
    content = json.loads((tmp_path / "q.json").read_text())
    assert list(content["scenes"]) == ["far", "still"]  # in the benchmark's order
    assert content["scenes"]["still"]["difficulty"] == "nothing moves, strong parallax"
    assert content["scenes"]["still"]["region"] is None
    assert content["all"]["objects"] == 3
    assert content["config"]["window"]["stride"] == 2
    assert content["versions"]["motionseg_ros"]
    assert sorted(path.name for path in (tmp_path / "new" / "sheets").iterdir()) == ["far.jpg", "still.jpg"]


def test_unknown_scene_lists_the_scenes():
    error = failure("--quality", "--scene", "moon")
    assert isinstance(error, ConfigError)
    assert "--scene moon" in str(error)
    assert "passing, abreast, far" in str(error)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["recording.mcap"], "SOURCE"),
        (["--topic", "/image"], "--topic"),
        (["--frames", "300"], "--frames"),
        (["--size", "64x48"], "--size"),
    ],
)
def test_what_does_not_go_with_quality(arguments, named):
    error = failure("--quality", *arguments)
    assert isinstance(error, ConfigError)
    assert str(error).startswith(f"{named}: does not go with --quality")


@pytest.mark.parametrize(
    "arguments", [["--scene", "far"], ["--workers", "2"], ["--sheets", "x"], ["--cache", "x"]]
)
def test_what_needs_quality(arguments):
    error = failure(*arguments)
    assert isinstance(error, ConfigError)
    assert str(error) == f"{arguments[0]}: needs --quality"


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    error = failure("--quality", "--scene", "far", "--sheets", tmp_path / "file" / "sheets")
    assert isinstance(error, OutputError)


def test_workers_must_be_positive():
    assert CliRunner().invoke(app, ["--quality", "--workers", "0"]).exit_code == 2
