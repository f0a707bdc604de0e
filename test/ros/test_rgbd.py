"""The node beside an RGB-D camera: pairs of images, positions in metres, and cameras that misbehave."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed (make setup)")
pytest.importorskip("motionseg_ros.msg", reason="the messages are not built (make setup)")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from motionseg_ros.msg import InstanceMaskArray
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from motionseg_ros.ros.rgbd_input import QUEUE
from motionseg_ros.synthesis import Renderer, get_scene

pytestmark = pytest.mark.ros
NEEDS_FILTERS = pytest.mark.skipif(
    subprocess.run(
        [sys.executable, "-c", "import message_filters"], capture_output=True, check=False
    ).returncode
    != 0,
    reason="message_filters is not installed (it comes with a ROS 2 installation)",
)
MILLISECOND = 1_000_000
FARTHEST = 65.0
"""What 16 bits of millimetres can tell, m."""


@pytest.fixture(scope="module")
def scene() -> Any:
    return get_scene("crossing", width=320, height=240)


@pytest.fixture(scope="module")
def rendered(scene: Any) -> list[Any]:
    renderer = Renderer(scene, supersampling=1)
    return [renderer.render(index) for index in range(10, 34)]


class Camera:
    """Publishes images, depth images and the calibration, and keeps what the node says."""

    def __init__(
        self, graph: Any, until: Callable[..., Any], image_of: Callable[..., Any], matrix: np.ndarray
    ):
        self.graph, self.until, self._image_of, self._matrix = graph, until, image_of, matrix
        self.instances = graph.subscribe(InstanceMaskArray, "/motionseg/instances")
        self._diagnostics = graph.subscribe(DiagnosticArray, "/diagnostics")
        self._image = graph.publisher(Image, "/image")
        self._depth = graph.publisher(Image, "/depth")
        self._info = graph.publisher(CameraInfo, "/camera_info")
        blank = np.zeros((240, 320, 3), np.uint8), np.ones((240, 320), np.float32)
        graph.connect(lambda: self.publish(*blank, graph.next_stamp()), self.instances)

    def publish(
        self,
        image: np.ndarray | None,
        depth: np.ndarray | None,
        stamp: int,
        late: int = 0,
        in_mm: bool = False,
    ) -> None:
        """A pair; the depth image's stamp is `late` ns later."""
        info = CameraInfo(height=240, width=320, k=self._matrix.reshape(-1).tolist())
        self._info.publish(info)
        if depth is not None:
            if in_mm:
                depth = np.where(depth < FARTHEST, 1e3 * depth, 0).astype(np.uint16)
            self._depth.publish(self._image_of(depth, stamp + late, "16UC1" if in_mm else "32FC1"))
        if image is not None:
            self._image.publish(self._image_of(image, stamp))

    def answer(self, stamp: int) -> Any:
        def find() -> Any:
            wanted = divmod(stamp, 10**9)
            stamps = ((m.header.stamp.sec, m.header.stamp.nanosec) for m in self.instances)
            return next((m for m, s in zip(list(self.instances), stamps, strict=False) if s == wanted), None)

        return self.until(find, "the instances")

    def report(self, condition: Callable[[Any, dict[str, str]], bool], what: str) -> dict[str, str]:
        """The values of the first report from now on that fulfils a condition."""
        self._diagnostics.clear()

        def find() -> Any:
            for message in list(self._diagnostics):
                values = {pair.key: pair.value for pair in message.status[0].values}
                if condition(message.status[0], values):
                    return values
            return None

        return self.until(find, what)


@pytest.fixture(scope="module")
def node(run_node: Callable[..., Any]) -> Any:
    arguments = ("node.diagnostics_period:=0.1", "source.max_gap:=3600.0", "depth.name:=sensor")
    started = run_node(*(part for value in arguments for part in ("-p", value)))
    yield started
    status, _ = started.end()
    assert status == 0, started.output
    assert "Traceback" not in started.output


@pytest.fixture
def camera(node: Any, graph: Any, until: Any, image_of: Any, scene: Any) -> Camera:
    return Camera(graph, until, image_of, scene.camera.matrix)


@NEEDS_FILTERS
@pytest.mark.parametrize("in_mm", [False, True])
def test_moving_objects_have_positions_and_velocities_in_metres(camera, rendered, scene, in_mm):
    placed, fastest = 0, 0.0
    for truth in rendered:
        stamp = camera.graph.next_stamp()
        camera.publish(truth.image, truth.depth, stamp, late=5 * MILLISECOND, in_mm=in_mm)
        for found in camera.answer(stamp).instances:
            if not found.roi.width:
                continue
            x, y, w, h = found.roi.x_offset, found.roi.y_offset, found.roi.width, found.roi.height
            inside = np.array(found.mask, np.uint8).reshape(h, w) > 0
            under = truth.depth[y : y + h, x : x + w][inside]
            known = under < FARTHEST
            assert found.has_position or known.mean() < 0.5  # a mask on the sky
            if not found.has_position:
                continue
            placed += 1
            fastest = max(fastest, abs(found.velocity.x))
            under = under[known]
            # The middle of what its mask covers, or nearer where the mask has background in it.
            assert 0.9 * under.min() < found.position.z < 1.1 * np.percentile(under, 90)
            ray = (np.array([x + w / 2, y + h / 2]) - scene.camera.matrix[:2, 2]) / scene.camera.fx
            assert abs(found.position.x / found.position.z - ray[0]) < 0.6 * w / scene.camera.fx
    assert placed > 5
    assert 0.1 < fastest < 3


