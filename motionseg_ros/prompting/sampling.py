"""Query points on an object and off it, from its mask (SAM-PT, section 3.2, step 1, and figure 3).

- ``random``: pixels of the mask, all alike.
- ``k_medoids``: the cluster centres of K-medoids clustering of the mask's pixels. They cover the object
  evenly, and unlike means they are pixels of it, on a ring as well.
- ``shi_tomasi``: corners of the image under the mask, good features to track; where there are too few of
  them, K-medoids of the mask's other pixels make up the number.
- ``mixed``: "a hybrid method combining the above". The paper gives no shares but that a single point is a
  random one: we give each method a third, what is left over first to random, then to K-medoids. Missing
  corners become random.

No pixel is drawn twice.
"""

from __future__ import annotations

from typing import Literal, get_args

import cv2
import numpy as np
from scipy.spatial.distance import cdist

SamplingMethod = Literal["random", "k_medoids", "shi_tomasi", "mixed"]

# Per object, as in the paper's best configurations (section 4.3, table 2 and figure 6).
POSITIVE_POINTS = 8
NEGATIVE_POINTS = 1
NEGATIVE_POINTS_WITH_REINITIALISATION = 72

# K-medoids looks at that many pixels: the cover is within 3 % of that from 1,000, in a quarter of the time.
CLUSTERED_PIXELS = 500
# From the mask's border, px: as far as a corner's response (2) and Lucas-Kanade's window (3) reach. A corner
# of the outline is half background.
CORNER_MARGIN = 3
# Least corner response, as a share of the strongest under the mask.
CORNER_QUALITY = 0.01
# Least distance between corners, as a share of the spacing of an even cover: not all of them in one place.
CORNER_SPACING = 0.5


