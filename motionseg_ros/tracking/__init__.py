"""Point trackers: long trajectories through the sliding window."""
