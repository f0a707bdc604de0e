from __future__ import annotations

import operator
import os
import signal
import time
from functools import partial
from multiprocessing import active_children

import pytest

from motionseg_ros.core.errors import MotionSegError
from motionseg_ros.io.workers import available_cores, map_in_order

# Only what other processes can import can be run in them; modules of tests cannot.
double = partial(operator.mul, 2)


def test_cores():
    assert 1 <= available_cores() <= os.cpu_count()


@pytest.mark.parametrize("workers", [0, 1, 2, 9])
@pytest.mark.parametrize("numbers", [range(0), range(1), range(3, 8)])
def test_results_come_in_order(numbers, workers):
    assert list(map_in_order(double, numbers, workers)) == [2 * number for number in numbers]
    assert not active_children()


def test_large_results():
    zeros = partial(operator.mul, b"\0" * 1_000_000)
    assert [len(result) for result in map_in_order(zeros, range(1, 4), 2)] == [
        1_000_000,
        2_000_000,
        3_000_000,
    ]


def test_nothing_is_left_when_nobody_listens_any_more():
    # More than the pipes hold: none of them can have done all its work and gone.
    results = map_in_order(double, range(1_000_000), 2)
    assert next(results) == 0
    assert len(active_children()) == 2
    results.close()
    assert not active_children()


def test_an_exception_comes_with_its_traceback():
    results = map_in_order(partial(operator.truediv, 1), range(1, -2, -1), 1, "divides")
    assert next(results) == 1
    with pytest.raises(RuntimeError, match=r"a process that divides failed:\n(?s:.*)ZeroDivisionError"):
        next(results)
    assert not active_children()


def test_a_process_that_ends_is_no_reason_to_wait_forever():
    with pytest.raises(MotionSegError, match=r"a process that works has ended \(exit status 3\)"):
        next(map_in_order(os._exit, range(3, 4), 1))


def test_a_process_that_is_killed():
    results = map_in_order(time.sleep, range(0, 1000, 100), 1)
    next(results)
    (child,) = active_children()
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(MotionSegError, match="killed by signal 9; was memory short"):
        next(results)


def test_ctrl_c_is_not_for_the_processes():
    # More than the pipe holds: it cannot have done all its work and gone.
    results = map_in_order(double, range(50_000), 1)
    assert next(results) == 0
    (child,) = active_children()
    os.kill(child.pid, signal.SIGINT)
    assert list(results) == [2 * number for number in range(1, 50_000)]
    # Here it still works.
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, set())
