from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from motionseg_ros.synthesis.poses import OPTICAL_TO_BODY, inverse, transform
from motionseg_ros.synthesis.scene import MovingObject, Part


def test_frames_and_times(room):
    assert room.num_frames == 24
    assert room.time_of(23) == pytest.approx(2.3)
    with pytest.raises(IndexError, match="24 frames"):
        room.time_of(24)


def test_camera_pose_is_of_the_optical_frame(room):
    matrix = room.camera_pose(0.7)
    np.testing.assert_allclose(matrix, room.camera_motion.pose(0.7) @ OPTICAL_TO_BODY)
    assert matrix[0, 2] > 0.95  # z of the camera looks along x of the world
    assert matrix[2, 1] < -0.95  # y of the camera looks down


def test_moving_is_by_the_world_not_by_the_camera(room):
    assert room.is_moving(1, 0.5)
    assert not room.is_moving(1, 1.3)
    assert room.moving_intervals(1) == [(0, 9), (17, 23)] or room.moving_intervals(1) == [(0, 10), (16, 23)]
    assert room.object_speed(1, 0.5) == pytest.approx(0.9, abs=0.25)


def test_surface_points_move_with_their_bodies(room):
    points = room.surface_points(200, np.random.default_rng(0))
    moved = np.linalg.norm(room.world_points(points, 0.8) - room.world_points(points, 0.0), axis=1)
    assert (moved[points.object_id == 0] == 0).all()
    cart = room.surface_points(50, np.random.default_rng(0), object_id=1)
    assert (cart.object_id == 1).all()
    before, after = room.world_points(cart, 0.0), room.world_points(cart, 0.8)
    step = room.object_pose(1, 0.8) @ inverse(room.object_pose(1, 0.0))
    np.testing.assert_allclose(transform(step, before), after)


def test_image_points_are_the_projection(room):
    points = room.surface_points(30, np.random.default_rng(0), object_id=1)
    pixels, depth = room.image_points(points, 0.4)
    world = transform(room.camera_pose(0.4), room.camera.back_project(pixels, depth))
    np.testing.assert_allclose(world, room.world_points(points, 0.4))


def test_refuses(room):
    with pytest.raises(ValueError, match=r"1\.\.N"):
        dataclasses.replace(room, objects=(dataclasses.replace(room.objects[0], object_id=2),))
    with pytest.raises(ValueError, match="give a frame"):
        dataclasses.replace(room, duration=0.0)
    with pytest.raises(ValueError, match="to look at"):
        dataclasses.replace(room, objects=(), background=())
    with pytest.raises(KeyError, match="no object 7"):
        room.object_pose(7, 0.0)
    with pytest.raises(ValueError, match=r"1\.\.65534"):
        MovingObject(0, "x", (Part(room.background[0].body),), room.objects[0].motion)
    with pytest.raises(ValueError, match="at least one part"):
        MovingObject(1, "x", (), room.objects[0].motion)
