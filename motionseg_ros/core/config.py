"""The one declaration of every option: name, type, default, range and description.

YAML files, ``--set``, ROS parameters, ``summary.json`` and the parameter reference are all derived from `Config`.
The defaults are the ``cpu`` profile. Lengths in pixels are for the full-size input image unless a description
says "working image" (the input scaled down so that its longer side is `image.working_size`).
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from .errors import ConfigError


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Precision = Literal["auto", "float32", "bfloat16"]


def _device(what: str) -> Any:
    """The option of a stage that computes with torch."""
    return Field("auto", description=f"Where {what} runs: cpu, cuda, cuda:1, ...; auto for CUDA if there is.")


def _precision() -> Any:
    """The option of a stage that computes with torch."""
    return Field("auto", description="What it computes in: auto for bfloat16 on CUDA and float32 on a CPU.")


class ImageConfig(_Group):
    """How frames are prepared, once, for all stages."""

    working_size: int = Field(
        384, ge=64, le=4096, description="Longer side of the working image that tracking and flow use, px."
    )


class WindowConfig(_Group):
    """The sliding window of frames."""

    length: int = Field(16, ge=4, le=64, description="Frames in the sliding window.")
    stride: int = Field(2, ge=1, le=64, description="Frames between two classifications of the window.")


class SourceConfig(_Group):
    """How a stream of frames is accepted."""

    on_discontinuity: Literal["error", "restart"] = Field(
        "error",
        description="What commands do when the image size changes or stamps jump back: stop with an error, or "
        "begin a fresh window. The live node always begins a fresh window.",
    )
    max_gap: float = Field(
        1.0, gt=0, le=3600, description="A pause between two stamps that begins a fresh window, s."
    )
    min_survival: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Share of the trajectories that must go on into a frame; one with fewer and of another view (a "
        "scene cut, a camera that jumps) begins a fresh window.",
    )


class TrackerConfig(_Group):
    """The point tracker."""

    name: Literal["lucas_kanade", "tapir"] = Field(
        "lucas_kanade",
        description="Which point tracker: `lucas_kanade` needs no weights, and the options below are its; those of "
        "`tapir` are in the group of that name.",
    )
    spacing: int = Field(
        12,
        ge=4,
        le=128,
        description="Side of the grid cells that each get a trajectory, px of the working image.",
    )
    max_round_trip: float = Field(
        0.7, gt=0, le=10, description="Largest forward-backward error of a point, px of the working image."
    )
    min_corner: float = Field(
        0.03,
        ge=0,
        le=1,
        description="Smallest corner worth tracking, share of the image's 90th percentile response.",
    )
    min_coverage: float = Field(
        0.3,
        ge=0,
        le=1,
        description="Share of grid cells with a point below which new ones are seeded at once.",
    )


class TapirConfig(_Group):
    """Causal BootsTAPIR as the point tracker (arXiv 2402.00847)."""

    weights: str = Field(
        "",
        description="The checkpoint; empty for `bootstapir_causal` in the store of `motionseg weights`.",
    )
    device: str = _device("it")
    precision: Precision = Field(
        "auto",
        description="What the frames' features are computed in: auto for bfloat16 on CUDA; positions are float32.",
    )
    resolution: int = Field(
        256,
        ge=256,
        le=512,
        multiple_of=256,
        description="Side of the square that images are scaled to, px: 256, or 512, which refines twice.",
    )
    slots: int = Field(1024, ge=1, le=16384, description="Most trajectories at a time (1 to 2 MB each).")
    patience: int = Field(
        12, ge=0, le=1000, description="Frames for which a hidden point keeps its slot, to be found again."
    )
    chunk: int = Field(
        512,
        ge=1,
        le=16384,
        description="Trajectories that are computed at a time: fewer need less memory (with --offline about 0.2 MB "
        "for each and frame of the window).",
    )
    offline: Literal["whole_window", "causal"] = Field(
        "whole_window",
        description="With --offline: BootsTAPIR that sees all frames of the window for each, or the causal one.",
    )
    offline_weights: str = Field(
        "",
        description="The checkpoint for whole_window; empty for `bootstapir` in the store of `motionseg weights`.",
    )


class DepthConfig(_Group):
    """The depth along the trajectories, for the classifier."""

    name: Literal["none", "sensor", "depth_anything"] = Field(
        "none",
        description="Where depth comes from: nowhere, the robot's own depth camera, or Depth Anything V2 Small, whose "
        "options are the others here.",
    )
    weights: str = Field(
        "",
        description="The model's file; empty for `depth_anything_v2_small` in the store of `motionseg weights`.",
    )
    device: str = _device("it")
    precision: Precision = _precision()
    every: int = Field(
        4, ge=1, le=64, description="Frames from one key frame to the next; between them depth is kept."
    )
    resolution: int = Field(
        518,
        ge=70,
        le=1036,
        multiple_of=14,
        description="Shorter side to which images are scaled, px; trained with 518, less is faster.",
    )
    tolerance: float = Field(
        0.02,
        gt=0,
        le=1,
        description="`sensor`: farthest that the stamps of an image and its depth image lie apart, s.",
    )
    rectified: bool = Field(
        False,
        description="`sensor`: the images are rectified, so that P of camera_info is theirs and there is no "
        "distortion.",
    )


class SemanticsConfig(_Group):
    """What the trajectories lie on, for the classifier of Segment Any Motion (arXiv 2503.22268, section 3.3)."""

    name: Literal["none", "dinov2"] = Field(
        "none", description="Nothing, or the keys of DINOv2 ViT-B/14, whose options are the others here."
    )
    weights: str = Field(
        "", description="The model's file; empty for `dinov2_base` in the store of `motionseg weights`."
    )
    device: str = _device("it")
    precision: Precision = _precision()
    stride: int = Field(
        7,
        ge=7,
        le=14,
        multiple_of=7,
        description="Px from one patch to the next: 7 as in the release, or 14, which is several times faster.",
    )
    max_side: int = Field(
        1000,
        ge=64,
        le=4096,
        description="Longer side to which larger images are scaled down, px (release: 1000).",
    )


class ClassifierConfig(_Group):
    """The trajectory classifier. Excess: log of a trajectory's residual over the spread of all residuals."""

    name: Literal["learned", "seganymo", "geometric"] = Field(
        "learned",
        description="Which trajectory classifier: this package's own network, the one released with Segment Any "
        "Motion (needs torch), or one without weights.",
    )
    weights: str = Field(
        "",
        description="`learned`: a file of `motionseg train`, empty for the one that is shipped. `seganymo`: its "
        "checkpoint, empty for `seganymo` in the store of `motionseg weights`.",
    )
    device: str = _device("`seganymo`")
    depth_mode: Literal["fixed", "reference"] = Field(
        "fixed",
        description="How `seganymo` reads depth: at the points, or saturated and elsewhere, as in its release.",
    )
    threshold: float = Field(
        1.2, ge=0, le=10, description="`geometric`: excess at which P(moving) is one half."
    )
    steepness: float = Field(
        2.5, gt=0, le=20, description="`geometric`: slope of the logistic from excess to P(moving)."
    )
    parallax: float = Field(
        4.0,
        ge=0,
        le=1000,
        description="`geometric`: spread of the residuals, in units of tracking noise, that counts as parallax.",
    )
    memory: float = Field(
        0.5, ge=0, lt=1, description="Share of a trajectory's former belief kept at each classification."
    )
    moving: float = Field(0.6, gt=0, lt=1, description="Belief from which a trajectory counts as moving.")
    resting: float = Field(
        0.4, gt=0, lt=1, description="Belief down to which a moving trajectory goes on counting as moving."
    )

    @model_validator(mode="after")
    def _ordered(self) -> ClassifierConfig:
        if self.resting > self.moving:
            raise ValueError(f"resting must be at most moving ({self.moving}), but got {self.resting}")
        return self


