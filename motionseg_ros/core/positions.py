"""Where the objects are in front of the camera, and how fast they move there, from a depth camera.

A depth image knows nothing at some pixels, and at an object's edge it knows things that are nowhere: flying pixels
between the object and what is behind it. So the edge is left out, and what lies far from the middle of the rest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from .camera import CameraModel
from .types import Frame, Instance

# Width of an object's edge that is left out where enough is left, px of an image 640 px wide.
EDGE = 3.0
# Pixels with depth that are enough to tell where an object is, and their least share of its pixels.
LEAST_PIXELS = 12
LEAST_SHARE = 0.15
# Distance from the median, in median distances from it (a standard deviation is 1.5), from which a pixel is none of
# the object's.
OUTLIER = 4.0
# Depth noise that is always granted, share of the distance.
NOISE = 0.01
# Positions over this time tell the velocity, and so much of it must be known, s.
MEMORY = 0.6
LEAST_SPAN = 0.15
LEAST_POSITIONS = 3
# Pixels that are looked at, at most: more tell nothing new.
MOST_PIXELS = 4000


class ObjectPositions:
    """Adds `position` and `velocity` to instances. Memory: the last positions of the living objects."""

    def __init__(self) -> None:
        self._paths: dict[int, deque[tuple[int, np.ndarray]]] = {}

    def reset(self) -> None:
        """Forget all objects."""
        self._paths.clear()

    def locate(self, instances: Sequence[Instance], frame: Frame) -> tuple[Instance, ...]:
        """The same instances, with position and velocity where the frame has depth of them and a camera model.

        Velocity is relative to the camera, whose own motion is in it. An object that has just come has a position
        first, and no velocity until it has been seen for a while.
        """
        self._paths = {i.id: self._paths.get(i.id, deque()) for i in instances}
        if frame.depth is None or frame.camera is None:
            return tuple(instances)
        return tuple(self._locate(instance, frame) for instance in instances)

    def _locate(self, instance: Instance, frame: Frame) -> Instance:
        position = surface_centre(instance, frame.depth, frame.camera) if instance.area else None
        if position is None:
            return instance
        path = self._paths[instance.id]
        path.append((frame.stamp, position))
        while frame.stamp - path[0][0] > MEMORY * 1e9:
            path.popleft()
        return replace(instance, position=tuple(position.tolist()), velocity=slope(path))


def surface_centre(instance: Instance, depth: np.ndarray, camera: CameraModel) -> np.ndarray | None:
    """Centre of an object's visible surface.

    Args:
        instance: with pixels.
        depth: (H, W) float32 m; NaN, infinite and 0 are not known.
        camera: of that image.

    Returns:
        (3,) float64 m in the optical frame, or None where too little is known.
    """
    pixels, distances = surface(instance, depth, MOST_PIXELS)
    if not len(pixels):
        return None
    return np.median(camera.rays(pixels, depth.shape) * distances[:, None], axis=0)


def surface_points(instances: Sequence[Instance], frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """All that is known of the objects' visible surfaces.

    Args:
        frame: with depth and camera.

    Returns:
        (N, 3) float32 m in the optical frame, and the object of each point, (N,) uint16.
    """
    points, ids = [np.zeros((0, 3), np.float32)], [np.zeros(0, np.uint16)]
    for instance in instances:
        if instance.area:
            pixels, distances = surface(instance, frame.depth)
            rays = frame.camera.rays(pixels, frame.size)
            points.append((rays * distances[:, None]).astype(np.float32))
            ids.append(np.full(len(pixels), instance.id, np.uint16))
    return np.concatenate(points), np.concatenate(ids)


def surface(instance: Instance, depth: np.ndarray, most: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """An object's pixels whose depth is known and is its own.

    Args:
        instance: with pixels.
        depth: (H, W) float32 m.
        most: how many are wanted, about, evenly spread; None for all.

    Returns:
        (K, 2) px, x and y, and their distances (K,) float64 m along the optical axis; none where too little is known.
    """
    nothing = np.zeros((0, 2)), np.zeros(0)
    x, y, width, height = instance.roi
    part = depth[y : y + height, x : x + width]
    known = np.isfinite(part) & (part > 0)
    edge = 2 * max(1, round(EDGE * depth.shape[1] / 640)) + 1
    outline = np.pad(instance.mask, 1).view(np.uint8)
    inner = cv2.erode(outline, np.ones((edge, edge), np.uint8))[1:-1, 1:-1].astype(bool)
    chosen, everything = inner & known, instance.mask & known
    if np.count_nonzero(everything) < max(LEAST_PIXELS, LEAST_SHARE * instance.area):
        return nothing
    if np.count_nonzero(chosen) < LEAST_PIXELS:  # a thin thing is all edge
        chosen = everything
    rows, columns = np.nonzero(chosen)
    if most is not None:
        step = -(-len(rows) // most)
        rows, columns = rows[::step], columns[::step]
    distances = part[rows, columns].astype(np.float64)
    middle = np.median(distances)
    spread = np.median(np.abs(distances - middle)) + NOISE * middle
    kept = np.abs(distances - middle) <= OUTLIER * spread
    return np.column_stack([columns + x, rows + y])[kept], distances[kept]


def slope(path: Sequence[tuple[int, np.ndarray]]) -> tuple[float, float, float] | None:
    """m/s along a path of (stamp in ns, position (3,) m), by least squares; None where it is too short to tell."""
    times = np.array([stamp for stamp, _ in path], np.float64) / 1e9
    times -= times.mean()
    if len(path) < LEAST_POSITIONS or np.ptp(times) < LEAST_SPAN:
        return None
    positions = np.array([position for _, position in path])
    return tuple((times @ (positions - positions.mean(0)) / (times @ times)).tolist())
