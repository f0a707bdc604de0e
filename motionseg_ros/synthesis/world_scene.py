"""One of the simulator's random worlds as a scene, so that it can be rendered and really tracked.

Frames. `Worlds` has y down; a scene has z up, for its sky and light. The scene's world is the simulated world
levelled (gravity along -z), its origin at the newest frame's camera. The boxes' own axes are x right, y down, z
forward, those of bodies x forward, y left, z up: `OPTICAL_TO_BODY` maps both.
"""

from __future__ import annotations

import math

import numpy as np

from . import props
from .camera import PinholeCamera
from .geometry import SIDES, Body, Facet, box
from .material import Material
from .motion import Keyframes
from .poses import OPTICAL_TO_BODY, inverse
from .scene import MovingObject, Part, Prop, Scene
from .worlds import BOXES, SLABS, THINGS, Worlds

#: Tileable patterns, from few corners to many, and prints, which have them all over.
_TILED = ("plaster", "planks", "checker", "corrugated", "bricks", "pavers", "leaves")
_PRINTED = ("crate", "poster", "facade", "container", "coachwork", "door")
#: Texels per pixel at a surface's nearest point or middle, and the texels of a tile.
_SHARPNESS, _TILE = 1.5, 512
_LEAST_TEXELS, _MOST_TEXELS = 24, 640
_NEAREST = 0.4
#: Slabs that are level: ground and ceiling.
_LEVEL = (0, 4)


def scene_of(worlds: Worlds, index: int, seed: int, fps: float = 10.0) -> Scene:
    """World `index` as a scene whose frame i is frame i of the window.

    Things that move are the objects 1..N, in the order of their numbers, with their boxes as parts; slabs and
    things at rest are props. Textures and colours vary with `seed`. What a scene cannot show is left out: see
    `omitted`. The renderer does not draw surfaces nearer than its `near`; the simulator's is 0.05 m.

    Raises:
        IndexError: no such world.
        ValueError: a world with nothing in it, or `fps` that is not positive.
    """
    _check(worlds, index)
    if not fps > 0:
        raise ValueError(f"fps must be positive but got {fps}")
    frames = worlds.num_frames
    times = np.arange(frames) / fps
    level = _levelled(worlds, index)
    poses = level @ _box_poses(worlds, index) @ inverse(OPTICAL_TO_BODY)  # (P, T, 4, 4) body to scene
    rng = np.random.default_rng((seed, index, 79))
    static, moving = _sorted_boxes(worlds, index)
    bodies = {p: _body(worlds, index, p, rng) for p in [*static, *(p for boxes in moving for p in boxes)]}
    objects = []
    for number, boxes in enumerate(moving, start=1):
        base = poses[boxes[0]]
        parts = [Part(bodies[boxes[0]])]
        parts += [Part(bodies[p], Keyframes(times, inverse(base) @ poses[p])) for p in boxes[1:]]
        thing = int(worlds.thing[boxes[0]])
        objects.append(MovingObject(number, f"thing {thing}", tuple(parts), Keyframes(times, base)))

    camera = np.tile(np.eye(4), (frames, 1, 1))
    camera[:, :3, :3] = worlds.rotation[index].swapaxes(-1, -2)
    camera[:, :3, 3] = worlds.centre[index]
    height, width = map(int, worlds.sizes[index])
    focal = float(worlds.focal[index, -1])
    return Scene(
        f"world {index}",
        PinholeCamera(focal, focal, (width - 1) / 2, (height - 1) / 2, width, height),
        Keyframes(times, level @ camera @ inverse(OPTICAL_TO_BODY)),
        tuple(Prop(bodies[p], poses[p, -1]) for p in static),
        tuple(objects),
        fps,
        frames / fps,
        seed,
    )


def omitted(worlds: Worlds, index: int) -> list[str]:
    """Names of the world's properties that `scene_of` leaves out; the rest is the very same world.

    Zoom (the newest frame's focal length is kept), distortion, rolling shutter, wobble of soft things, unrest of
    surfaces, roughness of slabs. The density of corners is only roughly that of `texture`. The simulated sky is
    `FAR` away; the rendered one is at infinity.

    Raises:
        IndexError: no such world.
    """
    _check(worlds, index)
    present = _present(worlds, index)
    things = np.zeros(THINGS, bool)
    things[worlds.thing[present & (worlds.thing >= 0)]] = True
    effects = {
        "zoom": np.ptp(worlds.focal[index]) > 0,
        "distortion": worlds.distortion[index] != 0,
        "rolling": worlds.rolling[index] != 0,
        "wobble": (worlds.wobble[index] * things).any(),
        "unrest": (worlds.unrest[index] * present).any(),
        "roughness": worlds.roughness[index] != 0,
    }
    return [name for name, there in effects.items() if there]


