from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.synthesis.sensor import Light, SensorModel

GREY = np.full((60, 80, 3), 120, np.uint8)


def test_perfect_sensor_changes_nothing():
    np.testing.assert_array_equal(SensorModel(0, 0, 0).apply(GREY, 1.0, np.random.default_rng(0)), GREY)


def test_noise_has_its_deviation_and_seed():
    sensor = SensorModel(noise=3.0, exposure=0.0)
    noisy = sensor.apply(GREY, 0.0, np.random.default_rng(0))
    assert noisy.std() == pytest.approx(3.0, rel=0.05)
    assert noisy.mean() == pytest.approx(120, abs=0.3)
    np.testing.assert_array_equal(noisy, sensor.apply(GREY, 0.0, np.random.default_rng(0)))
    assert (noisy != sensor.apply(GREY, 0.0, np.random.default_rng(1))).mean() > 0.5


def test_noise_does_not_wrap_around():
    dark = SensorModel(noise=5.0).apply(np.zeros_like(GREY), 0.0, np.random.default_rng(0))
    assert dark.max() < 40


def test_exposure_swings():
    sensor = SensorModel(0, 0, exposure=0.1, exposure_period=4.0)
    assert sensor.apply(GREY, 1.0, None).mean() == pytest.approx(132, abs=1)
    assert sensor.apply(GREY, 3.0, None).mean() == pytest.approx(108, abs=1)


def test_light_from_the_sun():
    gains = Light((0, 0, 1), ambient=0.5, sun=0.4).gains(np.array([[0, 0, 1.0], [1.0, 0, 0], [0, 0, -1.0]]))
    np.testing.assert_allclose(gains, (0.9, 0.5, 0.5))


@pytest.mark.parametrize("values", [{"noise": -1}, {"blur": -0.1}, {"exposure": 1.0}, {"exposure_period": 0}])
def test_sensor_refuses(values):
    with pytest.raises(ValueError, match="sensor parameters"):
        SensorModel(**values)


@pytest.mark.parametrize("values", [{"ambient": -1}, {"shadow": 1.5}, {"direction": (0, 0, 0)}])
def test_light_refuses(values):
    with pytest.raises(ValueError, match="light must"):
        Light(**values)


def test_an_open_shutter_sees_instants_evenly_around_the_frame():
    np.testing.assert_allclose(
        SensorModel(shutter=0.05).instants(2.0), [1.98, 1.99, 2.0, 2.01, 2.02], atol=1e-12
    )
    assert SensorModel().instants(2.0).tolist() == [2.0]
    with pytest.raises(ValueError, match="must not be negative"):
        SensorModel(shutter=-0.1)
