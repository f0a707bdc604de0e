"""Procedural pictures that cover one facet each: façades, doors, crates, posters, car bodies.

Functions (rng, (height, width) texels, BGR colours) -> BGR uint8 (height, width, 3), as in `patterns`.
"""

from __future__ import annotations

import cv2
import numpy as np

from .patterns import FONT, TILEABLE, _finish, _paint, _second, cut_noise

WORDS = (
    "CARGO",
    "NORD",
    "FRAGILE",
    "LOGISTIK",
    "ROBOT",
    "CAFE",
    "OPEN",
    "PORT 7",
    "HAUS",
    "EXPRESS",
    "BAKERY",
    "K-19",
)


def _noisy(rng, shape, colour, amount=0.05):
    tone = 1 + amount * cut_noise(rng, shape, 0.6) + amount * cut_noise(rng, shape, 1.7)
    return _finish(_paint(colour, tone))


def _write(image, text, x, y, height, colour):
    """Text whose capitals are `height` texels high, its lower left corner at (x, y)."""
    scale = height / 22
    cv2.putText(image, text, (int(x), int(y)), FONT, scale, colour, max(1, round(scale * 1.6)), cv2.LINE_AA)


def _frame(image, fraction, colour):
    height, width = image.shape[:2]
    cv2.rectangle(image, (0, 0), (width - 1, height - 1), colour, max(1, int(fraction * min(height, width))))


