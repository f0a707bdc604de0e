"""Validated containers that travel between the stages.

Coordinates: image positions are (x, y) in pixels of the full input image, x to the right, y down, the centre of
the top-left pixel at (0, 0). 3-D quantities are in the camera's optical frame (x right, y down, z forward), metres.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as default
from enum import IntEnum
from typing import Any

import numpy as np

from .camera import CameraModel

BACKGROUND = 0
MAX_OBJECT_ID = 65534


class ObjectState(IntEnum):
    """What an object does now; the values are those of ``InstanceMask.msg``."""

    MOVING = 1
    STOPPED = 2
    OCCLUDED = 3


def _require(array: object, name: str, shape: tuple[int | str, ...], dtype: type) -> np.ndarray:
    """Check that `array` is a numpy array of `dtype` whose shape matches; letters in `shape` match any size."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} must be a numpy array, but got {type(array).__name__}")
    fits = array.ndim == len(shape) and all(
        isinstance(want, str) or want == have for want, have in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join(str(s) for s in shape) + ("," if len(shape) == 1 else "")
        raise ValueError(f"{name} must be ({wanted}), but got {array.shape}")
    if array.dtype != np.dtype(dtype):
        raise TypeError(f"{name} must be {np.dtype(dtype).name}, but got {array.dtype.name}")
    return array


@dataclass(frozen=True, eq=False)
class Frame:
    """One camera image as it enters the pipeline.

    Args:
        image: (H, W, 3) uint8, BGR.
        stamp: capture time in nanoseconds, as in the message's header.
        frame_id: the header's frame (a camera optical frame).
        index: number of the frame in its source, from 0.
        depth: (H, W) float32 m, what a depth camera measured with it, registered to the image; NaN or 0 where it
            knows nothing; None without such a camera.
        camera: what its pixels look at, or None where that is not known.
        shared: what one stage has made of the frame and others may use, e.g. its pixels on a GPU.
    """

    image: np.ndarray
    stamp: int = 0
    frame_id: str = ""
    index: int = 0
    depth: np.ndarray | None = None
    camera: CameraModel | None = None
    shared: dict[Any, Any] = default(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        _require(self.image, "image", ("H", "W", 3), np.uint8)
        if min(self.image.shape[:2]) < 1:
            raise ValueError(f"image must not be empty, but got {self.image.shape}")
        if self.depth is not None:
            _require(self.depth, "depth", self.size, np.float32)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.image.shape[0], self.image.shape[1]


@dataclass(frozen=True, eq=False)
class Tracks:
    """N point trajectories over the T newest frames; frame T - 1 is the newest.

    Args:
        positions: (N, T, 2) float32, px. Meaningless where `visible` is False.
        visible: (N, T) bool.
        visibility: (N, T) float32, probability that the point is visible (not gated).
        confidence: (N, T) float32 in 0..1, how much the position can be trusted (0 where not tracked).
        birth: (N,) int64, window index of the query frame, in which the trajectory was seeded; 0 for older ones.
        ids: (N,) int64, unique for the life of the tracker.
    """

    positions: np.ndarray
    visible: np.ndarray
    visibility: np.ndarray
    confidence: np.ndarray
    birth: np.ndarray
    ids: np.ndarray

    def __post_init__(self) -> None:
        _require(self.positions, "positions", ("N", "T", 2), np.float32)
        n, t = self.positions.shape[:2]
        _require(self.visible, "visible", (n, t), np.bool_)
        _require(self.visibility, "visibility", (n, t), np.float32)
        _require(self.confidence, "confidence", (n, t), np.float32)
        _require(self.birth, "birth", (n,), np.int64)
        _require(self.ids, "ids", (n,), np.int64)

    def __len__(self) -> int:
        return self.positions.shape[0]

    @property
    def num_frames(self) -> int:
        return self.positions.shape[1]

    def __getitem__(self, rows: np.ndarray | slice) -> Tracks:
        """The trajectories selected by an index array, boolean mask or slice."""
        return Tracks(
            self.positions[rows],
            self.visible[rows],
            self.visibility[rows],
            self.confidence[rows],
            self.birth[rows],
            self.ids[rows],
        )


@dataclass(frozen=True, eq=False)
class Prompts:
    """What tells a masker where an object is, in the newest frame.

    Args:
        points: (K, 2) float32, px.
        labels: (K,) int8, 1 on the object, 0 off it.
        box: (4,) float32 x0, y0, x1, y1 in px, or None.
        mask: (H, W) bool, or None.
    """

    points: np.ndarray
    labels: np.ndarray
    box: np.ndarray | None = None
    mask: np.ndarray | None = None

    def __post_init__(self) -> None:
        _require(self.points, "points", ("K", 2), np.float32)
        _require(self.labels, "labels", (self.points.shape[0],), np.int8)
        if self.box is not None:
            _require(self.box, "box", (4,), np.float32)
        if self.mask is not None:
            _require(self.mask, "mask", ("H", "W"), np.bool_)

    def check(self, size: tuple[int, int]) -> None:
        """That they say something about an image of `size` (height, width).

        Raises:
            ValueError: there is no point, box nor mask, or it is not in the image.
        """
        height, width = size
        image = f"the image of {width}x{height}"
        if not len(self.points) and self.box is None and self.mask is None:
            raise ValueError("a prompt must have a point, a box or a mask, but got none")
        outside = ~((self.points >= 0) & (self.points <= (width - 1, height - 1))).all(1)
        if outside.any():
            x, y = self.points[outside][0]
            raise ValueError(f"points must lie in {image}, but got ({x:g}, {y:g})")
        if self.box is not None:
            x0, y0, x1, y1 = self.box.tolist()
            if not (x0 < x1 and y0 < y1 and x1 >= 0 and y1 >= 0 and x0 < width and y0 < height):
                raise ValueError(
                    f"box must have x0 < x1, y0 < y1 and lie in {image}, but got {self.box.tolist()}"
                )
        if self.mask is not None:
            if self.mask.shape != size:
                raise ValueError(f"mask must be {size}, but got {self.mask.shape}")
            if not self.mask.any():
                raise ValueError("mask must have a pixel on the object, but it is empty")

    @classmethod
    def on(cls, positions: np.ndarray) -> Prompts:
        """Positive points at `positions` (K, 2) px."""
        return cls(np.ascontiguousarray(positions, np.float32), np.ones(len(positions), np.int8))


@dataclass(frozen=True, eq=False)
class MaskLogits:
    """Where one object is in the newest frame.

    Args:
        logits: (h, w) float32, positive on the object, for the part of the image that it may lie in.
        corner: x and y of that part's first pixel in the image, px.
        quality: predicted IoU of the mask, 0..1; None from a masker that predicts none.
    """

    logits: np.ndarray
    corner: tuple[int, int] = (0, 0)
    quality: float | None = None

    def __post_init__(self) -> None:
        _require(self.logits, "logits", ("h", "w"), np.float32)

    @property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns of the image that `logits` are about."""
        (x, y), (h, w) = self.corner, self.logits.shape
        return np.s_[y : y + h, x : x + w]


@dataclass(frozen=True, eq=False)
class Instance:
    """One object in one frame; field for field what ``InstanceMask.msg`` carries.

    Args:
        id: 1..65534, stable for the object's life.
        state: moving, stopped or occluded.
        motion_score: mean P(moving) of its trajectories, 0..1.
        mask_score: predicted quality of the mask (IoU), 0..1.
        roi: x, y, width, height of `mask` in the image, px; all 0 while occluded.
        mask: (height, width) bool, the object's pixels inside `roi`.
        velocity_px: vx, vy in px/s, in the image.
        num_trajectories: trajectories that carry the object now.
        first_seen: stamp of the object's first frame, ns.
        position: x, y, z in m in the optical frame, or None without depth.
        velocity: vx, vy, vz in m/s in the optical frame, or None without depth.
    """

    id: int
    state: ObjectState
    motion_score: float
    mask_score: float
    roi: tuple[int, int, int, int]
    mask: np.ndarray
    velocity_px: tuple[float, float]
    num_trajectories: int
    first_seen: int
    position: tuple[float, float, float] | None = None
    velocity: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.id <= MAX_OBJECT_ID:
            raise ValueError(f"id must be in 1..{MAX_OBJECT_ID}, but got {self.id}")
        _, _, width, height = self.roi
        _require(self.mask, "mask", (height, width), np.bool_)

    @property
    def area(self) -> int:
        """Number of pixels of the mask."""
        return int(np.count_nonzero(self.mask))


@dataclass(frozen=True, eq=False)
class FrameResult:
    """The pipeline's answer for one frame.

    Args:
        index, stamp, frame_id: those of the frame.
        labels: (H, W) uint16, 0 background, otherwise an object's id.
        instances: the living objects by id, occluded ones (without pixels) included.
        timings_ms: milliseconds spent per stage.
        restart: why the window was begun afresh with this frame, or None.
        field: (h, w) int8 at the masker's size, 16 times the logit that each pixel moves, or None.
        warning: what a stage left undone for want of means, in one line, or None.
    """

    index: int
    stamp: int
    frame_id: str
    labels: np.ndarray
    instances: tuple[Instance, ...] = ()
    timings_ms: Mapping[str, float] = default(default_factory=dict)
    restart: str | None = None
    field: np.ndarray | None = None
    warning: str | None = None

    def __post_init__(self) -> None:
        _require(self.labels, "labels", ("H", "W"), np.uint16)
        if self.field is not None:
            _require(self.field, "field", ("h", "w"), np.int8)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.labels.shape[0], self.labels.shape[1]

    @property
    def mask(self) -> np.ndarray:
        """(H, W) uint8, 255 on every object, 0 elsewhere."""
        return np.where(self.labels > 0, np.uint8(255), np.uint8(0))
