"""The node as a planner and a camera see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed (make setup)")
pytest.importorskip("motionseg_ros.msg", reason="the messages are not built (make setup)")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from motionseg_ros.msg import InstanceMaskArray
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool, Trigger

pytestmark = [pytest.mark.ros, pytest.mark.usefixtures("live_node")]

SIZE = (120, 160)


def pixels(seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    return cv2.GaussianBlur(noise, (5, 5), 0)


class Planner:
    """Publishes images and waits for their answers."""

    def __init__(self, graph: Any, until: Callable[..., Any], image_of: Callable[..., Any]) -> None:
        self.graph, self._until, self._image_of = graph, until, image_of
        self.labels = graph.subscribe(Image, "/motionseg/labels")
        self._diagnostics = graph.subscribe(DiagnosticArray, "/diagnostics")
        self._camera = graph.publisher(Image, "/image")
        self.connect(self.labels)

    def connect(self, *received: list[Any]) -> None:
        """Make sure that what is published from now on comes back."""
        self.graph.connect(lambda: self.publish(self._image_of(pixels(), self.graph.next_stamp())), *received)

    def publish(self, message: Any) -> None:
        self._camera.publish(message)

    def ask(self, image: np.ndarray | None = None, stamp: int | None = None, encoding: str = "bgr8") -> Any:
        """The labels of a new image."""
        image = pixels() if image is None else image
        message = self._image_of(image, self.graph.next_stamp() if stamp is None else stamp, encoding)
        return self.answer(message)

    def answer(self, message: Any) -> Any:
        self.publish(message)
        return self._until(
            lambda: next((m for m in self.labels if m.header == message.header), None), "the labels"
        )

    def report(
        self, condition: Callable[[Any, dict[str, str]], bool], what: str
    ) -> tuple[Any, dict[str, str]]:
        """The first report from now on that fulfils a condition."""
        self._diagnostics.clear()

        def find() -> Any:
            for message in list(self._diagnostics):
                values = {pair.key: pair.value for pair in message.status[0].values}
                if condition(message.status[0], values):
                    return message.status[0], values
            return None

        return self._until(find, what)

    def count(self, name: str) -> int:
        return int(self.report(lambda _, values: True, "a report")[1][name])


@pytest.fixture
def planner(graph: Any, until: Callable[..., Any], image_of: Callable[..., Any]) -> Planner:
    return Planner(graph, until, image_of)


def test_every_output_carries_the_header_of_its_image(planner: Planner, image_of: Any, until: Any) -> None:
    topics = {"instances": InstanceMaskArray, "labels": Image, "mask": Image, "overlay": Image}
    received = {name: planner.graph.subscribe(kind, f"/motionseg/{name}") for name, kind in topics.items()}
    planner.connect(*received.values())
    message = image_of(pixels(), planner.graph.next_stamp())
    message.header.frame_id = "Kamera_ä_optical_frame"
    message.header.stamp.nanosec = 999_999_999
    planner.publish(message)
    for name, messages in received.items():
        until(lambda messages=messages: messages, name)
        assert messages[0].header == message.header


def test_outputs_have_the_shape_and_encoding_of_the_contract(planner: Planner, until: Any) -> None:
    received = {
        name: planner.graph.subscribe(Image, f"/motionseg/{name}") for name in ("labels", "mask", "overlay")
    }
    instances = planner.graph.subscribe(InstanceMaskArray, "/motionseg/instances")
    planner.connect(instances, *received.values())
    planner.ask()
    until(lambda: all(received.values()) and instances, "all outputs")
    layouts = {name: (m[0].encoding, m[0].step, len(m[0].data)) for name, m in received.items()}
    height, width = SIZE
    assert layouts == {
        "labels": ("mono16", 2 * width, 2 * width * height),
        "mask": ("mono8", width, width * height),
        "overlay": ("bgr8", 3 * width, 3 * width * height),
    }
    assert (instances[0].height, instances[0].width) == SIZE
    assert {(m[0].height, m[0].width) for m in received.values()} == {SIZE}


@pytest.mark.parametrize(
    ("encoding", "convert"),
    [
        ("rgb8", lambda bgr: bgr[..., ::-1].copy()),
        ("mono8", lambda bgr: bgr[..., 0].copy()),
        ("mono16", lambda bgr: bgr[..., 0].astype("<u2") * 257),
        ("bgra8", lambda bgr: np.dstack((bgr, bgr[..., :1]))),
        ("bayer_rggb8", lambda bgr: bgr[..., 1].copy()),
        ("yuv422_yuy2", lambda bgr: bgr[..., :2].copy()),
        ("uyvy", lambda bgr: bgr[..., :2].copy()),
        ("32FC1", lambda bgr: bgr[..., 0].astype("<f4")),
    ],
)
def test_encodings(planner: Planner, encoding: str, convert: Callable[[np.ndarray], np.ndarray]) -> None:
    labels = planner.ask(convert(pixels()), encoding=encoding)
    assert (labels.height, labels.width) == SIZE


def test_rows_may_be_padded(planner: Planner, image_of: Any) -> None:
    message = image_of(pixels(size=(120, 180)), planner.graph.next_stamp())
    message.width = 160
    assert planner.answer(message).width == 160


def _short(message: Image) -> None:
    message.data = message.data[:100]


def _unknown(message: Image) -> None:
    message.encoding = "infrared_magic"


def _empty(message: Image) -> None:
    message.height = message.width = message.step = 0
    message.data = message.data[:0]


def _absurd(message: Image) -> None:
    message.height = message.width = 2_000_000_000
    message.step = 4_294_967_295


def _step(message: Image) -> None:
    message.step = 5


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_short, "data holds 100 bytes"),
        (_unknown, "infrared_magic"),
        (_empty, "empty"),
        (_absurd, "larger than"),
        (_step, "step 5"),
    ],
    ids=["short data", "unknown encoding", "empty", "absurd size", "short step"],
)
def test_a_bad_image_is_told_and_the_next_one_answered(
    planner: Planner, image_of: Any, spoil: Callable[[Image], None], reason: str
) -> None:
    before, restarts = planner.count("frames_bad"), planner.count("restarts")
    message = image_of(pixels(), planner.graph.next_stamp())
    spoil(message)
    planner.publish(message)
    status, values = planner.report(lambda s, v: int(v["frames_bad"]) > before, "a report of the bad frame")
    assert int(values["frames_bad"]) == before + 1
    assert reason in values["last_bad_frame"]
    assert status.level == DiagnosticStatus.WARN
    assert reason in status.message
    planner.ask()
    assert not any(labels.header == message.header for labels in planner.labels)
    assert planner.count("restarts") == restarts


def test_a_change_of_size_begins_a_fresh_window(planner: Planner, live_node: Any) -> None:
    before = planner.count("restarts")
    labels = planner.ask(pixels(size=(96, 128)))
    assert (labels.height, labels.width) == (96, 128)
    _, values = planner.report(lambda _, v: int(v["restarts"]) > before, "the restart")
    assert "size" in values["last_restart"]
    live_node.wait_for("fresh window")
    assert planner.ask().height == SIZE[0]


def test_stamps_that_jump_back_begin_a_fresh_window(planner: Planner) -> None:
    before = planner.count("restarts")
    planner.ask(stamp=planner.graph.next_stamp() - 60_000_000_000)
    _, values = planner.report(lambda _, v: int(v["restarts"]) > before, "the restart")
    assert "back" in values["last_restart"]
    planner.ask()


def test_the_overlay_is_drawn_only_while_somebody_subscribes(planner: Planner, until: Any) -> None:
    def drawn() -> tuple[int, int]:
        values = planner.report(lambda *_: True, "a report")[1]
        return int(values.get("published.overlay", 0)), int(values["published.labels"])

    before = drawn()
    planner.ask()
    until(lambda: drawn() == (before[0], before[1] + 1), "labels without an overlay")
    overlays = planner.graph.subscribe(Image, "/motionseg/overlay")
    planner.connect(overlays)
    before = drawn()
    planner.ask()
    until(lambda: overlays, "the overlay")
    until(lambda: drawn() == (before[0] + 1, before[1] + 1), "labels with an overlay")


def test_a_disabled_node_publishes_nothing(planner: Planner, image_of: Any) -> None:
    skipped = planner.count("frames_skipped")
    answer = planner.graph.call(SetBool, "/motionseg/enable", data=False)
    assert (answer.success, answer.message) == (True, "disabled")
    message = image_of(pixels(), planner.graph.next_stamp())
    planner.publish(message)
    _, values = planner.report(lambda _, v: int(v["frames_skipped"]) > skipped, "the skipped frame")
    assert values["state"] == "disabled"
    planner.graph.call(SetBool, "/motionseg/enable", data=True)
    planner.ask()
    assert not any(labels.header == message.header for labels in planner.labels)
    assert planner.count("frames_skipped") == skipped + 1


def test_reset_begins_a_fresh_window(planner: Planner) -> None:
    before = planner.count("restarts")
    assert planner.graph.call(Trigger, "/motionseg/reset").success
    planner.ask()
    _, values = planner.report(lambda _, v: int(v["restarts"]) > before, "the restart")
    assert "reset" in values["last_restart"]


def test_diagnostics_tell_everything(planner: Planner) -> None:
    for _ in range(5):
        planner.ask()
    status, values = planner.report(
        lambda s, v: s.level == DiagnosticStatus.OK and v["latency_ms_p95"], "a report"
    )
    assert status.name == "motionseg: segmentation"
    assert values["image_topic"] == "/image"
    assert float(values["processing_ms_median"]) > 0
    assert float(values["processing_ms_p95"]) >= float(values["processing_ms_median"])
    assert float(values["input_rate_hz"]) > 0
    assert float(values["memory_mb"]) > 10
    assert values["stage.tracker.name"] == "lucas_kanade"
    assert int(values["trajectories"]) > 50
    assert not any(key.endswith(".weights") for key in values)  # the defaults need none
    assert {"ms.convert", "frames_dropped", "frames_lost_before_node", "output_rate_hz"} <= set(values)
