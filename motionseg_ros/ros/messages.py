"""From a `FrameResult` to the node's messages. Pure functions; headers are passed through untouched."""

from __future__ import annotations

import array

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Vector3
from sensor_msgs.msg import Image, PointCloud2, PointField, RegionOfInterest
from std_msgs.msg import Header

from ..core.positions import surface_points
from ..core.types import Frame, FrameResult, Instance, ObjectState
from ..msg import InstanceMask, InstanceMaskArray

_NS = 1_000_000_000
_POINT_FIELDS = [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("id", "<u2")]
# 16 bytes a point, as those who read points expect.
_POINT = np.dtype(
    {
        "names": [name for name, _ in _POINT_FIELDS],
        "formats": [kind for _, kind in _POINT_FIELDS],
        "itemsize": 16,
        "offsets": [0, 4, 8, 12],
    }
)


def stamp_to_ns(stamp: Time) -> int:
    """Nanoseconds of a message's stamp."""
    return stamp.sec * _NS + stamp.nanosec


def ns_to_stamp(nanoseconds: int) -> Time:
    """The stamp of a time in nanoseconds."""
    sec, nanosec = divmod(nanoseconds, _NS)
    return Time(sec=sec, nanosec=nanosec)


def instances_message(result: FrameResult, header: Header) -> InstanceMaskArray:
    """All instances of `result`, in ascending order of id."""
    height, width = result.size
    instances = sorted(result.instances, key=lambda instance: instance.id)
    return InstanceMaskArray(
        header=header, height=height, width=width, instances=[_instance(i) for i in instances]
    )


def labels_message(result: FrameResult, header: Header) -> Image:
    """The label image as mono16."""
    return _image(result.labels.astype("<u2", copy=False), "mono16", header)


def mask_message(result: FrameResult, header: Header) -> Image:
    """0 or 255 as mono8."""
    return _image(result.mask, "mono8", header)


def overlay_message(overlay: np.ndarray, header: Header) -> Image:
    """A drawn picture, (H, W, 3) uint8 BGR, as bgr8."""
    return _image(overlay, "bgr8", header)


def points_message(result: FrameResult, frame: Frame, header: Header) -> PointCloud2:
    """The visible surfaces of the objects that move: x, y, z in m in the optical frame, and the object's `id`.

    Without depth or calibration of the frame there are no points.
    """
    points, ids = np.zeros((0, 3), np.float32), np.zeros(0, np.uint16)
    if frame.depth is not None and frame.camera is not None:
        moving = [one for one in result.instances if one.state == ObjectState.MOVING]
        points, ids = surface_points(moving, frame)
    records = np.zeros(len(points), _POINT)
    for column, name in enumerate("xyz"):
        records[name] = points[:, column]
    records["id"] = ids
    kinds = {"<f4": PointField.FLOAT32, "<u2": PointField.UINT16}
    return PointCloud2(
        header=header,
        height=1,
        width=len(records),
        fields=[
            PointField(name=name, offset=_POINT.fields[name][1], datatype=kinds[kind], count=1)
            for name, kind in _POINT_FIELDS
        ],
        is_bigendian=False,
        point_step=_POINT.itemsize,
        row_step=_POINT.itemsize * len(records),
        data=_bytes(records),
        is_dense=True,
    )


def _instance(instance: Instance) -> InstanceMask:
    x, y, width, height = instance.roi
    message = InstanceMask(
        id=instance.id,
        state=int(instance.state),
        motion_score=float(instance.motion_score),
        mask_score=float(instance.mask_score),
        roi=RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height),
        mask=_bytes(instance.mask.astype(np.uint8) * np.uint8(255)),
        velocity_px=np.array(instance.velocity_px, np.float32),
        num_trajectories=instance.num_trajectories,
        first_seen=ns_to_stamp(instance.first_seen),
    )
    if instance.position is not None:
        message.has_position = True
        message.position = Point(**dict(zip("xyz", map(float, instance.position), strict=True)))
        if instance.velocity is not None:
            message.velocity = Vector3(**dict(zip("xyz", map(float, instance.velocity), strict=True)))
    return message


def _image(pixels: np.ndarray, encoding: str, header: Header) -> Image:
    height, width = pixels.shape[:2]
    return Image(
        header=header,
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=pixels.nbytes // height,
        data=_bytes(pixels),
    )


def _bytes(pixels: np.ndarray) -> array.array:
    # Only an array.array is taken over as it is; lists and bytes are checked element by element.
    return array.array("B", pixels.tobytes())


def result_from_messages(instances: InstanceMaskArray, labels: Image, index: int = 0) -> FrameResult:
    """The inverse, for those who record what the node publishes; both messages are of the same image."""
    pixels = np.frombuffer(labels.data, "<u2").reshape(labels.height, labels.width)
    return FrameResult(
        index=index,
        stamp=stamp_to_ns(instances.header.stamp),
        frame_id=instances.header.frame_id,
        labels=pixels.astype(np.uint16),
        instances=tuple(_instance_from(message) for message in instances.instances),
    )


def _instance_from(message: InstanceMask) -> Instance:
    roi = message.roi
    position, velocity = message.position, message.velocity
    return Instance(
        id=message.id,
        state=ObjectState(message.state),
        motion_score=message.motion_score,
        mask_score=message.mask_score,
        roi=(roi.x_offset, roi.y_offset, roi.width, roi.height),
        mask=np.frombuffer(message.mask, np.uint8).reshape(roi.height, roi.width) > 0,
        velocity_px=tuple(map(float, message.velocity_px)),
        num_trajectories=message.num_trajectories,
        first_seen=stamp_to_ns(message.first_seen),
        position=(position.x, position.y, position.z) if message.has_position else None,
        velocity=(velocity.x, velocity.y, velocity.z) if message.has_position else None,
    )
