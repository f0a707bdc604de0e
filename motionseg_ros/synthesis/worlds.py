"""Random worlds by the batch: boxes, their motions and a camera's, drawn in arrays.

What `Scene` says of one world with names and textures, `Worlds` says of many at once, without either: a trajectory
simulator needs thousands a minute. All surfaces are faces of oriented boxes: slabs make the ground, walls and
backdrop, and things of one to three boxes stand or move among them. `Worlds.scene` turns one into a `Scene`, so
that the renderer can draw it and a real tracker can be run on the very world that was simulated.

Coordinates: the world's frame is the camera's optical frame (x right, y down, z forward) at the newest frame, so
that frame T - 1 has the identity pose. Lengths are metres, times are frames, image lengths are pixels of an image
whose longer side is `LONG_SIDE`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

#: Longer side of the simulated image, px: that of the working image the default tracker runs on.
LONG_SIDE = 432
#: Slabs: ground, backdrop, two side walls, ceiling, a free-standing wall.
SLABS = 6
#: Things, and boxes per thing.
THINGS, PARTS = 8, 3
BOXES = SLABS + THINGS * PARTS
FAR = 400.0

_ASPECTS = np.array([9 / 16, 10 / 16, 3 / 4, 0.42])
_ASPECT_WEIGHTS = np.array([0.5, 0.15, 0.3, 0.05])


@dataclass(frozen=True, eq=False)
class Worlds:
    """B worlds over T frames, newest last.

    Args:
        sizes: (B, 2) int64, (height, width) of the image, px.
        focal: (B, T) float32, px; changes where the camera zooms.
        distortion: (B,) float32, first radial coefficient, of coordinates in half longer sides.
        rolling: (B,) float32, frames between the reading of the first and the last row.
        rotation: (B, T, 3, 3) float32, world to camera.
        centre: (B, T, 3) float32, camera in the world, m.
        half: (B, P, 3) float32, half extents of the boxes, m; 0 for a box that is not there.
        box_rotation: (B, P, T, 3, 3) float32, box to world.
        box_centre: (B, P, T, 3) float32, m.
        thing: (P,) int64, the thing that each box belongs to, -1 for slabs.
        moving: (B, THINGS) bool, things that have a motion of their own.
        wobble: (B, THINGS) float32, m, how far a thing's surface deforms.
        roughness: (B,) float32, relative depth relief of the slabs' surfaces.
        unrest: (B, P) float32, px, random motion of a box's surface that is nobody's own motion: leaves, water.
        texture: (B, P) float32, relative number of corners on a box's surface.
    """

    sizes: np.ndarray
    focal: np.ndarray
    distortion: np.ndarray
    rolling: np.ndarray
    rotation: np.ndarray
    centre: np.ndarray
    half: np.ndarray
    box_rotation: np.ndarray
    box_centre: np.ndarray
    thing: np.ndarray
    moving: np.ndarray
    wobble: np.ndarray
    roughness: np.ndarray
    unrest: np.ndarray
    texture: np.ndarray

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def num_frames(self) -> int:
        return self.focal.shape[1]

    @cached_property
    def paths(self) -> tuple[np.ndarray, np.ndarray]:
        """For each box and frame, the affine map of a point of the newest frame into the frame's camera.

        Returns:
            (B, P + 1, T, 3, 3) and (B, P + 1, T, 3); the last row is for the sky, which is at rest.
        """
        to_frame = self.box_rotation @ self.box_rotation[:, :, -1:].swapaxes(-1, -2)
        shift = self.box_centre - (to_frame @ self.box_centre[:, :, -1:, :, None])[..., 0]
        still = np.broadcast_to(np.eye(3, dtype=np.float32), (len(self), 1, self.num_frames, 3, 3))
        to_frame = np.concatenate([to_frame, still], 1)
        shift = np.concatenate([shift, np.zeros_like(shift[:, :1])], 1) - self.centre[:, None]
        return self.rotation[:, None] @ to_frame, (self.rotation[:, None] @ shift[..., None])[..., 0]


def draw_worlds(count: int, num_frames: int, rng: np.random.Generator) -> Worlds:
    """`count` random worlds over `num_frames` frames.

    Raises:
        ValueError: fewer than one world or frame.
    """
    if count < 1 or num_frames < 1:
        raise ValueError(f"count and num_frames must be at least 1, but got {count} and {num_frames}")
    draw = _Draw(rng, count)
    sizes = _draw_sizes(draw)
    focal = draw.log_uniform(0.65, 2.3) * LONG_SIDE
    gravity = _gravity(draw)
    height = draw.log_uniform(0.3, 5.0)
    layout = draw.choice([0.32, 0.45, 0.23])  # a plane; ground, backdrop and clutter; a room
    half, rotation, centre = _slabs(draw, gravity, height, layout)
    backdrop = np.abs(centre[:, 1, 2])
    things = _things(draw, sizes, focal, gravity, height, backdrop, layout)
    reference = _typical_depth(things, backdrop, layout)
    camera_velocity = _unit(draw.normal(3) * [1.0, 0.3, 1.0])
    moves = _thing_motion(draw, things, focal, num_frames, camera_velocity, gravity)
    camera = _camera(draw, things, moves, focal, reference, camera_velocity, num_frames)
    half, box_rotation, box_centre = _assemble(half, rotation, centre, things, moves)
    thing = np.concatenate([np.full(SLABS, -1), np.repeat(np.arange(THINGS), PARTS)])
    return Worlds(
        sizes=sizes,
        focal=camera.focal,
        distortion=np.where(draw.chance(0.4), draw.normal() * 0.06, 0).astype(np.float32),
        rolling=np.where(draw.chance(0.3), draw.uniform(0.2, 0.9), 0).astype(np.float32),
        rotation=camera.rotation,
        centre=camera.centre,
        half=half,
        box_rotation=box_rotation,
        box_centre=box_centre,
        thing=thing,
        moving=things.moving,
        wobble=_wobble(draw, things),
        roughness=_roughness(draw, layout),
        unrest=_unrest(draw),
        texture=_texture(draw),
    )


class _Draw:
    """Random float32 arrays with one row per world."""

    def __init__(self, rng: np.random.Generator, count: int) -> None:
        self.rng, self.count = rng, count

    def uniform(self, low: float, high: float, *shape: int) -> np.ndarray:
        return (low + (high - low) * self.rng.random((self.count, *shape), np.float32)).astype(np.float32)

    def log_uniform(self, low: float, high: float, *shape: int) -> np.ndarray:
        return np.exp(self.uniform(np.log(low), np.log(high), *shape))

    def normal(self, *shape: int) -> np.ndarray:
        return self.rng.standard_normal((self.count, *shape), np.float32)

    def chance(self, probability: float, *shape: int) -> np.ndarray:
        return self.rng.random((self.count, *shape), np.float32) < probability

    def choice(self, weights, *shape: int) -> np.ndarray:
        edges = np.cumsum(weights) / np.sum(weights)
        return np.searchsorted(edges[:-1], self.rng.random((self.count, *shape)), side="right")

    def smooth(self, num_frames: int, *shape: int) -> np.ndarray:
        """(B, *shape, num_frames) smooth noise of unit variance: four slow waves."""
        time = np.arange(num_frames, dtype=np.float32)
        frequency = self.log_uniform(0.08, 1.2, *shape, 4)[..., None]
        phase = self.uniform(0, 2 * np.pi, *shape, 4)[..., None]
        weight = self.normal(*shape, 4)[..., None]
        return (weight * np.cos(frequency * time + phase)).sum(-2) * np.float32(0.7)


@dataclass(frozen=True, eq=False)
class _Things:
    """Things at the newest frame: `centre` (B, G, 3), `rotation` (B, G, 3, 3), the extents of their parts."""

    centre: np.ndarray
    rotation: np.ndarray
    extent: np.ndarray  # (B, G): half size, m
    part_half: np.ndarray  # (B, G, PARTS, 3)
    part_centre: np.ndarray  # (B, G, PARTS, 3) in the thing's frame
    hinge: np.ndarray  # (B, G, PARTS, 3) in the thing's frame
    articulated: np.ndarray  # (B, G)
    present: np.ndarray  # (B, G)
    moving: np.ndarray  # (B, G)


@dataclass(frozen=True, eq=False)
class _Moves:
    """Over the frames: `shift` (B, G, T, 3) m in the world, `turn` (B, G, T) rad, `swing` (B, G, PARTS, T) rad."""

    shift: np.ndarray
    turn: np.ndarray
    swing: np.ndarray


@dataclass(frozen=True, eq=False)
class _Camera:
    focal: np.ndarray
    rotation: np.ndarray
    centre: np.ndarray


def _draw_sizes(draw: _Draw) -> np.ndarray:
    aspect = _ASPECTS[draw.choice(_ASPECT_WEIGHTS)]
    short = np.rint(LONG_SIDE * aspect).astype(np.int64)
    sizes = np.stack([short, np.full(draw.count, LONG_SIDE)], axis=1)
    return np.where(draw.chance(0.06)[:, None], sizes[:, ::-1], sizes)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def rotations(vectors: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3) of rotation vectors (..., 3), rad (Rodrigues)."""
    angle = np.maximum(np.linalg.norm(vectors, axis=-1), 1e-9)[..., None, None]
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    return (
        np.eye(3, dtype=np.float32)
        + np.sin(angle) / angle * cross
        + (1 - np.cos(angle)) / angle**2 * (cross @ cross)
    ).astype(np.float32)