def bodies_of(worlds: Worlds, index: int) -> tuple[np.ndarray, np.ndarray]:
    """How the scene of world `index` numbers the world's boxes.

    Returns:
        (B,) int64, the box that each of `Scene.bodies` shows; and (P,) int64, the object each box belongs to, 0
        for those that are at rest or not there.

    Raises:
        IndexError: no such world.
    """
    _check(worlds, index)
    static, moving = _sorted_boxes(worlds, index)
    labels = np.zeros(BOXES, np.int64)
    for number, boxes in enumerate(moving, start=1):
        labels[boxes] = number
    return np.array([*static, *(p for boxes in moving for p in boxes)], np.int64), labels


def local_points(worlds: Worlds, index: int, boxes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (n, 3) m of the newest frame's camera, on `boxes` (n,), in the frames (n, 3) of the scene's bodies."""
    centre, turn = worlds.box_centre[index, boxes, -1], worlds.box_rotation[index, boxes, -1]
    return np.einsum("nji,nj->ni", turn, points - centre) @ OPTICAL_TO_BODY[:3, :3].T


def _check(worlds: Worlds, index: int) -> None:
    if not 0 <= index < len(worlds):
        raise IndexError(f"world {index} of {len(worlds)}")


def _present(worlds: Worlds, index: int) -> np.ndarray:
    return worlds.half[index].min(-1) > 0


def _levelled(worlds: Worlds, index: int) -> np.ndarray:
    """World to scene (4, 4): the first slab, the ground, has its axes along gravity, even where it is not there."""
    down = np.eye(4)
    down[:3, :3] = worlds.box_rotation[index, 0, -1].T
    return OPTICAL_TO_BODY @ down


def _box_poses(worlds: Worlds, index: int) -> np.ndarray:
    """(P, T, 4, 4) float64, box to world."""
    poses = np.zeros((*worlds.box_centre.shape[1:3], 4, 4))
    poses[..., :3, :3] = worlds.box_rotation[index]
    poses[..., :3, 3] = worlds.box_centre[index]
    poses[..., 3, 3] = 1
    return poses


def _sorted_boxes(worlds: Worlds, index: int) -> tuple[list[int], list[list[int]]]:
    """Boxes at rest, and those of each thing that moves."""
    present = _present(worlds, index)
    moves = np.where(worlds.thing >= 0, worlds.moving[index, worlds.thing], False)
    static = np.flatnonzero(present & ~moves).tolist()
    things = [np.flatnonzero(present & moves & (worlds.thing == k)).tolist() for k in range(THINGS)]
    return static, [boxes for boxes in things if boxes]


def _body(worlds: Worlds, index: int, p: int, rng: np.random.Generator) -> Body:
    """Box `p`, textured, in the axes of bodies, its origin in its middle."""
    x, y, z = (float(v) for v in worlds.half[index, p])
    half = np.array([z, x, y])
    colour, second = (tuple(int(c) for c in rng.integers(70, 215, 3)) for _ in range(2))
    camera = local_points(worlds, index, np.array([p]), np.zeros((1, 3), np.float32))[0].astype(float)
    if p < SLABS:
        # As sharp as it is seen at its nearest; level ones are mostly seen from farther away.
        gap = float(np.linalg.norm(np.maximum(np.abs(camera) - half, 0)))
        distance = max(gap, _NEAREST) * (2.5 if p in _LEVEL else 1.0)
    else:
        distance = max(abs(float(worlds.box_centre[index, p, -1, 2])), _NEAREST)
    texels = _SHARPNESS * float(worlds.focal[index, -1]) / distance
    richness = math.log(float(worlds.texture[index, p])) / 0.6 + 0.7 * rng.standard_normal()
    seed = int(rng.integers(1 << 16))
    rank = int(np.clip((richness + 1.3) / 2.6 * len(_TILED), 0, len(_TILED) - 1))
    if p >= SLABS and rng.random() < 0.5 and richness > -0.7:
        most = _MOST_TEXELS / (2 * half.max())
        least = _LEAST_TEXELS / (2 * half.min())
        texels = min(max(texels, least), max(most, least))
        pattern = _PRINTED[int(rng.integers(len(_PRINTED)))]
        return box(
            2 * half, (0, 0, 0), props.printed(pattern, colour, second, seed=seed, texels_per_metre=texels)
        )
    material = props.tiled(_TILED[rank], colour, second, seed=seed, tile=_TILE / texels, texels=_TILE)
    return box(2 * half, (0, 0, 0), material) if p >= SLABS else _slab(half, camera, material)


def _slab(half: np.ndarray, camera: np.ndarray, material: Material) -> Body:
    """Box whose textures start at each face's point that is nearest to the camera (3,).

    A slab is up to 800 m long, and texture coordinates must stay small where texels are looked at closely:
    OpenCV's warp has 16 bits for them.
    """
    faces = []
    for direction in SIDES.values():
        normal = np.asarray(direction, float)
        up = np.array([0.0, 0.0, 1.0]) if normal[2] == 0 else np.array([1.0, 0.0, 0.0])
        right = np.cross(up, normal)
        down = np.cross(right, normal)
        foot = np.where(normal != 0, normal * half, np.clip(camera, -half, half))
        reach = np.abs([right @ half, down @ half])
        signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
        corners = signs * reach - [foot @ right, foot @ down]
        faces.append(Facet(foot, right, down, corners, material))
    return Body(tuple(faces))
