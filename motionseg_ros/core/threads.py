"""Two threads that the stages share: NumPy and OpenCV leave the interpreter to others while they compute."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_pool: ThreadPoolExecutor | None = None


def map_in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """`function` of every item, two at a time, in the order of the items; the first error is raised here.

    `function` must not call this itself: its items would wait for threads that wait for them.
    """
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(2, thread_name_prefix="stage")
    return list(_pool.map(function, items))


def _forget() -> None:
    """A forked process has none of its parent's threads."""
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
