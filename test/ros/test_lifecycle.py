"""The lifecycle, driven from outside."""

from __future__ import annotations

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
