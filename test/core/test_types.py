from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from motionseg_ros.core.types import (
    MAX_OBJECT_ID,
    Frame,
    FrameResult,
    Instance,
    ObjectState,
    Prompts,
    Tracks,
)


def tracks_fields(n: int = 5, t: int = 4) -> dict[str, np.ndarray]:
    return {
        "positions": np.arange(n * t * 2, dtype=np.float32).reshape(n, t, 2),
        "visible": np.arange(n * t).reshape(n, t) % 2 == 0,
        "visibility": np.full((n, t), 0.5, np.float32),
        "confidence": np.full((n, t), 0.25, np.float32),
        "birth": np.arange(n, dtype=np.int64) % t,
        "ids": np.arange(n, dtype=np.int64) + 100,
    }


def instance_fields() -> dict[str, object]:
    return {
        "id": 3,
        "state": ObjectState.MOVING,
        "motion_score": 0.9,
        "mask_score": 0.8,
        "roi": (2, 5, 4, 3),
        "mask": np.ones((3, 4), bool),
        "velocity_px": (1.0, -2.0),
        "num_trajectories": 7,
        "first_seen": 12,
    }


def test_object_state_has_the_message_values():
    assert {state.name: int(state) for state in ObjectState} == {"MOVING": 1, "STOPPED": 2, "OCCLUDED": 3}


class TestFrame:
    def test_size_is_height_and_width(self):
        assert Frame(np.zeros((3, 7, 3), np.uint8)).size == (3, 7)

    @pytest.mark.parametrize(
        ("image", "error", "message"),
        [
            (np.zeros((4, 5), np.uint8), ValueError, r"image must be \(H, W, 3\), but got \(4, 5\)"),
            (np.zeros((4, 5, 4), np.uint8), ValueError, r"image must be \(H, W, 3\), but got \(4, 5, 4\)"),
            (np.zeros((4, 5, 3), np.float32), TypeError, "image must be uint8, but got float32"),
            (np.zeros((0, 5, 3), np.uint8), ValueError, r"image must not be empty, but got \(0, 5, 3\)"),
            (np.zeros((4, 0, 3), np.uint8), ValueError, r"image must not be empty, but got \(4, 0, 3\)"),
            ([[0, 0, 0]], TypeError, "image must be a numpy array, but got list"),
        ],
    )
    def test_refuses_what_is_no_bgr_image(self, image, error, message):
        with pytest.raises(error, match=message):
            Frame(image)

    def test_cannot_be_changed(self):
        frame = Frame(np.zeros((2, 2, 3), np.uint8))
        with pytest.raises(dataclasses.FrozenInstanceError):
            frame.stamp = 5

    def test_may_have_depth(self):
        depth = np.full((3, 7), np.nan, np.float32)
        assert Frame(np.zeros((3, 7, 3), np.uint8), depth=depth).depth is depth
        assert Frame(np.zeros((3, 7, 3), np.uint8)).depth is None

    @pytest.mark.parametrize(
        ("depth", "error", "message"),
        [
            (np.ones((4, 7), np.float32), ValueError, r"depth must be \(3, 7\), but got \(4, 7\)"),
            (np.ones((7, 3), np.float32), ValueError, r"depth must be \(3, 7\), but got \(7, 3\)"),
            (np.ones((3, 7, 1), np.float32), ValueError, r"depth must be \(3, 7\), but got \(3, 7, 1\)"),
            (np.ones((3, 7), np.uint16), TypeError, "depth must be float32, but got uint16"),
            ([[1.0]], TypeError, "depth must be a numpy array, but got list"),
        ],
    )
    def test_refuses_depth_that_does_not_fit_the_image(self, depth, error, message):
        with pytest.raises(error, match=message) as caught:
            Frame(np.zeros((3, 7, 3), np.uint8), depth=depth)
        assert "\n" not in str(caught.value)

    def test_what_is_shared_belongs_to_one_frame(self):
        one, other = (Frame(np.zeros((2, 2, 3), np.uint8)) for _ in range(2))
        one.shared["pixels"] = 5
        assert one.shared == {"pixels": 5}
        assert other.shared == {}

    def test_what_is_shared_does_not_go_with_a_change(self):
        """It was made of another image."""
        frame = Frame(np.zeros((2, 2, 3), np.uint8), stamp=3)
        frame.shared["pixels"] = 5
        changed = dataclasses.replace(frame, image=np.ones((2, 2, 3), np.uint8))
        assert (changed.stamp, changed.shared) == (3, {})
        assert frame.shared == {"pixels": 5}

    def test_what_is_shared_is_not_printed(self):
        frame = Frame(np.zeros((2, 2, 3), np.uint8))
        frame.shared["pixels"] = "a long text"
        assert "a long text" not in repr(frame)


