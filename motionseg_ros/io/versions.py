"""What results were made with."""

from __future__ import annotations

import os
import platform
from typing import Any

import cv2
import numpy as np

from .. import __version__
from ..device.memory import gpu_names


def versions() -> dict[str, Any]:
    """Versions and hardware, ready for JSON."""
    return {
        "motionseg_ros": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "platform": platform.platform(),
        "gpus": gpu_names(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }
