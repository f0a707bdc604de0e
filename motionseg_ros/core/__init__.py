"""Types, configuration, sliding window, object registry and the pipeline. No ROS, no files, no windows."""
