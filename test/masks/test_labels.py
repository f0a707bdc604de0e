from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.masks.labels import carry, drop_fragments, free_regions, regions_of


def picture(text: str) -> np.ndarray:
    """Digits are ids, dots are 0; rows are divided by spaces."""
    return np.array([[0 if c == "." else int(c) for c in row] for row in text.split()], np.int32)


class TestCarry:
    def test_zero_flow_keeps_the_labels(self):
        labels = np.random.default_rng(0).integers(0, 5, (20, 30)).astype(np.int32)
        np.testing.assert_array_equal(carry(labels, np.zeros((20, 30, 2), np.float32)), labels)

    @pytest.mark.parametrize("step", [(3, 0), (-2, 4), (0, -5)])
    def test_flow_points_from_the_newest_frame_to_the_one_before(self, step):
        labels = np.zeros((40, 40), np.int32)
        labels[15:25, 12:22] = 65534
        x, y = step
        flow = np.broadcast_to(np.float32([-x, -y]), (40, 40, 2)).copy()
        expected = np.zeros_like(labels)
        expected[15 + y : 25 + y, 12 + x : 22 + x] = 65534
        found = carry(labels, flow)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.int32

    def test_what_comes_from_outside_is_background(self):
        found = carry(np.ones((10, 10), np.int32), np.full((10, 10, 2), 6.0, np.float32))
        assert found[:4, :4].all()
        assert not found[5:, :].any()
        assert not found[:, 5:].any()

    def test_ids_are_never_mixed(self):
        labels = np.random.default_rng(1).choice([0, 3, 900], (20, 20)).astype(np.int32)
        flow = np.random.default_rng(2).uniform(-2, 2, (20, 20, 2)).astype(np.float32)
        assert set(np.unique(carry(labels, flow))) <= {0, 3, 900}


@pytest.mark.parametrize(
    ("foreground", "seeds", "expected"),
    [
        ("11.11 11.11", "..... .....", "11.22 11.22"),
        ("11.11 11.11", "3.... .....", "...22 ...22"),
        ("11.11 11.11", "..3.. .....", "11.22 11.22"),  # off the foreground
        ("..... .....", "3.... .....", "..... ....."),
    ],
)
def test_free_regions(foreground, seeds, expected):
    found = free_regions(picture(foreground) > 0, picture(seeds))
    np.testing.assert_array_equal(found, picture(expected))


class TestRegionsOf:
    @pytest.mark.parametrize(
        ("foreground", "seeds", "expected", "contested"),
        [
            # a seed takes its whole region and no other
            ("111.11 111.11", "7..... ......", "777... 777...", "...... ......"),
            # regions that touch at a corner are one
            ("11.. ..11", "4... ....", "44.. ..44", ".... ...."),
            # seeds off the foreground do not count
            ("111... 111...", ".....5 ......", "...... ......", "...... ......"),
            # several seeds of one object are no contest
            ("1111 1111", "2... ...2", "2222 2222", ".... ...."),
            # two objects in a region contest all of it
            ("111111 111111", "2....9 2....9", "...... ......", "111111 111111"),
            # no seeds, no objects
            ("1111 1111", ".... ....", ".... ....", ".... ...."),
            # no foreground, no objects
            ("....", "3.4.", "....", "...."),
            # two regions, two seeds
            ("11..11 11..11", "2...9. ......", "22..99 22..99", "...... ......"),
            # one region contested, the other not
            ("11.11 11.11", "29.3. .....", "...33 ...33", "11... 11..."),
        ],
    )
    def test_examples(self, foreground, seeds, expected, contested):
        found, several = regions_of(picture(foreground) > 0, picture(seeds))
        np.testing.assert_array_equal(found, picture(expected))
        np.testing.assert_array_equal(several, picture(contested) > 0)
        assert (found.dtype, several.dtype) == (np.int32, bool)

    def test_random_regions_are_one_objects_or_contested_or_nobodys(self):
        import cv2

        rng = np.random.default_rng(0)
        foreground = cv2.GaussianBlur(rng.normal(0, 1, (80, 100)).astype(np.float32), (0, 0), 3) > 0.05
        seeds = np.where(rng.random((80, 100)) < 0.003, rng.integers(1, 6, (80, 100)), 0).astype(np.int32)
        found, several = regions_of(foreground, seeds)
        count, region = cv2.connectedComponents(foreground.astype(np.uint8), connectivity=8)
        kinds = set()
        assert not found[~foreground].any()
        assert not several[~foreground].any()
        for number in range(1, count):
            inside = region == number
            ids = set(np.unique(seeds[inside])) - {0}
            kinds.add(min(len(ids), 2))
            assert set(np.unique(found[inside])) == (ids if len(ids) == 1 else {0})
            assert several[inside].all() == several[inside].any() == (len(ids) > 1)
        assert kinds == {0, 1, 2}

    def test_does_not_change_its_input(self):
        seeds = picture("2..9. .....")
        before = seeds.copy()
        regions_of(picture("11... 11...") > 0, seeds)
        np.testing.assert_array_equal(seeds, before)


class TestDropFragments:
    def test_drops_by_area_and_by_share(self):
        labels = np.zeros((60, 60), np.int32)
        labels[0:30, 0:30] = 1  # 900 px
        labels[40:48, 0:8] = 1  # 64 px: under a tenth of the largest piece
        labels[40:52, 20:32] = 1  # 144 px
        labels[0:3, 50:53] = 2  # 9 px: all there is of object 2
        kept = drop_fragments(labels, min_area=20)
        expected = labels.copy()
        expected[40:48, 0:8] = 0
        expected[0:3, 50:53] = 0
        np.testing.assert_array_equal(kept, expected)

    def test_pieces_of_other_objects_do_not_join(self):
        """Two ids side by side: each is measured on its own."""
        labels = np.zeros((20, 20), np.int32)
        labels[:, :10] = 1
        labels[0:2, 10:12] = 2
        kept = drop_fragments(labels, min_area=5)
        assert (kept[:, :10] == 1).all()
        assert not (kept == 2).any()

    @pytest.mark.parametrize("share", [0.0, 0.5])
    def test_the_share_is_a_choice(self, share):
        labels = np.zeros((20, 20), np.int32)
        labels[:10, :10] = 3
        labels[15:20, 15:20] = 3  # a quarter of the large piece
        assert drop_fragments(labels, 0, share)[17, 17] == (3 if share == 0 else 0)

    def test_nothing_to_drop(self):
        assert not drop_fragments(np.zeros((5, 5), np.int32), 3).any()
        np.testing.assert_array_equal(drop_fragments(np.full((5, 5), 9, np.int32), 25), np.full((5, 5), 9))
        assert not drop_fragments(np.full((5, 5), 9, np.int32), 26).any()
