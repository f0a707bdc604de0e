from __future__ import annotations

from itertools import pairwise

import pytest

from motionseg_ros.core.errors import SourceError
from motionseg_ros.io.video_source import VideoSource


def test_frames_have_the_times_of_the_container(make_video):
    source = VideoSource(make_video(12, fps=20.0))
    frames = list(source)
    assert source.length == len(frames) == 12
    assert source.fps == pytest.approx(20)
    steps = [b.stamp - a.stamp for a, b in pairwise(frames)]
    assert steps == pytest.approx([50_000_000] * 11, rel=1e-3)
    assert frames[0].frame_id == "camera_optical_frame"


def test_a_cut_off_video_yields_what_is_there_and_then_says_so(make_video):
    path = make_video(30)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    frames = []
    with pytest.raises(SourceError, match=r"clip\.avi is damaged or cut off: only \d+ of 30 frames"):
        frames.extend(VideoSource(path))
    # `extend` keeps what came before the error.
    assert 10 < len(frames) < 30


@pytest.mark.parametrize("content", [b"", b"no video at all", bytes(5000)])
def test_what_is_no_video_is_refused(tmp_path, content):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"clip\.mp4 cannot be read as a video"):
        VideoSource(path)


def test_an_mp4_whose_index_is_cut_off_is_refused(tmp_path, make_folder):
    import cv2

    path = tmp_path / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 20, (64, 48))
    for index in range(20):
        writer.write(cv2.imread(str(make_folder(1, name=f"f{index}") / "0.png")))
    writer.release()
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(SourceError, match="cut off"):
        VideoSource(path)
