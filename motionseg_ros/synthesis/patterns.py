"""Procedural patterns: functions (rng, (height, width) texels, BGR colours) -> BGR uint8 (height, width, 3).

Deterministic by the generator's seed. Those named in TILEABLE repeat without a seam.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

FONT = cv2.FONT_HERSHEY_DUPLEX


def fractal_noise(rng: np.random.Generator, shape: tuple[int, int], roughness: float = 1.2) -> np.ndarray:
    """Multi-octave noise (height, width) float32, mean 0, deviation 1, periodic; spectrum 1 /
    frequency^roughness.
    """
    spectrum = np.fft.rfft2(rng.standard_normal(shape, dtype=np.float32))
    rows, columns = np.fft.fftfreq(shape[0]), np.fft.rfftfreq(shape[1])
    frequency = np.hypot(rows[:, None].astype(np.float32), columns[None, :].astype(np.float32))
    frequency[0, 0] = np.inf
    noise = np.fft.irfft2(spectrum / frequency ** np.float32(roughness), s=shape).astype(np.float32)
    return noise / max(float(noise.std()), 1e-6)


@lru_cache(maxsize=16)
def _noise_pool(roughness: float) -> np.ndarray:
    return fractal_noise(np.random.default_rng(0), (1024, 1024), roughness)


def cut_noise(rng: np.random.Generator, shape: tuple[int, int], roughness: float = 1.2) -> np.ndarray:
    """Like `fractal_noise`, but a random cut of one shared field: quicker, and not periodic in `shape`."""
    row, column = rng.integers(0, 1024, 2)
    rows, columns = (row + np.arange(shape[0])) % 1024, (column + np.arange(shape[1])) % 1024
    return _noise_pool(roughness)[rows[:, None], columns]


def _paint(colour, brightness: np.ndarray) -> np.ndarray:
    """BGR float32 (h, w, 3) of a colour times brightness (h, w)."""
    return np.asarray(colour, np.float32) * brightness[..., None]


def _finish(image: np.ndarray) -> np.ndarray:
    return np.clip(image, 0, 255).astype(np.uint8)


def _second(colours, fallback=0.5):
    return colours[1] if len(colours) > 1 else tuple(int(fallback * c) for c in colours[0])


def asphalt(rng, shape, colours):
    """Road surface: grain, stones, stains, patches of repair, cracks."""
    grey = 1 + 0.10 * fractal_noise(rng, shape, 0.5) + 0.10 * fractal_noise(rng, shape, 1.6)
    stones = rng.random(shape, dtype=np.float32)
    grey += np.where(stones > 0.992, 0.45, 0) - np.where(stones < 0.008, 0.35, 0)
    image = _finish(
        _paint(colours[0], cv2.blur(grey.astype(np.float32), (2, 2), borderType=cv2.BORDER_REPLICATE))
    )
    height, width = shape
    for _ in range(6):
        size = rng.integers(min(shape) // 14, min(shape) // 5, 2)
        corner = (rng.random(2) * (np.array([width, height]) - size)).astype(int)
        patch = image[corner[1] : corner[1] + size[1], corner[0] : corner[0] + size[0]]
        patch[:] = cv2.convertScaleAbs(patch, alpha=rng.uniform(0.72, 1.2))
        cv2.rectangle(image, tuple(map(int, corner)), tuple(map(int, corner + size)), (45, 45, 45), 2)
    for _ in range(7):
        walk = np.cumsum(rng.normal(0, 7, (40, 2)) + rng.normal(0, 5, 2), axis=0)
        start = rng.random(2) * (width, height)
        _wrapped_polyline(image, start + walk, (38, 38, 40), 2)
    return image


def _wrapped_polyline(image, points, colour, thickness):
    height, width = image.shape[:2]
    for dx in (-width, 0, width):
        for dy in (-height, 0, height):
            cv2.polylines(
                image, [np.int32(points + np.array([dx, dy]))], False, colour, thickness, cv2.LINE_AA
            )


def _cells(rng, shape, rows, columns, joint, stagger, contrast):
    """Brightness (h, w) of rows of blocks and the joint mask (h, w); periodic when `rows` is even or not
    staggered.
    """
    height, width = shape
    v = np.arange(height)[:, None] * rows / height
    row = np.floor(v).astype(int)
    u = (np.arange(width)[None, :] * columns / width + stagger * (row % 2)) % columns
    tone = 1 + contrast * rng.standard_normal((rows, columns)).astype(np.float32)
    fu, fv = u % 1, v % 1
    joints = (np.minimum(fu, 1 - fu) * width / columns < joint) | (
        np.minimum(fv, 1 - fv) * height / rows < joint
    )
    return tone[np.broadcast_to(row, shape), np.floor(u).astype(int)], joints


def bricks(rng, shape, colours):
    """Brick wall; second colour: mortar."""
    scale = shape[0] / 24
    tone, joints = _cells(rng, shape, 24, 10, max(1.0, scale / 9), 0.5, 0.16)
    tone = tone + 0.07 * fractal_noise(rng, shape, 0.6) + 0.05 * fractal_noise(rng, shape, 1.7)
    image = _paint(colours[0], tone)
    image[joints] = _paint(_second(colours, 1.3), 1 + 0.08 * fractal_noise(rng, shape, 0.7))[joints]
    return _finish(image)


def pavers(rng, shape, colours):
    """Paving slabs with grain, dirt and joints."""
    tone, joints = _cells(rng, shape, 8, 8, max(1.0, shape[0] / 400), 0.5, 0.09)
    tone = tone + 0.09 * fractal_noise(rng, shape, 0.55) + 0.10 * fractal_noise(rng, shape, 1.7)
    tone[joints] *= 0.55
    spots = rng.random(shape, dtype=np.float32)
    tone[cv2.dilate((spots > 0.9993).astype(np.uint8), np.ones((3, 3))) > 0] *= 0.5
    return _finish(_paint(colours[0], tone))


def plaster(rng, shape, colours):
    """Rendered wall or concrete: stains and pits."""
    tone = 1 + 0.05 * fractal_noise(rng, shape, 0.6) + 0.09 * fractal_noise(rng, shape, 1.8)
    pits = cv2.dilate((rng.random(shape) > 0.9992).astype(np.uint8), np.ones((3, 3)))
    tone[pits > 0] *= 0.6
    return _finish(_paint(colours[0], tone))


def smooth(rng, shape, colours):
    """Painted metal, linoleum: one tone with faint clouds, hardly anything to hold on to."""
    return _finish(_paint(colours[0], 1 + 0.012 * fractal_noise(rng, shape, 1.8)))


def planks(rng, shape, colours):
    """Boards side by side, with grain along them and nails."""
    tone, joints = _cells(rng, shape, 1, 8, max(1.0, shape[1] / 260), 0.0, 0.14)
    grain = fractal_noise(rng, (max(2, shape[0] // 12), shape[1]), 0.5)
    tone = tone + 0.12 * cv2.resize(grain, shape[::-1], interpolation=cv2.INTER_LINEAR)
    tone = tone + 0.05 * fractal_noise(rng, shape, 0.8)
    tone[joints] *= 0.4
    image = _finish(_paint(colours[0], tone))
    for x in range(8):
        for y in (0.1, 0.5, 0.9):
            centre = (int((x + 0.5) * shape[1] / 8), int(y * shape[0]))
            cv2.circle(image, centre, max(2, shape[1] // 200), (40, 40, 40), -1, cv2.LINE_AA)
    return image


def corrugated(rng, shape, colours):
    """Trapezoid sheet metal with rust: containers, shutters."""
    phase = (np.arange(shape[1]) * 16 / shape[1]) % 1
    wave = np.interp(phase, (0, 0.3, 0.42, 0.75, 0.87, 1), (1.0, 1.0, 0.62, 0.86, 1.22, 1.0)).astype(
        np.float32
    )
    tone = wave[None, :] * (1 + 0.04 * fractal_noise(rng, shape, 0.7) + 0.05 * fractal_noise(rng, shape, 1.6))
    rust = fractal_noise(rng, shape, 1.4) + 0.4 * fractal_noise(rng, shape, 0.6)
    image = _paint(colours[0], tone)
    image[rust > 1.9] = _paint((45, 70, 110), tone)[rust > 1.9]
    return _finish(image)


def leaves(rng, shape, colours):
    """Hedge or grass: overlapping strokes in many tones."""
    image = _finish(_paint(tuple(0.45 * c for c in colours[0]), 1 + 0.2 * fractal_noise(rng, shape, 1.2)))
    length = max(3, min(shape) // 34)
    for _ in range(2600):
        start = rng.random(2) * shape[::-1]
        tone = np.asarray(colours[0]) * rng.uniform(0.5, 1.6)
        turn = rng.uniform(0, np.pi)
        end = start + length * rng.uniform(0.5, 1.3) * np.array([np.cos(turn), np.sin(turn)])
        _stroke(image, start, end, tone, 2)
    return image


def _stroke(image, start, end, colour, thickness):
    height, width = image.shape[:2]
    for shift in {(0, 0), (int(end[0] < 0) - int(end[0] >= width), int(end[1] < 0) - int(end[1] >= height))}:
        offset = np.array([shift[0] * width, shift[1] * height])
        ends = [tuple(map(int, point + offset)) for point in (start, end)]
        cv2.line(image, *ends, tuple(map(float, colour)), thickness, cv2.LINE_AA)


def checker(rng, shape, colours):
    """Plaid cloth: crossing stripes of several widths."""
    image = _paint(colours[0], 1 + 0.06 * fractal_noise(rng, shape, 0.4))
    second = np.asarray(_second(colours), np.float32)
    for axis in (0, 1):
        for _ in range(3):
            start, width = rng.random() * 0.8, rng.uniform(0.06, 0.2)
            stripe = slice(int(start * shape[axis]), int((start + width) * shape[axis]) + 1)
            part = image[stripe] if axis == 0 else image[:, stripe]
            part += rng.uniform(0.4, 0.8) * (second - part)
    return _finish(image)


def sky(rng, shape, colours):
    """Clouds; first colour: the clear sky, second: the clouds."""
    cover = np.clip(0.5 + 0.55 * fractal_noise(rng, shape, 1.6), 0, 1)[..., None]
    return _finish(np.asarray(colours[0]) * (1 - cover) + np.asarray(_second(colours, 1.5)) * cover)


TILEABLE = {
    f.__name__: f
    for f in (asphalt, bricks, pavers, plaster, smooth, planks, corrugated, leaves, checker, sky)
}
