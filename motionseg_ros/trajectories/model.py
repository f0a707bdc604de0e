"""SegAnyMo's trajectory model (paper section 3): which of N long trajectories move by themselves.

A motion encoder (spatio-temporal trajectory attention) turns every trajectory's point features into 16 numbers;
a tracks decoder (motion-semantic decoupled embedding) compares the trajectories with one another. Parameter names
and shapes are those of the released checkpoint; every ablation of the paper is a switch of `ModelConfig`.

Layouts: trajectories first, then frames, then channels, (N, T, C); there is no batch dimension. N and T are free.
Positions are in image units, (x, y) in [-1, 1] (`normalise_positions`). Times have no code: the order of the frames
enters by the forward differences only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .inputs import SEMANTIC_WIDTH

FREQUENCY_BANDS = 10
MOTION_WIDTH, MOTION_HEADS, MOTION_LAYERS, MOTION_FFN = 16, 4, 2, 64
TRACK_WIDTH, TRACK_HEADS, TRACK_LAYERS, TRACK_FFN = 128, 8, 4, 512


@dataclass(frozen=True)
class ModelConfig:
    """The release, unless switched; the names in brackets are the rows of the paper's ablation.

    Args:
        depth: depth and its difference are among the point features [w/o depth].
        semantics: the tracks decoder sees DINO descriptors [w/o DINO].
        decoupled: it sees them after attention; otherwise in its embedding, so that attention sees them [w/o MSDE].
        early_semantics: the motion encoder sees the descriptors, too [w/o MOE].
        spatial_attention: the motion encoder attends across trajectories, not only along them [w/o ST-ATT].
        frequency_encoding: positions and displacements are encoded, not only given [w/o PE].
        dropout: probability, in training.
    """

    depth: bool = True
    semantics: bool = True
    decoupled: bool = True
    early_semantics: bool = False
    spatial_attention: bool = True
    frequency_encoding: bool = True
    dropout: float = 0.1

    @property
    def point_channels(self) -> int:
        """Channels of `point_features`: 88 as released."""
        pair = 2 * (1 + 2 * FREQUENCY_BANDS) if self.frequency_encoding else 2
        return 2 * pair + 2 * self.depth + 2 + SEMANTIC_WIDTH * self.early_semantics

    @property
    def embedding_channels(self) -> int:
        """Channels that enter the tracks decoder's embedding."""
        return MOTION_WIDTH + SEMANTIC_WIDTH * (self.semantics and not self.decoupled)

    @property
    def uses_semantics(self) -> bool:
        """Whether semantics enter anywhere."""
        return self.semantics or self.early_semantics


RELEASED = ModelConfig()


# ------------------------------------------------------------------------------------------------ point features


def normalise_positions(positions: Tensor, size: tuple[int, int]) -> Tensor:
    """Pixels to the model's image units: 0 to -1, the image's width or height to 1; points outside to the border.

    Args:
        positions: (..., 2) float, (x, y) in px.
        size: (height, width) of the image, px.

    Returns:
        (..., 2) in [-1, 1].
    """
    height, width = size
    return (2 * positions / positions.new_tensor([width, height]) - 1).clamp(-1, 1)


def frequency_encoding(pairs: Tensor) -> Tensor:
    """NeRF's encoding of number pairs, without the factor pi (paper, section 3.1).

    Args:
        pairs: (..., 2).

    Returns:
        (..., 42): a, b, then sin 2^k a, sin 2^k b, cos 2^k a, cos 2^k b for k = 0..9.
    """
    scaled = pairs.unsqueeze(-2) * (2.0 ** torch.arange(FREQUENCY_BANDS, device=pairs.device))[:, None]
    waves = torch.cat([scaled.sin(), scaled.cos()], -1)
    return torch.cat([pairs, waves.flatten(-2)], -1)


def forward_differences(values: Tensor, visible: Tensor) -> Tensor:
    """(N, T, C) change to the next frame; 0 where the point is not visible there, and in the last frame.

    Args:
        values: (N, T, C).
        visible: (N, T) bool.
    """
    steps = (values[:, 1:] - values[:, :-1]) * visible[:, 1:, None]
    return F.pad(steps, (0, 0, 0, 1))


