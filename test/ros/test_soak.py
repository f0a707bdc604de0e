"""The long run of ``make soak``: a minute of 640x480 at 10 Hz (`SOAK_HZ`) through the live node."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed (make setup)")
pytest.importorskip("motionseg_ros.msg", reason="the messages are not built (make setup)")

from motionseg_ros.cli.demo_run import isolate, run_live
from motionseg_ros.core.types import Frame
from motionseg_ros.evaluation.throughput import back_and_forth
from motionseg_ros.ros.transport import use_fastdds_profile
from motionseg_ros.synthesis import Renderer, get_scene

pytestmark = [pytest.mark.ros, pytest.mark.soak]

RATE_HZ = int(os.environ.get("SOAK_HZ", "10"))
SECONDS = 60


@pytest.fixture
def isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ.copy():
        if name.startswith(("FAST", "ROS_")):
            monkeypatch.delenv(name)
    isolate()
    use_fastdds_profile()


def test_a_minute_is_answered_in_time(make_bag, tmp_path: Path, isolated: None):
    clip = [Frame(rendered.image) for rendered in Renderer(get_scene("demo"))]
    frames = list(back_and_forth(clip, RATE_HZ * SECONDS, 10**9 // RATE_HZ))
    recording = make_bag(
        images=[f.image for f in frames],
        stamps=[f.stamp + 10**18 for f in frames],
        period=10**9 // RATE_HZ,
    )
    live = run_live(recording, "/camera/image_raw", tmp_path)
    median, late = np.percentile(live.latency_ms, (50, 95))
    print(
        f"\n{live.sent} images sent at {RATE_HZ} Hz, {len(live.results)} answered "
        f"({len(live.results) / live.sent:.1%}); latency from stamp to subscriber: median {median:.0f} ms, "
        f"95 % below {late:.0f} ms"
    )
    lost = sum(int(live.diagnostics[key]) for key in ("frames_dropped", "frames_lost_before_node"))
    assert live.sent == RATE_HZ * SECONDS == len(live.results) + lost
    assert len(live.results) >= 0.98 * live.sent
    assert median < 150
