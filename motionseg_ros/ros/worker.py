"""A one-place slot and the single thread that empties it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any


class Worker:
    """Processes the newest item only, in a thread of its own.

    Nothing here but `ask` and `stop` waits for the processing, so a ROS executor may call it.

    Args:
        process: called with each item that was not replaced by a newer one before its turn came. It must not
            raise.
    """

    def __init__(self, process: Callable[[Any], None], name: str = "worker") -> None:
        self._process = process
        self._name = name
        self._wake = threading.Condition()
        self._item: Any = None
        self._calls: deque[Callable[[], None]] = deque()
        self._running = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin with an empty slot."""
        self._running = True
        # A daemon: an item that takes for ever must not keep the process alive after Ctrl-C.
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def submit(self, item: Any) -> Any:
        """Put `item` into the slot; returns the older item that had to make room for it, or None."""
        with self._wake:
            older, self._item = self._item, item
            self._wake.notify()
        return older

    def discard(self) -> Any:
        """Empty the slot; returns what was in it, or None."""
        return self.submit(None)

    def call(self, function: Callable[[], None]) -> None:
        """Run `function` between two items: after the one in work, before the one in the slot."""
        with self._wake:
            self._calls.append(function)
            self._wake.notify()

    def ask(self, function: Callable[[], Any], timeout: float) -> Any:
        """`call`, and wait for what `function` returns; what it raises is raised here.

        Raises:
            TimeoutError: it did not come to it in `timeout` seconds; it will not be run any more.
        """
        answer: Future[Any] = Future()

        def run() -> None:
            if answer.set_running_or_notify_cancel():
                try:
                    answer.set_result(function())
                except Exception as error:
                    answer.set_exception(error)

        self.call(run)
        try:
            return answer.result(timeout)
        except FutureTimeout:
            if answer.cancel():
                raise TimeoutError from None
            return answer.result()  # it has begun: its effects are there

    def stop(self, timeout: float | None = None) -> bool:
        """End the thread after the item in work.

        Returns:
            Whether it has ended within `timeout` seconds; None waits as long as it takes.
        """
        with self._wake:
            self._running = False
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(timeout)
            if self._thread.is_alive():
                return False
            self._thread = None
        return True

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._calls or self._item is not None or not self._running)
                if not self._running:
                    return
                calls, self._calls = self._calls, deque()
                item, self._item = self._item, None
            for function in calls:
                function()
            if item is not None:
                self._process(item)
