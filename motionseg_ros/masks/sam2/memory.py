"""What SAM 2 remembers of one object, and which of it the next frame attends to.

SAM 2 attends to the prompted frames, to the masks of the last six frames and to the object pointers of the last
fifteen. MoSAM (section 3.3.1) fills the bank with reliable frames instead: those whose predicted IoU and occlusion
score pass two thresholds, newest first, and, where these are too few, the best of the others above a third one.
Nothing that can no longer be attended to is kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, eq=False)
class Memory:
    """One frame of one object.

    Args:
        frame: its number in the stream.
        features: the encoded mask; None where only the pointer can still be attended to.
        pointer: the object pointer.
        iou: predicted IoU of the mask, 0..1.
        occlusion: score (logit) that the object is in sight, positive when it is.
    """

    frame: int
    features: Any
    pointer: Any
    iou: float
    occlusion: float


@dataclass(frozen=True)
class MemoryPolicy:
    """How the bank is filled.

    Args:
        selective: MoSAM's choice of reliable frames; otherwise the last frames, as SAM 2 does.
        slots: masks that are attended to beside those of the prompted frames (with one of these 7 in all).
        pointers: object pointers that are attended to beside those of the prompted frames.
        span: frames into the past that a selection reaches; MoSAM: "within a defined range", no value given.
        interval: frames between two candidates of a selection; MoSAM: "at regular intervals", no value given.
        min_iou: predicted IoU above which a frame is reliable (MoSAM 0.7).
        min_occlusion: occlusion score above which it is (MoSAM 0.0).
        fallback_iou: predicted IoU from which other frames may fill what is left (MoSAM 0.6).
        prompted: prompted frames that are kept: the first one, in which the object was chosen, and the newest.
    """

    selective: bool = True
    slots: int = 6
    pointers: int = 15
    span: int = 24
    interval: int = 1
    min_iou: float = 0.7
    min_occlusion: float = 0.0
    fallback_iou: float = 0.6
    prompted: int = 4

    @property
    def reach(self) -> int:
        """Frames into the past that are kept."""
        return self.span if self.selective else max(self.slots, self.pointers)


class MemoryBank:
    """The memories of one object: at most `policy.prompted` prompted frames and `policy.reach` others."""

    def __init__(self, policy: MemoryPolicy) -> None:
        self._policy = policy
        self._prompted: dict[int, Memory] = {}
        self._tracked: deque[Memory] = deque()

    def __len__(self) -> int:
        return len(self._prompted) + len(self._tracked)

    @property
    def memories(self) -> tuple[Memory, ...]:
        """All that is kept, prompted frames first."""
        return (*self._prompted.values(), *self._tracked)

    @property
    def prompted(self) -> dict[int, Memory]:
        """The prompted frames by number; every frame attends to them."""
        return dict(self._prompted)

    def add(self, memory: Memory, prompted: bool = False) -> None:
        """Take the memory of the newest frame, in place of one that it may have already."""
        now = memory.frame
        self._prompted.pop(now, None)
        self._tracked = deque(self._outdated(m, now) for m in self._tracked if self._within_reach(m, now))
        if not prompted:
            self._tracked.append(memory)
            return
        self._prompted[now] = memory
        if len(self._prompted) > self._policy.prompted:
            frames = sorted(self._prompted)
            del self._prompted[frames[1] if self._policy.prompted > 1 else frames[0]]

    def recall(self, frame: int) -> dict[int, Memory]:
        """What `frame` attends to beside the prompted frames, by the frame number whose place each takes.

        SAM 2 tells memories apart by how far back they lie. MoSAM's reliable frames take the places of the last
        ones: the newest of them that of the frame before.
        """
        before = [m for m in self._tracked if m.frame < frame]
        if not self._policy.selective:
            return {m.frame: m for m in before}
        chosen = select_reliable(before, self._policy)
        return {frame - 1 - place: memory for place, memory in enumerate(chosen)}

    def _within_reach(self, memory: Memory, now: int) -> bool:
        return now - self._policy.reach < memory.frame < now

    def _outdated(self, memory: Memory, now: int) -> Memory:
        """Without the encoded mask where it lies too far back for the frame after `now`."""
        far = memory.frame <= now - self._policy.slots
        return replace(memory, features=None) if far and not self._policy.selective else memory


def select_reliable(candidates: Sequence[Memory], policy: MemoryPolicy) -> list[Memory]:
    """MoSAM's temporal memory selection (section 3.3.1 and "Threshold of Frames to Be Ranked" in section 4.7).

    Args:
        candidates: of one object, from old to new.

    Returns:
        at most `policy.slots` memories, newest first: the newest reliable ones, then those with the largest sum of
        predicted IoU and occlusion score among the others with enough IoU; after them older reliable ones, up to
        `policy.pointers` in all, of which only the object pointers can be attended to.
    """
    newest_first = list(reversed(candidates))[:: policy.interval]
    reliable = [m for m in newest_first if m.iou > policy.min_iou and m.occlusion > policy.min_occlusion]
    others = [m for m in newest_first if m not in reliable and m.iou >= policy.fallback_iou]
    others.sort(key=lambda m: m.iou + m.occlusion, reverse=True)  # stable: the newer of equals first
    bank = [*reliable, *others][: policy.slots]
    bank.sort(key=lambda m: m.frame, reverse=True)
    return [*bank, *reliable[policy.slots : policy.pointers]]
