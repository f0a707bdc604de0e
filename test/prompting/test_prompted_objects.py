"""Objects found by prompting a mask model that knows the truth: by single steps, and in rendered scenes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from motionseg_ros.core.background import BackgroundMotion
from motionseg_ros.core.config import Config, ObjectsConfig, PromptingConfig
from motionseg_ros.core.evidence import MotionEvidence
from motionseg_ros.core.image import WorkingImage
from motionseg_ros.core.objects import ObjectRegistry, Observation
from motionseg_ros.core.observe import sample
from motionseg_ros.core.pipeline import MotionSegmenter
from motionseg_ros.core.situation import Situation
from motionseg_ros.core.types import Frame, FrameResult, MaskLogits, ObjectState, Prompts, Tracks
from motionseg_ros.evaluation.measures import region_similarity
from motionseg_ros.prompting.chosen_objects import ChosenObjects
from motionseg_ros.prompting.iterative import object_points
from motionseg_ros.prompting.prompted_objects import PromptedObjects
from motionseg_ros.synthesis import RenderedFrame, Renderer, Scene, get_scene
from motionseg_ros.tracking.lucas_kanade import LucasKanadeTracker
from motionseg_ros.tracking.query_points import QueryPoints

SIZE = (240, 320)
SECOND = 1_000_000_000
DISC = 5
"""Radius in px of what is seen around a click on the background."""


class ScriptedMasker:
    """Knows the true regions. An object has the region on which most of its last clicks were,
    wherever that is in later frames; one that was clicked on the background has a disc there.
    """

    def __init__(self, regions: Mapping[int, np.ndarray] | None = None) -> None:
        self.regions = dict(regions or {})
        """Mask (H, W) bool of each true region in the newest frame."""
        self.prompted: list[tuple[int, np.ndarray, int]] = []
        """Object, its points and the region under them, 0 for the background, of each call of `add`."""
        self.probed: list[int] = []
        self.removed: list[int] = []
        self.reset()

    def reset(self) -> None:
        self.objects: dict[int, int | np.ndarray] = {}

    def watch(self, window, background) -> None:
        pass

    def push(self, window, evidence) -> None:
        pass

    def add(self, object_id: int, prompts: Prompts) -> None:
        prompts.check(SIZE)
        number = self._under(prompts)
        self.prompted.append((object_id, prompts.points, number))
        self.objects[object_id] = number or self._disc(prompts)

    def choose(self, object_id: int, prompts: Prompts) -> None:
        self.add(object_id, prompts)

    def remove(self, object_id: int) -> None:
        self.objects.pop(object_id, None)
        self.removed.append(object_id)

    def probe(self, prompts: Prompts) -> np.ndarray:
        prompts.check(SIZE)
        number = self._under(prompts)
        self.probed.append(number)
        return self.regions[number].copy() if number else self._disc(prompts)

    def unclaimed(self, positions: np.ndarray) -> np.ndarray:
        return np.zeros(len(positions), np.int64)

    def masks(self) -> dict[int, MaskLogits]:
        nothing = np.zeros(SIZE, bool)
        masks = {
            object_id: shown if isinstance(shown, np.ndarray) else self.regions.get(shown, nothing)
            for object_id, shown in self.objects.items()
        }
        return {i: MaskLogits(np.where(m, 4, -4).astype(np.float32)) for i, m in masks.items() if m.any()}

    def field(self) -> None:
        return None

    def warning(self) -> None:
        return None

    def _under(self, prompts: Prompts) -> int:
        points = prompts.points[prompts.labels == 1]
        votes = {number: sample(region, points).sum() for number, region in self.regions.items()}
        best = max(votes, key=votes.get, default=0)
        return best if votes and 2 * votes[best] > len(points) else 0

    @staticmethod
    def _disc(prompts: Prompts) -> np.ndarray:
        x, y = np.rint(prompts.points.mean(0)).astype(int).tolist()
        return cv2.circle(np.zeros(SIZE, np.uint8), (x, y), DISC, 1, -1) > 0


def rectangle(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    """The pixels from x0, y0 to x1, y1, the last ones included."""
    mask = np.zeros(SIZE, bool)
    mask[y0 : y1 + 1, x0 : x1 + 1] = True
    return mask


def grid(x: float, y: float, columns: int = 3, rows: int = 3, spacing: float = 8) -> np.ndarray:
    """(N, 2) points, the first one at x, y."""
    steps = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
    return (np.array([x, y]) + spacing * steps).astype(np.float32)


LEFT, RIGHT = rectangle(30, 80, 80, 130), rectangle(200, 80, 250, 130)
IN_LEFT, IN_RIGHT = grid(40, 90), grid(215, 95)
NOWHERE = np.zeros((0, 2), np.float32)


class Stage:
    """What a finder finds: frames are made of the points of the trajectories that move."""

    def __init__(self, regions: Mapping[int, np.ndarray], max_objects: int = 32, **options: float) -> None:
        self.masker = ScriptedMasker(regions)
        self.registry = ObjectRegistry(ObjectsConfig(max_objects=max_objects, min_evidence=0))
        self.finder = PromptedObjects(PromptingConfig(**options))
        self.image = WorkingImage.prepare(Frame(np.zeros((*SIZE, 3), np.uint8)), 384)
        self.stamp = 0

    def __call__(
        self,
        *points: np.ndarray,
        frame: int = 0,
        owners: list[int] | None = None,
        confidence: list[float] | None = None,
    ) -> list[int]:
        """The owners that the finder gives to movers at `points` in `frame`; others rest on all regions."""
        moving = np.concatenate(points)
        resting = grid(35, 85, 29, 6)
        n, m = len(resting), len(moving)
        rows = n + np.arange(m)
        owned = np.zeros(n + m, np.int64)
        owned[rows] = 0 if owners is None else owners
        positions = np.concatenate([resting, moving])
        background = BackgroundMotion({}, {}, 0.3)
        evidence = MotionEvidence(positions, np.ones(n + m), np.ones(n + m, bool), owned, background)
        sure = np.ones(m) if confidence is None else np.array(confidence)
        found = self.finder(
            Situation(
                image=self.image,
                frame=frame,
                stamp=self.stamp,
                evidence=evidence,
                movers=rows,
                confidence=sure.astype(np.float32),
                under=np.zeros(m, np.int64),
                attached=(),
                registry=self.registry,
                masker=self.masker,
            )
        )
        assert found.dtype == np.int64
        assert found.shape == (m,)
        np.testing.assert_array_equal(evidence.owners, owned, "the situation is not to be changed")
        return found.tolist()

    @property
    def prompts(self) -> list[tuple[int, int]]:
        """Object and region of each prompt."""
        return [(object_id, number) for object_id, _, number in self.masker.prompted]

    def see(self, object_id: int, x: int, y: int, side: int = 20) -> None:
        """The registry learns that the object is shown, at x, y."""
        velocity = np.zeros(2)
        seen = Observation(np.ones((side, side), bool), (x, y, side, side), 0.9, 5.0, 0.9, velocity, 1.0, 9)
        self.registry.update({object_id: seen}, self.stamp, 0.1, max(SIZE))

    def lose_sight(self) -> None:
        self.registry.update({}, self.stamp, 0.1, max(SIZE))


class TestBegin:
    def test_free_movers_in_a_mask_are_an_object_with_three_clicks(self):
        stage = Stage({1: LEFT})
        assert stage(IN_LEFT) == [1] * 9
        assert stage.registry.ids == {1}
        [(object_id, points, number)] = stage.masker.prompted
        assert (object_id, number) == (1, 1)
        radius = PromptingConfig().density_radius * 320
        np.testing.assert_array_equal(points, object_points(IN_LEFT, radius))
        assert points.shape == (3, 2)

    def test_the_first_click_is_the_densest_within_a_share_of_the_longer_side(self):
        """16 px: with 12 px, that share of the shorter side, it would be in the pile of three."""
        pile, row = grid(20, 50, 3, 1, spacing=0.5), grid(100, 150, 9, 1, spacing=13)
        stage = Stage({1: np.ones(SIZE, bool)})
        stage(pile, row)
        assert stage.masker.prompted[0][1][0].tolist() == [152, 150]

    def test_each_mask_is_an_object(self):
        stage = Stage({1: LEFT, 2: RIGHT})
        owners = stage(IN_LEFT, IN_RIGHT)
        assert sorted(stage.prompts) in ([(1, 1), (2, 2)], [(1, 2), (2, 1)])
        of = dict(stage.prompts)
        assert [of[i] for i in owners] == [1] * 9 + [2] * 9

    def test_masks_that_touch_are_two(self):
        """Trajectories of one lie 2 px from those of the other."""
        stage = Stage({1: rectangle(30, 80, 80, 130), 2: rectangle(81, 80, 130, 130)}, dilations=0)
        owners = stage(grid(64, 90), grid(82, 90))
        assert len(set(owners[:9])) == len(set(owners[9:])) == 1
        assert sorted(set(owners)) == [1, 2]

    def test_nothing_moves(self):
        stage = Stage({1: LEFT})
        assert stage(NOWHERE) == []
        assert stage.masker.probed == []
        assert len(stage.registry) == 0

    def test_too_few_in_a_mask_among_many_are_none(self):
        """Five in a mask, and seven on the background, each of which has a disc of its own."""
        stage = Stage({1: LEFT})
        assert stage(grid(40, 90, 5, 1), grid(100, 200, 7, 1, spacing=30)) == [0] * 12
        assert len(stage.registry) == 0
        assert stage.masker.prompted == []

    def test_a_probe_adds_no_object(self):
        stage = Stage({1: LEFT})
        stage(grid(100, 200, 7, 1, spacing=30))
        assert len(stage.masker.probed) == 2  # five are left then
        assert stage.masker.objects == {}

    @pytest.mark.parametrize("count", [1, 2, 5])
    def test_few_are_an_object_when_they_are_all(self, count):
        stage = Stage({1: LEFT})
        assert stage(grid(40, 90, count, 1)) == [1] * count
        assert len(stage.masker.prompted[0][1]) == min(count, 3)

    def test_those_beside_the_mask_carry_none(self):
        """They are explained by its margin, and begin no object of their own either."""
        stage = Stage({1: LEFT})
        assert stage(IN_LEFT, grid(83, 90, 1, 6, spacing=6)) == [1] * 9 + [0] * 6
        assert stage.registry.ids == {1}


class TestExplained:
    """Trajectories in a living object's mask begin nothing."""

    @pytest.fixture
    def stage(self) -> Stage:
        """Object 1 is in the left region, of three."""
        stage = Stage({1: LEFT, 2: RIGHT, 3: rectangle(30, 145, 80, 200)})
        stage(IN_LEFT)
        stage.masker.probed.clear()
        stage.masker.prompted.clear()
        return stage

    def test_they_carry_it(self, stage):
        assert stage(IN_LEFT, grid(36, 84, 5, 2), frame=2) == [1] * 19
        assert stage.masker.probed == []
        assert stage.prompts == []
        assert stage.registry.ids == {1}

    @pytest.mark.parametrize(("x", "y"), [(85, 90), (88, 90), (25, 90), (40, 137)])
    def test_nor_do_those_in_its_margin(self, stage, x, y):
        places = np.array([(x, y)] * 7, np.float32)
        assert stage(places, frame=2) == [0] * 7
        assert stage.masker.probed == []

    def test_those_beyond_it_do(self, stage):
        assert stage(IN_LEFT, grid(40, 155), frame=2) == [1] * 9 + [2] * 9
        assert stage.prompts == [(2, 3)]

    def test_one_whose_mask_missed_it_keeps_its_object(self, stage):
        assert stage(grid(100, 20), frame=2, owners=[1] * 9) == [1] * 9
        assert stage.masker.probed == []

    def test_the_mask_under_it_counts_more_than_what_it_carried(self, stage):
        stage(IN_RIGHT, frame=2)
        assert stage(IN_LEFT, IN_RIGHT, frame=4, owners=[2] * 9 + [1] * 9) == [1] * 9 + [2] * 9


