from __future__ import annotations

import threading

import pytest

from motionseg_ros.ros.image_input import LossCounter
from motionseg_ros.ros.statistics import Counts, Statistics


def test_frames_are_numbered_in_the_order_of_arrival() -> None:
    statistics = Statistics()
    assert [statistics.received() for _ in range(3)] == [0, 1, 2]


def test_counts_and_reasons() -> None:
    statistics = Statistics()
    statistics.count("bad", reason="torn")
    statistics.count("bad", reason="empty")
    statistics.count("lost", 7)
    snapshot = statistics.snapshot()
    assert snapshot.counts == Counts(bad=2, lost=7)
    assert snapshot.last == {"bad": "empty"}


def test_difference_of_counts() -> None:
    assert Counts(received=5, lost=3) - Counts(received=2) == Counts(received=3, lost=3)


def test_median_and_95th_percentile() -> None:
    statistics = Statistics()
    for ms in range(1, 101):
        statistics.answered(float(ms), 2.0 * ms, {})
    snapshot = statistics.snapshot()
    assert snapshot.processing_ms == (51.0, 96.0)
    assert snapshot.latency_ms == (102.0, 192.0)
    assert snapshot.counts.answered == 100


def test_nothing_is_known_without_frames() -> None:
    snapshot = Statistics().snapshot()
    assert snapshot.processing_ms is None
    assert snapshot.latency_ms is None
    assert snapshot.input_rate == snapshot.output_rate == 0.0


def test_rates_come_from_the_spacing(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("motionseg_ros.ros.statistics.time.monotonic", lambda: now[0])
    statistics = Statistics()
    for _ in range(200):
        now[0] += 0.1
        statistics.received()
    assert statistics.snapshot().input_rate == pytest.approx(10.0)
    now[0] += 3.0
    assert statistics.snapshot().idle_for == pytest.approx(3.0)
    now[0] += 10.0
    assert statistics.snapshot().input_rate == 0.0


def test_stage_times_are_smoothed() -> None:
    statistics = Statistics()
    for ms in (10.0, 20.0):
        statistics.answered(0.0, 0.0, {"flow": ms})
    assert statistics.snapshot().stages_ms == {"flow": pytest.approx(11.0)}


def test_counting_from_many_threads_loses_nothing() -> None:
    statistics = Statistics()
    threads = [threading.Thread(target=lambda: [statistics.received() for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statistics.snapshot().counts.received == 2000


@pytest.mark.parametrize(
    ("numbers", "missed"),
    [
        ([1, 2, 3], [0, 0, 0]),
        ([5, 8, 9], [0, 2, 0]),
        ([5, 1, 2], [0, 0, 0]),
        ([5, 5], [0, 0]),
        ([None, 3, None, 9], [0, 0, 0, 0]),
    ],
)
def test_gaps_in_a_sequence(numbers: list[int | None], missed: list[int]) -> None:
    counter = LossCounter()
    assert [counter.missed(number) for number in numbers] == missed


def test_another_publisher_begins_anew() -> None:
    counter = LossCounter()
    counter.missed(5)
    counter.begin_anew()
    assert counter.missed(100) == 0
