from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.synthesis.material import Material
from motionseg_ros.synthesis.patterns import TILEABLE
from motionseg_ros.synthesis.prints import PRINTS
from motionseg_ros.synthesis.textures import PATTERNS, build_texture, mip_levels


def draw(name: str, seed: int = 0) -> np.ndarray:
    return PATTERNS[name](np.random.default_rng(seed), (192, 240), ((90, 140, 170), (40, 50, 200)))


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_patterns_are_seeded_pictures(name):
    image = draw(name)
    assert image.shape == (192, 240, 3)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, draw(name))
    assert (image != draw(name, 1)).mean() > 0.01
    assert image.std() > 3


@pytest.mark.parametrize("name", sorted(TILEABLE))
def test_tiles_have_no_seam(name):
    image = draw(name).astype(float)
    for axis in (0, 1):
        rows = np.moveaxis(image, axis, 0)
        seam = np.abs(rows[0] - rows[-1]).mean()
        inside = np.abs(np.diff(rows, axis=0)).mean(axis=(1, 2))
        assert seam <= 1.5 * inside.max() + 1


def test_names_do_not_collide():
    assert not set(TILEABLE) & set(PRINTS)


def test_mip_levels_halve_and_keep_the_mean():
    image = np.random.default_rng(0).integers(0, 256, (64, 48, 4), dtype=np.uint8)
    levels = mip_levels(image)
    assert [level.shape[:2] for level in levels[:3]] == [(64, 48), (32, 24), (16, 12)]
    for level in levels:
        assert level.mean() == pytest.approx(image.mean(), abs=1.5)
        assert not level.flags.writeable


def test_textures_are_shared_and_scaled():
    material = Material("plaster", extent=(0.5, 0.25), texels_per_metre=100)
    texture = build_texture(material)
    assert texture is build_texture(Material("plaster", extent=(0.5, 0.25), texels_per_metre=100))
    assert texture.levels[0].shape == (25, 50, 4)
    np.testing.assert_allclose(texture.from_metres(0) @ (0.5, 0.25, 1), (49.5, 24.5, 1))
    np.testing.assert_allclose(texture.from_metres(1) @ (0.5, 0.25, 1), (24.5, 11.5, 1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"pattern": "velvet"}, "unknown pattern"), ({"pattern": "door"}, "does not tile")],
)
def test_build_refuses(changes, message):
    with pytest.raises(ValueError, match=message):
        build_texture(Material(**changes))


@pytest.mark.parametrize("changes", [{"extent": (0.0, 1.0)}, {"texels_per_metre": -1}, {"colours": ()},
                                     {"colours": ((1, 2, 300),)}])  # fmt: skip
def test_material_refuses(changes):
    with pytest.raises(ValueError, match="must be"):
        Material("plaster", **changes)
