"""The size that a compressed image declares, before anything is decoded.

A few bytes can declare an image of gigabytes, and OpenCV makes room for all of it before it sees that the rest
is missing. Only the formats of image_transport are looked into: JPEG, PNG and TIFF.
"""

from __future__ import annotations

import struct

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_TIFF = {b"II*\0": "<", b"MM\0*": ">"}

_STANDALONE = {0x00, 0x01, *range(0xD0, 0xD9)}
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_LAST = {0xD9, 0xDA}


def declared_size(data: bytes) -> tuple[int, int] | None:
    """(height, width) in px that a JPEG, PNG or TIFF declares; None for other formats and damaged headers."""
    try:
        if data[:8] == _PNG:
            width, height = struct.unpack_from(">II", data, 16)
            return height, width
        if data[:2] == _JPEG:
            return _jpeg_size(data)
        if data[:4] in _TIFF:
            return _tiff_size(data, _TIFF[data[:4]])
    except struct.error:  # it ends within the header
        pass
    return None


def has_broken_chunks(data: bytes) -> bool:
    """Whether a PNG has a chunk that goes on after the end of the data; OpenCV would make room for it, up to 2 GB."""
    if data[:8] != _PNG:
        return False
    at = len(_PNG)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        at += 12 + length  # length, kind, data and checksum
        if kind == b"IEND":
            break
    return at > len(data)


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """As libjpeg looks for it: what is no marker is passed over."""
    at = len(_JPEG)
    while (at := data.find(b"\xff", at)) >= 0:
        while data[at : at + 1] == b"\xff":
            at += 1
        (marker,) = struct.unpack_from(">B", data, at)
        at += 1
        if marker in _LAST:
            return None
        if marker in _FRAMES:
            return struct.unpack_from(">HH", data, at + 3)
        if marker not in _STANDALONE:
            at += struct.unpack_from(">H", data, at)[0]
    return None


def _tiff_size(data: bytes, order: str) -> tuple[int, int] | None:
    """Width and height are tags 256 and 257 of the first directory."""
    (at,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, at)
    sides = {}
    for entry in range(at + 2, at + 2 + 12 * entries, 12):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        if tag in (256, 257):
            (sides[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + 8)
    return (sides[257], sides[256]) if len(sides) == 2 else None