class TestPromptAgain:
    @staticmethod
    def frames(stage: Stage, last: int, stride: int = 2) -> list[int]:
        """Frames in which object 1 was prompted; the finder is asked every `stride` frames."""
        found = []
        for frame in range(0, last + 1, stride):
            before = len(stage.masker.prompted)
            stage(IN_LEFT, frame=frame)
            assert {object_id for object_id, _ in stage.prompts} <= {1}
            found += [frame] * (len(stage.masker.prompted) - before)
        return found

    @pytest.mark.parametrize(
        ("interval", "stride", "frames"),
        [
            (16, 2, [0, 16, 32]),
            (16, 1, [0, 16, 32]),
            (4, 2, list(range(0, 39, 4))),
            (5, 2, [0, 6, 12, 18, 24, 30, 36]),
            (1, 1, list(range(39))),
            (39, 1, [0]),
        ],
    )
    def test_at_the_interval(self, interval, stride, frames):
        """Or the first time after it that trajectories are classified."""
        assert self.frames(Stage({1: LEFT}, interval=interval), 38, stride) == frames

    def test_each_object_has_its_own_interval(self):
        stage = Stage({1: LEFT, 2: RIGHT})
        found = {}
        for frame in range(0, 40, 2):
            stage.masker.prompted.clear()
            stage(IN_LEFT, *([IN_RIGHT] if frame >= 6 else []), frame=frame)
            found[frame] = sorted(stage.prompts)
        assert {frame: prompts for frame, prompts in found.items() if prompts} == {
            0: [(1, 1)],
            6: [(2, 2)],
            16: [(1, 1)],
            22: [(2, 2)],
            32: [(1, 1)],
            38: [(2, 2)],
        }

    def test_where_its_trajectories_are_by_then(self):
        stage = Stage({1: LEFT})
        stage(IN_LEFT)
        stage.masker.regions[1] = rectangle(130, 80, 180, 130)
        there = IN_LEFT + np.float32([100, 3])
        stage(there, frame=16)
        np.testing.assert_array_equal(stage.masker.prompted[1][1], object_points(there, 16))

    def test_at_trajectories_that_its_mask_has_missed_as_well(self):
        stage = Stage({1: LEFT})
        stage(IN_LEFT)
        stage(IN_LEFT, [[150, 100]], frame=16, owners=[1] * 10)
        assert [150, 100] in stage.masker.prompted[1][1].tolist()

    def test_later_if_none_of_them_is_there(self):
        """The next time after it is counted from then."""
        stage = Stage({1: LEFT})
        counts = []
        for frame in range(0, 40, 2):
            stage(NOWHERE if 12 < frame < 20 else IN_LEFT, frame=frame)
            counts.append(len(stage.prompts))
        assert [2 * k for k in range(1, 20) if counts[k] > counts[k - 1]] == [20, 36]

    def test_not_when_it_is_gone(self):
        stage = Stage({1: LEFT})
        stage(IN_LEFT)
        stage.registry.remove(1)
        stage.masker.remove(1)
        stage(grid(100, 20), frame=20, owners=[1] * 9)  # they carried it
        assert stage.prompts == [(1, 1)]
        stage(IN_LEFT, frame=40)
        assert stage.prompts == [(1, 1), (2, 1)]

    def test_not_after_a_reset(self):
        """Frames begin at 0 again then."""
        stage = Stage({1: LEFT, 2: RIGHT})
        stage(IN_LEFT, frame=30)
        stage.finder.reset()
        stage.masker.reset()
        stage.registry.clear()
        stage(IN_RIGHT, frame=0)
        stage(IN_RIGHT, frame=16)
        assert stage.prompts == [(1, 1), (2, 2), (2, 2)]


