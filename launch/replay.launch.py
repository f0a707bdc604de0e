"""A recording through the node: ros2 launch motionseg_ros replay.launch.py bag:=recording image:=/camera/image_raw

The recording's clock is published and used; arguments of motionseg.launch.py are passed on to it.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, IncludeLaunchDescription, TimerAction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, ThisLaunchFileDir

ARGUMENTS = [
    DeclareLaunchArgument("bag", description="The recording: a rosbag2 folder, or an .mcap or .db3 file."),
    DeclareLaunchArgument("image", description="Image topic in the recording."),
    DeclareLaunchArgument("rate", default_value="1.0", description="Speed of the replay, 1.0 as recorded."),
    DeclareLaunchArgument(
        "delay",
        default_value="3.0",
        description="Seconds before the replay begins, for the node to load its models.",
    ),
    DeclareLaunchArgument(
        "rviz", default_value="true", choices=["true", "false"], description="Show the result in RViz."
    ),
]


def generate_launch_description() -> LaunchDescription:
    # First, because it chooses Fast DDS settings under which the player's images arrive.
    node = IncludeLaunchDescription(
        PythonLaunchDescriptionSource([ThisLaunchFileDir(), "/motionseg.launch.py"]),
        launch_arguments={
            "image": LaunchConfiguration("image"),
            "rviz": LaunchConfiguration("rviz"),
            "use_sim_time": "true",
        }.items(),
    )
    player = ExecuteProcess(
        cmd=[
            "ros2",
            "bag",
            "play",
            LaunchConfiguration("bag"),
            "--clock",
            "--rate",
            LaunchConfiguration("rate"),
        ],
        output="screen",
    )
    return LaunchDescription(
        [*ARGUMENTS, node, TimerAction(period=LaunchConfiguration("delay"), actions=[player])]
    )
