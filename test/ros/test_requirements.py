"""Machines without ROS 2."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("missing", "told"), [("rclpy", "make setup"), ("motionseg_ros.msg", "messages of motionseg_ros")]
)
@pytest.mark.parametrize("command", ["motionseg_ros.cli.main", "motionseg_ros.cli.demo"])
def test_what_is_missing_is_told_in_one_line(missing: str, told: str, command: str) -> None:
    if missing != "rclpy":
        pytest.importorskip("rclpy", reason="ROS 2 is not installed (make setup)")
    arguments = ["node"] if command.endswith("main") else []
    code = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv[1:] = {arguments}; "
        f"from {command} import main; sys.exit(main())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 2, result.stderr
    (line,) = result.stderr.strip().splitlines()
    assert missing.partition(".")[0] in line
    assert told in line


def test_nothing_but_ros_needs_ros() -> None:
    code = (
        "import sys; sys.modules['rclpy'] = None; import motionseg_ros.cli.main, motionseg_ros.ros, "
        "motionseg_ros.ros.transport, motionseg_ros.ros.requirements"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
