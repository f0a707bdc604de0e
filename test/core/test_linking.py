"""What the finder does with the associator's decisions; how these come about is in test_association.py."""

from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.core.association import Decisions
from motionseg_ros.core.background import BackgroundMotion
from motionseg_ros.core.config import Config
from motionseg_ros.core.evidence import MotionEvidence
from motionseg_ros.core.image import WorkingImage
from motionseg_ros.core.linking import LinkedObjects
from motionseg_ros.core.objects import ObjectRegistry
from motionseg_ros.core.situation import Situation
from motionseg_ros.core.types import Frame, Prompts
from motionseg_ros.prompting.grouping import ProximityGrouper

COUNT = 6


class NotingMasker:
    def __init__(self) -> None:
        self.prompted: dict[int, int] = {}
        self.removed: list[int] = []

    def add(self, object_id: int, prompts: Prompts) -> None:
        self.prompted[object_id] = len(prompts.points)

    def remove(self, object_id: int) -> None:
        self.removed.append(object_id)

    def unclaimed(self, positions: np.ndarray) -> np.ndarray:
        return np.zeros(len(positions), np.int64)


class Decided:
    """An associator whose decisions are known."""

    def __init__(self, **decisions: object) -> None:
        self._decisions = decisions

    def __call__(self, links, weights, owners, *_others):
        return Decisions(owners.copy(), **self._decisions)


@pytest.fixture
def find():
    """``find(owners, chosen, **decisions)``: runs the finder; returns owners, registry and masker."""

    def find(owners: tuple[int, ...], chosen: tuple[int, ...] = (), **decisions: object):
        config = Config()
        registry, masker = ObjectRegistry(config.objects), NotingMasker()
        for object_id in range(1, max(owners) + 1):
            registry.create(0, chosen=object_id in chosen)
        positions = np.float32([[10 * i, 20] for i in range(COUNT)])
        evidence = MotionEvidence(
            positions,
            np.full(COUNT, 0.9, np.float32),
            np.ones(COUNT, bool),
            np.array(owners, np.int64),
            BackgroundMotion({}, {}, 0.3),
        )
        situation = Situation(
            image=WorkingImage.prepare(Frame(np.zeros((60, 80, 3), np.uint8)), 80),
            frame=3,
            stamp=300,
            evidence=evidence,
            movers=np.arange(COUNT),
            confidence=np.ones(COUNT, np.float32),
            under=np.zeros(COUNT, np.int64),
            attached=(),
            registry=registry,
            masker=masker,
        )
        finder = LinkedObjects(config, ProximityGrouper(config.grouping))
        finder._associator = Decided(**decisions)
        return finder(situation).tolist(), registry, masker

    return find


def test_a_part_that_leaves_is_a_new_object(find):
    owners, registry, masker = find((1, 1, 1, 1, 0, 0), split=[(1, np.array([2, 3]))])
    assert owners == [1, 1, 2, 2, 0, 0]
    assert registry.ids == {1, 2}
    assert masker.prompted == {2: 2}


def test_what_the_user_has_chosen_is_not_split(find):
    owners, registry, masker = find((1, 1, 1, 1, 0, 0), chosen=(1,), split=[(1, np.array([2, 3]))])
    assert owners == [1, 1, 1, 1, 0, 0]
    assert registry.ids == {1}
    assert masker.prompted == {}


def test_a_group_is_a_new_object(find):
    owners, registry, masker = find((1, 1, 0, 0, 0, 0), new=[np.array([3, 4, 5])])
    assert owners == [1, 1, 0, 2, 2, 2]
    assert registry.ids == {1, 2}
    assert masker.prompted == {2: 3}


def test_of_two_that_are_one_the_other_goes(find):
    owners, registry, masker = find((1, 1, 2, 2, 0, 0), merge=[(1, 2)])
    assert owners == [1, 1, 1, 1, 0, 0]
    assert registry.ids == {1}
    assert masker.removed == [2]
    assert masker.prompted == {1: 4}
