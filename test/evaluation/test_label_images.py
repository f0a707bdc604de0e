from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest

from motionseg_ros.core.errors import EvaluationError
from motionseg_ros.evaluation.label_images import read_labels

LABELS = np.array([[0, 1, 2], [3, 0, 1]], dtype=np.uint8)


def png(labels: np.ndarray, depth: int, colour_type: int, palette: bytes = b"") -> bytes:
    """A PNG written by hand, pixel by pixel, as the standard says (filter 0 on every line)."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width = labels.shape
    lines = b""
    for row in labels:
        bits = "".join(f"{value:0{depth}b}" for value in row)
        bits += "0" * (-len(bits) % 8)
        lines += b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    body = chunk(b"IHDR", header) + (chunk(b"PLTE", palette) + chunk(b"tRNS", b"\0") if palette else b"")
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("depth", [2, 4, 8])
def test_palette_images_give_indices_not_colours(tmp_path, depth):
    path = tmp_path / "0.png"
    palette = bytes([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0])
    path.write_bytes(png(LABELS, depth, colour_type=3, palette=palette))
    assert (
        cv2.imread(str(path), cv2.IMREAD_UNCHANGED).ndim == 3
    )  # the trap: OpenCV gives the palette's colours
    assert np.array_equal(read_labels(path), LABELS)


def test_palette_of_one_bit(tmp_path):
    path = tmp_path / "0.png"
    labels = np.array([[0, 1, 1, 0, 1, 0, 0, 1, 1]], dtype=np.uint8)
    path.write_bytes(png(labels, 1, colour_type=3, palette=bytes([9, 9, 9, 7, 7, 7])))
    assert np.array_equal(read_labels(path), labels)


def test_void_index_of_a_palette_survives(tmp_path):
    path = tmp_path / "0.png"
    labels = np.array([[0, 255, 254]], dtype=np.uint8)
    path.write_bytes(png(labels, 8, colour_type=3, palette=bytes(768)))
    assert np.array_equal(read_labels(path), labels)


def test_gray_of_one_bit_is_a_binary_mask(tmp_path):
    path = tmp_path / "0.png"
    path.write_bytes(png(np.array([[0, 1, 1]], dtype=np.uint8), 1, colour_type=0))
    assert read_labels(path).tolist() == [[0, 255, 255]]


@pytest.mark.parametrize("labels", [LABELS, LABELS.astype(np.uint16) * 20000])
def test_gray_images_are_read_as_they_are(tmp_path, labels):
    path = tmp_path / "0.png"
    cv2.imwrite(str(path), labels)
    result = read_labels(path)
    assert result.dtype == labels.dtype
    assert np.array_equal(result, labels)


@pytest.mark.parametrize("channels", [3, 4])
def test_gray_stored_as_colour(tmp_path, channels):
    path = tmp_path / "0.png"
    image = np.dstack([LABELS * 50] * 3 + [np.full_like(LABELS, 255)] * (channels - 3))
    cv2.imwrite(str(path), image)
    assert np.array_equal(read_labels(path), LABELS * 50)


def test_refuses_colours(tmp_path):
    path = tmp_path / "0.png"
    cv2.imwrite(str(path), np.dstack([LABELS, LABELS * 2, LABELS]))
    with pytest.raises(EvaluationError, match=r"0\.png: is a colour picture"):
        read_labels(path)


def test_refuses_other_formats(tmp_path):
    path = tmp_path / "0.png"
    path.write_bytes(b"\xff\xd8\xff\xe0 a JPEG under a wrong name")
    with pytest.raises(EvaluationError, match="is not a PNG"):
        read_labels(path)


def test_missing_file(tmp_path):
    with pytest.raises(EvaluationError, match="cannot be read"):
        read_labels(tmp_path / "0.png")


@pytest.mark.parametrize("colour_type", [0, 3])
@pytest.mark.parametrize("cut", [10, 20, 30, 45, -14, -8])
def test_files_cut_off(tmp_path, colour_type, cut):
    path = tmp_path / "0.png"
    path.write_bytes(png(LABELS, 8, colour_type, bytes(768) if colour_type == 3 else b"")[:cut])
    with pytest.raises(EvaluationError, match="is damaged or cut off"):
        read_labels(path)


def test_flipped_bits(tmp_path):
    path = tmp_path / "0.png"
    data = bytearray(png(LABELS, 8, 0))
    data[data.index(b"IDAT") + 6] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(EvaluationError, match="is damaged"):
        read_labels(path)
