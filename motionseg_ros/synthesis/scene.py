"""A scene: what there is, where it is at any time, and what sees it. No rendering here.

The renderer draws it; a trajectory simulator samples surface points and follows them through `world_points`
and `image_points`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from .camera import PinholeCamera
from .geometry import Body
from .motion import Motion, Still
from .poses import OPTICAL_TO_BODY, inverse, transform
from .sensor import Light, SensorModel


@dataclass(frozen=True, eq=False)
class Prop:
    """A thing of the background, at rest: `body` at `pose` (4, 4) body_to_world.

    `footprint` (length, width) in metres: the ground it darkens by a soft contact shadow, if any.
    """

    body: Body
    pose: np.ndarray = field(default_factory=lambda: np.eye(4))
    footprint: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Part:
    """A rigid part of an object; `motion` is its pose in the object's frame (part_to_object)."""

    body: Body
    motion: Motion = field(default_factory=Still)


@dataclass(frozen=True, eq=False)
class MovingObject:
    """An object with a motion of its own: `motion` gives object_to_world. Its label in the images is its
    `object_id`.
    """

    object_id: int
    name: str
    parts: tuple[Part, ...]
    motion: Motion
    footprint: tuple[float, float] | None = None

    def __post_init__(self):
        if not 1 <= self.object_id <= 65534:
            raise ValueError(f"object_id must be in 1..65534 but got {self.object_id}")
        if not self.parts:
            raise ValueError(f"object {self.name!r} needs at least one part")


@dataclass(frozen=True, eq=False)
class SurfacePoints:
    """Points that stick to surfaces. `body` (n,) int: index into `Scene.bodies`; `local` (n, 3) m in that
    body's frame; `normal` (n, 3) unit, likewise; `object_id` (n,) int, 0 for the background.
    """

    body: np.ndarray
    local: np.ndarray
    normal: np.ndarray
    object_id: np.ndarray