class TestConfidence:
    """Trajectories whose place is not sure are neither grouped nor clicked."""

    def test_no_object_is_begun_by_them(self):
        stage = Stage({1: LEFT}, min_confidence=0.9)
        assert stage(IN_LEFT, confidence=[0.8] * 9) == [0] * 9
        assert stage.masker.probed == []

    def test_they_do_not_make_up_the_number(self):
        stage = Stage({1: LEFT}, min_confidence=0.9, take_all=0)
        assert stage(IN_LEFT, confidence=[0.8] * 4 + [0.95] * 5) == [0] * 9
        assert stage(IN_LEFT, confidence=[0.8] * 3 + [0.95] * 6) == [0] * 3 + [1] * 6

    def test_they_are_not_clicked_in_a_new_object(self):
        stage = Stage({1: LEFT}, min_confidence=0.9)
        stage(grid(34, 84, 2, 2), IN_LEFT, confidence=[0.8] * 4 + [0.95] * 9)
        np.testing.assert_array_equal(stage.masker.prompted[0][1], object_points(IN_LEFT, 16))

    def test_nor_when_it_is_prompted_again(self):
        stage = Stage({1: LEFT}, min_confidence=0.9)
        stage(IN_LEFT)
        stage(grid(34, 84, 2, 2), IN_LEFT, frame=16, confidence=[0.8] * 4 + [0.95] * 9)
        np.testing.assert_array_equal(stage.masker.prompted[1][1], object_points(IN_LEFT, 16))

    def test_an_object_with_none_but_such_is_not_prompted(self):
        stage = Stage({1: LEFT}, min_confidence=0.9)
        stage(IN_LEFT)
        assert stage(IN_LEFT, frame=16, confidence=[0.8] * 9) == [1] * 9
        assert stage.prompts == [(1, 1)]

    def test_by_default_what_was_not_tracked_is_not_used(self):
        """Its place has no meaning: see `Tracks`."""
        stage = Stage({1: LEFT})
        assert stage(IN_LEFT, confidence=[0.0] * 9) == [0] * 9
        assert stage(IN_LEFT, confidence=[0.01] * 9) == [1] * 9


