"""The background of the named scenes: a street with houses, containers and near clutter, looked at along +x."""

from __future__ import annotations

import numpy as np

from . import props
from .geometry import Body, box, merge
from .poses import pose
from .props import tiled
from .scene import Prop

#: Height of the pavements on both sides, m.
PAVEMENT = 0.12


def street(seed: int = 0) -> tuple[Prop, ...]:
    """Props of the street; `seed` varies textures, and jitters the clutter."""
    return _surfaces(seed) + _buildings(seed) + _clutter(seed)


def _surfaces(seed: int) -> tuple[Prop, ...]:
    asphalt = tiled("asphalt", (118, 120, 122), seed=seed, tile=7.0, texels=2048)
    pavers = tiled("pavers", (150, 165, 172), seed=seed, tile=3.2, texels=1024)
    paint = tiled("plaster", (215, 222, 224), seed=seed + 1, tile=2.0, texels=512)
    strips = [Prop(props.ground((1.6, 0.14), paint), pose((x, -2.0, 0.006))) for x in np.arange(1.5, 30, 3.2)]
    strips += [Prop(props.ground((0.35, 2.6), paint), pose((13.5 + 0.7 * i, 1.0, 0.006))) for i in range(4)]
    return (
        Prop(props.ground((70.0, 60.0), asphalt), pose((25.0, 0, 0))),
        Prop(props.block((60.0, 6.0, PAVEMENT), pavers, top=None), pose((25.0, 7.6, 0))),
        Prop(props.ground((60.0, 6.0), pavers, PAVEMENT), pose((25.0, 7.6, 0))),
        Prop(props.block((60.0, 4.0, PAVEMENT), pavers, top=None), pose((25.0, -7.2, 0))),
        Prop(props.ground((60.0, 4.0), pavers, PAVEMENT), pose((25.0, -7.2, 0))),
        *strips,
    )


def _buildings(seed: int) -> tuple[Prop, ...]:
    right = np.pi / 2  # a front that faces -y stands on the left side
    bricks = [(70, 85, 150), (120, 150, 175), (85, 110, 130), (100, 120, 165), (140, 150, 150)]
    fronts = []
    for i, (x, length, height) in enumerate(
        ((3.0, 9.0, 6.5), (12.0, 8.4, 7.5), (20.5, 8.0, 6.0), (29.5, 9.0, 8.0))
    ):
        fronts.append(Prop(props.house(length, 4.0, height, bricks[i], seed + i), pose((x, 11.5, 0), -right)))
    for i, (x, length, height) in enumerate(((8.0, 9.0, 5.5), (24.5, 9.5, 7.0), (34.5, 8.0, 6.0))):
        fronts.append(
            Prop(props.house(length, 4.0, height, bricks[4 - i], seed + 10 + i), pose((x, -10.6, 0), right))
        )
    wall = tiled("bricks", (95, 105, 140), (165, 170, 172), seed=seed, tile=3.0, texels=1024)
    return (
        *fronts,
        Prop(props.block((7.0, 0.3, 2.2), wall), pose((16.0, -8.6, 0))),
        Prop(props.house(24.0, 4.0, 7.0, (105, 130, 160), seed + 20), pose((40.0, 0, 0), np.pi)),
        Prop(props.shipping_container((150, 95, 45), seed), pose((26.5, -4.6, 0), 0.35), (6.0, 2.4)),
        Prop(props.shipping_container((60, 90, 170), seed + 1), pose((29.0, 4.4, 0), -0.2), (6.0, 2.4)),
        Prop(props.shipping_container((80, 140, 90), seed + 2), pose((33.5, 0.2, 0), 1.5), (6.0, 2.4)),
    )


#: (x, y, yaw) of lamp posts; (x, y) of planters; (x, y, yaw, size) of crates on the ground.
LAMPS = ((7.5, 4.2, -1.6), (15.0, 4.2, -1.6), (23.0, 4.2, -1.6), (11.0, -4.8, 1.6), (19.5, -4.8, 1.6))
PLANTERS = ((7.2, -6.2), (12.5, -6.4), (10.5, 6.6), (18.0, 6.4), (21.5, -6.0))
CRATES = (
    (9.2, -5.6, 0.3, 0.9),
    (10.4, -5.7, -0.2, 0.7),
    (14.2, 3.2, 0.6, 1.0),
    (15.3, 3.6, 0.1, 0.8),
    (5.2, 5.4, 0.5, 0.8),
)
BOLLARDS = (*((x, -4.5) for x in np.arange(4.0, 16, 1.7)), (5.6, 4.3), (9.4, 4.3), (11.2, 4.3), (13.1, 4.3))


