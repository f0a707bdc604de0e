"""Builds take place in copies: neither the checkout nor the environment that runs the tests is touched."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What is no Python, and has to be installed with the modules all the same.
WEIGHTS = [f"motionseg_ros/trajectories/weights.{suffix}" for suffix in ("safetensors", "md")]


@pytest.fixture(scope="session")
def repository() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def copy_repository() -> Callable[[Path], Path]:
    """Copies what a commit of everything would contain: tracked and new files, but no ignored ones."""

    def copy(target: Path) -> Path:
        try:
            listing = subprocess.run(
                ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=True,
            )
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"needs a git checkout: {error}")
        for name in filter(None, listing.stdout.split("\0")):
            source = ROOT / name
            if source.is_file():  # a deleted file is listed until the deletion is committed
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target / name)
        for name in WEIGHTS:
            if not (target / name).exists():
                (target / name).write_bytes(b"a stand-in")
        return target

    return copy


@pytest.fixture(scope="session")
def fresh_environment() -> dict[str, str]:
    """The variables of a new shell in which this Python's environment has been activated."""
    environment = {**os.environ, "VIRTUAL_ENV": sys.prefix}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for name in ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "_ROS_WHEELS_BOOTSTRAP_COMPLETE"):
        environment.pop(name, None)
    return environment
