from __future__ import annotations

from array import array
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from motionseg_ros.core.errors import FrameError
from motionseg_ros.io.image_messages import message_to_bgr, pixel_rows

HEIGHT, WIDTH = 32, 48


@pytest.fixture
def picture() -> np.ndarray:
    """Smooth colours, so that subsampled encodings lose little."""
    ramp = np.linspace(30, 220, WIDTH, dtype=np.uint8)
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = ramp, 120, ramp[::-1]
    return image


def message(image: np.ndarray, encoding: str, **changes: object) -> SimpleNamespace:
    image = np.ascontiguousarray(image)
    fields = {
        "height": image.shape[0],
        "width": image.shape[1],
        "encoding": encoding,
        "is_bigendian": 0,
        "step": image.strides[0],
        "data": image.view(np.uint8).reshape(-1),
    }
    return SimpleNamespace(**{**fields, **changes})


def compressed(data: bytes, kind: str = "jpeg") -> SimpleNamespace:
    return SimpleNamespace(format=kind, data=np.frombuffer(data, np.uint8))


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("bgr8", lambda p: p),
        ("8UC3", lambda p: p),
        ("rgb8", lambda p: p[..., ::-1]),
        ("bgra8", lambda p: cv2.cvtColor(p, cv2.COLOR_BGR2BGRA)),
        ("8UC4", lambda p: cv2.cvtColor(p, cv2.COLOR_BGR2BGRA)),
        ("rgba8", lambda p: cv2.cvtColor(p, cv2.COLOR_BGR2RGBA)),
        ("bgr16", lambda p: p.astype(np.uint16) * 257),
        ("16UC3", lambda p: p.astype(np.uint16) * 257),
        ("rgb16", lambda p: p[..., ::-1].astype(np.uint16) * 257),
        ("rgba16", lambda p: cv2.cvtColor(p, cv2.COLOR_BGR2RGBA).astype(np.uint16) * 257),
    ],
)
def test_colour_encodings_come_back_exactly(picture, encoding, encode):
    result = message_to_bgr(message(encode(picture), encoding))
    assert result.shape == picture.shape
    assert result.dtype == np.uint8
    assert np.abs(result.astype(int) - picture).max() <= 1


@pytest.mark.parametrize("encoding", ["mono8", "8UC1", "8U"])
def test_gray_is_spread_over_three_channels(picture, encoding):
    gray = picture[..., 0]
    assert np.array_equal(message_to_bgr(message(gray, encoding)), np.dstack([gray] * 3))


@pytest.mark.parametrize(
    ("encoding", "dtype", "top"),
    [
        ("mono16", np.uint16, 65535),
        ("mono16", np.uint16, 4095),
        ("16UC1", np.uint16, 900),
        ("16SC1", np.int16, 900),
        ("32FC1", np.float32, 1),
    ],
)
def test_deep_gray_images_use_the_whole_range_whatever_part_of_theirs_they_fill(encoding, dtype, top):
    ramp = np.linspace(0, top, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(dtype)
    result = message_to_bgr(message(ramp, encoding))
    assert result[0, 0, 0] == 0
    assert result[-1, -1, 2] == 255
    assert (np.diff(result[..., 0].reshape(-1).astype(int)) >= 0).all()


def test_flat_and_unknown_depths_do_not_break_the_stretch():
    assert message_to_bgr(message(np.full((4, 4), 7, np.uint16), "mono16")).max() == 0
    assert message_to_bgr(message(np.full((4, 4), np.nan, np.float32), "32FC1")).max() == 0


def test_big_endian_pixels_are_swapped():
    ramp = np.linspace(0, 65535, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.uint16)
    swapped = message_to_bgr(message(ramp.astype(">u2"), "mono16", is_bigendian=1))
    assert np.array_equal(swapped, message_to_bgr(message(ramp, "mono16")))


@pytest.mark.parametrize(
    ("encoding", "red_at"),
    [
        ("bayer_rggb8", (0, 0)),
        ("bayer_bggr8", (1, 1)),
        ("bayer_gbrg8", (1, 0)),
        ("bayer_grbg8", (0, 1)),
        ("bayer_rggb16", (0, 0)),
    ],
)
def test_bayer_patterns(encoding, red_at):
    deep = encoding.endswith("16")
    pattern = np.zeros((HEIGHT, WIDTH), np.uint16 if deep else np.uint8)
    row, column = red_at
    pattern[row::2, column::2] = 200 * 257 if deep else 200  # only the red filter sees light
    result = message_to_bgr(message(pattern, encoding))
    inside = result[4:-4, 4:-4].reshape(-1, 3).mean(axis=0)
    assert inside[2] > 190
    assert inside[0] < 5
    assert inside[1] < 5


@pytest.mark.parametrize(("encoding", "order"), [("uyvy", (1, 0)), ("yuv422", (1, 0)), ("yuyv", (0, 1))])
def test_yuv_422(picture, encoding, order):
    yuv = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV)
    packed = np.zeros((HEIGHT, WIDTH, 2), np.uint8)
    packed[..., order[0]] = yuv[..., 0]
    packed[:, 0::2, order[1]], packed[:, 1::2, order[1]] = yuv[:, 0::2, 1], yuv[:, 0::2, 2]
    result = message_to_bgr(message(packed, encoding))
    assert result.shape == picture.shape
    assert np.abs(result.astype(int) - picture).mean() < 25  # full-range YUV read as video range


