"""What the learned front end of the profile `gpu` takes: trajectories, depth, semantics, classification.

python tools/measure_front_end.py                        (1,024 slots, images of 640x480)
python tools/measure_front_end.py --slots 256 --semantics-stride 14 --frames 20

With random weights, on the GPU if there is one; speed does not depend on them. Per stage: how often it works, the
time of a pass by itself, and its arithmetic (counted by torch, a multiplication and an addition are two). Then frames
per second of all together, as the pipeline runs them: the cues of a frame beside the tracker's look at the next.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from motionseg_ros.core.config import DepthConfig, SemanticsConfig, TapirConfig
from motionseg_ros.core.cues import Cues
from motionseg_ros.core.depth import REFERENCE
from motionseg_ros.core.timing import StageTimer
from motionseg_ros.core.types import Frame, Tracks
from motionseg_ros.core.window import SlidingWindow
from motionseg_ros.cues.depth_anything import build_source
from motionseg_ros.cues.dinov2 import build_encoder
from motionseg_ros.cues.semantics import TrajectorySemantics
from motionseg_ros.cues.trajectory_depth import TrajectoryDepth
from motionseg_ros.device import memory
from motionseg_ros.tracking.tapir.tracker import build_tracker
from motionseg_ros.trajectories.checkpoint import load_released
from motionseg_ros.trajectories.released import SegAnyMoClassifier

LENGTH = 24


class FrontEnd:
    """Tracker, cues and classifier, and the window that they share."""

    def __init__(self, options: argparse.Namespace) -> None:
        torch.manual_seed(0)
        self.stride = options.stride
        self.size = tuple(options.size)
        tapir = TapirConfig(slots=options.slots, resolution=options.tapir_resolution)
        self.tracker = build_tracker(tapir, None, LENGTH, options.stride)
        self.cues = Cues(
            TrajectoryDepth(build_source(DepthConfig(every=options.depth_every), None), REFERENCE),
            TrajectorySemantics(build_encoder(SemanticsConfig(stride=options.semantics_stride), None)),
        )
        self.classifier = SegAnyMoClassifier(load_released(None, "auto"))
        self.window = SlidingWindow(LENGTH, 384)
        self.frames = scene(self.size)
        self.index = 0

    def track(self) -> Tracks:
        """Take the next frame."""
        self.window.push(next(self.frames))
        self.tracker.push(self.window)
        self.index += 1
        return self.tracker.window()

    def study(self, tracks: Tracks, frame: Frame, due: bool) -> None:
        """Cues and, if `due`, the classifier."""
        depth, semantics = self.cues.update(tracks, frame, StageTimer())
        if due:
            self.classifier(tracks, self.size, depth, semantics)


def full_window(count: int, size: tuple[int, int]) -> Tracks:
    """Trajectories (count, LENGTH) all of which are seen all the time."""
    rng = np.random.default_rng(0)
    positions = rng.uniform(0, size[::-1], (count, 1, 2)) + rng.normal(0, 1, (count, LENGTH, 2)).cumsum(1)
    ones = np.ones((count, LENGTH), np.float32)
    ids = np.arange(count)
    return Tracks(positions.astype(np.float32), ones > 0, ones, ones, 0 * ids, ids)


def scene(size: tuple[int, int]) -> Iterator[Frame]:
    """A texture that goes by, for ever."""
    height, width = size
    noise = np.random.default_rng(0).integers(0, 256, (height + 300, width + 300, 3), np.uint8)
    texture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    index = 0
    while True:
        place = abs(index % 298 - 149)
        yield Frame(
            np.ascontiguousarray(texture[place : place + height, 2 * place : 2 * place + width]), index
        )
        index += 1


def passes(front: FrontEnd) -> dict[str, tuple[str, Callable[[], object]]]:
    """What each stage does, and how often."""
    tracks, frame = full_window(len(front.tracker.window()), front.size), front.window.frame
    depth, semantics = front.cues.depth, front.cues.semantics
    values = np.full((len(tracks), LENGTH), 0.5, np.float32)
    descriptors = np.zeros((len(tracks), 768), np.float32)

    def look() -> None:
        depth._source.reset()
        depth._source.push(frame)

    return {
        "track": ("every frame", front.track),
        "depth": ("key frames", look),
        "semantics": ("query frames", lambda: semantics._encoder.encode(frame)),
        "classify": ("query frames", lambda: front.classifier(tracks, front.size, values, descriptors)),
    }


def milliseconds(work: Callable[[], object], times: int) -> float:
    """Median of a pass, until the device has done it."""
    spent = []
    for _ in range(times):
        synchronise()
        begin = time.perf_counter()
        work()
        synchronise()
        spent.append(1e3 * (time.perf_counter() - begin))
    return float(np.median(spent))


def frames_per_second(front: FrontEnd, count: int) -> float:
    """Of all stages together; a frame's cues are studied while the next one is tracked."""
    synchronise()
    begin = time.perf_counter()
    with ThreadPoolExecutor(1) as pool:
        studied = None
        for _ in range(count):
            due = front.index % front.stride == 0
            tracks = front.track()
            if studied is not None:
                studied.result()
            studied = pool.submit(front.study, tracks, front.window.frame, due)
        studied.result()
    synchronise()
    return count / (time.perf_counter() - begin)


def synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slots", type=int, default=1024)
    parser.add_argument("--tapir-resolution", type=int, default=256)
    parser.add_argument("--depth-every", type=int, default=4)
    parser.add_argument("--semantics-stride", type=int, default=7)
    parser.add_argument("--stride", type=int, default=4, help="frames from one query frame to the next")
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--warm", type=int, default=16, help="frames before anything is measured")
    parser.add_argument("--size", type=int, nargs=2, default=(480, 640), metavar=("HEIGHT", "WIDTH"))
    options = parser.parse_args()
    gpus = memory.gpu_names() if torch.cuda.is_available() and torch.cuda.init() is None else []
    device = ", ".join(gpus) or f"CPU, {torch.get_num_threads()} threads"
    print(f"{options.slots} slots, images {options.size[1]}x{options.size[0]}, on {device}")
    front = FrontEnd(options)
    for _ in range(options.warm):
        front.study(front.track(), front.window.frame, due=True)
    print("| stage | works in | ms a pass | GFLOP a pass |\n|---|---|---|---|")
    for name, (when, work) in passes(front).items():
        work()
        # Fused attention is not counted on every device.
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
            work()
        times = min(options.frames, 30)
        print(
            f"| {name} | {when} | {milliseconds(work, times):.1f} | {counter.get_total_flops() / 1e9:.1f} |",
            flush=True,
        )
    front.cues.reset()
    front.tracker.reset()
    front.window.clear()
    front.index = 0
    rate = frames_per_second(front, options.frames)
    peak = memory.peak_mb()
    print(
        f"{rate:.1f} frames/s over {options.frames} frames"
        + (f"; GPU memory, peak {peak:.0f} MB" if peak else "")
    )


if __name__ == "__main__":
    main()
