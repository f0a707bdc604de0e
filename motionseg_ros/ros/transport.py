"""Fast DDS settings under which images arrive.

As it comes, Fast DDS gives every process a shared-memory segment of 0.5 MB. A 640x480 colour image has 0.9
MB, so most images that are published with best effort never arrive. `fastdds.xml` makes the segment 32 MB and
keeps UDP for other machines. What counts is the publisher's side: camera drivers need the profile too.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

PROFILE = Path(__file__).with_name("fastdds.xml")

# Fast DDS up to 2.x (Humble, Jazzy) reads the first, newer ones the second.
_PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
# Each of these says that the user has chosen transports himself.
_OWN_CHOICE = (*_PROFILE_VARIABLES, "FASTDDS_BUILTIN_TRANSPORTS", "ROS_DISCOVERY_SERVER")
_FAST_DDS = ("rmw_fastrtps_cpp", "rmw_fastrtps_dynamic_cpp")


def use_fastdds_profile(environment: MutableMapping[str, str] = os.environ) -> bool:
    """Make Fast DDS of this process (and of its children) use `PROFILE`; call it before ``rclpy.init``.

    A process that uses another middleware, or whose user has chosen profiles, built-in transports or a
    discovery server, is left alone.

    Returns:
        Whether the profile is in use.
    """
    if environment.get("RMW_IMPLEMENTATION", _FAST_DDS[0]) not in _FAST_DDS:
        return False
    if any(environment.get(variable, str(PROFILE)) != str(PROFILE) for variable in _OWN_CHOICE):
        return False
    for variable in _PROFILE_VARIABLES:
        environment[variable] = str(PROFILE)
    return True
