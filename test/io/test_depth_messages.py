from __future__ import annotations

from array import array
from types import SimpleNamespace

import numpy as np
import pytest

from motionseg_ros.core.errors import FrameError
from motionseg_ros.io.depth_messages import fit_to, message_to_metres

HEIGHT, WIDTH = 6, 10
MILLIMETRES = ["16UC1", "mono16"]


@pytest.fixture
def distances() -> np.ndarray:
    """(6, 10) mm, all different, from one that is not known to the farthest of 16 bits."""
    return np.linspace(0, 65535, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.uint16)


def message(values: np.ndarray, encoding: str, **changes: object) -> SimpleNamespace:
    values = np.ascontiguousarray(values)
    fields = {
        "height": values.shape[0],
        "width": values.shape[1],
        "encoding": encoding,
        "is_bigendian": 0,
        "step": values.strides[0],
        "data": values.view(np.uint8).reshape(-1),
    }
    return SimpleNamespace(**{**fields, **changes})


def padded(values: np.ndarray, encoding: str, gap: int) -> SimpleNamespace:
    """Rows that are filled up with `gap` bytes of 255, as drivers do that align them."""
    rows = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)
    filled = np.pad(rows, ((0, 0), (0, gap)), constant_values=255)
    return message(values, encoding, step=filled.shape[1], data=filled.reshape(-1))


@pytest.mark.parametrize("encoding", MILLIMETRES)
def test_millimetres_become_metres(distances, encoding):
    metres = message_to_metres(message(distances, encoding))
    assert metres.shape == (HEIGHT, WIDTH)
    assert metres.dtype == np.float32
    assert metres[0, 0] == 0
    assert metres[-1, -1] == pytest.approx(65.535)
    np.testing.assert_allclose(metres, distances / 1000, rtol=1e-6)


def test_metres_stay_what_they_are():
    """Also what is not known, and what is out of reach (REP 117)."""
    values = np.float32([[0, 0.3, 1.5], [np.nan, np.inf, -np.inf]])
    metres = message_to_metres(message(values, "32FC1"))
    assert metres.dtype == np.float32
    np.testing.assert_array_equal(metres, values)


@pytest.mark.parametrize(("encoding", "kind"), [("16UC1", "u2"), ("mono16", "u2"), ("32FC1", "f4")])
@pytest.mark.parametrize(("order", "is_bigendian"), [("<", 0), (">", 1), ("<", False), (">", True)])
def test_both_byte_orders(distances, encoding, kind, order, is_bigendian):
    swapped = message(distances.astype(order + kind), encoding, is_bigendian=is_bigendian)
    metres = message_to_metres(swapped)
    assert metres.dtype == np.float32
    assert metres.dtype.isnative
    np.testing.assert_array_equal(metres, message_to_metres(message(distances.astype(kind), encoding)))


@pytest.mark.parametrize("encoding", [*MILLIMETRES, "32FC1"])
@pytest.mark.parametrize("gap", [1, 4, 13])
def test_what_fills_rows_up_is_left_out(distances, encoding, gap):
    values = distances.astype(np.float32) if encoding == "32FC1" else distances
    metres = message_to_metres(padded(values, encoding, gap))
    np.testing.assert_array_equal(metres, message_to_metres(message(values, encoding)))


def test_messages_of_rclpy_have_arrays_and_their_own_memory(distances):
    """What the message's owner does with it later does not change the depth."""
    data = array("B", distances.tobytes())
    metres = message_to_metres(message(distances, "16UC1", data=data))
    before = metres.copy()
    data[:] = array("B", bytes(len(data)))
    np.testing.assert_array_equal(metres, before)
    assert before.any()
    assert metres.flags.writeable


