"""`colcon build` without flags, over the ROS 2 that this environment has, and what the workspace then offers."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

PROBE = """
import json
import motionseg_ros
import motionseg_ros.core.types
import motionseg_ros.msg
import motionseg_ros.srv
from ament_index_python import get_package_share_directory
from rclpy.type_support import check_for_type_support

check_for_type_support(motionseg_ros.msg.InstanceMaskArray)  # loads the compiled part
check_for_type_support(motionseg_ros.srv.TrackObject)
check_for_type_support(motionseg_ros.srv.SegmentOnce)
files = {
    module.__name__: module.__file__
    for module in (motionseg_ros, motionseg_ros.core.types, motionseg_ros.msg, motionseg_ros.srv)
}
files["share"] = get_package_share_directory("motionseg_ros")
print(json.dumps(files))
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, copy_repository, fresh_environment) -> Path:
    pytest.importorskip("rclpy", reason="needs ROS 2 (`make setup`, or a sourced installation)")
    if shutil.which("colcon", path=fresh_environment["PATH"]) is None:
        pytest.skip("needs colcon (`make setup`)")
    path = tmp_path_factory.mktemp("workspace")
    copy_repository(path / "src" / "motionseg_ros")
    build = subprocess.run(
        ["colcon", "--log-level", "warning", "build"],
        cwd=path,
        env=fresh_environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert build.returncode == 0, build.stdout[-4000:]
    return path


@pytest.fixture(scope="module")
def sourced(workspace, fresh_environment):
    """Runs a command in a new shell that has sourced the workspace."""

    def run(*command: str | Path, status: int = 0) -> subprocess.CompletedProcess:
        result = subprocess.run(
            ["bash", "-c", '. "$0"/install/setup.bash && exec "$@"', workspace, *command],
            cwd="/",
            env=fresh_environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert result.returncode == status, result.stderr
        return result

    return run


def installed(workspace: Path) -> Path:
    return workspace / "install" / "motionseg_ros"


def test_modules_and_messages_come_from_the_workspace(workspace, sourced):
    files = json.loads(sourced("python", "-c", PROBE).stdout)
    for name, file in files.items():
        assert Path(file).is_relative_to(installed(workspace)), name


def test_every_module_and_data_file_is_installed(workspace):
    source = workspace / "src" / "motionseg_ros"
    package = next(installed(workspace).glob("l*/python3*/*-packages/motionseg_ros"), None) or next(
        installed(workspace).glob("local/lib/python3*/*-packages/motionseg_ros")
    )
    for folder, target in {
        "motionseg_ros": package,
        **{
            name: installed(workspace) / "share/motionseg_ros" / name for name in ("config", "launch", "rviz")
        },
    }.items():
        files = [path for path in (source / folder).rglob("*") if path.is_file()]
        assert files, folder
        for path in files:
            copy = target / path.relative_to(source / folder)
            assert copy.read_bytes() == path.read_bytes(), copy


def test_motionseg_runs(workspace, sourced):
    # `ros2 run` starts what is in this folder and executable.
    assert "Usage" in sourced(installed(workspace) / "lib/motionseg_ros/motionseg", "--help").stdout


def test_node_runs(workspace, sourced):
    node = installed(workspace) / "lib/motionseg_ros/node"
    result = sourced(node, "--ros-args", "-p", "config:=no_such_profile", status=2)
    assert "no_such_profile" in result.stderr
