"""Run an iterator ahead of its consumer, in a thread, by a bounded number of items."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")
_POLL_S = 0.1


class _End:
    """The last thing in the queue: the stream's end, or the error that ended it."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def prefetch(items: Iterable[T], depth: int = 2) -> Generator[T, None, None]:
    """Yield what `items` yields, computed in a thread at most `depth` items ahead.

    An error raised by `items` is raised here after all items before it. Closing the generator ends the
    thread.
    """
    slots: queue.Queue[T | _End] = queue.Queue(depth)
    stop = threading.Event()

    def put(item: T | _End) -> bool:
        while not stop.is_set():
            try:
                slots.put(item, timeout=_POLL_S)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        iterator = iter(items)
        end = _End()
        try:
            for item in iterator:
                if not put(item):
                    break
        except BaseException as error:  # whatever it is, it belongs to the consumer
            end = _End(error)
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()
        put(end)

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item = slots.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stop.set()
        thread.join()
