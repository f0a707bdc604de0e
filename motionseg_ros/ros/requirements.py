"""Tells people without ROS 2 how to get it, in one line."""

from __future__ import annotations

import importlib

from ..core.errors import ConfigError

REQUIRED = ("rclpy", "sensor_msgs.msg", "diagnostic_msgs.msg", "std_srvs.srv", "lifecycle_msgs.msg")


def require_ros() -> None:
    """Check that the ROS 2 Python packages and the generated messages can be imported.

    Raises:
        ConfigError: naming what is missing and how to get it.
    """
    for module in REQUIRED:
        if not _importable(module):
            raise ConfigError(
                f"ROS 2's Python package '{module.split('.')[0]}' cannot be imported; source a ROS 2 "
                "installation (source /opt/ros/<distribution>/setup.bash), or run `make setup` and use "
                ".venv/bin/motionseg"
            )
    if not _importable("motionseg_ros.msg"):
        raise ConfigError(
            "the messages of motionseg_ros are not built; build the package with colcon and source its "
            "install/setup.bash, or run `make setup` and use .venv/bin/motionseg"
        )


def _importable(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True
