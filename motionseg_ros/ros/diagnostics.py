"""What the node tells about itself on /diagnostics."""

from __future__ import annotations

import os
from pathlib import Path

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

from ..core.pipeline import Workload
from ..device.memory import used_mb
from .statistics import Counts, Snapshot

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR

FOREIGN_CLOCK = 60_000.0
"""A latency beyond this says that the stamps are of another clock (a bag played as recorded), ms."""

LOSS_WORTH_A_WARNING = 0.2


def diagnostics_message(
    name: str,
    stamp: Time,
    state: str,
    topic: str,
    stages: dict[str, str],
    now: Snapshot,
    before: Counts,
    stale_after: float,
    workload: Workload | None = None,
) -> DiagnosticArray:
    """One status: level and message tell what happened since the last report, the values are totals.

    Args:
        state: active, disabled, inactive or unconfigured.
        topic: the image topic as subscribed.
        stages: what is chosen for each stage, by option.
        before: the counts at the last report.
        stale_after: seconds without an image that are worth a warning.
        workload: what is being followed; None where nothing is.
    """
    level, message = _assess(state, topic, now, now.counts - before, stale_after)
    values = {"state": state, "image_topic": topic} | _values(now)
    values["objects"] = str(workload.objects if workload else 0)
    values["trajectories"] = str(workload.trajectories if workload else 0)
    values |= {f"stage.{stage}": choice for stage, choice in stages.items()}
    values |= {f"published.{output}": str(count) for output, count in sorted(now.published.items())}
    values |= {f"ms.{stage}": f"{ms:.2f}" for stage, ms in now.stages_ms.items()}
    status = DiagnosticStatus(
        level=level,
        name=f"{name}: segmentation",
        message=message,
        hardware_id=topic,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
    return DiagnosticArray(header=Header(stamp=stamp), status=[status])


def _assess(state: str, topic: str, now: Snapshot, new: Counts, stale_after: float) -> tuple[bytes, str]:
    if state != "active":
        return OK, state
    if new.failed:
        return ERROR, f"{new.failed} frames failed: {now.last['failed']}"
    if new.bad:
        return WARN, f"{new.bad} bad frames: {now.last['bad']}"
    if now.idle_for > stale_after:
        return (
            WARN,
            f"no image on {topic} for {now.idle_for:.0f} s; is the camera driver running, is the topic right?",
        )
    if new.unpaired > LOSS_WORTH_A_WARNING * new.received:
        return WARN, f"{new.unpaired} images had no depth image: {now.last['unpaired']}"
    if new.lost > LOSS_WORTH_A_WARNING * (new.lost + new.received) and new.answered + new.dropped < new.lost:
        return WARN, f"{new.lost} images were lost before the node; see docs/troubleshooting.md"
    if new.reduced:
        return WARN, f"less than wanted: {now.last['reduced']}"
    if new.restarts:
        return WARN, f"fresh window: {now.last['restarts']}"
    if now.counts.answered == 0 and now.counts.received == 0:
        return OK, f"waiting for images on {topic}"
    return OK, f"{now.output_rate:.1f} of {now.input_rate:.1f} images/s"


def _values(now: Snapshot) -> dict[str, str]:
    counts = now.counts
    values = {
        "input_rate_hz": f"{now.input_rate:.2f}",
        "output_rate_hz": f"{now.output_rate:.2f}",
        "frames_received": str(counts.received),
        "frames_answered": str(counts.answered),
        "frames_dropped": str(counts.dropped),
        "frames_lost_before_node": str(counts.lost),
        "frames_bad": str(counts.bad),
        "frames_failed": str(counts.failed),
        "frames_unpaired": str(counts.unpaired),
        "frames_skipped": str(counts.skipped),
        "restarts": str(counts.restarts),
        "reduced": str(counts.reduced),
        "last_reduction": now.last.get("reduced", ""),
        "last_restart": now.last.get("restarts", ""),
        "last_bad_frame": now.last.get("bad", ""),
        "last_failure": now.last.get("failed", ""),
        "memory_mb": f"{resident_memory() / 1e6:.0f}",
        "gpu_memory_mb": "" if (used := used_mb()) is None else f"{used:.0f}",
    }
    values |= _quantiles("processing_ms", now.processing_ms)
    latency = now.latency_ms
    if latency is not None and abs(latency[0]) > FOREIGN_CLOCK:
        latency = None
    return values | _quantiles("latency_ms", latency)


def _quantiles(name: str, value: tuple[float, float] | None) -> dict[str, str]:
    median, p95 = ("", "") if value is None else (f"{value[0]:.1f}", f"{value[1]:.1f}")
    return {f"{name}_median": median, f"{name}_p95": p95}


def resident_memory() -> int:
    """Resident size of this process in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
