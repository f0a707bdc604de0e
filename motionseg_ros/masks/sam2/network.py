"""The steps of SAM 2 on one frame, for one or several objects: what `sam2`'s video predictor does in between its loops.

All tensors are on the model's device. h and w are a quarter of the model's resolution, C its width (256).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...core.types import Frame, Prompts
from ...device.frames import upload
from .image import to_input
from .memory import Memory

if TYPE_CHECKING:
    from sam2.sam2_video_predictor import SAM2VideoPredictor

# To a stream, SAM 2 is told that its video has this many frames: it only asks whether there are enough for all
# object pointers.
_ENDLESS = 1 << 30
# Logits of a former mask are kept within this when they are fed to the mask decoder, as in `sam2`.
_FEEDBACK_LIMIT = 32.0
# Logit that unsure pixels get at most where only the sure ones are remembered; its sigmoid is about 0.
_UNSURE = -10.0


@dataclass(frozen=True, eq=False)
class Answer:
    """What SAM's heads say of B objects.

    Args:
        logits: (B, 1, h, w) float32, of the masks.
        pointer: (B, C), the object pointers.
        iou: (B,), predicted IoU of the masks.
        occlusion: (B, 1), scores (logits) that the objects are in sight.
    """

    logits: Tensor
    pointer: Tensor
    iou: Tensor
    occlusion: Tensor

    def split(self) -> list[Answer]:
        """One by one, in memory of their own."""
        columns = (self.logits, self.pointer, self.iou, self.occlusion)
        return [Answer(*(c[row : row + 1].clone() for c in columns)) for row in range(len(self.logits))]


class Sam2Network:
    """SAM 2 and the features of the frame that it has seen last.

    Args:
        model: see `model.build_predictor`.
        half: compute in bfloat16 where torch's autocast does.
    """

    def __init__(self, model: SAM2VideoPredictor, half: bool = False) -> None:
        self._model = model
        self._half = half
        self._position: list[Tensor] | None = None
        self.forget()

    @property
    def device(self) -> torch.device:
        """Where all runs."""
        return self._model.device

    @contextmanager
    def computing(self) -> Iterator[None]:
        """In which all steps must run. Autocast belongs to a thread, and a masker may be called from any."""
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=self._half):
            yield

    def forget(self) -> None:
        """Forget the frame."""
        self._size = (0, 0)
        self._features: list[Tensor] = []

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the frame, px; 0 before the first."""
        return self._size

    def see(self, frame: Frame) -> None:
        """The image encoder's pass."""
        pixels = to_input(upload(frame, self.device), self._model.image_size)
        _, self._features, self._positions, self._sizes = self._model._prepare_backbone_features(
            self._model.forward_image(pixels)
        )
        self._size = frame.size

    def alone(self) -> Tensor:
        """(1, C, h/4, w/4): the frame's features as those of a single image."""
        return self._attend(0, None, 1)

    def attend(
        self, frame: int, memories: Sequence[tuple[Mapping[int, Memory], Mapping[int, Memory]]]
    ) -> Tensor:
        """(B, C, h/4, w/4): the frame's features, attended to what each of B objects remembers.

        SAM 2 can attend for several objects at once if they remember frames equally far back.

        Args:
            frame: number of the frame.
            memories: per object the prompted frames and the others, by frame number.
        """
        alike: dict[Any, list[int]] = {}
        for row, (prompted, tracked) in enumerate(memories):
            alike.setdefault((tuple(prompted), tuple(tracked)), []).append(row)
        found: dict[int, Tensor] = {}
        for rows in alike.values():
            outputs = {
                "cond_frame_outputs": self._outputs([memories[row][0] for row in rows]),
                "non_cond_frame_outputs": self._outputs([memories[row][1] for row in rows]),
            }
            found |= zip(rows, self._attend(frame, outputs, len(rows)).split(1), strict=True)
        return torch.cat([found[row] for row in range(len(memories))])

    def _attend(self, frame: int, outputs: dict[str, Any] | None, batch: int) -> Tensor:
        return self._model._prepare_memory_conditioned_features(
            frame_idx=frame,
            is_init_cond_frame=outputs is None,
            current_vision_feats=[self._features[-1].expand(-1, batch, -1)],
            current_vision_pos_embeds=[self._positions[-1].expand(-1, batch, -1)],
            feat_sizes=self._sizes[-1:],
            output_dict=outputs,
            num_frames=_ENDLESS,
        )

    def _outputs(self, memories: Sequence[Mapping[int, Memory]]) -> dict[int, dict[str, Any]]:
        """Memories of B objects, of the same frames each, as `sam2` keeps them."""
        outputs = {}
        for frame in memories[0]:
            here = [one[frame] for one in memories]
            features = None if here[0].features is None else torch.cat([m.features for m in here])
            outputs[frame] = {
                "maskmem_features": features,
                "maskmem_pos_enc": [one.expand(len(here), -1, -1, -1) for one in self._position],
                "obj_ptr": torch.cat([m.pointer for m in here]),
            }
        return outputs

    def decode(
        self,
        features: Tensor,
        prompts: Prompts | None = None,
        so_far: Tensor | None = None,
        first: bool = False,
    ) -> Answer:
        """SAM's prompt encoder and mask decoder.

        Args:
            features: (B, C, h/4, w/4).
            prompts: points and box for all of them, in image px; None for none.
            so_far: (B, 1, h, w) mask logits to refine.
            first: the features are those of a single image; a single click may then mean three masks, of which
                the best is taken.
        """
        points = None if prompts is None else self._points(prompts)
        if so_far is not None:
            so_far = so_far.clamp(-_FEEDBACK_LIMIT, _FEEDBACK_LIMIT)
        _, _, ious, logits, _, pointer, occlusion = self._model._forward_sam_heads(
            backbone_features=features,
            point_inputs=points,
            mask_inputs=so_far,
            high_res_features=self._fine_features(len(features)),
            multimask_output=self._model._use_multimask(first, points),
        )
        return Answer(logits, pointer, ious.amax(1), occlusion)  # of several masks, that of the largest IoU

    def take(self, mask: np.ndarray) -> Answer:
        """The given mask (H, W) bool as an answer."""
        side = self._model.image_size
        given = torch.from_numpy(mask).to(self.device)[None, None].float()
        if given.shape[-2:] != (side, side):
            given = F.interpolate(
                given, size=(side, side), mode="bilinear", align_corners=False, antialias=True
            )
            given = (given >= 0.5).float()
        plain = self._features[-1].permute(1, 2, 0).view(1, -1, *self._sizes[-1])
        _, _, ious, logits, _, pointer, occlusion = self._model._use_mask_as_output(
            plain, self._fine_features(1), given
        )
        return Answer(logits, pointer, ious.amax(1), occlusion)

    def encode(
        self, answers: Sequence[Answer], from_prompt: bool = False, unsure_below: float | None = None
    ) -> list[Tensor]:
        """The memory encoder's features (1, C', h/4, w/4) for each answer of one object.

        Args:
            answers: at least one.
            from_prompt: they are answers to a user's prompts: their masks are remembered without doubt.
            unsure_below: logit up to which pixels are remembered as background.
        """
        side, batch = self._model.image_size, len(answers)
        masks = torch.cat([answer.logits for answer in answers]).float()
        masks = F.interpolate(masks, size=(side, side), mode="bilinear", align_corners=False)
        if unsure_below is not None:
            masks = torch.where(masks > unsure_below, masks, masks.clamp(max=_UNSURE))
        features, position = self._model._encode_new_memory(
            current_vision_feats=[level.expand(-1, batch, -1) for level in self._features],
            feat_sizes=self._sizes,
            pred_masks_high_res=masks,
            object_score_logits=torch.cat([answer.occlusion for answer in answers]),
            is_mask_from_pts=from_prompt,
        )
        if self._position is None:  # the same for all frames and objects
            self._position = [one[:1].clone() for one in position]
        # `sam2` keeps memories in this format, whatever it computes in.
        return [one[None].to(torch.bfloat16, copy=True) for one in features]

    def _fine_features(self, batch: int) -> list[Tensor]:
        """The finer levels as maps (batch, C'', h, w) and (batch, C''', h/2, w/2)."""
        levels = zip(self._features[:-1], self._sizes[:-1], strict=True)
        return [
            tokens.permute(1, 2, 0).reshape(1, -1, *size).expand(batch, -1, -1, -1) for tokens, size in levels
        ]

    def _points(self, prompts: Prompts) -> dict[str, Tensor]:
        """Points and box in the model's pixels, (1, P, 2) and (1, P); a box is two points with labels 2 and 3."""
        points, labels = prompts.points, prompts.labels.astype(np.int32)
        if prompts.box is not None:
            points = np.concatenate([prompts.box.reshape(2, 2), points])
            labels = np.concatenate([np.array([2, 3], np.int32), labels])
        points = points / np.array(self._size[::-1], np.float32) * np.float32(self._model.image_size)
        return {
            "point_coords": torch.from_numpy(points)[None].to(self.device),
            "point_labels": torch.from_numpy(labels)[None].to(self.device),
        }