class TestTracks:
    def test_length_and_frames(self):
        tracks = Tracks(**tracks_fields(5, 4))
        assert (len(tracks), tracks.num_frames) == (5, 4)

    @pytest.mark.parametrize(("n", "t"), [(0, 0), (0, 4), (3, 1)])
    def test_may_be_empty_or_short(self, n, t):
        fields = tracks_fields(1, 1)
        fields = {
            **fields,
            **{
                name: np.zeros((n, t), fields[name].dtype) for name in ("visible", "visibility", "confidence")
            },
            **{name: np.zeros(n, np.int64) for name in ("birth", "ids")},
            "positions": np.zeros((n, t, 2), np.float32),
        }
        tracks = Tracks(**fields)
        assert (len(tracks), tracks.num_frames) == (n, t)

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"positions": np.zeros((5, 4, 3), np.float32)}, ValueError, r"positions must be \(N, T, 2\)"),
            ({"positions": np.zeros((5, 4, 2))}, TypeError, "positions must be float32, but got float64"),
            ({"visible": np.ones((5, 3), bool)}, ValueError, r"visible must be \(5, 4\), but got \(5, 3\)"),
            ({"visible": np.ones((5, 4), np.uint8)}, TypeError, "visible must be bool, but got uint8"),
            ({"visibility": np.ones((4, 4), np.float32)}, ValueError, r"visibility must be \(5, 4\)"),
            ({"confidence": np.ones((5, 4))}, TypeError, "confidence must be float32"),
            ({"birth": np.zeros(4, np.int64)}, ValueError, r"birth must be \(5,\), but got \(4,\)"),
            ({"birth": np.zeros(5, np.int32)}, TypeError, "birth must be int64"),
            ({"ids": np.zeros((5, 1), np.int64)}, ValueError, r"ids must be \(5,\), but got \(5, 1\)"),
            ({"ids": None}, TypeError, "ids must be a numpy array, but got NoneType"),
        ],
    )
    def test_refuses_what_does_not_fit_together(self, change, error, message):
        with pytest.raises(error, match=message):
            Tracks(**{**tracks_fields(), **change})

    @pytest.mark.parametrize(
        "rows",
        [
            slice(1, 4),
            np.array([3, 0]),
            np.array([True, False, False, True, True]),
            np.zeros(5, bool),
            np.zeros(0, np.int64),
        ],
    )
    def test_selection_takes_the_same_rows_of_everything(self, rows):
        fields = tracks_fields()
        selected = Tracks(**fields)[rows]
        for name, values in fields.items():
            np.testing.assert_array_equal(getattr(selected, name), values[rows], err_msg=name)


class TestPrompts:
    def test_points_alone_are_enough(self):
        prompts = Prompts(np.zeros((2, 2), np.float32), np.ones(2, np.int8))
        assert prompts.box is None
        assert prompts.mask is None

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"points": np.zeros((2, 3), np.float32)}, ValueError, r"points must be \(K, 2\)"),
            ({"labels": np.ones(3, np.int8)}, ValueError, r"labels must be \(2,\), but got \(3,\)"),
            ({"labels": np.ones(2, np.int64)}, TypeError, "labels must be int8"),
            ({"box": np.zeros(3, np.float32)}, ValueError, r"box must be \(4,\), but got \(3,\)"),
            ({"mask": np.zeros((4, 4), np.uint8)}, TypeError, "mask must be bool"),
        ],
    )
    def test_refuses_what_does_not_fit_together(self, change, error, message):
        fields = {"points": np.zeros((2, 2), np.float32), "labels": np.ones(2, np.int8)}
        with pytest.raises(error, match=message):
            Prompts(**{**fields, **change})


class TestInstance:
    def test_area_counts_the_masks_pixels(self):
        mask = np.zeros((3, 4), bool)
        mask[1, 1:] = True
        assert Instance(**{**instance_fields(), "mask": mask}).area == 3

    def test_may_be_without_pixels(self):
        hidden = {"roi": (0, 0, 0, 0), "mask": np.zeros((0, 0), bool), "state": ObjectState.OCCLUDED}
        assert Instance(**{**instance_fields(), **hidden}).area == 0

    @pytest.mark.parametrize("object_id", [1, MAX_OBJECT_ID])
    def test_takes_the_whole_range_of_ids(self, object_id):
        assert Instance(**{**instance_fields(), "id": object_id}).id == object_id

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"id": 0}, ValueError, r"id must be in 1\.\.65534, but got 0"),
            ({"id": 65535}, ValueError, r"id must be in 1\.\.65534, but got 65535"),
            ({"mask": np.ones((4, 3), bool)}, ValueError, r"mask must be \(3, 4\), but got \(4, 3\)"),
            ({"mask": np.ones((3, 4), np.uint8)}, TypeError, "mask must be bool"),
        ],
    )
    def test_refuses_bad_ids_and_masks_that_do_not_fill_the_roi(self, change, error, message):
        with pytest.raises(error, match=message):
            Instance(**{**instance_fields(), **change})


class TestFrameResult:
    def test_mask_is_255_on_every_object(self):
        labels = np.array([[0, 1, 65534], [7, 0, 0]], np.uint16)
        result = FrameResult(0, 0, "", labels)
        assert result.size == (2, 3)
        assert result.mask.dtype == np.uint8
        np.testing.assert_array_equal(result.mask, [[0, 255, 255], [255, 0, 0]])

    @pytest.mark.parametrize(
        ("labels", "error", "message"),
        [
            (np.zeros((2, 3), np.uint8), TypeError, "labels must be uint16, but got uint8"),
            (np.zeros((2, 3, 1), np.uint16), ValueError, r"labels must be \(H, W\)"),
        ],
    )
    def test_refuses_other_label_images(self, labels, error, message):
        with pytest.raises(error, match=message):
            FrameResult(0, 0, "", labels)
