"""Cues beside the trajectories: the depth of every frame, and what is under every trajectory."""
