"""Long streams and the released resolution; `make soak` runs them."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from motionseg_ros.core.types import Frame, Prompts
from motionseg_ros.masks.sam2.memory import MemoryPolicy
from motionseg_ros.masks.sam2.predictor import StreamingPredictor

pytestmark = pytest.mark.soak


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


class Stream:
    """Three objects that are guided in every other frame and prompted in every fiftieth."""

    def __init__(self, model, film: list[np.ndarray]) -> None:
        self.predictor = StreamingPredictor(model, MemoryPolicy(), confident=0.7)
        self.film = film
        self.index = 0

    def step(self) -> float:
        """Process the next frame; returns the seconds of processor time that it took."""
        index, predictor = self.index, self.predictor
        start = time.process_time()
        predictor.see(Frame(self.film[index]))
        predictor.track({1: Prompts.on(np.array([[40, 40]], np.float32))} if index % 2 else None)
        if index == 0 or index % 50 == 25:
            for object_id in (1, 2, 3):
                place = np.array([[20 * object_id + index % 20, 30 + index % 40]], np.float32)
                predictor.prompt(object_id, Prompts.on(place), afresh=index % 100 == 25)
        predictor.predictions[1].logits.numpy()
        self.index += 1
        return time.process_time() - start


def test_1500_frames_in_the_memory_and_time_of_the_first(model, frames, capsys):
    film = frames(1500)
    old, sizes, memories = Stream(model, film), [], []
    for _ in range(1300):
        old.step()
        sizes.append(resident())
        memories.append(old.predictor.num_memories)
    # Side by side with a stream that has just begun: a shared machine is not equally fast for minutes.
    new = Stream(model, film)
    for _ in range(225):  # until it has as many prompted frames
        new.step()
    seconds = np.array([(new.step(), old.step()) for _ in range(200)])
    slower = np.median(seconds[:, 1]) / np.median(seconds[:, 0])
    growth = np.median(sizes[-100:]) / np.median(sizes[200:300])
    with capsys.disabled():
        print(
            f"\n1,500 frames: {1e3 * np.median(seconds[:, 1]):.1f} ms a frame at last, {slower:.3f} times that of a "
            f"new stream; memory {growth:.4f} times that of frame 250"
        )
    assert old.index == 1500
    assert max(memories[300:]) == max(memories[200:300])
    assert growth < 1.02
    assert 0.9 < slower < 1.1


def test_as_official_at_the_released_resolution(make_model, tmp_path, capsys):
    """sam2.1_tiny at 1024 px, three objects through 24 frames, policy `official`."""
    model = make_model(resolution=1024)
    torch.set_num_threads(2)
    rng = np.random.default_rng(0)
    scene = np.array(Image.fromarray(rng.integers(0, 256, (60, 80, 3), np.uint8)).resize((800, 600)))
    film = [np.ascontiguousarray(scene[t : t + 480, 2 * t : 2 * t + 640]) for t in range(24)]
    for index, frame in enumerate(film):
        with open(tmp_path / f"{index:05d}.jpg", "wb") as file:
            Image.fromarray(frame[..., ::-1]).save(file, "PNG")
    clicks = {1: [[100, 120]], 2: [[300, 200], [340, 230]], 3: [[500, 400]]}
    state = model.init_state(str(tmp_path))
    for object_id, points in clicks.items():
        model.add_new_points_or_box(
            state, 0, object_id, np.array(points, np.float32), np.ones(len(points), np.int32)
        )
    expected = [logits[:, 0].numpy().copy() for _, _, logits in model.propagate_in_video(state)]
    predictor = StreamingPredictor(model, MemoryPolicy(selective=False))
    largest = 0.0
    for index, frame in enumerate(film):
        predictor.see(Frame(frame))
        predictor.track()
        if index == 0:
            for object_id, points in clicks.items():
                predictor.prompt(object_id, Prompts.on(np.array(points, np.float32)))
        found = torch.stack([one.logits for one in predictor.predictions.values()])[:, None]
        scaled = torch.nn.functional.interpolate(found, (480, 640), mode="bilinear", align_corners=False)
        largest = max(largest, float((scaled[:, 0] - torch.from_numpy(expected[index])).abs().max()))
    with capsys.disabled():
        print(f"\nlargest difference of logits: {largest:.1e}")
    assert largest < 1e-4