def _clutter(seed: int) -> tuple[Prop, ...]:
    rng = np.random.default_rng((seed, 77))

    def at(x: float, y: float, yaw: float = 0.0) -> np.ndarray:
        dx, dy = rng.uniform(-0.12, 0.12, 2)
        return pose((x + dx, y + dy, 0.0), yaw)

    things = [Prop(props.lamp_post(), at(*place), (0.3, 0.3)) for place in LAMPS]
    things += [Prop(props.bollard(seed + i), at(*place), (0.25, 0.25)) for i, place in enumerate(BOLLARDS)]
    planter = (2.2, 0.8, 1.1)
    things += [Prop(props.planter(planter, seed + i), at(*p), planter[:2]) for i, p in enumerate(PLANTERS)]
    for i, (x, y, yaw, size) in enumerate(CRATES):
        things.append(Prop(props.crate((size, size, size), seed + i), at(x, y, yaw), (size, size)))
    return (*things, Prop(props.crate((0.55, 0.55, 0.5), seed + 9), things[-5].pose @ pose((0, 0, 0.9), 0.4)))


def fence(length: float, seed: int, spacing: float = 0.55, height: float = 1.15) -> Body:
    """Fence along x: thin posts, which hide what is behind them for a moment each, and a rail."""
    post = props.tiled("checker", (40, 60, 150), (225, 230, 230), seed=seed, tile=0.6, texels=128)
    wood = props.tiled("planks", (80, 120, 160), seed=seed, tile=1.0, texels=256)
    places = np.arange(-length / 2, length / 2 + 1e-6, spacing)
    posts = [props.column(0.045, height, post, corners=6).moved(pose((x, 0, 0))) for x in places]
    return merge(*posts, box((length, 0.03, 0.09), (0, 0, 0.8 * height), wood))


def lined(seed: int, left: float, right: float) -> tuple[Prop, ...]:
    """Clutter close by on both sides of a lane along x, whose borders are at y = `left` and `right` m."""
    rng = np.random.default_rng((seed, 78))

    def at(x: float, y: float, yaw: float = 0.0) -> np.ndarray:
        dx, dy = rng.uniform(-0.1, 0.1, 2)
        return pose((x + dx, y + dy, 0.0), yaw)

    def crate(x: float, y: float, yaw: float, size: float, number: int) -> Prop:
        return Prop(props.crate((size, size, size), seed + number), at(x, y, yaw), (size, size))

    def planter(x: float, y: float, yaw: float, number: int) -> Prop:
        return Prop(props.planter((1.8, 0.7, 1.2), seed + number), at(x, y, yaw), (1.8, 0.7))

    def pillar(x: float, y: float, radius: float, number: int) -> Prop:
        return Prop(props.pillar(seed + number, radius), at(x, y), (2 * radius, 2 * radius))

    def railing(x: float, y: float, length: float, number: int) -> Prop:
        return Prop(fence(length, seed + number), at(x, y))

    bollards = [
        (2.6, left + 0.2),
        (4.2, left + 0.3),
        (9.9, left + 0.3),
        (9.0, right - 0.2),
        (14.0, right - 0.3),
    ]
    return (
        crate(3.4, left + 0.7, 0.4, 0.8, 40),
        pillar(5.6, left + 0.9, 0.5, 41),
        planter(7.9, left + 0.6, 0.05, 42),
        crate(9.0, left + 1.7, 0.2, 1.1, 43),
        pillar(10.6, left + 0.6, 0.35, 55),
        railing(13.4, left + 0.35, 4.4, 44),
        pillar(16.6, left + 0.8, 0.5, 45),
        crate(18.4, left + 0.6, 0.7, 1.0, 46),
        railing(4.9, right - 0.3, 5.0, 47),
        crate(3.8, right - 1.6, 0.6, 1.0, 48),
        planter(6.4, right - 2.0, 0.6, 49),
        pillar(8.4, right - 0.8, 0.4, 50),
        crate(10.0, right - 0.7, 0.3, 0.9, 51),
        planter(12.1, right - 0.6, 0.0, 52),
        railing(16.2, right - 0.4, 3.3, 53),
        crate(18.7, right - 0.7, 0.1, 1.0, 54),
        *(Prop(props.bollard(seed + i), at(*place), (0.25, 0.25)) for i, place in enumerate(bollards)),
    )
