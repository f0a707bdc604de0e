from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.core.errors import FrameError
from motionseg_ros.core.types import Frame
from motionseg_ros.io.continuity import continuous, discontinuity


def frame(stamp: int, index: int = 0, size: tuple[int, int] = (4, 6)) -> Frame:
    return Frame(np.zeros((*size, 3), np.uint8), stamp, "", index)


@pytest.mark.parametrize(
    ("following", "reason"),
    [
        (frame(11), None),
        (frame(10), None),
        (frame(9), "the stamp jumped back by 0.000 s"),
        (frame(10**10 + 10), None),
        (frame(11, size=(4, 7)), "the image size changed from 6x4 to 7x4"),
    ],
)
def test_discontinuity(following, reason):
    found = discontinuity(frame(10), following)
    assert (found is None) if reason is None else found.startswith(reason)


def test_the_first_frame_follows_nothing():
    assert discontinuity(None, frame(5)) is None


def test_frames_before_the_break_pass_and_the_error_names_the_remedy():
    stream = continuous([frame(2, 0), frame(3, 1), frame(1, 2)], "loop.mcap")
    assert [next(stream).index, next(stream).index] == [0, 1]
    with pytest.raises(FrameError, match=r"loop\.mcap, frame 2: .*--set source\.on_discontinuity=restart"):
        next(stream)
