"""Where a robot's camera is, and where it looks."""

from __future__ import annotations

import numpy as np

from .motion import Drive, Motion, Route, Schedule, Sway


def robot_camera(
    route, speed: float, height: float, sweep: float, period: float, phase: float = 0.0, gaze: float = 0.0
) -> Motion:
    """Camera `height` m up on a robot that drives along `route` at `speed` m/s.

    It looks `gaze` rad to the left of where the robot goes, and sweeps left and right of that by `sweep` rad every
    `period` s.
    """
    path = Route(np.column_stack((route, np.full(len(route), height))))
    mount = Drive(path, Schedule.constant(speed, 0.2), gaze)
    return Sway(mount, (sweep, 0.012, 0.008), (period, 3.1, 4.3), (0.0, 0.015, 0.012), (phase, 0.0, 1.0))
