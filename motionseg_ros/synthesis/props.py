"""Things to put into scenes: bodies in metres, x forward, y left, z up, origin on the ground below their
middle.
"""

from __future__ import annotations

import numpy as np

from .geometry import Body, box, disc, merge, prism, rectangle
from .material import Colour, Material
from .motion import Motion, Schedule, Swing
from .poses import pose
from .scene import MovingObject, Part

STEEL = Material("plaster", ((120, 118, 115),), 3, (2.0, 2.0), 256)
RUBBER = Material("plaster", ((42, 42, 44),), 4, (1.0, 1.0), 256)


def printed(pattern: str, *colours: Colour, seed: int = 0, texels_per_metre: float = 200.0) -> Material:
    """Material that is stretched over each facet."""
    return Material(pattern, colours, seed, (1.0, 1.0), texels_per_metre, tiled=False)


def tiled(pattern: str, *colours: Colour, seed: int = 0, tile: float = 4.0, texels: int = 1024) -> Material:
    """Material that repeats every `tile` metres."""
    return Material(pattern, colours, seed, (tile, tile), texels / tile)


def ground(size: tuple[float, float], material: Material, height: float = 0.0) -> Body:
    """Level rectangle `size` (along x, along y), on which shadows fall."""
    return Body((rectangle((0, 0, height), (0, 0, 1), (size[1], size[0]), material, ground=True),))


def panel(size: tuple[float, float], material: Material, height: float = 0.0) -> Body:
    """Upright rectangle `size` (width, height), its lower edge `height` up, facing +x: posters, doors, walls."""
    centre = (0, 0, height + size[1] / 2)
    return Body((rectangle(centre, (1, 0, 0), size, material.fitted(size)),))


def block(size: tuple[float, float, float], material: Material, **sides: Material | None) -> Body:
    """Box standing on the ground."""
    return box(size, (0, 0, size[2] / 2), material, **{"bottom": None, **sides})


def column(radius: float, height: float, rim: Material, cap: Material = STEEL, corners: int = 10) -> Body:
    """Upright prism standing on the ground: posts, pillars, bins."""
    lying = prism(disc(radius, corners), height, rim, cap)
    return lying.moved(pose((0, 0, height / 2), roll=np.pi / 2))


def lamp_post(height: float = 4.0) -> Body:
    """Post with an arm and a lamp."""
    paint = tiled("plaster", (70, 90, 70), seed=8, tile=1.0, texels=256)
    arm = box((0.9, 0.08, 0.08), (0.4, 0, height - 0.1), paint)
    lamp = box((0.35, 0.2, 0.12), (0.85, 0, height - 0.2), STEEL)
    return merge(column(0.18, 0.5, paint), column(0.075, height, paint), arm, lamp)


def bollard(seed: int = 0) -> Body:
    """Knee-high post with a striped collar."""
    collar = tiled("checker", (40, 40, 200), (235, 235, 235), seed=seed, tile=0.5, texels=128)
    body = tiled("plaster", (60, 150, 190), seed=seed, tile=1.0, texels=256)
    top = column(0.125, 0.2, collar).moved(pose((0, 0, 0.55)))
    return merge(column(0.11, 0.9, body), top)


def crate(size: tuple[float, float, float], seed: int = 0, wood: Colour = (92, 138, 176)) -> Body:
    """Wooden crate."""
    return block(size, printed("crate", wood, seed=seed, texels_per_metre=300))


def planter(size: tuple[float, float, float], seed: int = 0) -> Body:
    """Concrete trough with a hedge in it."""
    length, width, height = size
    trough = block((length, width, 0.45), tiled("pavers", (140, 146, 150), seed=seed, tile=2.0, texels=512))
    hedge = block(
        (0.9 * length, 0.85 * width, height), tiled("leaves", (60, 125, 80), seed=seed, tile=2.0, texels=512)
    )
    return merge(trough, hedge)


