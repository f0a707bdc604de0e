"""Exactness: known points are where they should be, and what does not move keeps its colour from frame to frame."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from motionseg_ros.synthesis import Renderer, render
from motionseg_ros.synthesis.poses import inverse, transform
from motionseg_ros.synthesis.sensor import SensorModel


@pytest.fixture(scope="module")
def frames(room):
    return list(render(room))


def grid(frame):
    height, width = frame.labels.shape
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(float)


def test_shapes_and_types(room, frames):
    assert len(frames) == room.num_frames
    for index, frame in enumerate(frames):
        assert frame.image.shape == (120, 160, 3)
        assert (frame.image.dtype, frame.labels.dtype, frame.depth.dtype) == (np.uint8, np.uint16, np.float32)
        assert frame.camera_to_world.dtype == np.float64
        assert frame.time == pytest.approx(index / 10)
        assert set(np.unique(frame.labels)) <= {0, 1}
        assert np.isinf(frame.depth).any()  # sky
        assert (frame.depth > 0.1).all()
        np.testing.assert_array_equal(frame.camera_to_world, room.camera_pose(frame.time))


@pytest.mark.parametrize("object_id", [0, 1])
@pytest.mark.parametrize("index", [0, 7, 20])
def test_surface_points_are_found(room, frames, index, object_id):
    """Each known 3-D point is in the depth image to 1e-3 and in the labels to 1 px, or something nearer hides it."""
    frame = frames[index]
    points = room.surface_points((500, 6000)[object_id == 0], np.random.default_rng(index), object_id)
    pixels, depth = room.image_points(points, frame.time)
    turns = room.body_poses(frame.time)[points.body][:, :3, :3]
    normals = np.einsum("nij,nj->ni", turns, points.normal)
    towards = frame.camera_to_world[:3, 3] - room.world_points(points, frame.time)
    facing = np.einsum("ni,ni->n", normals, towards) > 0
    with np.errstate(invalid="ignore"):
        inside = ((pixels >= 1) & (pixels <= (158, 118))).all(axis=1) & (depth > 0.1) & facing
    pixels, depth = pixels[inside], depth[inside]
    assert len(pixels) > 100

    seen = (1 / frame.depth).astype(np.float32)  # affine on a plane, so bilinear interpolation is exact
    corners = np.floor(pixels).astype(int)
    share = pixels - corners
    weights = [(1 - share[:, 0]) * (1 - share[:, 1]), share[:, 0] * (1 - share[:, 1]),
               (1 - share[:, 0]) * share[:, 1], share[:, 0] * share[:, 1]]  # fmt: skip
    shifts = [(0, 0), (1, 0), (0, 1), (1, 1)]
    interpolated = sum(
        w * seen[corners[:, 1] + b, corners[:, 0] + a] for w, (a, b) in zip(weights, shifts, strict=True)
    )
    matches = np.abs(interpolated * depth - 1) < 1e-3
    column, row = np.rint(pixels).astype(int).T
    nearest = cv2.dilate(seen, np.ones((3, 3)))[row, column]
    hidden = nearest * depth > 1 + 1e-3
    rim = np.abs(nearest * depth - 1) < 0.05  # interpolated across a silhouette: found a pixel beside
    assert (matches | hidden | rim).all()
    assert rim[~matches & ~hidden].sum() < 0.03 * len(pixels)
    assert matches.sum() > 50
    near = cv2.dilate((frame.labels == object_id).astype(np.uint8), np.ones((3, 3)))[row, column] > 0
    assert near[matches].all()


@pytest.mark.parametrize("index", [0, 12, 22])
def test_pixels_lie_on_surfaces(room, frames, index):
    """Back-projected by depth and pose, pixels are on the ground, on the wall or on the cart."""
    frame = frames[index]
    hit = np.isfinite(frame.depth)
    world = transform(frame.camera_to_world, room.camera.back_project(grid(frame)[hit], frame.depth[hit]))
    cart = transform(inverse(room.object_pose(1, frame.time)), world[frame.labels[hit] == 1])
    assert len(cart) > 300
    size = np.array([0.5, 0.35, 0.45])
    distance = np.abs(np.abs(cart - (0, 0, 0.45)) - size).min(axis=1)
    assert distance.max() < 1e-4
    still = world[frame.labels[hit] == 0]
    on_ground, on_wall = np.abs(still[:, 2]) < 1e-4, np.abs(still[:, 0] - 7.0) < 1e-4
    assert (on_ground | on_wall).mean() > 0.75


def colours_after(room, first, second, world, seen):
    """Difference of colours (n,) between pixels `seen` of one frame and where `world` (n, 3) appears in the next."""
    pixels, depth = room.camera.project(transform(inverse(second.camera_to_world), world))
    x, y = np.float32(pixels).T
    there = cv2.remap(second.depth, x[None], y[None], cv2.INTER_NEAREST, borderValue=0.0)[0]
    colour = cv2.remap(second.image, x[None], y[None], cv2.INTER_LINEAR)[0]
    visible = np.abs(there / depth - 1) < 0.03
    return np.abs(colour.astype(float) - first.image[seen]).mean(axis=1)[visible]


@pytest.mark.parametrize("index", [1, 6, 19])
def test_photometric_consistency(room, frames, index):
    first, second = frames[index], frames[index + 1]
    hit = np.isfinite(first.depth)
    world = transform(
        first.camera_to_world, room.camera.back_project(grid(first), np.where(hit, first.depth, 1))
    )
    step = room.object_pose(1, second.time) @ inverse(room.object_pose(1, first.time))
    for object_id in (0, 1):
        inner = cv2.erode((hit & (first.labels == object_id)).astype(np.uint8), np.ones((3, 3))) > 0
        moved = world[inner] if object_id == 0 else transform(step, world[inner])
        right = colours_after(room, first, second, moved, inner)
        assert len(right) > 200
        unwarped = np.abs(second.image[inner].astype(float) - first.image[inner]).mean()
        assert right.mean() < 4.5
        assert right.mean() < 0.6 * unwarped
        if object_id == 1:
            wrong = colours_after(room, first, second, world[inner], inner)
            assert len(wrong) < 100 or wrong.mean() > 2 * right.mean()


def test_frames_are_independent_and_repeatable(room, frames):
    again = Renderer(dataclasses.replace(room, sensor=SensorModel())).render(5)
    same = Renderer(dataclasses.replace(room, sensor=SensorModel())).render(5)
    np.testing.assert_array_equal(again.image, same.image)
    np.testing.assert_array_equal(again.depth, frames[5].depth)
    assert 0.5 < np.abs(again.image.astype(int) - frames[5].image).mean() < 6


def test_truth_does_not_depend_on_supersampling(room, frames):
    for factor in (1, 3):
        frame = Renderer(room, supersampling=factor).render(3)
        np.testing.assert_array_equal(frame.labels, frames[3].labels)
        np.testing.assert_array_equal(frame.depth, frames[3].depth)
        assert np.abs(frame.image.astype(int) - frames[3].image).mean() < 8


def test_far_textures_do_not_flicker(room):
    """The wall 7 m away at 40x30 px: a small rotation changes colours little, as its texture is averaged."""
    camera = dataclasses.replace(room.camera, fx=32.0, fy=32.0, cx=19.5, cy=14.5, width=40, height=30)
    small = dataclasses.replace(room, camera=camera, fps=200.0, objects=())
    first, second = Renderer(small).render(0), Renderer(small).render(1)
    depth = np.where(np.isfinite(first.depth), first.depth, 1)
    wall = (
        np.abs(transform(first.camera_to_world, camera.back_project(grid(first), depth))[..., 0] - 7) < 0.01
    )
    assert wall.sum() > 50
    assert np.abs(first.image[wall].astype(int) - second.image[wall]).mean() < 3


def test_contact_shadow_darkens_ground_only(room, frames):
    light = dataclasses.replace(room.light, shadow=0.8)
    cart = dataclasses.replace(room.objects[0], footprint=(1.0, 0.7))
    ground = dataclasses.replace(
        room.background[0],
        body=type(room.background[0].body)(
            tuple(dataclasses.replace(facet, ground=True) for facet in room.background[0].body.facets)
        ),
    )
    scene = dataclasses.replace(room, light=light, objects=(cart,), background=(ground, *room.background[1:]))
    change = Renderer(scene).render(4).image.astype(int) - frames[4].image
    assert change.max() <= 1
    assert (change.min(axis=2) < -5).sum() > 30
    inner = cv2.erode((frames[4].labels == 1).astype(np.uint8), np.ones((5, 5))) > 0
    assert np.abs(change[inner]).max() <= 1


@pytest.mark.parametrize("arguments", [{"supersampling": 0}, {"near": 0.0}])
def test_refuses(room, arguments):
    with pytest.raises(ValueError, match="need supersampling"):
        Renderer(room, **arguments)


@pytest.mark.parametrize("index", [-1, 24])
def test_refuses_frames_outside(room, index):
    with pytest.raises(IndexError):
        Renderer(room).render(index)


def test_an_open_shutter_smears_what_moves_in_the_image_but_not_the_truth(room):
    sharp = Renderer(room).render(4)
    smeared = Renderer(
        dataclasses.replace(room, sensor=dataclasses.replace(room.sensor, shutter=0.5))
    ).render(4)
    np.testing.assert_array_equal(smeared.labels, sharp.labels)
    gradients = [cv2.Sobel(frame.image, cv2.CV_32F, 1, 0) for frame in (sharp, smeared)]
    assert np.abs(gradients[1]).mean() < 0.75 * np.abs(gradients[0]).mean()
    assert abs(smeared.image.mean() - sharp.image.mean()) < 2


def test_a_dark_sky(room):
    bright, dark = (
        Renderer(dataclasses.replace(room, light=dataclasses.replace(room.light, sky=sky))).render(0)
        for sky in (1.0, 0.2)
    )
    sky = ~np.isfinite(bright.depth)
    assert sky.any()
    assert dark.image[sky].mean() < 0.25 * bright.image[sky].mean()
    np.testing.assert_array_equal(dark.image[-1], bright.image[-1])