class GroupingConfig(_Group):
    """How moving trajectories become objects."""

    name: Literal["proximity", "prompting"] = Field(
        "proximity",
        description="Which grouping of trajectories: by nearness and common motion, or by prompting SAM 2 again and "
        "again (see the group `prompting`).",
    )
    reach: float = Field(
        0.06, gt=0, le=1, description="Farthest two linked trajectories lie apart, share of the longer side."
    )
    max_difference: float = Field(
        0.3,
        gt=0,
        le=2,
        description="Largest difference of linked trajectories' motions, share of the faster.",
    )
    min_trajectories: int = Field(2, ge=1, le=100, description="Fewest trajectories that make a new object.")


class MaskerConfig(_Group):
    """The mask model."""

    name: Literal["guided", "sam2"] = Field(
        "guided",
        description="Which mask model: `guided` needs no weights, and the options below are its; those of `sam2` are "
        "in the group of that name.",
    )
    threshold: float = Field(
        1.0, ge=0, le=10, description="Least excess of the dense flow's residual that is called motion."
    )
    steepness: float = Field(2.5, gt=0, le=20, description="Slope of the logit in that excess.")
    colour_tolerance: float = Field(
        8.0, gt=0, le=255, description="Colour error (summed Lab levels) that the background test forgives."
    )
    trajectory_weight: float = Field(
        2.0, ge=0, le=10, description="Weight of the trajectories' beliefs against the dense cues."
    )
    caution: float = Field(
        0.5, ge=-10, le=10, description="Logit that all cues together must exceed for a pixel to move."
    )
    edge: float = Field(
        6.0, gt=0, le=255, description="Colour step (Lab levels) across which smoothing falls to 1/e."
    )
    smoothness: float = Field(
        500.0,
        gt=0,
        le=1e5,
        description="Strength of the edge-aware smoothing: squared reach, px of the working image.",
    )
    min_area: float = Field(
        0.001, ge=0, le=0.5, description="Smallest piece of an object that is shown, share of the image."
    )


