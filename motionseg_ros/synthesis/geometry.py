"""Planar textured facets, and bodies made of them: all in metres, in the body frame (x forward, y left, z
up).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .material import Material
from .poses import transform


@dataclass(frozen=True, eq=False)
class Facet:
    """A convex polygon in a plane, textured, seen from its front only.

    `polygon` (n >= 3, 2) in metres, in plane coordinates (right, down) as seen from the front; a plane point
    (a, b) is at origin + a * right + b * down in the body frame, and shows the texture at (a, b) metres from
    its top left. Raises ValueError for a polygon that is not convex, or directions that are not orthonormal.
    """

    origin: np.ndarray
    right: np.ndarray
    down: np.ndarray
    polygon: np.ndarray
    material: Material
    ground: bool = False
    edges: np.ndarray = field(init=False, repr=False)

    def __post_init__(self):
        origin, right, down, polygon = (
            np.asarray(x, np.float64) for x in (self.origin, self.right, self.down, self.polygon)
        )
        if polygon.ndim != 2 or polygon.shape[1] != 2 or len(polygon) < 3:
            raise ValueError(f"polygon must be (n >= 3, 2) but got {polygon.shape}")
        gram = np.array([right @ right, down @ down, right @ down])
        if not np.allclose(gram, (1, 1, 0), atol=1e-9):
            raise ValueError("right and down must be unit vectors at right angles")
        edges = _half_planes(polygon)
        arrays = {"origin": origin, "right": right, "down": down, "polygon": polygon, "edges": edges}
        for name, value in arrays.items():
            value.setflags(write=False)
            object.__setattr__(self, name, value)

    @property
    def normal(self) -> np.ndarray:
        """Unit normal (3,) towards the side from which the facet is seen."""
        return np.cross(self.down, self.right)

    @property
    def corners(self) -> np.ndarray:
        """Corners (n, 3) in the body frame."""
        return self.lift(self.polygon)

    @property
    def area(self) -> float:
        """Area in square metres."""
        x, y = self.polygon.T
        return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))

    def lift(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) in the body frame of plane points (..., 2)."""
        return self.origin + points[..., :1] * self.right + points[..., 1:] * self.down

    def moved(self, matrix: np.ndarray) -> Facet:
        """The facet after the rigid pose `matrix` (4, 4)."""
        turn = matrix[:3, :3]
        return Facet(
            transform(matrix, self.origin),
            turn @ self.right,
            turn @ self.down,
            self.polygon,
            self.material,
            self.ground,
        )


def _half_planes(polygon: np.ndarray) -> np.ndarray:
    """Lines (n, 3) with line . (a, b, 1) >= 0 inside the convex polygon (n, 2), in metres to the edge."""
    step = np.roll(polygon, -1, axis=0) - polygon
    length = np.linalg.norm(step, axis=1)
    if length.min() < 1e-9:
        raise ValueError("polygon has equal neighbouring corners")
    normals = np.column_stack((-step[:, 1], step[:, 0])) / length[:, None]
    normals *= np.sign(normals[0] @ (polygon.mean(axis=0) - polygon[0]))
    lines = np.column_stack((normals, -np.einsum("ij,ij->i", normals, polygon)))
    if (polygon @ normals.T + lines[:, 2]).min() < -1e-9:
        raise ValueError("polygon must be convex")
    return lines


@dataclass(frozen=True, eq=False)
class Body:
    """A rigid set of facets."""

    facets: tuple[Facet, ...]

    def __post_init__(self):
        if not self.facets:
            raise ValueError("a body needs at least one facet")

    def moved(self, matrix: np.ndarray) -> Body:
        """The body after the rigid pose `matrix` (4, 4)."""
        return Body(tuple(facet.moved(matrix) for facet in self.facets))

    @property
    def bounds(self) -> np.ndarray:
        """Lowest and highest corner coordinates (2, 3)."""
        corners = np.vstack([facet.corners for facet in self.facets])
        return np.stack((corners.min(axis=0), corners.max(axis=0)))


def merge(*bodies: Body) -> Body:
    """One body of all the facets of `bodies`."""
    return Body(tuple(facet for body in bodies for facet in body.facets))


