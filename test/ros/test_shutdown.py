"""Ctrl-C and SIGTERM, at any moment."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed (make setup)")
pytest.importorskip("motionseg_ros.msg", reason="the messages are not built (make setup)")

from sensor_msgs.msg import Image

pytestmark = pytest.mark.ros

SIGNALS = [signal.SIGINT, signal.SIGTERM]


def check_end(node: Any, number: int) -> None:
    status, seconds = node.end(number)
    assert status == 0, node.output
    assert seconds < 2.0
    assert "Traceback" not in node.output
    assert "Error" not in node.output


@pytest.mark.parametrize("number", SIGNALS)
def test_while_idle(run_node: Any, number: int) -> None:
    check_end(run_node(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_while_frames_flood_in(graph: Any, until: Any, image_of: Any, run_node: Any, number: int) -> None:
    node = run_node()
    labels = graph.subscribe(Image, "/motionseg/labels")
    camera = graph.publisher(Image, "/image")
    pixels = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)

    def answered() -> bool:
        camera.publish(image_of(pixels, graph.next_stamp()))
        time.sleep(0.01)
        return len(labels) > 3

    until(answered, "answers")
    check_end(node, number)


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("number", SIGNALS)
def test_during_start_up(run_node: Any, number: int, delay: float) -> None:
    # The handlers stand when the module is loaded; what Python does before is not ours.
    code = (
        "from motionseg_ros.ros.main import _StopRequest, main\n"
        "original = _StopRequest.__init__\n"
        "def told(self):\n"
        "    original(self)\n"
        "    print('handlers', flush=True)\n"
        "_StopRequest.__init__ = told\n"
        "raise SystemExit(main([]))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout.readline() == "handlers\n"
    time.sleep(delay)
    begin = time.monotonic()
    process.send_signal(number)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0, output
    assert time.monotonic() - begin < 2.0
    assert "Traceback" not in output


@pytest.mark.parametrize("number", SIGNALS)
def test_while_a_model_is_being_loaded(number: int) -> None:
    code = (
        "import sys, time\n"
        "import motionseg_ros.assembly as assembly\n"
        "def load(config):\n"
        "    print('loading', flush=True)\n"
        "    time.sleep(60)\n"
        "assembly.build_segmenter = load\n"
        "from motionseg_ros.ros.main import main\n"
        "sys.exit(main([]))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout.readline() == "loading\n"
    begin = time.monotonic()
    process.send_signal(number)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0, output
    assert time.monotonic() - begin < 2.0
    assert not output


def test_a_second_signal_does_no_harm(run_node: Any) -> None:
    node = run_node()
    node.process.send_signal(signal.SIGINT)
    node.process.send_signal(signal.SIGINT)
    check_end(node, signal.SIGTERM)


def test_while_a_frame_takes_for_ever(graph: Any, until: Any, image_of: Any, tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "import motionseg_ros.assembly as assembly\n"
        "class Slow:\n"
        "    def push(self, frame):\n"
        "        print('in work', flush=True)\n"
        "        time.sleep(60)\n"
        "assembly.build_segmenter = lambda config: Slow()\n"
        "from motionseg_ros.ros.main import main\n"
        "sys.exit(main([]))\n"
    )
    log = tmp_path / "log.txt"
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=file, stderr=subprocess.STDOUT)
    try:
        camera = graph.publisher(Image, "/image")
        pixels = np.zeros((48, 64, 3), np.uint8)

        def in_work() -> bool:
            camera.publish(image_of(pixels, graph.next_stamp()))
            time.sleep(0.05)
            return "in work" in log.read_text()

        until(in_work, "a frame in work")
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0, log.read_text()
        assert time.monotonic() - begin < 2.0
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
