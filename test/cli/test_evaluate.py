from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from motionseg_ros.cli.evaluate import evaluate
from motionseg_ros.core.errors import EvaluationError, OutputError

DATA = Path(os.environ.get("MOTIONSEG_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
app = typer.Typer()
app.command()(evaluate)


def label_image(
    folder: Path, frame: int, *spans: tuple[int, int, int], size=(100, 200), dtype=np.uint8
) -> None:
    """Write an image with blocks of 20 rows: (value, first column, one past the last)."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = np.zeros(size, dtype=dtype)
    for value, start, stop in spans:
        labels[40:60, start:stop] = value
    cv2.imwrite(str(folder / f"{frame:05d}.png"), labels)


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def rows(output: str) -> dict[str, list[list[str]]]:
    """The table rows by their first cell."""
    table: dict[str, list[list[str]]] = {}
    for cells in (line.split() for line in output.splitlines() if line.strip()):
        table.setdefault(cells[0], []).append(cells[1:])
    return table


def test_sequences_of_all_kinds(tmp_path):
    predictions, truth = tmp_path / "out", tmp_path / "truth"
    for frame in range(4):
        # binary: columns 0..19 against 10..29, J = 1/3.
        label_image(truth / "binary/masks", frame, (255, 0, 20))
        label_image(predictions / "binary/labels", frame, (300, 10, 30), dtype=np.uint16)
        # objects: right, but ids change after two frames.
        label_image(truth / "objects/masks", frame, (1, 0, 20), (2, 60, 90))
        label_image(predictions / "objects", frame, (7 + frame // 2, 0, 20), (5, 60, 90))
        # static: 20 x 10 of 20,000 pixels in one frame of four.
        label_image(truth / "static/masks", frame)
        label_image(predictions / "static/labels", frame, *([(1, 0, 10)] if frame == 3 else []))
    output = run(predictions, truth, "--json", tmp_path / "scores.json")

    table = rows(output)
    assert table["binary"][0][:3] == ["4", "0.333", "0.000"]
    assert table["static"][0] == ["4", "-", "-", "-", "-", "0.25", "0.25", "0.25"]
    assert table["objects"][0][:5] == ["4", "1.000", "1.000", "1.000", "1.000"]
    assert table["objects"][1] == ["1", "7", "4", "0.500", "0.500", "0.500", "0.500", "1"]
    assert table["objects"][2] == ["2", "5", "4", "1.000", "1.000", "1.000", "1.000", "0"]

    content = json.loads((tmp_path / "scores.json").read_text())
    assert content["predictions"] == str(predictions)
    assert content["mean_over_sequences"]["J_mean"] == pytest.approx((1 / 3 + 1) / 2)
    assert content["mean_over_sequences"]["false_area_percent"] == 0.25
    assert content["mean_over_sequences"]["object_switches"] == 0.5
    assert content["num_frames"] == 12
    assert [frame["objects"] for frame in content["sequences"]["static"]["per_frame"]] == [0, 0, 0, 1]


def test_result_folder_of_one_run_against_sparse_truth(tmp_path):
    for frame in range(5):
        label_image(tmp_path / "out/labels", frame, (1, 0, 20))
    for frame in (1, 4):
        label_image(tmp_path / "car", frame, (255, 0, 20))
    table = rows(run(tmp_path / "out", tmp_path / "car"))
    assert table["car"][0][:2] == ["2", "1.000"]


def test_davis_layout(tmp_path):
    label_image(tmp_path / "out/car/labels", 0, (1, 0, 20))
    label_image(tmp_path / "DAVIS/Annotations/480p/car", 0, (255, 0, 20))
    assert rows(run(tmp_path / "out", tmp_path / "DAVIS"))["car"][0][1] == "1.000"


def failure(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert isinstance(result.exception, EvaluationError), result.output
    assert "\n" not in str(result.exception)
    return str(result.exception)


class TestBadInput:
    @pytest.fixture
    def folders(self, tmp_path):
        label_image(tmp_path / "p", 0, (1, 0, 20))
        label_image(tmp_path / "t", 0, (255, 0, 20))
        return tmp_path / "p", tmp_path / "t"

    def test_missing_frame(self, folders):
        label_image(folders[1], 1, (255, 0, 20))
        assert "t/00001.png: has no prediction in" in failure(*folders)

    def test_other_size(self, folders):
        label_image(folders[0], 0, size=(50, 60))
        assert "p/00000.png: is 60x50 px" in failure(*folders)

    def test_nothing_to_match(self, folders, tmp_path):
        (tmp_path / "empty").mkdir()
        assert "empty: holds no ground truth; looked for *.png in it" in failure(
            folders[0], tmp_path / "empty"
        )
        assert "empty: holds no predictions" in failure(tmp_path / "empty", folders[1])

    def test_no_such_folder(self, folders, tmp_path):
        assert "nowhere: no such folder" in failure(folders[0], tmp_path / "nowhere")

    def test_damaged_image(self, folders):
        path = folders[0] / "00000.png"
        path.write_bytes(path.read_bytes()[:60])
        assert "p/00000.png: is damaged or cut off" in failure(*folders)

    def test_json_that_cannot_be_written(self, folders, tmp_path):
        result = CliRunner().invoke(app, [*map(str, folders), "--json", str(tmp_path / "no_folder/s.json")])
        assert isinstance(result.exception, OutputError)
        assert rows(result.output)["t"][0][:2] == ["1", "1.000"]  # the scores are shown all the same

    def test_error_leaves_an_earlier_json_alone(self, folders, tmp_path):
        report = tmp_path / "scores.json"
        report.write_text("earlier")
        label_image(folders[0], 0, size=(50, 60))
        result = CliRunner().invoke(app, [*map(str, folders), "--json", str(report)])
        assert isinstance(result.exception, EvaluationError)
        assert report.read_text() == "earlier"


def test_import_is_light():
    code = (
        "import sys, motionseg_ros.cli.evaluate, motionseg_ros.cli.bench\n"
        "print([name for name in ('cv2', 'numpy', 'scipy', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class TestRealData:
    def folder(self, name: str) -> Path:
        folder = DATA / name
        if not folder.is_dir():
            pytest.skip(f"evaluation data {folder} is not here; set MOTIONSEG_DATA")
        return folder

    def test_truth_against_itself(self):
        sequence = self.folder("davis16-dev/dog-agility")
        assert rows(run(sequence, sequence))["dog-agility"][0] == [
            "25", "1.000", "1.000", "1.000", "1.000", "-", "1.00", "0.00",
        ]  # fmt: skip

    def test_shifted_masks(self, tmp_path):
        """Masks shifted by 3 px lose area; their boundaries, but for the image's edge, stay within 8 px."""
        sequence = self.folder("davis16-dev/dog-agility")
        shift = np.float32([[1, 0, 3], [0, 1, 0]])
        for path in sorted((sequence / "masks").glob("*.png")):
            mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            shifted = cv2.warpAffine(mask, shift, mask.shape[::-1], flags=cv2.INTER_NEAREST)
            (tmp_path / "labels").mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / "labels" / path.name), shifted)
        cells = rows(run(tmp_path, sequence))["dog-agility"][0]
        assert 0.7 < float(cells[1]) < 0.97
        assert float(cells[3]) > 0.95

    def test_static_scene(self, tmp_path):
        scene = self.folder("static-scene/new_tsukuba")
        label_image(tmp_path / "labels", 0, size=(480, 640))
        image = (tmp_path / "labels/00000.png").read_bytes()
        for path in (scene / "masks").glob("*.png"):
            (tmp_path / "labels" / path.name).write_bytes(image)
        assert rows(run(tmp_path, scene))["new_tsukuba"][0] == ["150", *["-"] * 4, "0.00", "0.00", "0.00"]