class TestLimits:
    def test_no_more_than_the_most_objects_are_begun(self):
        stage = Stage({1: LEFT, 2: RIGHT}, max_objects=1)
        owners = stage(IN_LEFT, IN_RIGHT)
        assert sorted(owners) == [0] * 9 + [1] * 9
        assert len(stage.prompts) == 1
        assert stage.registry.ids == {1}

    def test_nor_later(self):
        stage = Stage({1: LEFT, 2: RIGHT}, max_objects=1)
        stage(IN_LEFT)
        for frame in (2, 16, 18):
            assert stage(IN_LEFT, IN_RIGHT, frame=frame) == [1] * 9 + [0] * 9
        assert stage.prompts == [(1, 1), (1, 1)]
        assert set(stage.masker.objects) == {1}

    def test_until_one_goes(self):
        stage = Stage({1: LEFT, 2: RIGHT}, max_objects=1)
        stage(IN_LEFT)
        stage.registry.remove(1)
        stage.masker.remove(1)
        assert stage(IN_RIGHT, frame=2) == [2] * 9
        assert stage.prompts == [(1, 1), (2, 2)]


class TestOneObjectAnId:
    def test_an_object_that_is_back_gets_its_id(self):
        stage = Stage({1: LEFT})
        stage(IN_LEFT)
        stage.see(1, 40, 90)
        stage.masker.objects.clear()
        stage.lose_sight()
        assert stage.registry.instances()[0].state is ObjectState.OCCLUDED
        assert stage(IN_LEFT, frame=4) == [1] * 9
        assert stage.prompts == [(1, 1), (1, 1)]

    def test_two_that_begin_where_one_is_missed_are_two(self):
        """Only one of them can be that which is back."""
        stage = Stage({1: LEFT, 2: rectangle(95, 80, 130, 130)})
        stage(IN_LEFT)
        stage.see(1, 60, 80, side=60)
        stage.masker.objects.clear()
        stage.lose_sight()
        for frame in (4, 6):
            owners = stage(IN_LEFT, grid(102, 90), frame=frame)
            for object_id in set(owners) - {0}:
                stage.see(object_id, 60, 80)
        assert {len(set(owners[:9])), len(set(owners[9:]))} == {1}
        assert set(owners) == {1, 2}
        assert len(set(stage.prompts[1:])) == 2

    def test_an_object_in_sight_keeps_its_id_when_its_trajectories_are_lost(self):
        """Another one begins beside it."""
        stage = Stage({1: LEFT, 2: rectangle(95, 80, 130, 130)})
        stage(IN_LEFT)
        stage.see(1, 30, 80, side=90)
        assert stage(grid(102, 90), frame=2) == [2] * 9
        assert stage.prompts == [(1, 1), (2, 2)]


