from __future__ import annotations

import dataclasses
import subprocess
import sys
import warnings

import numpy as np
import pytest

from motionseg_ros.core.depth import FIXED, OWN, REFERENCE
from motionseg_ros.core.types import Tracks
from motionseg_ros.trajectories.classifier import TrajectoryClassifier
from motionseg_ros.trajectories.learned import NetworkClassifier
from motionseg_ros.trajectories.network import NetworkConfig, initial_parameters, save_network

NO_TORCH = "torch is not installed (pip install .[models])"


@pytest.fixture(scope="module")
def classify(golden_checkpoint):
    """The golden case's classifier through the public entry point."""
    return TrajectoryClassifier.from_checkpoint(golden_checkpoint, depth_mode="reference")


def some_tracks(n: int, t: int, seed: int = 0) -> Tracks:
    """In a 20x12 image; all visible in the first frame, and half in the others."""
    rng = np.random.default_rng(seed)
    visible = rng.random((n, t)) < 0.5
    visible[:, :1] = True
    return Tracks(
        rng.uniform((0, 0), (20, 12), (n, t, 2)).astype(np.float32),
        visible,
        rng.random((n, t), np.float32),
        rng.random((n, t), np.float32),
        np.zeros(n, np.int64),
        np.arange(n, dtype=np.int64),
    )


def some_cues(n: int, t: int) -> tuple[np.ndarray, np.ndarray]:
    """Depth for a 20x12 image and semantics."""
    rng = np.random.default_rng(1)
    return rng.random((t, 12, 20), np.float32), rng.normal(0, 1, (n, 768)).astype(np.float32)


def appended(first: Tracks, second: Tracks) -> Tracks:
    """The trajectories of both."""
    return Tracks(
        *(
            np.concatenate([getattr(first, field.name), getattr(second, field.name)])
            for field in dataclasses.fields(Tracks)
        )
    )


class TestGolden:
    def test_probabilities(self, golden, classify):
        answer = classify(golden.tracks, golden.size, golden.depth, golden.semantics)
        assert answer.dtype == np.float32
        np.testing.assert_allclose(answer, golden.probabilities, atol=1e-5)

    def test_depth_at_the_points_is_all_it_needs(self, golden, classify):
        """As the pipeline gives it, which keeps no images."""
        depth = REFERENCE.sample(golden.depth, golden.tracks.positions)
        answer = classify.at_points(golden.tracks, golden.size, depth, golden.semantics)
        np.testing.assert_allclose(answer, golden.probabilities, atol=1e-5)
        np.testing.assert_array_equal(
            answer, classify(golden.tracks, golden.size, golden.depth, golden.semantics)
        )

    @pytest.mark.parametrize(("mode", "reading"), [("fixed", FIXED), ("reference", REFERENCE)])
    def test_images_are_read_as_the_mode_says(self, golden_checkpoint, mode, reading):
        classify = TrajectoryClassifier.from_checkpoint(golden_checkpoint, depth_mode=mode)
        assert classify.reading is reading
        tracks, (depth, semantics) = some_tracks(8, 6), some_cues(8, 6)
        expected = classify.at_points(tracks, (12, 20), reading.sample(depth, tracks.positions), semantics)
        np.testing.assert_array_equal(classify(tracks, (12, 20), depth, semantics), expected)

    def test_the_default_samples_depth_where_the_points_are(self, golden, golden_checkpoint):
        fixed = TrajectoryClassifier.from_checkpoint(golden_checkpoint)
        answer = fixed(golden.tracks, golden.size, golden.depth, golden.semantics)
        assert np.abs(answer - golden.probabilities).max() > 1e-3

    @pytest.mark.filterwarnings("ignore:the SegAnyMo model was trained with")
    @pytest.mark.parametrize("cue", ["depth", "semantics"])
    def test_a_missing_cue_is_zeros(self, golden, classify, cue):
        cues = {"depth": golden.depth, "semantics": golden.semantics}
        zeros = {**cues, cue: np.zeros_like(cues[cue])}
        answer = classify(golden.tracks, golden.size, **{**cues, cue: None})
        np.testing.assert_array_equal(answer, classify(golden.tracks, golden.size, **zeros))
        assert not np.array_equal(answer, classify(golden.tracks, golden.size, **cues))

    def test_it_is_one_class(self, classify):
        assert isinstance(classify, TrajectoryClassifier)

    def test_read_only_and_strided_arrays(self, golden, classify):
        depth = np.asfortranarray(golden.depth)
        semantics = np.repeat(golden.semantics, 2, 0)[::2]
        depth.flags.writeable = semantics.flags.writeable = False
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            answer = classify(golden.tracks, golden.size, depth, semantics)
        np.testing.assert_allclose(answer, golden.probabilities, atol=1e-5)


