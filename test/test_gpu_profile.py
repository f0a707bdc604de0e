"""The profile `gpu` as a whole, with random weights and small sizes, on whatever device there is."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from motionseg_ros.assembly import build_segmenter, weights_of
from motionseg_ros.core.config import Config
from motionseg_ros.core.errors import ConfigError, ModelError
from motionseg_ros.core.pipeline import MotionSegmenter
from motionseg_ros.core.types import Frame
from motionseg_ros.io.config_files import load_config
from motionseg_ros.synthesis import Renderer, get_scene

torch = pytest.importorskip("torch", reason="torch is not installed (pip install .[models])")
# Not imported here: `transformers` must be by the package first (see `cues.pretrained.import_transformers`).
for package, extra in (("transformers", "cues"), ("sam2", "sam2")):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed (pip install .[{extra}])", allow_module_level=True)

SMALL = (
    "sam2.resolution=128",
    "tapir.slots=24",
    "depth.resolution=70",
    "semantics.stride=14",
    "semantics.max_side=112",
    "objects.max_objects=3",
)
NEEDS_TAPNET = pytest.mark.skipif(
    importlib.util.find_spec("tapnet") is None,
    reason="tapnet is not installed (pip install --no-deps git+https://github.com/google-deepmind/tapnet)",
)
TRACKERS = ["lucas_kanade", pytest.param("tapir", marks=NEEDS_TAPNET)]
# Lucas-Kanade's confidences are another thing.
TRACKED = {
    "tapir": ["tracker.name=tapir"],
    "lucas_kanade": ["tracker.name=lucas_kanade", "prompting.min_confidence=0"],
}
FRAMES = 9


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """For every test here."""


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    renderer = Renderer(get_scene("crossing", width=160, height=120))
    return [renderer.render(index).image for index in range(FRAMES)]


def run(segmenter: MotionSegmenter, images: list[np.ndarray]) -> list:
    return [segmenter.push(Frame(im, i * 100_000_000, "camera", i)) for i, im in enumerate(images)]


def build(tracker: str, *settings: str, **how: bool) -> MotionSegmenter:
    config = load_config("gpu", [*SMALL, *TRACKED[tracker], *settings])
    return build_segmenter(config, random_weights=True, **how)


@pytest.mark.parametrize("tracker", TRACKERS)
def test_all_stages_work_in_every_frame_or_when_it_is_their_turn(tracker, images):
    segmenter = build(tracker)
    results = run(segmenter, images)
    assert [result.index for result in results] == list(range(FRAMES))
    assert all({"track", "depth", "semantics", "motion"} <= result.timings_ms.keys() for result in results)
    assert [("classify" in result.timings_ms) for result in results] == [i % 4 == 0 for i in range(FRAMES)]
    # With these weights everything moves: the effort is that of a scene with as many objects as there may be.
    assert segmenter.workload.objects > 0
    assert segmenter.workload.trajectories > 15
    semantics, depth = segmenter._cues.semantics, segmenter._cues.depth
    assert 1 <= semantics.passes <= 3  # at most in query frames: 0, 4 and 8
    assert depth._source.passes == 3  # key frames: the same


def test_the_classifier_gets_what_it_was_trained_with(images, recwarn):
    run(build("lucas_kanade"), images)
    assert not [warning for warning in recwarn if "was trained with" in str(warning.message)]
    with pytest.warns(UserWarning, match="was trained with depth, but gets none"):
        run(build("lucas_kanade", "depth.name=none"), images)


@pytest.mark.parametrize("tracker", TRACKERS)
def test_warming_up_leaves_nothing(tracker, images):
    cold, warm = build(tracker), build(tracker)
    warm.warm_up((100, 130))
    for one, other in zip(run(cold, images), run(warm, images), strict=True):
        np.testing.assert_array_equal(one.labels, other.labels)
        assert [i.id for i in one.instances] == [i.id for i in other.instances]
        assert one.restart is other.restart is None


@NEEDS_TAPNET
def test_offline_looks_at_the_whole_window(images):
    segmenter = build("tapir", offline=True)
    run(segmenter, images[:4])
    causal = build("tapir", "tapir.offline=causal", offline=True)
    assert type(segmenter._tracker._pool) is not type(causal._tracker._pool)
    assert len(segmenter._tracker.window()) > 15


def test_only_the_newest_frames_pixels_are_kept(images):
    """A frame travels to a device once, for all stages."""
    segmenter = build("lucas_kanade")
    frame = Frame(images[0])
    segmenter.push(frame)
    assert len(frame.shared) == 1


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Iterator[list[str]]:
    """Weights as released, but for their numbers: settings that name them."""
    from safetensors.torch import save_file

    from motionseg_ros.cues.depth_anything import build_depth_anything
    from motionseg_ros.cues.dinov2 import build_dinov2
    from motionseg_ros.masks.sam2.model import build_predictor
    from motionseg_ros.trajectories.checkpoint import load_released

    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    save_file(build_depth_anything(None).state_dict(), folder / "depth.safetensors")
    save_file(build_dinov2("dinov2_base", None).state_dict(), folder / "dino.safetensors")
    torch.save({"model_state_dict": load_released(None).state_dict()}, folder / "moseg.pth")
    torch.save({"model": build_predictor("sam2.1_tiny", None).state_dict()}, folder / "sam2.pt")
    names = {"depth": "depth.safetensors", "semantics": "dino.safetensors", "classifier": "moseg.pth"}
    yield [f"{group}.weights={folder / name}" for group, name in {**names, "sam2": "sam2.pt"}.items()]
    for path in folder.iterdir():  # pytest keeps folders for a while, and these are 600 MB
        path.unlink()


def test_bag_in_bag_out(make_bag, images, tmp_path, files):
    from motionseg_ros.io.bag_source import BagSource

    code = "from motionseg_ros.cli.main import main; main()"
    options = [part for value in (*SMALL, *files, *TRACKED["lucas_kanade"]) for part in ("--set", value)]
    bag = make_bag(images=images[:5])
    command = [sys.executable, "-c", code, "segment", bag, "-o", tmp_path / "out.mcap", "--config", "gpu"]
    finished = subprocess.run([*map(str, command), *options], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert "5 frames at" in finished.stdout
    labels = list(BagSource(tmp_path / "out.mcap", "/motionseg/labels"))
    assert [frame.stamp for frame in labels] == [100 * 10**9 + index * 10**8 for index in range(5)]


def test_bench_needs_no_weights(tmp_path):
    code = "from motionseg_ros.cli.main import main; main()"
    options = [part for value in (*SMALL, *TRACKED["lucas_kanade"]) for part in ("--set", value)]
    command = [sys.executable, "-c", code, "bench", "--profile", "gpu", "--random-weights", "--frames", "6"]
    command += ["--size", "160x120", "--json", str(tmp_path / "bench.json"), *options]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert "rendered scene, random weights" in finished.stdout
    found = json.loads((tmp_path / "bench.json").read_text())
    assert found["latency_ms"]["depth"]["frames"] == 6
    assert found["objects"] > 0
    assert (found["gpu_peak_mb"] is None) == (not torch.cuda.is_available())
    assert bool(found["versions"]["gpus"]) == torch.cuda.is_available()


def test_weights_by_stage():
    config = load_config("gpu")
    names = {stage: file.name for stage, file in weights_of(config).items()}
    assert names == {
        "tapir": "bootstapir_causal",
        "depth": "depth_anything_v2_small",
        "semantics": "dinov2_base",
        "classifier": "seganymo",
        "sam2": "sam2.1_tiny",
    }
    assert weights_of(config, offline=True)["tapir"].name == "bootstapir"
    assert weights_of(load_config("gpu", ["tapir.offline=causal"]), True)["tapir"].name == "bootstapir_causal"
    assert weights_of(Config()) == {}


def test_missing_weights_are_named_all_at_once(monkeypatch, tmp_path):
    monkeypatch.setenv("MOTIONSEG_WEIGHTS", str(tmp_path))
    with pytest.raises(ModelError) as caught:
        build_segmenter(load_config("gpu", ["sam2.weights=mine.pt"]))
    wanted = "bootstapir_causal depth_anything_v2_small dinov2_base seganymo"
    assert str(caught.value).endswith(f"motionseg weights download {wanted}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["semantics.name=dinov2"], "semantics.name dinov2 is for classifier.name seganymo, but got learned"),
        (
            ["depth.name=depth_anything", "classifier.name=geometric"],
            "depth.name depth_anything is for a classifier.name that uses depth, but got geometric",
        ),
        (["semantics.stride=10"], "semantics.stride: .*multiple of 7"),
        (["depth.resolution=500"], "depth.resolution: .*multiple of 14"),
    ],
)
def test_what_does_not_fit_together_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        load_config("cpu", settings)
