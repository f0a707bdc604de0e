"""Which points the mask model is asked with, call by call (SAM-PT, section 3.2, step 3, and figure 4).

The first call has the positive points alone and finds the object. The second has the negative points as well
and takes away what is not of it; it is repeated to refine the mask. From the second call on the model is also
given the mask of its call before, which is the business of whoever makes the calls.
"""

from __future__ import annotations

import numpy as np

from ..core.types import Prompts

# Table 2c. The paper takes 3 with HQ-SAM, and none on MOSE, where refinement does harm (section 4.2).
REFINEMENTS = 12


def point_prompts(
    positions: np.ndarray, visible: np.ndarray, labels: np.ndarray, refinements: int = REFINEMENTS
) -> list[Prompts]:
    """The prompts of one object in one frame, in the order of the calls.

    Occluded points are left out. One call with the visible positive points, one with all visible points,
    `refinements` repetitions of that. Without a visible negative point the second call would be the first one
    again, so it counts as a repetition: `refinements` calls follow the first, none if that is 0.

    Args:
        positions: (K, 2) float32, px; meaningless where not visible.
        visible: (K,) bool.
        labels: (K,) int8, 1 on the object, 0 off it.
        refinements: repetitions of the second call.

    Returns:
        the prompts; none at all when no positive point is visible: the object is not asked for in this frame.

    Raises:
        ValueError: a wrong shape, another label than 0 and 1, negative refinements.
        TypeError: a wrong dtype.
    """
    _check(positions, visible, labels)
    if refinements < 0:
        raise ValueError(f"refinements must not be negative, but got {refinements}")
    positive = visible & (labels == 1)
    if not positive.any():
        return []
    first = Prompts(positions[positive], labels[positive])
    if np.array_equal(positive, visible):
        return [first] * (1 + refinements)
    return [first] + [Prompts(positions[visible], labels[visible])] * (1 + refinements)


def _check(positions: np.ndarray, visible: np.ndarray, labels: np.ndarray) -> None:
    if positions.ndim != 2 or positions.shape[1] != 2:
        raise ValueError(f"positions must be (K, 2), but got {positions.shape}")
    for name, array in (("visible", visible), ("labels", labels)):
        if array.shape != positions.shape[:1]:
            raise ValueError(f"{name} must be ({len(positions)},) as the positions, but got {array.shape}")
    for name, array, dtype in (
        ("positions", positions, np.float32),
        ("visible", visible, np.bool_),
        ("labels", labels, np.int8),
    ):
        if array.dtype != dtype:
            raise TypeError(f"{name} must be {np.dtype(dtype).name}, but got {array.dtype.name}")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"labels must be 0 or 1, but got {sorted(set(labels.tolist()))}")