def _about(axis: int, angle: np.ndarray) -> np.ndarray:
    vectors = np.zeros((*angle.shape, 3), np.float32)
    vectors[..., axis] = angle
    return rotations(vectors)


def _gravity(draw: _Draw) -> np.ndarray:
    """(B, 3, 3): a levelled frame (y straight down, z level ahead) to the camera's frame."""
    pitch = np.clip(draw.normal() * 0.18 - 0.08, -0.7, 0.7)
    return _about(2, draw.normal() * 0.05) @ _about(0, pitch)


def _slabs(draw: _Draw, gravity: np.ndarray, height: np.ndarray, layout: np.ndarray):
    """Half extents, rotations and centres (B, SLABS, ...) of the slabs, in the world."""
    b = draw.count
    half = np.zeros((b, SLABS, 3), np.float32)
    centre = np.zeros((b, SLABS, 3), np.float32)
    rotation = np.repeat(gravity[:, None], SLABS, axis=1)
    distance = draw.log_uniform(3.0, 120.0)
    room = layout == 2
    distance = np.where(room, draw.log_uniform(2.5, 12.0), distance)
    plane = layout == 0
    ground = (layout == 1) | room | (plane & draw.chance(0.3))

    half[:, 0] = np.where(ground[:, None], [FAR, 0.5, FAR], 0)
    centre[:, 0, 1] = height + 0.5
    # The backdrop faces the camera more or less; where all is one plane it may be tilted any way.
    yaw = np.clip(draw.normal() * np.where(plane, 0.45, 0.3), -1, 1)
    pitch = np.where(plane & ~ground, np.clip(draw.normal() * 0.4, -0.9, 0.9), 0)
    rotation[:, 1] = gravity @ _about(1, yaw) @ _about(0, pitch)
    half[:, 1] = [FAR, FAR, 0.5]
    centre[:, 1, 2] = distance
    side = draw.log_uniform(0.8, 8.0, 2)
    walls = np.stack([room | draw.chance(0.2), room | draw.chance(0.2)], 1) & ~plane[:, None]
    for k, sign in ((0, -1.0), (1, 1.0)):
        half[:, 2 + k] = np.where(walls[:, k, None], [0.5, FAR, FAR], 0)
        centre[:, 2 + k, 0] = sign * (side[:, k] + 0.5)
        rotation[:, 2 + k] = gravity @ _about(1, draw.normal() * 0.12)
    half[:, 4] = np.where((room & draw.chance(0.6))[:, None], [FAR, 0.5, FAR], 0)
    centre[:, 4, 1] = -(draw.log_uniform(0.6, 3.0) + 0.5)
    # A free-standing wall that hides part of the backdrop.
    free = ~plane & draw.chance(0.35)
    half[:, 5] = np.where(
        free[:, None], draw.log_uniform(0.15, 1.2, 3) * distance[:, None] * [0.4, 0.5, 0.05], 0
    )
    centre[:, 5] = np.stack([draw.normal() * 0.4, draw.normal() * 0.15, draw.uniform(0.35, 0.85)], 1)
    centre[:, 5] *= distance[:, None]
    rotation[:, 5] = gravity @ _about(1, draw.normal() * 0.5)
    centre = np.einsum("bij,bpj->bpi", gravity, centre)
    return half, rotation, centre.astype(np.float32)