class TestMerge:
    """Objects whose masks cover each other at three classifications are one."""

    @pytest.fixture
    def stage(self) -> Stage:
        """Objects 1 and 2, whose trajectories are told by the mask under them."""
        stage = Stage({1: LEFT, 2: RIGHT})
        stage(IN_LEFT)
        stage(IN_LEFT, IN_RIGHT, frame=2)
        assert stage.prompts == [(1, 1), (2, 2)]
        return stage

    @staticmethod
    def cover(stage: Stage) -> None:
        """From now on object 2 has the mask of object 1."""
        stage.masker.objects[2] = 1

    def test_the_one_that_goes_is_forgotten(self, stage):
        self.cover(stage)
        for frame in (4, 6):
            stage(IN_LEFT, frame=frame, owners=[1] * 9)
            assert stage.registry.ids == {1, 2}
        stage(IN_LEFT, frame=8, owners=[1] * 9)
        assert stage.registry.ids == {1}
        assert stage.masker.removed == [2]
        assert set(stage.masker.objects) == {1}

    def test_its_trajectories_carry_the_other(self, stage):
        """Also those that no mask holds."""
        self.cover(stage)
        for frame, owner in [(4, 2), (6, 2), (8, 1)]:
            found = stage(IN_LEFT, IN_RIGHT + np.float32([0, 90]), frame=frame, owners=[2] * 18)
            assert found[9:] == [owner] * 9
        assert found[:9] == [1] * 9

    def test_it_is_not_prompted_again(self, stage):
        self.cover(stage)
        for frame in range(4, 40, 2):
            stage(IN_LEFT, frame=frame, owners=[1] * 9)
        assert {object_id for object_id, _ in stage.prompts[2:]} == {1}

    def test_what_is_apart_stays(self, stage):
        for frame in range(4, 30, 2):
            stage(IN_LEFT, IN_RIGHT, frame=frame)
        assert stage.registry.ids == {1, 2}
        assert stage.masker.removed == []

    def test_one_that_the_user_has_chosen_takes_the_other_in(self):
        stage = Stage({1: LEFT})
        stage(IN_LEFT)
        stage.registry.create(0, chosen=True)
        self.cover(stage)
        for frame in (2, 4, 6):
            owners = stage(IN_LEFT, frame=frame, owners=[1] * 9)
        assert stage.registry.ids == {2}
        assert stage.masker.removed == [1]
        assert owners == [2] * 9

    def test_so_it_does_with_two_others(self):
        """And no trajectory carries one that is gone, not even those that no mask holds."""
        stage = Stage({1: LEFT})
        for chosen in (False, True, False):
            stage.registry.create(0, chosen)
        stage.masker.objects = dict.fromkeys((1, 2, 3), 1)
        owners = [3] * 9
        for frame in range(0, 14, 2):
            owners = stage(grid(40, 200), frame=frame, owners=owners)
            assert set(owners) <= stage.registry.ids
        assert stage.registry.ids == {2}
        assert sorted(stage.masker.removed) == [1, 3]
        assert owners == [2] * 9

    def test_a_reset_forgets_what_overlapped(self, stage):
        self.cover(stage)
        stage(IN_LEFT, frame=4, owners=[1] * 9)
        stage(IN_LEFT, frame=6, owners=[1] * 9)
        stage.finder.reset()
        for frame in (8, 10):
            stage(IN_LEFT, frame=frame, owners=[1] * 9)
        assert stage.registry.ids == {1, 2}


