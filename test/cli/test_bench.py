from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from motionseg_ros.cli.bench import bench
from motionseg_ros.core.errors import ConfigError, ModelError, MotionSegError, OutputError, SourceError
from motionseg_ros.core.pipeline import MotionSegmenter

SIZE = (160, 120)
app = typer.Typer()
app.command()(bench)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A folder of six images: a textured plane that shifts by 2 px per frame."""
    folder = tmp_path_factory.mktemp("frames")
    noise = np.random.default_rng(0).integers(0, 255, (SIZE[1], SIZE[0] + 20, 3), dtype=np.uint8)
    texture = cv2.GaussianBlur(noise, (0, 0), 2)
    for index in range(6):
        image = np.ascontiguousarray(texture[:, 2 * index : 2 * index + SIZE[0]])
        cv2.imwrite(str(folder / f"{index:05d}.png"), image)
    return folder


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_source_shorter_than_the_run(source, tmp_path):
    output = run(source, "--frames", 20, "--json", tmp_path / "bench.json")
    assert "20 frames of 160x120" in output
    assert "total" in output
    content = json.loads((tmp_path / "bench.json").read_text())
    assert content["frames"] == 20
    assert content["clip_frames"] == 6
    assert content["frames_per_second"] == pytest.approx(20 / content["seconds"])
    total = content["latency_ms"]["total"]
    assert total["frames"] == 20
    assert 0 < total["median"] <= total["p95"] <= total["p99"] <= total["largest"]
    assert len(content["latency_ms"]) > 1
    stages = sum(
        item["mean"] * item["frames"]
        for name, item in content["latency_ms"].items()
        if name not in ("total", "classify")
    )
    assert stages <= total["mean"] * total["frames"] * 1.01
    assert content["resident_mb"]["20"] > 10
    assert content["memory_growth"] is None
    assert content["config"]["window"]["length"] > 0
    assert content["trajectories"] > 10
    assert content["objects"] >= 0
    assert content["ready_after_s"] > 0


def test_size_and_options(source, tmp_path):
    run(source, "--frames", 3, "--size", "96x64", "--set", "window.stride=2", "--json", tmp_path / "b.json")
    content = json.loads((tmp_path / "b.json").read_text())
    assert (content["width"], content["height"]) == (96, 64)
    assert content["config"]["window"]["stride"] == 2


def test_renders_a_scene_without_a_source(tmp_path):
    output = run("--frames", 3, "--size", "128x96", "--json", tmp_path / "b.json")
    assert "rendered scene" in output
    content = json.loads((tmp_path / "b.json").read_text())
    assert (content["width"], content["height"], content["frames"]) == (128, 96, 3)
    assert content["clip_frames"] == 3


def test_what_was_done_is_told_beside_how_fast(source, tmp_path):
    output = run(source, "--frames", 6, "--json", tmp_path / "b.json")
    content = json.loads((tmp_path / "b.json").read_text())
    columns = next(line.split() for line in output.splitlines() if line.split()[:1] == ["stage"])
    assert columns == ["stage", "median", "p95", "p99", "max", "mean", "frames"]
    total = next(line.split() for line in output.splitlines() if line.split()[:1] == ["total"])
    figures = [content["latency_ms"]["total"][name] for name in ("median", "p95", "p99", "largest", "mean")]
    assert total == ["total", *(f"{figure:.2f}" for figure in figures), "6"]
    line = f"{content['trajectories']:.0f} trajectories and {content['objects']:.1f} objects in a frame, on average"
    assert f"{line}; ready after {content['ready_after_s']:.1f} s" in output


def test_gpu_memory_is_told_where_one_is_in_use(source, tmp_path, gpus):
    gpus(H200=1234)
    output = run(source, "--frames", 2, "--json", tmp_path / "b.json")
    assert "GPU memory, peak 1234 MB" in output
    content = json.loads((tmp_path / "b.json").read_text())
    assert content["gpu_peak_mb"] == 1234
    assert content["versions"]["gpus"] == ["H200"]


def test_without_a_gpu_nothing_is_told_of_it(source, tmp_path, monkeypatch):
    monkeypatch.setattr("motionseg_ros.device.memory._cuda", lambda: None)
    assert "GPU" not in run(source, "--frames", 2, "--json", tmp_path / "b.json")
    content = json.loads((tmp_path / "b.json").read_text())
    assert content["gpu_peak_mb"] is None
    assert content["versions"]["gpus"] == []


@pytest.mark.parametrize("option", ["--config", "--profile"])
def test_a_profile_by_either_name(source, tmp_path, option):
    (tmp_path / "mine.yaml").write_text("window: {stride: 3}")
    run(source, "--frames", 1, option, tmp_path / "mine.yaml", "--json", tmp_path / "b.json")
    assert json.loads((tmp_path / "b.json").read_text())["config"]["window"]["stride"] == 3
    assert "--config turbo: unknown profile" in str(failure(source, option, "turbo"))


class TestWeights:
    @pytest.fixture(autouse=True)
    def _empty_store(self, tmp_path, monkeypatch):
        monkeypatch.setenv("MOTIONSEG_WEIGHTS", str(tmp_path / "store"))

    @pytest.fixture
    def warmed(self, monkeypatch):
        """The sizes for which a pipeline was warmed up."""
        sizes, warm_up = [], MotionSegmenter.warm_up
        monkeypatch.setattr(
            MotionSegmenter, "warm_up", lambda self, size: sizes.append(size) or warm_up(self, size)
        )
        return sizes

    def test_the_default_stages_need_no_warming(self, source, warmed):
        """As in the node, which does not make the robot wait for it."""
        assert "random weights" not in run(source, "--frames", 2)
        assert warmed == []

    def test_missing_ones_are_named_before_anything_is_measured(self, source):
        error = failure(source, "--frames", 2, "--set", "classifier.name=seganymo")
        assert isinstance(error, ModelError)
        assert str(error).endswith("get it with: motionseg weights download seganymo")

    @pytest.mark.filterwarnings("ignore:the SegAnyMo model was trained with")
    def test_random_ones_need_no_file(self, source, tmp_path, warmed):
        pytest.importorskip("torch", reason="torch is not installed (pip install .[models])")
        options = ("--set", "classifier.name=seganymo", "--random-weights", "--json", tmp_path / "b.json")
        output = run(source, "--frames", 5, *options)
        assert "5 frames of 160x120" in output
        assert f"({source}, random weights)" in output
        content = json.loads((tmp_path / "b.json").read_text())
        assert content["source"] == f"{source}, random weights"
        assert content["frames"] == 5
        assert warmed == [(SIZE[1], SIZE[0])]

    def test_they_do_not_go_with_quality(self):
        error = failure("--quality", "--random-weights")
        assert isinstance(error, ConfigError)
        assert str(error) == "--random-weights: does not go with --quality, which renders its own scenes"


def failure(*arguments: object) -> BaseException:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert isinstance(result.exception, MotionSegError), result.output
    assert "\n" not in str(result.exception)
    return result.exception


@pytest.mark.parametrize("size", ["854", "854x", "x480", "0x480", "8x8", "100000x100000", "-5x480"])
def test_bad_size(source, size):
    error = failure(source, f"--size={size}")
    assert isinstance(error, ConfigError)
    assert f"--size {size}: must be width x height" in str(error)


def test_bad_option(source):
    error = failure(source, "--set", "window.lenght=9")
    assert isinstance(error, ConfigError)
    assert "window.lenght" in str(error)


def test_missing_source(tmp_path):
    error = failure(tmp_path / "nothing.mp4")
    assert isinstance(error, SourceError)
    assert "nothing.mp4" in str(error)


def test_json_that_cannot_be_written(source, tmp_path):
    error = failure(source, "--frames", 1, "--json", tmp_path / "no_folder" / "b.json")
    assert isinstance(error, OutputError)
    assert "b.json" in str(error)


def test_frames_must_be_positive(source):
    assert CliRunner().invoke(app, [str(source), "--frames", "0"]).exit_code == 2
