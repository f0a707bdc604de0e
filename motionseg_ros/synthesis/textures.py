"""From a material to a texture: an image with its mip levels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

import cv2
import numpy as np

from .material import Material
from .patterns import TILEABLE
from .prints import PRINTS

PATTERNS = {**TILEABLE, **PRINTS}


@dataclass(frozen=True, eq=False)
class Texture:
    """`levels`: BGRA uint8 images (OpenCV warps four channels faster than three), each half the one before.
    `scale` (2,): texels of level 0 per metre (x, y).
    """

    levels: tuple[np.ndarray, ...]
    scale: tuple[float, float]
    tiled: bool

    def from_metres(self, level: int) -> np.ndarray:
        """Matrix (3, 3) from homogeneous plane metres to the pixels (centres at integers) of mip level
        `level`.
        """
        height, width = self.levels[level].shape[:2]
        full_height, full_width = self.levels[0].shape[:2]
        x, y = self.scale[0] * width / full_width, self.scale[1] * height / full_height
        return np.array([[x, 0.0, -0.5], [0.0, y, -0.5], [0.0, 0.0, 1.0]])


@lru_cache(maxsize=256)
def build_texture(material: Material) -> Texture:
    """Texture of a material, the same for equal materials. Raises ValueError for an unknown pattern."""
    if material.pattern not in PATTERNS:
        raise ValueError(f"unknown pattern {material.pattern!r}: choose from {sorted(PATTERNS)}")
    if material.tiled and material.pattern not in TILEABLE:
        raise ValueError(f"pattern {material.pattern!r} does not tile")
    rng = np.random.default_rng((crc32(material.pattern.encode()), material.seed))
    image = PATTERNS[material.pattern](rng, material.shape, material.colours)
    height, width = image.shape[:2]
    scale = (width / material.extent[0], height / material.extent[1])
    return Texture(tuple(mip_levels(cv2.cvtColor(image, cv2.COLOR_BGR2BGRA))), scale, material.tiled)


def mip_levels(image: np.ndarray, smallest: int = 2) -> list[np.ndarray]:
    """The image (h, w, 4) and its halvings by area averaging, until a side is `smallest` texels or less."""
    levels = [np.ascontiguousarray(image)]
    while min(levels[-1].shape[:2]) > smallest:
        height, width = levels[-1].shape[:2]
        size = (max(1, width // 2), max(1, height // 2))
        levels.append(cv2.resize(levels[-1], size, interpolation=cv2.INTER_AREA))
    for level in levels:
        level.setflags(write=False)
    return levels
