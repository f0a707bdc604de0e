"""Two-view geometry of many windows at once: homographies to the newest frame, and the epipoles beside them.

A trajectory classifier is trained on some hundred thousand simulated windows, and must see there exactly what it
will see on a robot; so the geometry it is given is computed by the same few batched operations in both places.
A consensus search over a middle gap finds the majority; from there every gap is refined with the Geman-McClure
loss, which is made narrower step by step (graduated non-convexity: Yang, Antonante, Tzoumas, Carlone, RA-L 2020).
The search draws by the points' order in the image, so the answer does not depend on the order of the rows.

Coordinates are normalised: half of the image's longer side is 1, the origin is the image's centre.
"""

from __future__ import annotations

import numpy as np

#: Hypotheses that are tried for the majority's motion, and refinements of the best, from coarse to fine.
HYPOTHESES = 64
REFINEMENTS = 5
_RIDGE = 1e-7


def fit_homographies(
    start: np.ndarray, ends: np.ndarray, common: np.ndarray, reference: np.ndarray, finest: float
) -> np.ndarray:
    """Homographies of the majority of the points, from the newest frame to earlier ones.

    Args:
        start: (B, N, 2) float32, normalised positions in the newest frame.
        ends: (B, G, N, 2) float32, in G earlier frames; finite everywhere.
        common: (B, G, N) bool, visible in both.
        reference: (B,) index of the gap, 0..G - 1, over which the majority is looked for.
        finest: residual at which a point counts for a quarter in the end, normalised.

    Returns:
        (B, G, 3, 3) float32; nearly the identity where there are too few points.
    """
    monomials, moments = _moments(start, ends)
    rows = np.arange(len(start))
    searched = common[rows, reference]
    first = _consensus(start, ends[rows, reference], searched, finest)
    # Over the other gaps the same points are the majority, as far as they are visible there.
    weight = common * np.where(searched, first, 0.1)[:, None]
    depth = np.ones_like(weight)
    for scale in (finest * np.geomspace(8, 1, REFINEMENTS)).astype(np.float32):
        homography = _solve(monomials, moments, weight / depth**2)
        aligned, depth = apply_homographies(homography, start)
        error = ((ends - aligned) ** 2).sum(-1)
        weight = common * (scale**2 / (scale**2 + error)) ** 2
    return homography


def _consensus(start: np.ndarray, end: np.ndarray, common: np.ndarray, finest: float) -> np.ndarray:
    """(B, N) float32 in 0..1: how well the points (B, N, 2) fit the homography that most of them fit."""
    b, n, _ = start.shape
    # The hidden ones last, the others from left to right: ranks that do not depend on the order of the rows.
    rank = np.argsort(np.where(common, start[..., 0] + 1e-3 * start[..., 1], np.inf), axis=1, kind="stable")
    number = common.sum(1)
    draws = np.random.default_rng(0).random((HYPOTHESES, 4))
    quarters = (draws + np.arange(4)) / 4  # one from each quarter of the image: far apart, never the same
    picks = np.take_along_axis(
        rank, (quarters.reshape(-1) * np.maximum(number, 1)[:, None]).astype(np.int64).clip(0, n - 1), axis=1
    )
    rows = np.arange(b)[:, None]
    four = (b, HYPOTHESES, 4)
    p, q = start[rows, picks].reshape(*four, 2), end[rows, picks].reshape(*four, 2)
    hypotheses = _through_four(p, q)
    aligned, _ = apply_homographies(hypotheses, start)
    scale = np.float32(1.5 * finest) ** 2
    fit = scale / (scale + ((end[:, None] - aligned) ** 2).sum(-1)) * common[:, None]
    best = (fit * fit).sum(-1).argmax(1)
    return fit[np.arange(b), best] ** 2