def point_features(
    positions: Tensor,
    visible: Tensor,
    visibility: Tensor,
    confidence: Tensor,
    depth: Tensor | None = None,
    semantics: Tensor | None = None,
    *,
    config: ModelConfig = RELEASED,
) -> Tensor:
    """What the motion encoder sees of every trajectory in every frame (paper, section 3.1).

    Args:
        positions: (N, T, 2) in [-1, 1], finite.
        visible: (N, T) bool.
        visibility: (N, T) probability that the point is visible.
        confidence: (N, T) gated confidence, 0..1.
        depth: (N, T) relative inverse depth at the points in 0..1 (near = 1), finite; None gives 0.
        semantics: (N, 768), used with `config.early_semantics` only; None gives 0.
        config: which channels there are.

    Returns:
        (N, T, C), C = `config.point_channels`: position (42), displacement to the next frame (42), depth, its
        change, visibility, confidence, and early semantics if there are any.
    """
    encode = frequency_encoding if config.frequency_encoding else nn.Identity()
    parts = [encode(positions), encode(forward_differences(positions, visible))]
    if config.depth:
        depth = torch.zeros_like(visibility) if depth is None else depth
        parts += [depth[..., None], forward_differences(depth[..., None], visible)]
    parts += [visibility[..., None], confidence[..., None]]
    if config.early_semantics:
        parts.append(_semantics_or_zeros(semantics, positions)[:, None].expand(-1, positions.shape[1], -1))
    return torch.cat(parts, -1)


def _semantics_or_zeros(semantics: Tensor | None, like: Tensor) -> Tensor:
    return like.new_zeros(len(like), SEMANTIC_WIDTH) if semantics is None else semantics


# ------------------------------------------------------------------------------------------------ attention


class Attention(nn.Module):
    """Multi-head attention with the parameters of torch's module, at half its time on a CPU (no mask is expanded)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        self.heads = heads
        self.dropout = dropout
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, x: Tensor, memory: Tensor | None = None, keys: Tensor | None = None) -> Tensor:
        """Attends within every row.

        Args:
            x: (B, L, C) queries.
            memory: (B, S, C) keys and values, or None for `x`.
            keys: (B, S) bool, which keys may be attended to, at least one per row; None for all.

        Returns:
            (B, L, C).
        """
        if memory is None:
            projected = F.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, -1)
        else:
            width = x.shape[-1]
            query = F.linear(x, self.in_proj_weight[:width], self.in_proj_bias[:width])
            rest = F.linear(memory, self.in_proj_weight[width:], self.in_proj_bias[width:])
            projected = (query, *rest.chunk(2, -1))
        query, key, value = (p.unflatten(-1, (self.heads, -1)).transpose(1, 2) for p in projected)
        mask = None if keys is None else keys[:, None, None]
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))


# ------------------------------------------------------------------------------------------------ motion encoder


class PointwiseLinear(nn.Conv2d):
    """A linear layer on the last dimension whose weight has a 1x1 convolution's shape, as in the checkpoint."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.flatten(1), self.bias)


@dataclass(frozen=True)
class Keys:
    """Who may be attended to in the motion encoder; every row has at least one True.

    Args:
        time: (N, T) bool, along a trajectory.
        space: (T, N) bool, across the trajectories of a frame.
    """

    time: Tensor
    space: Tensor

    @classmethod
    def visible(cls, visible: Tensor) -> Keys:
        """The (N, T) visible points; of a trajectory that has none its first point, in a frame without any all."""
        first = torch.arange(visible.shape[1], device=visible.device) == 0
        time = visible | (first & ~visible.any(1, keepdim=True))
        return cls(time, (time | ~time.any(0)).T)


