from __future__ import annotations

import json

import pytest

from motionseg_ros.core.config import Config
from motionseg_ros.io.sources import open_source
from motionseg_ros.io.summary import RunSummary


@pytest.fixture
def summary(make_folder) -> RunSummary:
    with open_source(make_folder(2)) as source:
        return RunSummary(source, Config())


def test_it_names_the_gpus_in_use(summary, gpus):
    gpus(H200=100, L4=20)
    assert summary.as_dict(True)["versions"]["gpus"] == ["H200", "L4"]


def test_without_one_the_list_is_empty(summary, monkeypatch):
    monkeypatch.setattr("motionseg_ros.device.memory._cuda", lambda: None)
    assert summary.as_dict(True)["versions"]["gpus"] == []


def test_it_is_ready_for_json_at_any_time(summary, make_result):
    assert json.loads(json.dumps(summary.as_dict(False, "interrupted")))["frames"] == 0
    summary.add(make_result(), 12.0)
    assert json.loads(json.dumps(summary.as_dict(True)))["frames"] == 1
