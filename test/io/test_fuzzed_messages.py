"""Hostile messages: each is converted or refused in one line, and none takes much memory."""

from __future__ import annotations

import struct
import warnings
import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from motionseg_ros.core.camera import CameraModel
from motionseg_ros.core.errors import FrameError
from motionseg_ros.io.camera_messages import message_to_camera
from motionseg_ros.io.depth_messages import message_to_metres
from motionseg_ros.io.image_headers import declared_size
from motionseg_ros.io.image_messages import MAX_SIDE, message_to_bgr

COLOURS = ("bgr8", "rgb8", "bgra8", "rgba8", "bgr16", "rgba16", "mono8", "mono16", "8UC1", "8SC3", "16SC1")
OTHERS = ("bayer_rggb8", "bayer_gbrg16", "uyvy", "yuv422_yuy2", "nv12", "nv21", "32FC1", "64FC4", "32SC1")
BROKEN = (
    "",
    "bgr9",
    "8UC2",
    "8UC",
    "32FC99",
    "BGR8",
    "bgr8\n",
    "bgr8\0",
    "ä",
    "jpeg\r\nok",
    "%s{0}",
    "\u2028",
)
SIDES = (0, 1, 2, 3, 7, 31, 64, MAX_SIDE, MAX_SIDE + 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1)
FLOATS = (np.nan, np.inf, -np.inf, 0.0, -1.0, 3e38, -3e38, 1e-40)

GIGABYTE = 2**30


