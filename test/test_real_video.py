"""The default pipeline on real video with ground truth, a few seconds of each; skipped where the data is absent."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from motionseg_ros.assembly import build_segmenter
from motionseg_ros.evaluation.label_images import read_labels
from motionseg_ros.evaluation.measures import region_similarity
from motionseg_ros.io.sources import open_source

DATA = Path(os.environ.get("MOTIONSEG_DATA", Path(__file__).parents[2] / "shared" / "data"))


def predicted_and_true(sequence: str, frames: int) -> list[tuple[np.ndarray, np.ndarray]]:
    folder = DATA / sequence
    if not folder.is_dir():
        pytest.skip(f"evaluation data {folder} is not here; set MOTIONSEG_DATA")
    segmenter = build_segmenter()
    truth = sorted((folder / "masks").glob("*.png"))[:frames]
    with open_source(folder / "frames") as source:
        return [
            (segmenter.push(frame).labels > 0, read_labels(path) > 0)
            for frame, path in zip(source, truth, strict=False)
        ]


# Bounds: what is measured less a tenth, so that a change that breaks a whole cue fails.
@pytest.mark.parametrize(("sequence", "bound"), [("hike", 0.72), ("tennis", 0.62), ("horsejump-low", 0.55)])
def test_finds_the_mover(sequence: str, bound: float) -> None:
    pairs = predicted_and_true(f"davis16-dev/{sequence}", 40)
    similarity = [region_similarity(truth, predicted) for predicted, truth in pairs[5:]]
    assert np.mean(similarity) > bound


def test_a_rigid_office_stays_empty() -> None:
    pairs = predicted_and_true("static-scene/new_tsukuba", 150)
    assert np.mean([predicted.mean() for predicted, _ in pairs]) < 0.02
