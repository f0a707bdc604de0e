"""A plain `pip install .`: all modules, and the share folder where the package looks for it."""

import subprocess
import sys
from pathlib import Path

import pytest

PROBE = """
import motionseg_ros.core.types as module
from motionseg_ros.io.resources import share_path
print(module.__file__)
print(share_path("config", "cpu.yaml"))
print(share_path("msg", "InstanceMask.msg"))
"""


def run(*command: str | Path, **kwargs) -> str:
    result = subprocess.run(
        [str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, **kwargs
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    return result.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory, copy_repository) -> Path:
    return copy_repository(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def prefix(tmp_path_factory, source) -> Path:
    pip = [sys.executable, "-m", "pip"]
    wheels = tmp_path_factory.mktemp("wheels")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, source)
    (wheel,) = wheels.glob("motionseg_ros-*.whl")
    path = tmp_path_factory.mktemp("prefix")
    # --ignore-installed: or pip would first remove the package from the environment that runs the tests.
    run(*pip, "install", "--no-deps", "--ignore-installed", "--prefix", path, wheel)
    return path


def site_packages(prefix: Path) -> Path:
    return next(prefix.rglob("motionseg_ros/__init__.py")).parents[1]


def test_every_module_is_installed(source, prefix):
    files = {path for path in (source / "motionseg_ros").rglob("*") if path.is_file()}
    assert files
    missing = {f for f in files if not (site_packages(prefix) / f.relative_to(source)).is_file()}
    assert not missing


@pytest.mark.parametrize("folder", ["config", "launch", "rviz", "msg", "srv"])
def test_share_folder_is_installed(source, prefix, folder):
    names = {path.name for path in (source / folder).iterdir()}
    assert names
    target = prefix / "share" / "motionseg_ros" / folder
    # pip compiles what it installs.
    assert {path.name for path in target.iterdir() if path.name != "__pycache__"} == names


def test_ros_finds_the_package(prefix):
    assert (prefix / "share/ament_index/resource_index/packages/motionseg_ros").is_file()
    assert (prefix / "share/motionseg_ros/package.xml").is_file()


def test_installed_package_works_by_itself(prefix, fresh_environment):
    environment = {**fresh_environment, "PYTHONPATH": str(site_packages(prefix))}
    printed = run(sys.executable, "-c", PROBE, cwd="/", env=environment).split()
    assert len(printed) == 3
    for path in printed:
        assert Path(path).is_relative_to(prefix)
    assert (prefix / "bin" / "motionseg").is_file()
