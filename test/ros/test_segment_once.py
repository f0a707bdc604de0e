"""Images one by one, as a service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed (make setup)")
pytest.importorskip("motionseg_ros.msg", reason="the messages are not built (make setup)")

from motionseg_ros.srv import SegmentOnce
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool, Trigger

from motionseg_ros.assembly import build_segmenter
from motionseg_ros.core.types import Frame
from motionseg_ros.synthesis import Renderer, get_scene

pytestmark = [pytest.mark.ros, pytest.mark.usefixtures("live_node")]
SERVICE = "/motionseg/segment_once"


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    renderer = Renderer(get_scene("crossing", width=320, height=240), supersampling=1)
    return [renderer.render(index).image for index in range(10, 26)]


@pytest.fixture
def segment(graph: Any, image_of: Callable[..., Any]) -> Callable[[np.ndarray, int], Any]:
    """The service's answer to an image and a stamp (ns)."""
    client = graph.node.create_client(SegmentOnce, SERVICE)
    graph._owned.append((graph.node.destroy_client, client))
    assert client.wait_for_service(20)

    def call(image: np.ndarray, stamp: int, encoding: str = "bgr8") -> Any:
        return graph.call(SegmentOnce, SERVICE, image=image_of(image, stamp, encoding))

    return call


@pytest.mark.parametrize("enabled", [True, False])
def test_the_answers_are_those_of_the_pipeline(graph, segment, images, enabled):
    assert graph.call(SetBool, "/motionseg/enable", data=enabled).success
    assert graph.call(Trigger, "/motionseg/reset").success
    expected = build_segmenter()
    found = 0
    for image in images:
        stamp = graph.next_stamp()
        answer = segment(image, stamp)
        assert answer.success, answer.message
        assert answer.instances.header.stamp.sec * 10**9 + answer.instances.header.stamp.nanosec == stamp
        result = expected.push(Frame(image, stamp))
        assert [one.state for one in answer.instances.instances] == [int(i.state) for i in result.instances]
        for one, other in zip(answer.instances.instances, result.instances, strict=True):
            assert (one.roi.x_offset, one.roi.y_offset, one.roi.width, one.roi.height) == other.roi
            found += 1
    assert found > 0
    assert graph.call(SetBool, "/motionseg/enable", data=True).success


def test_what_is_no_image_is_told(graph):
    message = Image(height=48, width=64, encoding="bgr8", step=192)
    answer = graph.call(SegmentOnce, SERVICE, image=message)
    assert not answer.success
    assert "data holds 0 bytes" in answer.message
    assert not answer.instances.instances


def test_a_node_that_is_not_active_says_so(run_node, graph):
    run_node("-p", "autostart:=false", "-r", "__node:=sleeping", ready="")
    answer = graph.call(SegmentOnce, "/sleeping/segment_once", image=Image())
    assert (answer.success, answer.message) == (False, "the node is unconfigured")
