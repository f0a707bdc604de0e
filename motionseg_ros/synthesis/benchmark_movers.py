"""Benchmark scenes that are hard because of how things move: camera, background and objects of each."""

from __future__ import annotations

from . import cast
from .motion import Motion, Schedule
from .scene import MovingObject, Prop
from .street import lined, street
from .viewpoints import robot_camera

#: Camera, background, objects.
Stage = tuple[Motion, tuple[Prop, ...], tuple[MovingObject, ...]]


def passing(seed: int) -> Stage:
    """A walker and a courier robot meet, the walker in front; a van crosses behind both."""
    camera = robot_camera([(0, 0), (3, -0.2), (7, 0.1)], 0.5, 1.25, 0.06, 9.0)
    objects = (
        cast.on_foot(1, [(6.0, -2.7), (6.6, 0.0), (8.0, 2.0), (11.0, 3.0)], 0.75, seed),
        cast.robot(2, [(7.4, 2.9), (7.9, 0.2), (9.2, -1.9), (12.5, -3.2)], 0.7, seed),
        cast.van(3, [(14.5, -4.0), (14.7, 0.0), (14.9, 6.0)], 0.7, seed),
    )
    return camera, street(seed), objects


def abreast(seed: int) -> Stage:
    """Two walkers go side by side, almost touching, then part; a third comes the other way."""
    camera = robot_camera([(0, 0), (3, 0.2), (7, 0.1)], 0.55, 1.25, 0.05, 8.0)
    right = [(6.0, -2.6), (7.2, -1.4), (8.4, -0.2), (9.6, 0.1), (10.8, -0.8), (12.0, -2.2)]
    left = [(5.45, -2.05), (6.65, -0.85), (7.85, 0.35), (8.8, 1.2), (10.0, 1.8), (13.0, 2.0)]
    objects = (
        cast.on_foot(1, right, 0.95, seed, 1),
        cast.on_foot(2, left, 0.95, seed, 4),
        cast.on_foot(3, [(13.4, 2.6), (10.5, 3.2), (6.0, 3.5)], 0.5, seed, 2),
    )
    return camera, street(seed), objects


def far(seed: int) -> Stage:
    """Two walkers and a courier robot, 13 to 21 m away: 15 to 50 px high."""
    camera = robot_camera([(0, 0), (4, 0.2), (8, 0.0)], 0.45, 1.25, 0.05, 8.0)
    objects = (
        cast.on_foot(1, [(17.5, -3.6), (17.8, 0.0), (18.2, 4.0)], 0.95, seed, 1),
        cast.on_foot(2, [(15.6, 3.4), (15.4, 0.0), (15.2, -3.8)], 0.8, seed, 3),
        cast.robot(3, [(20.5, 3.0), (20.2, 0.0), (20.0, -5.0)], 0.75, seed),
    )
    return camera, street(seed), objects


def dominant(seed: int) -> Stage:
    """A van crosses right before the camera and fills up to half of the image; a walker goes beside it."""
    camera = robot_camera([(0, 0), (3, 0.0), (6, -0.3), (9, -0.8)], 0.5, 1.25, 0.04, 8.0)
    objects = (
        cast.van(1, [(4.0, 3.4), (5.2, 1.4), (6.6, 0.2), (8.4, -0.3), (13.0, -0.6)], 0.85, seed, 4, 1.15),
        cast.on_foot(2, [(6.4, -3.0), (8.0, -2.8), (12.0, -3.0)], 0.7, seed, 2),
    )
    return camera, street(seed), objects


def walkers(seed: int) -> Stage:
    """Three people close by, whose arms and legs swing: across, away and towards the camera."""
    camera = robot_camera([(0, 0), (3, -0.1), (7, 0.1)], 0.4, 1.25, 0.06, 8.0)
    objects = (
        cast.on_foot(1, [(4.6, 2.3), (4.8, 0.8), (5.4, -0.9), (7.4, -2.6), (10.0, -3.4)], 0.7, seed, 0),
        cast.on_foot(2, [(3.4, -0.9), (5.4, -0.5), (8.0, 0.7), (12.0, 1.2)], 0.95, seed, 3),
        cast.on_foot(3, [(11.0, 2.0), (9.0, 1.9), (4.0, 2.2)], 0.5, seed, 4),
    )
    return camera, street(seed), objects


def stop_and_go(seed: int) -> Stage:
    """A van and a walker stop for a while and go on, at different times; a parked van starts."""
    camera = robot_camera([(0, 0), (4, 0.1), (8, -0.1)], 0.45, 1.25, 0.06, 9.0)
    van = Schedule.with_stop(0.9, 2.4, 4.6, 0.5)
    walker = Schedule.with_stop(0.8, 4.0, 6.0, 0.4)
    objects = (
        cast.van(1, [(10.0, 3.0), (10.7, 1.4), (12.2, 0.2), (15.0, -0.4), (20.0, -0.6)], van, seed, 3),
        cast.on_foot(2, [(5.6, -2.5), (6.0, -1.0), (6.6, 0.8), (8.4, 2.4), (11.0, 3.2)], walker, seed, 1),
        cast.van(3, [(8.0, -2.9), (10.0, -2.9), (14.0, -2.6)], cast.starting(0.9, 5.0), seed, 1, 0.9),
    )
    return camera, street(seed), objects


def busy(seed: int) -> Stage:
    """A crowded lane: two vans, a courier robot and two walkers fill up to half of the image."""
    camera = robot_camera([(0, 0), (3, 0.1), (7, 0.0)], 0.45, 1.25, 0.05, 8.0)
    objects = (
        cast.van(1, [(9.4, 1.65), (8.0, 1.65), (2.0, 1.65)], 0.5, seed, 4, 1.15),
        cast.van(2, [(5.8, -2.9), (8.0, -2.3), (10.6, -0.9), (13.0, 1.4)], 0.95, seed, 3, 1.15),
        cast.robot(3, [(3.6, -1.2), (5.0, -0.5), (6.6, -0.7), (9.0, -1.4), (12.0, -1.6)], 0.72, seed, 0),
        cast.on_foot(4, [(4.4, 0.5), (5.8, 0.0), (7.4, 0.5), (9.4, 0.3), (13.0, 0.3)], 0.8, seed, 1),
        cast.on_foot(5, [(11.6, -3.2), (9.0, -3.1), (5.0, -2.8)], 0.45, seed, 4),
    )
    return camera, street(seed) + lined(seed, 3.9, -3.6), objects