class TestEquivalence:
    def test_permuting_permutes(self, classify):
        tracks, (depth, semantics) = some_tracks(30, 8), some_cues(30, 8)
        # In frame 3 none is visible, and all are equally unsure.
        tracks.visible[:, 3], tracks.confidence[:, 3], tracks.visibility[:, 3] = False, 0, 0
        answer = classify(tracks, (12, 20), depth, semantics)
        order = np.random.default_rng(2).permutation(30)
        permuted = classify(tracks[order], (12, 20), depth, semantics[order])
        np.testing.assert_allclose(permuted, answer[order], atol=1e-5)
        assert np.ptp(answer) > 0.01

    def test_what_is_never_visible_changes_nothing(self, classify):
        tracks, (depth, semantics) = some_tracks(12, 6), some_cues(12, 6)
        tracks.visible[:, 4] = False
        ghosts = some_tracks(5, 6, seed=7)
        ghosts.visible[:], ghosts.confidence[:] = False, 1
        ghosts.positions[2:4] = np.nan
        both = appended(ghosts[:3], appended(tracks, ghosts[3:]))
        noise = np.full((5, 768), 3, np.float32)
        answer = classify(both, (12, 20), depth, np.concatenate([noise[:3], semantics, noise[3:]]))
        np.testing.assert_allclose(answer[3:15], classify(tracks, (12, 20), depth, semantics), atol=1e-6)
        assert not answer[:3].any()
        assert not answer[15:].any()

    def test_an_empty_frame_shows_its_most_confident_point(self, classify):
        tracks, cues = some_tracks(10, 6), some_cues(10, 6)
        tracks.visible[:, 2] = False
        answer = classify(tracks, (12, 20), *cues)
        others = {}
        for shown in range(10):
            changed = dataclasses.replace(tracks, visible=tracks.visible.copy())
            changed.visible[shown, 2] = True
            others[shown] = np.abs(classify(changed, (12, 20), *cues) - answer).max()
        best = int(tracks.confidence[:, 2].argmax())
        assert [shown for shown, difference in others.items() if difference < 1e-7] == [best]


