from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from motionseg_ros.core.errors import FrameError
from motionseg_ros.io.pairs import pair

PERIOD = 33_000_000
TOLERANCE = 20_000_000
MOST_WAITING = 16

Event = tuple[bool, int, int]


def image(number: int, stamp: int | None = None) -> Event:
    return False, number * PERIOD if stamp is None else stamp, number


def depth(number: int, stamp: int | None = None) -> Event:
    return True, number * PERIOD if stamp is None else stamp, number


def pairs(*events: Event, tolerance: int = TOLERANCE) -> list[tuple[int, int | None]]:
    return list(pair(events, tolerance))


def own(numbers: Iterable[int]) -> list[tuple[int, int | None]]:
    """Each image with the depth of the same number."""
    return [(number, number) for number in numbers]


def alone(numbers: Iterable[int]) -> list[tuple[int, int | None]]:
    return [(number, None) for number in numbers]


@pytest.mark.parametrize("late", [-15, -3, -1, 0, 1, 2, 15])
@pytest.mark.parametrize("order", [1, -1])
def test_each_has_its_own_whichever_was_recorded_first(late, order):
    """A driver may deliver one stream some frames behind the other; stamps tell what belongs together."""
    events = []
    for number in range(-15, 55):
        both = [image(number)] if 0 <= number < 40 else []
        both += [depth(number - late)] if 0 <= number - late < 40 else []
        events += both[::order]
    assert pairs(*events) == own(range(40))


@pytest.mark.parametrize(
    ("offset", "near"),
    [
        (-TOLERANCE - 1, False),
        (-TOLERANCE, True),
        (-1, True),
        (0, True),
        (1, True),
        (TOLERANCE, True),
        (TOLERANCE + 1, False),
    ],
)
def test_stamps_may_differ_by_the_tolerance(offset, near):
    events = [image(0, 10**18), depth(0, 10**18 + offset)]
    for ordered in (events, events[::-1]):
        assert pairs(*ordered) == ([(0, 0)] if near else [(0, None)])


@pytest.mark.parametrize(("tolerance", "near"), [(0, [2]), (6, [1, 2]), (7, [0, 1, 2])])
def test_the_tolerance_is_what_was_asked_for(tolerance, near):
    events = [image(0, 100), depth(0, 107), image(1, 200), depth(1, 206), image(2, 300), depth(2, 300)]
    assert pairs(*events, tolerance=tolerance) == [(k, k if k in near else None) for k in range(3)]


@pytest.mark.parametrize(("before", "after", "nearest"), [(-7, 8, 1), (-8, 7, 2), (-9, 0, 2)])
def test_the_nearest_one_counts_not_the_first_that_is_near(before, after, nearest):
    assert pairs(depth(1, 100 + before), image(0, 100), depth(2, 100 + after)) == [(0, nearest)]