def facade(rng, shape, colours):
    """House front: bricks, rows of windows with frames, sills and curtains; second colour: mortar."""
    height, width = shape
    tile = TILEABLE["bricks"](rng, (480, 400), colours[:2])
    image = np.tile(tile, (height // 480 + 1, width // 400 + 1, 1))[:height, :width]
    image = _finish(image * (1 + 0.08 * cut_noise(rng, shape, 1.8))[..., None])
    rows, columns = max(1, height // 360), max(1, width // 330)
    for row in range(rows):
        for column in range(columns):
            centre = np.array([(column + 0.5) * width / columns, (row + 0.45) * height / rows])
            _window(rng, image, centre, np.array([width / columns * 0.22, height / rows * 0.28]))
    return image


def _window(rng, image, centre, half):
    low, high = (centre - half).astype(int), (centre + half).astype(int)
    frame = tuple(float(x) for x in rng.uniform(165, 225) * rng.uniform(0.93, 1.07, 3))
    cv2.rectangle(image, tuple(map(int, low - 8)), tuple(map(int, high + 8)), frame, -1)
    inside = image[low[1] : high[1], low[0] : high[0]]
    size = inside.shape[:2]
    ramp = np.linspace(1.3, 0.6, size[0], dtype=np.float32)[:, None]
    inside[:] = _finish(
        _paint(rng.uniform(50, 95) * rng.uniform(0.9, 1.1, 3), ramp * (1 + 0.12 * cut_noise(rng, size, 1.5)))
    )
    curtain = int(size[1] * rng.uniform(0.1, 0.3))
    folds = 1 + 0.25 * np.sin(np.arange(curtain) / 3.0)
    inside[:, :curtain] = _finish(
        _paint(rng.uniform(120, 200) * rng.uniform(0.85, 1.15, 3), np.broadcast_to(folds, (size[0], curtain)))
    )
    (left, top), (right, bottom) = low.tolist(), high.tolist()
    middle, bar = (left + right) // 2, top + int(0.35 * size[0])
    cv2.line(image, (middle, top), (middle, bottom), frame, 6)
    cv2.line(image, (left, bar), (right, bar), frame, 5)
    cv2.rectangle(image, (left - 16, bottom + 8), (right + 16, bottom + 22), (190, 195, 200), -1)


def door(rng, shape, colours):
    """Panelled door or shutter with a handle and a number."""
    image = _noisy(rng, shape, colours[0])
    height, width = shape
    dark = tuple(0.55 * c for c in colours[0])
    for x in (0.12, 0.55):
        for y, h in ((0.06, 0.26), (0.38, 0.2), (0.64, 0.3)):
            corner = (int(x * width), int(y * height))
            cv2.rectangle(
                image, corner, (corner[0] + int(0.33 * width), corner[1] + int(h * height)), dark, 4
            )
    cv2.circle(image, (int(0.92 * width), int(0.52 * height)), max(3, width // 28), (190, 215, 220), -1)
    _write(
        image, str(rng.integers(1, 99)), 0.4 * width, 0.05 * height + width / 10, width / 10, (230, 230, 230)
    )
    _frame(image, 0.05, (60, 60, 60))
    return image


def crate(rng, shape, colours):
    """Wooden crate side: boards, a frame, a diagonal brace, stencilled text."""
    image = TILEABLE["planks"](rng, shape, colours)
    height, width = shape
    light, line = tuple(min(255.0, 1.15 * c) for c in colours[0]), (25, 35, 45)
    beam = max(4, int(0.11 * min(shape)))
    ends = ((beam, height - beam), (width - beam, beam))
    cv2.line(image, *ends, line, beam + 4, cv2.LINE_AA)
    cv2.line(image, *ends, light, beam, cv2.LINE_AA)
    for x, y, w, h in ((0, 0, width, beam), (0, height - beam, width, beam), (0, 0, beam, height),
                       (width - beam, 0, beam, height)):  # fmt: skip
        cv2.rectangle(image, (x, y), (x + w, y + h), light, -1)
        cv2.rectangle(image, (x, y), (x + w, y + h), line, 2)
    word = WORDS[rng.integers(len(WORDS))]
    _write(image, word, 0.16 * width, 0.42 * height, 0.62 * width / len(word), (35, 35, 50))
    return _finish(image * (1 + 0.06 * cut_noise(rng, shape, 0.7))[..., None])


def poster(rng, shape, colours):
    """Printed poster or sign: discs, bars and text on a ground colour."""
    height, width = shape
    image = _noisy(rng, shape, colours[0], 0.02)
    for _ in range(6):
        centre = tuple(int(x) for x in rng.random(2) * (width, 0.75 * height))
        colour = tuple(float(x) for x in rng.uniform(20, 240, 3))
        if rng.random() < 0.5:
            cv2.circle(image, centre, int(rng.uniform(0.05, 0.22) * min(shape)), colour, -1, cv2.LINE_AA)
        else:
            far = (
                int(centre[0] + rng.uniform(0.1, 0.4) * width),
                int(centre[1] + rng.uniform(0.04, 0.2) * height),
            )
            cv2.rectangle(image, centre, far, colour, -1)
    word = WORDS[rng.integers(len(WORDS))]
    ink = tuple(float(x) for x in _second(colours))
    _write(image, word, 0.08 * width, 0.9 * height, 0.9 * width / len(word), ink)
    for row in range(3):
        y = int((0.12 + 0.07 * row) * height)
        cv2.line(
            image, (int(0.08 * width), y), (int(rng.uniform(0.5, 0.9) * width), y), ink, max(1, height // 60)
        )
    _frame(image, 0.04, ink)
    return image


def container(rng, shape, colours):
    """Side of a shipping container with its name."""
    tile = (min(shape[0], 512), 512)
    metal = TILEABLE["corrugated"](rng, tile, colours)
    image = np.tile(metal, (shape[0] // tile[0] + 1, shape[1] // tile[1] + 1, 1))[: shape[0], : shape[1]]
    image = np.ascontiguousarray(image)
    word = WORDS[rng.integers(len(WORDS))]
    _write(image, word, 0.12 * shape[1], 0.45 * shape[0], 0.18 * shape[0], (225, 228, 230))
    _write(
        image,
        f"MSEG {rng.integers(1e5, 1e6)} 4",
        0.55 * shape[1],
        0.8 * shape[0],
        0.06 * shape[0],
        (220,) * 3,
    )
    _frame(image, 0.05, tuple(0.5 * c for c in colours[0]))
    return image


def coachwork(rng, shape, colours):
    """Painted sheet metal of a vehicle: seams, a stripe, lettering, dirt towards the bottom."""
    height, width = shape
    image = _noisy(rng, shape, colours[0], 0.035)
    dark = tuple(0.5 * c for c in colours[0])
    stripe = tuple(float(x) for x in _second(colours))
    cv2.rectangle(image, (0, int(0.62 * height)), (width, int(0.76 * height)), stripe, -1)
    for x in np.arange(0.18, 0.95, 0.26):
        cv2.line(image, (int(x * width), 0), (int(x * width), height), dark, max(1, width // 220))
        handle = (int((x + 0.03) * width), int(0.5 * height))
        cv2.rectangle(
            image, handle, (handle[0] + width // 24, handle[1] + max(2, height // 40)), (40, 40, 40), -1
        )
    word = WORDS[rng.integers(len(WORDS))]
    _write(image, word, 0.22 * width, 0.42 * height, min(0.24 * height, 0.5 * width / len(word)), stripe)
    for _ in range(25):
        start = rng.random(2) * (width, height)
        end = start + rng.normal(0, 0.05, 2) * (width, height)
        cv2.line(
            image,
            tuple(map(int, start)),
            tuple(map(int, end)),
            tuple(1.2 * c for c in colours[0]),
            1,
            cv2.LINE_AA,
        )
    return _finish(image * np.linspace(1.06, 0.72, height, dtype=np.float32)[:, None, None])


def glass(rng, shape, colours):
    """Window of a vehicle: dark, a reflection of the surroundings, a frame."""
    ramp = np.linspace(1.7, 0.8, shape[0], dtype=np.float32)[:, None]
    image = _finish(_paint(colours[0], ramp * (1 + 0.18 * cut_noise(rng, shape, 1.5))))
    height, width = shape
    cv2.line(image, (int(0.5 * width), 0), (int(0.42 * width), height), (30, 30, 30), max(2, width // 40))
    cv2.line(
        image,
        (int(0.2 * width), height),
        (int(0.4 * width), 0),
        (205, 205, 200),
        max(1, width // 60),
        cv2.LINE_AA,
    )
    _frame(image, 0.1, (35, 35, 35))
    return image


def wheel(rng, shape, colours):
    """Tyre with a rim of spokes."""
    height, width = shape
    image = _noisy(rng, shape, (38, 38, 40), 0.1)
    centre, radius = (width // 2, height // 2), min(shape) / 2
    cv2.circle(image, centre, int(0.62 * radius), tuple(map(float, colours[0])), -1, cv2.LINE_AA)
    for angle in np.arange(5) * 2 * np.pi / 5:
        tip = (int(centre[0] + 0.6 * radius * np.cos(angle)), int(centre[1] + 0.6 * radius * np.sin(angle)))
        cv2.line(image, centre, tip, (50, 50, 55), max(2, int(0.14 * radius)), cv2.LINE_AA)
    cv2.circle(image, centre, int(0.15 * radius), (90, 90, 95), -1, cv2.LINE_AA)
    return image


def face(rng, shape, colours):
    """Head of a figure seen from the front; second colour: hair."""
    height, width = shape
    image = _noisy(rng, shape, colours[0], 0.04)
    hair = tuple(float(x) for x in _second(colours))
    cv2.rectangle(image, (0, 0), (width, int(0.28 * height)), hair, -1)
    for x in (0.3, 0.7):
        cv2.circle(
            image, (int(x * width), int(0.45 * height)), max(2, width // 12), (40, 40, 40), -1, cv2.LINE_AA
        )
    cv2.line(
        image,
        (int(0.35 * width), int(0.78 * height)),
        (int(0.65 * width), int(0.78 * height)),
        (60, 60, 120),
        3,
    )
    return image


PRINTS = {f.__name__: f for f in (facade, door, crate, poster, container, coachwork, glass, wheel, face)}
