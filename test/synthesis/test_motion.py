from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.synthesis.motion import Drive, Route, Schedule, Still, Sway, Swing
from motionseg_ros.synthesis.poses import inverse, pose, transform


def test_route_is_parametrised_by_length():
    route = Route([(0, 0), (3, 1), (5, -2), (9, 0)])
    distances = np.linspace(0, route.length, 200)
    steps = np.linalg.norm(np.diff([route.at(d) for d in distances], axis=0), axis=1)
    np.testing.assert_allclose(steps, route.length / 199, rtol=0.01)
    np.testing.assert_allclose(route.at(0.0), (0, 0, 0), atol=1e-12)
    np.testing.assert_allclose(route.at(route.length), (9, 0, 0))


def test_route_goes_straight_on():
    route = Route([(0, 0), (2, 0)])
    np.testing.assert_allclose(route.at(5.0), (5, 0, 0))
    np.testing.assert_allclose(route.at(-1.0), (-1, 0, 0))


@pytest.mark.parametrize("points", [[(0, 0)], [(0, 0), (0, 0), (1, 1)], [(0,), (1,)]])
def test_route_refuses(points):
    with pytest.raises(ValueError, match="route points"):
        Route(points)


def test_schedule_distance_is_the_integral_of_speed():
    schedule = Schedule.with_stop(1.2, 2.0, 3.5, ramp=0.5)
    times = np.linspace(-1, 8, 9001)
    speeds = np.array([schedule.speed(t) for t in times])
    travelled = np.array([schedule.distance(t) for t in times])
    integral = np.concatenate(([0], np.cumsum((speeds[1:] + speeds[:-1]) / 2 * np.diff(times))))
    np.testing.assert_allclose(travelled - travelled[0], integral, atol=1e-6)
    assert schedule.distance(2.0) == schedule.distance(3.5)


def test_schedule_refuses():
    with pytest.raises(ValueError, match="must increase"):
        Schedule([0.0, 0.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="stop"):
        Schedule.with_stop(1.0, 3.0, 2.0)


def test_drive_keeps_its_heading_while_it_stands():
    drive = Drive(Route([(0, 0), (1, 1), (0, 3)]), Schedule.with_stop(0.5, 2.0, 4.0))
    np.testing.assert_array_equal(drive.pose(2.5), drive.pose(3.5))
    assert abs(drive.pose(3.0)[:3, 0] @ (drive.pose(4.8)[:3, 3] - drive.pose(3.8)[:3, 3])) > 0


def test_drive_faces_forwards():
    drive = Drive(Route([(0, 0), (2, 1), (4, 0)]), Schedule.constant(1.0))
    for t in (0.5, 1.5, 3.0):
        step = drive.pose(t + 0.01)[:3, 3] - drive.pose(t - 0.01)[:3, 3]
        assert drive.pose(t)[:3, 0] @ step / np.linalg.norm(step) > 0.999


@pytest.mark.parametrize(
    "motion",
    [
        Drive(Route([(0, 0), (2, 1), (4, 0)]), Schedule.constant(1.0)),
        Sway(Still(), (0.2, 0.1, 0.3), offsets=(0.1, 0.2, 0.3)),
        Swing((0.1, 0.0, 0.8)),
    ],
)
def test_poses_are_rigid_smooth_and_pure(motion):
    for t in np.linspace(0, 4, 15):
        matrix = motion.pose(t)
        np.testing.assert_allclose(matrix @ inverse(matrix), np.eye(4), atol=1e-12)
        assert np.linalg.det(matrix[:3, :3]) == pytest.approx(1.0)
        np.testing.assert_array_equal(matrix, motion.pose(t))
        assert np.abs(motion.pose(t + 1e-4) - matrix).max() < 1e-3


def test_swing_turns_about_its_pivot():
    swing = Swing((0.3, 0.1, 0.9), amplitude=0.6, phase=1.0)
    np.testing.assert_allclose(transform(swing.pose(0.4), np.array(swing.pivot)), swing.pivot, atol=1e-12)


def test_swing_stands_when_the_walker_stops():
    schedule = Schedule.with_stop(1.0, 2.0, 4.0)
    swing = Swing((0, 0, 0.8), schedule=schedule, phase=1.0)
    np.testing.assert_allclose(swing.pose(3.0), np.eye(4), atol=1e-12)
    assert np.abs(swing.pose(0.6) - np.eye(4)).max() > 0.05


def test_pose_conventions():
    np.testing.assert_allclose(pose(yaw=np.pi / 2)[:3, :3] @ (1, 0, 0), (0, 1, 0), atol=1e-12)  # turns left
    np.testing.assert_allclose(pose(pitch=np.pi / 2)[:3, :3] @ (1, 0, 0), (0, 0, -1), atol=1e-12)  # nose down
