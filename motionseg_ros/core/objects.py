"""The objects that are alive: ids that last, and what each one does.

An object is MOVING while its trajectories part from the background, STOPPED while they rest, OCCLUDED while it
has no pixels; it is let go when it has been stopped or out of sight for too long. An object that comes into sight
again where it was expected gets its id back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .config import ObjectsConfig
from .types import MAX_OBJECT_ID, Instance, ObjectState

# Frames that an object must have moved before it may be called stopped rather than a false alarm.
MOVED_FRAMES = 8
# Frames of rest in a row that make an object STOPPED.
REST_FRAMES = 3
# Frames of rest in a row that disprove an object which has not moved for long.
DISPROVED_FRAMES = 6
# How long an object that was hardly seen may be out of sight, s.
HARDLY_SEEN = 0.3


@dataclass(frozen=True, eq=False)
class Observation:
    """What one frame shows of one object.

    Args:
        mask: (h, w) bool, the pixels inside `roi`.
        roi: x, y, width, height, px.
        motion_score: mean belief of the trajectories on it, 0..1.
        evidence: log odds that it moves: the sum over the classified trajectories on it.
        mask_score: mean certainty of its pixels, 0..1.
        velocity: (2,) px per frame in the image.
        speed: px per frame beside the background; NaN without trajectories on it.
        num_trajectories: how many are on it.
    """

    mask: np.ndarray
    roi: tuple[int, int, int, int]
    motion_score: float
    evidence: float
    mask_score: float
    velocity: np.ndarray
    speed: float
    num_trajectories: int


@dataclass(eq=False)
class TrackedObject:
    """The registry's record of one object; times in ns, lengths in px."""

    id: int
    first_seen: int
    last_seen: int
    last_moving: int
    state: ObjectState = ObjectState.MOVING
    confirmed: bool = False
    chosen: bool = False
    alone: bool = False
    seen_frames: int = 0
    moved_frames: int = 0
    rest_frames: int = 0
    centre: np.ndarray | None = None
    extent: float = 0.0
    velocity: np.ndarray | None = None
    observation: Observation | None = None

    @property
    def still(self) -> bool:
        """Rests for long enough, after having moved for long enough; one that the user has chosen need not have."""
        return self.rest_frames >= REST_FRAMES and (self.chosen or self.moved_frames >= MOVED_FRAMES)


