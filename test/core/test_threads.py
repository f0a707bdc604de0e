from __future__ import annotations

import multiprocessing
import threading

import pytest

from motionseg_ros.core.threads import begin, map_in_threads


def test_results_keep_the_order_of_the_items():
    assert map_in_threads(lambda x: x * x, range(7)) == [x * x for x in range(7)]
    assert map_in_threads(str, []) == []


def test_two_items_are_worked_on_at_a_time():
    both = threading.Barrier(2, timeout=10)
    assert map_in_threads(lambda x: x + (both.wait() >= 0), (1, 2)) == [2, 3]


def test_the_first_error_is_raised():
    with pytest.raises(ZeroDivisionError):
        map_in_threads(lambda x: 1 / x, (1, 0))


def test_what_is_begun_works_while_the_caller_goes_on():
    going_on = threading.Event()
    work = begin(lambda: going_on.wait(10))
    going_on.set()
    assert work.result() is True


def test_an_error_is_raised_where_the_result_is_asked_for():
    work = begin(lambda: [][0])
    with pytest.raises(IndexError):
        work.result()


def test_what_is_begun_leaves_a_thread_to_the_others():
    going_on = threading.Event()
    work = begin(lambda: going_on.wait(10))
    assert map_in_threads(abs, (-1, -2, -3)) == [1, 2, 3]
    going_on.set()
    assert work.result() is True


def _child(queue: multiprocessing.Queue) -> None:
    queue.put(map_in_threads(abs, (-1, -2, -3)))


def test_works_in_a_forked_process():
    """Threads do not survive a fork: without care the child would wait for ever."""
    map_in_threads(abs, (1, 2))
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_child, args=(queue,), daemon=True)
    child.start()
    assert queue.get(timeout=20) == [1, 2, 3]
    child.join(5)
