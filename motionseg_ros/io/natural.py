"""Names in the order in which people count."""

from __future__ import annotations

import re


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which ``frame_9`` comes before ``frame_10``."""
    parts = re.split(r"([0-9]+)", name)
    return tuple((0, int(part), "") if i % 2 else (1, 0, part.lower()) for i, part in enumerate(parts))
