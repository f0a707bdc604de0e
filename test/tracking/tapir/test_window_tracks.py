"""Trajectories that are estimated over the whole window again and again; the slots answer from a script."""

from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.core.config import TapirConfig
from motionseg_ros.core.types import Frame
from motionseg_ros.core.window import SlidingWindow
from motionseg_ros.tracking.tapir.answers import SlotAnswers, to_image, to_raster
from motionseg_ros.tracking.tapir.slots import SlotPool
from motionseg_ros.tracking.tapir.tracker import TapirTracker, build_tracker
from motionseg_ros.tracking.tapir.whole_window import WindowPool

SIZE = (120, 160)
STEP = np.array([4.0, 0.0])  # image px per frame
LENGTH = 6


class ScriptedPool:
    """Points go by `STEP` each frame, seen `error` away from where they are; those right of `wall` are hidden."""

    def __init__(self, whole: bool = True) -> None:
        self.whole = whole
        self.wall = np.inf
        self.error = 0.5
        self.frames = 0
        self.seeds = np.zeros((48, 2))
        self.born = np.zeros(48, np.int64)

    def reset(self) -> None:
        self.frames = 0

    def see(self, frame: Frame) -> None:
        self.frames += 1

    def seed(self, rows: np.ndarray, points: np.ndarray) -> SlotAnswers:
        self.seeds[rows] = to_image(points, 256, SIZE)
        self.born[rows] = self.frames - 1
        return self.step(rows)

    def step(self, rows: np.ndarray) -> SlotAnswers:
        times = np.arange(max(0, self.frames - LENGTH), self.frames)
        points = self.seeds[rows, None] + STEP * (times - self.born[rows, None])[..., None] + self.error
        occlusion = np.where(points[..., 0] > self.wall, 5.0, -5.0).astype(np.float32)
        answers = to_raster(points, 256, SIZE), occlusion, np.full_like(occlusion, -4.0)
        return SlotAnswers(*answers) if self.whole else SlotAnswers(*(values[:, -1] for values in answers))


class Rig:
    def __init__(self, stride: int = 2, whole: bool = True, **options: object) -> None:
        self.pool = ScriptedPool(whole)
        self.tracker = TapirTracker(TapirConfig(**{"slots": 48} | options), self.pool, LENGTH, stride)
        self.window = SlidingWindow(LENGTH, 160)

    def push(self, count: int = 1):
        for _ in range(count):
            self.window.push(Frame(np.zeros((*SIZE, 3), np.uint8)))
            self.tracker.push(self.window)
        return self.tracker.window()

    def truth(self, tracks) -> np.ndarray:
        """(N, T, 2) px: where the points are, without the error."""
        rows = [np.flatnonzero(self.tracker._ids == one).item() for one in tracks.ids]
        times = np.arange(self.pool.frames - tracks.num_frames, self.pool.frames)
        return self.pool.seeds[rows, None] + STEP * (times - self.pool.born[rows, None])[..., None]


def test_a_trajectory_is_known_before_its_birth():
    rig = Rig(patience=0)
    tracks = rig.push(5)
    late = tracks.birth == 4
    assert late.any()
    before = tracks.positions[late, :4]
    np.testing.assert_allclose(before, rig.truth(tracks)[late, :4] + 0.5, atol=1e-3)
    inside = before[..., 0] >= 0
    assert inside.any()
    assert not inside.all()
    np.testing.assert_array_equal(tracks.visible[late, :4], inside)  # where the image has it
    assert (tracks.visibility[late, :4] > 0.9).all()
    assert (tracks.confidence[late, :4] > 0.9).all()


def test_the_seed_is_exact_in_the_query_frame_as_long_as_the_window_has_it():
    rig = Rig(stride=100)
    for pushes in range(1, LENGTH + 3):
        tracks = rig.push()
        off = np.abs(tracks.positions - rig.truth(tracks)).max((0, 2))
        expected = np.full(tracks.num_frames, 0.5)
        if pushes <= LENGTH:
            expected[0] = 0
        np.testing.assert_allclose(off, expected, atol=1e-3)
        assert (tracks.birth == 0).all()


