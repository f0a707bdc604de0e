from __future__ import annotations

import threading
import time

import pytest

from motionseg_ros.io.prefetch import prefetch


def test_items_come_in_order():
    assert list(prefetch(range(100), 3)) == list(range(100))


def test_no_more_than_the_depth_is_computed_ahead():
    made = []

    def items():
        for number in range(100):
            made.append(number)
            yield number

    ahead = prefetch(items(), 2)
    assert next(ahead) == 0
    time.sleep(0.3)
    assert len(made) <= 4  # the one taken, two waiting, one in hand
    ahead.close()


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        raise ValueError("broken")

    ahead = prefetch(items())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="broken"):
        next(ahead)


def test_closing_ends_the_thread_and_the_iterator():
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    before = threading.active_count()
    ahead = prefetch(endless())
    next(ahead)
    ahead.close()
    assert closed.is_set()
    assert threading.active_count() == before
