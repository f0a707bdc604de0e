"""Which frames of an object are remembered and attended to."""

from __future__ import annotations

import pytest

from motionseg_ros.masks.sam2.memory import Memory, MemoryBank, MemoryPolicy, select_reliable

RECENT = MemoryPolicy(selective=False)
RELIABLE = MemoryPolicy()


def memory(frame: int, iou: float = 0.9, occlusion: float = 3.0) -> Memory:
    return Memory(frame, f"features {frame}", f"pointer {frame}", iou, occlusion)


def bank_of(
    policy: MemoryPolicy, frames: range, prompted: tuple[int, ...] = (0,), **scores: dict[int, float]
):
    bank = MemoryBank(policy)
    for frame in frames:
        given = {name: values[frame] for name, values in scores.items() if frame in values}
        bank.add(memory(frame, **given), prompted=frame in prompted)
    return bank


def frames_of(recalled: dict[int, Memory]) -> list[int]:
    """What takes the places of the frames before, the newest place first."""
    return [recalled[place].frame for place in sorted(recalled, reverse=True)]


class TestRecent:
    def test_masks_of_six_frames_and_pointers_of_fifteen(self):
        recalled = bank_of(RECENT, range(40)).recall(40)
        assert sorted(recalled) == list(range(25, 40))
        assert all(memory.frame == frame for frame, memory in recalled.items())
        assert [f for f, m in sorted(recalled.items()) if m.features] == list(range(34, 40))
        assert all(m.pointer for m in recalled.values())

    def test_bad_frames_are_taken_as_well(self):
        recalled = bank_of(RECENT, range(10), iou={9: 0.0}, occlusion={8: -9.0}).recall(10)
        assert {8, 9} <= set(recalled)

    def test_the_frame_itself_is_not_attended_to(self):
        bank = bank_of(RECENT, range(8))
        assert 7 not in bank.recall(7)
        assert 7 in bank.recall(8)


class TestPrompted:
    def test_the_first_and_the_newest_are_kept(self):
        bank = bank_of(RECENT, range(60), prompted=(0, 10, 20, 30, 40, 50))
        assert sorted(bank.prompted) == [0, 30, 40, 50]

    def test_one_only_is_the_newest(self):
        bank = bank_of(MemoryPolicy(prompted=1), range(30), prompted=(0, 10, 20))
        assert sorted(bank.prompted) == [20]

    def test_a_frame_is_either_prompted_or_not(self):
        bank = MemoryBank(RECENT)
        bank.add(memory(3))
        bank.add(memory(3), prompted=True)
        assert (len(bank), list(bank.prompted), bank.recall(4)) == (1, [3], {})
        bank.add(memory(3))
        assert (len(bank), list(bank.prompted), list(bank.recall(4))) == (1, [], [3])

    def test_their_masks_never_fade(self):
        bank = bank_of(RECENT, range(100))
        assert bank.prompted[0].features


@pytest.mark.parametrize("policy", [RECENT, RELIABLE, MemoryPolicy(span=50, prompted=2)])
def test_bounded(policy):
    bank = bank_of(policy, range(300), prompted=tuple(range(0, 300, 7)))
    assert len(bank) <= policy.prompted + policy.reach
    assert len(bank.memories) == len(bank)


class TestReliable:
    """MoSAM, section 3.3.1 and section 4.7."""

    def test_the_newest_reliable_frames_take_the_last_places(self):
        bad = {20: 0.5, 22: 0.5, 23: 0.5}
        recalled = bank_of(RELIABLE, range(24), iou=bad).recall(24)
        assert sorted(recalled, reverse=True)[:6] == [23, 22, 21, 20, 19, 18]
        assert frames_of(recalled)[:6] == [21, 19, 18, 17, 16, 15]

    @pytest.mark.parametrize(("iou", "reliable"), [(0.7, False), (0.71, True)])
    def test_iou_must_be_above_its_threshold(self, iou, reliable):
        chosen = select_reliable([memory(f) for f in range(9)] + [memory(9, iou)], RELIABLE)
        assert (chosen[0].frame == 9) == reliable

    @pytest.mark.parametrize(("occlusion", "reliable"), [(0.0, False), (0.1, True)])
    def test_and_the_occlusion_score_above_its(self, occlusion, reliable):
        chosen = select_reliable([memory(f) for f in range(9)] + [memory(9, occlusion=occlusion)], RELIABLE)
        assert (chosen[0].frame == 9) == reliable

    def test_the_rest_is_filled_with_the_best_of_the_others(self):
        candidates = [
            memory(0, 0.65, 1.0),
            memory(1, 0.59, 9.0),  # below the secondary threshold, however well in sight
            memory(2, 0.69, -5.0),
            memory(3, 0.6, 2.0),
            memory(4),
            memory(5, 0.62, -8.0),
        ]
        chosen = select_reliable(candidates, MemoryPolicy(slots=3))
        assert [m.frame for m in chosen] == [4, 3, 0]
        chosen = select_reliable(candidates, MemoryPolicy(slots=6))
        assert [m.frame for m in chosen] == [5, 4, 3, 2, 0]

    def test_the_newer_of_equals_is_taken(self):
        candidates = [memory(f, 0.65, 1.0) for f in range(10)]
        assert [m.frame for m in select_reliable(candidates, MemoryPolicy(slots=2))] == [9, 8]

    def test_none_when_all_are_bad(self):
        assert select_reliable([memory(f, 0.2, -3.0) for f in range(10)], RELIABLE) == []

    def test_an_occluded_object_keeps_what_it_looked_like(self):
        hidden = dict.fromkeys(range(12, 24), -6.0)
        recalled = bank_of(RELIABLE, range(24), occlusion=hidden, iou=dict.fromkeys(hidden, 0.1)).recall(24)
        assert frames_of(recalled)[:6] == [11, 10, 9, 8, 7, 6]

    def test_at_regular_intervals(self):
        chosen = select_reliable([memory(f) for f in range(20)], MemoryPolicy(interval=3))
        assert [m.frame for m in chosen[:6]] == [19, 16, 13, 10, 7, 4]

    def test_older_reliable_frames_give_their_pointers(self):
        chosen = select_reliable([memory(f) for f in range(24)], RELIABLE)
        assert [m.frame for m in chosen] == list(range(23, 8, -1))

    def test_nothing_older_than_the_span(self):
        bank = bank_of(MemoryPolicy(span=8), range(1, 100), prompted=())
        assert frames_of(bank.recall(100)) == list(range(99, 91, -1))
