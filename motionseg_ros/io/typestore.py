"""ROS 2 message types for bags, without a ROS installation."""

from __future__ import annotations

from functools import lru_cache

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from .resources import PACKAGE, share_path

INSTANCES_TYPE = f"{PACKAGE}/msg/InstanceMaskArray"


@lru_cache(maxsize=1)
def standard_types() -> Typestore:
    """The types of the common ROS 2 interface packages; image messages are alike in all distributions."""
    return get_typestore(Stores.ROS2_JAZZY)


@lru_cache(maxsize=1)
def package_types() -> Typestore:
    """The standard types and this package's own, read from its ``msg`` files.

    Raises:
        SourceError: the package is installed without its message definitions.
    """
    store = get_typestore(Stores.ROS2_JAZZY)
    for name in ("InstanceMask", "InstanceMaskArray"):
        text = share_path("msg", f"{name}.msg").read_text(encoding="utf-8")
        store.register(get_types_from_msg(text, f"{PACKAGE}/msg/{name}"))
    return store
