"""BootsTAPIR as a point tracker: a fixed number of slots, frame by frame or over the whole window."""
