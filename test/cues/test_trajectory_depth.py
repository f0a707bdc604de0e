from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest

from motionseg_ros.core.depth import FIXED, OWN, REFERENCE, DepthReading
from motionseg_ros.core.types import Frame, Tracks
from motionseg_ros.cues.depth import SensorDepth
from motionseg_ros.cues.trajectory_depth import TrajectoryDepth
from motionseg_ros.trajectories.inputs import check_samples

SIZE = (8, 40)
NAN = np.nan
PLAIN = DepthReading(OWN.pixels, lambda values, least, largest: values)
"""As it is in the image, so that a number tells where it was read."""


class Script:
    """Depth images (H, W) for a stream's frames; None for a frame without one of its own.

    Without images, each frame's has 100 times its number (from 1) + the column.
    """

    def __init__(self, own: Sequence[bool] | None = None, images: Sequence[np.ndarray] | None = None) -> None:
        self.own, self.images = own, images
        self.frames: list[int] = []
        self.reads: list[int] = []
        self.resets = -1
        self.reset()

    def reset(self) -> None:
        self.resets += 1
        self.image: np.ndarray | None = None

    def push(self, frame: Frame) -> bool:
        number = len(self.frames)
        self.frames.append(frame.index)
        if self.own is not None and not self.own[number]:
            return False
        column = np.tile(np.arange(frame.size[1], dtype=np.float32), (frame.size[0], 1))
        self.image = 100 * (number + 1) + column if self.images is None else self.images[number]
        return True

    @property
    def span(self) -> tuple[float, float] | None:
        return None if self.image is None else (float(self.image.min()), float(self.image.max()))

    def at(self, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        self.reads.append(len(row))
        return self.image[row, column]


class Stream:
    """Feeds frame after frame; `push({id: x})` says which trajectories live, and where they are now."""

    def __init__(self, source, reading: DepthReading = PLAIN, length: int = 4) -> None:
        self.cue = TrajectoryDepth(source, reading)
        self.length = length
        self.number = 0

    def push(self, places: dict[int, float], index: int | None = None, depth=None) -> np.ndarray | None:
        """The cue's answer as lists, rounded; trajectories are at row 2 of the image."""
        self.number += 1
        frames = min(self.number, self.length)
        now = np.array([[x, 2] for x in places.values()], np.float32).reshape(-1, 1, 2)
        # What the earlier positions were is no concern of the cue's.
        positions = np.repeat(now, frames, axis=1)
        ones = np.ones(positions.shape[:2], np.float32)
        tracks = Tracks(
            positions,
            ones > 0,
            ones,
            ones,
            np.zeros(len(places), np.int64),
            np.array(list(places), np.int64),
        )
        frame = Frame(
            np.zeros((*SIZE, 3), np.uint8), index=self.number if index is None else index, depth=depth
        )
        return self.cue.update(tracks, frame)


class TestWindow:
    def test_a_frame_is_read_where_the_trajectories_are_in_it(self):
        stream = Stream(Script())
        found = stream.push({7: 5, 3: 9})
        assert found.dtype == np.float32
        assert found.tolist() == [[105], [109]]

    def test_what_was_read_stays_as_the_window_grows_and_slides(self):
        stream = Stream(Script(), length=3)
        found = [stream.push({7: 5 + frame}).tolist()[0] for frame in range(5)]
        assert found == [[105], [105, 206], [105, 206, 307], [206, 307, 408], [307, 408, 509]]

    def test_every_frame_is_read_once(self):
        source = Script()
        stream = Stream(source)
        for places in ({1: 1, 2: 2}, {1: 1, 2: 2}, {2: 2}, {2: 2, 3: 3, 4: 4}):
            stream.push(places)
        assert source.reads == [2, 2, 1, 3]
        assert source.frames == [1, 2, 3, 4]

    def test_rows_follow_the_tracks_in_any_order(self):
        stream = Stream(Script())
        stream.push({30: 3, 10: 1, 20: 2})
        found = stream.push({20: 12, 30: 13, 10: 11})
        assert found.tolist() == [[102, 212], [103, 213], [101, 211]]

    def test_the_newly_born_have_no_past_and_the_dead_none_either(self):
        stream = Stream(Script())
        stream.push({1: 1, 2: 2})
        stream.push({2: 2, 5: 5})
        found = stream.push({5: 5, 1: 7})  # an id that comes back is a new one
        np.testing.assert_array_equal(found, [[NAN, 205, 305], [NAN, NAN, 307]])

    def test_no_trajectories(self):
        stream = Stream(Script())
        assert stream.push({}).shape == (0, 1)
        assert stream.push({1: 1}).tolist()[0][1] == 201
        assert stream.push({}).shape == (0, 3)
        np.testing.assert_array_equal(stream.push({1: 1}), [[NAN, NAN, NAN, 401]])

    def test_reset(self):
        source = Script()
        stream = Stream(source)
        stream.push({1: 1})
        stream.push({1: 1})
        resets = source.resets
        stream.cue.reset()
        stream.number = 0
        assert source.resets == resets + 1
        assert stream.push({1: 1}).tolist() == [[301]]

    def test_a_window_of_one_frame(self):
        stream = Stream(Script(), length=1)
        assert [stream.push({1: 5}).tolist() for _ in range(3)] == [[[105]], [[205]], [[305]]]

    def test_a_window_that_begins_afresh_has_only_the_newest(self):
        stream = Stream(Script())
        for _ in range(3):
            stream.push({1: 5})
        stream.number = 0
        assert stream.push({1: 5}).tolist() == [[405]]

    def test_points_outside_the_image_are_not_known(self):
        stream = Stream(Script())
        stream.push({1: -3, 2: 39.4})
        found = stream.push({1: 0, 2: 40})
        np.testing.assert_array_equal(found, [[NAN, 200], [139, NAN]])


class TestFramesWithoutDepth:
    def test_a_trajectory_keeps_its_number(self):
        """It is still on the same thing; at its new place the old image shows what was there before."""
        stream = Stream(Script([True, False, False, True]))
        found = [stream.push({1: x}).tolist()[0] for x in (5, 15, 25, 35)]
        assert found[2] == [105, 105, 105]
        assert found[3] == [105, 105, 105, 435]

    def test_a_new_one_reads_the_last_image(self):
        stream = Stream(Script([True, False, False]))
        stream.push({1: 5})
        found = stream.push({1: 15, 2: 20})
        np.testing.assert_array_equal(found, [[105, 105], [NAN, 120]])
        found = stream.push({2: 30, 1: 25})
        np.testing.assert_array_equal(found, [[NAN, 120, 120], [105, 105, 105]])

    def test_so_does_one_that_was_outside_the_image(self):
        stream = Stream(Script([True, False, False]))
        stream.push({1: -5})
        np.testing.assert_array_equal(stream.push({1: 2}), [[NAN, 102]])
        np.testing.assert_array_equal(stream.push({1: 9}), [[NAN, 102, 102]])

    def test_so_does_every_one_where_no_earlier_frame_is_kept(self):
        stream = Stream(Script([True, False]), length=1)
        assert [stream.push({1: x}).tolist() for x in (5, 15)] == [[[105]], [[115]]]

    def test_nothing_is_known_before_the_first_depth(self):
        source = Script([False, False, True, False])
        stream = Stream(source)
        assert stream.push({1: 1}) is None
        assert stream.push({1: 1}) is None
        assert source.reads == []
        np.testing.assert_array_equal(stream.push({1: 5}), [[NAN, NAN, 305]])
        np.testing.assert_array_equal(stream.push({1: 9}), [[NAN, NAN, 305, 305]])

    def test_nor_after_a_reset(self):
        stream = Stream(Script([True, False]))
        stream.push({1: 1})
        stream.cue.reset()
        stream.number = 0
        assert stream.push({1: 1}) is None

    @pytest.mark.parametrize("every", [1, 3, 7])
    def test_key_frames_are_read_and_no_others(self, every):
        """A trajectory has the number of the last key frame, or of its first frame if that is newer."""
        own = [frame % every == 0 for frame in range(40)]
        stream, born = Stream(Script(own), length=8), {}
        for frame in range(40):
            ids = range(frame // 5, frame // 5 + 3)  # each lives for fifteen frames
            born = {i: born.get(i, frame) for i in ids}
            found = stream.push(dict.fromkeys(ids, frame))
            for row, i in zip(found, ids, strict=True):
                key = frame - frame % every
                expected = 100 * (key + 1) + max(key, born[i])
                assert row[-1] == expected, (frame, i)

    @pytest.mark.parametrize("gap", [1, 3, 9])
    def test_longer_than_the_window(self, gap):
        stream = Stream(Script([True] + [False] * gap + [True]), length=3)
        for x in range(gap + 1):
            found = stream.push({1: 5 + x})
        assert found.tolist()[0] == [105] * min(gap + 1, 3)
        assert stream.push({1: 20}).tolist()[0][-2:] == [105, 100 * (gap + 2) + 20]


class TestReadings:
    @pytest.mark.parametrize("reading", [OWN, FIXED, REFERENCE], ids=["own", "fixed", "reference"])
    def test_numbers_are_those_of_the_images_that_are_not_kept(self, reading):
        """As a classifier of whole depth images would read a window."""
        rng = np.random.default_rng(0)
        images = rng.gamma(2, 1, (20, *SIZE)).astype(np.float32)
        images[:, :4] = images.min() + 0.002 * images[:, :4]  # so that saturation leaves something
        scaled = np.stack([reading.scale(image, image.min(), image.max()) for image in images])
        paths = rng.uniform((-3, -3), (43, 11), (12, 20, 2)).astype(np.float32)
        expected = reading.sample(scaled, paths)
        cue, ids, ones = TrajectoryDepth(Script(images=images), reading), np.arange(12), np.ones((12, 8))
        for frame in range(20):
            window = slice(max(0, frame - 7), frame + 1)
            t = window.stop - window.start
            seen = ones[:, :t].astype(np.float32)
            tracks = Tracks(paths[:, window], seen > 0, seen, seen, np.zeros(12, np.int64), ids)
            found = cue.update(tracks, Frame(np.zeros((*SIZE, 3), np.uint8)))
            check_samples(found, 12, t)
            np.testing.assert_array_equal(found, expected[:, window])
        assert len(np.unique(expected[np.isfinite(expected)])) > 20

    def test_positions_that_are_not_finite(self):
        stream = Stream(Script())
        stream.push({1: 5, 2: 6})
        np.testing.assert_array_equal(stream.push({1: NAN, 2: np.inf}), [[105, NAN], [106, NAN]])


class TestSensor:
    """The whole way from a depth camera."""

    def test_a_lost_message_does_not_switch_it_off(self):
        stream = Stream(SensorDepth(), OWN)
        near = np.full(SIZE, 4, np.float32)
        near[:, 20:] = 2
        assert stream.push({1: 5, 2: 30}, depth=near).tolist() == [[0.5], [1]]
        assert stream.push({1: 25, 2: 30}).tolist() == [[0.5, 0.5], [1, 1]]
        assert stream.push({1: 25, 2: 30}, depth=np.full(SIZE, NAN, np.float32)).tolist()[0] == [0.5] * 3
        assert stream.push({1: 25, 2: 5}, depth=near).tolist() == [[0.5, 0.5, 0.5, 1], [1, 1, 1, 0.5]]

    def test_without_any_nothing_is_known(self):
        stream = Stream(SensorDepth(), OWN)
        assert [stream.push({1: 5}) for _ in range(3)] == [None] * 3

    def test_images_of_another_size(self):
        """The pipeline begins a fresh window then; the cue alone knows nothing until it is told."""
        cue = TrajectoryDepth(SensorDepth(), OWN)
        one = np.ones((1, 1), np.float32)
        tracks = Tracks(
            np.full((1, 1, 2), 3, np.float32),
            one > 0,
            one,
            one,
            np.zeros(1, np.int64),
            np.zeros(1, np.int64),
        )
        for height in (8, 6):
            image = np.zeros((height, 40, 3), np.uint8)
            depth = np.ones((height, 40), np.float32)
            cue.reset()
            assert cue.update(tracks, Frame(image)) is None
            assert cue.update(tracks, Frame(image, depth=depth)).tolist() == [[1]]
        assert cue.update(tracks, Frame(np.zeros((8, 40, 3), np.uint8))) is None


def test_memory_does_not_grow(make_tracks):
    """500 trajectories, 50 of which are new in every frame."""
    cue, places = TrajectoryDepth(SensorDepth(), OWN), np.full((500, 2), 5)
    image, rng = np.zeros((48, 64, 3), np.uint8), np.random.default_rng(0)

    def run(frames: range) -> int:
        for frame in frames:
            tracks = make_tracks(50 * frame + np.arange(500), np.zeros(500), places, frames=16)
            found = cue.update(tracks, Frame(image, depth=rng.random((48, 64), np.float32) + 0.5))
        check_samples(found, 500, 16)
        del found, tracks
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        early, late = run(range(20)), run(range(20, 220))
    finally:
        tracemalloc.stop()
    assert late < early + 20_000
    assert early < 2 * 500 * 16 * 4 + 48 * 64 * 4 * 2
