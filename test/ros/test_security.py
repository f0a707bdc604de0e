"""The policy for SROS 2 allows what the node does, and nothing else."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed (make setup)")
pytest.importorskip("motionseg_ros.msg", reason="the messages are not built (make setup)")

pytestmark = pytest.mark.ros
# No other test's node may be taken for it.
NAME = "guarded"
POLICY = Path(__file__).parents[2] / "config" / "sros2.policy.xml"
# Only with other options: image_transport, depth.name = sensor, use_sim_time. And what differs by distribution.
NOT_NOW = {
    "subscribe": {"/image/compressed", "/depth", "/camera_info", "/clock", "/parameter_events"},
    "publish": {f"/{NAME}/points"},
    "reply": {f"/{NAME}/get_type_description"},
}


def allowed(kind: str) -> set[str]:
    """Full names of the topics or services that the policy allows to "subscribe", "publish" or "reply"."""
    profile = ElementTree.parse(POLICY).getroot().find("enclaves/enclave/profiles/profile")
    assert (profile.get("ns"), profile.get("node")) == ("/", "motionseg")
    return {
        name.text.replace("~", f"/{NAME}")
        for group in profile
        if group.get(kind) == "ALLOW"
        for name in group
    }


@pytest.fixture(scope="module")
def observer(run_node: Callable[..., Any]) -> Iterator[Any]:
    """A node of its own, which has seen none of the nodes of other tests, beside the one that is looked at."""
    import rclpy

    run_node("-r", f"__node:={NAME}")
    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    node = rclpy.create_node("observer", context=context)
    yield node
    node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.mark.parametrize(
    ("kind", "ask"),
    [
        ("subscribe", "get_subscriber_names_and_types_by_node"),
        ("publish", "get_publisher_names_and_types_by_node"),
        ("reply", "get_service_names_and_types_by_node"),
    ],
)
def test_it_lists_what_the_node_does(observer: Any, until: Callable[..., Any], kind: str, ask: str) -> None:
    def names() -> set[str]:
        if (NAME, "/") not in observer.get_node_names_and_namespaces():
            return set()  # not discovered yet
        return {name for name, _ in getattr(observer, ask)(NAME, "/")}

    until(lambda: allowed(kind) - NOT_NOW[kind] <= names(), f"all of {sorted(allowed(kind))}")
    assert names() <= allowed(kind)
