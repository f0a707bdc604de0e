from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed (make setup)")

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus

from motionseg_ros.core.pipeline import Workload
from motionseg_ros.ros.diagnostics import diagnostics_message
from motionseg_ros.ros.statistics import Counts, Snapshot

pytestmark = pytest.mark.ros

GOOD = Snapshot(
    counts=Counts(received=100, answered=100),
    input_rate=10.0,
    output_rate=9.9,
    processing_ms=(50.0, 60.0),
    latency_ms=(55.0, 65.0),
    stages_ms={"flow": 20.0},
    published={"labels": 100},
    last={
        "bad": "torn",
        "failed": "KeyError: 1",
        "restarts": "size changed",
        "reduced": "cuda is out of memory",
        "unpaired": "is /depth published with the same stamps?",
    },
    idle_for=0.1,
)
BEFORE = Counts(received=90, answered=90)


def status(now: Snapshot = GOOD, state: str = "active", before: Counts = BEFORE) -> DiagnosticStatus:
    message = diagnostics_message(
        "motionseg", Time(sec=3), state, "/image", {"tracker": "lk"}, now, before, 2.0
    )
    assert message.header.stamp.sec == 3
    return message.status[0]


@pytest.mark.parametrize(
    ("change", "level", "told"),
    [
        ({}, DiagnosticStatus.OK, "9.9 of 10.0 images/s"),
        ({"counts": replace(GOOD.counts, failed=1)}, DiagnosticStatus.ERROR, "KeyError: 1"),
        ({"counts": replace(GOOD.counts, bad=2)}, DiagnosticStatus.WARN, "2 bad frames: torn"),
        ({"counts": replace(GOOD.counts, lost=40)}, DiagnosticStatus.WARN, "40 images were lost"),
        ({"counts": replace(GOOD.counts, restarts=1)}, DiagnosticStatus.WARN, "size changed"),
        ({"counts": replace(GOOD.counts, reduced=1)}, DiagnosticStatus.WARN, "cuda is out of memory"),
        ({"idle_for": 2.5}, DiagnosticStatus.WARN, "no image on /image"),
    ],
)
def test_level_and_message(change: dict[str, object], level: bytes, told: str) -> None:
    found = status(replace(GOOD, **change))
    assert found.level == level
    assert told in found.message


def test_what_was_reported_is_not_reported_again() -> None:
    counts = replace(GOOD.counts, failed=1, bad=1, restarts=1, lost=50, reduced=1)
    assert status(replace(GOOD, counts=counts), before=counts).level == DiagnosticStatus.OK


@pytest.mark.parametrize("state", ["inactive", "disabled", "unconfigured"])
def test_a_node_at_rest_is_well(state: str) -> None:
    found = status(replace(GOOD, idle_for=100.0), state)
    assert (found.level, found.message) == (DiagnosticStatus.OK, state)


def test_values() -> None:
    values = {pair.key: pair.value for pair in status().values}
    assert values["latency_ms_median"] == "55.0"
    assert values["latency_ms_p95"] == "65.0"
    assert values["ms.flow"] == "20.00"
    assert values["stage.tracker"] == "lk"
    assert values["published.labels"] == "100"
    assert values["frames_answered"] == "100"
    assert values["last_restart"] == "size changed"


def test_what_a_stage_left_undone_is_counted_and_told() -> None:
    found = status(replace(GOOD, counts=replace(GOOD.counts, reduced=4, restarts=1)))
    assert found.message == "less than wanted: cuda is out of memory"  # more than that a window is fresh
    values = {pair.key: pair.value for pair in found.values}
    assert (values["reduced"], values["last_reduction"]) == ("4", "cuda is out of memory")


def test_stamps_of_another_clock_give_no_latency() -> None:
    values = {pair.key: pair.value for pair in status(replace(GOOD, latency_ms=(9e9, 9e9))).values}
    assert values["latency_ms_median"] == ""
    assert values["processing_ms_median"] == "50.0"


def test_what_is_being_followed():
    message = diagnostics_message(
        "motionseg", Time(), "active", "/image", {}, GOOD, BEFORE, 2.0, Workload(trajectories=812, objects=3)
    )
    values = {pair.key: pair.value for pair in message.status[0].values}
    assert (values["objects"], values["trajectories"]) == ("3", "812")
    nothing = {pair.key: pair.value for pair in status().values}
    assert (nothing["objects"], nothing["trajectories"]) == ("0", "0")


def test_images_without_depth_are_worth_a_warning_when_they_are_many():
    few = replace(GOOD, counts=replace(GOOD.counts, unpaired=1))
    assert status(few).level == DiagnosticStatus.OK
    many = status(replace(GOOD, counts=replace(GOOD.counts, unpaired=8)))
    assert many.level == DiagnosticStatus.WARN
    assert many.message == "8 images had no depth image: is /depth published with the same stamps?"
