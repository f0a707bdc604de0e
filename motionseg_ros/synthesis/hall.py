"""An indoor background with hardly any texture: smooth floor, painted walls, a few doors and posts. Along +x."""

from __future__ import annotations

import numpy as np

from . import props
from .geometry import box
from .poses import pose
from .props import tiled
from .scene import Prop

CEILING = 3.4


def hall(seed: int = 0) -> tuple[Prop, ...]:
    """Props of a hall 9 m wide that ends 18 m ahead; `seed` varies the faint textures."""
    floor = tiled("smooth", (150, 156, 158), seed=seed, tile=6.0, texels=512)
    wall = tiled("smooth", (196, 202, 204), seed=seed + 1, tile=5.0, texels=512)
    dado = tiled("smooth", (150, 132, 112), seed=seed + 2, tile=5.0, texels=512)
    line = tiled("smooth", (96, 110, 120), seed=seed + 3, tile=2.0, texels=256)
    grey = tiled("smooth", (128, 130, 126), seed=seed + 4, tile=2.0, texels=256)
    lamp = tiled("smooth", (246, 250, 250), seed=seed + 6, tile=2.0, texels=256)
    door = tiled("smooth", (110, 140, 150), seed=seed + 5, tile=2.0, texels=256)
    sides = [Prop(props.block((26.0, 0.3, CEILING), wall), pose((10.0, y, 0))) for y in (4.65, -4.65)]
    sides += [Prop(props.block((26.0, 0.34, 0.9), dado), pose((10.0, y, 0))) for y in (4.65, -4.65)]
    doors = [Prop(props.block((1.1, 0.4, 2.1), door), pose((x, 4.65, 0))) for x in (6.5, 12.0)]
    doors += [Prop(props.block((1.1, 0.4, 2.1), door), pose((x, -4.65, 0))) for x in (8.5, 14.5)]
    posts = [
        Prop(props.column(0.22, CEILING, grey), pose((x, y, 0)), (0.4, 0.4))
        for x, y in ((7.0, 2.9), (11.0, -3.0))
    ]
    return (
        Prop(props.ground((40.0, 12.0), floor), pose((10.0, 0, 0))),
        *(Prop(props.ground((0.12, 9.0), line), pose((x, 0, 0.006))) for x in np.arange(2.0, 18.0, 4.0)),
        Prop(box((26.0, 9.6, 0.2), (10.0, 0, CEILING + 0.1), wall)),
        *(Prop(box((1.6, 0.3, 0.06), (x, 0, CEILING - 0.03), lamp)) for x in np.arange(3.0, 18.0, 5.0)),
        *sides,
        Prop(props.block((0.3, 9.6, CEILING), wall), pose((18.0, 0, 0))),
        Prop(props.block((0.34, 9.6, 0.9), dado), pose((18.0, 0, 0))),
        *doors,
        *posts,
        Prop(props.block((0.8, 0.8, 0.8), grey), pose((8.6, -2.6, 0), 0.5), (0.8, 0.8)),
    )
