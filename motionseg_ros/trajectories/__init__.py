"""Trajectory classifiers: which trajectories move on their own."""
