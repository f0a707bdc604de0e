"""The demo's recording: a rendered scene as a rosbag2 folder, and its truth. Kept until its code changes."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer

from .. import synthesis
from ..core.errors import OutputError
from ..io.typestore import standard_types

TOPIC = "/camera/image_raw"
INFO_TOPIC = "/camera/camera_info"
FRAME_ID = "camera_optical_frame"
START = 1_700_000_000 * 10**9
"""Stamp of the first frame, ns."""

_IMAGE, _INFO = "sensor_msgs/msg/Image", "sensor_msgs/msg/CameraInfo"


def prepare_scene(
    scene: synthesis.Scene,
    recording: Path,
    truth: Path,
    on_frame: Callable[[int, int], None] = lambda *_: None,
) -> bool:
    """Render a scene into a recording and its truth, unless they are there already.

    Args:
        scene: what to render.
        recording: rosbag2 folder to write.
        truth: folder for masks and scene.json.
        on_frame: called with the number of frames done and to do.

    Returns:
        Whether it was rendered anew.

    Raises:
        OutputError: it cannot be written.
    """
    key, key_file = _key(scene), recording / "key.txt"
    try:
        if key_file.is_file() and key_file.read_text() == key:
            return False
        for folder in (recording, truth):
            shutil.rmtree(folder, ignore_errors=True)
        frames = synthesis.Renderer(scene)
        with Writer(recording, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            synthesis.write_truth(scene, truth, _recorded(writer, scene, frames, on_frame))
        # Last, so that an interrupted rendering is not taken for a whole one.
        key_file.write_text(key)
    except OSError as error:
        raise OutputError(
            f"cannot write {recording.parent}: {error.strerror or error}; choose another folder with --output"
        ) from None
    return True


def _recorded(
    writer: Writer, scene: synthesis.Scene, frames: Any, on_frame: Callable[[int, int], None]
) -> Iterator[synthesis.RenderedFrame]:
    """The frames as they pass by on their way to the truth; each is written to the recording."""
    store = standard_types()
    topics = {TOPIC: _IMAGE, INFO_TOPIC: _INFO}
    connections = {
        topic: writer.add_connection(topic, kind, typestore=store) for topic, kind in topics.items()
    }
    for index, frame in enumerate(frames):
        stamp = START + round(frame.time * 1e9)
        header = store.types["std_msgs/msg/Header"](
            stamp=store.types["builtin_interfaces/msg/Time"](*divmod(stamp, 10**9)), frame_id=FRAME_ID
        )
        for topic, message in (
            (TOPIC, _image(store.types, header, frame.image)),
            (INFO_TOPIC, _camera_info(store.types, header, scene.camera)),
        ):
            writer.write(connections[topic], stamp, store.serialize_cdr(message, topics[topic]))
        on_frame(index + 1, scene.num_frames)
        yield frame


def _image(types: Any, header: Any, image: np.ndarray) -> Any:
    height, width = image.shape[:2]
    return types[_IMAGE](header, height, width, "bgr8", 0, 3 * width, np.ascontiguousarray(image).reshape(-1))


def _camera_info(types: Any, header: Any, camera: Any) -> Any:
    matrix = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]], np.float64)
    return types[_INFO](
        header=header,
        height=camera.height,
        width=camera.width,
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=matrix.reshape(-1),
        r=np.eye(3).reshape(-1),
        p=np.hstack((matrix, np.zeros((3, 1)))).reshape(-1),
        binning_x=0,
        binning_y=0,
        roi=types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False),
    )


def _key(scene: synthesis.Scene) -> str:
    """Changes with everything that the recording depends on."""
    described = (scene.name, scene.seed, scene.fps, scene.num_frames, scene.camera)
    digest = hashlib.sha256(repr(described).encode())
    for file in (*sorted(Path(synthesis.__file__).parent.glob("*.py")), Path(__file__)):
        digest.update(file.read_bytes())
    return digest.hexdigest()