def test_the_query_frame_moves_through_the_window():
    rig = Rig(stride=4, patience=0)
    rig.push(5)
    born = None
    for birth in (4, 4, 3, 2, 1, 0, 0):
        tracks = rig.tracker.window()
        if born is None:
            born = tracks.ids[tracks.birth == 4]
        rows = np.isin(tracks.ids, born)
        assert rows.any()
        assert set(tracks.birth[rows].tolist()) == {birth}
        rig.push()


def test_older_frames_are_revised():
    rig = Rig(stride=100)
    rig.push(4)
    rig.pool.error = -1.0
    tracks = rig.push()
    off = tracks.positions - rig.truth(tracks)
    np.testing.assert_allclose(off[:, 0], 0, atol=1e-3)
    np.testing.assert_allclose(off[:, 1:], -1, atol=1e-3)
    rig.pool.wall = 60
    tracks = rig.push()
    beyond = rig.truth(tracks)[..., 0] - 1 > 60
    beyond[:, 0] |= tracks.positions[:, 0, 0] - 1 > 60
    assert beyond[:, :5].any()
    assert not (tracks.visible & beyond).any()


def test_slots_are_given_and_taken_as_by_the_causal_tracker():
    """What is kept, let go and seeded depends on the newest frame alone."""
    whole, causal = Rig(patience=1), Rig(whole=False, patience=1)
    for frame in range(20):
        for rig in (whole, causal):
            rig.pool.wall = 80 if 6 <= frame < 12 else np.inf
        one, two = whole.push(), causal.push()
        np.testing.assert_array_equal(one.ids, two.ids)
        np.testing.assert_array_equal(one.birth, two.birth)
        np.testing.assert_array_equal(one.positions[:, -1], two.positions[:, -1])
        np.testing.assert_array_equal(one.visible[:, -1], two.visible[:, -1])
    assert one.ids.max() > 48


def test_reset_forgets_the_frames_but_keeps_ids_apart():
    rig = Rig()
    before = rig.push(3).ids.max()
    rig.tracker.reset()
    assert rig.pool.frames == 0
    assert len(rig.tracker.window()) == 0
    rig.window.clear()
    tracks = rig.push()
    assert tracks.num_frames == 1
    assert (tracks.birth == 0).all()
    assert tracks.ids.min() > before


def test_memory_is_that_of_the_slots_and_the_window():
    rig = Rig(stride=1, patience=1)
    for _ in range(30):
        tracks = rig.push()
        assert len(tracks) <= 48
        assert tracks.num_frames <= LENGTH


@pytest.mark.parametrize(("whole", "kind"), [(True, WindowPool), (False, SlotPool)])
def test_the_model_that_is_asked_for(whole, kind):
    config = TapirConfig(slots=4, device="cpu")
    tracker = build_tracker(config, None, LENGTH, 2, whole_window=whole)
    assert isinstance(tracker._pool, kind)
    assert tracker._pool._model.use_casual_conv is not whole


def test_with_the_real_model(window_model, frames):
    pool = WindowPool(window_model, 6, 2)
    tracker = TapirTracker(TapirConfig(slots=6, patience=0), pool, 2, 1)
    window = SlidingWindow(2, 160)
    for count, frame in enumerate(frames(3, SIZE), start=1):
        window.push(Frame(frame))
        tracker.push(window)
        assert tracker.window().num_frames == min(count, 2)
        assert pool._grids.hires[0].shape[1] == min(count, 2)
    tracks = tracker.window()
    assert np.isfinite(tracks.positions).all()
    born = tracks.birth == 1
    assert born.any()
    assert (tracks.visibility[born, 0] > 0).all()  # it has an answer there
