"""Scenes by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import props
from .benchmark import BENCHMARK, benchmark_scene
from .camera import PinholeCamera
from .motion import Drive, Motion, Route, Schedule
from .poses import pose
from .scene import MovingObject, Prop, Scene
from .street import lined, street
from .viewpoints import robot_camera

#: Camera, background, objects, seconds.
Build = tuple[Motion, tuple[Prop, ...], tuple[MovingObject, ...], float]


def _demo(seed: int) -> Build:
    """A robot drives down a street. A van stops and goes, a walker passes behind a pillar, a courier robot
    turns.
    """
    camera = robot_camera([(0, 0), (4, 0.15), (8, -0.1), (13, -0.6)], 0.58, 1.25, 0.12, 11.0, -1.1)
    stop_and_go = Schedule.with_stop(0.9, 4.0, 6.4)
    van = Drive(
        Route([(9.4, 3.3), (10.0, 2.0), (11.2, 0.8), (12.4, -0.2), (14.2, -1.2), (17, -1.8)]), stop_and_go
    )
    steps = Schedule.constant(0.74)
    walker = Drive(Route([(5.6, -2.85), (5.9, -1.42), (6.8, -0.3), (8.0, 0.7), (9.6, 1.2), (13, 1.3)]), steps)
    courier = Drive(
        Route([(3.8, 1.3), (5.2, 1.0), (5.9, 0.2), (6.8, -1.0), (8.6, -1.6), (13, -1.7)]),
        Schedule.constant(0.7),
    )
    objects = (
        props.van(1, van, (205, 205, 200), (40, 60, 190), seed, scale=1.25),
        props.walker(2, walker, steps, (60, 60, 170), (110, 75, 50), seed + 1),
        props.courier(3, courier, (60, 165, 225), (60, 45, 40), seed + 2),
    )
    return (
        camera,
        (*street(seed), Prop(props.pillar(seed, 0.5), pose((4.6, -1.0, 0)), (1.0, 1.0))),
        objects,
        12.0,
    )


def _static(seed: int) -> Build:
    """The street with strong parallax, and nothing moves."""
    camera = robot_camera([(0, 0.6), (4, 0.2), (8, 0.7), (13, 0.3)], 0.7, 1.25, 0.08, 8.0)
    near = (
        Prop(props.pillar(seed), pose((5.4, -1.1, 0)), (1.3, 1.3)),
        Prop(props.crate((0.9, 0.9, 0.9), seed + 30), pose((3.6, 1.9, 0), 0.4), (0.9, 0.9)),
        Prop(props.crate((0.8, 0.8, 0.8), seed + 31), pose((8.6, 2.3, 0), 0.2), (0.8, 0.8)),
        Prop(props.planter((1.6, 0.7, 1.0), seed + 32), pose((10.6, -0.7, 0), 0.9), (1.6, 0.7)),
        Prop(props.bollard(seed + 33), pose((7.4, -0.9, 0)), (0.25, 0.25)),
    )
    return camera, street(seed) + near, (), 10.0


def _crossing(seed: int) -> Build:
    """A walker and a courier robot cross, one in front of the other."""
    camera = robot_camera([(0, 0), (3, -0.2), (7, 0.2)], 0.6, 1.25, 0.11, 9.0)
    steps = Schedule.constant(0.75)
    walker = Drive(Route([(5.0, -2.3), (6.0, 0.0), (7.4, 1.6), (10, 2.8), (14, 3)]), steps)
    courier = Drive(
        Route([(4.0, 2.0), (5.0, 0.5), (6.6, -0.8), (9, -1.6), (13, -1.8)]), Schedule.constant(0.65)
    )
    objects = (
        props.walker(1, walker, steps, (120, 60, 40), (60, 60, 70), seed),
        props.courier(2, courier, (70, 60, 190), (220, 220, 215), seed + 1),
    )
    return camera, street(seed), objects, 8.0


def _alley(seed: int) -> Build:
    """A fast robot in a narrow lane: strong parallax. A courier robot crosses close by, a walker goes along, a
    van comes the other way.
    """
    camera = robot_camera([(0, 0), (4, 0.15), (8, -0.2), (13, 0.0)], 1.0, 1.25, 0.07, 7.0, 0.6)
    van = Drive(Route([(16.0, 1.45), (12, 1.55), (4, 1.6)]), Schedule.constant(0.65))
    steps = Schedule.constant(1.12)
    walker = Drive(Route([(4.4, -0.95), (8, -1.15), (12, -1.1), (18, -1.1)]), steps)
    courier = Drive(
        Route([(3.6, 1.8), (4.9, 0.9), (6.0, -0.2), (7.6, -0.5), (9.6, 0.15), (12.0, -0.1), (17.0, 0.0)]),
        Schedule.constant(1.1),
    )
    objects = (
        props.van(1, van, (190, 200, 205), (150, 80, 30), seed, scale=1.0),
        props.walker(2, walker, steps, (50, 130, 170), (90, 60, 50), seed + 1),
        props.courier(3, courier, (70, 70, 210), (235, 225, 215), seed + 2),
    )
    return camera, street(seed) + lined(seed, 2.5, -1.7), objects, 10.0


def _convoy(seed: int) -> Build:
    """A robot follows a van along the epipolar lines: it recedes, stops and goes. A courier robot overtakes."""
    camera = robot_camera([(0, 0.2), (5, 0.2), (13, 0.2)], 0.9, 1.25, 0.05, 8.0)
    pace = Schedule(
        np.array([0.0, 3.4, 4.1, 6.0, 6.7, 8.0, 8.8]), np.array([1.3, 1.3, 0.0, 0.0, 1.4, 1.4, 1.2])
    )
    van = Drive(Route([(5.6, 0.35), (12, 0.35), (20, 0.35)]), pace)
    overtaking = Drive(Route([(1.7, -1.05), (5, -1.15), (10, -1.1), (18, -0.9)]), Schedule.constant(1.3))
    objects = (
        props.van(1, van, (60, 90, 190), (230, 230, 225), seed, scale=1.0),
        props.courier(2, overtaking, (90, 170, 80), (50, 40, 40), seed + 1),
    )
    return camera, street(seed) + lined(seed, 1.7, -1.9), objects, 10.0


SCENES: dict[str, Callable[[int], Build]] = {
    "demo": _demo,
    "static": _static,
    "crossing": _crossing,
    "alley": _alley,
    "convoy": _convoy,
}


def get_scene(
    name: str,
    seed: int = 0,
    width: int | None = None,
    height: int | None = None,
    fps: float | None = None,
    duration: float | None = None,
) -> Scene:
    """The scene `name` of SCENES or of the rendered benchmark (`benchmark.BENCHMARK`).

    `seed` varies textures, clutter and sensor noise, not the motions. What is None is the scene's own: those of
    SCENES have 640x480 px at 10 frames a second (motions are functions of time, so more frames a second or a
    longer duration show the same world). Raises ValueError for an unknown name.
    """
    if name in BENCHMARK:
        return benchmark_scene(name, seed, width, height, fps, duration)
    if name not in SCENES:
        raise ValueError(f"unknown scene {name!r}: choose from {', '.join((*SCENES, *BENCHMARK))}")
    camera_motion, background, objects, usual = SCENES[name](seed)
    camera = PinholeCamera.from_fov(width or 640, height or 480, 65.0)
    length = usual if duration is None else duration
    return Scene(name, camera, camera_motion, background, objects, fps or 10.0, length, seed)