@dataclass(frozen=True)
class Act:
    """Frames of a scene, `last` not included, in which all objects move; by `settled` all have been found."""

    scene: str
    first: int
    settled: int
    last: int
    hides: bool = False


ACTS = [
    Act("passing", 20, 28, 44),  # a walker passes before a courier robot, and both before a van
    Act("demo", 3, 12, 28, hides=True),  # a walker is behind a pillar for five frames
    Act("abreast", 44, 52, 58),  # two that went side by side part; a third, small one comes
]


class TrueClassifier:
    """P(moving) by what is under a trajectory in the newest frame."""

    def __init__(self) -> None:
        self.labels = np.zeros(SIZE, np.uint16)
        self.counts = np.zeros(1, np.int64)
        """Trajectories that were classified, by the object under them."""

    def __call__(self, tracks: Tracks, size: tuple[int, int], depth=None, semantics=None) -> np.ndarray:
        on = sample(self.labels, tracks.positions[:, -1])
        self.counts = np.bincount(on, minlength=8)
        return np.where(on > 0, 0.98, 0.02).astype(np.float32)


@dataclass
class Play:
    """What the pipeline made of an act."""

    act: Act
    scene: Scene
    masker: ScriptedMasker
    frames: list[RenderedFrame] = field(default_factory=list)
    results: list[FrameResult] = field(default_factory=list)
    most: np.ndarray = field(default_factory=lambda: np.zeros(8, np.int64))
    """The most trajectories that were classified on each true object at a time."""

    @property
    def settled(self) -> Iterator[tuple[RenderedFrame, FrameResult]]:
        """The frames in which all objects are to be found."""
        start = self.act.settled - self.act.first
        return zip(self.frames[start:], self.results[start:], strict=True)

    @property
    def true_ids(self) -> dict[int, int]:
        """Which true object each id was prompted on."""
        return {object_id: number for object_id, _, number in self.masker.prompted}


