"""Changes the stamp in a serialised message's header without touching the rest."""

from __future__ import annotations

import struct

_NS = 1_000_000_000
_STAMP = slice(4, 12)  # behind the encapsulation header: sec int32, nanosec uint32


def read_stamp(cdr: bytes) -> int:
    """The stamp, in nanoseconds, of a serialised message that begins with a ``std_msgs/Header``.

    Raises:
        ValueError: the message is too short to have one.
    """
    if len(cdr) < _STAMP.stop:
        raise ValueError(f"a message of {len(cdr)} bytes has no header")
    sec, nanosec = struct.unpack(_format(cdr), cdr[_STAMP])
    return sec * _NS + nanosec


def with_stamp(cdr: bytes, nanoseconds: int) -> bytes:
    """A copy of the message with another stamp."""
    sec, nanosec = divmod(nanoseconds, _NS)
    return b"".join((cdr[: _STAMP.start], struct.pack(_format(cdr), sec, nanosec), cdr[_STAMP.stop :]))


def _format(cdr: bytes) -> str:
    return "<iI" if cdr[1] & 1 else ">iI"