@pytest.mark.parametrize("encoding", ["32FC1", "16UC1"])
def test_more_data_than_the_rows_need_is_no_harm(encoding):
    values = np.arange(6).reshape(2, 3).astype(np.float32 if encoding == "32FC1" else np.uint16)
    given = message(values, encoding)
    given.data = np.concatenate([given.data, np.full(7, 255, np.uint8)])
    np.testing.assert_array_equal(message_to_metres(given), message_to_metres(message(values, encoding)))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data": np.zeros(11, np.uint8)}, "data holds 11 bytes, but 6 rows of step 20 need 120"),
        ({"data": np.zeros(119, np.uint8)}, "data holds 119 bytes, but 6 rows of step 20 need 120"),
        ({"data": np.zeros(0, np.uint8)}, "data holds 0 bytes"),
        ({"step": 19}, r"step 19 is shorter than a row of 10 16UC1 pixels \(20 bytes\)"),
        ({"height": 7}, "data holds 120 bytes, but 7 rows of step 20 need 140"),
        ({"height": 0}, r"the image is empty \(10x0\)"),
        ({"width": 0}, r"the image is empty \(0x6\)"),
        ({"width": 20000, "step": 40000}, "20000x6 is larger than 16384"),
    ],
)
def test_what_does_not_fit_together_is_told_in_one_line(distances, changes, reason):
    with pytest.raises(FrameError, match=reason) as caught:
        message_to_metres(message(distances, "16UC1", **changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "encoding", ["rgb8", "bgr8", "mono8", "16SC1", "16UC3", "32FC3", "64FC1", "", "martian"]
)
def test_pictures_and_other_encodings_are_no_depth(distances, encoding):
    with pytest.raises(FrameError, match=r"is no depth: it must be 16UC1 \(mm\) or 32FC1 \(m\)") as caught:
        message_to_metres(message(distances, encoding))
    assert str(caught.value).startswith(f"encoding '{encoding}' ")
    assert str(caught.value).endswith("; check the depth topic")


@pytest.mark.parametrize("kind", ["16UC1; compressedDepth png", "png", ""])
def test_a_compressed_message_says_what_to_take(kind):
    with pytest.raises(
        FrameError, match=r"^a compressed depth image cannot be read; use the raw depth topic$"
    ):
        message_to_metres(SimpleNamespace(format=kind, data=np.zeros(10, np.uint8)))


class TestFitTo:
    @pytest.fixture
    def depth(self) -> np.ndarray:
        """(6, 10) m, all different, with what is not known, and what is out of reach."""
        values = np.arange(60, dtype=np.float32).reshape(HEIGHT, WIDTH) * np.float32(0.37)
        values[2, 3], values[4, 7] = np.nan, np.inf
        return values

    def test_one_of_the_same_size_is_given_back(self, depth):
        assert fit_to(depth, (HEIGHT, WIDTH)) is depth

    def test_a_smaller_one_is_spread_without_mixing_values(self, depth):
        np.testing.assert_array_equal(fit_to(depth, (12, 20)), depth.repeat(2, axis=0).repeat(2, axis=1))

    def test_of_a_larger_one_some_values_are_taken(self, depth):
        np.testing.assert_array_equal(fit_to(depth, (3, 5)), depth[::2, ::2])

    @pytest.mark.parametrize(
        ("have", "want"),
        [((90, 160), (135, 240)), ((240, 424), (480, 848)), ((101, 135), (480, 640)), ((1, 1), (9, 9))],
    )
    def test_sizes_that_differ_by_what_rounding_leaves(self, have, want):
        values = np.random.default_rng(0).random(have, np.float32)
        fitted = fit_to(values, want)
        assert fitted.shape == want
        assert fitted.dtype == np.float32
        assert np.isin(fitted, values).all()
        assert fitted[0, 0] == values[0, 0]
        assert fitted[-1, -1] == values[-1, -1]

    @pytest.mark.parametrize("have", [(480, 848), (400, 640), (640, 480), (480, 1), (474, 640)])
    def test_another_aspect_is_not_registered_to_the_image(self, have):
        height, width = have
        with pytest.raises(
            FrameError,
            match=rf"^the depth image is {width}x{height}, but the image 640x480: depth must be registered .*"
            r"\(of RealSense cameras it is aligned_depth_to_color\)$",
        ):
            fit_to(np.ones(have, np.float32), (480, 640))
