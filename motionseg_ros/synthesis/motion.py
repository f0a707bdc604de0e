"""Rigid motions: poses as pure functions of time in seconds.

A route (where) and a schedule (how far along it, when) make a motion, so that a thing which stops keeps its
heading, and legs can swing with the distance walked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from .poses import pose, rotation


class Motion(Protocol):
    """A rigid motion."""

    def pose(self, t: float) -> np.ndarray:
        """Pose (4, 4) float64 at `t` seconds, in the parent frame."""


@dataclass(frozen=True, eq=False)
class Still:
    """Does not move."""

    fixed: np.ndarray = field(default_factory=lambda: np.eye(4))

    def pose(self, t: float) -> np.ndarray:
        return self.fixed


@dataclass(frozen=True, eq=False)
class Route:
    """Smooth curve on the ground through `points` (n >= 2, 2 or 3) in metres (Catmull-Rom).

    Parametrised by arc length; straight on beyond both ends. Raises ValueError for fewer than two points or
    for equal neighbours.
    """

    points: np.ndarray
    _table: np.ndarray = field(init=False, repr=False)
    _lengths: np.ndarray = field(init=False, repr=False)

    def __post_init__(self):
        points = np.asarray(self.points, np.float64)
        if points.ndim != 2 or points.shape[0] < 2 or points.shape[1] not in (2, 3):
            raise ValueError(f"route points must be (n >= 2, 2 or 3) but got {points.shape}")
        if points.shape[1] == 2:
            points = np.column_stack((points, np.zeros(len(points))))
        if np.linalg.norm(np.diff(points, axis=0), axis=1).min() < 1e-6:
            raise ValueError("route points must differ from their neighbours")
        table = _catmull_rom(points, samples=100)
        lengths = np.concatenate(([0.0], np.cumsum(np.linalg.norm(np.diff(table, axis=0), axis=1))))
        for name, value in (("points", points), ("_table", table), ("_lengths", lengths)):
            object.__setattr__(self, name, value)

    @property
    def length(self) -> float:
        """Arc length in metres."""
        return float(self._lengths[-1])

    def at(self, distance: float) -> np.ndarray:
        """Position (3,) at `distance` metres from the first point."""
        table, lengths = self._table, self._lengths
        index = int(np.clip(np.searchsorted(lengths, distance) - 1, 0, len(lengths) - 2))
        share = (distance - lengths[index]) / (lengths[index + 1] - lengths[index])
        return table[index] + share * (table[index + 1] - table[index])

    def heading(self, distance: float, window: float = 0.3) -> float:
        """Yaw in radians of the chord of `window` metres around `distance`."""
        chord = self.at(distance + window / 2) - self.at(distance - window / 2)
        return float(np.arctan2(chord[1], chord[0]))


def _catmull_rom(points: np.ndarray, samples: int) -> np.ndarray:
    """Dense polyline (m, 3) of the Catmull-Rom spline through points (n, 3)."""
    padded = np.vstack((2 * points[0] - points[1], points, 2 * points[-1] - points[-2]))
    u = np.linspace(0, 1, samples, endpoint=False)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * u + (2 * a - 5 * b + 4 * c - d) * u**2 + (3 * b - a - 3 * c + d) * u**3)
        for a, b, c, d in zip(padded[:-3], padded[1:-2], padded[2:-1], padded[3:], strict=True)
    ]
    return np.vstack((*pieces, points[-1:]))


@dataclass(frozen=True, eq=False)
class Schedule:
    """Distance travelled against time, from speeds: piecewise linear in speed, so acceleration is bounded.

    `times` (n,) s, increasing; `speeds` (n,) m/s at these times; constant speed before and after. `start` is
    the distance at times[0]. Equal neighbouring zeros make a stop. Raises ValueError for times that do not
    increase.
    """

    times: np.ndarray
    speeds: np.ndarray
    start: float = 0.0
    _distances: np.ndarray = field(init=False, repr=False)

    def __post_init__(self):
        times, speeds = (
            np.atleast_1d(np.asarray(self.times, float)),
            np.atleast_1d(np.asarray(self.speeds, float)),
        )
        if times.ndim != 1 or times.shape != speeds.shape:
            raise ValueError(f"times and speeds must be equal (n,) but got {times.shape} and {speeds.shape}")
        if np.any(np.diff(times) <= 0):
            raise ValueError("times must increase")
        steps = 0.5 * (speeds[1:] + speeds[:-1]) * np.diff(times)
        distances = self.start + np.concatenate(([0.0], np.cumsum(steps)))
        for name, value in (("times", times), ("speeds", speeds), ("_distances", distances)):
            object.__setattr__(self, name, value)

    @classmethod
    def constant(cls, speed: float, start: float = 0.0) -> Schedule:
        """Always `speed` m/s; at distance `start` m at t = 0."""
        return cls(np.zeros(1), np.full(1, float(speed)), start)

    @classmethod
    def with_stop(
        cls, speed: float, stop: float, go: float, ramp: float = 0.6, start: float = 0.0
    ) -> Schedule:
        """`speed` m/s, standing still from `stop` to `go` seconds, braking and accelerating for `ramp`
        seconds.
        """
        if not (ramp > 0 and stop < go and stop - ramp > 0):
            raise ValueError(f"need 0 < stop - ramp and stop < go but got stop={stop}, go={go}, ramp={ramp}")
        return cls(
            np.array([0.0, stop - ramp, stop, go, go + ramp]), np.array([speed, speed, 0, 0, speed]), start
        )

    def speed(self, t: float) -> float:
        """Speed in m/s at `t` seconds."""
        return float(np.interp(t, self.times, self.speeds))

    def distance(self, t: float) -> float:
        """Distance in metres at `t` seconds."""
        times, speeds = self.times, self.speeds
        if t <= times[0]:
            return float(self._distances[0] + (t - times[0]) * speeds[0])
        index = min(int(np.searchsorted(times, t) - 1), len(times) - 1)
        return float(self._distances[index] + 0.5 * (speeds[index] + self.speed(t)) * (t - times[index]))


@dataclass(frozen=True, eq=False)
class Drive:
    """Along `route` as `schedule` says, facing along it, turned by `yaw` radians more (pi: backwards)."""

    route: Route
    schedule: Schedule
    yaw: float = 0.0

    def pose(self, t: float) -> np.ndarray:
        distance = self.schedule.distance(t)
        return pose(self.route.at(distance), self.route.heading(distance) + self.yaw)


@dataclass(frozen=True, eq=False)
class Sway:
    """`base`, plus small oscillations in its own frame: handheld or rolling camera, idling engine, looking
    around.

    Angles are `angles * sin(2 pi t / periods + phases)`, as (yaw, pitch, roll) in radians; offsets likewise
    with `offsets` (x, y, z) in metres. Periods (3,) in seconds, for both.
    """

    base: Motion
    angles: tuple[float, float, float] = (0.0, 0.0, 0.0)
    periods: tuple[float, float, float] = (7.0, 5.0, 6.0)
    offsets: tuple[float, float, float] = (0.0, 0.0, 0.0)
    phases: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self):
        if min(self.periods) <= 0:
            raise ValueError(f"periods must be positive but got {self.periods}")

    def pose(self, t: float) -> np.ndarray:
        wave = np.sin(2 * np.pi * t / np.asarray(self.periods) + np.asarray(self.phases))
        yaw, pitch, roll = np.asarray(self.angles) * wave
        return self.base.pose(t) @ pose(np.asarray(self.offsets) * wave, yaw, pitch, roll)


@dataclass(frozen=True, eq=False)
class Swing:
    """Pendulum about `axis` through `pivot` (3,) m. Its phase is time, or the distance of a `schedule`
    (legs).

    The angle is amplitude * sin(2 pi x / period + phase), with x in seconds or, given a schedule, in metres;
    with a schedule the amplitude fades with speeds below `full_speed` m/s, so a figure that stops stands
    straight.
    """

    pivot: tuple[float, float, float]
    axis: tuple[float, float, float] = (0.0, 1.0, 0.0)
    amplitude: float = 0.4
    period: float = 1.2
    phase: float = 0.0
    schedule: Schedule | None = None
    full_speed: float = 0.4

    def pose(self, t: float) -> np.ndarray:
        argument, amplitude = t, self.amplitude
        if self.schedule is not None:
            argument = self.schedule.distance(t)
            amplitude *= min(1.0, abs(self.schedule.speed(t)) / self.full_speed)
        turn = np.eye(4)
        turn[:3, :3] = rotation(
            self.axis, amplitude * np.sin(2 * np.pi * argument / self.period + self.phase)
        )
        turn[:3, 3] = np.asarray(self.pivot) - turn[:3, :3] @ np.asarray(self.pivot)
        return turn


@dataclass(frozen=True, eq=False)
class Keyframes:
    """Through `poses` (n >= 1, 4, 4) at `times` (n,) s, increasing; the first and the last are held beyond.

    In between, positions go straight and rotations the shortest way, at constant speeds. Rotations are made
    orthonormal. Raises ValueError for other shapes, poses that are not finite or times that do not increase.
    """

    times: np.ndarray
    poses: np.ndarray
    _turn: Slerp | None = field(init=False, repr=False)

    def __post_init__(self):
        times, poses = np.atleast_1d(np.asarray(self.times, float)), np.array(self.poses, float)
        if times.ndim != 1 or len(times) < 1 or poses.shape != (len(times), 4, 4):
            raise ValueError(
                f"times and poses must be (n,) and (n, 4, 4) but got {times.shape}, {poses.shape}"
            )
        if np.any(np.diff(times) <= 0):
            raise ValueError("times must increase")
        if not np.isfinite(poses).all():
            raise ValueError("poses must be finite")
        turns = Rotation.from_matrix(poses[:, :3, :3])
        poses[:, :3, :3] = turns.as_matrix()
        values = {"times": times, "poses": poses, "_turn": Slerp(times, turns) if len(times) > 1 else None}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def pose(self, t: float) -> np.ndarray:
        t = min(max(t, self.times[0]), self.times[-1])
        later = int(np.searchsorted(self.times, t))
        if self.times[later] == t:
            return self.poses[later].copy()
        share = (t - self.times[later - 1]) / (self.times[later] - self.times[later - 1])
        result = np.eye(4)
        result[:3, :3] = self._turn(t).as_matrix()
        result[:3, 3] = (1 - share) * self.poses[later - 1, :3, 3] + share * self.poses[later, :3, 3]
        return result
