"""Causal BootsTAPIR as a point tracker: a fixed number of slots, frame by frame."""
