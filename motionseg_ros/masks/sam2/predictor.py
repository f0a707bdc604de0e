"""SAM 2's video predictor on a stream: frames come one by one, objects come and go, nothing old is kept.

`sam2`'s own `propagate_in_video` wants all frames and all prompts before it begins, keeps what it has computed for
every frame, and tracks one object after the other. Here the same network runs frame by frame: one image-encoder pass
for all objects and prompts, one mask-decoder and one memory-encoder pass for all objects that are tracked, and per
object a bounded bank of memories.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...core.types import Frame, Prompts
from .memory import Memory, MemoryBank, MemoryPolicy
from .network import Answer, Sam2Network

if TYPE_CHECKING:
    from sam2.sam2_video_predictor import SAM2VideoPredictor


@dataclass(frozen=True, eq=False)
class Prediction:
    """SAM 2's answer for one object in one frame.

    Args:
        logits: (h, w) float32, of the mask, at a quarter of the model's resolution; on the model's device.
        iou: the mask's predicted IoU, 0..1.
        occlusion: score (logit) that the object is in sight, positive when it is.
    """

    logits: Tensor
    iou: float
    occlusion: float


@dataclass(eq=False)
class _Object:
    """One object: its memories and its answer in the newest frame.

    `pending`: the answer is a prompt's, and has not been turned into a memory yet, since prompts may follow.
    `conditioning`: that memory will be one of a prompted frame.
    """

    bank: MemoryBank
    answer: Answer
    prediction: Prediction
    pending: bool = False
    conditioning: bool = False


class StreamingPredictor:
    """See the module's text.

    Args:
        model: see `model.build_predictor`; its device is where all runs.
        policy: what the objects' memory banks hold.
        confident: probability above which a pixel is remembered as the object's (MoSAM section 3.3.2, spatial
            memory selection; the paper gives no value); 0 remembers the whole mask, as SAM 2 does. Masks that come
            from prompts are remembered whole.
        half: compute in bfloat16 where torch's autocast does.
    """

    def __init__(
        self,
        model: SAM2VideoPredictor,
        policy: MemoryPolicy | None = None,
        confident: float = 0.0,
        half: bool = False,
    ) -> None:
        self._network = Sam2Network(model, half)
        self._policy = policy or MemoryPolicy()
        self._unsure_below = math.log(confident / (1 - confident)) if confident > 0 else None
        self.reset()

    def reset(self) -> None:
        """Forget all frames and objects."""
        self._network.forget()
        self._frame = -1
        self._objects: dict[int, _Object] = {}

    @property
    def device(self) -> torch.device:
        """Where all runs."""
        return self._network.device

    @property
    def ids(self) -> tuple[int, ...]:
        """The objects' ids, in the order in which they were added."""
        return tuple(self._objects)

    @property
    def predictions(self) -> dict[int, Prediction]:
        """Of every object in the newest frame that it was tracked to or prompted in."""
        return {object_id: record.prediction for object_id, record in self._objects.items()}

    @property
    def num_memories(self) -> int:
        """Memories kept, of all objects."""
        return sum(len(record.bank) for record in self._objects.values())

    def see(self, frame: Frame) -> None:
        """Encode the next frame. Objects stay as they are until `track`."""
        with self._network.computing():
            self._remember_prompted()
            self._network.see(frame)
        self._frame += 1

    def track(self, prompts: Mapping[int, Prompts] | None = None) -> None:
        """Carry every object to the frame seen last.

        Args:
            prompts: where objects are expected, by id (MoSAM, section 3.2); points and boxes only. They guide the
                mask decoder but do not make the frame a prompted one.

        Raises:
            ValueError: no frame has been seen yet.
            torch.OutOfMemoryError: nothing has changed then, so that it can be tried again with fewer objects.
        """
        self._require_frame()
        if not self._objects:
            return
        prompts = {i: p for i, p in (prompts or {}).items() if i in self._objects}
        ids = [i for i in self._objects if i not in prompts] + list(prompts)
        with self._network.computing():
            features = dict(zip(ids, self._recall(ids).split(1), strict=True))
            alike = [features[i] for i in ids if i not in prompts]
            answers = self._network.decode(torch.cat(alike)).split() if alike else []
            answers += [self._network.decode(features[i], prompt) for i, prompt in prompts.items()]
            memories = self._network.encode(answers, unsure_below=self._unsure_below)
            predictions = _read(answers)
        for object_id, *found, memory in zip(ids, answers, predictions, memories, strict=True):
            record = self._objects[object_id]
            record.answer, record.prediction = found
            record.bank.add(self._memory(memory, record))

    def prompt(self, object_id: int, prompts: Prompts, afresh: bool = False) -> Prediction:
        """Add an object in the frame seen last, or correct one with clicks, a box or a mask.

        An object that is new in this frame is segmented from the prompt alone; clicks that follow in the same frame
        refine that. An object tracked to this frame is corrected: the prompts work together with its memory and the
        mask so far.

        Args:
            prompts: in the frame's pixels; a mask is taken as it is, points that come with it refine it.
            afresh: segment a known object, too, from the prompt alone, and keep the frame as a prompted one, as
                Segment Any Motion does (section 3.3: prompts at intervals, all given before the propagation).

        Raises:
            ValueError: no frame yet; no point, box nor mask; or any of them not in the image.
        """
        self._require_frame()
        prompts.check(self._network.size)
        with self._network.computing():
            if prompts.mask is not None:
                self._note_prompted(object_id, self._network.take(prompts.mask), afresh)
            if len(prompts.points) or prompts.box is not None:
                self._note_prompted(object_id, self._click(object_id, prompts, afresh), afresh)
        return self._objects[object_id].prediction

    def probe(self, prompts: Prompts) -> Prediction:
        """What `prompt` would answer to points and a box for a new object, without adding one."""
        self._require_frame()
        prompts.check(self._network.size)
        with self._network.computing():
            return _read([self._network.decode(self._network.alone(), prompts, first=True)])[0]

    def remove(self, object_id: int) -> None:
        """Forget an object; the others' answers do not change."""
        self._objects.pop(object_id, None)

    def _require_frame(self) -> None:
        if self._frame < 0:
            raise ValueError("there is no frame yet; call see first")

    def _recall(self, ids: Sequence[int]) -> Tensor:
        """(B, C, h/4, w/4): the frame's features, attended to what the objects remember."""
        banks = [self._objects[object_id].bank for object_id in ids]
        return self._network.attend(self._frame, [(b.prompted, b.recall(self._frame)) for b in banks])

    def _click(self, object_id: int, prompts: Prompts, afresh: bool) -> Answer:
        """The answer to points and a box, with what is known of the object."""
        record = self._objects.get(object_id)
        if record is None or (afresh and not record.pending):
            return self._network.decode(self._network.alone(), prompts, first=True)
        features = self._network.alone() if record.conditioning else self._recall([object_id])
        return self._network.decode(features, prompts, record.answer.logits, first=record.conditioning)

    def _memory(self, features: Tensor, record: _Object) -> Memory:
        prediction = record.prediction
        return Memory(self._frame, features, record.answer.pointer, prediction.iou, prediction.occlusion)

    def _note_prompted(self, object_id: int, answer: Answer, afresh: bool) -> None:
        prediction = _read([answer])[0]
        record = self._objects.get(object_id)
        if record is None:
            record = _Object(MemoryBank(self._policy), answer, prediction, conditioning=True)
            self._objects[object_id] = record
        record.answer, record.prediction, record.pending = answer, prediction, True
        record.conditioning |= afresh

    def _remember_prompted(self) -> None:
        """Turn the answers to the last frame's prompts into memories, now that no more prompts can come."""
        for record in self._objects.values():
            if record.pending:
                features = self._network.encode([record.answer], from_prompt=True)[0]
                record.bank.add(self._memory(features, record), record.conditioning)
                record.pending = record.conditioning = False


def _read(answers: Sequence[Answer]) -> list[Prediction]:
    """Answers, each of one object, as predictions; their scores come from the device at once."""
    scores = torch.stack([torch.stack([a.iou[0].float(), a.occlusion[0, 0].float()]) for a in answers])
    return [Prediction(a.logits[0, 0], *pair) for a, pair in zip(answers, scores.tolist(), strict=True)]
