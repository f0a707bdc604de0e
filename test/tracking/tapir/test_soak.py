"""A long stream; `make soak` runs it."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
import torch

from motionseg_ros.core.config import TapirConfig
from motionseg_ros.core.types import Frame
from motionseg_ros.core.window import SlidingWindow
from motionseg_ros.tracking.tapir.model import build_tapir, track_by_likeness
from motionseg_ros.tracking.tapir.slots import SlotPool
from motionseg_ros.tracking.tapir.tracker import TapirTracker

pytestmark = pytest.mark.soak

SIDE, SLOTS, LENGTH = 64, 16, 16


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_1000_frames_in_the_memory_of_the_first(frames, capsys):
    """At a sixteenth of the released resolution, which changes the size of the arrays but not their number."""
    torch.manual_seed(0)
    model = build_tapir(None)
    model.initial_resolution = (SIDE, SIDE)
    track_by_likeness(model)
    config = TapirConfig.model_construct(**TapirConfig(slots=SLOTS).model_dump() | {"resolution": SIDE})
    tracker = TapirTracker(config, SlotPool(model, SLOTS, SIDE), LENGTH, 4)
    window = SlidingWindow(LENGTH, 128)
    film = frames(60, (96, 128))
    passes, sizes, tensors, births = [], [], {}, 0
    hook = model.resnet_torch.register_forward_hook(lambda *_: passes.append(1))
    for index in range(1000):
        place = index % 118
        window.push(Frame(film[place if place < 60 else 118 - place], index=index))
        tracker.push(window)
        tracks = tracker.window()
        births += int((tracks.birth == tracks.num_frames - 1).sum())
        assert len(tracks) <= SLOTS
        if index in (300, 999):
            gc.collect()
            tensors[index] = sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())
        sizes.append(resident())
    hook.remove()
    growth = np.median(sizes[-100:]) / np.median(sizes[200:300])
    with capsys.disabled():
        print(f"\n1,000 frames of TAPIR: memory {growth:.4f} times that of frame 250, {births} points seeded")
    assert len(passes) == 1000
    assert births > 5 * SLOTS  # slots were given away again and again
    assert tensors[999] == tensors[300]
    assert growth < 1.02
