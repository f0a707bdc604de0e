from __future__ import annotations

import threading

import pytest

from motionseg_ros.core.aside import Aside


def test_works_while_the_caller_goes_on():
    going_on = threading.Event()
    work = Aside(lambda: going_on.wait(10))
    going_on.set()
    assert work.result() is True


def test_an_error_is_raised_where_the_result_is_asked_for():
    work = Aside(lambda: [][0])
    with pytest.raises(IndexError):
        work.result()
