"""Software renderer: images with exact labels, depths and poses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from .poses import inverse
from .scene import Scene
from .shading import paint_facet, paint_shadow, paint_sky
from .textures import build_texture
from .visibility import FacetTable, View, rasterise, sample_boxes, sample_grid, view_facets


@dataclass(frozen=True, eq=False)
class RenderedFrame:
    """One frame and its truth, all arrays aligned.

    `image` (h, w, 3) uint8 BGR; `labels` (h, w) uint16, 0 background, else the object id, by the surface at
    the pixel's centre; `depth` (h, w) float32, metres along the optical axis at the pixel's centre, inf for
    sky; `camera_to_world` (4, 4) float64; `time` in seconds.
    """

    image: np.ndarray
    labels: np.ndarray
    depth: np.ndarray
    camera_to_world: np.ndarray
    time: float


class Renderer:
    """Draws the frames of a scene, in any order; the same frame is always the same.

    `supersampling`: colour samples per pixel and axis, averaged. Labels and depths are not averaged. Surfaces
    nearer than `near` metres are not drawn.
    """

    def __init__(self, scene: Scene, supersampling: int = 2, near: float = 0.1):
        if supersampling < 1 or near <= 0:
            raise ValueError(f"need supersampling >= 1 and near > 0 but got {supersampling} and {near}")
        self.scene = scene
        self.supersampling = supersampling
        self.near = near
        self._table = FacetTable.of(scene.bodies)
        self._labels = np.array([owner for owner, _ in scene.bodies], np.uint16)[self._table.body]
        self._ground = np.array([facet.ground for facet in self._table.facets])
        self._textures = [build_texture(facet.material) for facet in self._table.facets]

    def render(self, index: int) -> RenderedFrame:
        """Frame `index`. Raises IndexError outside the scene."""
        scene, camera = self.scene, self.scene.camera
        time = scene.time_of(index)
        camera_to_world = scene.camera_pose(time)
        view = view_facets(self._table, scene.body_poses(time), camera_to_world, camera, self.near)
        labels, depth = self._truth(view)
        instants = scene.sensor.instants(time)
        image = self._exposed(instants) if len(instants) > 1 else self._picture(view, time, camera_to_world)
        rng = np.random.default_rng((scene.seed, index))
        return RenderedFrame(scene.sensor.apply(image, time, rng), labels, depth, camera_to_world, time)

    def __len__(self) -> int:
        return self.scene.num_frames

    def __iter__(self) -> Iterator[RenderedFrame]:
        return (self.render(index) for index in range(len(self)))

    def _truth(self, view: View) -> tuple[np.ndarray, np.ndarray]:
        """Labels (h, w) and depths (h, w) at pixel centres."""
        owner, nearest = rasterise(self._table, view, self.scene.camera, self.near)
        labels = np.concatenate((np.zeros(1, np.uint16), self._labels[view.index]))[owner]
        with np.errstate(divide="ignore"):
            return labels, np.float32(1) / nearest

    def _exposed(self, instants: np.ndarray) -> np.ndarray:
        """The mean (h, w, 3) of the pictures at these times (n,): what an open shutter collects."""
        scene, camera = self.scene, self.scene.camera
        total = np.zeros((camera.height, camera.width, 3), np.float32)
        for time in instants.tolist():
            camera_to_world = scene.camera_pose(time)
            view = view_facets(self._table, scene.body_poses(time), camera_to_world, camera, self.near)
            total += self._picture(view, time, camera_to_world)
        return np.rint(total / len(instants)).astype(np.uint8)

    def _picture(self, view: View, time: float, camera_to_world: np.ndarray) -> np.ndarray:
        """The image (h, w, 3) before the sensor."""
        camera, factor = self.scene.camera, self.supersampling
        owner, nearest = rasterise(self._table, view, camera, self.near, factor)
        image = np.empty((*owner.shape, 4), np.uint8)
        self._sky(image, owner, camera_to_world)
        gains = self.scene.light.gains(view.normals)
        grid = sample_grid(factor)
        boxes = sample_boxes(view.boxes, factor, camera)
        for position, (index, (x0, y0, x1, y1)) in enumerate(zip(view.index, boxes, strict=True)):
            seen = owner[y0:y1, x0:x1] == position + 1
            x, y, width, height = cv2.boundingRect(seen.view(np.uint8)) if seen.size else (0, 0, 0, 0)
            if width == 0:
                continue
            x0, y0 = x0 + x, y0 + y
            part = np.s_[y0 : y0 + height, x0 : x0 + width]
            paint_facet(
                image[part], seen[y : y + height, x : x + width], nearest[part], self._textures[index],
                view.plane[position] @ grid, view.distance[position], gains[position], (x0, y0),
            )  # fmt: skip
        ground = np.concatenate(([False], self._ground[view.index]))[owner]
        self._shadows(image, ground, time, camera_to_world)
        image = cv2.resize(image, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
        return cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)

    def _sky(self, image: np.ndarray, owner: np.ndarray, camera_to_world: np.ndarray) -> None:
        """Sky into `image`, in the rows down to the last with a free sample in `owner` (h, w)."""
        free = np.flatnonzero((owner == 0).any(axis=1))
        if len(free):
            rows = free[-1] // self.supersampling + 1
            sky = paint_sky(self.scene.camera, camera_to_world, rows)
            if self.scene.light.sky != 1:
                sky = cv2.convertScaleAbs(sky, alpha=self.scene.light.sky)
            fine = (owner.shape[1], rows * self.supersampling)
            image[: fine[1]] = cv2.resize(sky, fine, interpolation=cv2.INTER_LINEAR)

    def _shadows(
        self, image: np.ndarray, ground: np.ndarray, time: float, camera_to_world: np.ndarray
    ) -> None:
        """Contact shadows into `image`, on the samples that are `ground`."""
        scene, to_camera = self.scene, inverse(camera_to_world)
        things = [(prop.pose, prop.footprint) for prop in scene.background]
        things += [(item.motion.pose(time), item.footprint) for item in scene.objects]
        for body_to_world, footprint in things:
            if footprint is not None and scene.light.shadow > 0:
                paint_shadow(
                    image, ground, scene.camera, self.supersampling, to_camera @ body_to_world, footprint,
                    scene.light.shadow, self.near,
                )  # fmt: skip


def render(scene: Scene, supersampling: int = 2) -> Iterator[RenderedFrame]:
    """All frames of a scene, in order."""
    return iter(Renderer(scene, supersampling))