class Sam2Config(_Group):
    """SAM 2 as the mask model, with MoSAM's prompts and memory (arXiv 2505.00739)."""

    model: Literal[
        "sam2.1_tiny",
        "sam2.1_small",
        "sam2.1_base_plus",
        "sam2.1_large",
        "sam2_tiny",
        "sam2_small",
        "sam2_base_plus",
        "sam2_large",
    ] = Field("sam2.1_tiny", description="Which model, and which file of `motionseg weights`.")
    weights: str = Field(
        "", description="A checkpoint of that model; empty for the one in the store of `motionseg weights`."
    )
    device: str = _device("it")
    precision: Precision = _precision()
    resolution: int = Field(
        1024,
        ge=128,
        le=2048,
        multiple_of=32,
        description="Side of the square that images are scaled to, px; trained with 1024, less is faster.",
    )
    compile: bool = Field(
        False, description="Let torch compile the model: faster, after minutes at the first frames."
    )
    memory: Literal["reliable", "recent"] = Field(
        "reliable",
        description="Which frames are remembered: MoSAM's choice of reliable ones, or the last ones as SAM 2 does.",
    )
    memory_length: int = Field(
        7,
        ge=2,
        le=7,
        description="Frames that are attended to, one prompted one among them (MoSAM, SAM 2: 7).",
    )
    memory_span: int = Field(
        24, ge=6, le=1000, description="`reliable`: frames back that may be chosen (MoSAM gives no value)."
    )
    memory_interval: int = Field(
        1,
        ge=1,
        le=100,
        description="`reliable`: frames between two that may be chosen (MoSAM gives no value).",
    )
    min_iou: float = Field(
        0.7, ge=0, le=1, description="`reliable`: predicted IoU above which a frame is (MoSAM 0.7)."
    )
    min_occlusion: float = Field(
        0.0, ge=-20, le=20, description="`reliable`: occlusion score above which a frame is (MoSAM 0.0)."
    )
    fallback_iou: float = Field(
        0.6,
        ge=0,
        le=1,
        description="`reliable`: predicted IoU from which other frames fill the memory, best first (MoSAM 0.6).",
    )
    confident: float = Field(
        0.7,
        ge=0,
        lt=1,
        description="Probability above which a pixel is remembered as the object's (MoSAM gives no value); 0 "
        "remembers the whole mask, as SAM 2 does.",
    )
    prompted_frames: int = Field(
        4, ge=1, le=100, description="Prompted frames that are remembered: the first one and the newest."
    )
    prompt_afresh: bool = Field(
        False,
        description="Prompts of a known object segment it anew and make the frame a prompted one, as in Segment Any "
        "Motion; otherwise they correct the mask that its memory gives.",
    )
    sparse_prompts: bool = Field(
        True, description="MoSAM's points: centroid and four half-way points of the mask, moved on."
    )
    dense_prompts: bool = Field(True, description="MoSAM's box: around the mask, moved on along its flow.")


