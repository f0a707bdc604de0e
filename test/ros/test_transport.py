from __future__ import annotations

from xml.etree import ElementTree

import pytest

from motionseg_ros.ros.transport import PROFILE, use_fastdds_profile

VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")


@pytest.mark.parametrize("given", [{}, {"RMW_IMPLEMENTATION": "rmw_fastrtps_cpp"}])
def test_the_profile_is_used_by_default(given: dict[str, str]) -> None:
    environment = dict(given)
    assert use_fastdds_profile(environment)
    assert environment == given | dict.fromkeys(VARIABLES, str(PROFILE))
    assert use_fastdds_profile(environment), "a child finds what its parent has set"


@pytest.mark.parametrize(
    "given",
    [
        {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"},
        {"FASTRTPS_DEFAULT_PROFILES_FILE": "/mine.xml"},
        {"FASTDDS_DEFAULT_PROFILES_FILE": "/mine.xml"},
        {"FASTDDS_BUILTIN_TRANSPORTS": "UDPv4"},
        {"ROS_DISCOVERY_SERVER": "127.0.0.1:11811"},
    ],
)
def test_the_users_own_choice_stays(given: dict[str, str]) -> None:
    environment = dict(given)
    assert not use_fastdds_profile(environment)
    assert environment == given


def test_the_profile_has_room_for_images_and_keeps_udp() -> None:
    root = ElementTree.parse(PROFILE).getroot()
    space = {"p": "http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles"}
    transports = {
        d.findtext("p:type", namespaces=space): d for d in root.iterfind(".//p:transport_descriptor", space)
    }
    assert set(transports) == {"SHM", "UDPv4"}
    assert int(transports["SHM"].findtext("p:segment_size", namespaces=space)) == 32 * 2**20
    used = {item.text for item in root.iterfind(".//p:userTransports/p:transport_id", space)}
    assert used == {d.findtext("p:transport_id", namespaces=space) for d in transports.values()}
    assert root.find("p:participant", space).get("is_default_profile") == "true"
