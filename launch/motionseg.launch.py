"""The node beside a camera driver: ros2 launch motionseg_ros motionseg.launch.py image:=/camera/image_raw"""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from motionseg_ros.ros.transport import use_fastdds_profile

ARGUMENTS = [
    DeclareLaunchArgument(
        "image", default_value="image", description="Image topic to segment, e.g. /camera/image_raw."
    ),
    DeclareLaunchArgument(
        "image_transport",
        default_value="",
        choices=["", "raw", "compressed"],
        description="compressed: subscribe to <image>/compressed instead. Empty: as the configuration says.",
    ),
    DeclareLaunchArgument(
        "depth",
        default_value="",
        description="Topic of depth images that are registered to the image: objects get positions in metres.",
    ),
    DeclareLaunchArgument(
        "camera_info",
        default_value="",
        description="Calibration of the image, with depth. Empty: camera_info beside the image topic.",
    ),
    DeclareLaunchArgument(
        "config",
        default_value="cpu",
        description="Configuration: a profile (cpu, gpu), or the path of a YAML file like config/cpu.yaml.",
    ),
    DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node."),
    DeclareLaunchArgument("name", default_value="motionseg", description="Name of the node."),
    DeclareLaunchArgument(
        "autostart",
        default_value="true",
        choices=["true", "false"],
        description="Configure and activate the node at once; false leaves that to a lifecycle manager.",
    ),
    DeclareLaunchArgument(
        "use_sim_time",
        default_value="false",
        choices=["true", "false"],
        description="Take the time from /clock.",
    ),
    DeclareLaunchArgument(
        "log_level", default_value="info", description="debug, info, warn, error or fatal."
    ),
    DeclareLaunchArgument(
        "rviz",
        default_value="false",
        choices=["true", "false"],
        description="Show the image, the overlay and the labels in RViz.",
    ),
]


def start(context: LaunchContext) -> list[Node]:
    argument = {item.name: LaunchConfiguration(item.name).perform(context) for item in ARGUMENTS}

    # Without it most images are lost on their way through Fast DDS. Left alone where the user has chosen his own.
    use_fastdds_profile(context.environment)

    use_sim_time = argument["use_sim_time"] == "true"
    parameters = {
        "config": argument["config"],
        "autostart": argument["autostart"] == "true",
        "use_sim_time": use_sim_time,
    }
    if argument["image_transport"]:
        parameters["node.image_transport"] = argument["image_transport"]
    remappings = [("image", argument["image"])]
    if argument["depth"]:
        parameters["depth.name"] = "sensor"
        beside = "/".join([*argument["image"].split("/")[:-1], "camera_info"])
        remappings += [("depth", argument["depth"]), ("camera_info", argument["camera_info"] or beside)]
    nodes = [
        Node(
            package="motionseg_ros",
            executable="node",
            namespace=argument["namespace"],
            name=argument["name"],
            parameters=[parameters],
            remappings=remappings,
            ros_arguments=["--log-level", argument["log_level"]],
            output="screen",
        )
    ]
    if argument["rviz"] == "true":
        # The topics in motionseg.rviz are those of a node without a namespace; remapped to this one's.
        node = f"/{argument['namespace'].strip('/')}/{argument['name']}".replace("//", "/")
        nodes.append(
            Node(
                package="rviz2",
                executable="rviz2",
                namespace=argument["namespace"],
                arguments=["-d", [FindPackageShare("motionseg_ros"), "/rviz/motionseg.rviz"]],
                parameters=[{"use_sim_time": use_sim_time}],
                remappings=[
                    ("/image", argument["image"]),
                    *((f"/motionseg/{topic}", f"{node}/{topic}") for topic in ("overlay", "labels")),
                ],
            )
        )
    return nodes


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=start)])