@dataclass(frozen=True, eq=False)
class Scene:
    """See the module. `camera_motion` moves the camera's mount (x forward, y left, z up).

    Frame i is seen at i / fps seconds. Raises ValueError for object ids that are not 1..N or a duration
    without frames.
    """

    name: str
    camera: PinholeCamera
    camera_motion: Motion
    background: tuple[Prop, ...]
    objects: tuple[MovingObject, ...] = ()
    fps: float = 10.0
    duration: float = 10.0
    seed: int = 0
    light: Light = field(default_factory=Light)
    sensor: SensorModel = field(default_factory=SensorModel)

    def __post_init__(self):
        if self.fps <= 0 or self.num_frames < 1:
            raise ValueError(
                f"fps and duration must give a frame but got fps={self.fps}, duration={self.duration}"
            )
        ids = [item.object_id for item in self.objects]
        if ids != list(range(1, len(ids) + 1)):
            raise ValueError(f"object ids must be 1..N in order but got {ids}")
        if not self.background and not self.objects:
            raise ValueError("a scene needs something to look at")

    @property
    def num_frames(self) -> int:
        """Number of frames."""
        return round(self.duration * self.fps)

    def time_of(self, index: int) -> float:
        """Time in seconds of frame `index`. Raises IndexError outside the scene."""
        if not 0 <= index < self.num_frames:
            raise IndexError(f"frame {index} of a scene with {self.num_frames} frames")
        return index / self.fps

    def object(self, object_id: int) -> MovingObject:
        """The object with this id. Raises KeyError."""
        if not 1 <= object_id <= len(self.objects):
            raise KeyError(f"no object {object_id}: ids are 1..{len(self.objects)}")
        return self.objects[object_id - 1]

    def camera_pose(self, t: float) -> np.ndarray:
        """camera_to_world (4, 4) of the optical frame at `t` seconds."""
        return self.camera_motion.pose(t) @ OPTICAL_TO_BODY

    def object_pose(self, object_id: int, t: float) -> np.ndarray:
        """object_to_world (4, 4) at `t` seconds."""
        return self.object(object_id).motion.pose(t)

    @cached_property
    def bodies(self) -> tuple[tuple[int, Body], ...]:
        """All rigid bodies as (object_id, body): the background's with id 0, then the parts of each object."""
        static = [(0, prop.body) for prop in self.background]
        return tuple(static + [(item.object_id, part.body) for item in self.objects for part in item.parts])

    @cached_property
    def _static_poses(self) -> np.ndarray:
        return np.array([prop.pose for prop in self.background], np.float64).reshape(-1, 4, 4)

    def body_poses(self, t: float) -> np.ndarray:
        """body_to_world (B, 4, 4) of `bodies` at `t` seconds."""
        moving = []
        for item in self.objects:
            base = item.motion.pose(t)
            moving += [base @ part.motion.pose(t) for part in item.parts]
        return np.concatenate((self._static_poses, np.array(moving).reshape(-1, 4, 4)))

    def surface_points(
        self, count: int, rng: np.random.Generator, object_id: int | None = None
    ) -> SurfacePoints:
        """`count` random points on the surfaces (of one object, or 0 for the background), uniform by area."""
        chosen = [
            (index, owner, facet)
            for index, (owner, body) in enumerate(self.bodies)
            if object_id is None or owner == object_id
            for facet in body.facets
        ]
        areas = np.array([facet.area for _, _, facet in chosen])
        picks = rng.choice(len(chosen), size=count, p=areas / areas.sum())
        local = np.array([_point_in(chosen[i][2], rng) for i in picks]).reshape(-1, 3)
        normal = np.array([chosen[i][2].normal for i in picks]).reshape(-1, 3)
        return SurfacePoints(
            np.array([chosen[i][0] for i in picks], int),
            local,
            normal,
            np.array([chosen[i][1] for i in picks], int),
        )

    def world_points(self, points: SurfacePoints, t: float) -> np.ndarray:
        """Positions (n, 3) in the world at `t` seconds."""
        poses = self.body_poses(t)[points.body]
        return np.einsum("nij,nj->ni", poses[:, :3, :3], points.local) + poses[:, :3, 3]

    def image_points(self, points: SurfacePoints, t: float) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (n, 2) and depths (n,) in metres at `t` seconds; nothing is tested for occlusion or the
        image's border.
        """
        return self.camera.project(transform(inverse(self.camera_pose(t)), self.world_points(points, t)))

    def object_speed(self, object_id: int, t: float, step: float = 0.02) -> float:
        """Highest speed in m/s of the object's extreme points in the world at `t` seconds."""
        item = self.object(object_id)
        fastest = 0.0
        before, after = item.motion.pose(t - step), item.motion.pose(t + step)
        for part in item.parts:
            low, high = part.body.bounds
            corners = np.array(np.meshgrid(*np.stack((low, high), axis=1))).reshape(3, -1).T
            first = transform(before @ part.motion.pose(t - step), corners)
            last = transform(after @ part.motion.pose(t + step), corners)
            fastest = max(fastest, float(np.linalg.norm(last - first, axis=1).max()) / (2 * step))
        return fastest

    def is_moving(self, object_id: int, t: float, threshold: float = 0.05) -> bool:
        """Whether some point of the object is faster than `threshold` m/s in the world at `t` seconds."""
        return self.object_speed(object_id, t) > threshold

    def moving_intervals(self, object_id: int, threshold: float = 0.05) -> list[tuple[int, int]]:
        """Runs of frames (first, last), both included, in which the object moves."""
        moving = [self.is_moving(object_id, self.time_of(i), threshold) for i in range(self.num_frames)]
        edges = np.flatnonzero(np.diff(np.concatenate(([0], np.asarray(moving, int), [0]))))
        return [(int(first), int(end) - 1) for first, end in edges.reshape(-1, 2)]


def _point_in(facet, rng) -> np.ndarray:
    """A uniform point (3,) of a facet: a triangle of its fan, then a point of the triangle."""
    polygon = facet.polygon
    first, rest = polygon[0], polygon[1:] - polygon[0]
    areas = np.abs(rest[:-1, 0] * rest[1:, 1] - rest[:-1, 1] * rest[1:, 0])
    pick = rng.choice(len(areas), p=areas / areas.sum())
    a, b = rng.random(2)
    if a + b > 1:
        a, b = 1 - a, 1 - b
    return facet.lift(first + a * rest[pick] + b * rest[pick + 1])
