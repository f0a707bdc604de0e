"""Shared fixtures: small scenes, recordings of them, a segmenter that answers at once, and a web server."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from motionseg_ros.core.types import Frame, FrameResult, Instance, ObjectState

SECOND = 1_000_000_000


class BrightnessSegmenter:
    """Calls everything brighter than 200 one moving object: a pipeline whose answer is known beforehand."""

    def __init__(self, object_id: int = 1, delay_s: float = 0.0) -> None:
        self.object_id = object_id
        self.delay_s = delay_s
        self.pushed = 0

    def push(self, frame: Frame) -> FrameResult:
        time.sleep(self.delay_s)
        self.pushed += 1
        mask = frame.image.min(axis=2) > 200
        labels = np.where(mask, self.object_id, 0).astype(np.uint16)
        return FrameResult(
            frame.index,
            frame.stamp,
            frame.frame_id,
            labels,
            make_instances(mask, self.object_id),
            {"tracking": 1.0, "masking": 2.0},
            "first frame" if self.pushed == 1 else None,
        )


def make_instances(mask: np.ndarray, object_id: int = 1) -> tuple[Instance, ...]:
    """The pixels of `mask` as one moving instance; none where it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return ()
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    roi = (int(left), int(top), int(right - left), int(bottom - top))
    crop = np.ascontiguousarray(mask[top:bottom, left:right])
    return (Instance(object_id, ObjectState.MOVING, 0.9, 0.8, roi, crop, (30.0, -1.5), 7, 5 * SECOND),)


def square_images(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """A white square that moves to the right over dark noise, (H, W, 3) uint8 each."""
    background = np.random.default_rng(0).integers(0, 100, (height, width, 3), np.uint8)
    images = []
    for index in range(count):
        image = background.copy()
        image[10:20, 2 + index : 12 + index] = 255
        images.append(image)
    return images


def image_message(
    types: Any,
    image: np.ndarray,
    stamp: int,
    encoding: str = "bgr8",
    frame_id: str = "camera",
    **changes: Any,
) -> Any:
    """A rosbags ``sensor_msgs/msg/Image``; `changes` replace fields."""
    fields = {
        "header": make_header(types, stamp, frame_id),
        "height": image.shape[0],
        "width": image.shape[1],
        "encoding": encoding,
        "is_bigendian": 0,
        "step": int(image.strides[0]),
        "data": np.ascontiguousarray(image).view(np.uint8).reshape(-1),
    }
    return types["sensor_msgs/msg/Image"](**{**fields, **changes})


def make_header(types: Any, stamp: int, frame_id: str = "camera") -> Any:
    time_type = types["builtin_interfaces/msg/Time"]
    sec, nanosec = divmod(stamp, SECOND)
    return types["std_msgs/msg/Header"](stamp=time_type(sec=sec, nanosec=nanosec), frame_id=frame_id)


def write_bag(path: Path, messages: Iterable[tuple[str, Any, int]], storage: str = "mcap") -> Path:
    """Write (topic, rosbags message or (type, raw CDR), recorder's time in ns) as a rosbag2 folder."""
    from rosbags.rosbag2 import StoragePlugin, Writer

    from motionseg_ros.io.typestore import package_types

    store = package_types()
    plugin = StoragePlugin.MCAP if storage == "mcap" else StoragePlugin.SQLITE3
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        connections: dict[str, Any] = {}
        for topic, message, timestamp in messages:
            kind, data = message if isinstance(message, tuple) else (message.__msgtype__, None)
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=store)
            writer.write(
                connections[topic], timestamp, store.serialize_cdr(message, kind) if data is None else data
            )
    return path


@pytest.fixture
def ros() -> SimpleNamespace:
    """Message types of rosbags and the functions above that make messages, bags and images."""
    from motionseg_ros.io.typestore import package_types

    types = package_types().types
    return SimpleNamespace(
        types=types,
        header=lambda stamp, frame_id="camera": make_header(types, stamp, frame_id),
        image=lambda image, stamp, *args, **changes: image_message(types, image, stamp, *args, **changes),
        write_bag=write_bag,
        square_images=square_images,
    )