def pillar(seed: int = 0, radius: float = 0.65, height: float = 2.8) -> Body:
    """Advertising pillar: posters around it."""
    paper = [(60, 190, 235), (210, 160, 60), (90, 90, 220), (120, 190, 90), (225, 225, 225)]
    posters = [
        panel(
            (0.5 * radius, 1.5),
            printed("poster", paper[i % 5], (30, 20, 20), seed=seed + i, texels_per_metre=300),
            0.7,
        )
        for i in range(10)
    ]
    apothem = radius * np.cos(np.pi / 10) + 0.006
    around = [
        p.moved(pose((0, 0, 0), yaw=a) @ pose((apothem, 0, 0)))
        for p, a in zip(posters, np.arange(10) * np.pi / 5, strict=True)
    ]
    base = tiled("plaster", (110, 130, 120), seed=seed, tile=2.0, texels=512)
    roof = column(radius * 1.15, 0.25, STEEL).moved(pose((0, 0, height)))
    return merge(column(radius, height, base), roof, *around)


def shipping_container(colour: Colour, seed: int = 0, length: float = 6.0) -> Body:
    """Container, 2.4 m wide and 2.6 m high."""
    side = printed("container", colour, seed=seed, texels_per_metre=160)
    end = printed("door", colour, seed=seed)
    return block((length, 2.4, 2.6), side, front=end, back=end, top=STEEL)


def house(length: float, depth: float, height: float, brick: Colour, seed: int = 0) -> Body:
    """House whose fronts have windows, with a door and a poster on the +x side."""
    front = printed("facade", brick, (175, 185, 190), seed=seed, texels_per_metre=130)
    walls = block((depth, length, height), front, top=tiled("planks", (70, 80, 120), seed=seed))
    entry = panel((1.1, 2.2), printed("door", (80, 70, 60 + 40 * (seed % 3)), seed=seed)).moved(
        pose((depth / 2 + 0.02, -0.2 * length, 0))
    )
    sign = printed("poster", (70, 200, 230), (40, 30, 120), seed=seed + 7)
    notice = panel((1.2, 0.8), sign, 1.1).moved(pose((depth / 2 + 0.02, 0.24 * length, 0)))
    return merge(walls, entry, notice)


def _axle(x: float, width: float, radius: float) -> Body:
    rim = printed("wheel", (175, 175, 180), texels_per_metre=400)
    return prism(disc(radius, 14), width, RUBBER, rim).moved(pose((x, 0, radius)))


def van(
    object_id: int, motion: Motion, colour: Colour, stripe: Colour, seed: int = 0, scale: float = 1.0
) -> MovingObject:
    """Delivery van, 3.0 m long, 1.4 m wide and 1.75 m high at scale 1."""
    coat = printed("coachwork", colour, stripe, seed=seed, texels_per_metre=260)
    glass = printed("glass", (120, 105, 90), seed=seed, texels_per_metre=260)
    plain = tiled("plaster", colour, seed=seed, tile=2.0, texels=512)
    lower = np.array([[-1.5, 0.3], [1.5, 0.3], [1.5, 0.8], [1.05, 1.0], [-1.5, 1.0]]) * scale
    upper = np.array([[-1.5, 1.0], [1.05, 1.0], [0.85, 1.7], [-1.5, 1.75]]) * scale
    hull = merge(prism(lower, 1.4 * scale, plain, coat), prism(upper, 1.4 * scale, plain, coat))
    window = np.array([[0.35, 1.0], [0.93, 1.0], [0.75, 1.55], [0.35, 1.6]]) * scale
    panes = prism(window, 1.43 * scale, glass, glass)
    screen = box((0.04, 1.1 * scale, 0.5 * scale), (0, 0, 0), glass).moved(
        pose((0.96 * scale, 0, 1.32 * scale), pitch=-0.28)
    )
    rear = panel((1.1 * scale, 0.9 * scale), printed("door", colour, seed=seed)).moved(
        pose((-1.51 * scale, 0, 0.5 * scale), yaw=np.pi)
    )
    lights = [
        box(
            (0.06, 0.22 * scale, 0.14 * scale),
            (x * scale, y * scale, 0.62 * scale),
            printed("glass", colour_of, seed=seed),
        )
        for x, colour_of in ((1.49, (235, 240, 240)), (-1.49, (40, 40, 200)))
        for y in (-0.5, 0.5)
    ]
    wheels = [_axle(x * scale, 1.46 * scale, 0.3 * scale) for x in (-0.95, 0.95)]
    body = merge(hull, panes, screen, rear, *lights, *wheels)
    return MovingObject(object_id, "van", (Part(body),), motion, (2.9 * scale, 1.3 * scale))


