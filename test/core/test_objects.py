from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from motionseg_ros.core.config import ObjectsConfig
from motionseg_ros.core.objects import (
    DISPROVED_FRAMES,
    MOVED_FRAMES,
    REST_FRAMES,
    ObjectRegistry,
    Observation,
)
from motionseg_ros.core.types import MAX_OBJECT_ID, ObjectState

SECOND = 1_000_000_000
PERIOD = 0.1
SIDE = 640


def observation(
    x: int = 100,
    y: int = 50,
    velocity=(2.0, 0.0),
    speed: float = 2.0,
    side: int = 20,
    evidence: float = 12.0,
) -> Observation:
    return Observation(
        mask=np.ones((side, side), bool),
        roi=(x, y, side, side),
        motion_score=0.9,
        evidence=evidence,
        mask_score=0.8,
        velocity=np.array(velocity, float),
        speed=speed,
        num_trajectories=6,
    )


class Play:
    """A registry and a clock that goes on by 0.1 s with every frame."""

    def __init__(self, **config: object) -> None:
        self.registry = ObjectRegistry(ObjectsConfig(**config))
        self.stamp = 5 * SECOND

    def frame(self, **seen: Observation) -> list[int]:
        """``frame(_3=observation())``: the next frame shows object 3; returns the ids that were let go."""
        self.stamp += int(PERIOD * SECOND)
        observations = {int(name[1:]): value for name, value in seen.items()}
        return self.registry.update(observations, self.stamp, PERIOD, SIDE)

    def moves(self, frames: int) -> None:
        """Object 1 goes to the right by 2 px/frame, from x = 100."""
        for i in range(frames):
            self.frame(_1=observation(x=100 + 2 * i))

    def until_gone(self) -> float:
        """Seconds in which nothing is seen until object 1 is let go."""
        begin = self.stamp
        while not self.frame():
            assert self.stamp < begin + 20 * SECOND
        return (self.stamp - begin) / SECOND

    @property
    def states(self) -> dict[int, ObjectState]:
        return {instance.id: instance.state for instance in self.registry.instances()}


class TestIds:
    def test_count_up_from_one(self):
        registry = ObjectRegistry(ObjectsConfig())
        assert [registry.create(0) for _ in range(3)] == [1, 2, 3]
        assert len(registry) == 3
        assert registry.ids == {1, 2, 3}
        assert 2 in registry
        assert 4 not in registry

    def test_are_not_given_again_soon(self):
        registry = ObjectRegistry(ObjectsConfig())
        given = []
        for _ in range(50):
            given.append(registry.create(0))
            registry.remove(given[-1])
        registry.create(0)
        registry.clear()
        given.append(registry.create(0))
        assert given == [*range(1, 51), 52]

    def test_begin_at_one_again_after_the_last_and_leave_out_the_living(self):
        registry = ObjectRegistry(ObjectsConfig())
        assert registry.create(0) == 1  # stays alive
        for expected in range(2, MAX_OBJECT_ID + 1):
            assert registry.create(0) == expected
            registry.remove(expected)
        assert registry.create(0) == 2

    def test_no_more_than_max_objects_live(self):
        registry = ObjectRegistry(ObjectsConfig(max_objects=3))
        assert [registry.create(0) for _ in range(5)] == [1, 2, 3, None, None]
        registry.remove(2)
        assert registry.create(0) == 4
        assert len(registry) == 3

    def test_removing_an_unknown_object_does_nothing(self):
        registry = ObjectRegistry(ObjectsConfig())
        registry.create(0)
        registry.remove(77)
        assert len(registry) == 1