@pytest.fixture
def make_bag(tmp_path: Path, ros: SimpleNamespace) -> Callable[..., Path]:
    """Writes square images as a recording: ``make_bag(count, storage=, topic=, stamps=, images=)`` -> folder.

    `period` in ns is between the times at which they were recorded, which is when a player sends them.
    """

    def make(
        count: int = 6,
        storage: str = "mcap",
        topic: str = "/camera/image_raw",
        stamps: Sequence[int] | None = None,
        images: Sequence[np.ndarray] | None = None,
        name: str = "recording",
        period: int = SECOND // 10,
    ) -> Path:
        images = square_images(count) if images is None else images
        stamps = [100 * SECOND + i * SECOND // 10 for i in range(len(images))] if stamps is None else stamps
        messages = [
            (topic, ros.image(image, stamp), 200 * SECOND + i * period)
            for i, (image, stamp) in enumerate(zip(images, stamps, strict=True))
        ]
        return write_bag(tmp_path / name, messages, storage)

    return make


@pytest.fixture
def make_depth_bag(tmp_path: Path, ros: SimpleNamespace) -> Callable[..., Path]:
    """Writes square images on /camera/image_raw and the depth that goes with them on /camera/depth -> folder.

    Args:
        depths: one depth image for each, (h, w) uint16 mm or float32 m; None where its message is lost.
        offset: of the depth images' stamps, ns.
        others: further (topic, message, recorder's time in ns); those at 0 come first.
    """

    def make(
        depths: Sequence[np.ndarray | None],
        storage: str = "mcap",
        name: str = "with_depth",
        offset: int = 0,
        others: Sequence[tuple[str, Any, int]] = (),
    ) -> Path:
        messages = list(others)
        for index, (image, depth) in enumerate(zip(square_images(len(depths)), depths, strict=True)):
            stamp, time = 100 * SECOND + index * SECOND // 10, 200 * SECOND + index * SECOND // 10
            messages.append(("/camera/image_raw", ros.image(image, stamp), time))
            if depth is not None:
                encoding = "32FC1" if depth.dtype == np.float32 else "16UC1"
                message = ros.image(depth, stamp + offset, encoding, "depth_camera")
                messages.append(("/camera/depth", message, time + 1))
        return write_bag(tmp_path / name, sorted(messages, key=lambda message: message[2]), storage)

    return make


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes square images as numbered PNG files: ``make_folder(count)`` -> folder."""
    import cv2

    def make(count: int = 6, name: str = "frames", images: Sequence[np.ndarray] | None = None) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for index, image in enumerate(square_images(count) if images is None else images):
            cv2.imwrite(str(folder / f"{index}.png"), image)
        return folder

    return make


@pytest.fixture
def make_video(tmp_path: Path) -> Callable[..., Path]:
    """Writes square images as Motion JPEG: ``make_video(count)`` -> .avi file, readable to where it is cut off."""
    import cv2

    def make(count: int = 12, name: str = "clip.avi", fps: float = 20.0) -> Path:
        path = tmp_path / name
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, (64, 48))
        for image in square_images(count):
            writer.write(image)
        writer.release()
        return path

    return make


@pytest.fixture
def brightness_segmenter() -> type[BrightnessSegmenter]:
    """The class, to be made with an id and a delay."""
    return BrightnessSegmenter


@pytest.fixture
def make_result() -> Callable[..., FrameResult]:
    """``make_result(index, object_id=, state=)``: a 48x64 result with one 10x10 instance."""

    def make(
        index: int = 0, object_id: int = 1, state: ObjectState = ObjectState.MOVING, stamp: int = 100 * SECOND
    ) -> FrameResult:
        labels = np.zeros((48, 64), np.uint16)
        mask = np.ones((10, 10), bool)
        mask[0, 0] = False
        roi = (20, 15, 10, 10)
        if state == ObjectState.OCCLUDED:
            mask, roi = np.zeros((0, 0), bool), (0, 0, 0, 0)
        else:
            labels[15:25, 20:30][mask] = object_id
        instance = Instance(object_id, state, 0.9, 0.8, roi, mask, (30.0, -1.5), 7, 5 * SECOND)
        return FrameResult(index, stamp, "camera", labels, (instance,), {"tracking": 1.0})

    return make


@pytest.fixture(scope="session")
def file_server_module() -> Any:
    """`file_server.py` beside this file: `FileServer`, and `Fault` for what it is to do wrong."""
    specification = importlib.util.spec_from_file_location(
        "file_server", Path(__file__).with_name("file_server.py")
    )
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def file_server(file_server_module: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A running `FileServer`, to which no proxy of this machine is in the way."""
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)
    with file_server_module.FileServer() as server:
        yield server


@pytest.fixture
def fault(file_server_module: Any) -> Any:
    """The class `Fault` of the file server."""
    return file_server_module.Fault


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """``gpus(first=200, second=30)``: as if these were in use, with their greatest memory so far in MB.

    Returns a list of what is asked of them.
    """
    from motionseg_ros.device import memory

    def put(**peaks: int) -> list[str]:
        names, asked = list(peaks), []
        cuda = SimpleNamespace(
            device_count=lambda: len(names),
            get_device_name=lambda index: names[index],
            max_memory_reserved=lambda index: peaks[names[index]] * 2**20,
            empty_cache=lambda: asked.append("empty_cache"),
        )
        monkeypatch.setattr(memory, "_cuda", lambda: cuda)
        return asked

    return put


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Torch sums in the same order; and where other programs run, its threads wait for one another busily."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
