from __future__ import annotations

import gc
import sys
import tracemalloc

import numpy as np
import pytest

from motionseg_ros.core.types import Frame
from motionseg_ros.cues.semantics import TrajectorySemantics
from motionseg_ros.trajectories.inputs import check_semantics

FRAME = Frame(np.zeros((48, 64, 3), np.uint8))


class FrameCounter:
    """Describes a place by the number of the encoded frame, x, and y."""

    def __init__(self, width: int = 3) -> None:
        self.width = width
        self.frames: list[int] = []

    def encode(self, frame: Frame) -> int:
        self.frames.append(frame.index)
        return len(self.frames)

    def sample(self, keys: int, positions: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        assert size == (48, 64)
        found = np.zeros((len(positions), self.width), np.float32)
        found[:, 0], found[:, 1:3] = keys, positions
        return found


@pytest.fixture
def encoder():
    return FrameCounter()


@pytest.fixture
def semantics(encoder):
    return TrajectorySemantics(encoder)


def test_what_is_under_a_trajectory_when_it_is_born_stays(semantics, make_tracks):
    first = semantics.update(make_tracks([7], [3], [[5, 6]]), FRAME)
    assert first.dtype == np.float32
    assert first.tolist() == [[1, 5, 6]]
    again = semantics.update(make_tracks([7], [2], [[9, 9]]), FRAME)  # it has moved on
    assert again.tolist() == [[1, 5, 6]]


def test_a_frame_is_encoded_once_and_only_if_a_trajectory_was_born_in_it(semantics, encoder, make_tracks):
    born = [[3, 3], [2, 2], [1, 1, 3], [0, 0, 2], [3, 0, 3]]
    ids = [[0, 1], [0, 1], [0, 1, 2], [0, 1, 2], [4, 2, 5]]
    passes = []
    for frame, (these, births) in enumerate(zip(ids, born, strict=True)):
        semantics.update(
            make_tracks(these, births, np.zeros((len(these), 2))), Frame(FRAME.image, index=frame)
        )
        passes.append(semantics.passes)
    assert passes == [1, 1, 2, 2, 3]
    assert encoder.frames == [0, 2, 4]


def test_rows_follow_the_tracks_in_any_order(semantics, make_tracks):
    semantics.update(make_tracks([30, 10, 20], [3, 3, 3], [[3, 0], [1, 0], [2, 0]]), FRAME)
    found = semantics.update(
        make_tracks([20, 40, 30, 10], [2, 3, 2, 2], [[9, 9], [4, 0], [9, 9], [9, 9]]), FRAME
    )
    assert found.tolist() == [[1, 2, 0], [2, 4, 0], [1, 3, 0], [1, 1, 0]]


def test_no_trajectories(semantics, encoder, make_tracks):
    none = make_tracks([], [], np.zeros((0, 2)))
    assert semantics.update(none, FRAME).shape == (0, 3)
    semantics.update(make_tracks([1], [3], [[0, 0]]), FRAME)
    assert semantics.update(none, FRAME).shape == (0, 3)
    assert semantics.passes == 1


def test_the_dead_are_forgotten(semantics, make_tracks):
    semantics.update(make_tracks([1, 2], [3, 3], [[1, 1], [2, 2]]), FRAME)
    semantics.update(make_tracks([2], [2], [[2, 2]]), FRAME)
    with pytest.raises(ValueError, match="born in others: 1 of 2 trajectories"):
        semantics.update(make_tracks([1, 2], [1, 1], [[1, 1], [2, 2]]), FRAME)


def test_a_query_frame_that_was_not_given(semantics, make_tracks):
    with pytest.raises(
        ValueError, match="update must be given every frame; born in others: 2 of 3 trajectories"
    ):
        semantics.update(make_tracks([1, 2, 3], [2, 3, 0], np.zeros((3, 2))), FRAME)
    assert semantics.passes == 0


def test_reset(semantics, make_tracks):
    semantics.update(make_tracks([1], [3], [[1, 1]]), FRAME)
    semantics.reset()
    assert semantics.update(make_tracks([1], [0], [[4, 4]], frames=1), FRAME).tolist() == [[2, 4, 4]]


def test_numbers_are_those_that_the_release_stores(semantics, encoder, make_tracks, monkeypatch):
    exact = np.array([[0.1, -3.14159, 1234.5]], np.float32)
    monkeypatch.setattr(encoder, "sample", lambda *_: exact)
    found = semantics.update(make_tracks([1], [3], [[0, 0]]), FRAME)
    assert np.array_equal(found, exact.astype(np.float16).astype(np.float32))


def test_answer_is_the_callers_own(semantics, make_tracks):
    semantics.update(make_tracks([1], [3], [[1, 1]]), FRAME)[:] = 99
    assert semantics.update(make_tracks([1], [2], [[1, 1]]), FRAME).tolist() == [[1, 1, 1]]


def test_one_that_was_not_described_for_an_error_is_not_taken_for_one_that_was(
    semantics, encoder, make_tracks, monkeypatch
):
    """The frame may be given again; it is not forgotten silently."""
    with monkeypatch.context() as patch:

        def fail(_: Frame) -> None:
            raise RuntimeError("the encoder is broken")

        patch.setattr(encoder, "encode", fail)
        with pytest.raises(RuntimeError, match="broken"):
            semantics.update(make_tracks([1], [3], [[1, 1]]), FRAME)
    assert semantics.passes == 0
    with pytest.raises(ValueError, match="update must be given every frame"):
        semantics.update(make_tracks([1], [2], [[1, 1]]), FRAME)
    assert semantics.update(make_tracks([1], [3], [[1, 1]]), FRAME).tolist() == [[1, 1, 1]]


def test_memory_does_not_grow(make_tracks):
    """500 trajectories, 50 of which are new in every frame."""
    semantics = TrajectorySemantics(FrameCounter(768))
    semantics._encoder.frames = _Forgetful()
    places = np.zeros((500, 2))

    def run(frames: range) -> int:
        for frame in frames:
            ids = 50 * frame + np.arange(500)
            births = np.where(np.arange(500) < 450, 2, 3) if frame else np.full(500, 3)
            found = semantics.update(make_tracks(ids, births, places), FRAME)
        check_semantics(found, 500)
        del found
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        early, late = run(range(20)), run(range(20, 220))
    finally:
        tracemalloc.stop()
    assert late < early + 20_000
    assert early < 1.5 * 500 * 768 * 2


class _Forgetful(list):
    def append(self, _) -> None:
        """Keeps nothing."""


def test_needs_no_torch():
    import subprocess

    names = ", ".join(f"motionseg_ros.cues.{name}" for name in ("semantics", "depth", "trajectory_depth"))
    script = f"import sys; sys.modules['torch'] = None; import {names}"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_with_dinov2(library, make_image, make_tracks):
    """As the classifier takes it."""
    import torch

    from motionseg_ros.cues.dinov2 import DinoKeys

    torch.manual_seed(0)
    config = library.Dinov2Config(num_hidden_layers=2, image_size=518)
    encoder = DinoKeys(library.Dinov2Model(config).eval())
    semantics = TrajectorySemantics(encoder)
    frame = Frame(make_image(48, 64))
    found = semantics.update(make_tracks([3, 1], [3, 3], [[63, 47], [0, 0]]), frame)
    check_semantics(found, 2)
    keys = encoder.encode(frame).numpy()
    np.testing.assert_allclose(found, [keys[-1, -1], keys[0, 0]], atol=1e-3 * np.abs(keys).max())
