from __future__ import annotations

import numpy as np
import torch

from motionseg_ros.device.pixels import DEVIATION, MEAN, _statistics, normalise, to_planes


def test_planes():
    rgb = torch.arange(2 * 4 * 3, dtype=torch.uint8).view(2, 4, 3)
    planes = to_planes(rgb)
    assert planes.shape == (1, 3, 2, 4)
    assert planes.dtype == torch.float32
    for channel in range(3):
        assert torch.equal(planes[0, channel], rgb[..., channel].float())


def test_normalisation_is_that_of_imagenet():
    planes = 255 * torch.rand(1, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    found = normalise(planes)
    for channel in range(3):
        expected = (planes[0, channel].numpy() / 255 - MEAN[channel]) / DEVIATION[channel]
        np.testing.assert_allclose(found[0, channel], expected, rtol=1e-5, atol=1e-6)


def test_what_is_kept_may_be_used_in_any_mode():
    """Whoever comes first: a tensor that was made in inference mode could not be trained through."""
    _statistics.cache_clear()
    with torch.inference_mode():
        normalise(torch.zeros(1, 3, 2, 2))
    planes = torch.zeros(1, 3, 2, 2, requires_grad=True)
    normalise(planes).square().sum().backward()
    assert planes.grad.isfinite().all()
    assert _statistics.cache_info().misses == 1
