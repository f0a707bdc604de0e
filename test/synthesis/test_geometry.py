from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.synthesis import props
from motionseg_ros.synthesis.geometry import Body, Facet, box, disc, merge, prism, rectangle
from motionseg_ros.synthesis.material import Material
from motionseg_ros.synthesis.motion import Still
from motionseg_ros.synthesis.poses import pose

PLAIN = Material("plaster")


def assert_closed(body: Body):
    """Facets face outwards and close the body: their area vectors add up to nothing."""
    middle = body.bounds.mean(axis=0)
    for facet in body.facets:
        assert facet.normal @ (facet.corners.mean(axis=0) - middle) > 0
        offset = facet.corners - facet.corners[0]
        np.testing.assert_allclose(offset @ facet.normal, 0, atol=1e-12)
    np.testing.assert_allclose(sum(facet.area * facet.normal for facet in body.facets), 0, atol=1e-9)


@pytest.mark.parametrize(
    "body",
    [
        box((1.0, 2.0, 3.0), (0.5, 0, 1), PLAIN),
        prism([[0, 0], [2, 0], [1.5, 1], [0, 1]], 0.8, PLAIN, PLAIN),
        prism([[0, 0], [0, 1], [1.5, 1], [2, 0]], 0.8, PLAIN, PLAIN),
        prism(disc(0.5, 9), 0.4, PLAIN, PLAIN),
        props.column(0.3, 2.0, PLAIN),
    ],
)
def test_bodies_are_closed(body):
    assert_closed(body)
    assert_closed(body.moved(pose((1, 2, 3), 0.4, 0.2, -0.7)))


def test_box_has_its_size():
    np.testing.assert_allclose(box((1, 2, 4), (1, 0, 2), PLAIN).bounds, [[0.5, -1, 0], [1.5, 1, 4]])


def test_box_leaves_out_and_overrides_sides():
    other = Material("bricks")
    body = box((1, 1, 1), (0, 0, 0), PLAIN, bottom=None, top=other)
    assert len(body.facets) == 5
    assert [facet.material for facet in body.facets].count(other) == 1
    with pytest.raises(ValueError, match="unknown sides"):
        box((1, 1, 1), (0, 0, 0), PLAIN, lid=other)


def test_prints_stretch_to_the_facet():
    body = box((1, 2, 3), (0, 0, 0), Material("crate", tiled=False))
    assert {facet.material.extent for facet in body.facets} == {(2.0, 3.0), (1.0, 3.0), (2.0, 1.0)}


@pytest.mark.parametrize("normal", [(1, 0, 0), (0, -1, 0), (0, 0, 1), (1, 1, 0)])
def test_rectangle_faces_its_normal(normal):
    facet = rectangle((1, 2, 3), normal, (2.0, 1.0), PLAIN)
    np.testing.assert_allclose(facet.normal, np.array(normal) / np.linalg.norm(normal), atol=1e-12)
    np.testing.assert_allclose(facet.corners.mean(axis=0), (1, 2, 3))
    assert facet.area == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("polygon", "message"),
    [
        ([[0, 0], [1, 0]], "polygon must be"),
        ([[0, 0], [2, 0], [0.5, 0.5], [0, 2]], "convex"),
        ([[0, 0], [0, 0], [1, 1]], "equal neighbouring"),
    ],
)
def test_facet_refuses_polygons(polygon, message):
    with pytest.raises(ValueError, match=message):
        Facet((0, 0, 0), (0, 1, 0), (0, 0, -1), polygon, PLAIN)


def test_facet_refuses_skewed_directions():
    with pytest.raises(ValueError, match="right angles"):
        Facet((0, 0, 0), (0, 1, 0), (0, 1, 0), [[0, 0], [1, 0], [0, 1]], PLAIN)


def test_merge_and_empty_body():
    one = box((1, 1, 1), (0, 0, 0), PLAIN)
    assert len(merge(one, one).facets) == 12
    with pytest.raises(ValueError, match="at least one facet"):
        Body(())


def test_figures_stand_on_the_ground():
    schedule = Still()
    for item in (
        props.van(1, schedule, (1, 2, 3), (4, 5, 6)),
        props.courier(1, schedule, (1, 2, 3), (4, 5, 6)),
    ):
        lowest = min(part.body.bounds[0, 2] for part in item.parts)
        assert lowest == pytest.approx(0.0, abs=0.03)
