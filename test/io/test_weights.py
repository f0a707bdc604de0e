from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from motionseg_ros.core.config import option_names
from motionseg_ros.core.errors import ConfigError, ModelError
from motionseg_ros.io import weights
from motionseg_ros.io.checksum import sha256_of
from motionseg_ros.io.weights import catalogue, find, locate, locate_all, read_table, source_url, store

ENTRY = """
name_of_it:
  file: model.pt
  url: https://example.org/folder/model.pt
  size: 6
  sha256: null
  licence: Apache-2.0
  option: some.weights
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty store."""
    monkeypatch.setenv("MOTIONSEG_WEIGHTS", str(tmp_path / "store"))
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A table with one entry, instead of the package's; `table(text)` writes another one."""

    def write(text: str) -> Path:
        path = tmp_path / "table.yaml"
        path.write_text(text)
        monkeypatch.setattr(weights, "TABLE", path)
        catalogue.cache_clear()
        return path

    write(ENTRY)
    yield write
    catalogue.cache_clear()


def test_the_table_has_what_the_stages_need():
    names = {
        f"{family}_{size}"
        for family in ("sam2", "sam2.1")
        for size in ("tiny", "small", "base_plus", "large")
    }
    names |= {"bootstapir", "bootstapir_causal", "depth_anything_v2_small", "dinov2_base", "seganymo"}
    assert set(catalogue()) == names


def test_every_entry_can_be_downloaded_and_checked():
    for name, entry in catalogue().items():
        assert entry.name == name
        assert urlsplit(entry.url).scheme == "https"
        assert entry.file.endswith((".pt", ".pth", ".safetensors"))
        assert entry.option is None or entry.option in option_names()
        # The hash that somebody else may have known is of a file whose size he knew, too.
        assert (entry.size is None) == (entry.sha256 is None)
    hashes = [entry.sha256 for entry in catalogue().values() if entry.sha256]
    assert len(set(hashes)) == len(hashes)


def test_files_that_can_change_at_their_address_have_no_hash():
    for entry in catalogue().values():
        if "huggingface.co" in entry.url and entry.sha256:
            assert re.search(r"/resolve/[0-9a-f]{40}/", entry.url), entry.name


def test_the_table_is_read_once(table):
    first = catalogue()
    weights.TABLE.unlink()
    assert catalogue() is first


def test_entries_cannot_be_changed(table):
    with pytest.raises(ValueError, match="frozen"):
        find("name_of_it").size = 7


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it holds no entries"),
        ("- a\n- b", "it holds no entries"),
        ("a: [", "while parsing a flow node"),
        ("a: 1", "'a' is no entry"),
        ("1: {}", "'1' is no entry"),
        ("a: {}", "a.file: field required"),
        (ENTRY.replace("size: 6", "size: 0"), "name_of_it.size: input should be greater than 0"),
        (
            ENTRY.replace("size: 6", "size: 6\n  colour: red"),
            "name_of_it.colour: extra inputs are not permitted",
        ),
        (ENTRY.replace("sha256: null", "sha256: 12AB"), "name_of_it.sha256: string should match"),
        (ENTRY.replace("file: model.pt", "file: ../model.pt"), "name_of_it.file: string should match"),
        (ENTRY.replace("file: model.pt", "file: .hidden"), "name_of_it.file: string should match"),
        (ENTRY.replace("https:", "ftp:"), "name_of_it.url: string should match"),
        (ENTRY + ENTRY.replace("name_of_it", "other"), "two entries have the same file"),
    ],
)
def test_a_damaged_table_is_told_in_one_line(table, text, reason):
    path = table(text)
    with pytest.raises(
        ModelError, match=re.escape(f"the table of weights {path} is damaged: {reason}")
    ) as caught:
        catalogue()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [None, b"\xff\xfe"])
def test_a_table_that_cannot_be_read(tmp_path, data):
    path = tmp_path / "weights.yaml"
    if data:
        path.write_bytes(data)
    with pytest.raises(ModelError, match=r"weights\.yaml is damaged: .*; install the package again"):
        read_table(path)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("sam2.1-tiny", "did you mean sam2.1_tiny or "),
        ("dino", "did you mean dinov2_base?"),
        ("", "motionseg weights list tells the names"),
        ("resnet", "motionseg weights list tells the names"),
    ],
)
def test_an_unknown_name(name, advice):
    with pytest.raises(ModelError, match=re.escape(f"no weights are called '{name}'; {advice}")):
        find(name)


