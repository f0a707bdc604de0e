"""A small scene with everything that can go wrong: parallax, occlusion, a wall behind the camera, a moving box."""

from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.synthesis import PinholeCamera, props
from motionseg_ros.synthesis.motion import Drive, Route, Schedule, Sway
from motionseg_ros.synthesis.poses import pose
from motionseg_ros.synthesis.scene import MovingObject, Part, Prop, Scene
from motionseg_ros.synthesis.sensor import Light, SensorModel


def material(pattern: str, seed: int = 0):
    return props.tiled(pattern, (120, 140, 160), seed=seed, tile=2.0, texels=128)


@pytest.fixture(scope="session")
def room() -> Scene:
    """Ground that passes under the camera, a wall, a post, a box that drives across and stops from 1 to 1.6 s."""
    background = (
        Prop(props.ground((30.0, 20.0), material("pavers"))),
        Prop(props.panel((12.0, 2.5), material("bricks")), pose((7.0, 0, 0), np.pi)),
        Prop(props.column(0.2, 2.0, material("plaster"), corners=6), pose((3.0, -0.8, 0))),
        Prop(props.block((0.6, 0.6, 0.6), material("planks")), pose((4.0, 1.2, 0), 0.5)),
    )
    drive = Drive(Route([(4.5, 1.5), (4.8, 0.0), (5.2, -1.5)]), Schedule.with_stop(0.9, 1.0, 1.6, ramp=0.2))
    cart = props.block((1.0, 0.7, 0.9), material("checker", 3))
    camera = Sway(
        Drive(Route([(0, 0, 1.1), (4, 0.3, 1.1)]), Schedule.constant(0.7)),
        (0.06, 0.02, 0.02),
        (4.0, 3.0, 5.0),
    )
    return Scene(
        "room", PinholeCamera.from_fov(160, 120), camera, background,
        (MovingObject(1, "cart", (Part(cart),), drive),), 10.0, 2.4,
        light=Light(shadow=0.0), sensor=SensorModel(0.0, 0.0, 0.0),
    )  # fmt: skip
