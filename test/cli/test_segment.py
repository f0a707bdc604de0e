"""``motionseg segment`` as users call it; where it has to be killed or starved, in a process of its own."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from motionseg_ros.cli.main import main
from motionseg_ros.core.config import options
from motionseg_ros.core.types import Frame, FrameResult, Prompts
from motionseg_ros.io.bag_source import BagSource

# The command with a segmenter that takes a given time per frame, so that a test can strike in the middle.
_PROCESS = """
import importlib.util, resource, sys
from types import SimpleNamespace
spec = importlib.util.spec_from_file_location("shared_fixtures", {conftest!r})
shared = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shared)
sys.modules["motionseg_ros.assembly"] = SimpleNamespace(
    build_segmenter=lambda config, offline: shared.BrightnessSegmenter(delay_s={delay_s})
)
if {limit}:
    resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
from motionseg_ros.cli.main import main
main()
"""


@pytest.fixture
def motionseg(monkeypatch, capsys, brightness_segmenter):
    """Calls the command in this process; returns status, stdout and stderr."""
    assembly = SimpleNamespace(build_segmenter=lambda config, offline: brightness_segmenter())
    monkeypatch.setitem(sys.modules, "motionseg_ros.assembly", assembly)

    def call(*arguments: object) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", ["motionseg", *map(str, arguments)])
        status = 0
        try:
            main()
        except SystemExit as stop:
            status = stop.code or 0
        output = capsys.readouterr()
        return SimpleNamespace(status=status, out=output.out, err=output.err)

    return call


@pytest.fixture
def start():
    """Starts the command in a process of its own."""
    processes = []

    def call(*arguments: object, delay_s: float = 0.0, limit: int = 0) -> subprocess.Popen:
        conftest = str(Path(__file__).parents[1] / "conftest.py")
        code = _PROCESS.format(conftest=conftest, delay_s=delay_s, limit=limit)
        command = [sys.executable, "-c", code, *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        return process

    yield call
    for process in processes:
        process.kill()
        process.communicate()


def wait_for_frames(out: Path, count: int) -> None:
    wait_until((out / "labels" / f"{count - 1:05d}.png").exists)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def read_whole(out: Path) -> tuple[list[int], dict]:
    """Indices of the written frames and the summary; every file must be whole."""
    text = (out / "instances.jsonl").read_text()
    assert text == "" or text.endswith("\n")
    indices = [json.loads(line)["index"] for line in text.splitlines()]
    for index in indices:
        assert cv2.imread(str(out / "labels" / f"{index:05d}.png"), cv2.IMREAD_UNCHANGED).shape == (48, 64)
    assert indices == list(range(len(indices)))
    return indices, json.loads((out / "summary.json").read_text())


def one_line(text: str) -> str:
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    assert lines[0].startswith("motionseg: error: ")
    return lines[0]


@pytest.mark.parametrize("kind", ["make_bag", "make_folder", "make_video"])
def test_every_kind_of_source(request, motionseg, tmp_path, kind):
    result = motionseg("segment", request.getfixturevalue(kind)(6), "-o", tmp_path / "out", "--overlay")
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith("6 frames at ")
    assert str(tmp_path / "out") in result.out
    indices, summary = read_whole(tmp_path / "out")
    assert indices == list(range(6))
    assert summary["complete"] is True
    assert (tmp_path / "out" / "overlay.mp4").stat().st_size > 0
    labels = cv2.imread(str(tmp_path / "out" / "labels" / "00003.png"), cv2.IMREAD_UNCHANGED)
    assert labels[15, 8] == 1
    assert labels[40, 40] == 0


def test_a_bag_in_a_bag_out(motionseg, tmp_path, make_bag):
    source, out = make_bag(4), tmp_path / "out.mcap"
    assert motionseg("segment", source, "-o", out).status == 0
    masks = list(BagSource(out, "/motionseg/mask"))
    assert [(f.stamp, f.frame_id) for f in masks] == [(f.stamp, f.frame_id) for f in BagSource(source)]
    assert [int(f.image[15, :, 0].argmax()) for f in masks] == [2, 3, 4, 5]


def test_the_configuration_used_is_in_the_summary(motionseg, tmp_path, make_folder):
    file = tmp_path / "mine.yaml"
    file.write_text("window: {stride: 3}")
    arguments = ("--config", file, "--set", "window.length=9", "--set", "source.max_gap=2")
    assert motionseg("segment", make_folder(2), "-o", tmp_path / "out", *arguments).status == 0
    used = read_whole(tmp_path / "out")[1]["config"]
    assert (used["window"]["stride"], used["window"]["length"], used["source"]["max_gap"]) == (3, 9, 2)


def test_former_results_need_overwrite(motionseg, tmp_path, make_folder):
    folder, out = make_folder(3), tmp_path / "out"
    assert motionseg("segment", folder, "-o", out).status == 0
    refused = motionseg("segment", folder, "-o", out)
    assert refused.status == 2
    assert "--overwrite" in one_line(refused.err)
    assert motionseg("segment", folder, "-o", out, "--overwrite").status == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["gone.mcap"], "gone.mcap does not exist"),
        (["{folder}", "--topic", "/camera"], "leave --topic out"),
        (["{bag}", "--topic", "/nothing"], "topic /nothing is not in"),
        (["{folder}", "--config", "turbo"], "unknown profile"),
        (["{folder}", "--set", "window.strid=3"], "did you mean window.stride"),
        (["{folder}", "--set", "window.stride=0"], "window.stride"),
        (["{folder}", "--set", "nonsense"], "--set nonsense"),
        (["{empty}"], "is empty"),
        (["{file}"], "cannot be read as a video"),
    ],
)
def test_bad_input_is_one_line_and_status_2(motionseg, tmp_path, make_bag, make_folder, arguments, reason):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("text")
    places = {"empty": tmp_path / "empty", "file": tmp_path / "file"}
    given = [a.format(folder=make_folder(2), bag=make_bag(2), **places) for a in arguments[:1]] + arguments[
        1:
    ]
    result = motionseg("segment", *given, "-o", tmp_path / "out")
    assert result.status == 2
    assert reason in one_line(result.err)
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(
    tuple(map(int, cv2.__version__.split(".")[:2])) < (4, 6),
    reason="FFmpeg cannot be silenced in older OpenCV",
)
def test_opencv_adds_no_lines_of_its_own(start, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(bytes(3000))
    _, err = start("segment", tmp_path / "clip.mp4", "-o", tmp_path / "out").communicate(timeout=30)
    assert "cannot be read as a video" in one_line(err)


@pytest.mark.parametrize("option", [o.name for o in options() if o.choices])
def test_an_unknown_stage_or_choice_lists_the_known_ones(motionseg, tmp_path, make_folder, option):
    result = motionseg("segment", make_folder(1), "-o", tmp_path / "out", "--set", f"{option}=telepathy")
    assert result.status == 2
    assert f"{option} must be one of" in one_line(result.err)


def test_an_output_that_cannot_be_written_is_one_line(motionseg, tmp_path, make_folder):
    (tmp_path / "file").write_text("")
    for out in ("file", "file/below", "file/out.mcap"):
        result = motionseg("segment", make_folder(1, name=f"f{len(out)}"), "-o", tmp_path / out)
        assert result.status == 2
        assert "a file is in the way" in one_line(result.err)


def test_a_stream_that_breaks_says_how_far_it_came_and_how_to_go_on(motionseg, tmp_path, make_bag):
    bag, out = make_bag(stamps=[5, 6, 7, 1, 2, 3]), tmp_path / "out"
    result = motionseg("segment", bag, "-o", out)
    assert result.status == 2
    assert "3 of 6 frames are in" in one_line(result.err)
    assert "--set source.on_discontinuity=restart" in result.err
    assert read_whole(out)[0] == [0, 1, 2]
    again = motionseg("segment", bag, "-o", out, "--overwrite", "--set", "source.on_discontinuity=restart")
    assert again.status == 0
    assert read_whole(out)[1]["frames"] == 6


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_leaves_whole_files_and_says_how_far_it_came(start, tmp_path, make_bag, number, status):
    out = tmp_path / "out"
    process = start("segment", make_bag(60), "-o", out, "--overlay", delay_s=0.05)
    wait_for_frames(out, 5)
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == status
    indices, summary = read_whole(out)
    assert 5 <= len(indices) < 60
    assert f"interrupted after {len(indices)} of 60 frames" in err
    assert summary["complete"] is False
    assert (summary["frames"], summary["frames_expected"]) == (len(indices), 60)
    assert cv2.VideoCapture(str(out / "overlay.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == len(indices)
    assert not list(out.rglob(".*"))


def test_an_interrupted_bag_is_whole(start, tmp_path, make_bag):
    out = tmp_path / "out.mcap"
    process = start("segment", make_bag(60), "-o", out, delay_s=0.05)
    wait_until((tmp_path / ".out.part.mcap").exists)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130
    assert 0 < len(list(BagSource(out, "/motionseg/mask"))) < 60


def test_a_killed_run_leaves_whole_files_only(start, tmp_path, make_bag):
    out = tmp_path / "out"
    process = start("segment", make_bag(60), "-o", out, "--overlay", delay_s=0.02)
    wait_for_frames(out, 8)
    process.kill()
    process.communicate(timeout=10)
    indices, summary = read_whole(out)
    assert len(indices) >= 7
    assert summary["complete"] is False
    assert summary["stopped_by"] == "still running, or killed"
    assert not (out / "overlay.mp4").exists()


def test_a_disk_that_fills_up_is_one_line_and_keeps_what_was_written(start, tmp_path, make_bag, ros):
    # The limit on file sizes stands in for the full disk: the lines outgrow it after some frames.
    out = tmp_path / "out"
    process = start("segment", make_bag(images=ros.square_images(40)), "-o", out, limit=8000)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "instances.jsonl: file too large" in one_line(err)
    indices, summary = read_whole(out)
    assert 5 < len(indices) < 40
    assert summary["complete"] is False


def test_a_really_full_disk(start, tmp_path, make_folder):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    try:
        noise = np.random.default_rng(0).integers(0, 2, (200, 48, 64, 1), np.uint8).repeat(3, axis=3) * 255
        process = start("segment", make_folder(images=list(noise)), "-o", disk / "out")
        _, err = process.communicate(timeout=30)
        assert process.returncode == 2
        assert "no space left on device; free some space" in one_line(err)
        indices, summary = read_whole(disk / "out")
        assert 5 < len(indices) < 200
        assert summary["complete"] is False
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_the_real_pipeline_on_a_short_recording(tmp_path, make_bag, ros):
    images = ros.square_images(24, 120, 160)
    command = [
        sys.executable,
        "-m",
        "motionseg_ros.cli.main",
        "segment",
        make_bag(images=images),
        "-o",
        tmp_path / "out",
    ]
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["complete"] is True
    assert summary["frames"] == 24
    assert summary["stages_ms"]


class Pointed:
    """A segmenter that shows a square about the first point of each choice, or the mask, from then on."""

    def __init__(self) -> None:
        self._shown: list[np.ndarray] = []

    def push(self, frame: Frame, choices: Sequence[Prompts] = ()) -> FrameResult:
        for prompts in choices:
            mask = prompts.mask
            if mask is None:
                mask = np.zeros(frame.size, bool)
                x, y = prompts.points[prompts.labels == 1][0].astype(int)
                mask[y - 2 : y + 3, x - 2 : x + 3] = True
            self._shown.append(mask)
        labels = np.zeros(frame.size, np.uint16)
        for number, mask in enumerate(self._shown, start=1):
            labels[mask] = number
        return FrameResult(frame.index, frame.stamp, frame.frame_id, labels, (), {"mask": 1.0})


class TestObjectsOfTheUsersChoice:
    @pytest.fixture
    def real(self, motionseg, monkeypatch):
        """The command with the default pipeline."""
        monkeypatch.delitem(sys.modules, "motionseg_ros.assembly")
        return motionseg

    @pytest.fixture
    def pointed(self, motionseg, monkeypatch):
        monkeypatch.setattr(
            sys.modules["motionseg_ros.assembly"], "build_segmenter", lambda config, offline: Pointed()
        )
        return motionseg

    @pytest.fixture
    def folder(self, make_folder) -> Path:
        """Images of 160x120 in which nothing moves."""
        image = cv2.GaussianBlur(
            np.random.default_rng(3).integers(0, 256, (120, 160, 3), np.uint8), (5, 5), 0
        )
        return make_folder(images=[image] * 6)

    @pytest.fixture
    def mask(self, tmp_path) -> Path:
        """Of two objects."""
        image = np.zeros((120, 160), np.uint8)
        image[20:60, 20:70], image[70:110, 90:140] = 7, 200
        cv2.imwrite(str(tmp_path / "mask.png"), image)
        return tmp_path / "mask.png"

    @staticmethod
    def labels(out: Path, index: int) -> np.ndarray:
        return cv2.imread(str(out / "labels" / f"{index:05d}.png"), cv2.IMREAD_UNCHANGED)

    def test_by_mask(self, real, tmp_path, folder, mask):
        out = tmp_path / "out"
        result = real("segment", folder, "-o", out, "--mask", mask)
        assert (result.status, result.err) == (0, "")
        truth = cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)
        for index in (0, 5):
            labels = self.labels(out, index)
            for object_id, value in ((1, 7), (2, 200)):
                mine, expected = labels == object_id, truth == value
                assert (mine & expected).sum() > 0.9 * (mine | expected).sum()
        records = [json.loads(line) for line in (out / "instances.jsonl").read_text().splitlines()]
        assert [[i["id"] for i in record["instances"]] for record in records] == [[1, 2]] * 6

    def test_without_a_choice_there_is_nothing(self, real, tmp_path, folder):
        assert real("segment", folder, "-o", tmp_path / "out").status == 0
        assert not self.labels(tmp_path / "out", 5).any()

    @pytest.mark.parametrize("name", ["points.yaml", "points.json"])
    def test_by_points_and_by_mask(self, pointed, tmp_path, folder, mask, name):
        points, out = tmp_path / name, tmp_path / "out"
        entries = [{"points": [[10, 100], [80, 10]], "labels": [0, 1]}, {"points": [[30, 90]], "frame": 3}]
        points.write_text(json.dumps(entries))
        assert pointed("segment", folder, "-o", out, "--points", points, "--mask", mask).status == 0
        places = [(10, 80), (40, 45), (90, 115), (90, 30), (100, 10)]  # row and column
        found = [[int(self.labels(out, k)[place]) for place in places] for k in range(6)]
        assert found == [[1, 2, 3, 0, 0]] * 3 + [[1, 2, 3, 4, 0]] * 3

    def test_points_in_frames_that_do_not_come(self, pointed, tmp_path, folder):
        points, out = tmp_path / "points.yaml", tmp_path / "out"
        points.write_text("[{points: [[30, 90]]}, {points: [[30, 90]], frame: 6}]")
        result = pointed("segment", folder, "-o", out, "--points", points)
        assert result.status == 2
        assert one_line(result.err).endswith("points.yaml has points in frame 6, but there are 6 frames")
        assert self.labels(out, 5)[90, 30] == 1  # what there is has been written

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (
                ["--mask", "{mask}", "--offline"],
                "--points and --mask follow objects forward in time: leave --offline",
            ),
            (["--points", "{points}", "--offline"], "leave --offline out"),
            (["--points", "{gone}"], "gone cannot be read: no such file"),
            (["--mask", "{gone}"], "gone: no such file"),
            (["--mask", "{points}"], "points.yaml is not an image"),
            (["--points", "{mask}"], "mask.png is neither YAML nor JSON"),
            (["--points", "{bad}"], "bad.yaml: 0.points: field required"),
        ],
    )
    def test_a_bad_choice_is_one_line_before_anything_is_written(
        self, real, tmp_path, folder, mask, arguments, reason
    ):
        (tmp_path / "points.yaml").write_text("[{points: [[30, 90]]}]")
        (tmp_path / "bad.yaml").write_text("[{point: [30, 90]}]")
        places = {
            "mask": mask,
            "points": tmp_path / "points.yaml",
            "bad": tmp_path / "bad.yaml",
            "gone": tmp_path / "gone",
        }
        given = [argument.format(**places) for argument in arguments]
        result = real("segment", folder, "-o", tmp_path / "out", *given)
        assert result.status == 2
        assert reason in one_line(result.err)
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize(
        ("size", "content", "reason"),
        [
            ((48, 64), None, "frame 0: mask must be (120, 160), but got (48, 64); 0 of 6 frames are in"),
            (
                None,
                "[{points: [[30, 90]], frame: 2}]",
                "frame 2: points alone are not enough for masker.name guided",
            ),
            (
                None,
                "[{points: [[30, 120]]}]",
                "frame 0: points must lie in the image of 160x120, but got (30, 120)",
            ),
        ],
    )
    def test_one_that_does_not_fit_the_images_is_one_line(
        self, real, tmp_path, folder, size, content, reason
    ):
        if content is None:
            (tmp_path / "choice").write_bytes(cv2.imencode(".png", np.ones(size, np.uint8))[1].tobytes())
        else:
            (tmp_path / "choice").write_text(content)
        option = "--mask" if content is None else "--points"
        result = real("segment", folder, "-o", tmp_path / "out", option, tmp_path / "choice")
        assert result.status == 2
        assert reason in one_line(result.err)


class TestOffline:
    def test_a_folder(self, motionseg, tmp_path, make_folder):
        result = motionseg("segment", make_folder(8), "-o", tmp_path / "out", "--offline", "--overlay")
        assert (result.status, result.err) == (0, "")
        assert result.out.startswith("8 frames at ")
        indices, summary = read_whole(tmp_path / "out")
        assert indices == list(range(8))
        assert (summary["complete"], summary["offline"]) == (True, True)
        assert (tmp_path / "out" / "overlay.mp4").stat().st_size > 0
        assert not list((tmp_path / "out").rglob(".*"))

    def test_a_bag_in_a_bag_out(self, motionseg, tmp_path, make_bag):
        source, out = make_bag(4), tmp_path / "out.mcap"
        assert motionseg("segment", source, "-o", out, "--offline").status == 0
        masks = list(BagSource(out, "/motionseg/mask"))
        assert [(f.stamp, f.frame_id) for f in masks] == [(f.stamp, f.frame_id) for f in BagSource(source)]
        assert [int(f.image[15, :, 0].argmax()) for f in masks] == [2, 3, 4, 5]
        assert sorted(p.name for p in tmp_path.iterdir()) == ["out.mcap", "recording"]

    def test_an_interrupt_says_how_far_it_came(self, start, tmp_path, make_bag):
        out = tmp_path / "out"
        process = start("segment", make_bag(60), "-o", out, "--offline", delay_s=0.05)
        wait_until((out / "summary.json").exists)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
        assert process.returncode == 130
        assert re.search(
            r"interrupted after 0 of 60 frames \(frames passed: [1-9]\d* forward, 0 backward\)", err
        )
        indices, summary = read_whole(out)
        assert (indices, summary["complete"]) == ([], False)
        assert not list(out.rglob(".*"))

    def test_a_disk_too_small_for_the_frames_is_one_line(self, start, tmp_path, make_bag, ros):
        process = start(
            "segment", make_bag(images=ros.square_images(40)), "-o", tmp_path / "out", "--offline", limit=8000
        )
        _, err = process.communicate(timeout=30)
        assert process.returncode == 2
        assert "temporary copy for --offline" in one_line(err)
        assert read_whole(tmp_path / "out")[1]["complete"] is False


class TestObjectsUnderAMovingCamera:
    """Objects that the user has chosen and that do not move, with the real pipeline."""

    SIZE = (120, 160)

    @pytest.fixture
    def segment(self, tmp_path, make_folder):
        """Runs the command on six frames of a texture that goes by; nothing moves on its own."""
        noise = np.random.default_rng(3).integers(0, 256, (120, 200, 3), np.uint8)
        scene = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 1.5), None, 0, 255, cv2.NORM_MINMAX)
        images = [np.ascontiguousarray(scene[:, 2 * index : 2 * index + 160]) for index in range(6)]
        folder = make_folder(images=images)

        def run(*arguments: object) -> subprocess.CompletedProcess:
            code = "from motionseg_ros.cli.main import main; main()"
            command = [sys.executable, "-c", code, "segment", folder, "-o", tmp_path / "out", *arguments]
            return subprocess.run([str(a) for a in command], capture_output=True, text=True, check=False)

        return run

    @pytest.fixture
    def mask(self, tmp_path) -> Path:
        labels = np.zeros(self.SIZE, np.uint8)
        labels[40:80, 90:130] = 1
        labels[20:50, 30:60] = 7
        cv2.imwrite(str(tmp_path / "mask.png"), labels)
        return tmp_path / "mask.png"

    def test_a_mask_of_the_first_frame(self, segment, mask, tmp_path):
        result = segment("--mask", mask)
        assert result.returncode == 0, result.stderr
        for index in range(6):
            labels = cv2.imread(str(tmp_path / "out" / "labels" / f"{index:05d}.png"), cv2.IMREAD_UNCHANGED)
            assert set(np.unique(labels)) == {0, 1, 2}
            for object_id, (rows, left, right) in {
                1: (slice(40, 80), 90, 130),
                2: (slice(20, 50), 30, 60),
            }.items():
                truth = np.zeros(self.SIZE, bool)
                truth[rows, left - 2 * index : right - 2 * index] = True
                mine = labels == object_id
                assert (mine & truth).sum() / (mine | truth).sum() > 0.6, (index, object_id)


class TestDepth:
    """Recordings with the images of a depth camera."""

    FRAMES = 8

    @pytest.fixture
    def real(self, motionseg, monkeypatch):
        """The command with the default pipeline."""
        monkeypatch.delitem(sys.modules, "motionseg_ros.assembly")
        return motionseg

    @pytest.fixture
    def near(self, motionseg, monkeypatch, brightness_segmenter):
        """The command with pipelines that call what is nearer than 1 m one moving object.

        ``near.depths``: for each pipeline, the least distance in each frame that it was given, or None, m.
        """
        motionseg.depths = []

        class Nearness(brightness_segmenter):
            def __init__(self) -> None:
                super().__init__()
                self.depths: list[float | None] = []
                motionseg.depths.append(self.depths)

            def push(self, frame: Frame) -> FrameResult:
                depth = np.full(frame.size, 9, np.float32) if frame.depth is None else frame.depth
                self.depths.append(None if frame.depth is None else round(float(depth.min()), 3))
                image = np.where(depth < 1, 255, 0).astype(np.uint8)
                return super().push(replace(frame, image=cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)))

        assembly = sys.modules["motionseg_ros.assembly"]
        monkeypatch.setattr(assembly, "build_segmenter", lambda config, offline: Nearness())
        return motionseg

    @pytest.fixture
    def depths(self) -> list[np.ndarray]:
        """A thing at 0.60 m, 0.61 m, ... before a wall at 3 m, mm."""
        images = []
        for index in range(self.FRAMES):
            depth = np.full((48, 64), 3000, np.uint16)
            depth[20:30, 10:30] = 600 + 10 * index
            images.append(depth)
        return images

    @staticmethod
    def boxes(out: Path, frames: int) -> list[tuple[int, ...]]:
        """Of what is not background, in each frame."""
        images = [
            cv2.imread(str(out / "labels" / f"{k:05d}.png"), cv2.IMREAD_UNCHANGED) for k in range(frames)
        ]
        return [cv2.boundingRect((image > 0).astype(np.uint8)) for image in images]

    @pytest.mark.parametrize("options", [[], ["--offline"]])
    def test_each_frame_is_segmented_with_its_own(self, near, tmp_path, make_depth_bag, depths, options):
        out = tmp_path / "out"
        result = near(
            "segment", make_depth_bag(depths), "-o", out, "--depth-topic", "/camera/depth", *options
        )
        assert (result.status, result.err) == (0, "")
        expected = [0.6, 0.61, 0.62, 0.63, 0.64, 0.65, 0.66, 0.67]
        assert near.depths == ([expected, expected[::-1]] if options else [expected])
        assert self.boxes(out, self.FRAMES) == [(10, 20, 20, 10)] * self.FRAMES
        indices, summary = read_whole(out)
        assert (len(indices), summary["complete"]) == (self.FRAMES, True)
        assert summary["config"]["depth"]["name"] == "sensor"

    def test_frames_whose_depth_is_lost_are_segmented_too(self, near, tmp_path, make_depth_bag, depths):
        depths[2] = depths[7] = None
        out = tmp_path / "out"
        assert near("segment", make_depth_bag(depths), "-o", out, "--depth-topic", "camera/depth").status == 0
        assert near.depths == [[0.6, 0.61, None, 0.63, 0.64, 0.65, 0.66, None]]
        assert read_whole(out)[0] == list(range(self.FRAMES))

    @pytest.mark.parametrize(("tolerance", "found"), [("0.04", True), ("0.02", False)])
    def test_how_far_stamps_may_differ_is_an_option(
        self, near, tmp_path, make_depth_bag, depths, tolerance, found
    ):
        bag = make_depth_bag(depths, offset=30_000_000)
        options = ("--depth-topic", "/camera/depth", "--set", f"depth.tolerance={tolerance}")
        assert near("segment", bag, "-o", tmp_path / "out", *options).status == 0
        assert [depth is not None for depth in near.depths[0]] == [found] * self.FRAMES

    @pytest.mark.parametrize("options", [[], ["--offline"], ["--set", "depth.name=sensor"]])
    def test_the_real_pipeline(self, real, tmp_path, make_depth_bag, depths, options):
        out = tmp_path / "out"
        result = real(
            "segment", make_depth_bag(depths), "-o", out, "--depth-topic", "/camera/depth", *options
        )
        assert (result.status, result.err) == (0, "")
        indices, summary = read_whole(out)
        assert (len(indices), summary["complete"]) == (self.FRAMES, True)
        assert summary["config"]["depth"]["name"] == "sensor"
        assert "depth" in summary["stages_ms"]
        assert "/camera/image_raw" in summary["source"]["description"]

    def test_without_it_depth_is_no_stage(self, real, tmp_path, make_depth_bag, depths):
        out = tmp_path / "out"
        bag = make_depth_bag(depths)
        assert real("segment", bag, "-o", out, "--topic", "/camera/image_raw").status == 0
        summary = read_whole(out)[1]
        assert summary["config"]["depth"]["name"] == "none"
        assert "depth" not in summary["stages_ms"]

    @pytest.mark.parametrize(
        ("source", "options", "reason"),
        [
            (
                "folder",
                ["--depth-topic", "/depth"],
                "is no ROS recording, so it has no topic /depth; leave --depth-t",
            ),
            ("bag", ["--depth-topic", "/depth"], "topic /depth is not in "),
            (
                "bag",
                ["--depth-topic", "/depth"],
                "choose one with --depth-topic: /camera/depth (8), /camera/image_",
            ),
            ("bag", [], "has 2 image topics; choose one with --topic: "),
            (
                "bag",
                ["--set", "depth.name=sensor"],
                "depth.name sensor does not go with leaving --depth-topic out",
            ),
            (
                "folder",
                ["--set", "depth.name=sensor", "--offline"],
                "depth.name sensor does not go with leaving --depth-topic out",
            ),
            (
                "bag",
                ["--set", "depth.name=depth_anything", "--depth-topic", "/camera/depth"],
                "depth.name depth_anything does not go with --depth-topic",
            ),
            (
                "bag",
                ["--config", "gpu", "--depth-topic", "/camera/depth"],
                "depth.name depth_anything does not go with --depth-topic",
            ),
        ],
    )
    def test_what_does_not_go_together_is_one_line_before_anything_is_written(
        self, near, tmp_path, make_depth_bag, make_folder, depths, source, options, reason
    ):
        path = make_depth_bag(depths) if source == "bag" else make_folder(2)
        result = near("segment", path, "-o", tmp_path / "out", *options)
        assert result.status == 2
        assert reason in one_line(result.err)
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("options", [[], ["--offline"]])
    def test_depth_that_is_not_registered_is_one_line(self, near, tmp_path, make_depth_bag, depths, options):
        depths[3] = np.ones((36, 64), np.uint16)
        bag = make_depth_bag(depths)
        result = near("segment", bag, "-o", tmp_path / "out", "--depth-topic", "/camera/depth", *options)
        assert result.status == 2
        line = one_line(result.err)
        assert f"{bag}, /camera/depth, frame 3: the depth image is 64x36, but the image 64x48" in line
        assert "3 of 8 frames are in" in line
        assert read_whole(tmp_path / "out")[0] == [0, 1, 2]