def _things(draw: _Draw, sizes, focal, gravity, height, backdrop, layout) -> _Things:
    shape = (draw.count, THINGS)
    number = np.array([0, 1, 2, 3, 4, 6])[draw.choice([0.2, 0.34, 0.2, 0.13, 0.08, 0.05])]
    slot = np.arange(THINGS)
    moving = slot < number[:, None]
    clutter = np.where(layout == 0, draw.choice([0.92, 0.05, 0.03]), draw.choice(np.ones(THINGS + 1)))
    present = moving | (slot < (number + clutter)[:, None])

    # Where in the image: movers rather in the middle, where cameras point; clutter anywhere.
    middle = moving & draw.chance(0.5, THINGS)
    bearing = np.where(middle[..., None], draw.normal(THINGS, 2) * 0.13, draw.uniform(-0.58, 0.58, THINGS, 2))
    bearing = bearing * sizes[:, None, ::-1] / focal[:, None, None]
    limit = np.minimum(0.92 * backdrop, 60.0)[:, None]
    depth = np.exp(np.log(0.7) + draw.uniform(0.05, 1.0, THINGS) * (np.log(limit) - np.log(0.7)))
    share = draw.log_uniform(0.06, 0.55, THINGS)
    share = np.where(draw.chance(0.06, THINGS), draw.log_uniform(0.5, 1.3, THINGS), share)
    extent = 0.5 * share * LONG_SIDE / focal[:, None] * depth
    centre = np.stack([bearing[..., 0], bearing[..., 1], np.ones(shape)], -1) * depth[..., None]
    proportion = np.exp(0.35 * draw.normal(THINGS, 3))
    upright = draw.chance(0.5, THINGS)
    proportion *= np.where(upright[..., None], [0.5, 1.0, 0.5], [1.0, 0.55, 0.8])
    whole = proportion * extent[..., None]

    # Half of them stand on the ground.
    down = gravity[:, None, :, 1]
    lift = height[:, None] - whole[..., 1] - (centre * down).sum(-1)
    stands = draw.chance(0.5, THINGS) & (layout != 0)[:, None] & (np.abs(lift) < 0.35 * depth)
    centre = centre + np.where(stands, lift, 0)[..., None] * down
    rotation = gravity[:, None] @ _about(1, draw.uniform(-np.pi, np.pi, THINGS))
    rotation = rotation @ rotations(
        draw.normal(THINGS, 3) * np.where(draw.chance(0.2, THINGS), 0.4, 0.03)[..., None]
    )

    kind = draw.choice([0.35, 0.25, 0.4], THINGS)  # one box; several boxes; body with limbs
    articulated = kind == 2
    part_half = np.zeros((*shape, PARTS, 3), np.float32)
    part_centre = np.zeros((*shape, PARTS, 3), np.float32)
    part_half[..., 0, :] = whole * np.where(articulated[..., None], [1.0, 0.55, 1.0], 1.0)
    part_centre[..., 0, 1] = np.where(articulated, -0.45 * whole[..., 1], 0)
    for k, sign in ((1, -1.0), (2, 1.0)):
        limb = whole * [0.38, 0.5, 0.45]
        box = whole * np.exp(0.4 * draw.normal(THINGS, 3)) * 0.6
        part_half[..., k, :] = np.where(articulated[..., None], limb, box * (kind == 1)[..., None])
        beside = draw.uniform(-1, 1, THINGS, 3) * whole
        below = np.stack([sign * 0.5 * whole[..., 0], 0.5 * whole[..., 1], np.zeros(shape)], -1)
        part_centre[..., k, :] = np.where(articulated[..., None], below, beside)
    hinge = part_centre.copy()
    hinge[..., 1:, 1] -= part_half[..., 1:, 1]
    part_half *= present[..., None, None]
    return _Things(
        centre.astype(np.float32),
        rotation.astype(np.float32),
        extent,
        part_half,
        part_centre,
        hinge,
        articulated,
        present,
        moving & present,
    )