@pytest.mark.filterwarnings("ignore:the SegAnyMo model was trained with")
class TestOddWindows:
    def test_no_trajectories(self, classify):
        answer = classify(some_tracks(0, 5), (12, 20))
        assert answer.shape == (0,)
        assert answer.dtype == np.float32

    @pytest.mark.parametrize(("n", "t"), [(1, 1), (1, 6), (5, 1)])
    def test_one_trajectory_or_frame(self, classify, n, t):
        answer = classify(some_tracks(n, t), (12, 20), *some_cues(n, t))
        assert answer.shape == (n,)
        assert ((answer > 0) & (answer < 1)).all()

    @pytest.mark.parametrize("n", [0, 3])
    def test_no_frames(self, classify, n):
        assert classify(some_tracks(n, 0), (12, 20)).tolist() == [0] * n

    def test_nothing_is_visible(self, classify):
        tracks = some_tracks(4, 5)
        tracks.visible[:] = False
        assert classify(tracks, (12, 20)).tolist() == [0] * 4

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize(("first", "source"), [(2, 1), (4, 3), (0, 2)])
    def test_positions_that_are_not_finite_are_hidden(self, classify, value, first, source):
        """Their depth is that of the frame before, or after, as their position is."""
        tracks, cues = some_tracks(8, 6), some_cues(8, 6)
        gap = (3, slice(first, first + 2))
        cues[0][gap[1]] = cues[0][source]
        tracks.visible[:] = True
        tracks.visible[gap] = False
        tracks.positions[gap] = tracks.positions[3, source]
        tracks.visibility[gap] = tracks.confidence[gap] = 0
        wanted = classify(tracks, (12, 20), *cues)
        tracks.visible[gap] = True
        tracks.positions[3, first, 0] = tracks.positions[3, first + 1, 1] = value
        tracks.visibility[gap] = tracks.confidence[gap] = np.nan
        np.testing.assert_array_equal(classify(tracks, (12, 20), *cues), wanted)

    def test_a_trajectory_without_any_position_is_never_visible(self, classify):
        tracks, (depth, semantics) = some_tracks(8, 6), some_cues(8, 6)
        tracks.positions[5] = np.nan
        answer = classify(tracks, (12, 20), depth, semantics)
        assert answer[5] == 0
        rest = np.arange(8) != 5
        np.testing.assert_array_equal(answer[rest], classify(tracks[rest], (12, 20), depth, semantics[rest]))

    @pytest.mark.parametrize("far", [50.0, 1e6, 3e38])
    def test_points_outside_the_image_are_at_its_border(self, classify, far):
        tracks, cues = some_tracks(8, 6), some_cues(8, 6)
        tracks.positions[2, :, 0], tracks.positions[4, :, 1] = 20, 0
        wanted = classify(tracks, (12, 20), *cues)
        tracks.positions[2, :, 0], tracks.positions[4, :, 1] = far, -far
        np.testing.assert_array_equal(classify(tracks, (12, 20), *cues), wanted)

    def test_the_callers_arrays_stay_as_they_are(self, classify):
        tracks, cues = some_tracks(8, 6), some_cues(8, 6)
        tracks.visible[:, 2], tracks.positions[1, 3] = False, np.nan
        before = [getattr(tracks, field.name).copy() for field in dataclasses.fields(Tracks)]
        classify(tracks, (12, 20), *cues)
        for field, value in zip(dataclasses.fields(Tracks), before, strict=True):
            np.testing.assert_array_equal(getattr(tracks, field.name), value)


DEPTH, SEMANTICS = some_cues(4, 3)


