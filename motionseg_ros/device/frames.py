"""A camera frame on a device: it travels there once, whatever number of stages look at it."""

from __future__ import annotations

import threading

import torch
from torch import Tensor

from ..core.types import Frame

# Two stages may ask for the same frame at the same time, from two threads.
_lock = threading.Lock()


def upload(frame: Frame, device: torch.device) -> Tensor:
    """The frame's pixels on `device`, RGB, for all who ask for this very `Frame`: not to be written to.

    On a CUDA device the tensor may be used in whatever stream is current.

    Returns:
        (H, W, 3) uint8.
    """
    with _lock:
        if device not in frame.shared:
            rgb = torch.from_numpy(frame.image[..., ::-1].copy()).to(device)
            arrived = torch.cuda.current_stream(device).record_event() if device.type == "cuda" else None
            frame.shared[device] = rgb, arrived
        rgb, arrived = frame.shared[device]
    if arrived is not None:
        stream = torch.cuda.current_stream(device)
        stream.wait_event(arrived)
        rgb.record_stream(stream)
    return rgb
