"""Point trajectories of simulated worlds, with the errors of a real tracker.

A window holds what a tracker would hand out at the newest frame: pixels all over the image, each with its way back
through the earlier frames as long as its surface was in sight, and whether the thing under the pixel moves on its
own. Nothing is rendered: pixels are cast onto the world's boxes, and the points found are followed by projection.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .tracker_model import TrackerModel, perturb
from .worlds import FAR, LONG_SIDE, SLABS, Worlds, draw_worlds

#: A thing counts as moving when its points move at least this far by themselves within the window, px; one that
#: moves less, but more than the lower bound, cannot be told and is left out of training.
MOVING_PX, RESTING_PX = 1.0, 0.35
#: Trajectories are seeded in a grid of this spacing, as the tracker does, px.
SPACING = 12
_NEAR = 0.05
_NOTHING = -1


@dataclass(frozen=True, eq=False)
class SimulatedWindows:
    """B windows of N trajectories over T frames, newest last.

    Args:
        positions: (B, N, T, 2) float32, px.
        visible: (B, N, T) bool.
        confidence: (B, N, T) float32 in 0..1.
        moving: (B, N) float32: 1 on a thing that moves on its own, 0 on one that does not.
        weight: (B, N) float32: 0 for rows that are only padding, and for things that move too little to be told.
        inverse_depth: (B, N, T) float32 in 0..1, nearest 1, at the tracked positions; without estimation errors.
        sizes: (B, 2) int64, (height, width), px.
    """

    positions: np.ndarray
    visible: np.ndarray
    confidence: np.ndarray
    moving: np.ndarray
    weight: np.ndarray
    inverse_depth: np.ndarray
    sizes: np.ndarray

    def __len__(self) -> int:
        return len(self.sizes)


def simulate_windows(
    count: int,
    rng: np.random.Generator,
    num_trajectories: int = 256,
    num_frames: int = 16,
    tracker: TrackerModel | None = None,
) -> SimulatedWindows:
    """`count` windows of random worlds; the same `rng` state gives the same windows."""
    return follow_worlds(
        draw_worlds(count, num_frames, rng), rng, num_trajectories, tracker or TrackerModel()
    )


def follow_worlds(
    worlds: Worlds, rng: np.random.Generator, num_trajectories: int, tracker: TrackerModel
) -> SimulatedWindows:
    """The windows of given worlds."""
    seeds = _choose(worlds, tracker, rng, num_trajectories)
    rows = np.arange(len(worlds))[:, None]
    points = _directions(worlds, seeds.start) * seeds.depth[..., None]
    paths, z = _project(worlds, rows, points, seeds.followed)
    paths = paths + _wobble_px(worlds, points, seeds.followed, z, rng)
    visible = _in_sight(worlds, points, seeds.followed, paths, z, rng)
    own = _own_motion(worlds, points, paths)
    moving, weight = _labels(worlds, seeds, own)
    paths = paths + (seeds.pixels - seeds.start)[:, :, None] + _unrest_px(worlds, seeds.followed, rng)
    _capture(worlds, tracker, seeds, paths, rng)

    z[..., -1] = np.where(
        seeds.carried, seeds.own_depth, z[..., -1]
    )  # a depth image shows what is at the pixel
    observed = perturb(tracker, paths, visible, rng)
    nearest = np.where(observed.visible, 1 / np.maximum(z, _NEAR), 0).max(1, keepdims=True)
    inverse = np.clip(1 / np.maximum(z, _NEAR) / np.maximum(nearest, 1e-9), 0, 1)
    return SimulatedWindows(
        positions=observed.positions,
        visible=observed.visible,
        confidence=observed.confidence,
        moving=moving.astype(np.float32),
        weight=weight * observed.visible[..., -1],
        inverse_depth=inverse.astype(np.float32),
        sizes=worlds.sizes,
    )


@dataclass(frozen=True, eq=False)
class _Seeds:
    """(B, N) points that the tracker follows: `pixels` (.., 2) where they are, on the box `box`; what they follow is
    the box `followed`, as seen at `start` (.., 2) at `depth` m; `own_depth` is that of `box`.
    """

    pixels: np.ndarray
    box: np.ndarray
    own_depth: np.ndarray
    start: np.ndarray
    followed: np.ndarray
    depth: np.ndarray

    @property
    def carried(self) -> np.ndarray:
        return self.box != self.followed


def _choose(worlds: Worlds, tracker: TrackerModel, rng: np.random.Generator, count: int) -> _Seeds:
    """Seeds all over the image, denser on textured surfaces and along outlines, each with what it will follow."""
    b = len(worlds)
    rows = np.arange(b)[:, None]
    pixels = _seed(worlds, rng, int(1.35 * count))
    n = pixels.shape[1]
    # The tracker's window reaches over an outline: look that far in four directions.
    reach = tracker.draw_reach(b, n, rng)
    turn = rng.random((b, n), np.float32) * np.float32(np.pi / 2)
    turns = [turn + np.float32(quarter * np.pi / 2) for quarter in range(4)]
    beside = [pixels + reach[..., None] * np.stack([np.cos(a), np.sin(a)], -1) for a in turns]
    boxes, depths = cast(worlds, np.concatenate([pixels, *beside], 1))
    box, depth = boxes[:, :n], depths[:, :n]
    slab = (box >= 0) & (box < SLABS)
    relief = np.exp(worlds.roughness[:, None] * rng.standard_normal(box.shape, np.float32))
    depth = np.where(slab, depth * relief, depth)

    start, followed, away = pixels.copy(), box.copy(), depth.copy()
    outline = np.zeros(box.shape, bool)
    chance = rng.random(box.shape, np.float32)
    for quarter in range(4):
        there = slice((quarter + 1) * n, (quarter + 2) * n)
        other, other_depth = boxes[:, there], depths[:, there]
        differs = (other != box) & (other >= 0)
        nearer = differs & (other_depth < 0.97 * depth)
        farther = differs & (other_depth * 0.97 > depth) & (reach < 2)
        takes = (nearer & (chance < tracker.carried)) | (farther & (chance < tracker.carried_back))
        takes &= other_depth < away + farther * FAR  # of several, the nearest
        start = np.where(takes[..., None], beside[quarter], start)
        followed = np.where(takes, other, followed)
        away = np.where(takes, other_depth, away)
        outline |= nearer & (reach < 5)
    density = np.where(box >= 0, worlds.texture[rows, box], 0.15) * np.where(
        outline, tracker.outline_density, 1
    )
    key = np.log(density) - np.log(
        -np.log(rng.random(box.shape).clip(1e-9, 1 - 1e-9))
    )  # Gumbel: without replacement
    best = np.argpartition(-key, count - 1, axis=1)[:, :count]
    return _Seeds(*(array[rows, best] for array in (pixels, box, depth, start, followed, away)))


def _seed(worlds: Worlds, rng: np.random.Generator, count: int) -> np.ndarray:
    """(B, N, 2) px: one random pixel in each of N random grid cells; a cell is used again where there are too few."""
    b = len(worlds)
    rows, columns = (worlds.sizes // SPACING).T
    most = int((rows * columns).max())
    key = rng.random((b, most), np.float32) + (np.arange(most) >= (rows * columns)[:, None])
    cells = np.argsort(key, axis=1)[:, np.arange(count) % most]
    cells %= (rows * columns)[:, None]
    corner = np.stack([cells % columns[:, None], cells // columns[:, None]], -1)
    pixels = ((corner + rng.random((b, count, 2), np.float32)) * SPACING).astype(np.float32)
    return np.minimum(pixels, worlds.sizes[:, None, ::-1].astype(np.float32) - 1)


def _directions(worlds: Worlds, pixels: np.ndarray, frame: int = -1) -> np.ndarray:
    """(B, N, 3): rays of pixels in a frame's camera, z = 1."""
    centre = (worlds.sizes[:, None, ::-1] - 1) / 2
    offset = pixels - centre
    radius = (offset**2).sum(-1, keepdims=True) / (LONG_SIDE / 2) ** 2
    offset = offset / (1 + worlds.distortion[:, None, None] * radius)  # inverse of `_distort`, to first order
    planar = offset / worlds.focal[:, frame, None, None]
    return np.concatenate([planar, np.ones((*planar.shape[:-1], 1))], -1).astype(np.float32)


