"""Benchmark scenes that are hard because of what the camera does or sees: camera, background and objects of each."""

from __future__ import annotations

from . import cast, props
from .benchmark_movers import Stage
from .hall import hall
from .poses import pose
from .scene import Prop
from .street import PAVEMENT, lined, street
from .viewpoints import robot_camera


def parallax(seed: int) -> Stage:
    """The robot looks aside while it drives along clutter close by; a robot overtakes, a walker comes along."""
    camera = robot_camera([(0, 0), (5, 0.1), (12, 0.0)], 1.0, 1.25, 0.05, 7.0, gaze=0.42)
    objects = (
        cast.robot(1, [(3.0, 0.9), (6.0, 1.1), (10.0, 1.1), (16.0, 1.0)], 1.15, seed, 1),
        cast.on_foot(2, [(14.5, 2.2), (11.0, 2.25), (4.0, 2.3)], 0.55, seed, 2),
        cast.van(3, [(7.0, 8.0, PAVEMENT), (12.0, 8.0, PAVEMENT), (22.0, 8.0, PAVEMENT)], 1.4, seed, 4),
    )
    return camera, street(seed) + lined(seed, 2.7, -1.7), objects


def yaw(seed: int) -> Stage:
    """The camera swings round by up to 30 degrees a second; a walker, a courier robot and a van go their ways."""
    camera = robot_camera([(0, 0), (3, 0.1), (7, 0.0)], 0.35, 1.25, 0.4, 4.8)
    objects = (
        cast.on_foot(1, [(5.6, -1.6), (6.4, -0.4), (7.6, 0.6), (10.0, 1.6)], 0.6, seed, 0),
        cast.robot(2, [(6.6, 2.2), (7.8, 1.4), (9.2, 0.2), (12.0, -1.6)], 0.6, seed, 0),
        cast.van(3, [(12.5, -2.6), (12.7, 0.0), (13.0, 5.0)], 0.6, seed, 4),
    )
    return camera, street(seed), objects


def low_texture(seed: int) -> Stage:
    """A smooth corridor; carts of plain sheet metal cross and come along."""
    camera = robot_camera([(0, 0), (3, 0.1), (7, 0.0)], 0.5, 1.25, 0.07, 8.0)
    objects = (
        cast.plain_cart(
            1, [(4.8, 2.2), (5.4, 0.8), (6.4, -0.6), (9.0, -1.8), (12.0, -2.0)], 0.65, (70, 90, 175), seed
        ),
        cast.plain_cart(2, [(9.6, -2.0), (9.8, 0.0), (10.2, 3.0)], 0.5, (150, 110, 70), seed),
    )
    return camera, hall(seed), objects


def night(seed: int) -> Stage:
    """A walker, a courier robot and a van in the dark: noise, and motions smeared by a long exposure."""
    camera = robot_camera([(0, 0), (3, -0.1), (7, 0.1)], 0.5, 1.25, 0.08, 8.0)
    objects = (
        cast.on_foot(1, [(4.4, 2.1), (4.7, 1.0), (5.4, -0.8), (8.0, -2.6), (11.0, -3.4)], 0.8, seed, 2),
        cast.robot(2, [(4.4, -1.9), (5.6, -1.0), (7.4, 0.6), (9.6, 1.8), (13.0, 2.6)], 0.75, seed, 1),
        cast.van(3, [(13.5, 3.4), (13.7, 0.0), (14.0, -5.0)], 0.7, seed, 3),
    )
    return camera, street(seed), objects


def still(seed: int) -> Stage:
    """The robot drives and turns through clutter close by, past parked vans, and nothing moves."""
    camera = robot_camera([(0, 0), (3, 0.5), (6, -0.3), (9, 0.2), (12, 0.4)], 0.9, 1.25, 0.1, 6.0)
    parked = tuple(
        Prop(_van_body(seed + k, paint), pose((x, y, 0), turn), (2.9, 1.3))
        for k, (x, y, turn, paint) in enumerate(((9.5, 1.9, 0.1, 4), (11.5, -2.6, 3.0, 3)))
    )
    crate = Prop(props.crate((0.7, 0.7, 0.7), seed + 70), pose((5.2, -1.3, 0), 0.4), (0.7, 0.7))
    return camera, street(seed) + lined(seed, 3.2, -2.0) + (*parked, crate), ()


def _van_body(seed: int, paint: int):
    """What a van of the cast is made of, as a thing of the background."""
    return cast.van(1, [(0, 0), (1, 0)], 0.0, seed, paint).parts[0].body
