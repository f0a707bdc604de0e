"""A live graph over Fast DDS: the node in a process of its own, a camera and a planner in this one."""

from __future__ import annotations

import array
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Alone on this machine and, among its test runs, most likely too.
os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"

TIMEOUT = 20.0


def wait_until(condition: Callable[[], Any], what: str, timeout: float = TIMEOUT) -> Any:
    """The first true value of `condition`."""
    end = time.monotonic() + timeout
    while True:
        if value := condition():
            return value
        assert time.monotonic() < end, f"waited {timeout:.0f} s in vain for {what}"
        time.sleep(0.01)


class NodeProcess:
    """`motionseg node` with its output in a file."""

    def __init__(self, log: Path, arguments: list[str]) -> None:
        self._log = log
        command = [sys.executable, "-m", "motionseg_ros.cli.main", "node", "--ros-args", *arguments]
        with log.open("wb") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.output or self.process.poll() is not None, f"{text!r} in the log")
        assert text in self.output, self.output

    def end(self, number: int = signal.SIGINT) -> tuple[int, float]:
        """Send a signal; returns the exit status and the seconds until the end."""
        begin = time.monotonic()
        self.process.send_signal(number)
        try:
            self.process.wait(TIMEOUT)
        finally:
            self.process.kill()
        return self.process.returncode, time.monotonic() - begin


class Graph:
    """This process's side: publishes images, keeps what comes back."""

    def __init__(self) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        self.node = rclpy.create_node("test_graph")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._running = True
        self._thread.start()
        self._stamp = time.time_ns()
        self._owned: list[tuple[Callable[[Any], Any], Any]] = []

    def _spin(self) -> None:
        while self._running:
            self._executor.spin_once(timeout_sec=0.05)

    def close(self) -> None:
        self._running = False
        self._thread.join()
        self.node.destroy_node()

    def clear(self) -> None:
        """Let go of publishers, subscriptions and clients."""
        for destroy, thing in self._owned:
            destroy(thing)
        self._owned.clear()

    def subscribe(self, kind: type, topic: str, depth: int = 100, **qos: Any) -> list[Any]:
        """A list that fills with what is published."""
        from rclpy.qos import QoSProfile

        received: list[Any] = []
        subscription = self.node.create_subscription(
            kind, topic, received.append, QoSProfile(depth=depth, **qos)
        )
        self._owned.append((self.node.destroy_subscription, subscription))
        wait_until(subscription.get_publisher_count, f"a publisher of {topic}")
        return received

    def publisher(self, kind: type, topic: str, reliable: bool = True) -> Any:
        """A publisher that somebody listens to."""
        from rclpy.qos import QoSProfile, ReliabilityPolicy

        policy = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        publisher = self.node.create_publisher(kind, topic, QoSProfile(depth=10, reliability=policy))
        self._owned.append((self.node.destroy_publisher, publisher))
        wait_until(publisher.get_subscription_count, f"a subscriber of {topic}")
        return publisher

    def call(self, kind: type, name: str, **fields: Any) -> Any:
        """Call a service. An answer to a caller whom the server has not discovered yet gets lost: ask again."""
        client = self.node.create_client(kind, name)
        self._owned.append((self.node.destroy_client, client))
        assert client.wait_for_service(TIMEOUT), f"no service {name}"
        begin = time.monotonic()
        while time.monotonic() < begin + TIMEOUT:
            future = client.call_async(kind.Request(**fields))
            patience = time.monotonic() + 1.5
            while time.monotonic() < patience:
                if future.done():
                    return future.result()
                time.sleep(0.005)
        raise AssertionError(f"no answer of {name}")

    def connect(self, publish: Callable[[], Any], *received: list[Any]) -> None:
        """Publish until something comes back on every subscription, then empty them.

        That a subscription has found its publisher does not mean that the publisher has found it.
        """

        def complete() -> bool:
            publish()
            time.sleep(0.1)
            return all(received)

        wait_until(complete, "all subscriptions")
        time.sleep(0.3)
        for messages in received:
            messages.clear()

    def next_stamp(self, step_ms: int = 100) -> int:
        """Stamps that go on over all tests, in ns."""
        self._stamp += step_ms * 1_000_000
        return self._stamp


def make_image(pixels: Any, stamp: int, encoding: str = "bgr8") -> Any:
    """A ``sensor_msgs/Image``."""
    from sensor_msgs.msg import Image

    message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding)
    message.header.frame_id = "camera_optical_frame"
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 10**9)
    message.step = pixels.nbytes // pixels.shape[0]
    message.data = array.array("B", pixels.tobytes())
    return message


@pytest.fixture(scope="session")
def session_graph() -> Iterator[Graph]:
    import rclpy

    from motionseg_ros.ros.transport import use_fastdds_profile

    use_fastdds_profile()
    rclpy.init()
    graph = Graph()
    yield graph
    graph.close()
    rclpy.try_shutdown()


@pytest.fixture
def graph(session_graph: Graph) -> Iterator[Graph]:
    yield session_graph
    session_graph.clear()


@pytest.fixture(scope="module")
def run_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., NodeProcess]]:
    """Starts nodes; those still there at the end of the module are killed."""
    started: list[NodeProcess] = []

    def start(*arguments: str, ready: str = "active: images from") -> NodeProcess:
        log = tmp_path_factory.mktemp("node") / "log.txt"
        started.append(NodeProcess(log, list(arguments)))
        if ready:
            started[-1].wait_for(ready)
        return started[-1]

    yield start
    for node in started:
        node.process.kill()
        node.process.wait()


@pytest.fixture(scope="module")
def live_node(run_node: Callable[..., NodeProcess]) -> Iterator[NodeProcess]:
    """One node for a whole module; it must still be there at the end, and end well."""
    # Tests flow faster than a camera, and pause.
    node = run_node("-p", "node.diagnostics_period:=0.1", "-p", "source.max_gap:=3600.0")
    yield node
    status, _ = node.end()
    assert status == 0, node.output
    assert "Traceback" not in node.output


@pytest.fixture
def until() -> Callable[..., Any]:
    return wait_until


@pytest.fixture
def image_of() -> Callable[..., Any]:
    return make_image
