from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.core.company import LEAST_TIMES, Company

PAIR = (3, 8)
OWNERS = np.array([3, 3, 3, 8, 8, 0])


def differ(one: np.ndarray, other: np.ndarray) -> bool:
    """By more than a third of the faster one."""
    speed = max(np.linalg.norm(one), np.linalg.norm(other))
    return bool(np.linalg.norm(one - other) > 0.3 * speed)


def walk(company: Company, body: float, swing: float, limb: float, times: int = 3 * LEAST_TIMES) -> None:
    """Object 3 goes by `body` px per frame; 8 by `limb`, swinging by `swing` around that."""
    for time in range(times):
        motions = np.zeros((6, 2, 2))
        motions[OWNERS == 3, :, 0] = body
        motions[OWNERS == 8, :, 0] = limb + swing * (-1) ** time
        company.note([PAIR], OWNERS, motions)


def test_a_limb_goes_where_the_body_goes():
    company = Company()
    walk(company, body=4.0, swing=6.0, limb=4.0)
    assert company.together(differ) == {PAIR}


@pytest.mark.parametrize("limb", [-4.0, 0.0, 1.5, 9.0])
def test_what_goes_elsewhere_does_not(limb):
    company = Company()
    walk(company, body=4.0, swing=6.0, limb=limb)
    assert company.together(differ) == set()


def test_a_few_classifications_tell_nothing():
    company = Company()
    walk(company, 4.0, 0.0, 4.0, LEAST_TIMES - 1)
    assert company.together(differ) == set()
    walk(company, 4.0, 0.0, 4.0, 1)
    assert company.together(differ) == {PAIR}


def test_pairs_that_part_are_forgotten():
    company = Company()
    walk(company, 4.0, 0.0, 4.0)
    company.note([], OWNERS, np.zeros((6, 2, 2)))
    assert company.together(differ) == set()
    walk(company, 4.0, 0.0, 4.0, 1)
    assert company.together(differ) == set()


def test_what_is_unknown_does_not_count():
    """No trajectories on one of them, or none over any gap; the longest known gap is taken."""
    company = Company()
    motions = np.full((6, 2, 2), np.nan)
    for _ in range(LEAST_TIMES):
        company.note([PAIR], np.zeros(6, int), np.ones((6, 2, 2)))
        company.note([PAIR], OWNERS, motions)
    assert company.together(lambda one, other: False) == set()
    motions[:, 0] = 2.0
    seen = []
    for _ in range(LEAST_TIMES):
        company.note([PAIR], OWNERS, motions)
    company.together(lambda one, other: bool(seen.append((one, other))))
    np.testing.assert_allclose(seen[0], 2.0)


def test_clear_forgets_all():
    company = Company()
    walk(company, 4.0, 0.0, 4.0)
    company.clear()
    assert company.together(differ) == set()