class Memory:
    """The most memory that this process had, from now on."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")
        self._before = self._peak()

    @property
    def growth(self) -> int:
        """Bytes."""
        return self._peak() - self._before

    @staticmethod
    def _peak() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


@pytest.fixture
def memory() -> Memory:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("needs Linux: /proc/self/clear_refs")
    return Memory()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240229)


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def outcomes(messages: Iterator[SimpleNamespace], convert: Callable, check: Callable) -> Counter:
    """How many messages were converted, and how many were refused."""
    counts: Counter = Counter()
    reasons = []
    for message in messages:
        try:
            result = convert(message)
        except FrameError as error:
            reasons.append(str(error))
        else:
            check(result)
            counts["converted"] += 1
    assert [reason for reason in reasons if reason.splitlines() != [reason]] == []
    counts["refused"] = len(reasons)
    return counts


def is_picture(image: np.ndarray) -> None:
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert min(image.shape[:2]) >= 1
    assert max(image.shape[:2]) <= MAX_SIDE
    assert image.strides[1:] == (3, 1)


def is_depth(depth: np.ndarray) -> None:
    assert depth.dtype == np.float32
    assert depth.ndim == 2
    assert depth.dtype.isnative


def is_camera(camera: CameraModel) -> None:
    height, width = camera.size
    corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width / 2, height / 2]])
    rays = camera.rays(corners, camera.size)
    assert rays.shape == (4, 3)
    assert (rays[:, 2] == 1).all()


def pixel_bytes(rng: np.random.Generator, size: int) -> np.ndarray:
    """Random bytes; every second time they are floats, some of which are no numbers."""
    if rng.random() < 0.5:
        return rng.integers(0, 256, size, np.uint8)
    values = rng.normal(0, 10, size // 4 + 1).astype(np.float32)
    strange = rng.random(len(values)) < 0.3
    values[strange] = rng.choice(FLOATS, strange.sum())
    return values.view(np.uint8)[:size]


def as_field(rng: np.random.Generator, data: np.ndarray) -> object:
    """As rosbags, rclpy and others have `data`."""
    return (data, array("B", data.tobytes()), data.tobytes())[rng.integers(3)]


def images(rng: np.random.Generator, count: int, encodings: tuple[str, ...]) -> Iterator[SimpleNamespace]:
    """Each field is right in three messages of four."""

    def spoilt() -> bool:
        return rng.random() < 0.25

    for _ in range(count):
        height, width = (int(side) for side in rng.integers(1, 70, 2))
        encoding = str(rng.choice(encodings))
        pixel = {"8": 1, "16": 2, "32": 4, "64": 8}.get(
            next((n for n in ("64", "32", "16") if n in encoding), "8")
        )
        channels = next(
            (n for c, n in (("a8", 4), ("a16", 4), ("r8", 3), ("b8", 3), ("r16", 3)) if c in encoding), 1
        )
        channels = (
            int(encoding[-1]) if encoding[-2:-1] == "C" else 2 if encoding[:3] in ("uyv", "yuv") else channels
        )
        step = width * pixel * channels + int(rng.choice((0, 0, 1, 8)))
        rows = height + height // 2 if encoding.startswith("nv") else height
        size = rows * step
        if spoilt():
            size = int(rng.choice((0, 1, max(size - 1, 0), size + 1, 2 * size, rng.integers(0, size + 1))))
        if spoilt():
            step = int(rng.choice((0, 1, step - 1, step + 1, 2**31, 2**32 - 1)))
        if spoilt():
            height = int(rng.choice(SIDES))
        if spoilt():
            width = int(rng.choice(SIDES))
        yield SimpleNamespace(
            height=height,
            width=width,
            encoding=str(rng.choice(BROKEN)) if rng.random() < 0.1 else encoding,
            is_bigendian=int(rng.choice((0, 0, 1, 255))),
            step=step,
            data=as_field(rng, pixel_bytes(rng, size)),
        )


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(height: int, width: int, depth: int, colour: int, pixels: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(pixels, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def jpeg(height: int, width: int) -> bytes:
    """Of 16 x 16 pixels, whatever it declares."""
    data = cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))[1].tobytes()
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def tiff(height: int, width: int, order: str = "<") -> bytes:
    """One strip of pixels that are not there."""
    tags = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: height * width}
    entries = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in tags.items())
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(order + "IH", 8, len(tags)) + entries + bytes(100)


def streams(rng: np.random.Generator) -> list[bytes]:
    """Sound pictures of all kinds that OpenCV writes."""
    colour = rng.integers(0, 256, (24, 33, 3), np.uint8)
    deep, floats = colour.astype(np.uint16) * 257, colour.astype(np.float32) / 255
    floats[::3] = np.nan
    pictures = {
        ".jpg": (colour, colour[..., 0]),
        ".png": (colour, colour[..., 0], cv2.cvtColor(colour, cv2.COLOR_BGR2BGRA), deep, deep[..., 0]),
        ".tiff": (colour, deep, floats, floats[..., 0]),
        ".webp": (colour,),
        ".bmp": (colour,),
        ".hdr": (np.abs(np.nan_to_num(floats)),),
    }
    return [
        cv2.imencode(suffix, np.ascontiguousarray(picture))[1].tobytes()
        for suffix, kinds in pictures.items()
        for picture in kinds
    ]


def compressed_images(rng: np.random.Generator, count: int) -> Iterator[SimpleNamespace]:
    sound = streams(rng)
    formats = ("jpeg", "png", "bgr8; jpeg compressed bgr8", "16UC1; compressedDepth png", "a\nb", "")
    for _ in range(count):
        data = bytearray(sound[rng.integers(len(sound))])
        kind = rng.choice(
            ("sound", "flipped", "cut", "noise", "empty", "huge"), p=(0.2, 0.3, 0.2, 0.1, 0.05, 0.15)
        )
        if kind == "flipped":
            end = int(rng.choice((40, len(data))))  # headers have few bytes, but matter most
            for at in rng.integers(0, end, rng.integers(1, 6)):
                data[at] ^= 1 << int(rng.integers(8))
        elif kind == "cut":
            del data[rng.integers(len(data)) :]
        elif kind == "noise":
            data[2 * (rng.random() < 0.5) :] = rng.integers(0, 256, 200, np.uint8).tobytes()
        elif kind == "empty":
            data.clear()
        elif kind == "huge":
            sides = [
                int(side) for side in rng.choice((MAX_SIDE + 1, 30000, 65500, 2**20, 2**31 - 1, 2**32 - 1), 2)
            ]
            bomb = rng.integers(3)
            if bomb == 0:
                data = png(*sides, int(rng.choice((1, 8, 16))), int(rng.choice((0, 2, 6))), b"")
            else:
                data = (jpeg, tiff)[bomb - 1](*(min(side, 65500) for side in sides))
        field = as_field(rng, np.frombuffer(bytes(data), np.uint8))
        weights = (0.4, 0.4, 0.1, 0.02, 0.04, 0.04)
        yield SimpleNamespace(format=str(rng.choice(formats, p=weights)), data=field)


def camera_infos(rng: np.random.Generator, count: int) -> Iterator[SimpleNamespace]:
    strange = (0.0, -1.0, np.nan, np.inf, 1e-9, 1e9, 1e30)
    for _ in range(count):
        k = np.array([500.0, 0, 320, 0, 480, 240, 0, 0, 1])
        d = rng.normal(0, 0.1, rng.choice((0, 1, 3, 4, 4, 5, 5, 6, 8, 12, 14, 15, 100)))
        if rng.random() < 0.3:
            k[rng.integers(9)] = rng.choice(strange)
        if len(d) and rng.random() < 0.3:
            d[rng.integers(len(d))] = rng.choice(strange)
        if rng.random() < 0.1:
            d[:], k[:] = 0, rng.choice((0.0, 1.0))
        odd = rng.random() < 0.2
        yield SimpleNamespace(
            height=int(rng.choice((0, 1, 2**32 - 1)) if odd else 480),
            width=int(rng.choice((0, 1, 2**32 - 1)) if odd else 640),
            distortion_model=str(
                rng.choice(("plumb_bob", "plumb_bob", "equidistant", "rational_polynomial", "", "x\ny"))
            ),
            k=k,
            p=np.insert(k, (3, 6, 9), 0),
            d=array("d", d.tolist()) if rng.random() < 0.5 else d,
        )


def test_images_are_converted_or_refused(rng, memory):
    counts = outcomes(images(rng, 2000, COLOURS + OTHERS), message_to_bgr, is_picture)
    assert counts["converted"] > 500, counts
    assert counts["refused"] > 500, counts
    assert memory.growth < GIGABYTE / 4


def test_compressed_images_are_converted_or_refused(rng, memory):
    counts = outcomes(compressed_images(rng, 2000), message_to_bgr, is_picture)
    assert counts["converted"] > 500, counts
    assert counts["refused"] > 500, counts
    assert memory.growth < GIGABYTE


def test_depth_images_are_converted_or_refused(rng, memory):
    kinds = ("16UC1", "mono16", "32FC1", "32FC1", "bgr8")
    counts = outcomes(images(rng, 500, kinds), message_to_metres, is_depth)
    assert counts["converted"] > 100, counts
    assert counts["refused"] > 100, counts
    assert memory.growth < GIGABYTE / 4


@pytest.mark.parametrize("rectified", [False, True])
def test_calibrations_are_used_or_refused(rng, rectified):
    counts = outcomes(camera_infos(rng, 500), lambda info: message_to_camera(info, rectified), is_camera)
    assert counts["converted"] > 100, counts
    assert counts["refused"] > 100, counts


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(jpeg(20000, 20000), id="jpeg"),
        pytest.param(
            b"\xff\xd8" + bytes(5) + b"\xff\xfe\0\4ab\xff" + jpeg(20000, 20000)[2:], id="jpeg, prefaced"
        ),
        pytest.param(png(20000, 20000, 1, 0, bytes(20000 * 2501)), id="png"),
        pytest.param(tiff(20000, 20000), id="tiff"),
        pytest.param(tiff(20000, 20000, ">"), id="tiff, big endian"),
    ],
)
def test_an_image_that_declares_too_many_pixels_is_refused_before_it_is_decoded(data, memory):
    with pytest.raises(FrameError, match="20000x20000 is larger than 16384 pixels a side"):
        message_to_bgr(SimpleNamespace(format="jpeg", data=data))
    assert memory.growth < GIGABYTE / 16


def test_a_chunk_longer_than_its_png_is_refused_before_there_is_room_for_it(memory):
    """One wrong bit in a length, and OpenCV takes a gigabyte."""
    data = bytearray(png(24, 33, 8, 2, bytes(24 * 100)))
    data[data.index(b"IDAT") - 4] ^= 1 << 6
    with pytest.raises(FrameError, match="cut off or damaged"):
        message_to_bgr(SimpleNamespace(format="png", data=bytes(data)))
    assert memory.growth < GIGABYTE / 16


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tiff"])
def test_sound_headers_are_read(suffix, rng):
    """The size is found where encoders write it, so that the test above shows more than its own headers."""
    picture = rng.integers(0, 256, (24, 33, 3), np.uint8)
    data = cv2.imencode(suffix, picture)[1].tobytes()
    assert declared_size(data) == (24, 33)
    assert [declared_size(data[:end]) for end in (0, 2, 8, 10)] == [None] * 4