def _typical_depth(things: _Things, backdrop: np.ndarray, layout: np.ndarray) -> np.ndarray:
    """(B,) m: what a camera's translation is measured by."""
    depth = np.where(things.present, np.log(np.maximum(things.centre[..., 2], 0.5)), 0)
    number = things.present.sum(1)
    near = np.where(number > 0, depth.sum(1) / np.maximum(number, 1), np.log(backdrop))
    share = np.where(layout == 0, 0.1, 0.5)
    return np.exp(share * near + (1 - share) * np.log(backdrop)).astype(np.float32)


def _thing_motion(draw: _Draw, things: _Things, focal, num_frames: int, camera_velocity, gravity) -> _Moves:
    shape = (draw.count, THINGS)
    time = np.arange(num_frames, dtype=np.float32) - (num_frames - 1)
    speed_px = draw.log_uniform(0.25, 11.0, THINGS)
    # What a camera follows may be as fast as it likes, and mostly is what the picture was taken for.
    speed_px[:, 0] = np.where(draw.chance(0.5), draw.log_uniform(3.0, 32.0), speed_px[:, 0])
    kind = draw.choice([0.42, 0.22, 0.2, 0.06, 0.1], THINGS)
    level = draw.normal(THINGS, 3) * [1.0, 0.08, 1.0]
    lateral = draw.normal(THINGS, 3) * [1.0, 0.1, 0.15]
    ahead = camera_velocity[:, None] * np.where(draw.chance(0.7, THINGS), 1, -1)[..., None]
    vertical = draw.normal(THINGS, 3) * [0.2, 1.0, 0.1]
    direction = _unit(
        np.select([k == kind[..., None] for k in range(4)], [lateral, level, ahead, vertical], 0.0)
    )
    # What moves towards the camera moves little in the image: such things are the faster ones.
    radial = np.abs((direction * _unit(things.centre)).sum(-1))
    speed = speed_px * np.abs(things.centre[..., 2]) / focal[:, None] * (1 + 3 * radial**2)
    velocity = direction * (speed * things.moving)[..., None]

    run = _profile(draw, num_frames, THINGS)  # (B, G, T): distance over speed, 0 at the newest frame
    shift = velocity[:, :, None] * run[..., None]
    hop = draw.uniform(0, 0.06, THINGS) * things.extent * things.articulated * things.moving
    step = draw.uniform(0.25, 1.2, THINGS)[..., None]
    phase = draw.uniform(0, 2 * np.pi, THINGS)[..., None]
    bounce = hop[..., None] * (np.cos(step * time + phase) - np.cos(phase))
    shift = shift + bounce[..., None] * gravity[:, None, None, :, 1]

    turns = draw.chance(0.4, THINGS) | (kind == 4)
    rate = np.where(kind == 4, draw.log_uniform(0.008, 0.12, THINGS), draw.log_uniform(0.002, 0.05, THINGS))
    rate = rate * np.where(draw.chance(0.5, THINGS), 1, -1) * turns * things.moving
    swing = np.zeros((*shape, PARTS, num_frames), np.float32)
    amplitude = draw.uniform(0.1, 0.8, THINGS) * things.articulated * things.moving
    walk = amplitude[..., None] * np.sin(0.5 * step * time + phase)
    swing[..., 1, :], swing[..., 2, :] = walk, -walk
    return _Moves(shift.astype(np.float32), (rate[..., None] * run).astype(np.float32), swing)


