"""Parameters: described, checked, applied."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed (make setup)")
pytest.importorskip("motionseg_ros.msg", reason="the messages are not built (make setup)")

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import DescribeParameters, GetParameters, ListParameters, SetParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

from motionseg_ros.core.config import COMMANDS_ONLY, FIXED, Option, options
from motionseg_ros.ros.parameters import (
    descriptor,
    from_ros,
    to_ros,
    unknown_overrides,
)

pytestmark = pytest.mark.ros


def set_parameters(graph: Any, **values: Any) -> Any:
    messages = [
        Parameter(name.replace("__", "."), value=value).to_parameter_msg() for name, value in values.items()
    ]
    return graph.call(SetParameters, "/motionseg/set_parameters", parameters=messages).results[0]


def test_every_option_is_a_parameter_with_description_and_range(graph: Any, live_node: Any) -> None:
    listed = graph.call(ListParameters, "/motionseg/list_parameters").result.names
    wanted = [option for option in options() if option.name not in COMMANDS_ONLY]
    assert {option.name for option in wanted} | {"config", "autostart"} <= set(listed)
    described = graph.call(
        DescribeParameters, "/motionseg/describe_parameters", names=[option.name for option in wanted]
    ).descriptors
    for option, found in zip(wanted, described, strict=True):
        assert found.description == option.description
        assert found.read_only == (option.name in FIXED)
        for choice in option.choices:
            assert choice in found.additional_constraints
        if option.type is int and option.minimum is not None:
            assert found.integer_range[0].from_value == option.minimum
        if option.type is float and option.maximum is not None:
            assert found.floating_point_range[0].to_value == option.maximum


def test_defaults_are_those_of_the_configuration(graph: Any, live_node: Any) -> None:
    answer = graph.call(GetParameters, "/motionseg/get_parameters", names=["window.length", "tracker.name"])
    by_name = {option.name: option.default for option in options()}
    assert answer.values[0].integer_value == by_name["window.length"]
    assert answer.values[1].string_value == by_name["tracker.name"]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("window.length", 1, "range"),
        ("window.length", "many", "type"),
        ("tracker.name", "crystal_ball", "must be one of lucas_kanade"),
        ("source.max_gap", 0.0, "greater than 0"),
        ("source.max_gap", "long", "must be a number"),
        ("source.max_gap", True, "must be a number"),
        ("node.reliability", "reliable", "read-only"),
        ("config", "gpu", "read-only"),
    ],
)
def test_bad_values_are_refused_with_the_reason(
    graph: Any, live_node: Any, name: str, value: Any, reason: str
) -> None:
    result = set_parameters(graph, **{name.replace(".", "__"): value})
    assert not result.successful
    assert reason in result.reason
    assert "\n" not in result.reason


def test_a_change_is_applied_with_a_fresh_window(
    graph: Any, until: Any, image_of: Any, live_node: Any
) -> None:
    labels = graph.subscribe(Image, "/motionseg/labels")
    reports = graph.subscribe(DiagnosticArray, "/diagnostics")
    camera = graph.publisher(Image, "/image")
    pixels = np.zeros((120, 160, 3), np.uint8)

    def ask() -> None:
        count = len(labels)
        camera.publish(image_of(pixels, graph.next_stamp()))
        until(lambda: len(labels) > count, "an answer")

    stride = next(option.default for option in options() if option.name == "window.stride") + 1
    graph.connect(lambda: camera.publish(image_of(pixels, graph.next_stamp())), labels)
    ask()
    assert set_parameters(graph, window__stride=stride).successful
    ask()
    until(
        lambda: any(
            "window.stride" in pair.value
            for report in list(reports)
            for pair in report.status[0].values
            if pair.key == "last_restart"
        ),
        "the restart",
    )
    answer = graph.call(GetParameters, "/motionseg/get_parameters", names=["window.stride"])
    assert answer.values[0].integer_value == stride


def test_a_whole_number_is_a_number(graph: Any, live_node: Any) -> None:
    assert set_parameters(graph, source__max_gap=3000).successful


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-p", "window.length:=3"], "window.length"),
        (["-p", "window.length:=many"], "window.length"),
        (["-p", "tracker.name:=crystal_ball"], "must be one of lucas_kanade"),
        (["-p", "config:=missing.yaml"], "missing.yaml"),
        (["-p", "autostart:=perhaps"], "autostart"),
        (["--params-file", "missing.yaml"], "missing.yaml"),
        (["-p", "qos_overrides./motionseg/labels.publisher.reliability:=perhaps"], "qos_overrides"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[1],
)
def test_a_bad_start_ends_with_one_line_and_status_2(run_node: Any, arguments: list[str], told: str) -> None:
    node = run_node(*arguments, ready="")
    assert node.process.wait(20) == 2
    fatal = [line for line in node.output.splitlines() if "FATAL" in line]
    assert len(fatal) == 1
    assert told in fatal[0]
    assert "Traceback" not in node.output


def test_the_quality_of_service_of_an_output_can_be_overridden(graph: Any, run_node: Any, until: Any) -> None:
    from rclpy.qos import ReliabilityPolicy

    node = run_node(
        "-p", "qos_overrides./lossy/labels.publisher.reliability:=best_effort", "-r", "__node:=lossy"
    )  # fmt: skip
    (found,) = until(lambda: graph.node.get_publishers_info_by_topic("/lossy/labels"), "the publisher")
    assert found.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
    (other,) = until(lambda: graph.node.get_publishers_info_by_topic("/lossy/mask"), "the other publisher")
    assert other.qos_profile.reliability == ReliabilityPolicy.RELIABLE
    assert node.end()[0] == 0


def test_a_file_sets_defaults_and_parameters_win(graph: Any, run_node: Any, tmp_path: Any) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("window:\n  length: 20\n  stride: 5\n")
    node = run_node("-p", f"config:={file}", "-p", "window.stride:=3", "-r", "__node:=from_file")
    answer = graph.call(GetParameters, "/from_file/get_parameters", names=["window.length", "window.stride"])
    assert [value.integer_value for value in answer.values] == [20, 3]
    assert node.end()[0] == 0


def test_unknown_parameters_are_told() -> None:
    assert (
        unknown_overrides(["use_sim_time", "window.length", "qos_overrides./a.publisher.depth", "config"])
        == []
    )
    (line,) = unknown_overrides(["window.lenght"])
    assert "window.lenght" in line
    assert "did you mean window.length" in line


def test_one_sided_ranges_are_open_on_the_other_side() -> None:
    whole = descriptor(Option("a.b", int, 3, "text", minimum=1))
    assert whole.integer_range[0].to_value == 2**63 - 1
    real = descriptor(Option("a.b", float, 3.0, "text", maximum=1))
    assert real.floating_point_range[0].from_value < -1e300


def test_an_empty_text_stands_for_none() -> None:
    option = Option("a.b", str, None, "text")
    assert to_ros(option, None) == ""
    assert from_ros(option, "") is None
    assert from_ros(Option("a.b", str, "", "text"), "") == ""
