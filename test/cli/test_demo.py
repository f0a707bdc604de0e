"""The demo on a small scene: rendered, played to the live node, recorded, scored and drawn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed (make setup)")
pytest.importorskip("motionseg_ros.msg", reason="the messages are not built (make setup)")

from motionseg_ros.cli.demo_results import latency_quantiles, score, write_results
from motionseg_ros.cli.demo_run import Live, isolate, run_live
from motionseg_ros.cli.demo_scene import START, TOPIC, prepare_scene
from motionseg_ros.core.errors import MotionSegError, OutputError
from motionseg_ros.core.types import FrameResult
from motionseg_ros.io.bags import Bag
from motionseg_ros.io.sources import open_source
from motionseg_ros.ros.transport import use_fastdds_profile
from motionseg_ros.synthesis import Scene, get_scene

pytestmark = pytest.mark.ros

FRAMES = 8


@pytest.fixture(scope="module")
def scene() -> Scene:
    return get_scene("crossing", width=160, height=120, duration=FRAMES / 10)


@pytest.fixture(scope="module")
def rendered(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    assert prepare_scene(scene, folder / "recording", folder / "truth")
    return folder


def test_the_recording_is_whole(scene: Scene, rendered: Path) -> None:
    with open_source(rendered / "recording", TOPIC) as source:
        frames = list(source)
    assert [frame.stamp for frame in frames] == [START + i * 100_000_000 for i in range(FRAMES)]
    assert {(frame.size, frame.frame_id) for frame in frames} == {((120, 160), "camera_optical_frame")}
    assert len(list((rendered / "truth" / "masks").glob("*.png"))) == FRAMES
    with Bag(rendered / "recording") as bag:
        assert [topic.name for topic in bag.topics] == ["/camera/camera_info", TOPIC]
        info = bag.deserialize(next(bag.messages(["/camera/camera_info"])))
    assert (info.k[0], info.k[2], info.width) == (scene.camera.fx, scene.camera.cx, 160)


def test_it_is_rendered_once(scene: Scene, rendered: Path) -> None:
    assert not prepare_scene(scene, rendered / "recording", rendered / "truth")


def test_another_scene_is_rendered_anew(tmp_path: Path) -> None:
    one, other = (get_scene("static", seed, width=64, height=48, duration=0.1) for seed in (0, 1))
    folders = tmp_path / "recording", tmp_path / "truth"
    assert prepare_scene(one, *folders)
    assert prepare_scene(other, *folders)
    (folders[0] / "key.txt").unlink()  # as after an interruption
    assert prepare_scene(other, *folders)


def test_a_place_that_cannot_be_written(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="--output"):
        prepare_scene(scene, tmp_path / "file" / "recording", tmp_path / "truth")


def test_from_the_recording_to_the_score(
    rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE"):
        monkeypatch.setenv(variable, os.environ.get(variable, ""))
    isolate()
    # Beside the graph that other tests of this run use.
    monkeypatch.setenv("ROS_DOMAIN_ID", str(1 + (os.getpid() + 50) % 100))
    use_fastdds_profile()
    counts: list[int] = []
    live = run_live(rendered / "recording", TOPIC, tmp_path, counts.append)
    assert live.sent == FRAMES
    answered, dropped = len(live.results), int(live.diagnostics["frames_dropped"])
    assert answered + dropped + int(live.diagnostics["frames_lost_before_node"]) == FRAMES
    assert answered >= FRAMES - 2
    assert counts[-1] == answered
    assert len(live.latency_ms) == answered
    assert 0 < latency_quantiles(live)[0] < 1000
    assert all(result.index == index for index, result in live.results.items())

    write_results(tmp_path, rendered / "recording", TOPIC, live)
    assert len(list((tmp_path / "labels").glob("*.png"))) == FRAMES
    assert cv2.imread(str(tmp_path / "contact_sheet.png")).shape[1] > 600
    assert cv2.VideoCapture(str(tmp_path / "overlay.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == FRAMES
    assert json.loads((tmp_path / "summary.json").read_text())["answered"] == answered
    assert len(score(tmp_path, rendered / "truth").frames) == FRAMES
    assert (tmp_path / "score.json").is_file()


def test_the_score_is_that_of_what_was_answered(rendered: Path, tmp_path: Path) -> None:
    """Perfect answers to all frames but one that shows an object."""
    files = sorted((rendered / "truth" / "masks").glob("*.png"))
    truth = [cv2.imread(str(file), cv2.IMREAD_UNCHANGED).astype(np.uint16) for file in files]
    missing = next(index for index, labels in enumerate(truth) if labels.any())
    results = {i: FrameResult(i, i, "", labels) for i, labels in enumerate(truth) if i != missing}
    live = Live(FRAMES, results, np.full(len(results), 40.0), {})
    write_results(tmp_path, rendered / "recording", TOPIC, live)
    regions = [frame.region for frame in score(tmp_path, rendered / "truth").frames]
    assert regions == [float(index != missing) for index in range(FRAMES)]


def test_what_a_dead_node_said_is_told(
    rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "motionseg_ros.cli.demo_run._COMMAND", (sys.executable, "-c", "raise SystemExit('no luck')")
    )
    with pytest.raises(MotionSegError, match="node ended early: no luck"):
        run_live(rendered / "recording", TOPIC, tmp_path)


def test_an_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = subprocess.run(
        [sys.executable, "-m", "motionseg_ros.cli.demo", "--output", str(tmp_path / "file" / "out")],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert result.returncode == 2
    (line,) = result.stderr.strip().splitlines()
    assert "--output" in line