def rectangle(centre, normal, size, material: Material, ground: bool = False) -> Facet:
    """Upright rectangle `size` (width, height) around `centre`, its front towards `normal` (an axis-free unit
    vector).

    The top edge is level; with a vertical normal, the texture's up is the body's x axis.
    """
    normal = np.asarray(normal, np.float64) / np.linalg.norm(normal)
    up = np.array([0.0, 0.0, 1.0]) if abs(normal[2]) < 0.99 else np.array([np.sign(normal[2]), 0.0, 0.0])
    right = np.cross(up, normal)
    right /= np.linalg.norm(right)
    down = np.cross(right, normal)
    width, height = size
    origin = np.asarray(centre, np.float64) - right * width / 2 - down * height / 2
    corners = np.array([[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]])
    return Facet(origin, right, down, corners, material, ground)


#: Outward normals of a box's sides.
SIDES = {
    "front": (1, 0, 0),
    "back": (-1, 0, 0),
    "left": (0, 1, 0),
    "right": (0, -1, 0),
    "top": (0, 0, 1),
    "bottom": (0, 0, -1),
}


def box(size, centre, material: Material, **sides: Material | None) -> Body:
    """Box of `size` (length x, width y, height z) around `centre`; `front=`, `top=`, ... override a side's
    material.

    A side given as None is left out. Materials that are not tiled are stretched to each side.
    """
    unknown = set(sides) - set(SIDES)
    if unknown:
        raise ValueError(f"unknown sides {sorted(unknown)}: choose from {list(SIDES)}")
    size, centre = np.asarray(size, np.float64), np.asarray(centre, np.float64)
    extents = {0: (size[1], size[2]), 1: (size[0], size[2]), 2: (size[1], size[0])}
    facets = []
    for name, direction in SIDES.items():
        chosen = sides.get(name, material)
        if chosen is not None:
            direction = np.asarray(direction, np.float64)
            extent = extents[int(np.argmax(np.abs(direction)))]
            facets.append(rectangle(centre + direction * size / 2, direction, extent, chosen.fitted(extent)))
    return Body(tuple(facets))


def prism(profile, length: float, rim: Material, cap: Material) -> Body:
    """Convex `profile` (n, 2) in (x, z), extruded along y from -length / 2 to length / 2: wheels, car bodies,
    posts.

    The rim's facets carry `rim`, the two ends `cap`. The profile may run either way round.
    """
    profile = np.asarray(profile, np.float64)
    low, high = profile.min(axis=0), profile.max(axis=0)
    facets = []
    for sign in (-1.0, 1.0):  # y = -length/2 is seen from the right (-y): texture right is +x there
        right = np.array([-sign, 0.0, 0.0])
        origin = np.array([low[0] if sign < 0 else high[0], sign * length / 2, high[1]])
        polygon = np.column_stack((-sign * (profile[:, 0] - origin[0]), high[1] - profile[:, 1]))
        facets.append(Facet(origin, right, (0.0, 0.0, -1.0), polygon, cap.fitted(tuple(high - low))))
    middle = profile.mean(axis=0)
    for first, second in zip(profile, np.roll(profile, -1, axis=0), strict=True):
        step = second - first
        width = float(np.hypot(*step))
        along = np.array([step[0], 0.0, step[1]]) / width
        outward = np.cross(along, (0.0, 1.0, 0.0))
        start = np.array([first[0], 0.0, first[1]])
        if outward @ (start - np.array([middle[0], 0.0, middle[1]])) < 0:
            outward = -outward
        down = np.cross(along, outward)  # makes normal = down x along = outward
        corners = np.array([[0, 0], [width, 0], [width, length], [0, length]], np.float64)
        facets.append(Facet(start - down * length / 2, along, down, corners, rim.fitted((width, length))))
    return Body(tuple(facets))


def disc(radius: float, corners: int = 12) -> np.ndarray:
    """Regular polygon (corners, 2) around the origin."""
    angles = 2 * np.pi * (np.arange(corners) + 0.5) / corners
    return radius * np.column_stack((np.cos(angles), np.sin(angles)))
