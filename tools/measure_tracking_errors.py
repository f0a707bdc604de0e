"""Measures what the Lucas-Kanade tracker does wrong, on rendered scenes with known truth.

python tools/measure_tracking_errors.py measure /tmp/te          (renders, tracks, one table per scene; minutes)
python tools/measure_tracking_errors.py report /tmp/te           (figures as JSON and as tables)
python tools/measure_tracking_errors.py real ../shared/data OUT  (statistics of tracker output on real video)
python tools/measure_tracking_errors.py worlds                   (the tracker and the simulator on the same worlds)

Every length is in pixels of the working image (longer side 432), every speed in such pixels per frame.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from scipy.optimize import minimize
from scipy.spatial import cKDTree

from motionseg_ros.core.config import Config
from motionseg_ros.core.types import Frame
from motionseg_ros.core.window import SlidingWindow
from motionseg_ros.synthesis import PinholeCamera, Prop, Renderer, Scene, get_scene, props
from motionseg_ros.synthesis.motion import Drive, Route, Schedule, Sway
from motionseg_ros.synthesis.poses import inverse, pose
from motionseg_ros.synthesis.props import tiled
from motionseg_ros.synthesis.sensor import SensorModel
from motionseg_ros.synthesis.simulator import _directions, _project, cast, follow_worlds
from motionseg_ros.synthesis.street import street
from motionseg_ros.synthesis.textures import build_texture
from motionseg_ros.synthesis.tracker_model import TrackerModel
from motionseg_ros.synthesis.visibility import FacetTable, rasterise, view_facets
from motionseg_ros.synthesis.world_scene import bodies_of, scene_of
from motionseg_ros.synthesis.worlds import Worlds, draw_worlds
from motionseg_ros.tracking.lucas_kanade import LucasKanadeTracker

app = typer.Typer(add_completion=False, no_args_is_help=True)

NEAR = 0.1
REACH = 12
"""Distance to which boundaries are looked for, px."""
ALIVE, LOST, CROWDED, OUTSIDE = 0, 1, 2, 3


# ---------------------------------------------------------------------------------------------- truth


def working_camera(camera: PinholeCamera, size: tuple[int, int]) -> PinholeCamera:
    """The camera of the image scaled to `size` (height, width) px; pixel centres map to pixel centres."""
    height, width = size
    sx, sy = width / camera.width, height / camera.height
    return PinholeCamera(
        camera.fx * sx,
        camera.fy * sy,
        (camera.cx + 0.5) * sx - 0.5,
        (camera.cy + 0.5) * sy - 0.5,
        width,
        height,
    )


@dataclass(frozen=True, eq=False)
class Anchors:
    """Points that stick to surfaces: `body` (n,) index of the body (the last one is the sky), `facet` (n,) index
    into the table or -1, `local` (n, 4) homogeneous in the body's frame, metres (fourth 0: a direction).
    """

    body: np.ndarray
    facet: np.ndarray
    local: np.ndarray

    def take(self, index: np.ndarray) -> Anchors:
        return Anchors(self.body[index], self.facet[index], self.local[index])

    @staticmethod
    def join(items: list[Anchors]) -> Anchors:
        return Anchors(*(np.concatenate([getattr(i, k) for i in items]) for k in ("body", "facet", "local")))


class Truth:
    """What is seen at one time: `owner` (h, w) body index, `inverse_depth` (h, w) 1/m, 0 for sky."""

    def __init__(self, scene: Scene, table: FacetTable, camera: PinholeCamera, t: float) -> None:
        self.camera = camera
        poses = scene.body_poses(t)
        camera_to_world = scene.camera_pose(t)
        view = view_facets(table, poses, camera_to_world, camera, NEAR)
        position, self.inverse_depth = rasterise(table, view, camera, NEAR)
        sky = len(poses)
        self.owner = np.append(sky, table.body[view.index])[position]
        self._facet = np.append(-1, view.index)[position]
        self._planes = np.full((len(table.facets) + 1, 3), np.nan)
        self._planes[view.index] = view.plane[:, 2]
        self._planes[-1] = 0
        self._full = np.zeros((len(table.facets) + 1, 3, 3))
        self._full[view.index] = view.plane
        self._frames = table.frames
        poses = np.concatenate((poses, np.eye(4)[None]))
        self.body_to_camera = inverse(camera_to_world) @ poses
        self.camera_to_body = inverse(poses) @ camera_to_world
        self.rays = np.linalg.inv(camera.matrix)

    def pixels(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Nearest rows and columns of positions (n, 2), held inside the image."""
        at = np.clip(np.nan_to_num(points), -1e6, 1e6)
        row = np.clip(np.rint(at[..., 1]).astype(int), 0, self.camera.height - 1)
        column = np.clip(np.rint(at[..., 0]).astype(int), 0, self.camera.width - 1)
        return row, column

    def plane_depth(self, facet: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Inverse depths (n,) 1/m of the planes of facets (n,) at positions (n, 2); NaN where they are not seen."""
        plane = self._planes[facet]
        return plane[:, 0] * points[:, 0] + plane[:, 1] * points[:, 1] + plane[:, 2]

    def anchors(self, points: np.ndarray) -> Anchors:
        """The surface points seen at positions (n, 2)."""
        row, column = self.pixels(points)
        facet = self._facet[row, column]
        body = self.owner[row, column]
        depth = self.plane_depth(facet, points)
        ray = np.column_stack((points, np.ones(len(points)))) @ self.rays.T
        local = np.einsum("nij,nj->ni", self.camera_to_body[body], np.column_stack((ray, depth)))
        return Anchors(body, facet, local)

    def project(self, anchors: Anchors) -> tuple[np.ndarray, np.ndarray]:
        """Positions (n, 2), NaN behind the camera, and whether they are seen (n,), not hidden, in the image."""
        at = np.einsum("nij,nj->ni", self.body_to_camera[anchors.body], anchors.local)
        scale = np.where(at[:, 2] > 1e-9, at[:, 2], np.nan)
        image = (at[:, :3] / scale[:, None]) @ self.camera.matrix.T
        points, depth = image[:, :2], at[:, 3] / scale
        row, column = self.pixels(points)
        front = self.plane_depth(self._facet[row, column], points)
        inside = (points >= -0.5).all(1) & (points[:, 0] < self.camera.width - 0.5)
        inside &= points[:, 1] < self.camera.height - 0.5
        seen = inside & ((front <= depth * 1.02 + 1e-4) | (self._facet[row, column] == anchors.facet))
        return points, seen

    def flow(self, later: Truth, body: np.ndarray, depth: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Displacements (n, 2) until `later` of what is at positions (n, 2) at inverse depths (n,) on bodies."""
        ray = np.column_stack((points, np.ones(len(points)))) @ self.rays.T
        matrix = self.camera.matrix @ (later.body_to_camera @ self.camera_to_body)[:, :3]
        image = np.einsum("nij,nj->ni", matrix[body], np.column_stack((ray, depth)))
        return image[:, :2] / np.where(image[:, 2:] > 1e-9, image[:, 2:], np.nan) - points

    def neighbours(self, anchors: Anchors, points: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """The closest pixel that shows a nearer surface, and the closest with a farther one, than the own plane.

        Returns for each: distance (n,) px to that pixel's edge, NaN beyond REACH; and the pixel (n, 2).
        """
        row, column = self.pixels(points)
        rows, columns = row[:, None] + _DISC[:, 1], column[:, None] + _DISC[:, 0]
        inside = (rows >= 0) & (columns >= 0) & (rows < self.camera.height) & (columns < self.camera.width)
        rows, columns = rows.clip(0, self.camera.height - 1), columns.clip(0, self.camera.width - 1)
        depth = self.inverse_depth[rows, columns]
        plane = self._planes[anchors.facet][:, :, None]
        own = plane[:, 0] * columns + plane[:, 1] * rows + plane[:, 2]
        result = []
        for mask in (depth > own * 1.05 + 2e-3, depth < own / 1.05 - 2e-3):
            mask &= inside
            first = mask.argmax(1)
            each = np.arange(len(points))
            pixel = np.column_stack((columns[each, first], rows[each, first])).astype(float)
            distance = np.maximum(np.linalg.norm(pixel - points, axis=1) - 0.5, 0)
            result.append((np.where(mask.any(1), distance, np.nan), pixel))
        return result


def _disc(radius: int) -> np.ndarray:
    """Offsets (m, 2) in x and y within `radius` px, closest first."""
    grid = np.stack(np.meshgrid(*[np.arange(-radius, radius + 1)] * 2), -1).reshape(-1, 2)
    norm = np.linalg.norm(grid, axis=1)
    order = np.argsort(norm, kind="stable")
    return grid[order][norm[order] <= radius]


_DISC = _disc(REACH)


# --------------------------------------------------------------------------------------------- scenes


@dataclass(frozen=True, eq=False)
class Shot:
    """A scene to measure on; `shutter`: share of the frame time that the sensor is exposed (motion blur)."""

    name: str
    scene: Scene
    shutter: float = 0.0
    substeps: int = 4
    start: float = 0.0
    frames: int | None = None

    def images(self) -> Iterator[tuple[np.ndarray, float]]:
        """BGR images and the times in seconds (middle of the exposure) of their truth."""
        scene = self.scene
        count = self.frames or scene.num_frames
        if self.shutter == 0:
            renderer, first = Renderer(scene), round(self.start * scene.fps)
            for index in range(first, first + count):
                yield renderer.render(index).image, scene.time_of(index)
            return
        factor = round(self.substeps / self.shutter)
        fine = replace(
            scene,
            fps=scene.fps * factor,
            duration=self.start + (count + 1) / scene.fps,
            sensor=SensorModel(0, 0, 0),
        )
        renderer, rng = Renderer(fine), np.random.default_rng(scene.seed)
        for index in range(count):
            base = (round(self.start * scene.fps) + index) * factor
            parts = [renderer.render(base + k).image.astype(np.float32) for k in range(self.substeps)]
            t = (base + (self.substeps - 1) / 2) / fine.fps
            yield scene.sensor.apply(np.rint(np.mean(parts, axis=0)).astype(np.uint8), t, rng), t


def _scene(name, camera_motion, background, objects, fps, duration, seed, size=(640, 480), **more) -> Scene:
    return Scene(
        name, PinholeCamera.from_fov(*size, 65.0), camera_motion, tuple(background), tuple(objects), fps, duration,
        seed, **more,
    )  # fmt: skip


def _pan(seed: int, fps: float, rate: float) -> Scene:
    """A camera that swings left and right, up to `rate` rad/s."""
    mount = Drive(Route([(0, 0, 1.3), (8, 0.2, 1.3)]), Schedule.constant(0.5))
    camera = Sway(mount, (rate * 3 / (2 * np.pi), 0.03, 0.02), (3.0, 1.7, 2.3), (0.0, 0.02, 0.02))
    return _scene("pan", camera, street(seed), (), fps, 6, seed)


def _shake(seed: int, fps: float) -> Scene:
    """A hand-held camera that walks."""
    mount = Drive(Route([(0, 0, 1.5), (4, 0.4, 1.5), (9, -0.3, 1.5)]), Schedule.constant(1.3))
    camera = Sway(mount, (0.05, 0.035, 0.03), (1.1, 0.55, 1.3), (0.03, 0.03, 0.05), (0.3, 0.1, 1.0))
    return _scene("shake", camera, street(seed), (), fps, 5, seed)


def _posts(seed: int, fps: float) -> Scene:
    """A camera that goes sideways past thin posts and crates that stand near it."""
    rng = np.random.default_rng((seed, 5))
    near = []
    for i in range(14):
        x, y = rng.uniform(2.0, 6.0), -1.5 + 0.65 * i + rng.uniform(-0.2, 0.2)
        kind = i % 4
        body = (
            props.lamp_post() if kind == 0 else props.bollard(seed + i) if kind == 1 else
            props.crate((0.4, 0.5, rng.uniform(0.8, 1.6)), seed + i) if kind == 2 else
            props.planter((0.8, 0.3, 1.2), seed + i)
        )  # fmt: skip
        near.append(Prop(body, pose((x, y, 0), rng.uniform(-1, 1))))
    camera = Sway(
        Drive(Route([(0, -1.5, 1.2), (0.2, 2, 1.2), (0, 7, 1.2)]), Schedule.constant(0.9), -np.pi / 2),
        (0.06, 0.02, 0.01), (3.1, 2.3, 4.0),
    )  # fmt: skip
    return _scene("posts", camera, (*street(seed), *near), (), fps, 7, seed)


def _bland(seed: int, fps: float, noise: float = 3.0) -> Scene:
    """Rooms of plaster: low texture, more noise."""
    rng = np.random.default_rng((seed, 6))
    wall = [
        tiled("plaster", (c, c + 5, c + 9), seed=seed + i, tile=3.0, texels=512)
        for i, c in enumerate((150, 170, 190, 120))
    ]
    floor = tiled("plaster", (110, 120, 130), seed=seed + 9, tile=2.5, texels=512)
    background = [
        Prop(props.ground((30.0, 20.0), floor), pose((8, 0, 0))),
        Prop(props.panel((20.0, 3.2), wall[0]), pose((9.0, 0, 0), np.pi)),
        Prop(props.panel((20.0, 3.2), wall[1]), pose((2, 4.2, 0), -np.pi / 2)),
        Prop(props.panel((20.0, 3.2), wall[2]), pose((2, -3.6, 0), np.pi / 2)),
        Prop(
            props.panel((1.0, 2.1), props.printed("door", (90, 110, 130), seed=seed)),
            pose((8.98, 1.5, 0), np.pi),
        ),
    ]
    for i in range(6):
        place = pose((rng.uniform(2.5, 7), rng.uniform(-2.6, 3.2), 0), rng.uniform(-1, 1))
        background.append(Prop(props.block(tuple(rng.uniform(0.4, 1.2, 3)), wall[i % 4]), place, (0.8, 0.8)))
    mount = Drive(Route([(0, -0.5, 1.2), (1.5, 0.4, 1.2), (4, 0.0, 1.2)]), Schedule.constant(0.5))
    camera = Sway(mount, (0.25, 0.02, 0.02), (5.0, 2.9, 3.4), (0.0, 0.02, 0.02))
    steps = Schedule.constant(0.8)
    who = props.walker(
        1, Drive(Route([(4.5, -2.2), (5, 0), (5.5, 3)]), steps), steps, (90, 90, 90), (60, 60, 70), seed
    )
    return _scene(
        "bland", camera, background, (who,), fps, 6, seed, sensor=SensorModel(noise=noise, blur=0.7)
    )


def _movers(seed: int, fps: float, speed: float, follow: float = 0.0) -> Scene:
    """A van, walkers and a courier cross close in front of the camera; `follow`: how the camera pans with them."""
    coat = [(120, 60, 40), (60, 60, 170), (70, 150, 80), (40, 160, 190)]
    van = Drive(Route([(5.2, 7.0), (5.0, 0.0), (5.4, -9)]), Schedule.constant(1.6 * speed, 1.0))
    walks = [
        ([(3.4, -3.2), (3.6, 0), (3.2, 4)], 0.9), ([(6.5, 3.0), (6.2, 0), (6.9, -4)], 0.8),
        ([(2.6, 2.2), (3.6, 0.6), (6, -2.4)], 0.7),
    ]  # fmt: skip
    objects = [props.van(1, van, (205, 205, 200), (40, 60, 190), seed)]
    for i, (route, pace) in enumerate(walks):
        steps = Schedule.constant(pace * speed)
        objects.append(
            props.walker(i + 2, Drive(Route(route), steps), steps, coat[i], (60, 60, 70 + 20 * i), seed + i)
        )
    courier = Drive(Route([(4.3, -2.0), (4.0, 0.5), (4.2, 3)]), Schedule.constant(0.9 * speed))
    objects.append(props.courier(5, courier, (60, 165, 225), (60, 45, 40), seed + 2))
    base = Drive(Route([(0, 0, 1.3), (3, 0.2, 1.3)]), Schedule.constant(0.2))
    camera = Sway(base, (follow, 0.01, 0.01), (7.0 / speed, 2.0, 3.0), (0.0, 0.015, 0.015))
    return _scene("movers", camera, street(seed), objects, fps, 5, seed)


def shots(quick: bool) -> list[Shot]:
    """All scenes of the measurement."""
    out = []
    for seed in (0,) if quick else (0, 1, 2):
        tag = f"s{seed}"
        out += [
            Shot(f"crossing-10-{tag}", get_scene("crossing", seed), frames=70),
            Shot(f"demo-10-{tag}", get_scene("demo", seed), frames=80),
            Shot(f"movers-10-{tag}", _movers(seed + 3, 10, 1.0)),
            Shot(f"movers-fast-blur-10-{tag}", _movers(seed + 4, 10, 1.6, 0.4), 0.4, frames=40),
            Shot(f"posts-10-{tag}", _posts(seed + 5, 10), frames=60),
            Shot(f"pan-blur-10-{tag}", _pan(seed + 6, 10, 0.5), 0.4, frames=50),
            Shot(f"bland-10-{tag}", _bland(seed + 7, 10), frames=50),
            Shot(f"shake-15-{tag}", _shake(seed + 8, 15), 0.3, frames=50),
            Shot(f"static-10-{tag}", get_scene("static", seed), frames=50),
            Shot(f"movers-30-{tag}", _movers(seed + 9, 30, 1.2, 0.2), start=1.0, frames=60),
        ]
    if not quick:
        for seed in (10, 11):
            out += [
                Shot(f"crossing-30-s{seed}", get_scene("crossing", seed, fps=30), start=2.0, frames=70),
                Shot(f"demo-30-s{seed}", get_scene("demo", seed, fps=30), start=2.0, frames=70),
                Shot(f"demo-854-s{seed}", get_scene("demo", seed, 854, 480), frames=60),
                Shot(f"crossing-854-s{seed}", get_scene("crossing", seed, 854, 480), frames=60),
                Shot(f"pan-fast-blur-10-s{seed}", _pan(seed, 10, 1.1), 0.4, frames=50),
                Shot(f"posts-30-s{seed}", _posts(seed + 5, 30), start=1.0, frames=60),
                Shot(f"bland-30-s{seed}", _bland(seed + 7, 30), start=0.5, frames=60),
            ]
    return out


# ------------------------------------------------------------------------------------------ measuring


class WatchedTracker(LucasKanadeTracker):
    """The tracker, which also tells what it dropped for crowding: `crowded`, ids of the last push."""

    crowded: np.ndarray = np.zeros(0, np.int64)

    def _uncrowded(self, points, alive, image):
        keep = super()._uncrowded(points, alive, image)
        self.crowded = self._ids[alive & ~keep]
        return keep


@dataclass
class Points:
    """The living trajectories' truth, rows by id."""

    ids: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    born: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    start: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    own: Anchors | None = None
    near: Anchors | None = None
    far: Anchors | None = None
    birth: np.ndarray = field(default_factory=lambda: np.zeros((0, 7)))
    """Birth's distance to the nearer and the farther surface, corner response / 90th percentile, their pixels."""


def measure_shot(shot: Shot) -> dict[str, np.ndarray]:
    """One row per trajectory and step from a frame to the next; see `COLUMNS` below."""
    config = Config()
    window = SlidingWindow(config.window.length, config.image.working_size)
    tracker = WatchedTracker(config.tracker, config.window.length, config.window.stride)
    table = FacetTable.of(shot.scene.bodies)
    label = np.append([owner for owner, _ in shot.scene.bodies], 0)
    rows: dict[str, list[np.ndarray]] = {}
    points, last, previous = None, None, None
    for index, (image, t) in enumerate(shot.images()):
        window.push(Frame(image, round(t * 1e9), "camera", index))
        tracker.push(window)
        work = window.newest
        truth = Truth(shot.scene, table, working_camera(shot.scene.camera, work.size), t)
        ids, where = tracker._ids.copy(), tracker._positions[:, -1].astype(float)
        confidence = tracker._confidence[:, -1].copy()
        if last is not None:
            step = _step(points, last, previous, truth, ids, where, confidence, tracker.crowded, label)
            step["frame"] = np.full(len(points.ids), index)
            for key, value in step.items():
                rows.setdefault(key, []).append(value)
        points = _renew(points, ids, where, truth, work, index)
        last = (where, _corners(work, where))
        previous = truth
    return {
        key: np.concatenate(value).astype(np.float32 if value[0].dtype.kind == "f" else np.int32)
        for key, value in rows.items()
    }


def _corners(work, where: np.ndarray) -> np.ndarray:
    """(n, 6): structure tensor over the tracker's window: larger and smaller eigenvalue, weak direction (2),
    Shi-Tomasi response as share of the image's 90th percentile, and the response itself."""
    gray = work.gray
    tensor = cv2.cornerEigenValsAndVecs(gray, 9, 3)
    response = cv2.cornerMinEigenVal(gray, 3)
    at = np.rint(where).astype(int)
    row, column = at[:, 1].clip(0, gray.shape[0] - 1), at[:, 0].clip(0, gray.shape[1] - 1)
    around = cv2.dilate(response, np.ones((3, 3), np.uint8))[row, column]
    values = tensor[row, column]
    return np.column_stack(
        (values[:, :2], values[:, 4:6], around / np.percentile(response[::2, ::2], 90), around)
    )


def _renew(points: Points | None, ids, where, truth: Truth, work, index: int) -> Points:
    """Truth rows of exactly `ids`: the old ones that live, then the new born."""
    old = points if points is not None else Points()
    keep = np.isin(old.ids, ids)
    fresh = ~np.isin(ids, old.ids)
    at = where[fresh]
    own = truth.anchors(at)
    (near_distance, near_pixel), (far_distance, far_pixel) = truth.neighbours(own, at)
    near, far = truth.anchors(near_pixel), truth.anchors(far_pixel)
    response = _corners(work, at)[:, 4]
    birth = np.column_stack((near_distance, far_distance, response, near_pixel, far_pixel))
    index_keep = np.flatnonzero(keep)

    def both(a, b):
        return b if a is None else Anchors.join([a.take(index_keep), b])

    result = Points(
        np.concatenate((old.ids[keep], ids[fresh])), np.concatenate((old.born[keep], np.full(len(at), index))),
        np.concatenate((old.start[keep], at)), both(old.own, own), both(old.near, near), both(old.far, far),
        np.concatenate((old.birth[keep], birth)),
    )  # fmt: skip
    if not np.array_equal(result.ids, ids):
        raise RuntimeError("trajectories are not sorted by age")
    return result


def _step(
    points: Points, last, previous: Truth, truth: Truth, ids, where, confidence, crowded, label
) -> dict:
    """Rows of one step; positions px, `m_*`: how much further than the own surface the other one moves, px."""
    before, corners = last
    n = len(points.ids)
    p0, seen0 = previous.project(points.own)
    p1, seen1 = truth.project(points.own)
    at = np.searchsorted(ids, points.ids).clip(max=max(len(ids) - 1, 0))
    lives = ids[at] == points.ids if len(ids) else np.zeros(n, bool)
    after = np.where(lives[:, None], where[at] if len(ids) else np.nan, np.nan)
    inside = ((p1 >= 0) & (p1 <= [truth.camera.width - 1, truth.camera.height - 1])).all(1)
    outcome = np.where(
        lives, ALIVE, np.where(np.isin(points.ids, crowded), CROWDED, np.where(inside, LOST, OUTSIDE))
    )
    surface = previous.anchors(before)
    carried = truth.project(surface)[0] - before
    safe = np.where(np.isfinite(p0), p0, before)
    (near_d, near_px), (far_d, far_px) = previous.neighbours(points.own, safe)
    relative = []
    for pixel in (near_px, far_px):
        row, column = previous.pixels(pixel)
        other = previous.flow(truth, previous.owner[row, column], previous.inverse_depth[row, column], pixel)
        own_depth = np.maximum(np.nan_to_num(previous.plane_depth(points.own.facet, pixel)), 0)
        relative.append(other - previous.flow(truth, points.own.body, own_depth, pixel))
    from_birth = []
    for anchors in (points.near, points.far):
        # the other surface's displacement since birth: of its anchor from the pixel where it was found
        from_birth.append(truth.project(anchors)[0])
    return {
        "id": points.ids, "born": points.born, "outcome": outcome,
        "x0": before, "x1": after, "p0": p0, "p1": p1, "seen0": seen0, "seen1": seen1,
        "conf": np.where(lives, confidence[at] if len(ids) else np.nan, np.nan),
        "carried": carried, "surface": surface.body, "own": points.own.body, "object": label[points.own.body],
        "surface_object": label[surface.body],
        "near_d": near_d, "far_d": far_d, "m_near": relative[0], "m_far": relative[1],
        "near1": from_birth[0], "far1": from_birth[1], "start": points.start, "birth": points.birth,
        "corner": corners,
    }  # fmt: skip


@app.command()
def measure(
    out: Annotated[Path, typer.Argument(help="Folder for the tables, one .npz per scene.")],
    quick: Annotated[bool, typer.Option(help="One seed of the main scenes.")] = False,
    only: Annotated[str, typer.Option(help="Only scenes whose name starts so.")] = "",
) -> None:
    """Render, track, and write what happened to every trajectory in every step."""
    cv2.setNumThreads(1)
    out.mkdir(parents=True, exist_ok=True)
    for shot in shots(quick):
        path = out / f"{shot.name}.npz"
        if not shot.name.startswith(only) or path.exists():
            continue
        began = time.perf_counter()
        table = measure_shot(shot)
        np.savez(path, **table)
        print(f"{shot.name}: {len(table['id'])} steps, {time.perf_counter() - began:.0f} s", flush=True)


@app.command()
def real(
    data: Annotated[Path, typer.Argument(help="Folder with davis16-dev and static-scene.")],
    out: Annotated[Path, typer.Argument(help="Folder for the tables, one .npz per sequence.")],
    most: Annotated[int, typer.Option(help="Most frames of a sequence.")] = 300,
) -> None:
    """Track real video: the same tables without truth."""
    cv2.setNumThreads(1)
    out.mkdir(parents=True, exist_ok=True)
    for folder in [
        *sorted((data / "davis16-dev").glob("*/frames")),
        data / "static-scene/new_tsukuba/frames",
    ]:
        table = track_video(sorted(folder.iterdir())[:most])
        np.savez(out / f"{folder.parent.name}.npz", **table)
        print(f"{folder.parent.name}: {len(table['id'])} steps", flush=True)


def track_video(files: list[Path]) -> dict[str, np.ndarray]:
    """The columns of `measure_shot` that need no truth, of images in order."""
    config = Config()
    window = SlidingWindow(config.window.length, config.image.working_size)
    tracker = WatchedTracker(config.tracker, config.window.length, config.window.stride)
    rows: dict[str, list[np.ndarray]] = {}
    born, last = {}, None
    for index, file in enumerate(files):
        window.push(Frame(cv2.imread(str(file)), index * 100_000_000, "camera", index))
        tracker.push(window)
        ids, where = tracker._ids.copy(), tracker._positions[:, -1].astype(float)
        if last is not None:
            at = np.searchsorted(ids, last[0]).clip(max=max(len(ids) - 1, 0))
            lives = ids[at] == last[0] if len(ids) else np.zeros(len(last[0]), bool)
            step = {
                "id": last[0], "x0": last[1], "born": last[2], "frame": np.full(len(last[0]), index),
                "outcome": np.where(lives, ALIVE, np.where(np.isin(last[0], tracker.crowded), CROWDED, LOST)),
                "x1": np.where(lives[:, None], where[at] if len(ids) else np.nan, np.nan),
                "conf": np.where(lives, tracker._confidence[at, -1] if len(ids) else np.nan, np.nan),
            }  # fmt: skip
            for key, value in step.items():
                rows.setdefault(key, []).append(value)
        last = ids, where, np.array([born.setdefault(i, index) for i in ids.tolist()], int)
    return {key: np.concatenate(value) for key, value in rows.items()}


# ---------------------------------------------------------------------------------------------- figures


def load(paths: list[Path]) -> dict[str, np.ndarray]:
    """The tables of several scenes in one; ids are made different."""
    parts: dict[str, list[np.ndarray]] = {}
    for number, path in enumerate(paths):
        with np.load(path) as table:
            for key in table.files:
                value = table[key].astype(np.int64) + number * 10**7 if key == "id" else table[key]
                parts.setdefault(key, []).append(value)
    return {key: np.concatenate(value) for key, value in parts.items()}


def runs(ids: np.ndarray, frames: np.ndarray, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows (a, b) of the same trajectory `lag` frames apart, given ids (n,) and frames (n,)."""
    order = np.lexsort((frames, ids))
    if len(order) <= lag:
        return order[:0], order[:0]
    a, b = order[:-lag], order[lag:]
    same = (ids[a] == ids[b]) & (frames[b] - frames[a] == lag)
    return a[same], b[same]


def blend(error: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Share (n,) of the other surface's relative motion (n, 2) px that is in the error (n, 2) px: 0 own, 1 other."""
    return (error * motion).sum(-1) / np.maximum((motion**2).sum(-1), 1e-9)


def fit_power(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """a, b of y = a * x ** b by least squares of the logarithms, and the root mean square of log residuals."""
    slope, level = np.polyfit(np.log(x), np.log(y), 1)
    return float(np.exp(level)), float(slope), float(np.std(np.log(y) - level - slope * np.log(x)))


def bleed_model(distance, motion, top: float, base: float, growth: float, width: float):
    """Probability to follow a nearer surface `distance` px away that moves `motion` px/frame relative to the own."""
    middle = base + growth * np.log2(np.maximum(motion, 0.25))
    return top / (1 + np.exp((distance - middle) / width))


def fit_bleed(distance: np.ndarray, motion: np.ndarray, follows: np.ndarray) -> tuple[list[float], float]:
    """Parameters of `bleed_model` by maximum likelihood, and the mean log likelihood gained over a constant."""

    def cost(p):
        chance = np.clip(bleed_model(distance, motion, *p), 1e-4, 1 - 1e-4)
        return -np.mean(np.where(follows, np.log(chance), np.log(1 - chance)))

    best = minimize(cost, [0.75, 2.5, 1.0, 1.3], method="Nelder-Mead", options={"maxiter": 600})
    rate = np.clip(np.mean(follows), 1e-4, 1 - 1e-4)
    return [float(v) for v in best.x], float(
        -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate)) - best.fun
    )


_QUADRATIC = np.vander(np.arange(5.0) - 2, 3)
_RESIDUAL = np.eye(5) - _QUADRATIC @ np.linalg.pinv(_QUADRATIC)


def jitter(table: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Root mean square px of a quadratic fit over 5 frames, and of what the 12 nearest neighbours do not share."""
    first, last = runs(table["id"], table["frame"], 3)
    chains = [first, *(np.full(len(first), -1) for _ in range(3))]
    for gap in (1, 2):
        a, b = runs(table["id"], table["frame"], gap)
        find = np.full(len(table["id"]), -1)
        find[a] = b
        chains[gap] = find[first]
    keep = table["outcome"][last] == ALIVE
    k = [c[keep] for c in (first, chains[1], chains[2], last)]
    path = np.stack([*(table["x0"][i] for i in k), table["x1"][k[3]]], 1).astype(float)
    residual = np.einsum("ij,njk->nik", _RESIDUAL, path)
    own = np.full(len(path), np.nan)
    frame = table["frame"][k[0]]
    for t in np.unique(frame)[::4]:
        rows = np.flatnonzero(frame == t)
        if len(rows) > 40:
            _, near = cKDTree(path[rows, 2]).query(path[rows, 2], k=13)
            rest = residual[rows] - np.median(residual[rows][near[:, 1:]], axis=1)
            own[rows] = np.sqrt((rest**2).sum(2).mean(1))
    return np.sqrt((residual**2).sum(2).mean(1)), own[np.isfinite(own)]


def _quantiles(x: np.ndarray, q=(50, 75, 90, 95, 99)) -> list[float]:
    return [round(float(v), 3) for v in np.nanpercentile(x, q)] if np.isfinite(x).any() else []


def _share(mask: np.ndarray, of: np.ndarray) -> float:
    return round(float(mask[of].mean()), 4) if of.any() else float("nan")


def _correlation(t: dict[str, np.ndarray], step: np.ndarray, chosen: np.ndarray, lag: int) -> float:
    """Autocorrelation of the chosen steps (n, 2) of trajectories, `lag` frames apart."""
    i, j = runs(t["id"], t["frame"], lag)
    both = chosen[i] & chosen[j]
    first, later = step[i[both]], step[j[both]]
    return round(float((first * later).mean() / (first**2).mean()), 3)


def output_statistics(table: dict[str, np.ndarray]) -> dict:
    """What can be said of tracker output alone: for rendered and for real video."""
    lives = table["outcome"] == ALIVE
    late = lives & (table["frame"] > 16)
    age = np.clip((table["frame"] - table["born"])[late] + 1, 1, 16)
    shared, own = jitter(table)
    return {
        "trajectories": int(late.sum() / max(len(np.unique(table["frame"][late])), 1)),
        "share of ages 1-2, 3-4, 5-8, 9-15, 16+": [
            round(float(np.mean((age >= a) & (age <= b))), 3) for a, b in ((1, 2), (3, 4), (5, 8), (9, 15), (16, 16))
        ],
        "confidence 1, 5, 10, 25, 50 %": _quantiles(table["conf"][lives], (1, 5, 10, 25, 50)),
        "px/frame 10, 50, 90 %": _quantiles(np.linalg.norm(table["x1"] - table["x0"], axis=1)[lives], (10, 50, 90)),
        "quadratic residual 50, 75, 90, 95, 99 %": _quantiles(shared),
        "not shared by neighbours 50, 75, 90, 95, 99 %": _quantiles(own),
        "lost, crowded per frame": [_share(table["outcome"] == k, lives | ~lives) for k in (LOST, CROWDED)],
    }  # fmt: skip


def figures(t: dict[str, np.ndarray]) -> dict:
    """What the tracker does wrong, of tables with truth."""
    lives, seen0, seen1 = t["outcome"] == ALIVE, t["seen0"] > 0, t["seen1"] > 0
    before, after = t["x0"] - t["p0"], t["x1"] - t["p1"]
    e0, e1 = np.linalg.norm(before, axis=1), np.linalg.norm(after, axis=1)
    step = after - before
    size, speed = np.linalg.norm(step, axis=1), np.linalg.norm(t["p1"] - t["p0"], axis=1)
    age, near = t["frame"] - t["born"], np.nan_to_num(t["near_d"], nan=99.0)
    far, motion = np.nan_to_num(t["far_d"], nan=99.0), np.linalg.norm(t["m_near"], axis=1)
    born_near, born_far = (np.nan_to_num(t["birth"][:, i], nan=99.0) for i in (0, 1))
    inside = (near > 8) & (far > 8)
    inborn = (born_near > 10) & (born_far > 10)
    good = seen0 & (e0 < 1)
    out: dict = {}
    # (a) drift of points that are followed well, away from boundaries
    clean = lives & good & seen1 & inside & (size < 1)
    weak = np.abs((step * t["corner"][:, 2:4]).sum(1))
    strong = np.abs(step[:, 0] * t["corner"][:, 3] - step[:, 1] * t["corner"][:, 2])
    ratio = np.clip(t["corner"][:, 1] / np.maximum(t["corner"][:, 0], 1e-12), 0.003, 1)
    cuts = np.exp(np.linspace(np.log(0.01), 0, 9))
    bins = [clean & (ratio >= a) & (ratio < b) for a, b in pairwise(cuts)]
    middle = np.sqrt(cuts[:-1] * cuts[1:])
    a, b, rms = fit_power(middle, np.array([1.4826 * np.median(weak[m]) for m in bins]))
    out["drift"] = {
        "weak direction sigma = a * ratio ** b; a, b, rms of log": [round(v, 3) for v in (a, b, rms)],
        "strong direction sigma": round(1.4826 * float(np.median(strong[clean])), 4),
        "ratio 5, 25, 50, 75, 95 %": _quantiles(ratio[clean], (5, 25, 50, 75, 95)),
        "error since birth by age, 50, 75, 90, 95, 99 %": {
            k: _quantiles(e1[lives & seen1 & inborn & (age == k)]) for k in (1, 2, 4, 8, 12, 15)
        },
        "sigma weak, strong by px/frame": {
            f"{a}-{b}": [round(1.4826 * float(np.median(v[m])), 3) for v in (weak, strong)]
            for a, b in ((0, 1), (1, 2), (2, 4), (4, 8), (8, 16), (16, 60))
            if (m := clean & (speed >= a) & (speed < b)).any()
        },
        "correlation of steps by lag": {k: _correlation(t, step, clean, k) for k in (1, 2, 3, 5, 8, 12)},
    }  # fmt: skip
    # (b) bleeding at birth
    first = (age == 1) & (born_near < 12) & ~(born_far < born_near) & (motion > 0.7)
    alpha = blend(step, t["m_near"])
    m = first & lives
    params, gain = fit_bleed(born_near[m], motion[m], alpha[m] > 0.6)
    out["bleeding"] = {
        "P(follows | d, m): top, base, growth, width": [round(v, 3) for v in params],
        "log likelihood gained": round(gain, 3),
        "m, d: n, lost, of the living alpha > 0.6, 0.2-0.6": {
            f"m {a}-{b} d {c}-{e}": [int(s.sum()), _share(t["outcome"] == LOST, s), _share(alpha > 0.6, s & lives),
                                     _share((alpha > 0.2) & (alpha <= 0.6), s & lives)]
            for a, b in ((0.7, 1.5), (1.5, 4), (4, 8), (8, 16), (16, 60))
            for c, e in ((0, 1), (1, 2), (2, 3), (3, 4), (4, 6), (6, 8), (8, 12))
            if (s := first & (motion >= a) & (motion < b) & (born_near >= c) & (born_near < e)).sum() > 30
        },
    }  # fmt: skip
    # (c) occlusion of points born away from boundaries
    hidden = good & ~seen1 & (born_near > 6) & (age > 3) & (t["outcome"] != OUTSIDE)
    out["occlusion"] = {
        f"m {a}-{b}": {"n": int(s.sum()), "lost": _share(t["outcome"] == LOST, s),
                       "living: alpha > 0.6": _share(alpha > 0.6, s & lives),
                       "alpha < 0.2": _share(alpha < 0.2, s & lives)}
        for a, b in ((0.5, 2), (2, 4), (4, 8), (8, 60)) if (s := hidden & (motion >= a) & (motion < b)).any()
    }  # fmt: skip
    # (d) losses, (f) gross errors
    out["lost per frame by age, interior / within 8 px"] = {
        k: [_share(t["outcome"] == LOST, good & seen1 & z & (age == k)) for z in (inside, near < 8)]
        for k in (1, 2, 3, 4, 6, 8, 12, 15, 20)
    }
    out["crowded per frame by age"] = {
        k: _share(t["outcome"] == CROWDED, good & (age == k)) for k in (1, 2, 3, 4, 6, 8, 12)
    }
    out["lost per frame from age 4 by px/frame, interior"] = {
        f"{a}-{b}": _share(
            t["outcome"] == LOST, good & seen1 & inside & (age > 3) & (speed >= a) & (speed < b)
        )
        for a, b in ((0, 1), (1, 2), (2, 4), (4, 8), (8, 16), (16, 30), (30, 90))
    }
    out["gross > 2 px per frame by age, interior"] = {
        k: _share(size > 2, lives & good & seen1 & inborn & inside & (age == k)) for k in (1, 2, 4, 8, 12)
    }
    # (e) confidence
    group = {
        "error < 1": lives & seen1 & (e1 < 1),
        "error 1-2": lives & (e1 >= 1) & (e1 < 2),
        "error > 2": lives & (e1 > 2),
        "jumps now": lives & good & (size > 1),
        "age 1": lives & (age == 1),
        "age 16+": lives & (age > 15),
    }
    out["confidence 1, 5, 25, 50, 75 %"] = {
        k: _quantiles(t["conf"][m], (1, 5, 25, 50, 75)) for k, m in group.items()
    }
    return out


@app.command()
def report(
    tables: Annotated[Path, typer.Argument(help="Folder of `measure`.")],
    videos: Annotated[Path | None, typer.Option(help="Folder of `real`.")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file.")] = None,
) -> None:
    """Print the figures, and write them as JSON."""
    paths = sorted(tables.glob("*.npz"))
    result = {"truth": figures(load(paths)), "output": {}}
    for path in [*paths, *(sorted(videos.glob("*.npz")) if videos else [])]:
        result["output"][path.stem] = output_statistics(load([path]))
    for name, part in [*result["truth"].items(), *result["output"].items()]:
        print(name)
        for key, value in part.items():
            lines = value.items() if isinstance(value, dict) else [("", value)]
            for inner, figure in lines:
                print(f"  {key!s:52s} {inner!s:20s} {figure}")
    if out is not None:
        out.write_text(json.dumps(result, indent=1) + "\n")


# ------------------------------------------------------------------------------ the simulator's worlds

LAGS = (1, 2, 4, 8, 15)
AGES = ((1, 2), (3, 4), (5, 8), (9, 15), (16, 99))


@app.command()
def worlds(
    count: Annotated[int, typer.Option(min=1, help="Worlds to render.")] = 20,
    frames: Annotated[int, typer.Option(min=5, help="Frames of each.")] = 25,
    seed: Annotated[int, typer.Option(help="Of the worlds and their textures.")] = 0,
    repeats: Annotated[int, typer.Option(min=1, help="Simulations of each world.")] = 4,
    pictures: Annotated[Path | None, typer.Option(help="Folder for the last frame of each world.")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file.")] = None,
) -> None:
    """Track rendered worlds of the simulator, simulate the same worlds, and compare the trajectories."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    drawn = without_effects(draw_worlds(count, frames, rng))
    samples: dict[str, list[dict[str, np.ndarray]]] = {"tracked": [], "simulated": []}
    for index in range(count):
        world = take_world(drawn, index)
        tracked = track_world(world, seed + index, pictures and pictures / f"{index:03d}.jpg")
        samples["tracked"].append(judge(world, *tracked))
        for _ in range(repeats):
            window = follow_worlds(world, rng, max(len(tracked[0]), 8), TrackerModel())
            simulated = (window.positions[0], window.visible[0], window.confidence[0])
            samples["simulated"].append(judge(world, *simulated))
        build_texture.cache_clear()  # textures are large, and no two worlds share them
        print(f"world {index}: {len(tracked[0])} trajectories", file=sys.stderr, flush=True)
    result = {name: compare_figures(parts) for name, parts in samples.items()}
    width = max(map(len, result["tracked"]))
    print(f"{'':{width}s}  {'tracked':>36s}  {'simulated':>36s}")
    for key, value in result["tracked"].items():
        print(f"{key:{width}s}  {_row(value):>36s}  {_row(result['simulated'][key]):>36s}")
    if out is not None:
        out.write_text(json.dumps(result, indent=1) + "\n")


def _row(value) -> str:
    return " ".join(f"{v:.3g}" for v in value) if isinstance(value, list) else f"{value:.4g}"


def without_effects(drawn: Worlds) -> Worlds:
    """The worlds without what scenes cannot show; see `world_scene.omitted`."""
    names = ("distortion", "rolling", "wobble", "unrest", "roughness")
    focal = np.repeat(drawn.focal[:, -1:], drawn.num_frames, axis=1)
    return replace(drawn, focal=focal, **{name: np.zeros_like(getattr(drawn, name)) for name in names})


def take_world(drawn: Worlds, index: int) -> Worlds:
    """World `index` alone, still as a batch."""
    fields = {f: getattr(drawn, f) for f in Worlds.__dataclass_fields__}
    return Worlds(**{f: v if f == "thing" else v[index : index + 1] for f, v in fields.items()})


def track_world(world: Worlds, seed: int, picture: Path | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions (n, T, 2) px, visible (n, T) and confidence (n, T) of the tracker at the newest frame."""
    scene = scene_of(world, 0, seed)
    config = Config()
    window = SlidingWindow(scene.num_frames, config.image.working_size)
    tracker = LucasKanadeTracker(config.tracker, scene.num_frames, config.window.stride)
    for index, frame in enumerate(Renderer(scene, near=0.05)):
        window.push(Frame(frame.image, index * 100_000_000, "camera", index))
        tracker.push(window)
    if window.newest.size != tuple(world.sizes[0]):
        raise RuntimeError(f"worlds are of the working size, not {window.newest.size}")
    tracks = tracker.window()
    if picture is not None:
        picture.parent.mkdir(parents=True, exist_ok=True)
        shown = frame.image.copy()
        for x, y in tracks.positions[:, -1]:
            cv2.circle(shown, (round(float(x)), round(float(y))), 1, (0, 255, 255), -1)
        cv2.imwrite(str(picture), shown)
    return tracks.positions, tracks.visible, tracks.confidence


def judge(world: Worlds, positions, visible, confidence) -> dict[str, np.ndarray]:
    """Errors (n, T, 2) px of trajectories against the path of what is seen at their newest position, and more."""
    at = positions[None, :, -1].astype(np.float32)
    box, depth = cast(world, at)
    points = _directions(world, at) * depth[..., None]
    paths, _ = _project(world, np.zeros((1, 1), int), points, box)
    turn = np.arange(16) * np.pi / 8
    ring = np.stack([np.cos(turn), np.sin(turn)], -1).astype(np.float32)
    distance = np.full(len(positions), 99.0)
    for radius in (12, 8, 5, 3, 1.5):
        other, other_depth = cast(world, (at[0, :, None] + radius * ring).reshape(1, -1, 2))
        nearer = (other.reshape(-1, 16) != box[0, :, None]) & (
            other_depth.reshape(-1, 16) < 0.97 * depth[0, :, None]
        )
        distance[nearer.any(1)] = radius
    _, labels = bodies_of(world, 0)
    return {
        "error": np.where(visible[..., None], positions - paths[0], np.nan),
        "visible": visible,
        "confidence": confidence,
        "distance": distance,  # to a nearer surface
        "moving": np.where(box[0] >= 0, labels[box[0]], 0) > 0,
        "speed": np.linalg.norm(paths[0, :, -1] - paths[0, :, -2], axis=1),
        "sky": box[0] < 0,
    }


def compare_figures(parts: list[dict[str, np.ndarray]]) -> dict[str, float | list[float]]:
    """Figures of `judge`d trajectories of several worlds."""
    t = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    world = np.concatenate([np.full(len(part["sky"]), i) for i, part in enumerate(parts)])
    age = t["visible"].sum(1)
    size = np.linalg.norm(t["error"], axis=-1)
    with np.errstate(all="ignore"):
        worst = np.nanmax(np.where(np.isnan(size), 0, size)[:, -16:], axis=1)
    interior, ground = (t["distance"] > 20) & ~t["sky"], ~t["sky"]
    at_rest, old = ground & ~t["moving"], age >= 5
    wiggle = t["error"][:, 2:] - 2 * t["error"][:, 1:-1] + t["error"][:, :-2]
    wiggle = np.linalg.norm(wiggle, axis=-1)[interior]
    alone = t["confidence"][:, :-1][t["visible"][:, :-1]]
    jump = np.linalg.norm(np.diff(t["error"], axis=1), axis=-1)
    fig: dict[str, float | list[float]] = {
        "trajectories per world": len(age) / len(parts),
        "moving, % of trajectories": 100 * float(t["moving"].mean()),
        "speed 10, 50, 90 %, px/frame": _quantiles(t["speed"][ground], (10, 50, 90)),
        "ages 1-2, 3-4, 5-8, 9-15, 16+, %": [
            round(100 * float(np.mean((age >= a) & (age <= b))), 1) for a, b in AGES
        ],
        "confidence 1, 5, 10, 25, 50 %": _quantiles(alone, (1, 5, 10, 25, 50)),
        "distance < 1.5, 3, 5, 8, 12 px, %": [
            round(100 * float((t["distance"] <= d).mean()), 1) for d in (1.5, 3, 5, 8, 12)
        ],
        "error's 2nd difference 50, 90, 99 %": _quantiles(wiggle, (50, 90, 99)),
        "step > 2 px, interior, %": 100
        * float(np.nanmean(np.where(np.isnan(jump), np.nan, jump > 2)[interior])),
    }
    for lag in LAGS:
        if lag < size.shape[1]:
            fig[f"interior error {lag} back 50, 75, 90, 95 %"] = _quantiles(
                size[interior, -1 - lag], (50, 75, 90, 95)
            )
    medians = [np.nanmedian(size[interior & (world == i), -9]) for i in range(len(parts))
               if (interior & (world == i) & (age > 8)).sum() > 20]  # fmt: skip
    fig["of worlds: median error 8 back 10, 50, 90 %"] = _quantiles(np.array(medians), (10, 50, 90))
    for name, group in (("at rest", at_rest), ("moving", t["moving"])):
        fig[f"{name}, age >= 5, error > 1 px, %"] = 100 * _share(worst > 1, group & old)
        for a, b in ((0, 1.5), (1.5, 3), (3, 5), (5, 8), (8, 12), (12, 100)):
            some = group & old & (t["distance"] > a) & (t["distance"] <= b)
            fig[f"{name}, {a}-{b} px from nearer: n/world, > 1 px, > 3 px, %"] = [
                round(some.sum() / len(parts), 1), 100 * _share(worst > 1, some), 100 * _share(worst > 3, some)
            ]  # fmt: skip
    return fig


if __name__ == "__main__":
    sys.exit(app())
