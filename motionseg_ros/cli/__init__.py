"""The command ``motionseg``."""

import os

# OpenCV logs what our own errors say in one line. It reads this when it is first imported.
os.environ.setdefault("OPENCV_LOG_LEVEL", "FATAL")
