"""The command ``motionseg``."""

import os

# OpenCV logs what our own errors say in one line. It reads these when it is first imported.
os.environ.setdefault("OPENCV_LOG_LEVEL", "FATAL")
# The stages share two threads; more within each OpenCV call only wait for each other, spinning.
os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")
