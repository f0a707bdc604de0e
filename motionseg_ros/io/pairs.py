"""Two recorded streams side by side: each message of the first with the one of the second that is nearest in time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeVar

from ..core.errors import SourceError

Message = TypeVar("Message")

_MOST_WAITING = 16


def pair(
    messages: Iterable[tuple[bool, int, Message]], tolerance: int
) -> Iterator[tuple[Message, Message | None]]:
    """Give every message of the first stream its partner, or None where there is none near enough.

    A message waits until the second stream has come up to its stamp, or until too many wait: so memory is bounded
    even where the second stream ends.

    Args:
        messages: (is of the second stream, stamp in ns, message) in the order of recording.
        tolerance: farthest two stamps of a pair lie apart, ns.

    Raises:
        SourceError: as `messages` does, but after what came before it.
    """
    waiting: deque[tuple[int, Message]] = deque()
    partners: deque[tuple[int, Message]] = deque(maxlen=_MOST_WAITING)

    def give() -> tuple[Message, Message | None]:
        stamp, message = waiting.popleft()
        nearest = min(partners, key=lambda other: abs(other[0] - stamp), default=None)
        close = nearest is not None and abs(nearest[0] - stamp) <= tolerance
        return message, nearest[1] if close else None

    failure: SourceError | None = None
    try:
        for is_second, stamp, message in messages:
            (partners if is_second else waiting).append((stamp, message))
            while waiting and (
                (partners and partners[-1][0] >= waiting[0][0]) or len(waiting) > _MOST_WAITING
            ):
                yield give()
    except SourceError as error:
        failure = error
    while waiting:
        yield give()
    if failure is not None:
        raise failure
