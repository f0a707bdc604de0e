"""Label images: PNG files whose pixels are object ids."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

from ..core.errors import EvaluationError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY, _PALETTE = 0, 3


def read_labels(path: Path) -> np.ndarray:
    """Read a label image: gray of 1 to 16 bits, or palette, whose indices (not colours) are the ids.

    A colour image passes only where it is gray in truth, all channels alike, as some DAVIS 2016 masks are.
    Gray of fewer than 8 bits is spread over 0..255, as the PNG standard says: a 1-bit mask reads 0 and 255.

    Returns:
        (H, W) uint8 or uint16.

    Raises:
        EvaluationError: the file cannot be read, is no PNG, is damaged, or holds colours rather than ids.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EvaluationError(f"{path}: cannot be read ({error.strerror})") from None
    if not data.startswith(_SIGNATURE):
        raise EvaluationError(f"{path}: is not a PNG file; label images are 8- or 16-bit PNG")
    try:
        data, levels = _indices_as_gray(data)
        # Looked for here, because OpenCV's PNG reader prints lines of its own about a file that was cut off.
        whole = b"IEND" in data
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if whole else None
    except (struct.error, cv2.error):
        image = None
    if image is None:
        raise EvaluationError(f"{path}: is damaged or cut off; write or download it again")
    if image.ndim == 3:
        image = _single_channel(image, path)
    return image // np.uint8(255 // (levels - 1)) if levels < 256 else image


def _single_channel(image: np.ndarray, path: Path) -> np.ndarray:
    """The one channel of a gray picture stored as BGR or BGRA."""
    if not (np.array_equal(image[..., 0], image[..., 1]) and np.array_equal(image[..., 0], image[..., 2])):
        raise EvaluationError(
            f"{path}: is a colour picture, not a label image; save ids as 8- or 16-bit gray or as palette PNG"
        )
    return np.ascontiguousarray(image[..., 0])


def _indices_as_gray(data: bytes) -> tuple[bytes, int]:
    """Declare a palette PNG's indices to be gray levels, because OpenCV would give the palette's colours.

    Only the header changes and the palette goes; the pixels stay packed as they are.

    Returns:
        The PNG, and how many levels its indices have (256 where nothing has to be scaled back).

    Raises:
        struct.error: the file ends in a chunk's head.
    """
    depth, colour_type = struct.unpack_from(">BB", data, 24)
    if colour_type != _PALETTE:
        return data, 256
    header = data[16:25] + bytes([_GRAY]) + data[26:29]
    chunks = [_SIGNATURE, _chunk(b"IHDR", header)]
    at = len(_SIGNATURE) + 12 + len(header)
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind in (b"IDAT", b"IEND"):
            chunks.append(data[at : at + 12 + length])
        at += 12 + length
    return b"".join(chunks), 2**depth


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