class TestBadInput:
    @pytest.mark.parametrize(
        ("depth", "message"),
        [
            (DEPTH[:2], r"depth must be \(T, H, W\) = \(3, 12, 20\), .*, but got \(2, 12, 20\)"),
            (DEPTH[0], r"depth must be \(T, H, W\) = \(3, 12, 20\), .*, but got \(12, 20\)"),
            (DEPTH[:, ::2, ::2], r"the image's size, but got \(3, 6, 10\)"),
            (DEPTH.transpose(0, 2, 1), r"the image's size, but got \(3, 20, 12\)"),
            (DEPTH.tolist(), "depth must be .*, but got list"),
            (DEPTH.astype(np.float64), "depth must be float32, but got float64"),
            (
                np.where(DEPTH > 0.99, np.float32(np.nan), DEPTH),
                "depth must be finite and in 0..1, but got nan",
            ),
            (
                np.where(DEPTH > 0.99, np.float32(np.inf), DEPTH),
                "depth must be finite and in 0..1, but got .* inf",
            ),
            (DEPTH * 40, "depth must be finite and in 0..1, but got .* to 39"),
            (DEPTH - 1, "depth must be finite and in 0..1, but got -"),
        ],
    )
    def test_depth(self, classify, depth, message):
        with pytest.raises(ValueError, match=message) as caught:
            classify(some_tracks(4, 3), (12, 20), depth, SEMANTICS)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("semantics", "message"),
        [
            (SEMANTICS[:3], r"semantics must be \(N, 768\) = \(4, 768\), .*, but got \(3, 768\)"),
            (SEMANTICS.T, r"semantics must be .*, but got \(768, 4\)"),
            (SEMANTICS[:, :384], r"semantics must be .*, but got \(4, 384\)"),
            ([0.0], "semantics must be .*, but got list"),
            (SEMANTICS.astype(np.float16), "semantics must be float32, but got float16"),
            (SEMANTICS * np.float32(np.nan), "semantics must be finite"),
        ],
    )
    def test_semantics(self, classify, semantics, message):
        with pytest.raises(ValueError, match=message) as caught:
            classify(some_tracks(4, 3), (12, 20), DEPTH, semantics)
        assert "\n" not in str(caught.value)

    def test_cues_are_checked_even_if_there_is_nothing_to_classify(self, classify):
        with pytest.raises(ValueError, match="depth must be"):
            classify(some_tracks(0, 3), (12, 20), DEPTH[:2])

    @pytest.mark.parametrize("size", [(0, 20), (12, -1), (12, 20, 3)])
    def test_size(self, classify, size):
        with pytest.raises(ValueError, match=r"size must be \(height, width\) of at least 1 px, but got"):
            classify(some_tracks(4, 3), size, None, SEMANTICS)

    def test_depth_mode(self, golden_checkpoint):
        with pytest.raises(ValueError, match="depth_mode must be one of fixed, reference, but got 'best'"):
            TrajectoryClassifier.from_checkpoint(golden_checkpoint, depth_mode="best")

    @pytest.mark.parametrize(
        ("depth", "message"),
        [
            (np.zeros((3, 3), np.float32), r"depth must be \(N, T\) = \(4, 3\), .*, but got \(3, 3\)"),
            (np.zeros((4, 3)), "depth must be float32, but got float64"),
            (np.full((4, 3), 2, np.float32), "depth must be in 0..1, or NaN, but got 2"),
        ],
    )
    def test_depth_at_the_points(self, classify, depth, message):
        with pytest.raises(ValueError, match=message):
            classify.at_points(some_tracks(4, 3), (12, 20), depth, SEMANTICS)


class TestUnknownDepth:
    """What is NaN at the points: not yet read, or read where no pixel was."""

    @pytest.fixture
    def depth(self) -> np.ndarray:
        return np.random.default_rng(4).random((8, 6), np.float32)

    @pytest.mark.parametrize(
        ("frames", "source"), [(slice(2, 4), 1), (slice(0, 3), 3), (slice(5, 6), 4), (slice(1, 6), 0)]
    )
    def test_is_that_of_the_frame_before_or_after(self, classify, depth, frames, source):
        tracks, semantics = some_tracks(8, 6), some_cues(8, 6)[1]
        known = classify.at_points(tracks, (12, 20), depth, semantics)
        depth[3, frames] = depth[3, source]
        expected = classify.at_points(tracks, (12, 20), depth, semantics)
        depth[3, frames] = np.nan
        np.testing.assert_array_equal(classify.at_points(tracks, (12, 20), depth, semantics), expected)
        assert not np.array_equal(known, expected)

    def test_of_a_whole_trajectory_is_0(self, classify, depth):
        tracks, semantics = some_tracks(8, 6), some_cues(8, 6)[1]
        depth[5] = 0
        expected = classify.at_points(tracks, (12, 20), depth, semantics)
        depth[5] = np.nan
        np.testing.assert_array_equal(classify.at_points(tracks, (12, 20), depth, semantics), expected)

    def test_rows_are_those_of_the_trajectories(self, classify, depth):
        """Also where some of these are left out, because they are never visible."""
        tracks, semantics = some_tracks(8, 6), some_cues(8, 6)[1]
        depth[2, :3] = np.nan
        answer = classify.at_points(tracks, (12, 20), depth, semantics)
        order = np.random.default_rng(2).permutation(8)
        permuted = classify.at_points(tracks[order], (12, 20), depth[order], semantics[order])
        np.testing.assert_allclose(permuted, answer[order], atol=1e-5)
        tracks.visible[:2] = False
        answer = classify.at_points(tracks, (12, 20), depth, semantics)
        rest = classify.at_points(tracks[2:], (12, 20), depth[2:], semantics[2:])
        np.testing.assert_array_equal(answer[2:], rest)

    def test_the_callers_array_stays_as_it_is(self, classify, depth):
        depth[1, 2] = np.nan
        before = depth.copy()
        classify.at_points(some_tracks(8, 6), (12, 20), depth, some_cues(8, 6)[1])
        np.testing.assert_array_equal(depth, before)