def _profile(draw: _Draw, num_frames: int, *shape: int) -> np.ndarray:
    """(B, *shape, T): distance travelled at unit speed, 0 at the newest frame: steady, speeding up, stop and go."""
    time = np.arange(num_frames, dtype=np.float32)
    kind = draw.choice([0.6, 0.2, 0.1, 0.1], *shape)[..., None]
    ramp = 1 + draw.uniform(-1, 1, *shape)[..., None] * (time - num_frames / 2) / max(num_frames / 2, 1)
    when = draw.uniform(0.1, 0.9, *shape)[..., None] * num_frames
    go = 1 / (1 + np.exp(-np.clip((time - when) * 1.5, -30, 30)))
    speed = np.select([kind == 0, kind == 1, kind == 2], [np.ones_like(ramp), ramp, go], 1 - go)
    run = np.cumsum(speed, -1)
    return (run - run[..., -1:]).astype(np.float32)


def _camera(
    draw: _Draw, things: _Things, moves: _Moves, focal, reference, direction, num_frames: int
) -> _Camera:
    b = draw.count
    kind = draw.choice([0.08, 0.17, 0.17, 0.26, 0.32])  # still, turning, in the hand, travelling, all at once
    turning, shaking = (kind == 1) | (kind == 4), (kind == 2) | (kind == 4)
    travelling = (kind == 3) | (kind == 4)
    run = _profile(draw, num_frames)[..., None]  # (B, T, 1)

    turn = draw.log_uniform(0.4, 22.0)[:, None] * _unit(draw.normal(3) * [0.5, 1.0, 0.15]) * turning[:, None]
    shake = draw.smooth(num_frames, 3).transpose(0, 2, 1) * [1.0, 1.0, 0.5]
    shake = shake * (draw.log_uniform(0.2, 5.0) * np.where(shaking, 1.0, 0.06))[:, None, None]
    rotation = (turn[:, None] * run + shake - shake[:, -1:]) / focal[:, None, None]

    pace = draw.log_uniform(0.3, 18.0) * travelling * reference / focal
    pace = np.minimum(pace, 0.04 * reference + 0.25)
    bob = (
        draw.smooth(num_frames, 3).transpose(0, 2, 1)
        * (draw.log_uniform(0.1, 3.0) * shaking * reference / focal)[:, None, None]
    )
    centre = direction[:, None] * pace[:, None, None] * run + bob - bob[:, -1:]

    # A camera that follows a thing: goes along with it, or keeps it in place in the image, or both. Following
    # a thing at rest is an orbit.
    follows = things.present[:, 0] & (draw.uniform(0, 1) < np.where(things.moving[:, 0], 0.5, 0.15))
    along = np.where(draw.chance(0.35) & follows, draw.uniform(0.3, 1.1), 0)
    centre = centre + along[:, None, None] * moves.shift[:, 0]
    target = things.centre[:, 0, None] + moves.shift[:, 0] - centre
    keeps = np.where(draw.chance(0.85) & follows, draw.uniform(0.6, 1.05), 0)
    rotation = rotation + keeps[:, None, None] * _aligning(_unit(target), _unit(target[:, -1:]))
    zoom = np.where(draw.chance(0.1), draw.normal() * 0.012, 0)[:, None]
    time = np.arange(num_frames, dtype=np.float32) - (num_frames - 1)
    return _Camera(
        np.broadcast_to(focal[:, None] * np.exp(zoom * time), (b, num_frames)).astype(np.float32),
        rotations(rotation),
        centre.astype(np.float32),
    )


