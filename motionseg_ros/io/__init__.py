"""Frame sources (bag, video, folder), result writers and configuration files. No ROS installation needed."""