def sample_points(
    mask: np.ndarray,
    count: int = POSITIVE_POINTS,
    method: SamplingMethod = "k_medoids",
    image: np.ndarray | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Points inside a mask, the same for the same seed (SAM-PT, section 3.2).

    Args:
        mask: (H, W) bool.
        count: how many points.
        method: see the module's text.
        image: (H, W, 3) uint8, BGR; needed by "shi_tomasi" and "mixed".
        seed: of the random numbers.

    Returns:
        (K, 2) float32 x, y in px of the image, pixel centres at integers. K is `count`, or the number of the
        mask's pixels where that is less.

    Raises:
        ValueError: a wrong shape, a negative count, an unknown method, or no image where one is needed.
        TypeError: a wrong dtype.
    """
    _check(mask, count, method, image)
    rng = np.random.default_rng(seed)
    free = mask.copy()
    found = np.zeros(0, np.int64)  # indices into mask.ravel(), as everywhere below
    for draw, total in _plan(method, min(count, int(np.count_nonzero(mask)))):
        if total > len(found):
            new = draw(free, total - len(found), image, rng)
            free.flat[new] = False
            found = np.concatenate([found, new])
    return _positions(found, mask.shape[1]).astype(np.float32)


def sample_negatives(mask: np.ndarray, count: int, image: np.ndarray, seed: int = 0) -> np.ndarray:
    """Points off an object: mixed sampling of its background, a single point at random (SAM-PT, figure 3).

    `mask` is the object's. The paper takes `count` = ``NEGATIVE_POINTS``, and where points are sampled anew
    from time to time ``NEGATIVE_POINTS_WITH_REINITIALISATION``. Everything else as for `sample_points`.
    """
    _check(mask, count, "mixed", image)
    return sample_points(~mask, count, "mixed", image, seed)


def _check(mask: np.ndarray, count: int, method: str, image: np.ndarray | None) -> None:
    if mask.ndim != 2:
        raise ValueError(f"mask must be (H, W), but got {mask.shape}")
    if mask.dtype != np.bool_:
        raise TypeError(f"mask must be bool, but got {mask.dtype.name}")
    if count < 0:
        raise ValueError(f"count must not be negative, but got {count}")
    if method not in get_args(SamplingMethod):
        raise ValueError(f"method must be one of {', '.join(get_args(SamplingMethod))}, but got {method!r}")
    if image is None:
        if method in ("shi_tomasi", "mixed"):
            raise ValueError(f'image must be (H, W, 3) for the method "{method}", but got None')
        return
    if image.shape != (*mask.shape, 3):
        raise ValueError(f"image must be (H, W, 3) = {(*mask.shape, 3)} as the mask, but got {image.shape}")
    if image.dtype != np.uint8:
        raise TypeError(f"image must be uint8, but got {image.dtype.name}")


def _plan(method: str, count: int) -> list[tuple]:
    """Who draws, and up to how many points in all; the last one never falls short."""
    medoids, corners = (count + 1) // 3, count // 3
    return {
        "random": [(_random, count)],
        "k_medoids": [(_medoids, count)],
        "shi_tomasi": [(_corners, count), (_medoids, count)],
        "mixed": [(_medoids, medoids), (_corners, medoids + corners), (_random, count)],
    }[method]


def _positions(indices: np.ndarray, width: int) -> np.ndarray:
    return np.stack([indices % width, indices // width], axis=1) if width else np.zeros((0, 2), np.int64)


def _random(free: np.ndarray, count: int, _: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    return rng.choice(np.flatnonzero(free), count, replace=False)


def _medoids(free: np.ndarray, count: int, _: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    """K-medoids of `CLUSTERED_PIXELS` random pixels (every n-th one may fall into a few columns).

    Park and Jun's alternation (2009). They start from the most central objects, which leaves all medoids in
    the largest of several parts; we start from those that lower the sum of distances most, one by one.
    """
    pixels = np.flatnonzero(free)
    if len(pixels) > CLUSTERED_PIXELS:
        pixels = rng.choice(pixels, max(CLUSTERED_PIXELS, count), replace=False)
    if count >= len(pixels):
        return pixels
    positions = _positions(pixels, free.shape[1])
    distance = cdist(positions, positions)

    nearest = np.full(len(pixels), np.inf)
    medoids = np.zeros(count, np.int64)
    for k in range(count):
        medoids[k] = np.minimum(distance, nearest).sum(axis=1).argmin()
        nearest = np.minimum(nearest, distance[medoids[k]])

    cost = np.inf
    while (lower := distance[medoids].min(axis=0).sum()) < cost:
        best, cost = medoids.copy(), lower
        cluster = distance[medoids].argmin(axis=0)
        for k in range(count):
            members = np.flatnonzero(cluster == k)
            medoids[k] = members[distance[np.ix_(members, members)].sum(axis=1).argmin()]
    return pixels[best]


def _corners(free: np.ndarray, count: int, image: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """At most `count` corners, the strongest first.

    Away from the mask's border, and so from pixels drawn before, unless the mask is all border.
    """
    mask = free.astype(np.uint8)
    inner = cv2.erode(mask, np.ones((2 * CORNER_MARGIN + 1,) * 2, np.uint8))
    mask = inner if inner.any() else mask
    # Only the mask's surroundings, as far as they count in a corner's response.
    x, y, w, h = cv2.boundingRect(mask)
    x0, y0 = max(0, x - CORNER_MARGIN), max(0, y - CORNER_MARGIN)
    part = np.s_[y0 : y + h + CORNER_MARGIN, x0 : x + w + CORNER_MARGIN]
    spacing = CORNER_SPACING * np.sqrt(np.count_nonzero(free) / count)
    gray = cv2.cvtColor(image[part], cv2.COLOR_BGR2GRAY)
    found = cv2.goodFeaturesToTrack(gray, count, CORNER_QUALITY, max(1.0, spacing), mask=mask[part])
    if found is None:
        return np.zeros(0, np.int64)
    x, y = found.reshape(-1, 2).astype(np.int64).T
    return (y + y0) * free.shape[1] + (x + x0)
