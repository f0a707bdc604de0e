from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.core.cues import Cues, NoCue
from motionseg_ros.core.timing import StageTimer
from motionseg_ros.core.types import Frame

FRAME = Frame(np.zeros((4, 6, 3), np.uint8))


class KnownCue:
    """Answers with `rows`; notes what it is asked, in a list that several may share."""

    def __init__(self, name: str, rows: np.ndarray | None, log: list) -> None:
        self.name, self.rows, self.log = name, rows, log

    def reset(self) -> None:
        self.log.append((self.name, "reset"))

    def update(self, tracks, frame) -> np.ndarray | None:
        self.log.append((self.name, tracks, frame))
        if self.rows is None:
            raise ValueError(f"{self.name} is broken")
        return self.rows


@pytest.fixture
def tracks(make_tracks):
    return make_tracks(np.zeros((3, 2, 2)))


@pytest.fixture
def log() -> list:
    return []


def test_no_cue_knows_nothing(tracks):
    cue = NoCue()
    cue.reset()
    assert cue.update(tracks, FRAME) is None


def test_without_any_nothing_is_known(tracks):
    cues = Cues()
    cues.reset()
    assert cues.update(tracks, FRAME, StageTimer()) == (None, None)


def test_both_are_asked_once_about_the_same_frame(tracks, log):
    depth, semantics = np.zeros((3, 2), np.float32), np.ones((3, 5), np.float32)
    found = Cues(KnownCue("depth", depth, log), KnownCue("semantics", semantics, log)).update(
        tracks, FRAME, StageTimer()
    )
    assert found[0] is depth
    assert found[1] is semantics
    assert log == [("depth", tracks, FRAME), ("semantics", tracks, FRAME)]


def test_both_are_reset(log):
    Cues(KnownCue("depth", None, log), KnownCue("semantics", None, log)).reset()
    assert log == [("depth", "reset"), ("semantics", "reset")]


def test_each_is_timed(tracks, log):
    timer = StageTimer()
    cues = [KnownCue(name, np.zeros(3, np.float32), log) for name in ("depth", "semantics")]
    Cues(*cues).update(tracks, FRAME, timer)
    assert list(timer.milliseconds) == ["depth", "semantics"]


def test_one_that_is_not_there_is_no_stage(tracks, log):
    timer = StageTimer()
    Cues(semantics=KnownCue("semantics", np.zeros(3, np.float32), log)).update(tracks, FRAME, timer)
    assert list(timer.milliseconds) == ["semantics"]


@pytest.mark.parametrize("broken", ["depth", "semantics"])
def test_their_errors_come_out(tracks, log, broken):
    cues = Cues(**{broken: KnownCue(broken, None, log)})
    with pytest.raises(ValueError, match=f"^{broken} is broken$"):
        cues.update(tracks, FRAME, StageTimer())