class TestInstances:
    def test_carry_what_was_observed(self):
        play = Play()
        play.registry.create(7 * SECOND)
        play.frame(_1=observation(x=30, y=40))
        (instance,) = play.registry.instances()
        assert instance.id == 1
        assert instance.state is ObjectState.MOVING
        assert instance.roi == (30, 40, 20, 20)
        assert instance.area == 400
        assert (instance.motion_score, instance.mask_score) == pytest.approx((0.9, 0.8))
        assert instance.num_trajectories == 6
        assert instance.first_seen == 7 * SECOND

    def test_are_sorted_by_id(self):
        play = Play()
        for _ in range(3):
            play.registry.create(0)
        play.frame(_3=observation(), _1=observation(), _2=observation())
        assert [instance.id for instance in play.registry.instances()] == [1, 2, 3]

    def test_velocity_is_in_px_per_second(self):
        play = Play()
        play.registry.create(play.stamp)
        for _ in range(30):
            play.frame(_1=observation(velocity=(3.0, -1.0)))
        assert play.registry.instances()[0].velocity_px == pytest.approx((30.0, -10.0), rel=0.01)

    def test_velocity_follows_a_change_smoothly(self):
        play = Play()
        play.registry.create(play.stamp)
        for _ in range(20):
            play.frame(_1=observation(velocity=(3.0, 0.0)))
        seen = []
        for _ in range(20):
            play.frame(_1=observation(velocity=(-3.0, 0.0)))
            seen.append(play.registry.instances()[0].velocity_px[0])
        assert seen == sorted(seen, reverse=True)
        assert -30 < seen[0] < 30
        assert seen[-1] == pytest.approx(-30, abs=0.5)

    def test_two_frames_with_the_same_stamp_do_not_make_it_fly(self):
        play = Play()
        play.registry.create(play.stamp)
        for _ in range(20):
            play.frame(_1=observation(velocity=(3.0, 0.0)))
        play.registry.update({1: observation(velocity=(3.0, 0.0))}, play.stamp, 0.0, SIDE)
        assert play.registry.instances()[0].velocity_px[0] == pytest.approx(30, rel=0.2)

    def test_an_object_that_was_never_seen_is_not_shown_and_goes(self):
        play = Play()
        play.registry.create(play.stamp)
        assert play.until_gone() < 1.0
        assert play.registry.instances() == ()
        assert len(play.registry) == 0

    def test_what_the_registry_does_not_know_is_ignored(self):
        play = Play()
        play.registry.create(play.stamp)
        play.frame(_1=observation(), _9=observation())
        assert set(play.states) == {1}