class SpaceTimeLayer(nn.Module):
    """What the encoder's and the decoder's layers share: one set of attention weights for time and for space."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.self_attn = Attention(MOTION_WIDTH, MOTION_HEADS, config.dropout)
        self.linear1 = nn.Linear(MOTION_WIDTH, MOTION_FFN)
        self.linear2 = nn.Linear(MOTION_FFN, MOTION_WIDTH)
        self.norm1 = nn.LayerNorm(MOTION_WIDTH)
        self.norm2 = nn.LayerNorm(MOTION_WIDTH)
        self.dropout = nn.Dropout(config.dropout)
        self.spatial_attention = config.spatial_attention

    def along_time(self, x: Tensor, keys: Keys) -> Tensor:
        return self.dropout(self.self_attn(x, keys=keys.time))

    def across_tracks(self, x: Tensor, keys: Keys) -> Tensor:
        return self.dropout(self.self_attn(x.transpose(0, 1), keys=keys.space).transpose(0, 1))

    def feed_forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.linear2(self.dropout(F.relu(self.linear1(x)))))


class EncoderLayer(SpaceTimeLayer):
    """(N, T, 16) -> (N, T, 16). The norms have the checkpoint's names, which do not follow their order."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        if self.spatial_attention:
            self.norm3 = nn.LayerNorm(MOTION_WIDTH)

    def forward(self, x: Tensor, keys: Keys) -> Tensor:
        x = self.norm1(x + self.along_time(x, keys))
        if self.spatial_attention:
            x = self.norm3(x + self.across_tracks(x, keys))
        return self.norm2(x + self.feed_forward(x))


class DecoderLayer(SpaceTimeLayer):
    """Like `EncoderLayer`, and attends to the encoder's answer for the same trajectory, hidden points included."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.multihead_attn = Attention(MOTION_WIDTH, MOTION_HEADS, config.dropout)
        self.norm3 = nn.LayerNorm(MOTION_WIDTH)
        if self.spatial_attention:
            self.norm4 = nn.LayerNorm(MOTION_WIDTH)

    def forward(self, x: Tensor, memory: Tensor, keys: Keys) -> Tensor:
        x = self.norm1(x + self.along_time(x, keys))
        if self.spatial_attention:
            x = self.norm4(x + self.across_tracks(x, keys))
        x = self.norm2(x + self.dropout(self.multihead_attn(x, memory)))
        return self.norm3(x + self.feed_forward(x))


class LayerStack(nn.Module):
    """Layers one after the other, and a norm at the end."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(MOTION_WIDTH)

    def forward(self, x: Tensor, *context: Tensor | Keys) -> Tensor:
        for layer in self.layers:
            x = layer(x, *context)
        return self.norm(x)


