from __future__ import annotations

from pathlib import Path

import pytest

from motionseg_ros.core.errors import SourceError
from motionseg_ros.io.resources import _share_folders, share_path
from motionseg_ros.io.typestore import package_types


def test_message_definitions_are_found_and_registered():
    assert share_path("msg", "InstanceMask.msg").is_file()
    kind = package_types().types["motionseg_ros/msg/InstanceMask"]
    assert (kind.MOVING, kind.STOPPED, kind.OCCLUDED) == (1, 2, 3)


def test_what_is_missing_is_named():
    with pytest.raises(SourceError, match=r"without msg/Nothing\.msg \(looked in"):
        share_path("msg", "Nothing.msg")


@pytest.mark.parametrize(
    ("package", "share"),
    [
        ("lib/python3.12/site-packages/motionseg_ros", "share/motionseg_ros"),
        ("local/lib/python3.10/dist-packages/motionseg_ros", "share/motionseg_ros"),
        ("local/lib/python3.10/dist-packages/motionseg_ros", "local/share/motionseg_ros"),
    ],
)
def test_installed_places(package, share):
    assert Path("/prefix", share) in _share_folders(Path("/prefix", package))