def courier(object_id: int, motion: Motion, colour: Colour, stripe: Colour, seed: int = 0) -> MovingObject:
    """Delivery robot: a box on six wheels with a lid, a screen and a swinging flag."""
    coat = printed("coachwork", colour, stripe, seed=seed, texels_per_metre=420)
    lid = tiled("checker", stripe, colour, seed=seed, tile=0.8, texels=256)
    hull = box((0.95, 0.66, 0.62), (0, 0, 0.53), coat, top=lid)
    face = box(
        (0.05, 0.4, 0.24), (0.48, 0, 0.62), printed("poster", (230, 200, 60), (20, 20, 20), seed=seed + 1)
    )
    load = box(
        (0.6, 0.5, 0.3), (-0.1, 0, 0.99), printed("crate", (110, 160, 195), seed=seed, texels_per_metre=400)
    )
    wheels = [_axle(x, 0.72, 0.17) for x in (-0.34, 0.0, 0.34)]
    mast = box((0.04, 0.04, 0.8), (-0.43, 0.2, 1.2), STEEL)
    flag = box(
        (0.3, 0.015, 0.22), (-0.6, 0.2, 1.48), printed("poster", stripe, (240, 240, 240), seed=seed + 2)
    )
    swing = Swing((-0.43, 0.2, 1.4), (0, 0, 1), 0.5, 1.3)
    parts = (Part(merge(hull, face, load, mast, *wheels)), Part(flag, swing))
    return MovingObject(object_id, "courier", parts, motion, (0.9, 0.65))


def walker(
    object_id: int, motion: Motion, schedule: Schedule, coat: Colour, trousers: Colour, seed: int = 0
) -> MovingObject:
    """Walking figure, 1.75 m, with a backpack; arms and legs swing with the distance of `schedule`."""
    cloth = tiled("checker", coat, tuple(255 - c for c in coat), seed=seed, tile=0.7, texels=256)
    jeans = tiled("planks", trousers, seed=seed, tile=1.2, texels=256)
    skin = printed("face", (140, 170, 215), (40, 50, 70), seed=seed, texels_per_metre=400)
    hair = tiled("leaves", (40, 50, 70), seed=seed, tile=0.5, texels=128)
    bag = printed("poster", (60, 120, 60), (30, 60, 200), seed=seed, texels_per_metre=400)
    trunk = merge(
        box((0.32, 0.52, 0.68), (0, 0, 1.12), cloth),
        box((0.24, 0.22, 0.28), (0.02, 0, 1.61), hair, front=skin),
        box((0.26, 0.42, 0.52), (-0.29, 0, 1.16), bag),
        box((0.3, 0.44, 0.12), (0, 0, 0.74), jeans),
    )
    parts = [Part(trunk)]
    for side, phase in ((-1, 0.0), (1, np.pi)):
        leg = merge(
            box((0.2, 0.19, 0.74), (0, 0.12 * side, 0.45), jeans),
            box((0.32, 0.17, 0.1), (0.06, 0.12 * side, 0.06), RUBBER),
        )
        arm = box((0.16, 0.14, 0.66), (0, 0.33 * side, 1.1), cloth)
        stride = {"axis": (0.0, 1.0, 0.0), "period": 1.3, "schedule": schedule}
        parts.append(Part(leg, Swing((0, 0, 0.82), amplitude=0.42, phase=phase, **stride)))
        parts.append(Part(arm, Swing((0, 0, 1.4), amplitude=0.35, phase=phase + np.pi, **stride)))
    return MovingObject(object_id, "walker", tuple(parts), motion, (0.6, 0.6))
