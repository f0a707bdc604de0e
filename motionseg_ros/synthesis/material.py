"""What a surface looks like, as a description: a named pattern, its seed, colours and scale."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Material:
    """A seeded procedural texture.

    `pattern` is a name in `patterns.PATTERNS`; `colours` are BGR, 0..255; `extent` (width, height) in metres
    is that of one tile, or of the whole facet where `tiled` is false. Raises ValueError for a size or scale
    that is not positive.
    """

    pattern: str
    colours: tuple[Colour, ...] = ((128, 128, 128),)
    seed: int = 0
    extent: tuple[float, float] = (4.0, 4.0)
    texels_per_metre: float = 200.0
    tiled: bool = True

    def __post_init__(self):
        if min(self.extent) <= 0 or self.texels_per_metre <= 0:
            raise ValueError(
                f"extent and scale must be positive but got {self.extent}, {self.texels_per_metre}"
            )
        if not self.colours or any(len(c) != 3 or not all(0 <= v <= 255 for v in c) for c in self.colours):
            raise ValueError(f"colours must be BGR triples in 0..255 but got {self.colours}")

    @property
    def shape(self) -> tuple[int, int]:
        """Texture size (height, width) in texels."""
        return tuple(max(2, math.ceil(x * self.texels_per_metre - 1e-6)) for x in reversed(self.extent))

    def fitted(self, extent: tuple[float, float]) -> Material:
        """The material for a facet of this extent: as it is if tiled, else stretched to it."""
        return (
            self
            if self.tiled
            else replace(self, extent=(round(float(extent[0]), 6), round(float(extent[1]), 6)))
        )
