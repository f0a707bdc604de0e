"""The package's own network as a classifier."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from motionseg_ros.core.depth import OWN
from motionseg_ros.core.errors import ModelError
from motionseg_ros.core.types import Tracks
from motionseg_ros.trajectories.classifier import TrajectoryClassifier
from motionseg_ros.trajectories.learned import ANCHORS, NetworkClassifier
from motionseg_ros.trajectories.network import FORMAT, NetworkConfig, initial_parameters, save_network

SIZE = (240, 432)
SMALL = NetworkConfig(width=16, hidden=24, layers=2)


def some_tracks(n: int = 60, frames: int = 16, seed: int = 0, mover: int = 12) -> Tracks:
    """A panning camera; the last `mover` trajectories, close together, go another way."""
    rng = np.random.default_rng(seed)
    start = rng.uniform((20, 20), (SIZE[1] - 20, SIZE[0] - 20), (n, 2))
    moving = np.arange(n) >= n - mover
    start[moving] = rng.uniform((180, 100), (220, 140), (moving.sum(), 2))
    time = np.arange(frames)[:, None] - (frames - 1)
    paths = (
        start[:, None] + time * np.array([1.5, 0.2]) + moving[:, None, None] * time * np.array([-2.0, 1.0])
    )
    paths = paths + rng.normal(0, 0.05, paths.shape)
    visible = np.ones((n, frames), bool)
    confidence = np.full((n, frames), 0.98, np.float32)
    ids = rng.permutation(10 * n)[:n].astype(np.int64)
    return Tracks(
        paths.astype(np.float32), visible, confidence.copy(), confidence, np.zeros(n, np.int64), ids
    )


def changed(tracks: Tracks, **fields) -> Tracks:
    names = ("positions", "visible", "visibility", "confidence", "birth", "ids")
    return Tracks(**{name: fields.get(name, getattr(tracks, name)) for name in names})


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.safetensors"
    parameters = initial_parameters(SMALL, np.random.default_rng(1))
    parameters["answer.weight"] *= 20  # answers that differ
    save_network(path, parameters, SMALL)
    return path


@pytest.fixture
def classify(weights):
    return TrajectoryClassifier.from_checkpoint(weights)


class TestAnswers:
    def test_probabilities(self, classify):
        answer = classify(some_tracks(), SIZE)
        assert answer.shape == (60,)
        assert answer.dtype == np.float32
        assert ((answer > 0) & (answer < 1)).all()
        assert answer.max() > 1.5 * answer.min()

    def test_permuting_trajectories_permutes_the_answers(self, classify):
        tracks = some_tracks(ANCHORS + 60)
        order = np.random.default_rng(3).permutation(len(tracks))
        np.testing.assert_allclose(classify(tracks[order], SIZE), classify(tracks, SIZE)[order], atol=2e-5)

    def test_never_visible_trajectories_change_nothing(self, classify):
        tracks = some_tracks(300)
        more = some_tracks(340, seed=5)
        both = Tracks(
            np.concatenate([more.positions[:40], tracks.positions]),
            np.concatenate([np.zeros((40, 16), bool), tracks.visible]),
            *(
                np.concatenate([getattr(more, f)[:40], getattr(tracks, f)])
                for f in ("visibility", "confidence")
            ),
            *(np.concatenate([getattr(more, f)[:40], getattr(tracks, f)]) for f in ("birth", "ids")),
        )
        answer = classify(both, SIZE)
        assert (answer[:40] == 0).all()
        np.testing.assert_allclose(answer[40:], classify(tracks, SIZE), atol=1e-6)

    def test_what_is_hidden_has_no_influence(self, classify):
        tracks = some_tracks()
        visible = tracks.visible.copy()
        visible[:20, :8] = False
        hidden = changed(tracks, visible=visible)
        positions = tracks.positions.copy()
        positions[:20, :8] = 1e6
        np.testing.assert_array_equal(
            classify(hidden, SIZE), classify(changed(hidden, positions=positions), SIZE)
        )

    def test_scale_of_the_image_does_not_matter(self, classify):
        tracks = some_tracks()
        centre = (np.array(SIZE[::-1]) - 1) / 2
        twice = (tracks.positions - centre) * 2 + np.array(SIZE[::-1]) - 0.5
        large = changed(tracks, positions=twice.astype(np.float32))
        np.testing.assert_allclose(classify(large, (480, 864)), classify(tracks, SIZE), atol=1e-3)

    def test_depth_is_used_and_its_scale_is_not(self, classify):
        tracks = some_tracks()
        depth = np.random.default_rng(2).uniform(0.2, 0.9, (16, *SIZE)).astype(np.float32)
        with_depth = classify(tracks, SIZE, depth)
        assert np.abs(with_depth - classify(tracks, SIZE)).max() > 1e-4
        np.testing.assert_allclose(classify(tracks, SIZE, depth / 2), with_depth, atol=1e-4)

    def test_depth_at_the_points_is_all_it_needs(self, classify):
        """As the pipeline gives it, which keeps no images."""
        tracks = some_tracks()
        depth = np.random.default_rng(2).uniform(0.2, 0.9, (16, *SIZE)).astype(np.float32)
        samples = OWN.sample(depth, tracks.positions)
        np.testing.assert_array_equal(
            classify.at_points(tracks, SIZE, samples), classify(tracks, SIZE, depth)
        )

    def test_rows_of_depth_are_those_of_the_trajectories(self, classify):
        tracks = some_tracks()
        depth = np.random.default_rng(2).uniform(0.2, 0.9, (60, 16)).astype(np.float32)
        depth[::7, :5] = np.nan
        answer = classify.at_points(tracks, SIZE, depth)
        order = np.random.default_rng(3).permutation(60)
        permuted = classify.at_points(tracks[order], SIZE, depth[order])
        np.testing.assert_allclose(permuted, answer[order], atol=2e-5)
        assert np.abs(answer - classify.at_points(tracks, SIZE, depth[order])).max() > 1e-3

    def test_depth_that_is_known_nowhere_is_as_good_as_none(self, classify):
        tracks = some_tracks()
        unknown = np.full((60, 16), np.nan, np.float32)
        np.testing.assert_array_equal(
            classify.at_points(tracks, SIZE, unknown), classify.at_points(tracks, SIZE)
        )

    @pytest.mark.parametrize("width", [768, 12])
    def test_semantics_are_accepted_and_not_used(self, classify, width):
        tracks = some_tracks()
        semantics = np.ones((60, width), np.float32)
        np.testing.assert_array_equal(classify(tracks, SIZE, None, semantics), classify(tracks, SIZE))


class TestLittleInput:
    def test_no_trajectories(self, classify):
        assert classify(some_tracks(0, mover=0), SIZE).shape == (0,)

    @pytest.mark.parametrize("n", [1, 2, 5])
    def test_few_trajectories(self, classify, n):
        answer = classify(some_tracks(n, mover=0), SIZE)
        assert np.isfinite(answer).all()

    def test_one_frame_tells_nothing(self, classify):
        assert (classify(some_tracks(20, 1), SIZE) == 0).all()

    @pytest.mark.parametrize("frames", [2, 3, 9, 40])
    def test_any_number_of_frames(self, classify, frames):
        answer = classify(some_tracks(40, frames), SIZE)
        assert np.isfinite(answer).all()
        assert (answer > 0).all()

    def test_all_invisible_in_the_newest_frame(self, classify):
        tracks = some_tracks()
        visible = tracks.visible.copy()
        visible[:, -1] = False
        assert np.isfinite(classify(changed(tracks, visible=visible), SIZE)).all()

    def test_nan_counts_as_not_visible(self, classify):
        tracks = some_tracks()
        positions, visible = tracks.positions.copy(), tracks.visible.copy()
        positions[:10, 3:7] = np.nan
        positions[10, :] = np.inf
        visible[:10, 3:7] = False
        visible[10] = False
        answer = classify(changed(tracks, positions=positions), SIZE)
        assert np.isfinite(answer).all()
        assert answer[10] == 0
        clean = changed(tracks, positions=np.nan_to_num(positions, posinf=0), visible=visible)
        np.testing.assert_array_equal(answer, classify(clean, SIZE))

    def test_points_outside_the_image(self, classify):
        tracks = some_tracks()
        positions = tracks.positions.copy()
        positions[0] = -50
        positions[1] = 1e9
        depth = np.full((16, *SIZE), 0.5, np.float32)
        assert np.isfinite(classify(changed(tracks, positions=positions), SIZE, depth)).all()

    def test_all_at_one_place(self, classify):
        tracks = some_tracks()
        assert np.isfinite(classify(changed(tracks, positions=np.full_like(tracks.positions, 7)), SIZE)).all()


class TestBadInput:
    @pytest.mark.parametrize("size", [(0, 432), (240,), (240, -1)])
    def test_size(self, classify, size):
        with pytest.raises(ValueError, match="size must be"):
            classify(some_tracks(), size)

    @pytest.mark.parametrize("shape", [(15, *SIZE), (16, 10, 10), SIZE])
    def test_depth_of_the_wrong_size(self, classify, shape):
        with pytest.raises(ValueError, match="depth must be"):
            classify(some_tracks(), SIZE, np.zeros(shape, np.float32))

    @pytest.mark.parametrize("shape", [(60, 15), (59, 16), (16, 60), (16, *SIZE)])
    def test_depth_at_the_points_of_the_wrong_size(self, classify, shape):
        with pytest.raises(ValueError, match=r"depth must be \(N, T\) = \(60, 16\)"):
            classify.at_points(some_tracks(), SIZE, np.zeros(shape, np.float32))


class TestFiles:
    def test_missing(self, tmp_path):
        with pytest.raises(ModelError, match="no such file"):
            NetworkClassifier.load(tmp_path / "none.safetensors")

    @pytest.mark.parametrize("content", [b"", b"abc", bytes(100), b"PK\x03\x04" + bytes(50)])
    def test_foreign(self, tmp_path, content):
        path = tmp_path / "foreign.safetensors"
        path.write_bytes(content)
        with pytest.raises(ModelError, match="is not a safetensors file"):
            NetworkClassifier.load(path)

    @pytest.mark.parametrize(("name", "told"), [("moseg.pth", True), ("moseg.safetensors", False)])
    def test_the_released_checkpoint_is_for_another_classifier(self, tmp_path, name, told):
        (tmp_path / name).write_bytes(b"PK\x03\x04" + bytes(50))
        with pytest.raises(ModelError, match="is not a safetensors file") as caught:
            NetworkClassifier.load(tmp_path / name)
        assert ("SegAnyMo's checkpoint is for classifier.name seganymo" in str(caught.value)) == told

    def test_truncated(self, weights):
        weights.write_bytes(weights.read_bytes()[:-100])
        with pytest.raises(ModelError, match="cut off"):
            NetworkClassifier.load(weights)

    def test_of_something_else(self, tmp_path):
        path = tmp_path / "other.safetensors"
        save_file({"a": np.zeros(3, np.float32)}, path, {"format": "pt"})
        with pytest.raises(ModelError, match="not a trajectory network"):
            NetworkClassifier.load(path)

    def test_which_tensors_differ(self, tmp_path):
        path = tmp_path / "wide.safetensors"
        save_network(path, initial_parameters(NetworkConfig(width=32), np.random.default_rng(0)), SMALL)
        with pytest.raises(ModelError, match=r"answer\.weight.* and \d+ more differ"):
            NetworkClassifier.load(path)

    def test_not_finite(self, tmp_path):
        path = tmp_path / "nan.safetensors"
        parameters = initial_parameters(SMALL, np.random.default_rng(0))
        parameters["answer.weight"][0] = np.nan
        save_network(path, parameters, SMALL)
        with pytest.raises(ModelError, match="not finite"):
            NetworkClassifier.load(path)

    @pytest.mark.parametrize("about", ["{", "[1]", json.dumps({"depth": 3}), json.dumps({"width": 30})])
    def test_description(self, tmp_path, about):
        path = tmp_path / "about.safetensors"
        save_file({"a": np.zeros(3, np.float32)}, path, {"format": FORMAT, "network": about})
        with pytest.raises(ModelError, match="description cannot be read"):
            NetworkClassifier.load(path)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux: /proc/self/status")
def test_time_and_memory_of_256_trajectories_by_16_frames():
    """In a process of its own: geometry included, at most 60 ms a window and 300 MB."""
    code = """
import re, time, numpy as np
from motionseg_ros.core.types import Tracks
from motionseg_ros.trajectories.learned import SHIPPED, NetworkClassifier
rng = np.random.default_rng(0)
steps = np.arange(16)[:, None] * [1.5, 0.3]
paths = rng.uniform(0, 400, (256, 1, 2)) + steps + rng.normal(0, 0.1, (256, 16, 2))
seen, sure = np.ones((256, 16), bool), np.ones((256, 16), np.float32)
tracks = Tracks(paths.astype(np.float32), seen, sure, sure, np.zeros(256, np.int64), np.arange(256))
classify, times = NetworkClassifier.load(SHIPPED), []
for _ in range(20):
    began = time.perf_counter()
    classify(tracks, (240, 432))
    times.append(time.perf_counter() - began)
# Not ru_maxrss: that of the process which started this one is carried over.
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read()).group(1)
print(1e3 * np.median(times), int(peak) / 1024)
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    milliseconds, megabytes = map(float, printed.split())
    print(f"{milliseconds:.1f} ms, {megabytes:.0f} MB")
    assert milliseconds < 60
    assert megabytes < 300
