from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.core.background import BackgroundMotion
from motionseg_ros.core.evidence import MotionEvidence


def fields() -> dict[str, object]:
    return {
        "positions": np.zeros((4, 2), np.float32),
        "moving": np.zeros(4, np.float32),
        "known": np.zeros(4, bool),
        "owners": np.zeros(4, np.int64),
        "background": BackgroundMotion({}, {}, 0.3),
    }


def test_no_object_rests_unless_said():
    assert MotionEvidence(**fields()).still == frozenset()


def test_looks_are_not_shared_by_accident():
    assert MotionEvidence(**fields()).colours is not MotionEvidence(**fields()).colours


@pytest.mark.parametrize("name", ["moving", "known", "owners"])
@pytest.mark.parametrize("shape", [(3,), (4, 1)])
def test_refuses_another_number_of_trajectories(name, shape):
    with pytest.raises(ValueError, match=rf"{name} must be \(4,\), but got"):
        MotionEvidence(**{**fields(), name: np.zeros(shape)})
