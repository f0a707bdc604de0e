"""From moving trajectories to prompts."""