def cast(worlds: Worlds, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What pixels of the newest frame show.

    Args:
        pixels: (B, N, 2) px.

    Returns:
        box (B, N) int64, -1 for the sky, and depth along the optical axis (B, N) float32, m.
    """
    rays = _directions(worlds, pixels)
    box = np.full(rays.shape[:2], _NOTHING)
    depth = np.full(rays.shape[:2], np.inf, np.float32)
    for world in range(len(worlds)):
        there = np.flatnonzero(worlds.half[world].min(-1) > 0)
        if not len(there):
            continue
        entry = _entry(worlds, world, there, rays[world], np.zeros(3, np.float32), -1)
        nearest = entry.argmin(0)
        depth[world] = entry[nearest, np.arange(len(nearest))]
        box[world] = there[nearest]
    missed = ~np.isfinite(depth)
    return np.where(missed, _NOTHING, box), np.where(missed, FAR, depth).astype(np.float32)


def _entry(
    worlds: Worlds, world: int, boxes: np.ndarray, rays: np.ndarray, origin: np.ndarray, frame: int
) -> np.ndarray:
    """(P, M): where rays (M, 3) from `origin` (3,) enter P boxes of a world, in ray lengths; inf where they miss.

    World by world: the arrays then fit into the cache, and only boxes that are there are asked.
    """
    rotation, centre = worlds.box_rotation[world, boxes, frame], worlds.box_centre[world, boxes, frame]
    local = ((origin - centre)[:, None] @ rotation)[:, 0, :, None]  # the origin in the box's frame
    turned = (rotation.swapaxes(-1, -2).reshape(-1, 3) @ rays.T).reshape(len(boxes), 3, -1)
    with np.errstate(divide="ignore"):
        inverse = np.clip(1 / turned, -1e9, 1e9)
    middle = -local * inverse
    reach = worlds.half[world, boxes, :, None] * np.abs(inverse)
    first, last = (middle - reach).max(1), (middle + reach).min(1)
    return np.where((first < last) & (first > _NEAR), first, np.inf)


def _project(
    worlds: Worlds, rows: np.ndarray, points: np.ndarray, box: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Image paths (..., T, 2) px and depths (..., T) m of points (..., 3) that stick to their boxes (...).

    `rows` says which world each is in.
    """
    turned, shift = worlds.paths
    seen = (turned[rows, box] @ points[..., None, :, None])[..., 0] + shift[rows, box]
    z = np.maximum(seen[..., 2:], _NEAR)
    path = _to_image(worlds, rows, seen[..., :2] / z * worlds.focal[rows][..., None])
    if path.shape[-2] > 1 and worlds.rolling.any():
        # A rolling shutter reads lower rows later: they show the next moment.
        row = path[..., 1] / worlds.sizes[rows, 0][..., None] - 0.5
        late = worlds.rolling[rows][..., None] * np.clip(row, -1, 1)
        path = path + late[..., None] * np.gradient(path, axis=-2)
    return np.clip(path, -4 * LONG_SIDE, 5 * LONG_SIDE).astype(np.float32), seen[..., 2]


def _to_image(worlds: Worlds, rows: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Pixels (..., T, 2) of undistorted offsets (..., T, 2) px from the image's centre."""
    strength = worlds.distortion[rows][..., None, None]
    if strength.any():
        radius = (offset**2).sum(-1, keepdims=True) / (LONG_SIDE / 2) ** 2
        offset = offset * (1 + strength * np.minimum(radius, 4.0))
    return offset + ((worlds.sizes[rows][..., ::-1] - 1) / 2)[..., None, :].astype(np.float32)


def _capture(
    worlds: Worlds, tracker: TrackerModel, seeds: _Seeds, paths: np.ndarray, rng: np.random.Generator
) -> None:
    """Let some of the carried points follow their own surface at first, until an outline took them. In place."""
    frames = paths.shape[2]
    row, column = np.nonzero(seeds.carried & (rng.random(seeds.box.shape) < tracker.captured))
    if not len(row) or frames < 3:
        return
    ray = _directions(worlds, seeds.pixels)[row, column]
    before, _ = _project(worlds, row, ray * seeds.own_depth[row, column, None], seeds.box[row, column])
    when = rng.integers(1, frames, len(row))
    k = np.arange(len(row))
    after = paths[row, column]
    early = before + (after[k, when] - before[k, when])[:, None]
    paths[row, column] = np.where((np.arange(frames) < when[:, None])[..., None], early, after)


def _wobble_px(worlds: Worlds, points, box, z, rng) -> np.ndarray:
    """(B, N, T, 2) px: smooth deformation of soft things, 0 at the newest frame."""
    thing = np.where(box >= 0, worlds.thing[box], -1)
    rows = np.arange(len(worlds))[:, None]
    amount = np.where(thing >= 0, worlds.wobble[rows, thing], 0)
    if not amount.any():
        return np.zeros((*z.shape, 2), np.float32)
    b = len(worlds)
    time = np.arange(worlds.num_frames, dtype=np.float32)
    wave = rng.standard_normal((b, 1, 3), np.float32) * 3 / np.maximum(np.abs(points[..., 2:]), _NEAR)
    phase = (points * wave).sum(-1)[..., None] + rng.uniform(0.2, 1.2, (b, 1, 1)).astype(np.float32) * time
    push = np.stack([np.sin(phase), np.cos(phase)], -1)
    push = push - push[:, :, -1:]
    return (push * (amount[..., None] * worlds.focal[:, None] / np.maximum(z, _NEAR))[..., None]).astype(
        np.float32
    )


def _unrest_px(worlds: Worlds, box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(B, N, T, 2) px: leaves and water: every point sways in its own way; 0 at the newest frame."""
    amount = np.where(box >= 0, worlds.unrest[np.arange(len(worlds))[:, None], box], 0)
    sway = np.zeros((*box.shape, worlds.num_frames, 2), np.float32)
    row, column = np.nonzero(amount)
    rate = rng.uniform(0.1, 1.5, (len(row), 1, 2))
    wave = np.sin(rate * np.arange(worlds.num_frames)[:, None] + rng.uniform(0, 2 * np.pi, (len(row), 1, 2)))
    sway[row, column] = amount[row, column, None, None] * (wave - wave[:, -1:])
    return sway


def _in_sight(worlds: Worlds, points, box, paths, z, rng) -> np.ndarray:
    """(B, N, T) bool: in the image, before the camera, and nothing in front, back to the first time that fails.

    Occlusion is tested in a few frames only, at random times; a point is called hidden from there on back.
    """
    width, height = worlds.sizes[:, 1, None, None], worlds.sizes[:, 0, None, None]
    inside = (paths >= 0).all(-1) & (paths[..., 0] <= width - 1) & (paths[..., 1] <= height - 1) & (z > _NEAR)
    frames = worlds.num_frames
    if frames > 2:
        for low, high in ((0.0, 0.35), (0.35, 0.7), (0.7, 0.95)):
            frame = int(rng.uniform(low, high) * (frames - 1))
            inside[:, :, frame] &= ~_hidden(worlds, points, box, frame)
    # The tracker hands out trajectories that are alive: what was out of sight once began later.
    return np.logical_and.accumulate(inside[..., ::-1], axis=-1)[..., ::-1]


def _hidden(worlds: Worlds, points: np.ndarray, box: np.ndarray, frame: int) -> np.ndarray:
    """(B, N) bool: something is in front of points (B, N, 3) of the newest frame in another frame."""
    turned, shift = worlds.paths
    rows = np.arange(len(worlds))[:, None]
    seen = (turned[rows, box, frame] @ points[..., None])[..., 0] + shift[rows, box, frame]
    ways = seen @ worlds.rotation[:, frame]  # camera to point, in the world
    hidden = np.zeros(box.shape, bool)
    for world in range(len(worlds)):
        there = np.flatnonzero(worlds.half[world].min(-1) > 0)
        entry = _entry(worlds, world, there, ways[world], worlds.centre[world, frame], frame)
        # Not by a slab on itself: its relief would do that.
        slabs = there[:, None] < SLABS
        entry[slabs & (there[:, None] == box[world])] = np.inf
        hidden[world] = entry.min(0, initial=np.inf) < 0.97
    return hidden


def _own_motion(worlds: Worlds, points: np.ndarray, paths: np.ndarray) -> np.ndarray:
    """(B, N) px: how far at most a point's image moves by its thing's own motion, against the same thing at rest."""
    frames = worlds.num_frames
    times = sorted({0, frames // 3, (2 * frames) // 3, max(frames - 3, 0)})
    relative = points[:, :, None] - worlds.centre[:, None, times]
    seen = (worlds.rotation[:, None, times] @ relative[..., None])[..., 0]
    offset = seen[..., :2] / np.maximum(seen[..., 2:], _NEAR) * worlds.focal[:, None, times, None]
    still = _to_image(worlds, np.arange(len(worlds))[:, None], offset)
    return np.linalg.norm(paths[:, :, times] - still, axis=-1).max(-1)


def _labels(worlds: Worlds, seeds: _Seeds, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(B, N) bool moving, and (B, N) float32 weight; the whole thing moves when half of what is seen of it does."""
    thing = np.where(seeds.box >= 0, worlds.thing[seeds.box], -1)
    rows = np.arange(len(worlds))[:, None]
    moves = (thing >= 0) & worlds.moving[rows, thing]
    reach = np.zeros(worlds.moving.shape, np.float32)
    for k in range(reach.shape[1]):
        mine = (thing == k) & ~seeds.carried
        number = mine.sum(1)
        ordered = np.sort(np.where(mine, own, np.inf), axis=1)
        reach[:, k] = np.where(number > 0, ordered[np.arange(len(worlds)), number // 2], 0)
    far = np.where(thing >= 0, reach[rows, thing], 0)
    unclear = moves & (far > RESTING_PX) & (far < MOVING_PX)
    return moves & (far >= MOVING_PX), (~unclear).astype(np.float32)


def monocular_depth(inverse_depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Inverse depths (B, N, T) as an estimator gives them: scale and offset unknown and unsteady, errors by place.

    Half of the windows keep their true depth, as from a depth camera, but for some noise.
    """
    b, n, t = inverse_depth.shape
    estimated = rng.random((b, 1, 1)) < 0.5
    gamma = np.where(estimated, np.exp(0.25 * rng.standard_normal((b, 1, 1))), 1.0)
    level = np.exp(0.1 * rng.standard_normal((b, 1, 1)) + 0.03 * rng.standard_normal((b, 1, t)))
    offset = 0.1 * rng.random((b, 1, 1)) + 0.01 * rng.standard_normal((b, 1, t))
    place = np.exp(0.15 * rng.standard_normal((b, n, 1)) + 0.03 * rng.standard_normal((b, n, t)))
    monocular = inverse_depth**gamma * level * place + offset
    sensor = inverse_depth * np.exp(0.01 * rng.standard_normal((b, n, t)))
    return np.clip(np.where(estimated, monocular, sensor), 0, 1).astype(np.float32)
