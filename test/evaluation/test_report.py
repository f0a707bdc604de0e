from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from motionseg_ros.evaluation.measures import statistics
from motionseg_ros.evaluation.objects import ObjectScore
from motionseg_ros.evaluation.report import (
    document,
    mean_over_frames,
    mean_over_sequences,
    object_table,
    score_table,
)
from motionseg_ros.evaluation.sequence import FrameScore, SequenceScore, TruthLabels


def frame(region: float, empty: bool = False, percent: float = 3.0, objects: int = 1) -> FrameScore:
    return FrameScore("00000", region, region / 2, empty, percent, objects, int(empty) * objects)


MOVING = SequenceScore("moving", (frame(1.0),), TruthLabels((), None, empty=False))
LONGER = SequenceScore("longer", (frame(0.4), frame(0.2), frame(0.0)), TruthLabels((), None, empty=False))
STATIC = SequenceScore("static", (frame(0.0, True, 6.0, 2), frame(1.0, True, 0.0, 0)), TruthLabels())
OBJECT = ObjectScore(3, 7, 2, statistics([1.0, 0.5]), statistics([0.5, 0.5]), 4, (1.0, 0.5), (0.5, 0.5))
LABELLED = SequenceScore("labelled", (frame(1.0),), TruthLabels((3,), None, empty=False), (OBJECT,))


def test_mean_over_sequences_weighs_sequences_alike_and_leaves_static_ones_out_of_scores():
    mean = mean_over_sequences([MOVING, LONGER, STATIC])
    assert mean["J_mean"] == pytest.approx((1.0 + 0.2) / 2)
    assert mean["F_mean"] == pytest.approx((0.5 + 0.1) / 2)
    assert mean["JF_mean"] == pytest.approx((0.75 + 0.15) / 2)
    assert mean["false_area_percent"] == 3.0
    assert mean["object_J_mean"] is None


def test_mean_over_frames_weighs_frames_alike():
    mean = mean_over_frames([MOVING, LONGER, STATIC])
    assert mean["J_mean"] == pytest.approx(1.6 / 4)
    assert mean["J_recall"] == 0.25
    assert mean["false_area_percent"] == 3.0
    assert mean["objects_per_frame"] == pytest.approx(6 / 6)
    assert mean["false_objects_per_frame"] == pytest.approx(2 / 6)


def test_only_static_sequences_have_no_scores():
    assert mean_over_sequences([STATIC])["J_mean"] is None
    assert mean_over_frames([STATIC])["JF_mean"] is None


def test_objects_of_all_sequences():
    mean = mean_over_sequences([LABELLED, MOVING])
    assert (mean["object_J_mean"], mean["object_F_mean"], mean["object_switches"]) == (0.75, 0.5, 4)
    assert mean["object_JF_mean"] == 0.625


def test_document_holds_everything_and_is_json():
    content = json.loads(json.dumps(document([LABELLED, STATIC]), allow_nan=False))
    assert content["num_frames"] == 3
    assert content["sequences"]["static"]["J_mean"] is None
    assert content["sequences"]["static"]["per_frame"][0]["predicted_percent"] == 6.0
    assert content["sequences"]["labelled"]["objects"][0]["J_per_frame"] == [1.0, 0.5]
    assert content["sequences"]["labelled"]["objects"][0]["J"] == {"mean": 0.75, "recall": 0.5, "decay": 0.5}


def text(table) -> str:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


def test_score_table_fits_80_columns():
    lines = text(score_table([MOVING, LONGER, STATIC])).splitlines()
    assert [line.split() for line in lines if "moving" in line and "1.000" in line] == [
        ["moving", "1", "1.000", "1.000", "0.500", "0.750", "-", "1.00", "0.00"]
    ]
    assert [line.split()[-4:] for line in lines if line.strip().startswith("static")] == [
        ["-", "3.00", "1.00", "1.00"]
    ]
    assert not any("…" in line for line in lines)


def test_object_table():
    lines = text(object_table([LABELLED])).splitlines()
    row = ["labelled", "3", "7", "2", "0.750", "0.500", "0.500", "0.625", "4"]
    assert row in [line.split() for line in lines]
