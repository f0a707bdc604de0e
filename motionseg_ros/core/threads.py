"""Two threads that the stages share: NumPy and OpenCV leave the interpreter to others while they compute."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_pool: ThreadPoolExecutor | None = None


def map_in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """`function` of every item, two at a time, in the order of the items; the first error is raised here.

    `function` must not call this itself: its items would wait for threads that wait for them.
    """
    return list(_threads().map(function, items))


def begin(function: Callable[[], Result]) -> Future[Result]:
    """Let `function` work while the caller goes on; what it returns or raises comes with ``.result()``.

    It must not call `map_in_threads`.
    """
    return _threads().submit(function)


def _threads() -> ThreadPoolExecutor:
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(2, thread_name_prefix="stage")
    return _pool


def _forget() -> None:
    """A forked process has none of its parent's threads."""
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
