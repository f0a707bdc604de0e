"""The shipped network as a classifier: `Tracks` in, calibrated probabilities out. NumPy only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController

from ..core.errors import ModelError
from ..core.types import Tracks
from .calibration import Calibration
from .features import window_features
from .inputs import check_samples, check_size
from .network import FORMAT, NetworkConfig, forward, initial_parameters

#: Shipped with the package; how they were made is in the model card beside them, ``weights.md``.
SHIPPED = Path(__file__).with_name("weights.safetensors")


#: Log odds by which moving counts as more likely than in simulation, where it is a rare thing (one trajectory in
#: eight): missing a mover costs a robot more than a false alarm that the smoothing over time may still undo.
SHIFT = 1.0
#: Trajectories that all others attend to; more cost time and tell nothing new.
ANCHORS = 128


class NetworkClassifier:
    """P(moves by itself) by the package's own network.

    Args:
        parameters: by name, float32.
        config: the network's size.
        calibration: of its answers.
    """

    def __init__(
        self, parameters: Mapping[str, np.ndarray], config: NetworkConfig, calibration: Calibration
    ) -> None:
        self._parameters, self._config = dict(parameters), config
        self._calibration = calibration.shifted(SHIFT)
        # The arrays are small: BLAS threads cost more than they bring, above all on a busy robot.
        self._threads = ThreadpoolController()

    @classmethod
    def load(cls, path: str | PathLike[str]) -> NetworkClassifier:
        """Read weights that `network.save_network` wrote.

        Raises:
            ModelError: the file is missing, damaged, something else, or of another architecture.
        """
        return cls(*read_network(Path(path)))

    def __call__(
        self,
        tracks: Tracks,
        size: tuple[int, int],
        depth: np.ndarray | None = None,
        semantics: np.ndarray | None = None,
    ) -> np.ndarray:
        """P(moving) per trajectory; 0 for those that are not visible in two frames at least.

        Args:
            tracks: N trajectories over T frames, px. Points whose position is not finite count as not visible.
            size: (height, width) of the image, px.
            depth: (N, T) float32 relative inverse depth at the points, 0..1, near = 1, NaN unknown; or None.
            semantics: accepted and not used: the network is trained on simulation, which has none.

        Returns:
            (N,) float32 in 0..1.

        Raises:
            ValueError: `size` or `depth` do not fit.
        """
        check_size(size)
        if depth is not None:
            check_samples(depth, len(tracks), tracks.num_frames)
        probability = np.zeros(len(tracks), np.float32)
        finite = np.isfinite(tracks.positions).all(-1)
        rows = np.flatnonzero((tracks.visible & finite).sum(1) >= 2)
        if not len(rows):
            return probability
        rows = rows[np.argsort(_scatter(tracks.ids[rows]), kind="stable")]
        tracks = tracks[rows]
        with self._threads.limit(limits=1, user_api="blas"):
            features = window_features(
                tracks.positions[None],
                tracks.visible[None],
                np.nan_to_num(tracks.confidence)[None],
                np.array([size]),
                None if depth is None else depth[rows][None],
            )
            answer = forward(
                self._parameters, self._config, features.values, features.points, features.known, ANCHORS
            )
        probability[rows] = np.where(features.known[0], self._calibration(answer[0], features.excess[0]), 0)
        return probability


def read_network(path: Path) -> tuple[dict[str, np.ndarray], NetworkConfig, Calibration]:
    """Parameters, configuration and calibration of a weights file; see `NetworkClassifier.load` for errors."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    try:
        with safe_open(path, "numpy") as file:
            about = file.metadata() or {}
            parameters = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        advice = (
            "" if path.suffix == ".safetensors" else "; SegAnyMo's checkpoint is for classifier.name seganymo"
        )
        raise ModelError(f"{path} is not a safetensors file, or is cut off ({error}){advice}") from error
    if about.get("format") != FORMAT:
        raise ModelError(
            f"{path} is not a trajectory network: its format is {about.get('format')!r}, not {FORMAT!r}"
        )
    try:
        config = NetworkConfig(**json.loads(about["network"]))
        calibration = Calibration(**json.loads(about.get("calibration", "{}")))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: its description cannot be read ({error})") from error
    wanted = {n: p.shape for n, p in initial_parameters(config, np.random.default_rng(0)).items()}
    given = {n: p.shape for n, p in parameters.items()}
    if wanted != given:
        differ = sorted(n for n in wanted.keys() | given.keys() if wanted.get(n) != given.get(n))
        more = f" and {len(differ) - 3} more" if len(differ) > 3 else ""
        raise ModelError(f"{path} does not fit the network: {', '.join(differ[:3])}{more} differ")
    if not all(np.isfinite(p).all() for p in parameters.values()):
        raise ModelError(f"{path} has values that are not finite")
    return {n: p.astype(np.float32) for n, p in parameters.items()}, config, calibration


def _scatter(ids: np.ndarray) -> np.ndarray:
    """A number per trajectory id that puts them in a random order, always the same one (Knuth's hash).

    The first in this order are the anchors: they stay the same from window to window, wherever their rows are. Ids
    count from the oldest trajectory's, so that after a reset all goes as it went before.
    """
    return ((ids - ids.min()).astype(np.uint64) * np.uint64(2654435761)) % np.uint64(2**32)
