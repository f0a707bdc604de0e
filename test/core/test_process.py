from __future__ import annotations

import os
import subprocess
import sys

import pytest

_THREADS = "import {module}, cv2; print(cv2.getNumThreads())"


def _threads(module: str, environment: dict[str, str]) -> int:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OPENCV_")}
    code = _THREADS.format(module=module)
    found = subprocess.run(
        [sys.executable, "-c", code], env={**plain, **environment}, check=True, capture_output=True, text=True
    )
    return int(found.stdout)


def test_our_commands_leave_opencv_one_thread():
    assert _threads("motionseg_ros.cli", {}) == 1


def test_the_environment_has_the_last_word():
    assert _threads("motionseg_ros.cli", {"OPENCV_FOR_THREADS_NUM": "2"}) == 2


@pytest.mark.parametrize("module", ["motionseg_ros", "motionseg_ros.assembly", "motionseg_ros.ros.main"])
def test_a_library_leaves_its_users_settings_alone(module):
    code = f"import os, sys, {module}; print('OPENCV_FOR_THREADS_NUM' in os.environ)"
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OPENCV_")}
    found = subprocess.run(
        [sys.executable, "-c", code], env=plain, check=True, capture_output=True, text=True
    )
    assert found.stdout.strip() == "False"


def test_the_nodes_module_comes_before_opencv():
    code = "import sys, motionseg_ros.ros.main; print('cv2' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "False"
