"""Movers in one line: what it is, where it goes, how fast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import props
from .geometry import box, merge
from .material import Colour
from .motion import Drive, Route, Schedule
from .scene import MovingObject, Part

#: (x, y) in metres, or (x, y, z) where the ground is not at 0.
Points = Sequence[tuple[float, ...]]
Pace = float | Schedule

#: BGR of coats and trousers, of bodies and stripes.
CLOTHES: tuple[tuple[Colour, Colour], ...] = (
    ((60, 60, 170), (110, 75, 50)),
    ((120, 60, 40), (60, 60, 70)),
    ((50, 130, 170), (90, 60, 50)),
    ((80, 140, 70), (50, 50, 90)),
    ((160, 120, 60), (70, 80, 90)),
)
PAINTS: tuple[tuple[Colour, Colour], ...] = (
    ((60, 165, 225), (60, 45, 40)),
    ((70, 60, 190), (220, 220, 215)),
    ((90, 170, 80), (50, 40, 40)),
    ((205, 205, 200), (40, 60, 190)),
    ((150, 90, 60), (235, 225, 215)),
)


def starting(speed: float, at: float, ramp: float = 0.6) -> Schedule:
    """Stands until `at` seconds, then speeds up to `speed` m/s within `ramp` seconds."""
    return Schedule(np.array([0.0, at, at + ramp]), np.array([0.0, 0.0, speed]))


def on_foot(object_id: int, points: Points, pace: Pace, seed: int, clothes: int = 0) -> MovingObject:
    """A walker along `points`, at `pace` m/s or as a schedule says; `clothes` is an index into CLOTHES."""
    schedule = _schedule(pace)
    coat, trousers = CLOTHES[clothes]
    return props.walker(object_id, Drive(Route(points), schedule), schedule, coat, trousers, seed + object_id)


def robot(object_id: int, points: Points, pace: Pace, seed: int, paint: int = 0) -> MovingObject:
    """A courier robot along `points`; its flag swings even while it stands. `paint` is an index into PAINTS."""
    return props.courier(object_id, Drive(Route(points), _schedule(pace)), *PAINTS[paint], seed + object_id)


def van(
    object_id: int, points: Points, pace: Pace, seed: int, paint: int = 3, scale: float = 1.0
) -> MovingObject:
    """A van along `points`; `paint` is an index into PAINTS."""
    drive = Drive(Route(points), _schedule(pace))
    return props.van(object_id, drive, *PAINTS[paint], seed + object_id, scale)


def plain_cart(object_id: int, points: Points, pace: Pace, colour: Colour, seed: int) -> MovingObject:
    """A cart of smooth sheet metal, 1.1 m long: no print, no pattern, only its edges."""
    metal = props.tiled("smooth", colour, seed=seed + object_id, tile=2.0, texels=256)
    dark = props.tiled("smooth", tuple(int(0.6 * c) for c in colour), seed=seed, tile=2.0, texels=256)
    hull = box((1.1, 0.75, 0.7), (0, 0, 0.55), metal)
    load = box((0.6, 0.6, 0.45), (-0.15, 0, 1.12), dark)
    feet = [box((0.16, 0.08, 0.2), (x, y, 0.1), props.RUBBER) for x in (-0.4, 0.4) for y in (-0.3, 0.3)]
    drive = Drive(Route(points), _schedule(pace))
    return MovingObject(object_id, "cart", (Part(merge(hull, load, *feet)),), drive, (1.1, 0.75))


def _schedule(pace: Pace) -> Schedule:
    return pace if isinstance(pace, Schedule) else Schedule.constant(pace)
