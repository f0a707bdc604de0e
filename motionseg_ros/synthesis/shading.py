"""Colours of visible surfaces: trilinear texture lookup by homographies, sunlight, contact shadows, sky."""

from __future__ import annotations

import math

import cv2
import numpy as np

from .camera import PinholeCamera
from .material import Material
from .textures import Texture, build_texture
from .visibility import sample_grid

CLOUDS = Material(
    "sky", ((226, 190, 150), (240, 238, 236)), seed=5, extent=(64.0, 64.0), texels_per_metre=8.0
)
HAZE = np.array((225.0, 214.0, 205.0, 255.0), np.float32)
#: How far anisotropic footprints push the mip level up: 0 sharp, may flicker; 0.5 blurred, never does.
GRAZING = 0.25
#: Facets whose mip levels differ by less are looked up at one level: quicker.
FLAT = 0.15


def mip_level(texture: Texture, plane: np.ndarray, inverse_depth, distance: float) -> np.ndarray:
    """Mip level of samples, in the shape of `inverse_depth` (1/m): it falls with it.

    From the area of a sample's footprint, |det plane| z^3, and from the inclination z / distance of the
    surface. `plane` (3, 3) from samples to homogeneous plane metres, `distance` of the plane to the camera in
    m.
    """
    area = abs(np.linalg.det(plane)) * texture.scale[0] * texture.scale[1]
    log_depth = -np.log2(np.maximum(inverse_depth, np.float32(1e-4)))
    level = 0.5 * math.log2(area) + 1.5 * log_depth
    level += GRAZING * np.maximum(log_depth - math.log2(distance), 0)
    return np.clip(level, 0, len(texture.levels) - 1)


def paint_facet(
    image: np.ndarray, seen: np.ndarray, inverse_depth: np.ndarray, texture: Texture, plane: np.ndarray,
    distance: float, gain: float, corner: tuple[int, int],
) -> None:  # fmt: skip
    """Draw one facet into `image` (h, w, 4) where `seen` (h, w) bool; `corner` (x, y) is the sample of
    image[0, 0].

    `plane` (3, 3) maps samples of the whole grid to homogeneous plane metres. Blends the two nearest mip
    levels.
    """
    far, close, _, _ = cv2.minMaxLoc(inverse_depth, seen.view(np.uint8))
    lowest, highest = (float(mip_level(texture, plane, x, distance)) for x in (close, far))
    local = plane @ np.array([[1, 0, corner[0]], [0, 1, corner[1]], [0, 0, 1.0]])
    if highest - lowest < FLAT:
        colour = _constant_level(texture, local, (0, 0, *seen.shape[::-1]), (lowest + highest) / 2, gain)
        cv2.copyTo(colour, seen.view(np.uint8), image)
        return
    level = mip_level(texture, plane, inverse_depth, distance)
    for base in range(int(lowest), int(highest) + 1):
        band = (seen & (level >= base) & (level < base + 1)).view(np.uint8)
        box = cv2.boundingRect(band)
        if box[2] == 0:
            continue
        part = np.s_[box[1] : box[1] + box[3], box[0] : box[0] + box[2]]
        colour = _lookup(texture, base, local, box)
        if highest > base and base + 1 < len(texture.levels):
            share = np.clip(level[part] - base, 0, 1)
            colour = cv2.blendLinear(colour, _lookup(texture, base + 1, local, box), 1 - share, share)
        cv2.copyTo(cv2.convertScaleAbs(colour, alpha=gain), band[part], image[part])


def _constant_level(texture: Texture, plane: np.ndarray, box, level: float, gain: float) -> np.ndarray:
    """Colours (h, w, 4) of a box of samples, all at the same fractional mip level."""
    base = int(level)
    colour, share = _lookup(texture, base, plane, box), level - base
    if share < 0.02:
        return cv2.convertScaleAbs(colour, alpha=gain)
    return cv2.addWeighted(
        colour, gain * (1 - share), _lookup(texture, base + 1, plane, box), gain * share, 0
    )


def _lookup(texture: Texture, level: int, plane: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    x, y, width, height = box
    matrix = texture.from_metres(level) @ plane @ np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])
    return cv2.warpPerspective(
        texture.levels[level], matrix, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_WRAP if texture.tiled else cv2.BORDER_REPLICATE,
    )  # fmt: skip


def paint_shadow(
    image: np.ndarray, ground: np.ndarray, camera: PinholeCamera, factor: int, body_to_camera: np.ndarray,
    footprint: tuple[float, float], strength: float, near: float,
) -> None:  # fmt: skip
    """Darken the ground, `ground` (h, w) bool samples, in `image` (h, w, 4) under a body of `footprint`
    (length, width) m.
    """
    half = 0.5 * np.asarray(footprint) + 0.25
    signs = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]])
    corners = np.column_stack((signs * half, np.zeros(4))) @ body_to_camera[:3, :3].T + body_to_camera[:3, 3]
    if corners[:, 2].min() < near:
        return  # under the camera itself
    pixels, _ = camera.project(corners)
    fine = (pixels + 0.5) * factor - 0.5
    x0, y0 = np.maximum(np.floor(fine.min(axis=0)).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(fine.max(axis=0)).astype(int) + 1, ground.shape[::-1])
    if x0 >= x1 or y0 >= y1:
        return
    texels = 64 / (2 * half)
    to_texels = np.array([[texels[0], 0, 31.5], [0, texels[1], 31.5], [0, 0, 1]])
    frame = body_to_camera[:3, [0, 1, 3]]
    plane = to_texels @ np.linalg.inv(frame) @ np.linalg.inv(camera.matrix) @ sample_grid(factor)
    matrix = plane @ np.array([[1, 0, x0], [0, 1, y0], [0, 0, 1.0]])
    alpha = cv2.warpPerspective(
        _soft_square(), matrix, (int(x1 - x0), int(y1 - y0)), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    part = np.s_[y0:y1, x0:x1]
    keep = 1 - strength * alpha * ground[part]
    image[part] = cv2.multiply(image[part], cv2.merge([keep] * 4), dtype=cv2.CV_8U)


def _soft_square() -> np.ndarray:
    """Opacity (64, 64) float32: 1 in the middle, 0 at the border."""
    inside = np.zeros((64, 64), np.float32)
    inside[13:51, 13:51] = 1
    return cv2.GaussianBlur(inside, (0, 0), 4.5)


def paint_sky(camera: PinholeCamera, camera_to_world: np.ndarray, rows: int) -> np.ndarray:
    """First `rows` rows (rows, w, 4) uint8 of the sky, by direction only: clouds overhead that fade into haze
    at the horizon.
    """
    turn = camera_to_world[:3, :3]
    rays = turn @ np.linalg.inv(camera.matrix)  # pixel to world direction
    texture = build_texture(CLOUDS)
    ceiling = np.diag([40.0, 40.0, 1.0]) @ rays
    matrix = texture.from_metres(1) @ ceiling
    size = (camera.width, rows)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    clouds = cv2.warpPerspective(texture.levels[1], matrix, size, flags=flags, borderMode=cv2.BORDER_WRAP)
    u, v = np.arange(camera.width), np.arange(rows)[:, None]
    norm = np.sqrt(1 + ((u - camera.cx) / camera.fx) ** 2 + ((v - camera.cy) / camera.fy) ** 2)
    elevation = (rays[2, 0] * u + rays[2, 1] * v + rays[2, 2]) / norm
    share = np.clip((elevation - 0.02) / 0.35, 0, 1)[..., None].astype(np.float32)
    return (HAZE + share * (clouds - HAZE)).astype(np.uint8)
