from __future__ import annotations

import pytest

from motionseg_ros.core.errors import FrameError, SourceError
from motionseg_ros.io.folder_source import FOLDER_FPS, FolderSource
from motionseg_ros.io.natural import natural_key


def test_names_are_sorted_as_people_count():
    names = ["f10.png", "f9.png", "F1.png", "a.png", "10.png", "2.png"]
    assert sorted(names, key=natural_key) == ["2.png", "10.png", "a.png", "F1.png", "f9.png", "f10.png"]


def test_frames_come_in_natural_order_at_the_nominal_rate(make_folder):
    source = FolderSource(make_folder(11))
    frames = list(source)
    assert source.length == len(frames) == 11
    assert [int(f.image[15, :, 0].argmax()) for f in frames] == [2 + i for i in range(11)]
    assert [f.stamp for f in frames] == [round(i * 1e9 / FOLDER_FPS) for i in range(11)]


def test_other_files_and_hidden_ones_are_left_alone(make_folder):
    folder = make_folder(2)
    (folder / "notes.txt").write_text("mine")
    (folder / ".hidden.png").write_bytes(b"")
    assert FolderSource(folder).length == 2


def test_an_unreadable_image_is_named_after_all_before_it(make_folder):
    folder = make_folder(4)
    (folder / "2.png").write_bytes((folder / "2.png").read_bytes()[:40])
    frames = iter(FolderSource(folder))
    assert [next(frames).index, next(frames).index] == [0, 1]
    with pytest.raises(FrameError, match=r"2\.png cannot be read as an image"):
        next(frames)


def test_an_empty_file_is_no_image(make_folder):
    folder = make_folder(1)
    (folder / "0.png").write_bytes(b"")
    with pytest.raises(FrameError, match=r"0\.png cannot be read"):
        list(FolderSource(folder))


@pytest.mark.parametrize(
    ("content", "reason"),
    [((), "is empty"), (("notes.txt",), "holds no images"), (("frames/",), r"did you mean .*frames\?")],
)
def test_a_folder_without_images_says_so(tmp_path, make_folder, content, reason):
    folder = tmp_path / "given"
    folder.mkdir()
    for name in content:
        if name.endswith("/"):
            make_folder(1, name="given/frames")
        else:
            (folder / name).write_text("")
    with pytest.raises(SourceError, match=reason):
        FolderSource(folder)
