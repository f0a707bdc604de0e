from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from motionseg_ros.assembly import build_segmenter
from motionseg_ros.core.config import Config, options
from motionseg_ros.core.errors import ModelError
from motionseg_ros.core.pipeline import MotionSegmenter
from motionseg_ros.core.types import Frame, FrameResult


def test_builds_the_defaults_without_a_configuration():
    segmenter = build_segmenter()
    assert isinstance(segmenter, MotionSegmenter)
    assert segmenter.config == Config()


# These have weights to be loaded: see test/masks/sam2/test_profile.py and test/tracking/tapir.
STAGES = [
    (o.name, choice)
    for o in options()
    if o.name.endswith(".name")
    for choice in o.choices
    if choice not in ("sam2", "prompting", "tapir", "depth_anything", "dinov2", "seganymo")
]


@pytest.mark.parametrize(("option", "name"), STAGES, ids=[f"{o}={n}" for o, n in STAGES])
def test_every_stage_that_can_be_named_is_built_and_answers(option, name):
    segmenter = build_segmenter(Config().with_values({option: name}))
    result = segmenter.push(Frame(np.zeros((48, 64, 3), np.uint8), 5, "camera", 3))
    assert isinstance(result, FrameResult)
    assert (result.size, result.stamp, result.frame_id, result.index) == ((48, 64), 5, "camera", 3)


@pytest.mark.parametrize(
    ("option", "value"), [("window.stride", 4), ("image.working_size", 64), ("tracker.spacing", 8)]
)
def test_takes_the_configuration(option, value):
    config = Config().with_values({option: value})
    assert build_segmenter(config).config == config


def test_two_pipelines_share_no_state():
    one, other = build_segmenter(), build_segmenter()
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    one.push(Frame(image, stamp=10))
    assert other.push(Frame(image[:40], stamp=1)).restart is None


@pytest.mark.parametrize(
    ("package", "values", "advice"),
    [
        (
            "tapnet",
            {"tracker.name": "tapir", "tapir.weights": "x.pt"},
            "pip install 'motionseg_ros[tapir]' && pip install --no-deps git+https://github.com/google-deepmind/tapnet",
        ),
        ("sam2", {"masker.name": "sam2", "sam2.weights": "x.pt"}, "pip install 'motionseg_ros[sam2]'"),
    ],
)
def test_a_package_that_is_not_installed_is_named(package, values, advice):
    """In a process of its own: here it may have been imported already."""
    pytest.importorskip("torch", reason="torch is not installed (pip install .[models])")
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from motionseg_ros.assembly import build_segmenter; from motionseg_ros.core.config import Config\n"
        "from motionseg_ros.core.errors import ModelError\n"
        f"try: build_segmenter(Config().with_values({values!r}))\n"
        "except ModelError as error: print(error)"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f"needs the package {package}: {advice}" in finished.stdout, finished.stderr
    assert finished.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"tracker.name": "tapir"}, "bootstapir_causal"),
        ({"depth.name": "depth_anything"}, "depth_anything_v2_small"),
        ({"classifier.name": "seganymo"}, "seganymo"),
        ({"classifier.name": "seganymo", "semantics.name": "dinov2"}, "dinov2_base seganymo"),
        ({"masker.name": "sam2"}, "sam2.1_tiny"),
    ],
)
def test_weights_that_are_missing_are_named(monkeypatch, tmp_path, values, name):
    monkeypatch.setenv("MOTIONSEG_WEIGHTS", str(tmp_path))
    with pytest.raises(ModelError, match=f"motionseg weights download {name}$"):
        build_segmenter(Config().with_values(values))


def test_needs_neither_ros_nor_torch():
    """The core and the default stages run where neither is installed."""
    code = (
        "import sys; from motionseg_ros.assembly import build_segmenter; build_segmenter();"
        "sys.exit(','.join(m for m in ('rclpy', 'torch', 'cv_bridge', 'rosbags') if m in sys.modules) or 0)"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
