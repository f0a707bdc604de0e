from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.masks.labels import carry, claim, drop_fragments


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


class TestClaim:
    @pytest.mark.parametrize(
        ("foreground", "seeds", "expected"),
        [
            # a seed takes its whole region and no other
            ("111.11 111.11", "7..... ......", "777... 777..."),
            # regions that touch at a corner are one
            ("11.. ..11", "4... ....", "44.. ..44"),
            # seeds off the foreground do not count
            ("111... 111...", ".....5 ......", "...... ......"),
            # two seeds share a region by nearness
            ("111111 111111", "2....9 2....9", "222999 222999"),
            # no seeds, no objects
            ("1111 1111", ".... ....", ".... ...."),
            # no foreground, no objects
            ("....", "3.4.", "...."),
            # two regions, two seeds
            ("11..11 11..11", "2...9. ......", "22..99 22..99"),
            # the nearest seed of all lies in the next region: only seeds in the own region count
            ("11111.1 11111.1", "3.....8 3.....8", "33333.8 33333.8"),
        ],
    )
    def test_examples(self, foreground, seeds, expected):
        found = claim(picture(foreground) > 0, picture(seeds))
        np.testing.assert_array_equal(found, picture(expected))
        assert found.dtype == np.int32

    def test_a_thousand_random_pixels_each_take_an_id_of_their_own_region(self):
        import cv2

        rng = np.random.default_rng(0)
        foreground = cv2.GaussianBlur(rng.normal(0, 1, (80, 100)).astype(np.float32), (0, 0), 3) > 0.01
        seeds = np.where(rng.random((80, 100)) < 0.004, rng.integers(1, 6, (80, 100)), 0).astype(np.int32)
        found = claim(foreground, seeds)
        count, region = cv2.connectedComponents(foreground.astype(np.uint8), connectivity=8)
        assert count > 5
        assert not found[~foreground].any()
        for number in range(1, count):
            inside = region == number
            ids = set(np.unique(seeds[inside])) - {0}
            assert set(np.unique(found[inside])) == (ids or {0})

    def test_does_not_change_its_input(self):
        seeds = picture("2..9. .....")
        before = seeds.copy()
        claim(picture("11... 11...") > 0, seeds)
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
