"""How fast SAM 2 runs as a streaming masker, with random weights (speed does not depend on them).

python tools/measure_sam2.py --model sam2.1_tiny --objects 1 3 8

Per number of objects: milliseconds per frame for the image encoder, for carrying all objects on and for getting
their masks, and frames per second of all three. Objects are prompted again every 16 frames, as in the profile `gpu`.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from motionseg_ros.core.background import fit_background
from motionseg_ros.core.config import Sam2Config
from motionseg_ros.core.evidence import MotionEvidence
from motionseg_ros.core.types import Frame, Prompts, Tracks
from motionseg_ros.core.window import SlidingWindow
from motionseg_ros.masks.sam2.masker import Sam2Masker, build_masker

INTERVAL = 16


def measure(masker: Sam2Masker, objects: int, frames: int, warm: int, size: tuple[int, int]) -> list[float]:
    """Median milliseconds of the three steps, after `warm` frames."""
    height, width = size
    rng = np.random.default_rng(0)
    scene = rng.integers(0, 256, (height // 8 + 40, width // 8 + 40, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    empty = np.zeros(0)
    tracks = Tracks(
        np.zeros((0, 1, 2), np.float32),
        np.zeros((0, 1), bool),
        np.zeros((0, 1), np.float32),
        np.zeros((0, 1), np.float32),
        empty.astype(np.int64),
        empty.astype(np.int64),
    )
    background = fit_background(tracks, size, (1,))
    evidence = MotionEvidence(
        np.zeros((0, 2), np.float32), empty.astype(np.float32), empty > 0, empty.astype(np.int64), background
    )
    window = SlidingWindow(16, 384)
    masker.reset()
    times: list[list[float]] = []
    for index in range(warm + frames):
        offset = index % 240
        image = np.ascontiguousarray(scene[offset : offset + height, offset : offset + width])
        window.push(Frame(image, index=index))
        marks = [now()]
        masker.watch(window, background)
        marks.append(now())
        masker.push(window, evidence)
        if index % INTERVAL == 0:
            for object_id in range(1, objects + 1):
                x = width * object_id / (objects + 1)
                masker.add(object_id, Prompts.on(np.array([[x, height / 2], [x, height / 3]], np.float32)))
        marks.append(now())
        masker.masks()
        marks.append(now())
        times.append(np.diff(marks).tolist())
    return (1e3 * np.median(times[warm:], axis=0)).tolist()


def now() -> float:
    """Seconds, when the device has done what it was asked."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="sam2.1_tiny")
    parser.add_argument("--resolution", type=int, default=1024)
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 3, 8])
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--warm", type=int, default=20)
    parser.add_argument("--size", type=int, nargs=2, default=(480, 640), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(0)
    config = Sam2Config(model=options.model, resolution=options.resolution, compile=options.compile)
    masker = build_masker(config, None)
    name = (
        torch.cuda.get_device_name()
        if torch.cuda.is_available()
        else f"CPU, {torch.get_num_threads()} threads"
    )
    print(f"{options.model} at {options.resolution} px on {name}, images {options.size[1]}x{options.size[0]}")
    # Fused attention is not counted on every device.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        masker._predictor.see(Frame(np.zeros((*options.size, 3), np.uint8)))
    print(f"image encoder: {counter.get_total_flops() / 1e9:.1f} GFLOP")
    masker.reset()
    print("| objects | encode, ms | track, ms | masks, ms | frames/s |\n|---|---|---|---|---|")
    for count in options.objects:
        steps = measure(masker, count, options.frames, options.warm, tuple(options.size))
        cells = " | ".join(f"{step:.1f}" for step in steps)
        print(f"| {count} | {cells} | {1e3 / sum(steps):.1f} |", flush=True)


if __name__ == "__main__":
    main()