@pytest.mark.parametrize("counts_chroma", [False, True])
def test_nv12_whether_or_not_the_height_counts_the_chroma_rows(picture, counts_chroma):
    planes = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
    luma, chroma = planes[:HEIGHT], planes[HEIGHT:].reshape(2, -1)
    nv12 = np.vstack([luma, np.ascontiguousarray(chroma.T).reshape(-1, WIDTH)])
    result = message_to_bgr(message(nv12, "nv12", height=nv12.shape[0] if counts_chroma else HEIGHT))
    assert result.shape == picture.shape
    assert np.abs(result.astype(int) - picture).mean() < 6


@pytest.mark.parametrize("encoding", ["bgr8", "rgb8", "mono8", "bgra8"])
def test_padding_at_the_end_of_rows_is_left_out(encoding):
    channels = {"mono8": 1, "bgra8": 4}.get(encoding, 3)
    image = np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH, channels), np.uint8)
    padded = np.full((HEIGHT, WIDTH * channels + 16), 99, np.uint8)
    padded[:, : WIDTH * channels] = image.reshape(HEIGHT, -1)
    with_padding = message(padded, encoding, width=WIDTH)
    assert np.array_equal(message_to_bgr(with_padding), message_to_bgr(message(image, encoding)))


def test_packed_bgr8_is_not_copied(picture):
    source = message(picture, "bgr8")
    assert np.shares_memory(message_to_bgr(source), source.data)


def test_data_may_be_an_array_as_rclpy_has_it(picture):
    rclpy_like = message(picture, "bgr8", data=array("B", picture.tobytes()))
    assert np.array_equal(message_to_bgr(rclpy_like), picture)


@pytest.mark.parametrize(("suffix", "kind"), [(".jpg", "bgr8; jpeg compressed bgr8"), (".png", "png")])
def test_compressed_colour(picture, suffix, kind):
    data = cv2.imencode(suffix, picture)[1].tobytes()
    assert np.abs(message_to_bgr(compressed(data, kind)).astype(int) - picture).mean() < 4


def test_compressed_gray_has_three_channels_and_16_bits_become_8(picture):
    gray = cv2.imencode(".jpg", picture[..., 0])[1].tobytes()
    assert message_to_bgr(compressed(gray)).shape == picture.shape
    deep = cv2.imencode(".png", picture[..., 0].astype(np.uint16) * 10)[1].tobytes()
    assert message_to_bgr(compressed(deep, "mono16; png compressed")).max() == 255


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"encoding": "bgr9"}, "encoding 'bgr9' is not supported; supported are .*mono8"),
        ({"encoding": "8UC2"}, "encoding '8UC2' is not supported"),
        ({"encoding": ""}, "encoding '' is not supported"),
        ({"height": 0}, "empty"),
        ({"width": 0}, "empty"),
        ({"height": 10**6}, "larger than"),
        ({"width": 2**31}, "larger than"),
        ({"step": WIDTH}, "step 48 is shorter than a row"),
        ({"data": np.zeros(HEIGHT * WIDTH * 3 - 1, np.uint8)}, "data holds 4607 bytes"),
        ({"data": np.zeros(0, np.uint8)}, "data holds 0 bytes"),
        ({"encoding": "nv12", "width": 47, "step": 47}, "no 4:2:0 image"),
    ],
)
def test_messages_that_do_not_fit_together_are_refused(picture, changes, reason):
    with pytest.raises(FrameError, match=reason) as caught:
        message_to_bgr(message(picture, **{"encoding": "bgr8", **changes}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "kind", "reason"),
    [
        (b"", "jpeg", "empty"),
        (b"\xff\xd8\xff nothing", "jpeg", "cannot be decoded"),
        (b"12345", "16UC1; compressedDepth png", "depth map"),
    ],
)
def test_unreadable_compressed_images_are_refused(data, kind, reason):
    with pytest.raises(FrameError, match=reason):
        message_to_bgr(compressed(data, kind))


class TestPixelRows:
    """The bytes as they lie in the message, for pictures and depth alike."""

    @pytest.mark.parametrize(("encoding", "width"), [("bgr8", 3), ("16UC1", 2), ("32FC1", 4), ("mono8", 1)])
    def test_rows_without_what_fills_them_up(self, encoding, width):
        data = np.arange(5 * 40, dtype=np.uint8)
        given = SimpleNamespace(height=5, width=7, encoding=encoding, step=40, data=data)
        rows = pixel_rows(given, encoding)
        np.testing.assert_array_equal(rows, data.reshape(5, 40)[:, : 7 * width])
        assert np.shares_memory(rows, data)

    @pytest.mark.parametrize("height", [4, 6])
    def test_chroma_has_rows_of_its_own(self, height):
        """Drivers differ in whether they count them."""
        given = SimpleNamespace(height=height, width=8, encoding="nv12", step=8, data=np.zeros(48, np.uint8))
        assert pixel_rows(given, "nv12").shape == (6, 8)

    def test_the_encoding_may_be_another_name_of_the_messages(self):
        given = SimpleNamespace(height=1, width=2, encoding="martian", step=4, data=np.zeros(4, np.uint8))
        assert pixel_rows(given, "mono16").shape == (1, 4)
        with pytest.raises(FrameError, match="step 4 is shorter than a row of 2 bgr8 pixels"):
            pixel_rows(given, "bgr8")