@pytest.fixture(scope="module", params=ACTS, ids=lambda act: act.scene)
def play(request) -> Play:
    """The whole pipeline with true classes and a mask model that knows the truth."""
    act, classifier = request.param, TrueClassifier()
    config = Config().with_values({"prompting.interval": 8})
    scene = get_scene(act.scene, width=SIZE[1], height=SIZE[0])
    renderer = Renderer(scene)
    play = Play(act, scene, ScriptedMasker())
    segmenter = MotionSegmenter(
        config,
        LucasKanadeTracker(config.tracker, config.window.length, config.window.stride),
        classifier,
        PromptedObjects(config.prompting),
        play.masker,
        ChosenObjects(config.points, QueryPoints(config.tracker.max_round_trip)),
    )
    for index in range(act.first, act.last):
        rendered = renderer.render(index)
        classifier.labels = rendered.labels
        play.masker.regions = {item.object_id: rendered.labels == item.object_id for item in scene.objects}
        play.frames.append(rendered)
        play.results.append(segmenter.push(Frame(rendered.image, round(rendered.time * SECOND), "", index)))
        play.most = np.maximum(play.most, classifier.counts)
    return play


def in_sight(frame: RenderedFrame) -> set[int]:
    return set(np.unique(frame.labels).tolist()) - {0}


def painted(result: FrameResult) -> set[int]:
    return set(np.unique(result.labels).tolist()) - {0}


class TestRenderedScenes:
    """With true classes and true masks the grouping finds exactly the true objects, and ids stay."""

    def test_all_objects_move_and_have_enough_trajectories(self, play):
        """Or what follows would not show much."""
        assert len(play.scene.objects) >= 3
        for item in play.scene.objects:
            assert all(play.scene.is_moving(item.object_id, frame.time) for frame in play.frames)
            assert play.most[item.object_id] >= PromptingConfig().min_points

    def test_the_objects_that_are_shown_are_those_in_sight(self, play):
        for frame, result in play.settled:
            assert len(painted(result)) == len(in_sight(frame))
            assert {play.true_ids[i] for i in painted(result)} == in_sight(frame)

    def test_none_is_shown_twice_nor_is_anything_else_at_any_time(self, play):
        """From the first frame on."""
        for frame, result in zip(play.frames, play.results, strict=True):
            numbers = [play.true_ids[i.id] for i in result.instances]
            assert len(set(numbers)) == len(numbers)
            assert {play.true_ids[i] for i in painted(result)} <= in_sight(frame)

    def test_each_id_is_one_true_object_all_the_time(self, play):
        """By the pixels."""
        under: dict[int, set[int]] = {}
        for frame, result in zip(play.frames, play.results, strict=True):
            for object_id in painted(result):
                under.setdefault(object_id, set()).update(
                    np.unique(frame.labels[result.labels == object_id]).tolist()
                )
        assert sorted(map(tuple, under.values())) == [(item.object_id,) for item in play.scene.objects]

    def test_ids_stay(self, play):
        ids = {tuple(i.id for i in result.instances) for _, result in play.settled}
        assert len(ids) == 1
        assert len(ids.pop()) == len(play.scene.objects)

    def test_also_those_of_objects_that_are_hidden_for_some_frames(self, play):
        hidden = 0
        for frame, result in play.settled:
            for instance in result.instances:
                out_of_sight = play.true_ids[instance.id] not in in_sight(frame)
                assert (instance.state is ObjectState.OCCLUDED) == out_of_sight
                hidden += out_of_sight
        assert (hidden > 0) == play.act.hides

    def test_labels_are_the_truth(self, play):
        for frame, result in play.settled:
            for object_id in painted(result):
                true = frame.labels == play.true_ids[object_id]
                assert region_similarity(true, result.labels == object_id) > 0.99
            assert region_similarity(frame.labels > 0, result.labels > 0) > 0.99

    def test_each_object_is_prompted_on_itself_alone(self, play):
        """Every time, and again after an interval."""
        first = play.true_ids
        assert all(first[object_id] == number for object_id, _, number in play.masker.prompted)
        assert len(play.masker.prompted) > len(first)

    def test_no_object_goes(self, play):
        assert play.masker.removed == []
