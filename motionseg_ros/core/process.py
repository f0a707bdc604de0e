"""Settings of OpenCV for a process that is ours alone. It reads them when it is first imported, so not later."""

from __future__ import annotations

import os


def prepare_process() -> None:
    """Set what the environment does not set already."""
    # OpenCV logs what our own errors say in one line.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "FATAL")
    # The stages share two threads; more within each OpenCV call would only wait for each other, spinning.
    os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")
