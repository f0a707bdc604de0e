"""Which facet each pixel sees, exactly at pixel centres.

The inverse depth of a plane is affine in the pixel, and so is each of its edges times the inverse depth
(Olano and Greer, "Triangle Scan Conversion using 2D Homogeneous Coordinates", 1997). So coverage and depth of
a facet that crosses the near plane need no clipping; clipping serves to bound the pixels to look at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .camera import PinholeCamera
from .geometry import Facet
from .poses import inverse


@dataclass(frozen=True, eq=False)
class FacetTable:
    """All facets of a scene, stacked. `body` (F,): index of the body; `frames` (F, 3, 3): columns right,
    down, origin in the body frame; `corners` (F, E, 3) in the body frame, the last repeated; `edges`: half
    planes of each, (n, 3).
    """

    facets: tuple[Facet, ...]
    body: np.ndarray
    frames: np.ndarray
    corners: np.ndarray
    normals: np.ndarray

    @classmethod
    def of(cls, bodies) -> FacetTable:
        """Table of (object_id, body) pairs, as in `Scene.bodies`."""
        facets = tuple(facet for _, body in bodies for facet in body.facets)
        owner = [index for index, (_, body) in enumerate(bodies) for _ in body.facets]
        most = max(len(facet.polygon) for facet in facets)
        corners = [np.pad(f.corners, ((0, most - len(f.polygon)), (0, 0)), mode="edge") for f in facets]
        frames = [np.column_stack((facet.right, facet.down, facet.origin)) for facet in facets]
        return cls(
            facets, np.array(owner), np.array(frames), np.array(corners), np.array([f.normal for f in facets])
        )


@dataclass(frozen=True, eq=False)
class View:
    """The facets that may be seen in one frame, nearest first.

    `index` (n,): into the table; `plane` (n, 3, 3): maps a pixel (u, v, 1) to (a / z, b / z, 1 / z), with (a,
    b) the plane coordinates in metres and z the depth; `boxes` (n, 4): x0, y0, x1, y1, the pixels they may
    cover, x1 and y1 excluded, as floats; `closest` (n,): upper bounds of their inverse depths; `distance`
    (n,): of their planes from the camera, metres; `normals` (n, 3) in the world.
    """

    index: np.ndarray
    plane: np.ndarray
    boxes: np.ndarray
    closest: np.ndarray
    distance: np.ndarray
    normals: np.ndarray


def clip_near(polygon: np.ndarray, near: float) -> np.ndarray:
    """The part (m, 3) of a polygon (n, 3) in the optical frame with z >= near; m = 0 where none is
    (Sutherland-Hodgman).
    """
    kept = []
    for first, second in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if first[2] >= near:
            kept.append(first)
        if (first[2] >= near) != (second[2] >= near):
            kept.append(first + (near - first[2]) / (second[2] - first[2]) * (second - first))
    return np.array(kept).reshape(-1, 3)


def view_facets(
    table: FacetTable, body_poses: np.ndarray, camera_to_world: np.ndarray, camera: PinholeCamera, near: float
) -> View:
    """Cull what is turned away, behind the near plane or outside the image; set up the rest. `body_poses` (B,
    4, 4).
    """
    to_camera = (inverse(camera_to_world) @ body_poses)[table.body]
    turn, shift = to_camera[:, :3, :3], to_camera[:, :3, 3]
    frames = turn @ table.frames
    frames[:, :, 2] += shift
    distance = np.linalg.det(frames)  # origin . (right x down): of the camera in front of the plane
    corners = np.einsum("fij,fej->fei", turn, table.corners) + shift[:, None]
    wide = (camera.width / camera.fx, camera.height / camera.fy)
    left, top = (camera.cx + 0.5) / camera.fx, (camera.cy + 0.5) / camera.fy
    x, y, z = np.moveaxis(corners, -1, 0)
    outside = [x + left * z, (wide[0] - left) * z - x, y + top * z, (wide[1] - top) * z - y, z - near]
    seen = (distance > 1e-6) & np.all([side.max(axis=1) >= 0 for side in outside], axis=0)
    index = np.flatnonzero(seen)
    index = index[np.argsort(z[index].mean(axis=1), kind="stable")]
    boxes = np.array([_bounding_box(corners[i], camera, near) for i in index]).reshape(-1, 4)
    closest = 1.0001 / np.maximum(z[index].min(axis=1), near)
    plane = np.linalg.inv(frames[index]) @ np.linalg.inv(camera.matrix)
    rotations = body_poses[table.body[index], :3, :3]
    normals = np.einsum("nij,nj->ni", rotations, table.normals[index])
    return View(index, plane, boxes, closest, distance[index], normals)


def _bounding_box(corners: np.ndarray, camera: PinholeCamera, near: float) -> np.ndarray:
    if corners[:, 2].min() < near:
        corners = clip_near(corners, near)
    u = camera.fx * corners[:, 0] / corners[:, 2] + camera.cx
    v = camera.fy * corners[:, 1] / corners[:, 2] + camera.cy
    return np.array([u.min(), v.min(), u.max(), v.max()])


def sample_grid(factor: int) -> np.ndarray:
    """Matrix (3, 3) from the pixels of an image `factor` times finer to pixels: samples fill each pixel
    evenly.
    """
    return np.array([[1 / factor, 0, 0.5 / factor - 0.5], [0, 1 / factor, 0.5 / factor - 0.5], [0, 0, 1.0]])


def sample_boxes(boxes: np.ndarray, factor: int, camera: PinholeCamera) -> list[tuple[int, int, int, int]]:
    """Integer boxes x0, y0, x1, y1 (ends excluded) of the fine samples that float boxes (n, 4) of pixels may
    hold.
    """
    limit = np.array([camera.width, camera.height] * 2) * factor
    fine = (boxes + 0.5) * factor - 0.5
    ends = np.concatenate((np.floor(fine[:, :2]), np.ceil(fine[:, 2:]) + 1), axis=1)
    return [tuple(box) for box in np.clip(ends, 0, limit).astype(int).tolist()]


def row_spans(lines: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last column (len(rows),) float, in each row, where all lines (n, 3) . (column, row, 1) >= 0."""
    slope = lines[:, :1]
    slope = np.where(
        np.abs(slope) < 1e-15, 1e-15, slope
    )  # level lines: their bounds are far out, on the right side
    bound = (lines[:, 1:2] * rows + lines[:, 2:]) / -slope
    rising = slope[:, 0] > 0
    return bound[rising].max(axis=0, initial=-np.inf), bound[~rising].min(axis=0, initial=np.inf)