@NEEDS_FILTERS
def test_the_points_of_what_moves(camera, rendered, scene):
    clouds = camera.graph.subscribe(PointCloud2, "/motionseg/points")
    nearest = 0
    for truth in rendered:
        stamp = camera.graph.next_stamp()
        camera.publish(truth.image, truth.depth, stamp)
        instances = camera.answer(stamp)
        cloud = camera.until(
            lambda h=instances.header: next((c for c in clouds if c.header == h), None), "the points"
        )
        kinds = {"names": [f.name for f in cloud.fields], "formats": ["<f4", "<f4", "<f4", "<u2"]}
        kinds |= {"offsets": [f.offset for f in cloud.fields], "itemsize": cloud.point_step}
        points = np.frombuffer(cloud.data, np.dtype(kinds))
        assert len(points) == cloud.width
        moving = {i.id for i in instances.instances if i.state == i.MOVING}
        assert set(points["id"].tolist()) <= moving
        pixels, depth = scene.camera.project(np.column_stack([points["x"], points["y"], points["z"]]))
        column, row = np.rint(pixels).astype(int).T
        np.testing.assert_allclose(depth, truth.depth[row, column], rtol=1e-5)
        for one in instances.instances:
            roi, own = one.roi, points["id"] == one.id
            inside = (column[own] >= roi.x_offset) & (column[own] < roi.x_offset + roi.width)
            assert inside.all()
            nearest += own.sum()
    assert nearest > 1000


@NEEDS_FILTERS
def test_images_without_a_depth_image_are_counted_and_not_answered(camera, rendered):
    before = camera.report(lambda *_: True, "a report")

    def published_enough(_status: Any, values: dict[str, str]) -> bool:
        # The subscription holds one image: some of many may be lost before the node.
        camera.publish(rendered[0].image, None, camera.graph.next_stamp())
        return int(values["frames_unpaired"]) >= int(before["frames_unpaired"]) + QUEUE

    status = camera.report(published_enough, "the count")
    assert int(status["frames_answered"]) == int(before["frames_answered"])
    stamp = camera.graph.next_stamp()
    camera.publish(rendered[0].image, rendered[0].depth, stamp)
    camera.answer(stamp)


@NEEDS_FILTERS
def test_a_warning_says_which_topic_is_silent(camera, rendered):
    def warned(status: Any, _values: Any) -> bool:
        camera.publish(rendered[0].image, None, camera.graph.next_stamp())
        return (
            status.level == DiagnosticStatus.WARN
            and "had no depth image: is /depth published" in status.message
        )

    camera.report(warned, "the warning")


@NEEDS_FILTERS
def test_stamps_that_jump_back_do_not_silence_it(camera, rendered):
    """As where a bag is played in a loop."""
    past = camera.graph.next_stamp() - 3600 * 10**9
    for _ in range(QUEUE):  # depth images without an image, which would stay in the queue
        camera.publish(None, rendered[0].depth, camera.graph.next_stamp())
    for index in range(5):
        stamp = past + index * 100 * MILLISECOND
        camera.publish(rendered[index].image, rendered[index].depth, stamp)
        if index:  # the first depth image of the loop comes before its image has told of the jump
            camera.answer(stamp)


@NEEDS_FILTERS
def test_a_depth_image_of_another_kind_is_a_bad_frame(camera, rendered):
    before = int(camera.report(lambda *_: True, "a report")["frames_bad"])
    camera.publish(rendered[0].image, rendered[0].depth[:100], camera.graph.next_stamp())
    values = camera.report(lambda _, values: int(values["frames_bad"]) == before + 1, "the bad frame")
    assert "depth must be registered to the image" in values["last_bad_frame"]


def test_without_message_filters_the_node_says_what_is_missing():
    code = (
        "import sys; sys.modules['message_filters'] = None; "
        "sys.argv[1:] = ['node', '--ros-args', '-p', 'depth.name:=sensor']; "
        "from motionseg_ros.cli.main import main; sys.exit(main())"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert finished.returncode == 2, finished.stderr
    assert "depth.name sensor needs ROS 2's Python package 'message_filters'" in finished.stderr
    assert "ros-$ROS_DISTRO-message-filters" in finished.stderr