def _aligning(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Rotation vectors (..., 3) that take unit vectors `start` to `end` the shortest way."""
    cross = np.cross(start, np.broadcast_to(end, start.shape))
    sine = np.linalg.norm(cross, axis=-1, keepdims=True)
    angle = np.arctan2(sine, (start * end).sum(-1, keepdims=True))
    return cross * np.where(sine > 1e-6, angle / np.maximum(sine, 1e-6), 1.0)


def _assemble(half, rotation, centre, things: _Things, moves: _Moves):
    """All boxes over all frames: half (B, P, 3), rotation (B, P, T, 3, 3), centre (B, P, T, 3)."""
    b, frames = len(half), moves.turn.shape[-1]
    base = things.rotation[:, :, None] @ _about(1, moves.turn)  # (B, G, T, 3, 3)
    swing = _about(0, moves.swing)  # (B, G, PARTS, T, 3, 3)
    part_rotation = base[:, :, None] @ swing
    arm = (things.part_centre - things.hinge)[:, :, :, None]
    local = things.hinge[:, :, :, None] + np.einsum(
        "bgptij,bgptj->bgpti", swing, np.broadcast_to(arm, swing.shape[:-1])
    )
    part_centre = np.einsum("bgtij,bgptj->bgpti", base, local)
    part_centre += (things.centre[:, :, None] + moves.shift)[:, :, None]
    slab_rotation = np.broadcast_to(rotation[:, :, None], (b, SLABS, frames, 3, 3))
    slab_centre = np.broadcast_to(centre[:, :, None], (b, SLABS, frames, 3))
    return (
        np.concatenate([half, things.part_half.reshape(b, -1, 3)], 1).astype(np.float32),
        np.concatenate([slab_rotation, part_rotation.reshape(b, -1, frames, 3, 3)], 1).astype(np.float32),
        np.concatenate([slab_centre, part_centre.reshape(b, -1, frames, 3)], 1).astype(np.float32),
    )


def _wobble(draw: _Draw, things: _Things) -> np.ndarray:
    soft = draw.chance(0.3, THINGS) & things.moving
    return (soft * draw.uniform(0.01, 0.08, THINGS) * things.extent).astype(np.float32)


def _roughness(draw: _Draw, layout: np.ndarray) -> np.ndarray:
    rough = draw.chance(0.5) & (layout != 0)
    return np.where(rough, draw.log_uniform(0.02, 0.45), 0).astype(np.float32)


def _unrest(draw: _Draw) -> np.ndarray:
    restless = draw.chance(0.05, BOXES)
    return np.where(restless, draw.log_uniform(0.2, 4.0, BOXES), 0).astype(np.float32)


def _texture(draw: _Draw) -> np.ndarray:
    texture = np.exp(0.6 * draw.normal(BOXES))
    texture[:, SLABS:] = np.repeat(np.exp(0.6 * draw.normal(THINGS)), PARTS, axis=1)
    return texture.astype(np.float32)