class SpaceTimeTransformer(nn.Module):
    """(N, T, 16) -> (N, T, 16); encoder and decoder both start from the same tokens."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.encoder = LayerStack([EncoderLayer(config) for _ in range(MOTION_LAYERS)])
        self.decoder = LayerStack([DecoderLayer(config) for _ in range(MOTION_LAYERS)])
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, x: Tensor, keys: Keys) -> Tensor:
        return self.decoder(x, self.encoder(x, keys), keys)


class MotionEncoder(nn.Module):
    """One motion descriptor per trajectory (paper, section 3.2)."""

    def __init__(self, config: ModelConfig = RELEASED) -> None:
        super().__init__()
        self.input_fc1 = PointwiseLinear(config.point_channels, MOTION_WIDTH)
        self.fc2 = PointwiseLinear(MOTION_WIDTH, MOTION_WIDTH)
        self.transformer_model = SpaceTimeTransformer(config)

    def forward(self, features: Tensor, visible: Tensor) -> Tensor:
        """(N, T, C) `point_features` and (N, T) bool -> (N, 16)."""
        tokens = F.relu(self.fc2(F.relu(self.input_fc1(features))))
        # The maximum is taken over all frames, those in which the point is hidden included.
        return self.transformer_model(tokens, Keys.visible(visible)).amax(1)


# ------------------------------------------------------------------------------------------------ tracks decoder


def _feed_forward(inputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, TRACK_FFN), nn.ReLU(), nn.Linear(TRACK_FFN, TRACK_WIDTH))


class Embedding(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.embedding = nn.Linear(inputs, TRACK_WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.embedding(x)


class SemanticLayer(nn.Module):
    """Attention among the trajectories' motions; semantics come in after it, so that they never steer it."""

    def __init__(self, semantic_channels: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(TRACK_WIDTH, TRACK_HEADS, dropout)
        self.ffn = _feed_forward(TRACK_WIDTH + semantic_channels)
        self.norm1 = nn.LayerNorm(TRACK_WIDTH)
        self.norm2 = nn.LayerNorm(TRACK_WIDTH)
        self.dropout = nn.Dropout(dropout)

    def forward(self, memory: Tensor, semantics: Tensor | None) -> Tensor:
        """(1, N, 128) and (1, N, 768) or None -> (1, N, 128)."""
        memory = self.norm1(memory + self.dropout(self.attention(memory)))
        inputs = memory if semantics is None else torch.cat([memory, semantics], -1)
        return self.norm2(memory + self.dropout(self.ffn(inputs)))


class MotionLayer(nn.Module):
    """Attention among the motions, then to what the semantic layers found."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.self_attention = Attention(TRACK_WIDTH, TRACK_HEADS, dropout)
        self.cross_attention = Attention(TRACK_WIDTH, TRACK_HEADS, dropout)
        self.ffn = _feed_forward(TRACK_WIDTH)
        self.norm1 = nn.LayerNorm(TRACK_WIDTH)
        self.norm2 = nn.LayerNorm(TRACK_WIDTH)
        self.norm3 = nn.LayerNorm(TRACK_WIDTH)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        """(1, N, 128) and (1, N, 128) -> (1, N, 128)."""
        x = self.norm1(x + self.dropout(self.self_attention(x)))
        x = self.norm2(x + self.dropout(self.cross_attention(x, memory)))
        return self.norm3(x + self.dropout(self.ffn(x)))


class TracksDecoder(nn.Module):
    """Motion-semantic decoupled embedding (paper, section 3.3)."""

    def __init__(self, config: ModelConfig = RELEASED) -> None:
        super().__init__()
        self.decoupled = config.decoupled
        late = SEMANTIC_WIDTH if config.semantics and config.decoupled else 0
        self.embedding = Embedding(config.embedding_channels)
        self.encoders = nn.ModuleList([SemanticLayer(late, config.dropout) for _ in range(TRACK_LAYERS)])
        self.decoders = nn.ModuleList([MotionLayer(config.dropout) for _ in range(TRACK_LAYERS)])
        self.output_layer = nn.Linear(TRACK_WIDTH, 1)

    def forward(self, motion: Tensor, semantics: Tensor | None) -> Tensor:
        """(N, 16) motion descriptors and (N, 768) semantics, or None for a model without -> (N,) logits."""
        if semantics is not None and not self.decoupled:
            motion, semantics = torch.cat([motion, semantics], -1), None
        # Attention works within rows, and all the trajectories are one row.
        x = memory = self.embedding(motion)[None]
        semantics = None if semantics is None else semantics[None]
        for layer in self.encoders:
            memory = layer(memory, semantics)
        for layer in self.decoders:
            x = layer(x, memory)
        return self.output_layer(x)[0, :, 0]


# ------------------------------------------------------------------------------------------------ the whole model


class SegAnyMo(nn.Module):
    """The trajectory model, features to logits. In training mode it has the paper's dropout."""

    def __init__(self, config: ModelConfig = RELEASED) -> None:
        super().__init__()
        self.config = config
        self.joint_encoder = MotionEncoder(config)
        self.decoder = TracksDecoder(config)

    def forward(self, features: Tensor, visible: Tensor, semantics: Tensor | None = None) -> Tensor:
        """Logits of P(moves by itself); the release's output is their sigmoid.

        Args:
            features: (N, T, C) float32 of `point_features`, N and T at least 1.
            visible: (N, T) bool. Every trajectory should be visible somewhere, and every frame have a visible one.
            semantics: (N, 768) DINO descriptors at the query frames, not normalised; None gives 0.

        Returns:
            (N,) float32 logits.
        """
        motion = self.joint_encoder(features, visible)
        late = _semantics_or_zeros(semantics, features) if self.config.semantics else None
        return self.decoder(motion, late)