def rasterise(
    table: FacetTable, view: View, camera: PinholeCamera, near: float, factor: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Visible surfaces at `factor` x `factor` samples a pixel.

    Returns facets (h * factor, w * factor) uint16, 0 where nothing is hit, else 1 + position in the view; and
    inverse depths, likewise, float32 1/m, 0 where nothing is hit.
    """
    size = (camera.height * factor, camera.width * factor)
    nearest = np.zeros(size, np.float32)
    owner = np.zeros(size, np.uint16)
    grid = sample_grid(factor)
    boxes = sample_boxes(view.boxes, factor, camera)
    for position, (index, plane, (x0, y0, x1, y1)) in enumerate(
        zip(view.index, view.plane, boxes, strict=True)
    ):
        if x0 >= x1 or y0 >= y1:
            continue
        part = np.s_[y0:y1, x0:x1]
        if nearest[part].min() > view.closest[position]:
            continue  # hidden behind what is drawn already
        plane = plane @ grid
        lines = np.vstack((table.facets[index].edges @ plane, plane[2], (0, 0, 1 / near) - plane[2]))
        rows, columns = np.arange(y0, y1), np.arange(x0, x1, dtype=np.int32)
        first, last = row_spans(lines, rows)
        first = np.ceil(np.maximum(first, x0)[:, None].clip(max=x1)).astype(np.int32)
        last = np.floor(np.minimum(last, x1)[:, None].clip(min=-1)).astype(np.int32)
        down = plane[2, 1] * rows + plane[2, 2]
        depth = (plane[2, 0] * columns).astype(np.float32) + down.astype(np.float32)[:, None]
        closer = depth > nearest[part]
        closer &= columns >= first
        closer &= columns <= last
        np.copyto(nearest[part], depth, where=closer)
        np.copyto(owner[part], np.uint16(position + 1), where=closer)
    return owner, nearest
