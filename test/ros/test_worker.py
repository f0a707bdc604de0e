from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

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


def in_a_thread(function: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """A thread that runs `function`, and a list for what that returns or raises."""
    answers: list[object] = []

    def run() -> None:
        try:
            answers.append(function())
        except Exception as error:
            answers.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, answers


def test_ask_returns_what_the_function_returns(worker: Worker) -> None:
    assert worker.ask(lambda: threading.current_thread().name, 5) == "worker"
    assert worker.ask(lambda: None, 5) is None


@pytest.mark.parametrize("error", [KeyError("no such object"), TimeoutError("the function's own")])
def test_ask_raises_what_the_function_raises_and_the_worker_goes_on(
    worker: Worker, recorder: Recorder, error: Exception
) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        worker.ask(fail, 5)
    assert caught.value is error
    worker.submit("a")
    finish(recorder, 1)
    assert recorder.done == ["a"]


def test_asked_functions_run_between_two_items(worker: Worker, recorder: Recorder) -> None:
    worker.submit("a")
    assert recorder.begun.wait(5)
    worker.submit("b")
    thread, answers = in_a_thread(lambda: worker.ask(lambda: recorder.done.append("asked") or 7, 5))
    worker.call(lambda: recorder.done.append("call"))
    time.sleep(0.05)
    assert answers == []  # not while an item is in work
    finish(recorder, 4)
    thread.join(5)
    assert answers == [7]
    assert (recorder.done[0], recorder.done[3]) == ("a", "b")
    assert set(recorder.done[1:3]) == {"asked", "call"}


def test_what_was_not_begun_in_time_never_runs(worker: Worker, recorder: Recorder) -> None:
    """The caller has been told that it failed: it must not take effect after all."""
    worker.submit("a")
    assert recorder.begun.wait(5)
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        worker.ask(lambda: recorder.done.append("asked"), 0.05)
    assert 0.05 <= time.monotonic() - begin < 2
    worker.call(lambda: recorder.done.append("call"))
    worker.submit("b")
    finish(recorder, 3)
    assert recorder.done == ["a", "call", "b"]


def test_what_has_begun_is_waited_for(worker: Worker) -> None:
    """Its effects are there, so the caller is to know of them."""

    def slow() -> str:
        time.sleep(0.3)
        return "done"

    assert worker.ask(slow, 0.1) == "done"


def test_a_worker_that_was_stopped_does_not_answer(recorder: Recorder) -> None:
    worker = Worker(recorder)
    recorder.go.set()
    with pytest.raises(TimeoutError):
        worker.ask(lambda: recorder.done.append("asked"), 0.05)
    worker.start()
    worker.submit("a")
    finish(recorder, 1)
    assert worker.stop(5)
    assert recorder.done == ["a"]


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