class TestWarnings:
    def test_once_per_classifier_and_cue(self, golden_checkpoint):
        for _ in range(2):
            classify = TrajectoryClassifier.from_checkpoint(golden_checkpoint)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                for cues in ((None, SEMANTICS), (None, SEMANTICS), (None, None), (None, None)):
                    classify(some_tracks(4, 3), (12, 20), *cues)
            assert [str(warning.message) for warning in caught] == [
                f"the SegAnyMo model was trained with {name}, but gets none: zeros take their place"
                for name in ("depth", "semantics")
            ]

    def test_none_where_nothing_is_missing(self, golden_checkpoint):
        classify = TrajectoryClassifier.from_checkpoint(golden_checkpoint)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            classify(some_tracks(4, 3), (12, 20), DEPTH, SEMANTICS)
            classify(some_tracks(0, 3), (12, 20))


class TestDispatch:
    @pytest.mark.parametrize("name", ["ours.safetensors", "OURS.SafeTensors"])
    def test_safetensors_are_our_own_network(self, tmp_path, name):
        config = NetworkConfig(width=16, hidden=24, layers=1)
        save_network(tmp_path / name, initial_parameters(config, np.random.default_rng(0)), config)
        classify = TrajectoryClassifier.from_checkpoint(tmp_path / name)
        assert isinstance(classify, TrajectoryClassifier)
        answer = classify(some_tracks(30, 16), (12, 20))
        expected = NetworkClassifier.load(tmp_path / name)(some_tracks(30, 16), (12, 20))
        np.testing.assert_array_equal(answer, expected)
        assert classify.reading is OWN

    @pytest.mark.parametrize("name", ["moseg.pth", "checkpoint_3.pt", "weights"])
    def test_everything_else_is_the_released_model(self, golden_checkpoint, tmp_path, name, golden):
        path = tmp_path / name
        path.write_bytes(golden_checkpoint.read_bytes())
        classify = TrajectoryClassifier.from_checkpoint(str(path), "cpu", "reference")
        answer = classify(golden.tracks, golden.size, golden.depth, golden.semantics)
        np.testing.assert_allclose(answer, golden.probabilities, atol=1e-5)

    def test_without_torch(self):
        code = """
import sys
sys.modules["torch"] = None  # as if it were not installed
from motionseg_ros.core.errors import ModelError
from motionseg_ros.trajectories.classifier import TrajectoryClassifier
try:
    TrajectoryClassifier.from_checkpoint("moseg.pth")
except ModelError as error:
    print(error)
"""
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert result.stdout == "moseg.pth needs torch: pip install motionseg_ros[models]\n"


def test_cuda(golden, golden_checkpoint):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    classify = TrajectoryClassifier.from_checkpoint(golden_checkpoint, "cuda", "reference")
    answer = classify(golden.tracks, golden.size, golden.depth, golden.semantics)
    np.testing.assert_allclose(answer, golden.probabilities, atol=1e-4)
