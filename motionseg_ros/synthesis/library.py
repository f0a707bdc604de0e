"""Scenes by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import props
from .camera import PinholeCamera
from .motion import Drive, Motion, Route, Schedule, Sway
from .poses import pose
from .scene import MovingObject, Prop, Scene
from .street import street

#: Camera, background, objects, seconds.
Build = tuple[Motion, tuple[Prop, ...], tuple[MovingObject, ...], float]


def _robot_camera(
    route, speed: float, height: float, sweep: float, period: float, phase: float = 0.0
) -> Motion:
    """Camera `height` m up on a robot that drives along `route` at `speed` m/s and looks left and right by
    `sweep` rad.
    """
    mount = Drive(Route(np.column_stack((route, np.full(len(route), height)))), Schedule.constant(speed, 0.2))
    return Sway(mount, (sweep, 0.012, 0.008), (period, 3.1, 4.3), (0.0, 0.015, 0.012), (phase, 0.0, 1.0))


def _demo(seed: int) -> Build:
    """A robot drives down a street. A van stops and goes, a walker passes behind a pillar, a courier robot
    turns.
    """
    camera = _robot_camera([(0, 0), (4, 0.15), (8, -0.1), (13, -0.6)], 0.58, 1.25, 0.12, 11.0, -1.1)
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
    camera = _robot_camera([(0, 0.6), (4, 0.2), (8, 0.7), (13, 0.3)], 0.7, 1.25, 0.08, 8.0)
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
    camera = _robot_camera([(0, 0), (3, -0.2), (7, 0.2)], 0.6, 1.25, 0.11, 9.0)
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


SCENES: dict[str, Callable[[int], Build]] = {"demo": _demo, "static": _static, "crossing": _crossing}


def get_scene(
    name: str,
    seed: int = 0,
    width: int = 640,
    height: int = 480,
    fps: float = 10.0,
    duration: float | None = None,
) -> Scene:
    """The scene `name` of SCENES.

    `seed` varies textures, clutter and sensor noise, not the motions. `duration` in seconds, its own where
    None (motions are functions of time, so more frames a second or a longer duration show the same world).
    Raises ValueError for an unknown name.
    """
    if name not in SCENES:
        raise ValueError(f"unknown scene {name!r}: choose from {', '.join(SCENES)}")
    camera_motion, background, objects, usual = SCENES[name](seed)
    camera = PinholeCamera.from_fov(width, height, 65.0)
    length = usual if duration is None else duration
    return Scene(name, camera, camera_motion, background, objects, fps, length, seed)
