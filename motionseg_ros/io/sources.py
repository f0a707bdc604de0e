"""Where frames come from: recordings, videos and folders of images behind one function."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import SourceError
from .bag_source import BagSource
from .bags import is_bag
from .folder_source import FolderSource
from .frame_source import FrameSource
from .video_source import VideoSource


def open_source(
    path: Path | str,
    topic: str | None = None,
    depth_topic: str | None = None,
    camera_info_topic: str | None = None,
    rectified: bool = False,
    tolerance: float = 0.02,
) -> FrameSource:
    """Open a folder of images, a video file, a rosbag2 folder or a bare ``.mcap`` or ``.db3`` file.

    Args:
        path: what to open.
        topic: image topic of a recording; not needed where it has just one.
        depth_topic: topic of a recording with depth images that are registered to the images.
        camera_info_topic: topic of a recording with the calibration; None for that beside the image topic.
        rectified: the images of a recording are.
        tolerance: farthest that the stamps of an image and its depth image lie apart, s.

    Raises:
        SourceError: it does not exist or cannot be read, or a topic has to be chosen.
    """
    path = Path(path)
    if not path.exists():
        raise SourceError(f"{path} does not exist; check the path of the recording, video or folder")
    if is_bag(path):
        return BagSource(path, topic, depth_topic, camera_info_topic, rectified, tolerance)
    topics = {"--topic": topic, "--depth-topic": depth_topic, "--camera-info-topic": camera_info_topic}
    for option, name in topics.items():
        if name is not None:
            raise SourceError(f"{path} is no ROS recording, so it has no topic {name}; leave {option} out")
    return FolderSource(path) if path.is_dir() else VideoSource(path)
