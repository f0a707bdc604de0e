"""The demo's live part: the node, a player and a recorder, in processes of their own."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import MotionSegError
from ..core.types import FrameResult

START_TIMEOUT = 60.0
"""Seconds that the node may take to start."""

_QUIET = 1.0
_COMMAND = (sys.executable, "-m", "motionseg_ros.cli.main")


@dataclass(frozen=True)
class Live:
    """What came of it.

    Args:
        sent: images published.
        results: the node's answers by frame of the recording.
        latency_ms: from the stamp to the arrival at the subscriber, one per answer.
        diagnostics: the node's last report.
    """

    sent: int
    results: dict[int, FrameResult]
    latency_ms: np.ndarray
    diagnostics: dict[str, str]


def isolate() -> None:
    """A graph of our own: nobody on the network or this machine hears the demo, and it hears nobody."""
    os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"


def run_live(
    recording: Path, topic: str, work: Path, on_answer: Callable[[int], None] = lambda _: None
) -> Live:
    """Play a recording to the node and record its answers.

    Args:
        recording: rosbag2 folder.
        topic: its image topic.
        work: folder for logs.
        on_answer: called with the number of answers so far.

    Raises:
        MotionSegError: the node or the player ended early; the message says what it said last.
    """
    from ..ros.recorder import Recorder

    play_log = work / "play.csv"
    with (
        Recorder() as recorder,
        _process("node", ["node", "--ros-args", "-r", f"image:={topic}"], work / "node.log") as node,
    ):
        _wait_for(lambda: recorder.connected, node, "node", work / "node.log")
        play = ["play", str(recording), "--restamp", "--wait", str(START_TIMEOUT), "--log", str(play_log)]
        with _process("play", play, work / "play.log") as player:
            while player.poll() is None:
                _check(node, "node", work / "node.log")
                on_answer(len(recorder.answers()))
                time.sleep(0.1)
            if player.returncode:
                raise MotionSegError(f"the player ended early: {_last_line(work / 'play.log')}")
        _settle(lambda: len(recorder.answers()))
        # One more report, with the last frames in it.
        time.sleep(1.2)
        answers = recorder.answers()
        on_answer(len(answers))
    with play_log.open() as file:
        stamps = [int(row["stamp"]) for row in csv.DictReader(file) if row["topic"] == topic]
    answered = {index: answers[stamp] for index, stamp in enumerate(stamps) if stamp in answers}
    latency = [answers[stamp].arrival - stamp for stamp in stamps if stamp in answers]
    return Live(
        len(stamps),
        {index: answer.result(index) for index, answer in answered.items()},
        np.array(latency, np.float64) / 1e6,
        recorder.diagnostics,
    )


@contextmanager
def _process(name: str, arguments: list[str], log: Path) -> Iterator[subprocess.Popen]:
    """A `motionseg` command; at the end it is interrupted as by Ctrl-C."""
    with log.open("wb") as file:
        # A session of its own: Ctrl-C in the terminal reaches us, and we end it in order.
        process = subprocess.Popen(
            [*_COMMAND, *arguments], stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            if process.wait(10) != 0:
                raise MotionSegError(f"the {name} did not end well: {_last_line(log)}")
    finally:
        process.kill()
        process.wait()


def _wait_for(condition: Callable[[], bool], process: subprocess.Popen, name: str, log: Path) -> None:
    end = time.monotonic() + START_TIMEOUT
    while not condition():
        _check(process, name, log)
        if time.monotonic() > end:
            raise MotionSegError(f"the {name} did not start in {START_TIMEOUT:.0f} s; see {log}")
        time.sleep(0.05)


def _check(process: subprocess.Popen, name: str, log: Path) -> None:
    if process.poll() is not None:
        raise MotionSegError(f"the {name} ended early: {_last_line(log)}")


def _settle(count: Callable[[], int]) -> None:
    """Return when no answer has come for a while."""
    known, since = count(), time.monotonic()
    while time.monotonic() - since < _QUIET:
        time.sleep(0.05)
        if count() != known:
            known, since = count(), time.monotonic()


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"it said nothing; see {log}"
