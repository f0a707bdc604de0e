"""From ``sensor_msgs/Image`` and ``CompressedImage`` messages to BGR images.

Works on messages of rclpy and of rosbags alike: only their fields are used. Every encoding that rosbags-image
reads is accepted, except those with two or more than four channels, which are no pictures.

16-bit colour and Bayer images use their full range (65535 becomes 255). One-channel images deeper than 8 bits
(``mono16``, ``16UC1``, ``32FC1``, ...) come from thermal, machine-vision and depth cameras that fill only a
part of their range, so the span from the 0.5th to the 99.5th percentile of each image is stretched over
0..255.
"""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
from rosbags.image.image import ENCODINGMAP, ImageError, message_to_cvimage, to_cvtype

from ..core.errors import FrameError
from .image_headers import declared_size, has_broken_chunks

MAX_SIDE = 16384
"""Images wider or higher than this are taken for damaged messages, px."""

_GENERIC = re.compile(r"(8U|8S|16U|16S|32S|32F|64F)(?:C([134]))?")
_NAMED_LIKE = {
    "8U": "mono8",
    "8UC1": "mono8",
    "8UC3": "bgr8",
    "8UC4": "bgra8",
    "16UC3": "bgr16",
    "16UC4": "bgra16",
}
_SUPPORTED = f"{', '.join(sorted(ENCODINGMAP))} and 8UC1 to 64FC4 (1, 3 or 4 channels)"


def message_to_bgr(message: Any) -> np.ndarray:
    """The picture that an Image or CompressedImage message carries, (H, W, 3) uint8, BGR.

    Where the message already is tightly packed bgr8, the result is a view of its data.

    Raises:
        FrameError: size, step, data and encoding do not fit together, or the encoding is not supported.
    """
    if hasattr(message, "format"):
        return _compressed_to_bgr(message)
    return _raw_to_bgr(message)


def _compressed_to_bgr(message: Any) -> np.ndarray:
    data = np.frombuffer(message.data, np.uint8)
    if data.size == 0:
        raise FrameError("the compressed image is empty; record it again or choose another topic")
    if "compressedDepth" in message.format:
        raise FrameError(f"format {message.format!r} is a depth map, not a picture; choose a colour topic")
    stream = data.tobytes()
    if size := declared_size(stream):
        _check_size(*size)
    if has_broken_chunks(stream):
        raise FrameError(
            f"the {message.format!r} image of {data.size} bytes cannot be decoded; it is cut off or damaged"
        )
    try:
        flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
        image = cv2.imdecode(data, flags)
    except cv2.error as error:
        raise FrameError(f"the {message.format!r} image cannot be decoded: {_one_line(error)}") from None
    if image is None:
        raise FrameError(
            f"the {message.format!r} image of {data.size} bytes cannot be decoded; it is damaged or of a "
            "format that OpenCV does not read"
        )
    _check_size(*image.shape[:2])
    if image.dtype != np.uint8:
        is_colour = image.ndim == 3 and image.dtype == np.uint16
        image = (image // 257).astype(np.uint8) if is_colour else _stretch(image)
    return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image


def _raw_to_bgr(message: Any) -> np.ndarray:
    encoding = _NAMED_LIKE.get(message.encoding, message.encoding)
    rows = pixel_rows(message, encoding)
    height, width = len(rows), int(message.width)
    if encoding == "bgr8":
        return rows.reshape(height, width, 3)
    if encoding == "rgb8":
        return cv2.cvtColor(rows.reshape(height, width, 3), cv2.COLOR_RGB2BGR)
    return _convert(rows, encoding, height, width, bool(message.is_bigendian))


def pixel_rows(message: Any, encoding: str) -> np.ndarray:
    """The bytes of an Image message's pixels, (rows, bytes per row) uint8, a view without what fills rows up.

    Raises:
        FrameError: size, step, data and encoding do not fit together, or the encoding is not supported.
    """
    height, width, step = int(message.height), int(message.width), int(message.step)
    _check_size(height, width)
    pixel = _bytes_per_pixel(encoding)
    data = np.frombuffer(message.data, np.uint8)
    if encoding in ("nv12", "nv21"):
        height = _rows_of_planes(height, width, step, data.size)
    if step < width * pixel:
        raise FrameError(
            f"step {step} is shorter than a row of {width} {encoding} pixels ({width * pixel} bytes); "
            "mend the camera driver"
        )
    if data.size < height * step:
        raise FrameError(
            f"data holds {data.size} bytes, but {height} rows of step {step} need {height * step}; "
            "the message is cut off or its driver is wrong"
        )
    return data[: height * step].reshape(height, step)[:, : width * pixel]


def _convert(rows: np.ndarray, encoding: str, height: int, width: int, is_bigendian: bool) -> np.ndarray:
    """All encodings but bgr8 and rgb8; `rows` is (height, bytes per row) uint8."""
    packed = SimpleNamespace(
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=is_bigendian,
        data=np.ascontiguousarray(rows).reshape(-1),
    )
    try:
        if encoding in ENCODINGMAP and encoding != "mono16":
            return message_to_cvimage(packed, "bgr8")
        image = _stretch(message_to_cvimage(packed))
    except (cv2.error, ImageError, ValueError, TypeError) as error:
        raise FrameError(
            f"a {width}x{height} image cannot be read as {encoding}: {_one_line(error)}"
        ) from None
    if image.ndim == 2:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return np.ascontiguousarray(image[..., :3])


def _one_line(error: Exception) -> str:
    text = error.err if isinstance(error, cv2.error) else str(error)
    return " ".join(text.split())


def _check_size(height: int, width: int) -> None:
    if height < 1 or width < 1:
        raise FrameError(f"the image is empty ({width}x{height}); mend the camera driver")
    if max(height, width) > MAX_SIDE:
        raise FrameError(
            f"an image of {width}x{height} is larger than {MAX_SIDE} pixels a side; the message is damaged"
        )


def _bytes_per_pixel(encoding: str) -> int:
    if encoding not in ENCODINGMAP and not _GENERIC.fullmatch(encoding):
        raise FrameError(f"encoding {encoding!r} is not supported; supported are {_SUPPORTED}")
    _, _, dtype, channels = to_cvtype(encoding)
    return np.dtype(dtype).itemsize * channels


def _rows_of_planes(height: int, width: int, step: int, size: int) -> int:
    """Rows of luma and chroma together: drivers differ in whether `height` counts the chroma rows."""
    if height % 2 == 0 and size >= step * height * 3 // 2:
        height = height * 3 // 2
    if height % 3 or width % 2:
        raise FrameError(
            f"a {width}x{height} image with {size} bytes is no 4:2:0 image; the message is cut off or its "
            "driver is wrong"
        )
    return height


def _stretch(image: np.ndarray) -> np.ndarray:
    """The 0.5th to 99.5th percentile spread over 0..255; what is not finite becomes 0. Same shape, uint8."""
    with np.errstate(all="ignore"):  # pixels may hold anything
        return _stretched(image.astype(np.float32))


def _stretched(image: np.ndarray) -> np.ndarray:
    # A sixteenth of the pixels tells the percentiles well enough and takes a sixteenth of the time.
    sample = image[::4, ::4] if min(image.shape[:2]) >= 64 else image
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return np.zeros(image.shape, np.uint8)
    low, high = np.percentile(sample, (0.5, 99.5))
    scaled = (image - low) * (255.0 / max(high - low, 1e-6))
    return np.clip(np.nan_to_num(scaled, nan=0.0), 0, 255).astype(np.uint8)