class PromptingConfig(_Group):
    """Segment Any Motion's iterative prompting (arXiv 2503.22268, Algorithm 1 and section 3.3), frame by frame."""

    min_points: int = Field(
        6, ge=1, le=1000, description="Fewest moving trajectories in a mask that make an object (paper: 6)."
    )
    take_all: int = Field(
        5,
        ge=0,
        le=1000,
        description="With so many moving trajectories or fewer, every mask makes an object (paper: 5).",
    )
    max_rounds: int = Field(
        10,
        ge=1,
        le=100,
        description="Most masks that are tried at a time (release: a 16th of the video's frames, 5 to 10).",
    )
    min_confidence: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Confidence above which a trajectory's position counts (release, with BootsTAPIR: 0.9).",
    )
    dilation: int = Field(
        6, ge=0, le=64, description="Side of the square that a mask is dilated with, px (release: 6)."
    )
    dilations: int = Field(3, ge=0, le=16, description="How often (release: 3).")
    density_radius: float = Field(
        0.05,
        gt=0,
        le=1,
        description="Reach of a neighbour in the choice of the densest point, share of the longer side (the paper "
        "gives none; the release takes the medoid).",
    )
    interval: int = Field(
        16, ge=1, le=10000, description="Frames after which a living object is prompted again (release: 16)."
    )
    merge_overlap: float = Field(
        0.9,
        gt=0,
        le=1,
        description="IoU, or covered share of one of them, from which two masks overlap (release: 0.9).",
    )
    merge_share: float = Field(
        0.3,
        gt=0,
        le=1,
        description="Share of their frames in which two objects must overlap to be one (release: 0.3; its comment "
        "says 0.8).",
    )
    merge_window: int = Field(
        8,
        ge=1,
        le=1000,
        description="Last classifications that are counted for it (release: the whole video).",
    )


class PointsConfig(_Group):
    """Objects of the user's choice, kept by tracked points (SAM-PT, arXiv 2307.01197)."""

    sampling: Literal["k_medoids", "random", "shi_tomasi", "mixed"] = Field(
        "k_medoids", description="How points on the object are chosen from a mask (paper: k_medoids)."
    )
    positives: int = Field(8, ge=1, le=1000, description="Points on the object (paper: 8).")
    negatives: int = Field(
        1, ge=0, le=1000, description="Points off it (paper: 1, or 72 where points are sampled anew)."
    )
    refinements: int = Field(
        0,
        ge=0,
        le=100,
        description="Further calls of the mask model per frame, each with the mask of the one before (paper, without "
        "SAM 2's memory: 12).",
    )
    reinitialise: Literal["off", "horizon", "median_area", "similar_area", "similar_area_all"] = Field(
        "horizon",
        description="When points are sampled anew from a mask: never, or variant A, B, C or D of the paper.",
    )
    horizon: int = Field(8, ge=1, le=64, description="Frames that points are kept at least (paper: 8).")
    tolerance: float = Field(
        0.1, ge=0, le=1, description="Difference of areas that are similar (the paper gives no value)."
    )


class ObjectsConfig(_Group):
    """The life of objects."""

    max_objects: int = Field(32, ge=1, le=1000, description="Most objects alive at a time.")
    min_evidence: float = Field(
        4.0,
        ge=0,
        le=100,
        description="Log odds of moving, summed over an object's trajectories, from which it is shown.",
    )
    rest_speed: float = Field(
        5e-4,
        ge=0,
        le=0.1,
        description="Speed beside the background below which an object rests, longer sides/frame.",
    )
    keep_stopped: float = Field(
        5.0, ge=0, le=3600, description="How long a stopped object keeps its mask and id, s."
    )
    keep_occluded: float = Field(
        2.0, ge=0, le=3600, description="How long an object that is out of sight keeps its id, s."
    )
    patience: int = Field(
        3,
        ge=1,
        le=100,
        description="Classifications in a row that must agree before objects are split or merged.",
    )


class NodeConfig(_Group):
    """The live ROS 2 node."""

    image_transport: Literal["raw", "compressed"] = Field(
        "raw", description="Transport of the image subscription."
    )
    reliability: Literal["best_available", "reliable", "best_effort"] = Field(
        "best_available", description="Reliability of the image subscription."
    )
    diagnostics_period: float = Field(
        1.0, ge=0.1, le=60, description="Seconds between two diagnostics messages."
    )
    publish_queue: int = Field(5, ge=1, le=100, description="History depth of the publishers.")
    stale_after: float = Field(
        2.0, gt=0, le=3600, description="Seconds without an image after which diagnostics warn."
    )


FIXED = (
    "node.image_transport",
    "node.reliability",
    "node.publish_queue",
    "depth.name",
    "depth.tolerance",
    "depth.rectified",
)
"""Decide how the node's topics are made, so they are fixed when it starts."""

COMMANDS_ONLY = ("source.on_discontinuity",)
"""No parameters of the node, which always begins a fresh window."""


@dataclass(frozen=True)
class Option:
    """One leaf of `Config`, described for ROS parameters, documentation and error messages."""

    name: str
    type: type
    default: Any
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()


