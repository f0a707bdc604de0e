"""Instances as JSON-ready values: everything in ``InstanceMask.msg`` but the pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..core.types import FrameResult, Instance

NANOSECONDS = 1_000_000_000


def frame_record(result: FrameResult) -> dict[str, Any]:
    """One line of ``instances.jsonl``."""
    height, width = result.size
    return {
        "index": result.index,
        "stamp": result.stamp,
        "header": {"stamp": split_time(result.stamp), "frame_id": result.frame_id},
        "height": height,
        "width": width,
        "restart": result.restart,
        "instances": [_instance_record(instance) for instance in result.instances],
    }


def split_time(nanoseconds: int) -> dict[str, int]:
    """The fields of ``builtin_interfaces/Time``."""
    sec, nanosec = divmod(nanoseconds, NANOSECONDS)
    return {"sec": sec, "nanosec": nanosec}


def _instance_record(instance: Instance) -> dict[str, Any]:
    x, y, width, height = instance.roi
    return {
        "id": instance.id,
        "state": instance.state.name,
        "motion_score": _number(instance.motion_score),
        "mask_score": _number(instance.mask_score),
        "roi": {"x_offset": int(x), "y_offset": int(y), "width": int(width), "height": int(height)},
        "area": instance.area,
        "velocity_px": [_number(v) for v in instance.velocity_px],
        "num_trajectories": int(instance.num_trajectories),
        "first_seen": split_time(int(instance.first_seen)),
        "has_position": instance.position is not None,
        "position": _vector(instance.position),
        "velocity": _vector(instance.velocity),
    }


def _vector(values: Sequence[float] | None) -> dict[str, float | None] | None:
    return None if values is None else dict(zip("xyz", map(_number, values), strict=True))


def _number(value: float) -> float | None:
    """JSON has no NaN and no infinity; both become null."""
    return round(float(value), 6) if math.isfinite(value) else None
