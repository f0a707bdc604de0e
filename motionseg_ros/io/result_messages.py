"""Results as rosbags messages, field for field what the node publishes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core.types import FrameResult, Instance
from .instance_records import split_time
from .typestore import INSTANCES_TYPE

Types = Mapping[str, Any]


def image_message(result: FrameResult, image: np.ndarray, encoding: str, types: Types) -> Any:
    """A ``sensor_msgs/msg/Image`` with the header of the frame; `image` is (H, W) or (H, W, 3)."""
    image = np.ascontiguousarray(image)
    return types["sensor_msgs/msg/Image"](
        header=_header(result, types),
        height=image.shape[0],
        width=image.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=image.strides[0],
        data=image.astype(image.dtype.newbyteorder("<"), copy=False).view(np.uint8).reshape(-1),
    )


def instances_message(result: FrameResult, types: Types) -> Any:
    """The ``InstanceMaskArray`` of a frame."""
    return types[INSTANCES_TYPE](
        header=_header(result, types),
        height=result.size[0],
        width=result.size[1],
        instances=[_instance_message(instance, types) for instance in result.instances],
    )


def _instance_message(instance: Instance, types: Types) -> Any:
    kind = types["motionseg_ros/msg/InstanceMask"]
    x, y, width, height = map(int, instance.roi)
    roi = types["sensor_msgs/msg/RegionOfInterest"](
        x_offset=x, y_offset=y, height=height, width=width, do_rectify=False
    )
    point, vector = types["geometry_msgs/msg/Point"], types["geometry_msgs/msg/Vector3"]
    return kind(
        id=int(instance.id),
        state=int(instance.state),
        motion_score=float(instance.motion_score),
        mask_score=float(instance.mask_score),
        roi=roi,
        mask=np.ascontiguousarray(instance.mask).view(np.uint8).reshape(-1) * np.uint8(255),
        velocity_px=np.array(instance.velocity_px, np.float32),
        num_trajectories=int(instance.num_trajectories),
        first_seen=types["builtin_interfaces/msg/Time"](**split_time(int(instance.first_seen))),
        has_position=instance.position is not None,
        position=point(*map(float, instance.position or (0, 0, 0))),
        velocity=vector(*map(float, instance.velocity or (0, 0, 0))),
    )


def _header(result: FrameResult, types: Types) -> Any:
    stamp = types["builtin_interfaces/msg/Time"](**split_time(result.stamp))
    return types["std_msgs/msg/Header"](stamp=stamp, frame_id=result.frame_id)
