"""SAM 2 and prompting, as in the profile `gpu`, with random weights, on whatever device there is: bag in, bag out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from motionseg_ros.assembly import build_segmenter
from motionseg_ros.core.errors import ConfigError, ModelError
from motionseg_ros.core.types import Frame
from motionseg_ros.io.config_files import load_config
from motionseg_ros.synthesis import Renderer, get_scene

FRAMES = 14


@pytest.fixture(scope="module")
def weights(model, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "sam2.1_hiera_tiny.pt"
    torch.save({"model": model.state_dict()}, path)
    return path


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    renderer = Renderer(get_scene("crossing", width=320, height=240))
    return [renderer.render(index).image for index in range(FRAMES)]


@pytest.fixture
def settings(weights) -> list[str]:
    others = [
        "tracker.name=lucas_kanade",
        "depth.name=none",
        "semantics.name=none",
        "classifier.name=learned",
        "prompting.min_confidence=0",
    ]
    return [*others, f"sam2.weights={weights}", "sam2.resolution=128"]


@pytest.fixture
def motionseg(settings):
    """Runs the command with the profile."""

    def run(*arguments: object) -> SimpleNamespace:
        code = "from motionseg_ros.cli.main import main; main()"
        options = [part for value in settings for part in ("--set", value)]
        command = [sys.executable, "-c", code, *map(str, arguments), "--config", "gpu", *options]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


def test_the_whole_pipeline(settings, images):
    """Objects are prompted and tracked, but not shown: a random mask lies mostly on what does not move."""
    segmenter = build_segmenter(load_config("gpu", settings))
    tracked = 0
    for index, image in enumerate(images):
        result = segmenter.push(Frame(image, index * 100_000_000, "camera", index))
        assert result.warning is None
        assert result.instances == ()
        tracked += len(segmenter._masker.masks())
    assert tracked > FRAMES / 4


def test_bag_in_bag_out(motionseg, make_bag, images, tmp_path):
    from motionseg_ros.io.bag_source import BagSource

    out = tmp_path / "out.mcap"
    finished = motionseg("segment", make_bag(images=images), "-o", out)
    assert finished.returncode == 0, finished.stderr
    assert f"{FRAMES} frames at" in finished.stdout
    labels = list(BagSource(out, "/motionseg/labels"))
    assert [frame.stamp for frame in labels] == [100 * 10**9 + index * 10**8 for index in range(FRAMES)]


def test_what_was_used_is_in_the_summary(motionseg, make_bag, images, tmp_path, weights):
    finished = motionseg("segment", make_bag(images=images[:2]), "-o", tmp_path / "out")
    assert finished.returncode == 0, finished.stderr
    config = json.loads((tmp_path / "out" / "summary.json").read_text())["config"]
    assert (config["masker"]["name"], config["grouping"]["name"]) == ("sam2", "prompting")
    assert config["sam2"]["weights"] == str(weights)


def test_the_same_twice(settings, images):
    """Nothing depends on chance or on what was before."""
    segmenter = build_segmenter(load_config("gpu", settings))
    runs = []
    for _ in range(2):
        runs.append(
            [segmenter.push(Frame(im, i * 100_000_000, "camera", i)) for i, im in enumerate(images[:8])]
        )
        segmenter.reset()
    for one, other in zip(*runs, strict=True):
        np.testing.assert_array_equal(one.labels > 0, other.labels > 0)


def test_missing_weights_say_how_to_get_them(monkeypatch, tmp_path, settings):
    monkeypatch.setenv("MOTIONSEG_WEIGHTS", str(tmp_path))
    with pytest.raises(ModelError, match=r"sam2\.1_hiera_tiny\.pt.*motionseg weights download sam2\.1_tiny"):
        build_segmenter(load_config("gpu", [*settings, "sam2.weights="]))


def test_weights_of_the_store_are_found(monkeypatch, weights, settings):
    """They are the released ones or none: a file of another size is refused."""
    monkeypatch.setenv("MOTIONSEG_WEIGHTS", str(weights.parent))
    with pytest.raises(ModelError, match=r"sam2\.1_hiera_tiny\.pt has .* it is another file|cut short"):
        build_segmenter(load_config("gpu", [*settings, "sam2.weights="]))


def test_prompting_needs_a_mask_model_to_prompt():
    with pytest.raises(
        ConfigError, match=r"grouping\.name prompting needs masker\.name sam2 to prompt, but got guided"
    ):
        load_config("cpu", ["grouping.name=prompting"])
    both = ["grouping.name=prompting", "masker.name=sam2"]
    assert load_config("cpu", both) == load_config("cpu", both[::-1])


def test_sam2_takes_prompts_from_the_linking_of_trajectories_too(settings, images):
    segmenter = build_segmenter(load_config("gpu", [*settings, "grouping.name=proximity"]))
    for index, image in enumerate(images[:8]):
        result = segmenter.push(Frame(image, index * 100_000_000, "camera", index))
    assert result.size == (240, 320)
