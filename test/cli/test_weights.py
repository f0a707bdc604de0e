from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from typer.testing import CliRunner

from motionseg_ros.cli.main import app, main
from motionseg_ros.io import weights

CONTENT = hashlib.shake_256(b"weights").digest(300_000)
HASH = hashlib.sha256(CONTENT).hexdigest()
TABLE = f"""
first:
  {{file: first.pt, url: "https://example.org/first.pt", size: {len(CONTENT)}, sha256: {HASH},
   licence: Apache-2.0, option: some.weights}}
second:
  {{file: second.pth, url: "https://example.org/x/second.pth", size: null, sha256: null,
   licence: not stated, option: other.weights}}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch, file_server):
    """An empty store, a table of two files, and a mirror that has them."""
    (tmp_path / "table.yaml").write_text(TABLE)
    monkeypatch.setattr(weights, "TABLE", tmp_path / "table.yaml")
    weights.catalogue.cache_clear()
    monkeypatch.setenv("MOTIONSEG_WEIGHTS", str(tmp_path / "store"))
    monkeypatch.setenv("MOTIONSEG_WEIGHTS_MIRROR", file_server.url)
    file_server.files |= {"first.pt": CONTENT, "second.pth": b"anything"}
    yield tmp_path / "store"
    weights.catalogue.cache_clear()


def run(*arguments: object, status: int = 0):
    result = CliRunner().invoke(app, ["weights", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result


def error(monkeypatch, capsys, *arguments: object) -> str:
    """What a command that fails prints; it ends with status 2."""
    monkeypatch.setattr(sys, "argv", ["motionseg", "weights", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    *_, last = capsys.readouterr().err.splitlines()
    return last


def test_download_tells_where_the_file_lies(folder, file_server):
    result = run("download", "first", "second")
    assert result.stdout == f"first: {folder}/first.pt\nsecond: {folder}/second.pth\n"
    assert result.stderr.splitlines() == [
        f"first, 300.0 kB, from {file_server.url}/first.pt (licence: Apache-2.0)",
        f"second, from {file_server.url}/second.pth (licence: not stated)",
    ]
    assert (folder / "first.pt").read_bytes() == CONTENT
    assert (folder / "second.pth").read_bytes() == b"anything"


def test_what_is_there_is_not_downloaded_again(folder, file_server):
    run("download", "first")
    file_server.requests.clear()
    result = run("download", "first")
    assert result.stdout == f"first: {folder}/first.pt (it was there already)\n"
    assert file_server.requests == []


def test_the_mirror_of_the_command_line_comes_first(folder, file_server, monkeypatch):
    monkeypatch.setenv("MOTIONSEG_WEIGHTS_MIRROR", "http://127.0.0.1:1")
    file_server.files = {"deep/folder/first.pt": CONTENT}
    run("download", "first", "--mirror", f"{file_server.url}/deep/folder/")
    assert (folder / "first.pt").read_bytes() == CONTENT


def test_nothing_is_downloaded_before_all_names_are_known(folder, file_server, monkeypatch, capsys):
    line = error(monkeypatch, capsys, "download", "first", "secnd")
    assert line == "motionseg: error: no weights are called 'secnd'; did you mean second?"
    assert file_server.requests == []


def test_errors_are_one_line(folder, file_server, monkeypatch, capsys):
    file_server.files.clear()
    line = error(monkeypatch, capsys, "download", "first")
    assert line.startswith(
        f"motionseg: error: cannot download {file_server.url}/first.pt: the server answers 404"
    )
    line = error(monkeypatch, capsys, "download", "first", "--mirror", "file:///media/stick")
    assert line.startswith("motionseg: error: the mirror 'file:///media/stick' must begin with http://")


def test_an_interrupt_keeps_what_came(folder, file_server, fault, tmp_path):
    file_server.plan += [fault(cut=200_000, hold=threading.Event())]
    code = (
        "import signal, sys; from pathlib import Path; from motionseg_ros.io import weights\n"
        "from motionseg_ros.cli.main import main\n"
        # A shell that runs the tests in the background has it ignored, and children inherit that.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"weights.TABLE = Path({str(tmp_path / 'table.yaml')!r})\n"
        "sys.argv = ['motionseg', 'weights', 'download', 'first']; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    part = folder / "first.pt.part"
    end = time.monotonic() + 20
    while not (part.is_file() and part.stat().st_size >= 2 << 16):
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines()[1:] == [
        "motionseg: interrupted; what came is kept, and the same command goes on from there"
    ]
    had = part.stat().st_size
    run("download", "first")
    assert file_server.requests[-1]["range"] == f"bytes={had}-"
    assert (folder / "first.pt").read_bytes() == CONTENT


def test_list_marks_what_is_there(folder):
    run("download", "second")
    (folder / "first.pt.part").write_bytes(b"beginning")
    lines = run("list").stdout.splitlines()
    first = next(line.split() for line in lines if line.split()[:1] == ["first"])
    second = next(line.split() for line in lines if line.split()[:1] == ["second"])
    assert first == ["first", "300.0", "kB", "Apache-2.0", "some.weights", "incomplete"]
    assert second == ["second", "?", "not", "stated", "other.weights", "present"]
    (folder / "first.pt").write_bytes(b"short")
    assert "wrong size" in run("list").stdout
    assert lines[-1] == f"store: {folder}"


def test_the_real_table_fits_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("MOTIONSEG_WEIGHTS", "/nowhere")
    lines = run("list").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    for entry in weights.catalogue().values():
        assert any({entry.name, entry.option or "-", "missing"} <= set(line.split()) for line in lines), (
            entry.name
        )


def test_list_as_json(folder):
    document = json.loads(run("list", "--json").stdout)
    assert document[0] == {
        "name": "first",
        "file": "first.pt",
        "url": "https://example.org/first.pt",
        "size": len(CONTENT),
        "sha256": HASH,
        "licence": "Apache-2.0",
        "option": "some.weights",
        "path": f"{folder}/first.pt",
        "state": "missing",
    }
    assert [entry["name"] for entry in document] == ["first", "second"]


def test_verify_of_an_empty_store(folder):
    assert run("verify").stdout == f"no weights in {folder}\n"


def test_verify_all_that_is_there(folder):
    run("download", "first")
    assert run("verify").stdout == "first: good\n"
    run("download", "second")
    hash_ = hashlib.sha256(b"anything").hexdigest()
    assert run("verify").stdout.splitlines() == [
        "first: good",
        f"second: 8 bytes, SHA-256 {hash_}; none is known to compare it with",
    ]
    assert run("verify", "second").stdout.startswith("second: 8 bytes")


def test_verify_finds_one_byte_that_changed(folder):
    run("download", "first", "second")
    (folder / "first.pt").write_bytes(CONTENT[:-1] + b"?")
    first, second = run("verify", status=1).stdout.splitlines()
    assert first.startswith("first: bad: its SHA-256 is ")
    assert first.endswith(
        f" instead of {HASH}; delete {folder}/first.pt and get it again with: motionseg weights download first"
    )
    assert second.startswith("second: 8 bytes")


def test_verify_finds_a_file_cut_short(folder):
    run("download", "first")
    os.truncate(folder / "first.pt", 1000)
    line = run("verify", status=1).stdout
    assert line.startswith("first: bad: it has 1,000 bytes instead of 300,000: it was cut short; delete ")


def test_verify_of_a_name_that_is_not_there(folder, monkeypatch, capsys):
    assert run("verify", "first", status=1).stdout == (
        "first: missing; get it with: motionseg weights download first\n"
    )
    assert "no weights are called 'x'" in error(monkeypatch, capsys, "verify", "x")


def test_path(folder, monkeypatch, capsys):
    assert run("path").stdout == f"{folder}\n"
    line = error(monkeypatch, capsys, "path", "first")
    assert line == (
        f"motionseg: error: the weights first.pt are not in {folder}; "
        "get it with: motionseg weights download first"
    )
    run("download", "first")
    assert run("path", "first").stdout == f"{folder}/first.pt\n"


class TestDownloadForAConfiguration:
    """The names come from the stages, so the table has small files by the same names."""

    GPU = ("bootstapir_causal", "depth_anything_v2_small", "dinov2_base", "seganymo", "sam2.1_tiny")
    NAMES = (*GPU, "bootstapir", "sam2.1_large")

    @pytest.fixture
    def folder(self, folder, tmp_path, file_server):
        entry = '{{file: {0}.pt, url: "https://example.org/{0}.pt", size: 3, sha256: null, licence: x, option: x}}'
        lines = [f"{name}: {entry.format(name)}" for name in self.NAMES]
        (tmp_path / "table.yaml").write_text("\n".join(lines))
        weights.catalogue.cache_clear()
        file_server.files = {f"{name}.pt": b"abc" for name in self.NAMES}
        return folder

    @pytest.fixture
    def small(self, tmp_path):
        """A configuration that needs two files."""
        path = tmp_path / "small.yaml"
        path.write_text("classifier: {name: seganymo}\ndepth: {name: depth_anything}")
        return path

    @staticmethod
    def told(result) -> list[str]:
        return [line.partition(":")[0] for line in result.stdout.splitlines()]

    def test_a_profile(self, folder):
        """All that it takes, and nothing else."""
        result = run("download", "--config", "gpu")
        assert sorted(self.told(result)) == sorted(self.GPU)
        assert {path.stem for path in folder.iterdir()} == set(self.GPU)

    def test_for_offline_runs_too(self, folder):
        result = run("download", "--config", "gpu", "--offline")
        assert sorted(self.told(result)) == sorted([*self.GPU, "bootstapir"])

    def test_a_file(self, folder, small):
        result = run("download", "--config", small)
        assert sorted(result.stdout.splitlines()) == [
            f"depth_anything_v2_small: {folder}/depth_anything_v2_small.pt",
            f"seganymo: {folder}/seganymo.pt",
        ]

    def test_offline_adds_nothing_where_nothing_is_added(self, folder, small):
        assert sorted(self.told(run("download", "--config", small, "--offline"))) == [
            "depth_anything_v2_small",
            "seganymo",
        ]

    @pytest.mark.parametrize(
        ("setting", "names"),
        [
            ("depth.name=none", ["seganymo"]),
            ("classifier.weights=/my/moseg.pth", ["depth_anything_v2_small"]),
            ("semantics.name=dinov2", ["depth_anything_v2_small", "dinov2_base", "seganymo"]),
        ],
    )
    def test_with_other_options(self, folder, small, setting, names):
        """What an option says where it is needs no download."""
        assert sorted(self.told(run("download", "--config", small, "--set", setting))) == names

    def test_several_options_count_together(self, folder):
        options = ("--set", "sam2.model=sam2.1_large", "--set", "tracker.name=lucas_kanade")
        names = self.told(run("download", "--config", "gpu", *options))
        assert sorted(names) == ["depth_anything_v2_small", "dinov2_base", "sam2.1_large", "seganymo"]

    def test_names_come_first_and_none_twice(self, folder, small, file_server):
        result = run("download", "bootstapir", "seganymo", "--config", small)
        assert self.told(result) == ["bootstapir", "seganymo", "depth_anything_v2_small"]
        assert len(file_server.requests) == 3

    def test_what_is_there_stays(self, folder, small, file_server):
        run("download", "seganymo")
        file_server.requests.clear()
        result = run("download", "--config", small)
        assert f"seganymo: {folder}/seganymo.pt (it was there already)" in result.stdout.splitlines()
        assert len(file_server.requests) == 1

    @pytest.mark.parametrize(
        "arguments", [["--config", "cpu"], ["--config", "cpu", "--offline"], ["--config", "{file}"]]
    )
    def test_one_that_needs_nothing_says_so(self, folder, file_server, tmp_path, arguments):
        path = tmp_path / "own.yaml"
        path.write_text("classifier: {name: seganymo, weights: /my/moseg.pth}")
        arguments = [argument.format(file=path) for argument in arguments]
        assert run("download", *arguments).stdout == f"{arguments[1]} needs no weights from the store\n"
        assert file_server.requests == []

    def test_names_beside_one_that_needs_nothing(self, folder):
        assert self.told(run("download", "seganymo", "--config", "cpu")) == ["seganymo"]

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            ([], "give names, as `motionseg weights list` tells them, or --config with a profile"),
            (["--set", "depth.name=none"], "--set and --offline say more about --config, which is missing"),
            (["seganymo", "--offline"], "--set and --offline say more about --config, which is missing"),
            (
                ["--config", "turbo"],
                "--config turbo: unknown profile; choose cpu or gpu, or give a YAML file",
            ),
            (["--config", "gpu", "--set", "sam2.model=huge"], "sam2.model must be one of"),
        ],
    )
    def test_what_makes_no_sense_is_one_line(
        self, folder, file_server, monkeypatch, capsys, arguments, reason
    ):
        line = error(monkeypatch, capsys, "download", *arguments)
        assert line.startswith("motionseg: error: ")
        assert reason in line
        assert file_server.requests == []


@pytest.mark.parametrize("arguments", [["fetch"], ["path", "first", "second"]])
def test_wrong_usage(folder, arguments):
    run(*arguments, status=2)
