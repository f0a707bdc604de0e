"""Builds `sam2`'s video predictor by name, with weights that are checked or with seeded random ones."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ...device.choice import find_device
from ...io.torch_files import load_weights

if TYPE_CHECKING:
    from sam2.sam2_video_predictor import SAM2VideoPredictor

MODELS = {
    f"{family}_{size}": f"configs/{family}/{family}_hiera_{letter}.yaml"
    for family in ("sam2.1", "sam2")
    for size, letter in (("tiny", "t"), ("small", "s"), ("base_plus", "b+"), ("large", "l"))
}
"""Configuration file inside the `sam2` package, by the name that the option takes."""

# What `sam2` itself sets for inference, but for the holes: its CUDA extension fills them, we do it for all devices.
_OVERRIDES = (
    "++model._target_=sam2.sam2_video_predictor.{kind}",
    "++model.sam_mask_decoder_extra_args.dynamic_multimask_via_stability=true",
    "++model.sam_mask_decoder_extra_args.dynamic_multimask_stability_delta=0.05",
    "++model.sam_mask_decoder_extra_args.dynamic_multimask_stability_thresh=0.98",
    "++model.binarize_mask_from_pts_for_mem_enc=true",
    "++model.fill_hole_area=0",
    "++model.image_size={resolution}",
)
_KEY = "model"  # of the tensors in a released checkpoint


def build_predictor(
    name: str,
    weights: Path | None,
    device: str = "cpu",
    resolution: int = 1024,
    compiled: bool = False,
    overrides: tuple[str, ...] = (),
) -> SAM2VideoPredictor:
    """The video predictor, in evaluation mode, on its device.

    Args:
        name: one of `MODELS`.
        weights: a released checkpoint of that model; None leaves the random weights that torch's seed gives.
        device: as torch names it; "auto" is a CUDA device where there is one.
        resolution: side of the square that images are scaled to, px, a multiple of 32; 1024 is what SAM 2 was
            trained with.
        compiled: let torch compile its parts (takes minutes at the first frames).
        overrides: further settings of its configuration, as Hydra writes them.

    Raises:
        ModelError: the device cannot be used, or the weights do not fit the model.
        ImportError: `sam2` is not installed.
    """
    target = find_device(device)
    kind = "SAM2VideoPredictorVOS" if compiled else "SAM2VideoPredictor"
    settings = [line.format(kind=kind, resolution=resolution) for line in _OVERRIDES]
    config = _compose(MODELS[name], [*settings, *overrides])
    from hydra.utils import instantiate

    with contextlib.redirect_stdout(io.StringIO()):  # the compiled kind prints
        model = instantiate(config.model, _recursive_=True)
    if weights is not None:
        load_weights(model, weights, _KEY)
    return model.eval().requires_grad_(False).to(target)


def keep_in_sight(model: SAM2VideoPredictor) -> None:
    """Make every object seem to be in sight: with random weights, measurements then take the effort of real ones."""
    with torch.no_grad():
        model.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(1.0)


def _compose(file: str, overrides: list[str]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import sam2.sam2_video_predictor  # noqa: F401  (tells Hydra where its configurations are, too)
        from hydra import compose
        from omegaconf import OmegaConf
    config = compose(config_name=file, overrides=overrides)
    OmegaConf.resolve(config)
    return config
