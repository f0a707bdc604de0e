from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from motionseg_ros.ros.worker import Worker


class Recorder:
    """Notes what was done; holds back until `go` is set."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.begun = threading.Event()
        self.go = threading.Event()

    def __call__(self, item: object) -> None:
        self.begun.set()
        assert self.go.wait(5)
        self.done.append(item)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def worker(recorder: Recorder) -> Iterator[Worker]:
    worker = Worker(recorder)
    worker.start()
    yield worker
    recorder.go.set()
    assert worker.stop(5)


def finish(recorder: Recorder, count: int) -> None:
    recorder.go.set()
    end = time.monotonic() + 5
    while len(recorder.done) < count and time.monotonic() < end:
        time.sleep(0.001)


def test_only_the_newest_item_waits(worker: Worker, recorder: Recorder) -> None:
    assert worker.submit("a") is None
    assert recorder.begun.wait(5)
    assert [worker.submit(item) for item in "bcd"] == [None, "b", "c"]
    finish(recorder, 2)
    assert recorder.done == ["a", "d"]


def test_submitting_does_not_wait_for_the_work(worker: Worker, recorder: Recorder) -> None:
    worker.submit("a")
    begin = time.monotonic()
    for item in range(1000):
        worker.submit(item)
    assert time.monotonic() - begin < 1
    assert not recorder.done


def test_calls_come_between_items(worker: Worker, recorder: Recorder) -> None:
    worker.submit("a")
    assert recorder.begun.wait(5)
    worker.call(lambda: recorder.done.append("call"))
    worker.submit("b")
    finish(recorder, 3)
    assert recorder.done == ["a", "call", "b"]


def test_discard_empties_the_slot(worker: Worker, recorder: Recorder) -> None:
    worker.submit("a")
    assert recorder.begun.wait(5)
    worker.submit("b")
    assert worker.discard() == "b"
    assert worker.discard() is None
    worker.submit("c")
    finish(recorder, 2)
    assert recorder.done == ["a", "c"]


def test_stop_finishes_the_item_in_work_and_no_other(recorder: Recorder) -> None:
    worker = Worker(recorder)
    worker.start()
    worker.submit("a")
    assert recorder.begun.wait(5)
    worker.submit("b")
    assert not worker.stop(0.05)
    recorder.go.set()
    assert worker.stop(5)
    assert recorder.done == ["a"]


def test_a_stopped_worker_starts_again(recorder: Recorder) -> None:
    recorder.go.set()
    worker = Worker(recorder)
    for item in "ab":
        worker.start()
        worker.submit(item)
        finish(recorder, len(recorder.done) + 1)
        assert worker.stop(5)
    assert recorder.done == ["a", "b"]


def test_stopping_what_never_started_is_allowed() -> None:
    assert Worker(print).stop(0)


class TestAsk:
    def test_brings_the_answer(self, worker: Worker) -> None:
        assert worker.ask(lambda: 6 * 7, 5) == 42

    def test_raises_what_the_function_raises(self, worker: Worker) -> None:
        with pytest.raises(KeyError, match="this"):
            worker.ask(lambda: {}["this"], 5)
        assert worker.ask(lambda: 1, 5) == 1

    def test_waits_for_the_item_in_work_and_comes_before_the_next(
        self, worker: Worker, recorder: Recorder
    ) -> None:
        worker.submit("first")
        assert recorder.begun.wait(5)
        worker.submit("second")
        threading.Timer(0.1, recorder.go.set).start()
        assert worker.ask(lambda: list(recorder.done), 5) == ["first"]

    def test_is_not_done_any_more_when_nobody_waits(self, worker: Worker, recorder: Recorder) -> None:
        worker.submit("first")
        assert recorder.begun.wait(5)
        done = []
        with pytest.raises(TimeoutError):
            worker.ask(lambda: done.append(1), 0.05)
        recorder.go.set()
        assert worker.ask(lambda: list(done), 5) == []