def _through_four(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """(B, S, 3, 3) float32: homographies through four point pairs (B, S, 4, 2) each."""
    x, y, u, v = p[..., 0], p[..., 1], q[..., 0], q[..., 1]
    one, zero = np.ones_like(x), np.zeros_like(x)
    first = np.stack([x, y, one, zero, zero, zero, -u * x, -u * y], -1)
    second = np.stack([zero, zero, zero, x, y, one, -v * x, -v * y], -1)
    matrix = np.concatenate([first, second], -2).astype(np.float64)
    # A ridge for collinear and repeated points; what comes of them fits few others and is never the best.
    matrix += 1e-9 * np.eye(8)
    solution = np.linalg.solve(matrix, np.concatenate([u, v], -1)[..., None].astype(np.float64))[..., 0]
    solution = np.clip(np.nan_to_num(solution), -1e3, 1e3)
    last = np.ones((*solution.shape[:-1], 1))
    return np.concatenate([solution, last], -1).reshape(*solution.shape[:-1], 3, 3).astype(np.float32)


def apply_homographies(homography: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (B, N, 2) through homographies (B, G, 3, 3): (B, G, N, 2), and their homogeneous scale (B, G, N)."""
    h = homography[..., None, :, :]
    x, y = points[:, None, :, 0], points[:, None, :, 1]
    depth = h[..., 2, 0] * x + h[..., 2, 1] * y + h[..., 2, 2]
    depth = np.where(np.abs(depth) < 0.05, 0.05, depth)
    u = (h[..., 0, 0] * x + h[..., 0, 1] * y + h[..., 0, 2]) / depth
    v = (h[..., 1, 0] * x + h[..., 1, 1] * y + h[..., 1, 2]) / depth
    return np.stack([u, v], -1), depth


def _moments(start: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the normal equations sum up per point: (B, 1, 6, N) of the start, (B, G, 3, N) of the ends."""
    x, y = start[..., 0], start[..., 1]
    monomials = np.stack([x * x, x * y, x, y * y, y, np.ones_like(x)], 1)[:, None]
    u, v = ends[..., 0], ends[..., 1]
    return monomials, np.stack([u, v, u * u + v * v], 2)


_SYMMETRIC = np.array([[0, 1, 2], [1, 3, 4], [2, 4, 5]])


def _solve(monomials: np.ndarray, moments: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted algebraic least squares for homographies with last element 1; weights (B, G, N)."""
    plain = (weight[:, :, None] * monomials).sum(-1)
    mixed = (weight[:, :, None] * moments) @ np.swapaxes(monomials, -1, -2)  # (B, G, 3, 6)
    a = plain[..., _SYMMETRIC].astype(np.float64)
    bu, bv, c = (mixed[:, :, k][..., _SYMMETRIC].astype(np.float64) for k in range(3))
    normal = np.zeros((*weight.shape[:2], 8, 8))
    normal[..., :3, :3] = normal[..., 3:6, 3:6] = a
    normal[..., :3, 6:], normal[..., 3:6, 6:] = -bu[..., :2], -bv[..., :2]
    normal[..., 6:, :3], normal[..., 6:, 3:6] = -bu[..., :2, :], -bv[..., :2, :]
    normal[..., 6:, 6:] = c[..., :2, :2]
    right = np.concatenate([bu[..., 2], bv[..., 2], -c[..., :2, 2]], -1)
    # Where points are few or degenerate, the nearest thing to the identity is as good as any.
    ridge = _RIDGE * np.maximum(a[..., 2, 2], 1e-3)[..., None, None] * np.eye(8)
    identity = np.array([1.0, 0, 0, 0, 1, 0, 0, 0])
    solution = np.linalg.solve(normal + ridge, (right + (ridge @ identity))[..., None])[..., 0]
    last = np.ones((*solution.shape[:-1], 1))
    return np.concatenate([solution, last], -1).reshape(*solution.shape[:-1], 3, 3).astype(np.float32)


def fit_epipoles(aligned: np.ndarray, residual: np.ndarray, common: np.ndarray, finest: float) -> np.ndarray:
    """Where the residuals beside homographies point to: for what is at rest, the epipole (plane plus parallax).

    Args:
        aligned: (B, G, N, 2) normalised positions that the homographies give.
        residual: (B, G, N, 2) normalised, true less aligned position.
        common: (B, G, N) bool.
        finest: distance from the epipolar line at which a point counts for a quarter in the end.

    Returns:
        (B, G, 3) float32 unit vectors, homogeneous (at infinity where the camera moves sideways).
    """
    # The line through the aligned position along the residual; its length grows with the residual, so what
    # does not move beside the homography has no say.
    x, y = aligned[..., 0], aligned[..., 1]
    p, q = residual[..., 0], residual[..., 1]
    lines = np.stack([-q, p, x * q - y * p], -1)
    weight = common.astype(np.float32)
    epipole = None
    for scale in np.geomspace(30 * finest, finest, 6).astype(np.float32):
        gram = np.swapaxes(lines * weight[..., None], -1, -2) @ lines
        gram = gram.astype(np.float64) + 1e-12 * np.eye(3)
        epipole = np.linalg.eigh(gram)[1][..., 0].astype(np.float32)
        across, _ = split_along(epipole, aligned, residual)
        weight = common * (scale**2 / (scale**2 + across**2)) ** 2
    return epipole


def split_along(
    epipole: np.ndarray, aligned: np.ndarray, residual: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Residuals (B, G, N, 2) across and along the directions to epipoles (B, G, 3): two (B, G, N), normalised."""
    e = epipole[..., None, :]
    direction = e[..., :2] - e[..., 2:] * aligned
    length = np.maximum(np.linalg.norm(direction, axis=-1), 1e-9)
    dx, dy = direction[..., 0] / length, direction[..., 1] / length
    across = residual[..., 0] * dy - residual[..., 1] * dx
    along = residual[..., 0] * dx + residual[..., 1] * dy
    return across, along
