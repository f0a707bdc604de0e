"""Light on the surfaces, and what the camera's sensor does to the picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

#: Pictures that are averaged while the shutter is open: odd, so that the middle one is the frame's own.
SHUTTER_SAMPLES = 5


@dataclass(frozen=True)
class Light:
    """Sun from `direction` (3,), pointing towards it in the world, plus ambient light and soft contact
    shadows. `sky`: brightness of the sky, 1 by day.
    """

    direction: tuple[float, float, float] = (-0.45, 0.55, 0.9)
    ambient: float = 0.62
    sun: float = 0.5
    shadow: float = 0.6
    sky: float = 1.0

    def __post_init__(self):
        if (
            min(self.ambient, self.sun, self.shadow, self.sky) < 0
            or self.shadow > 1
            or not np.any(self.direction)
        ):
            raise ValueError(
                f"light must not be negative, shadow in 0..1, direction not zero, but got {self}"
            )

    def gains(self, normals: np.ndarray) -> np.ndarray:
        """Brightness (n,) of surfaces with unit normals (n, 3) in the world."""
        direction = np.asarray(self.direction, np.float64)
        lambert = np.clip(normals @ (direction / np.linalg.norm(direction)), 0, None)
        return self.ambient + self.sun * lambert


@dataclass(frozen=True)
class SensorModel:
    """`noise`: standard deviation in grey levels; `blur`: Gaussian sigma in pixels; `exposure`: share by
    which the brightness swings over `exposure_period` seconds; `shutter`: seconds for which it is open, evenly
    around a frame's time: what moves in the image meanwhile is smeared. All zero: a perfect sensor.
    """

    noise: float = 1.5
    blur: float = 0.0
    exposure: float = 0.03
    exposure_period: float = 9.0
    shutter: float = 0.0

    def __post_init__(self):
        if (
            min(self.noise, self.blur, self.exposure, self.shutter) < 0
            or self.exposure >= 1
            or self.exposure_period <= 0
        ):
            raise ValueError(f"sensor parameters must not be negative, exposure below 1, but got {self}")

    def instants(self, t: float) -> np.ndarray:
        """Times (n,) in seconds whose pictures, averaged, are what falls on the sensor for the frame at `t`."""
        if self.shutter == 0:
            return np.array([t])
        shares = (np.arange(SHUTTER_SAMPLES) + 0.5) / SHUTTER_SAMPLES - 0.5
        return t + self.shutter * shares

    def apply(self, image: np.ndarray, t: float, rng: np.random.Generator) -> np.ndarray:
        """The image (h, w, 3) uint8 as the sensor delivers it at `t` seconds."""
        if self.blur > 0:
            image = cv2.GaussianBlur(image, (0, 0), self.blur)
        if self.exposure > 0:
            gain = 1 + self.exposure * np.sin(2 * np.pi * t / self.exposure_period)
            image = cv2.convertScaleAbs(image, alpha=gain)
        if self.noise > 0:
            pool = _noise_pool(2 * image.size)
            start = int(rng.integers(image.size))
            noise = pool[start : start + image.size].reshape(image.shape)
            image = cv2.scaleAdd(noise, self.noise, image.astype(np.float32))
            image = cv2.convertScaleAbs(cv2.max(image, 0))
        return image


@lru_cache(maxsize=2)
def _noise_pool(size: int) -> np.ndarray:
    """Normal deviates (size,), from which each frame takes its own stretch: drawing them anew is slow."""
    return np.random.default_rng(0).standard_normal(size, dtype=np.float32)
