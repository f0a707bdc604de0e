"""All that comes before the classifier, in one stream: the models are small, but are asked as large ones would be."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (pip install .[models])")
pytest.importorskip("transformers", reason="transformers is not installed (pip install .[models])")

import torch

from motionseg_ros.core.config import TrackerConfig
from motionseg_ros.core.cues import Cues
from motionseg_ros.core.depth import OWN
from motionseg_ros.core.timing import StageTimer
from motionseg_ros.core.types import Frame, Tracks
from motionseg_ros.core.window import SlidingWindow
from motionseg_ros.cues.depth_anything import DepthAnything
from motionseg_ros.cues.dinov2 import DinoKeys
from motionseg_ros.cues.semantics import TrajectorySemantics
from motionseg_ros.cues.trajectory_depth import TrajectoryDepth
from motionseg_ros.tracking.lucas_kanade import LucasKanadeTracker
from motionseg_ros.trajectories.inputs import check_samples

SIZE = (96, 128)
LENGTH, STRIDE, EVERY, WIDTH = 12, 3, 4, 24


@pytest.fixture(scope="module")
def models(library) -> tuple[Any, Any]:
    """Depth Anything and DINOv2, with hardly any channels."""
    torch.manual_seed(0)
    sizes = {"hidden_size": WIDTH, "num_attention_heads": 2, "image_size": 28}
    backbone = library.Dinov2Config(
        num_hidden_layers=4, out_indices=[1, 2, 3, 4], reshape_hidden_states=False, **sizes
    )
    config = library.DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=WIDTH,
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
        head_hidden_size=8,
    )
    depth = library.DepthAnythingForDepthEstimation(config)
    dino = library.Dinov2Model(library.Dinov2Config(num_hidden_layers=2, **sizes))
    return depth.eval().requires_grad_(False), dino.eval().requires_grad_(False)


def film() -> Iterator[np.ndarray]:
    """A camera that goes round and round over a picture: there are always new trajectories."""
    height, width = SIZE
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    picture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)
    while True:
        for angle in np.linspace(0, 2 * np.pi, 200, endpoint=False):
            y, x = int(100 + 90 * np.sin(angle)), int(130 + 120 * np.cos(angle))
            yield np.ascontiguousarray(picture[y : y + height, x : x + width])


class FrontEnd:
    """Tracker and cues as the pipeline drives them; counts the passes of both networks."""

    def __init__(self, depth_model, dino_model) -> None:
        self.window = SlidingWindow(LENGTH, 432)
        self.tracker = LucasKanadeTracker(TrackerConfig(), LENGTH, STRIDE)
        self.source = DepthAnything(depth_model, EVERY, resolution=56)
        self.encoder = DinoKeys(dino_model, stride=14)
        self.cues = Cues(TrajectoryDepth(self.source, OWN), TrajectorySemantics(self.encoder))
        self.passes = {"depth": 0, "semantics": 0}
        self.hooks = [
            model.register_forward_hook(lambda *_, name=name: self._count(name))
            for name, model in (("depth", depth_model), ("semantics", dino_model.encoder.layer[0]))
        ]

    def _count(self, name: str) -> None:
        self.passes[name] += 1

    def step(self, frame: Frame) -> tuple[Tracks, np.ndarray, np.ndarray]:
        self.window.push(frame)
        self.tracker.push(self.window)
        tracks = self.tracker.window()
        return tracks, *self.cues.update(tracks, frame, StageTimer())

    def close(self) -> None:
        for hook in self.hooks:
            hook.remove()


@pytest.fixture
def front_end(models) -> Iterator[FrontEnd]:
    front_end = FrontEnd(*models)
    yield front_end
    front_end.close()


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def kept(thing: Any, name: str, rows: int) -> dict[str, tuple]:
    """The shapes of all arrays in our own objects, by where they are; a side of as many as `rows` is "N"."""
    if isinstance(thing, np.ndarray | torch.Tensor):
        return {name: tuple("N" if side == rows else side for side in thing.shape)}
    if isinstance(thing, dict):
        parts = thing.items()
    elif isinstance(thing, list | tuple | set) or type(thing).__name__ == "deque":
        parts = enumerate(thing)
    elif type(thing).__module__.startswith("motionseg_ros"):
        parts = vars(thing).items()
    else:
        return {}
    return {key: shape for k, part in parts for key, shape in kept(part, f"{name}.{k}", rows).items()}


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux: /proc/self/statm")
def test_1000_frames_in_the_memory_of_the_first(front_end, capsys):
    sizes, shapes, tensors, births, per_frame = [], {}, {}, 0, []
    old: list[weakref.ref] = []
    for index, image in zip(range(1000), film(), strict=False):
        frame = Frame(image, index=index)
        before = dict(front_end.passes)
        tracks, depth, semantics = front_end.step(frame)
        per_frame.append([front_end.passes[name] - before[name] for name in ("depth", "semantics")])
        births += bool((tracks.birth == tracks.num_frames - 1).any())
        check_samples(depth, len(tracks), tracks.num_frames)
        assert semantics.shape == (len(tracks), WIDTH)
        assert len(frame.shared) <= 1
        old.append(weakref.ref(frame))
        if index in (300, 999):
            gc.collect()
            shapes[index] = {
                key: shape
                for name in ("window", "tracker", "cues")
                for key, shape in kept(getattr(front_end, name), name, len(tracks)).items()
            }
            tensors[index] = sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())
        sizes.append(resident())
    growth = np.median(sizes[-100:]) / np.median(sizes[200:300])
    with capsys.disabled():
        print(
            f"\n1,000 frames: memory {growth:.4f} times that of frame 250, {len(tracks)} trajectories at last, "
            f"{front_end.passes['depth']} passes for depth and {front_end.passes['semantics']} for semantics"
        )
    assert len(tracks) > 50
    # One pass for each key frame, and one for each frame in which trajectories were born.
    assert [depth for depth, _ in per_frame] == [index % EVERY == 0 for index in range(1000)]
    assert front_end.source.passes == front_end.passes["depth"] == 250
    assert max(semantics for _, semantics in per_frame) == 1
    assert front_end.passes["semantics"] == births < 1000
    # Nothing grows: not the arrays, not the number of tensors, no frame stays, and the process neither.
    assert shapes[999] == shapes[300]
    assert {key.split(".")[0] for key in shapes[300]} == {"window", "tracker", "cues"}
    assert shapes[300]["cues.depth._values"] == ("N", LENGTH)
    assert shapes[300]["cues.depth._source._depth"] == SIZE
    assert shapes[300]["cues.semantics._descriptors"] == ("N", WIDTH)
    assert tensors[999] == tensors[300]
    assert [index for index, one in enumerate(old[:-1]) if one() is not None] == []
    assert growth < 1.02


def test_what_it_says_is_the_same_again_after_a_reset(front_end):
    """Nothing of the frames before is left, wherever in a key frame's period they end."""

    def run(count: int) -> list[tuple[np.ndarray, ...]]:
        front_end.window.clear()
        front_end.tracker.reset()
        front_end.cues.reset()
        return [front_end.step(Frame(image))[1:] for _, image in zip(range(count), film(), strict=False)]

    first = run(2 * LENGTH + 1)
    again = run(2 * LENGTH + 1)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
    assert np.isfinite(first[-1][0][:, -1]).all()