def test_a_second_stream_that_is_faster():
    events = sorted(
        [image(number) for number in range(10)]
        + [depth(number, number * PERIOD // 4 + 1_000_000) for number in range(40)],
        key=lambda event: event[1],
    )
    assert pairs(*events) == [(number, 4 * number) for number in range(10)]


def test_a_second_stream_that_is_slower():
    events = [e for number in range(9) for e in (image(number), *([] if number % 2 else [depth(number)]))]
    assert pairs(*events) == [(number, None if number % 2 else number) for number in range(9)]


@pytest.mark.parametrize(
    "there",
    [
        pytest.param(range(5), id="ends early"),
        pytest.param(range(30, 40), id="begins late"),
        pytest.param([0, 1, 3, 4, 5, 9, 10, 39], id="has gaps"),
        pytest.param([], id="is empty"),
    ],
)
def test_a_second_stream_that(there):
    """Images without a partner come alone, those with one are not disturbed."""
    events = [
        e for number in range(40) for e in (image(number), *([depth(number)] if number in there else []))
    ]
    assert pairs(*events) == [(number, number if number in there else None) for number in range(40)]


def test_messages_before_the_first_image_and_after_the_last_do_no_harm():
    events = [*map(depth, range(-30, 1)), image(0), image(1), *map(depth, range(1, 30))]
    assert pairs(*events) == own([0, 1])


@pytest.mark.parametrize("events", [[], [depth(0), depth(1)]])
def test_without_images_there_is_nothing(events):
    assert pairs(*events) == []


class TestWaiting:
    @staticmethod
    def follow(events: Iterable[Event]) -> Iterator[tuple[int, int]]:
        """(images taken, images given) whenever one is given."""
        taken = 0

        def counted() -> Iterator[Event]:
            nonlocal taken
            for event in events:
                taken += not event[0]
                yield event

        for given, _ in enumerate(pair(counted(), TOLERANCE), start=1):
            yield taken, given

    def test_an_image_is_given_once_its_partner_is_there(self):
        events = [event for number in range(5) for event in (image(number), depth(number))]
        assert list(self.follow(events)) == [(count, count) for count in range(1, 6)]

    def test_one_that_has_none_is_given_with_the_next_of_the_second_stream(self):
        events = [depth(0), image(0), image(1), image(2), depth(2)]
        assert list(self.follow(events)) == [(1, 1), (3, 2), (3, 3)]

    def test_no_more_wait_than_may(self):
        taken_and_given = list(self.follow(map(image, range(200))))
        assert taken_and_given[0] == (MOST_WAITING + 1, 1)
        assert taken_and_given[-1] == (200, 200)
        assert max(taken - given for taken, given in taken_and_given) == MOST_WAITING

    def test_many_images_before_any_depth(self):
        """Those that still wait when it comes get theirs; none is lost, and all come in their order."""
        events = [*map(image, range(40)), *map(depth, range(40))]
        assert pairs(*events) == alone(range(24)) + own(range(24, 40))

    def test_only_the_newest_of_the_second_stream_are_kept(self):
        events = [*map(depth, range(40)), *map(image, range(40))]
        assert pairs(*events) == alone(range(24)) + own(range(24, 40))

    def test_one_gap_does_not_make_later_ones_wait(self):
        events = [
            e for number in range(60) for e in (image(number), *([depth(number)] if number > 20 else []))
        ]
        waiting = [taken - given for taken, given in self.follow(events)]
        assert waiting[-39:] == [0] * 39


class TestStampsThatJumpBack:
    @pytest.mark.parametrize("order", [1, -1])
    def test_none_is_lost_and_each_has_its_own_again(self, order):
        """The first one after the jump may be taken for one that came too late."""
        events = []
        for number in range(40):
            stamp = (number if number < 25 else number - 200) * PERIOD
            events += [image(number, stamp), depth(number, stamp)][::order]
        found = pairs(*events)
        assert [number for number, _ in found] == list(range(40))
        first = (25, None) if order == 1 else (25, 25)
        assert found == [*own(range(25)), first, *own(range(26, 40))]

    def test_in_the_second_stream_only(self):
        """As if its driver were set to another clock."""
        events = []
        for number in range(60):
            events += [image(number), depth(number, (number if number < 10 else number - 200) * PERIOD)]
        assert pairs(*events) == own(range(10)) + alone(range(10, 60))

    def test_while_one_waits_for_a_message_that_is_missing(self):
        events = []
        for number in range(60):
            stamp = (number if number < 10 else number - 200) * PERIOD
            events += [image(number, stamp), *([depth(number, stamp)] if number != 9 else [])]
        assert pairs(*events) == own(range(9)) + alone([9]) + own(range(10, 60))


def test_an_error_of_the_recording_comes_after_all_that_was_read():
    def broken() -> Iterator[Event]:
        yield from (image(0), depth(0), image(1), image(2))
        raise FrameError("the recording is cut off")

    found = []
    with pytest.raises(FrameError, match="the recording is cut off"):
        found.extend(pair(broken(), TOLERANCE))
    assert found == [(0, 0), (1, None), (2, None)]