class ObjectRegistry:
    """See the module's text. Memory: at most `max_objects` records."""

    def __init__(self, config: ObjectsConfig) -> None:
        self._config = config
        self._objects: dict[int, TrackedObject] = {}
        self._last_id = 0

    def __contains__(self, object_id: int) -> bool:
        return object_id in self._objects

    def __len__(self) -> int:
        return len(self._objects)

    @property
    def ids(self) -> frozenset[int]:
        """Of all living objects."""
        return frozenset(self._objects)

    def clear(self) -> None:
        """Let all objects go; their ids are not given again soon."""
        self._objects.clear()

    @property
    def still(self) -> frozenset[int]:
        """Ids of the objects that rest."""
        return frozenset(o.id for o in self._objects.values() if o.still)

    @property
    def chosen(self) -> frozenset[int]:
        """Ids of the objects that the user has chosen: they are shown, moving or not, as long as they are in sight."""
        return frozenset(o.id for o in self._objects.values() if o.chosen)

    def covered(self, shape: np.ndarray) -> list[int]:
        """Objects that the user has not chosen and most of whose pixels `shape` (H, W) bool covers."""
        found = []
        for record in self._objects.values():
            if record.chosen or record.observation is None:
                continue
            x, y, width, height = record.observation.roi
            mask = record.observation.mask
            if 2 * (mask & shape[y : y + height, x : x + width]).sum() > mask.sum():
                found.append(record.id)
        return found

    def create(self, stamp: int, chosen: bool = False) -> int | None:
        """A new object's id, or None when `max_objects` are alive."""
        if len(self._objects) >= self._config.max_objects:
            return None
        object_id = self._last_id % MAX_OBJECT_ID + 1
        while object_id in self._objects:
            object_id = object_id % MAX_OBJECT_ID + 1
        self._last_id = object_id
        record = TrackedObject(object_id, stamp, stamp, stamp, confirmed=chosen, chosen=chosen)
        # It is taken to stand from the first frame on, until it is seen to move.
        record.rest_frames = REST_FRAMES - 1 if chosen else 0
        self._objects[object_id] = record
        return object_id

    def note_contacts(self, pairs: set[tuple[int, int]]) -> set[tuple[int, int]]:
        """Given the ids whose masks touch: the pairs of which one has touched some other in all frames of its life."""
        in_contact = {object_id for pair in pairs for object_id in pair}
        for record in self._objects.values():
            record.alone |= record.observation is not None and record.id not in in_contact
        objects = self._objects
        return {pair for pair in pairs if not all(i in objects and objects[i].alone for i in pair)}

    def missing(self, positions: np.ndarray, carried: np.ndarray, stamp: int) -> list[int]:
        """Objects out of sight that may be back at `positions` (K, 2) px, the nearest to what is expected first.

        An object is out of sight when it has no pixels or when no trajectory carries it, i.e. it is not among
        the ids `carried`.
        """
        centre = positions.mean(0)
        found = []
        for record in self._objects.values():
            seen = record.state is not ObjectState.OCCLUDED and record.id in carried
            if seen or record.centre is None or not record.confirmed or record.still:
                continue
            seconds = (stamp - record.last_seen) / 1e9
            ahead = np.zeros(2) if record.velocity is None else record.velocity * seconds
            # Its motion while hidden is a guess, so the search widens along with the way it may have gone.
            distance = np.linalg.norm(record.centre + ahead - centre)
            if distance <= record.extent + 0.5 * np.linalg.norm(ahead):
                found.append((distance, record.id))
        return [object_id for _, object_id in sorted(found)]

    def remove(self, object_id: int) -> None:
        """Let one object go."""
        self._objects.pop(object_id, None)

    def update(
        self, observations: dict[int, Observation], stamp: int, frame_period: float, longer_side: int
    ) -> list[int]:
        """Bring every object up to this frame.

        Args:
            observations: what the frame shows, by id; objects without one are out of sight.
            stamp: the frame's, ns.
            frame_period: seconds since the frame before.
            longer_side: of the image, px.

        Returns:
            ids of the objects that were let go with this frame.
        """
        rest = self._config.rest_speed * longer_side
        for record in self._objects.values():
            observation = observations.get(record.id)
            record.observation = observation
            if observation is None:
                record.state = ObjectState.OCCLUDED
                continue
            _see(record, observation, stamp, frame_period)
            record.confirmed |= observation.evidence >= self._config.min_evidence
            # Of an object that has not been found by its motion, speed alone may be parallax.
            unproved = record.chosen and observation.evidence < self._config.min_evidence
            if observation.speed < rest or observation.evidence < 0 or unproved:
                record.rest_frames += 1
            elif observation.speed >= rest:  # not so for NaN: without trajectories nothing new is known
                record.rest_frames = 0
                record.moved_frames += record.confirmed
            record.state = ObjectState.STOPPED if record.still else ObjectState.MOVING
            if not record.still:
                record.last_moving = stamp
        gone = [record.id for record in self._objects.values() if self._expired(record, stamp)]
        for object_id in gone:
            del self._objects[object_id]
        return gone

    @property
    def tentative(self) -> frozenset[int]:
        """Ids of the objects for which there has not been enough evidence yet: they are not to be shown."""
        return frozenset(o.id for o in self._objects.values() if not o.confirmed)

    def instances(self) -> tuple[Instance, ...]:
        """All objects that have been shown, by id; without pixels those that are out of sight."""
        return tuple(_instance(self._objects[i]) for i in sorted(self._objects) if self._objects[i].confirmed)

    def _expired(self, record: TrackedObject, stamp: int) -> bool:
        if not record.confirmed:
            return stamp - record.first_seen > HARDLY_SEEN * 1e9
        if record.rest_frames >= DISPROVED_FRAMES and not record.still:
            return True  # what never moved for long and rests was a false alarm
        if record.state is ObjectState.STOPPED and not record.chosen:
            return stamp - record.last_moving > self._config.keep_stopped * 1e9
        if record.state is ObjectState.OCCLUDED:
            # What was hardly seen is a false alarm rather than an object behind something.
            seen = record.chosen or record.seen_frames >= MOVED_FRAMES
            keep = self._config.keep_occluded if seen else min(self._config.keep_occluded, HARDLY_SEEN)
            return stamp - record.last_seen > keep * 1e9
        return False


def _see(record: TrackedObject, observation: Observation, stamp: int, frame_period: float) -> None:
    """Note place and velocity of an object in sight."""
    x, y, width, height = observation.roi
    record.centre = np.array([x + width / 2, y + height / 2])
    record.extent = float(max(width, height))
    if frame_period > 0:  # two frames may carry the same stamp
        velocity = observation.velocity / frame_period
        record.velocity = velocity if record.velocity is None else 0.7 * record.velocity + 0.3 * velocity
    record.seen_frames += 1
    record.last_seen = stamp


def _instance(record: TrackedObject) -> Instance:
    observation = record.observation
    velocity = (
        (0.0, 0.0) if record.velocity is None else (float(record.velocity[0]), float(record.velocity[1]))
    )
    if observation is None:
        roi, mask = (0, 0, 0, 0), np.zeros((0, 0), bool)
        scores, count = (0.0, 0.0), 0
    else:
        roi, mask = observation.roi, observation.mask
        scores, count = (observation.motion_score, observation.mask_score), observation.num_trajectories
    return Instance(
        id=record.id,
        state=record.state,
        motion_score=scores[0],
        mask_score=scores[1],
        roi=roi,
        mask=mask,
        velocity_px=velocity,
        num_trajectories=count,
        first_seen=record.first_seen,
    )
