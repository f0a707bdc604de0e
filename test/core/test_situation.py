"""What a finder does with the objects: it begins and joins them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from motionseg_ros.core.appearance import ObjectColours
from motionseg_ros.core.background import BackgroundMotion
from motionseg_ros.core.config import ObjectsConfig
from motionseg_ros.core.evidence import MotionEvidence
from motionseg_ros.core.image import WorkingImage
from motionseg_ros.core.objects import ObjectRegistry, Observation
from motionseg_ros.core.situation import Situation
from motionseg_ros.core.types import Frame

SIZE = (120, 160)
PERIOD = 100_000_000
RED, BLUE = (40, 40, 200), (200, 90, 30)


class NotingMasker:
    def __init__(self) -> None:
        self.removed: list[int] = []

    def remove(self, object_id: int) -> None:
        self.removed.append(object_id)


def observation(x: int, y: int, side: int = 30, speed: float = 3.0) -> Observation:
    return Observation(np.ones((side, side), bool), (x, y, side, side), 0.9, 9.0, 0.9, np.zeros(2), speed, 9)


def grid(x: float, y: float) -> np.ndarray:
    """(9, 2) points of 16x16 px, the first one at x, y."""
    return np.stack(np.meshgrid([x, x + 8, x + 16], [y, y + 8, y + 16]), axis=-1).reshape(-1, 2)


@pytest.fixture
def make_situation() -> Callable[..., Situation]:
    """``make_situation(chosen=[2], count=3, owners=...)``: objects 1 to `count`, some of which the user has chosen.

    Three trajectories of five move; the image is red on the left and blue on the right.
    """

    def make(
        chosen: tuple[int, ...] = (),
        count: int = 3,
        owners: tuple[int, ...] = (0, 0, 0),
        max_objects: int = 8,
    ) -> Situation:
        registry = ObjectRegistry(ObjectsConfig(max_objects=max_objects))
        for object_id in range(1, count + 1):
            assert registry.create(0, chosen=object_id in chosen) == object_id
        image = np.zeros((*SIZE, 3), np.uint8)
        image[:, :44], image[:, 44:] = RED, BLUE
        colours = ObjectColours()
        positions = np.float32([[1, 1], [2, 2], [3, 3], [4, 4], [5, 5]])
        evidence = MotionEvidence(
            positions=positions,
            moving=np.ones(5, np.float32),
            known=np.ones(5, bool),
            owners=np.array([9, *owners[:2], 9, *owners[2:]], np.int64),
            background=BackgroundMotion({}, {}, 0.3),
            colours=colours,
        )
        return Situation(
            image=WorkingImage.prepare(Frame(image), 80),
            frame=3,
            stamp=0,
            evidence=evidence,
            movers=np.array([1, 2, 4]),
            confidence=np.ones(3, np.float32),
            under=np.zeros(3, np.int64),
            attached=(),
            registry=registry,
            masker=NotingMasker(),
        )

    return make


def test_positions_and_owners_are_those_of_the_movers(make_situation):
    situation = make_situation(owners=(1, 2, 3))
    assert situation.size == SIZE
    assert situation.positions.tolist() == [[2, 2], [3, 3], [5, 5]]
    assert situation.owners.tolist() == [1, 2, 3]


class TestOwners:
    def test_what_lies_on_a_chosen_object_and_carries_none_is_its_own(self, make_situation):
        situation = replace(
            make_situation(chosen=(2,), owners=(0, 0, 3)), under=np.array([2, 1, 2], np.int64)
        )
        assert situation.owners.tolist() == [2, 0, 3]

    def test_of_others_that_is_to_be_found_out(self, make_situation):
        situation = replace(make_situation(owners=(0, 1, 0)), under=np.array([2, 2, 0], np.int64))
        assert situation.owners.tolist() == [0, 1, 0]


class TestJoin:
    @pytest.mark.parametrize(
        ("chosen", "pair", "stays"),
        [
            ((), (1, 2), 1),
            ((), (2, 1), 2),
            ((1,), (1, 2), 1),
            ((2,), (1, 2), 2),
            ((1,), (2, 1), 1),
            ((3,), (1, 2), 1),
        ],
    )
    def test_the_keeper_stays_but_the_one_that_the_user_has_chosen_always(
        self, make_situation, chosen, pair, stays
    ):
        situation, owners = make_situation(chosen), np.array([1, 2, 3, 0, 2, 1])
        goes = sum(pair) - stays
        situation.join(*pair, owners)
        assert situation.registry.ids == {1, 2, 3} - {goes}
        assert situation.masker.removed == [goes]
        assert owners.tolist() == [stays, stays, 3, 0, stays, stays]

    def test_two_that_the_user_has_chosen_stay_apart(self, make_situation):
        situation, owners = make_situation((1, 2)), np.array([1, 2, 3])
        situation.join(1, 2, owners)
        assert situation.registry.ids == {1, 2, 3}
        assert situation.masker.removed == []
        assert owners.tolist() == [1, 2, 3]

    def test_nothing_joins_one_that_has_gone_into_the_users(self, make_situation):
        """Else trajectories would carry, and the masker be prompted with, an object that is no more."""
        situation, owners = make_situation((2,)), np.array([1, 2, 3])
        for goes in (2, 3):
            situation.join(1, goes, owners)
        assert situation.registry.ids == {2, 3}
        assert situation.masker.removed == [1]
        assert owners.tolist() == [2, 2, 3]


class TestBegin:
    def test_a_new_object(self, make_situation):
        situation = make_situation(count=0)
        assert situation.begin(grid(20, 20), situation.owners) == 1
        assert situation.begin(grid(100, 20), situation.owners) == 2
        assert situation.registry.ids == {1, 2}
        assert situation.registry.chosen == frozenset()

    def test_zero_when_no_more_may_live(self, make_situation):
        situation = make_situation(count=2, max_objects=2)
        assert situation.begin(grid(20, 20), situation.owners) == 0
        assert situation.registry.ids == {1, 2}

    @pytest.mark.parametrize(
        ("place", "look", "others", "expected"),
        [
            ((22, 32), RED, (), 1),  # back where it was, and it looks the same
            ((22, 32), BLUE, (), 2),  # looks different
            ((22, 98), RED, (), 2),  # far away
            ((22, 32), RED, (1,), 2),  # it is seen elsewhere
        ],
    )
    def test_one_that_is_back_is_known_by_place_and_look(self, make_situation, place, look, others, expected):
        situation = make_situation(count=1)
        self.show_for_a_while(situation, look)
        situation.registry.update({}, PERIOD, 0.1, 160)
        assert situation.begin(grid(*place), situation.owners, others) == expected

    def test_one_that_trajectories_carry_is_not_missing(self, make_situation):
        situation = make_situation(count=1, owners=(1, 0, 0))
        self.show_for_a_while(situation, RED)
        assert situation.begin(grid(22, 32), situation.owners) == 2

    @staticmethod
    def show_for_a_while(situation: Situation, look: tuple[int, int, int]) -> None:
        """Object 1, on the left, is seen in one of the image's colours."""
        lab = situation.image.lab
        labels = np.zeros(lab.shape[:2], np.uint16)
        labels[15:30, 5:20] = 1
        if look == BLUE:
            labels = labels[:, ::-1]
        for _ in range(12):
            situation.registry.update({1: observation(20, 30)}, PERIOD, 0.1, 160)
            situation.colours.learn(lab, labels)