class Config(_Group):
    """The whole configuration."""

    image: ImageConfig = ImageConfig()
    window: WindowConfig = WindowConfig()
    source: SourceConfig = SourceConfig()
    tracker: TrackerConfig = TrackerConfig()
    tapir: TapirConfig = TapirConfig()
    depth: DepthConfig = DepthConfig()
    semantics: SemanticsConfig = SemanticsConfig()
    classifier: ClassifierConfig = ClassifierConfig()
    grouping: GroupingConfig = GroupingConfig()
    prompting: PromptingConfig = PromptingConfig()
    masker: MaskerConfig = MaskerConfig()
    sam2: Sam2Config = Sam2Config()
    points: PointsConfig = PointsConfig()
    objects: ObjectsConfig = ObjectsConfig()
    node: NodeConfig = NodeConfig()

    @model_validator(mode="after")
    def _fits_together(self) -> Config:
        if self.grouping.name == "prompting" and self.masker.name != "sam2":
            raise ValueError(
                f"grouping.name prompting needs masker.name sam2 to prompt, but got {self.masker.name}"
            )
        classifier = self.classifier.name
        if self.semantics.name != "none" and classifier != "seganymo":
            raise ValueError(
                f"semantics.name {self.semantics.name} is for classifier.name seganymo, but got {classifier}"
            )
        if self.depth.name == "depth_anything" and classifier == "geometric":
            raise ValueError(
                "depth.name depth_anything is for a classifier.name that uses depth, but got geometric"
            )
        return self

    @classmethod
    def from_dict(cls, values: dict[str, Any], origin: str = "configuration") -> Config:
        """Build from nested groups.

        Raises:
            ConfigError: one line naming the option, the reason and what is allowed; `origin` says where it came from.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError(f"{origin}: {_explain(error)}") from None

    def with_values(self, values: dict[str, Any], origin: str = "configuration") -> Config:
        """A copy with dotted option names replaced, e.g. ``{"window.stride": 2}``.

        Raises:
            ConfigError: an option that does not exist, or a value that it does not take.
        """
        nested = self.model_dump()
        for name, value in values.items():
            set_nested(nested, name, value, origin)
        return Config.from_dict(nested, origin)


def options(model: type[BaseModel] = Config, prefix: str = "") -> Iterator[Option]:
    """Every option of the configuration, dotted names, in the order of declaration."""
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from options(info.annotation, f"{prefix}{name}.")
        else:
            yield _option(f"{prefix}{name}", info)


def option_names() -> list[str]:
    """Dotted names of all options."""
    return [option.name for option in options()]


def set_nested(nested: dict[str, Any], name: str, value: Any, origin: str = "configuration") -> None:
    """Put `value` at a dotted option name in nested dictionaries, in place.

    Raises:
        ConfigError: an option that does not exist; the message suggests the nearest ones.
    """
    if name not in option_names():
        raise ConfigError(f"{origin}: unknown option '{name}'{_suggest(name)}")
    *groups, leaf = name.split(".")
    for group in groups:
        nested = nested.setdefault(group, {})
    nested[leaf] = value


def _option(name: str, info: FieldInfo) -> Option:
    limits = {"ge": None, "gt": None, "le": None, "lt": None}
    for constraint in info.metadata:
        for key in limits:
            limits[key] = getattr(constraint, key, limits[key])
    annotation, choices = info.annotation, ()
    if get_origin(annotation) is Literal:
        choices, annotation = get_args(annotation), str
    elif get_origin(annotation) in (Union, types.UnionType):
        annotation = next(kind for kind in get_args(annotation) if kind is not type(None))
    minimum = limits["ge"] if limits["ge"] is not None else limits["gt"]
    maximum = limits["le"] if limits["le"] is not None else limits["lt"]
    return Option(name, annotation, info.default, info.description or "", minimum, maximum, tuple(choices))


def _suggest(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, option_names(), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else "; see docs/parameters.md for the list"


def _explain(error: ValidationError) -> str:
    """The first problem of a pydantic error as one line, with the allowed range or choices."""
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown option '{name}'{_suggest(name)}"
    if first["type"] == "value_error":  # of a group, or of all, as a whole: its message says all
        return f"{name}: {first['ctx']['error']}" if name else str(first["ctx"]["error"])
    known = {option.name: option for option in options()}
    allowed = ""
    if name in known:
        option = known[name]
        if option.choices:
            return f"{name} must be one of {', '.join(option.choices)}, but got {first['input']!r}"
        if option.minimum is not None or option.maximum is not None:
            allowed = f" (allowed: {option.minimum} to {option.maximum})"
    return f"{name}: {first['msg'].lower()}, but got {first['input']!r}{allowed}"