def test_where_the_store_is(monkeypatch):
    monkeypatch.setenv("HOME", "/home/robot")
    monkeypatch.delenv("MOTIONSEG_WEIGHTS", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert store() == Path("/home/robot/.cache/motionseg_ros/weights")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert store() == Path("/home/robot/.cache/motionseg_ros/weights")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache")
    assert store() == Path("/var/cache/motionseg_ros/weights")
    monkeypatch.setenv("MOTIONSEG_WEIGHTS", "~/models")
    assert store() == Path("/home/robot/models")
    monkeypatch.setenv("MOTIONSEG_WEIGHTS", "")
    assert store() == Path("/var/cache/motionseg_ros/weights")


def test_a_file_that_is_there(table, folder):
    (folder / "model.pt").write_bytes(b"sixsix")
    assert find("name_of_it").state == "present"
    assert locate("name_of_it") == folder / "model.pt"


def test_a_file_of_unknown_size_counts_as_whole(table, folder):
    table(ENTRY.replace("size: 6", "size: null"))
    (folder / "model.pt").write_bytes(b"any")
    assert locate("name_of_it") == folder / "model.pt"


def test_a_missing_file_is_told_with_place_and_command(table, folder):
    assert find("name_of_it").state == "missing"
    with pytest.raises(ModelError) as caught:
        locate("name_of_it")
    assert str(caught.value) == (
        f"the weights model.pt are not in {folder}; get it with: motionseg weights download name_of_it"
    )


def test_a_file_that_is_still_coming(table, folder):
    (folder / "model.pt.part").write_bytes(b"six")
    assert find("name_of_it").state == "incomplete"
    with pytest.raises(ModelError, match=r"are not in .* \(only a part of it is\); get it with"):
        locate("name_of_it")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"short", "has 5 bytes instead of 6: it was cut short"),
        (b"", "has 0 bytes instead of 6: it was cut short"),
        (b"too long", "has 8 bytes instead of 6: it is another file"),
    ],
)
def test_a_file_of_another_size(table, folder, data, problem):
    (folder / "model.pt").write_bytes(data)
    assert find("name_of_it").state == "wrong size"
    with pytest.raises(
        ModelError, match=rf"model\.pt {problem}; get it with: motionseg weights download name_of_it"
    ):
        locate("name_of_it")


def test_a_folder_of_that_name_is_no_file(table, folder):
    (folder / "model.pt").mkdir()
    assert find("name_of_it").state == "missing"


class TestLocateAll:
    @pytest.fixture(autouse=True)
    def _three(self, table, folder):
        table("".join(ENTRY.replace("name_of_it", name).replace("model", name) for name in ("a", "b", "c")))

    def test_all_are_there(self, folder):
        for name in "abc":
            (folder / f"{name}.pt").write_bytes(b"sixsix")
        assert locate_all(["c", "a"]) == {"c": folder / "c.pt", "a": folder / "a.pt"}

    def test_of_none(self):
        assert locate_all([]) == {}

    @pytest.mark.parametrize("kind", ["missing", "incomplete"])
    def test_several_that_are_missing_are_one_error_with_one_command(self, folder, kind):
        (folder / "b.pt").write_bytes(b"sixsix")
        if kind == "incomplete":
            (folder / "c.pt.part").write_bytes(b"six")
        with pytest.raises(ModelError) as caught:
            locate_all(["c", "b", "a"])
        assert str(caught.value) == (
            f"the weights c, a are not in {folder}; get them with: motionseg weights download c a"
        )

    def test_a_single_one_is_told_as_by_itself(self, folder):
        (folder / "b.pt").write_bytes(b"sixsix")
        with pytest.raises(ModelError) as caught:
            locate_all(["b", "a"])
        assert str(caught.value) == (
            f"the weights a.pt are not in {folder}; get it with: motionseg weights download a"
        )

    def test_one_of_another_size(self, folder):
        (folder / "a.pt").write_bytes(b"sixsix")
        (folder / "b.pt").write_bytes(b"short")
        with pytest.raises(
            ModelError, match=r"b\.pt has 5 bytes instead of 6: it was cut short; get it with"
        ):
            locate_all(["a", "b"])

    def test_an_unknown_one_comes_first(self):
        with pytest.raises(ModelError, match="no weights are called 'd'"):
            locate_all(["a", "b", "d"])


@pytest.mark.parametrize("mirror", ["http://host:8000/weights", "http://host:8000/weights/"])
def test_a_mirror_has_the_files_by_their_names(table, mirror):
    assert source_url(find("name_of_it"), mirror) == "http://host:8000/weights/model.pt"


@pytest.mark.parametrize("mirror", [None, ""])
def test_without_a_mirror_it_is_the_authors_address(table, mirror):
    assert source_url(find("name_of_it"), mirror) == "https://example.org/folder/model.pt"


@pytest.mark.parametrize(
    "mirror", ["file:///media/stick", "/media/stick", "http://", "http://[::1", "ftp://host"]
)
def test_a_mirror_that_is_no_web_address(table, mirror):
    with pytest.raises(
        ConfigError, match=r"must begin with http:// or https://; .* set MOTIONSEG_WEIGHTS to it"
    ):
        source_url(find("name_of_it"), mirror)


def test_hash_of_a_file(tmp_path):
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(ModelError, match="missing cannot be read: No such file or directory"):
        sha256_of(tmp_path / "missing")


def test_the_documentation_has_the_same_table():
    text = (Path(__file__).parents[2] / "docs" / "weights.md").read_text(encoding="utf-8")
    rows = [re.split(r" *\| *", line.strip("| ")) for line in text.splitlines() if line.startswith("| `")]
    assert [row[0].strip("`") for row in rows] == list(catalogue())
    for row, entry in zip(rows, catalogue().values(), strict=True):
        assert row[3] == entry.licence
        assert entry.size is None or row[2] == f"{entry.size / 1e6:.0f} MB"
