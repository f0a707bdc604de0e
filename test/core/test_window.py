from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from motionseg_ros.core.types import Frame
from motionseg_ros.core.window import SlidingWindow


def frame(value: int, height: int = 120, width: int = 160) -> Frame:
    return Frame(np.full((height, width, 3), value, np.uint8), stamp=value, index=value)


class TestSlidingWindow:
    def test_grows_up_to_its_length_and_no_further(self):
        window = SlidingWindow(3, 96)
        lengths = []
        for value in range(6):
            window.push(frame(value))
            lengths.append(len(window))
        assert lengths == [1, 2, 3, 3, 3, 3]

    def test_back_counts_frames_from_the_newest(self):
        window = SlidingWindow(3, 96)
        for value in range(5):
            window.push(frame(value))
        assert window.newest is window.back(0)
        assert [int(window.back(gap).gray[0, 0]) for gap in range(3)] == [4, 3, 2]

    @pytest.mark.parametrize("gap", [-1, 3, 100])
    def test_back_is_none_where_the_window_has_no_frame(self, gap):
        window = SlidingWindow(3, 96)
        for value in range(5):
            window.push(frame(value))
        assert window.back(gap) is None

    @pytest.mark.parametrize(("stamp", "expected"), [(4, 0), (3, 1), (2, 2), (1, None), (0, None), (5, None)])
    def test_back_to_finds_a_frame_by_its_stamp_while_the_window_has_it(self, stamp, expected):
        window = SlidingWindow(3, 96)
        for value in range(5):
            window.push(frame(value))
        assert window.back_to(stamp) == expected

    def test_of_frames_with_the_same_stamp_back_to_finds_the_newest(self):
        window = SlidingWindow(4, 96)
        for stamp in (7, 7, 9):
            window.push(replace(frame(0), stamp=stamp))
        assert window.back_to(7) == 1

    def test_back_to_finds_nothing_in_an_empty_window(self):
        window = SlidingWindow(3, 96)
        assert window.back_to(0) is None
        window.push(frame(3))
        window.clear()
        assert window.back_to(3) is None
        window.push(frame(4))
        assert window.back_to(4) == 0

    def test_keeps_the_newest_frame_at_full_size(self):
        window = SlidingWindow(3, 96)
        for value in range(5):
            window.push(newest := frame(value))
        assert window.frame is newest
        assert window.newest.size == (72, 96)
        assert window.newest.full_size == (120, 160)

    def test_lets_full_size_images_of_older_frames_go(self):
        window = SlidingWindow(4, 96)
        images = []
        for value in range(4):
            pushed = frame(value)
            images.append(weakref.ref(pushed.image))
            window.push(pushed)
        del pushed
        gc.collect()
        assert [image() is not None for image in images] == [False, False, False, True]

    def test_keeps_no_buffer_of_the_caller_but_the_newest(self):
        """Also where nothing had to be scaled: the working image is then a copy, not the frame's own."""
        window = SlidingWindow(2, 432)
        images, copies = [], []
        for value in range(5):
            pushed = frame(value)
            images.append(weakref.ref(pushed.image))
            window.push(pushed)
            copies.append(weakref.ref(window.newest.bgr))
        del pushed
        gc.collect()
        assert [image() is not None for image in images] == [False, False, False, False, True]
        assert [copy() is not None for copy in copies] == [False, False, False, True, True]

    @pytest.mark.parametrize("working_size", [96, 432])
    def test_the_caller_may_use_its_buffer_again(self, working_size):
        """As drivers do; 120x160 is scaled for the one working size and not for the other."""
        window = SlidingWindow(3, working_size)
        buffer = np.zeros((120, 160, 3), np.uint8)
        for value in (10, 20, 30):
            buffer[:] = value
            window.push(Frame(buffer))
        assert [int(window.back(gap).gray[0, 0]) for gap in range(3)] == [30, 20, 10]

    def test_clear_forgets_everything_and_takes_any_size_again(self):
        window = SlidingWindow(3, 96)
        window.push(frame(1))
        window.clear()
        assert len(window) == 0
        assert window.back(0) is None
        with pytest.raises(IndexError, match="window is empty"):
            _ = window.frame
        window.push(frame(2, 30, 40))
        assert window.frame.size == (30, 40)

    def test_empty_has_no_newest_frame(self):
        with pytest.raises(IndexError):
            _ = SlidingWindow(3, 96).newest

    def test_refuses_another_size_and_stays_as_it_was(self):
        window = SlidingWindow(3, 96)
        window.push(frame(1))
        with pytest.raises(ValueError, match=r"frame must be \(120, 160\) .* but got \(160, 120\)"):
            window.push(frame(2, 160, 120))
        assert len(window) == 1
        assert window.frame.stamp == 1

    @pytest.mark.parametrize("length", [0, -3])
    def test_refuses_a_length_without_frames(self, length):
        with pytest.raises(ValueError, match=f"length must be at least 1, but got {length}"):
            SlidingWindow(length, 64)
