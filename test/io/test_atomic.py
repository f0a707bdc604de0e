from __future__ import annotations

import pytest

from motionseg_ros.core.errors import OutputError
from motionseg_ros.io.atomic import LineFile, write_atomic


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "result.json"
    write_atomic(path, b"old")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert [f.name for f in tmp_path.iterdir()] == ["result.json"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "result.json"
    path.mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*result\.json: .*; a folder is in the way"):
        write_atomic(path, b"new")
    assert [f.name for f in tmp_path.iterdir()] == ["result.json"]


def test_a_file_in_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/result\.json: not a directory; a file is in the way"):
        write_atomic(tmp_path / "file" / "result.json", b"")


def test_a_full_disk_is_told_with_the_remedy(tmp_path):
    path = tmp_path / "lines"
    path.symlink_to("/dev/full")
    lines = LineFile(path)
    with pytest.raises(OutputError, match="lines: no space left on device; free some space"):
        lines.append("one")
    lines.close()
    lines.close()


def test_each_line_is_in_the_file_at_once(tmp_path):
    path = tmp_path / "lines"
    lines = LineFile(path)
    for number in range(3):
        lines.append(str(number))
        assert path.read_text() == "".join(f"{n}\n" for n in range(number + 1))
    lines.close()