class TestStopping:
    def test_an_object_that_rests_after_it_moved_is_stopped_and_moves_again(self):
        play = Play()
        play.registry.create(play.stamp)
        play.moves(15)
        assert play.states == {1: ObjectState.MOVING}
        assert play.registry.still == frozenset()
        for _ in range(10):
            play.frame(_1=observation(speed=0.0, velocity=(0, 0)))
        assert play.states == {1: ObjectState.STOPPED}
        assert play.registry.still == {1}
        play.moves(1)
        assert play.states == {1: ObjectState.MOVING}
        assert play.registry.still == frozenset()

    def test_one_frame_of_rest_is_no_stop(self):
        play = Play()
        play.registry.create(play.stamp)
        play.moves(15)
        play.frame(_1=observation(speed=0.0))
        assert play.states == {1: ObjectState.MOVING}

    def test_what_hardly_moved_never_counts_as_stopped_and_goes(self):
        """A false alarm that comes to rest is no object that stands still."""
        play = Play(keep_stopped=5.0)
        play.registry.create(play.stamp)
        play.moves(2)
        gone = [play.frame(_1=observation(speed=0.0)) for _ in range(DISPROVED_FRAMES)]
        assert gone == [[]] * (DISPROVED_FRAMES - 1) + [[1]]
        assert play.registry.still == frozenset()

    def test_what_moves_again_in_time_is_not_disproved(self):
        play = Play()
        play.registry.create(play.stamp)
        for _ in range(2):
            play.moves(2)
            for _ in range(DISPROVED_FRAMES - 1):
                assert play.frame(_1=observation(speed=0.0)) == []
        assert play.states == {1: ObjectState.MOVING}

    def test_evidence_that_it_rests_counts_more_than_what_the_tracker_jitters(self):
        play = Play()
        play.registry.create(play.stamp)
        play.moves(15)
        for _ in range(4):
            play.frame(_1=observation(speed=2.0, evidence=-9.0))
        assert play.states == {1: ObjectState.STOPPED}

    def test_without_trajectories_nothing_changes(self):
        play = Play()
        play.registry.create(play.stamp)
        play.moves(15)
        for _ in range(10):
            play.frame(_1=observation(speed=float("nan")))
        assert play.states == {1: ObjectState.MOVING}

    @pytest.mark.parametrize("keep", [0.5, 2.0])
    def test_a_stopped_object_is_let_go_in_the_end(self, keep):
        play = Play(keep_stopped=keep)
        play.registry.create(play.stamp)
        play.moves(15)
        moved = play.stamp
        gone = []
        while not gone and play.stamp < moved + 10 * SECOND:
            gone = play.frame(_1=observation(speed=0.0))
        assert gone == [1]
        assert keep <= (play.stamp - moved) / SECOND <= keep + 0.5
        assert play.states == {}
        assert 1 not in play.registry

    def test_rest_is_relative_to_the_image(self):
        """0.4 px a frame is rest in a large image and motion in a small one."""
        for side, expected in ((1600, ObjectState.STOPPED), (320, ObjectState.MOVING)):
            registry = ObjectRegistry(ObjectsConfig(rest_speed=5e-4))
            registry.create(0)
            for i in range(30):
                speed = 5.0 if i < 15 else 0.4
                registry.update({1: observation(speed=speed)}, i * SECOND // 10, PERIOD, side)
            assert registry.instances()[0].state is expected


class TestOcclusion:
    def test_an_object_out_of_sight_keeps_its_id_without_pixels(self):
        play = Play(keep_occluded=2.0)
        play.registry.create(play.stamp)
        play.moves(15)
        assert play.frame() == []
        (instance,) = play.registry.instances()
        assert instance.state is ObjectState.OCCLUDED
        assert instance.roi == (0, 0, 0, 0)
        assert instance.area == 0
        assert instance.num_trajectories == 0
        assert 1 in play.registry

    @pytest.mark.parametrize("keep", [0.5, 1.0])
    def test_it_is_let_go_when_it_stays_away(self, keep):
        play = Play(keep_occluded=keep)
        play.registry.create(play.stamp)
        play.moves(15)
        seen = play.stamp
        gone = []
        while not gone and play.stamp < seen + 10 * SECOND:
            gone = play.frame()
        assert gone == [1]
        assert keep <= (play.stamp - seen) / SECOND <= keep + 0.2

    def test_what_was_hardly_seen_is_let_go_much_sooner(self):
        play = Play(keep_occluded=5.0)
        play.registry.create(play.stamp)
        play.moves(2)
        assert play.until_gone() < 1.0
        assert 1 not in play.registry

    def test_it_is_seen_again(self):
        play = Play()
        play.registry.create(play.stamp)
        play.moves(15)
        play.frame()
        play.moves(1)
        assert play.states == {1: ObjectState.MOVING}

    def missing(self, play: Play, *points: tuple[float, float], carried=()) -> list[int]:
        return play.registry.missing(np.array(points), np.array(carried, np.int64), play.stamp)

    def test_may_be_back_where_it_was_going(self):
        play = Play(keep_occluded=5.0)
        play.registry.create(play.stamp)
        play.moves(30)  # 20 px/s to the right; the last centre is (168, 60)
        for _ in range(20):
            play.frame()
        assert self.missing(play, (208.0, 60.0), (209.0, 61.0)) == [1]
        assert self.missing(play, (208.0, 210.0)) == []
        assert self.missing(play, (8.0, 60.0)) == []

    def test_what_is_in_sight_is_not_missing(self):
        play = Play()
        play.registry.create(play.stamp)
        play.moves(15)
        assert self.missing(play, (138.0, 60.0), carried=[0, 1]) == []

    def test_a_mask_that_no_trajectory_carries_on_is_missing(self):
        """All points slipped off: the mover that shows up in its place is no second object."""
        play = Play()
        play.registry.create(play.stamp)
        play.moves(15)
        assert self.missing(play, (138.0, 60.0), carried=[0, 2]) == [1]

    def test_one_that_stands_still_is_not_missing(self):
        """A walker who passes a parked car must not become that car."""
        play = Play()
        play.registry.create(play.stamp)
        play.moves(15)
        for _ in range(4):
            play.frame(_1=observation(x=128, speed=0.0, velocity=(0, 0)))
        assert play.states == {1: ObjectState.STOPPED}
        assert self.missing(play, (138.0, 60.0)) == []

    def test_what_was_never_shown_is_not_missing(self):
        play = Play()
        play.registry.create(play.stamp)
        play.frame(_1=observation(evidence=1.0))
        play.frame()
        assert 1 in play.registry
        assert self.missing(play, (110.0, 60.0)) == []

    def test_the_nearest_comes_first(self):
        play = Play(keep_occluded=5.0)
        for _ in range(2):
            play.registry.create(play.stamp)
        for _ in range(15):
            play.frame(
                _1=observation(x=100, velocity=(0, 0), speed=2.0),
                _2=observation(x=112, velocity=(0, 0), speed=2.0),
            )
        play.frame()
        assert self.missing(play, (111.0, 60.0)) == [1, 2]
        assert self.missing(play, (121.0, 60.0)) == [2, 1]

    def test_nothing_is_missing(self):
        assert ObjectRegistry(ObjectsConfig()).missing(np.zeros((2, 2)), np.zeros(0, np.int64), 0) == []


class TestTentative:
    """Before there is enough evidence under an object's mask it is not shown: most of these are flickers."""

    def test_it_is_shown_from_the_frame_in_which_the_evidence_is_enough(self):
        play = Play(min_evidence=4.0)
        play.registry.create(play.stamp)
        for evidence, shown in ((-2.0, False), (3.9, False), (4.0, True), (1.0, True)):
            assert play.frame(_1=observation(evidence=evidence)) == []
            assert play.registry.tentative == (frozenset() if shown else {1})
            assert set(play.states) == ({1} if shown else set())

    def test_it_is_let_go_soon_when_evidence_stays_away(self):
        play = Play()
        play.registry.create(play.stamp)
        begin = play.stamp
        while not play.frame(_1=observation(evidence=3.0)):
            assert play.states == {}
            assert play.stamp < begin + SECOND
        assert 1 not in play.registry

    def test_what_it_moved_before_does_not_make_it_stop(self):
        """Frames before it was believed are no proof that it moved."""
        play = Play()
        play.registry.create(play.stamp)
        for evidence in (1.0, 1.0, 12.0):
            play.frame(_1=observation(evidence=evidence))
        play.moves(MOVED_FRAMES - 2)
        for _ in range(4):
            play.frame(_1=observation(speed=0.0))
        assert play.states == {1: ObjectState.MOVING}

    def test_the_first_sight_counts_from_its_making(self):
        play = Play()
        play.registry.create(play.stamp)
        begin = play.stamp
        play.frame(_1=observation(evidence=1.0))
        play.frame(_1=observation())
        assert play.registry.instances()[0].first_seen == begin


class TestContacts:
    """Which pairs of touching objects may be pieces of one: those of which one was never seen apart."""

    @pytest.fixture
    def play(self) -> Play:
        play = Play()
        for _ in range(3):
            play.registry.create(play.stamp)
        return play

    def contacts(self, play: Play, seen: str, *pairs: tuple[int, int]) -> set[tuple[int, int]]:
        play.frame(**{f"_{i}": observation() for i in seen})
        return play.registry.note_contacts(set(pairs))

    def test_always_together(self, play):
        for _ in range(5):
            assert self.contacts(play, "12", (1, 2)) == {(1, 2)}

    def test_a_piece_that_shows_up_beside_an_older_object(self, play):
        assert self.contacts(play, "1") == set()
        assert self.contacts(play, "12", (1, 2)) == {(1, 2)}

    def test_two_that_were_once_apart_stay_two(self, play):
        """Walkers who meet and then go side by side for ever."""
        self.contacts(play, "12")
        for _ in range(5):
            assert self.contacts(play, "12", (1, 2)) == set()

    def test_out_of_sight_is_not_apart(self, play):
        self.contacts(play, "12", (1, 2))
        self.contacts(play, "1")
        assert self.contacts(play, "12", (1, 2)) == {(1, 2)}

    def test_contact_with_a_third_is_contact(self, play):
        self.contacts(play, "123", (2, 3))  # 1 is alone
        assert self.contacts(play, "123", (1, 2), (1, 3)) == {(1, 2), (1, 3)}

    def test_pairs_of_objects_that_are_no_more(self, play):
        self.contacts(play, "12", (1, 2))
        play.registry.remove(2)
        play.registry.note_contacts({(1, 2)})
        assert play.registry.ids == {1, 3}


class TestChosen:
    """An object that the user has pointed at is shown, moving or not, as long as it is in sight."""

    @pytest.fixture
    def make_play(self) -> Callable[..., Play]:
        """``make_play(keep_stopped=...)``: object 1 is chosen, 2 is not."""

        def make(**config: object) -> Play:
            play = Play(**config)
            play.registry.create(play.stamp, chosen=True)
            play.registry.create(play.stamp)
            return play

        return make

    def test_it_is_shown_at_once_without_evidence(self, make_play):
        play = make_play(min_evidence=4.0)
        assert (play.registry.chosen, play.registry.tentative) == ({1}, {2})
        assert set(play.states) == {1}
        play.frame(_1=observation(evidence=-9.0), _2=observation(evidence=-9.0))
        assert set(play.states) == {1}

    def test_it_is_not_disproved_by_rest(self, make_play):
        play = make_play()
        for _ in range(3 * DISPROVED_FRAMES):
            play.frame(_1=observation(speed=0.0, evidence=-9.0), _2=observation(speed=0.0))
        assert play.states == {1: ObjectState.STOPPED}

    def test_it_stands_from_the_first_frame_on_until_it_is_seen_to_move(self, make_play):
        play = make_play()
        states = []
        for speed in (0.0, 0.0, 3.0, 3.0, *[0.0] * REST_FRAMES):
            play.frame(_1=observation(speed=speed))
            states.append(play.states[1])
        moving, stopped = ObjectState.MOVING, ObjectState.STOPPED
        assert states == [stopped] * 2 + [moving] * 2 + [moving] * (REST_FRAMES - 1) + [stopped]

    @pytest.mark.parametrize(("evidence", "state"), [(3.9, ObjectState.STOPPED), (4.0, ObjectState.MOVING)])
    def test_speed_without_evidence_is_parallax(self, make_play, evidence, state):
        play = make_play(min_evidence=4.0)
        play.frame(_1=observation(speed=9.0, evidence=evidence))
        assert play.states[1] is state

    def test_at_rest_it_stays_for_as_long_as_it_is_seen(self, make_play):
        play = make_play(keep_stopped=0.5)
        for _ in range(100):
            assert 1 not in play.frame(_1=observation(speed=0.0))
        assert play.states == {1: ObjectState.STOPPED}
        assert play.registry.still == {1}

    @pytest.mark.parametrize("keep", [0.5, 2.0])
    @pytest.mark.parametrize("seen", [0, 1, 20])
    def test_it_goes_when_it_is_out_of_sight_for_too_long_however_little_it_was_seen(
        self, make_play, keep, seen
    ):
        play = make_play(keep_occluded=keep)
        for _ in range(seen):
            play.frame(_1=observation(speed=0.0), _2=observation())
        begin, gone = play.stamp, []
        while 1 not in gone:
            gone = play.frame(_2=observation())
            assert 1 in gone or play.states[1] is ObjectState.OCCLUDED
            assert play.stamp < begin + 10 * SECOND
        assert keep < (play.stamp - begin) / SECOND <= keep + 0.2
        assert play.registry.chosen == frozenset()

    def test_it_is_seen_again(self, make_play):
        play = make_play(keep_occluded=1.0)
        for _ in range(3):
            for _ in range(8):
                play.frame()
            play.frame(_1=observation(speed=0.0))
        assert 1 in play.states

    def test_no_more_than_max_objects_live(self):
        registry = ObjectRegistry(ObjectsConfig(max_objects=2))
        assert [registry.create(0), registry.create(0, chosen=True), registry.create(0, chosen=True)] == [
            1,
            2,
            None,
        ]

    def test_those_that_were_let_go_are_not_chosen_any_more(self, make_play):
        play = make_play()
        play.registry.remove(1)
        assert play.registry.chosen == frozenset()
        play.registry.create(0, chosen=True)
        play.registry.clear()
        assert play.registry.chosen == frozenset()


class TestCovered:
    """Objects that were found before and are what the user points at."""

    @pytest.mark.parametrize(("share", "expected"), [(1.0, [2, 3]), (0.6, [2, 3]), (0.4, [3]), (0.0, [])])
    def test_are_those_of_which_most_is_covered(self, share, expected):
        play = Play()
        for _ in range(4):
            play.registry.create(play.stamp)
        play.frame(_1=observation(x=300), _2=observation(x=100, y=50), _3=observation(x=20, y=50, side=10))
        shape = np.zeros((200, 400), bool)  # object 4 has never been seen
        if share:
            shape[:, 20 : round(100 + 20 * share)] = True
        assert play.registry.covered(shape) == expected

    def test_pixels_count_and_not_the_box(self):
        play = Play()
        play.registry.create(play.stamp)
        mask = np.zeros((20, 20), bool)
        mask[:, :4] = True
        play.frame(_1=replace(observation(x=10, y=10), mask=mask))
        shape = np.zeros((60, 60), bool)
        shape[:, :14] = True
        assert play.registry.covered(shape) == [1]
        assert play.registry.covered(~shape) == []

    def test_what_is_out_of_sight_or_chosen_is_not(self):
        play = Play()
        play.registry.create(play.stamp)
        play.registry.create(play.stamp, chosen=True)
        play.frame(_1=observation(), _2=observation())
        assert play.registry.covered(np.ones((200, 400), bool)) == [1]
        play.frame(_2=observation())
        assert play.registry.covered(np.ones((200, 400), bool)) == []


def test_clear_lets_all_go():
    play = Play()
    play.registry.create(play.stamp)
    play.moves(15)
    play.registry.clear()
    assert len(play.registry) == 0
    assert play.registry.instances() == ()
    assert play.registry.still == frozenset()


def test_the_number_of_records_is_bounded():
    play = Play(max_objects=8, keep_occluded=0.5)
    for i in range(400):
        play.registry.create(play.stamp)
        alive = {f"_{k}": observation(x=i) for k in range(1, 500) if k in play.registry and k % 3}
        play.frame(**alive)
        assert len(play.registry) <= 8
