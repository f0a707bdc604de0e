"""The lifecycle, driven from outside."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed (make setup)")
pytest.importorskip("motionseg_ros.msg", reason="the messages are not built (make setup)")

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

pytestmark = pytest.mark.ros


def test_transitions(graph: Any, until: Any, image_of: Any, run_node: Any) -> None:
    node = run_node("-p", "autostart:=false", ready="")

    def go(transition: int) -> str:
        request = Transition(id=transition)
        assert graph.call(ChangeState, "/motionseg/change_state", transition=request).success, node.output
        return graph.call(GetState, "/motionseg/get_state").current_state.label

    def ask() -> None:
        labels = graph.subscribe(Image, "/motionseg/labels")
        camera = graph.publisher(Image, "/image")
        pixels = np.zeros((120, 160, 3), np.uint8)
        graph.connect(lambda: camera.publish(image_of(pixels, graph.next_stamp())), labels)
        message = image_of(pixels, graph.next_stamp())
        camera.publish(message)
        # Late answers to what `connect` has sent may come first.
        until(lambda: any(label.header == message.header for label in labels), "an answer")

    assert graph.call(GetState, "/motionseg/get_state").current_state.label == "unconfigured"
    assert not graph.call(Trigger, "/motionseg/reset").success
    assert go(Transition.TRANSITION_CONFIGURE) == "inactive"
    assert graph.node.count_subscribers("/image") == 0
    assert go(Transition.TRANSITION_ACTIVATE) == "active"
    ask()
    assert go(Transition.TRANSITION_DEACTIVATE) == "inactive"
    graph.clear()
    until(lambda: graph.node.count_subscribers("/image") == 0, "the end of the subscription")
    assert go(Transition.TRANSITION_ACTIVATE) == "active"
    ask()
    assert go(Transition.TRANSITION_DEACTIVATE) == "inactive"
    assert go(Transition.TRANSITION_CLEANUP) == "unconfigured"
    until(lambda: graph.node.count_publishers("/motionseg/labels") == 0, "the end of the publishers")
    graph.clear()
    assert go(Transition.TRANSITION_CONFIGURE) == "inactive"
    assert go(Transition.TRANSITION_ACTIVATE) == "active"
    ask()
    assert go(Transition.TRANSITION_ACTIVE_SHUTDOWN) == "finalized"
    status, seconds = node.end()
    assert status == 0, node.output
    assert seconds < 2
    assert "Traceback" not in node.output


def footprint(process: Path) -> dict[str, int]:
    """What a process holds: resident bytes, threads and open files."""
    return {
        "memory": int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
        "threads": len(list((process / "task").iterdir())),
        "files": len(list((process / "fd").iterdir())),
    }


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux: /proc/self/statm")
def test_fifty_cycles_cost_no_memory_no_threads_and_no_files(
    graph: Any, until: Any, image_of: Any, run_node: Any
) -> None:
    node = run_node("-p", "autostart:=false", ready="")
    process = Path(
        f"/proc/{node.process.pid}"
    )  # the ROS wheels replace it by another program, of the same id
    client = graph.node.create_client(ChangeState, "/motionseg/change_state")
    until(client.service_is_ready, "the lifecycle's service")
    # An answer may get lost until the server has discovered its caller: this one takes care of that.
    assert graph.call(GetState, "/motionseg/get_state").current_state.label == "unconfigured"

    def go(transition: int) -> None:
        future = client.call_async(ChangeState.Request(transition=Transition(id=transition)))
        until(future.done, f"transition {transition}")
        assert future.result().success, node.output

    held = []
    for _ in range(50):
        go(Transition.TRANSITION_CONFIGURE)
        go(Transition.TRANSITION_ACTIVATE)
        go(Transition.TRANSITION_DEACTIVATE)
        go(Transition.TRANSITION_CLEANUP)
        held.append(footprint(process))
    assert held[-1]["memory"] < 1.03 * held[9]["memory"]
    assert held[-1]["threads"] <= held[9]["threads"]
    assert held[-1]["files"] <= held[9]["files"]

    go(Transition.TRANSITION_CONFIGURE)
    go(Transition.TRANSITION_ACTIVATE)
    graph.node.destroy_client(client)
    labels = graph.subscribe(Image, "/motionseg/labels")
    camera = graph.publisher(Image, "/image")
    pixels = np.zeros((120, 160, 3), np.uint8)
    graph.connect(lambda: camera.publish(image_of(pixels, graph.next_stamp())), labels)
    status, _ = node.end()
    assert status == 0, node.output
    assert "Traceback" not in node.output
