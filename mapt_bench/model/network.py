"""The parts of MAPT joined: a trunk, four heads and a fusion."""

import hashlib
import json
from typing import NamedTuple
from uuid import uuid4

import torch
from torch import Tensor, nn

from mapt_bench.devices import FLOAT32, autocast
from mapt_bench.model.appearance import AppearanceHead
from mapt_bench.model.backbone import build_backbone, prepare_images
from mapt_bench.model.config import MaptConfig
from mapt_bench.model.config_files import mapt_config_to_dict
from mapt_bench.model.conv_layers import head_norm
from mapt_bench.model.fpn import TwoWayFPN
from mapt_bench.model.instance import InstanceHead
from mapt_bench.model.motion import MotionHead
from mapt_bench.model.panoptic_fusion import FusedFrame, PanopticFusion
from mapt_bench.model.semantic import SemanticHead, SemanticOutput

__all__ = ["FrameFeatures", "MaptNetwork"]


class FrameFeatures(NamedTuple):
    """What the trunk and the semantic head see in frames.

    Attributes:
        levels: The pyramid at strides 4, 8, 16 and 32; before them that at stride 2, if there is
            one.
        semantic: Logits, and the features ``S``.
        reduced: The map ``R`` of the motion head; ``None`` where there is no such head.
        images: The frames, normalised and padded, as every part reads them.
    """

    levels: list[Tensor]
    semantic: SemanticOutput
    reduced: Tensor | None
    images: Tensor

    def in_float32(self) -> "FrameFeatures":
        """Return the same in float32, without copies where they are already."""
        return FrameFeatures(
            [level.float() for level in self.levels],
            SemanticOutput(*(part.float() for part in self.semantic)),
            None if self.reduced is None else self.reduced.float(),
            self.images.float(),
        )


class MaptNetwork(nn.Module):
    """Everything that has weights.

    Args:
        config: What it is made of.

    Attributes:
        motion: ``None`` if the configuration leaves it out.
        appearance: The same.
        source: Which weights these are.
        cue_source: Which weights the cues of single frames are of: see :meth:`cue_fingerprint`.
            Cues of another source mean nothing to these weights.
        title: What messages call them.
        switches: Components removed or changed at inference; see
            :func:`~mapt_bench.model.switches.switched`.
    """

    def __init__(self, config: MaptConfig) -> None:
        super().__init__()
        self.config = config
        self.source = self.cue_source = f"unsaved-{uuid4().hex}"
        self.title = "the model"
        self.switches: tuple[str, ...] = ()
        norm, width = head_norm(config.norm), config.fpn.channels
        self.backbone = build_backbone(config.backbone, norm=config.norm)
        self.fpn = TwoWayFPN(config.fpn, self.backbone.channels, norm=norm)
        self.semantic = SemanticHead(
            config.semantic, width, config.labels, norm=norm, feature_stride=config.motion.stride
        )
        classes = len(config.labels.thing_ids)
        self.instance = InstanceHead(
            config.instance, width, classes, norm=norm, finest=config.fpn.finest_stride
        )
        self.motion = MotionHead(config.motion) if config.propagation == "motion" else None
        self.appearance = self._appearance_head() if config.appearance.enabled else None
        self.fusion = PanopticFusion(config.fusion, config.labels)

    def _appearance_head(self) -> AppearanceHead:
        config = self.config
        return AppearanceHead(
            config.appearance,
            config.fpn.channels,
            None if self.motion is None else config.motion.out_channels,
            samples=config.instance.pool_samples,
            canonical_scale=config.instance.canonical_scale,
            finest=config.fpn.finest_stride,
        )

    @property
    def identity(self) -> tuple[str, tuple[str, ...]]:
        """Names what the heads make of given cues: equal for equal weights, equally switched."""
        return self.source, self.switches

    def detector_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the parts that see single frames."""
        parts = (self.backbone, self.fpn, self.semantic, self.instance)
        return [parameter for part in parts for parameter in part.parameters()]

    def cue_modules(self) -> list[nn.Module]:
        """Return the parts that decide the cues of a frame: all that see single frames.

        What is behind them compares two frames: offsets, gate and kernels of the motion head, and
        the layers that make embeddings.
        """
        parts: list[nn.Module] = [self.backbone, self.fpn, self.semantic]
        if self.motion is not None:
            parts.append(self.motion.reduction)
            if self.motion.matcher is not None:
                parts += [self.motion.matcher.stem, self.motion.matcher.describe]
        if self.appearance is not None and self.appearance.colours is not None:
            parts.append(self.appearance.colours)
        return parts

    def link_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of both heads that compare two frames: cues do not depend on them.

        The instance head, which only detects, is not among them.
        """
        fixed = {each for part in self.cue_modules() for each in part.parameters()}
        heads = [head for head in (self.motion, self.appearance) if head is not None]
        return [each for head in heads for each in head.parameters() if each not in fixed]

    def cue_fingerprint(self) -> str:
        """Return a hash of all that decides the cues of a frame.

        Networks that differ only in the parts behind the cues have the same one. So segments with
        cues of one of them can be linked by all of them.
        """
        config = mapt_config_to_dict(self.config)
        digest = hashlib.sha256(json.dumps({**config, "losses": None}, sort_keys=True).encode())
        for part in self.cue_modules():
            for name, value in part.state_dict().items():
                digest.update(name.encode())
                digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.parameters()).device

    def features(self, images: Tensor) -> FrameFeatures:
        """Run all that is run once a frame, whatever is looked for in it.

        Args:
            images: RGB in ``[0, 1]`` of shape ``(batch, 3, height, width)``.
        """
        config = self.config
        prepared = prepare_images(images, mean=config.pixel_mean, std=config.pixel_std)
        levels = self.fpn(self.backbone(prepared))
        semantic = self.semantic(levels[-self.semantic.level_count :])
        reduced = None
        if self.motion is not None:
            source = semantic.features
            kept = source.detach() if config.losses.stop_gradient else source
            reduced = self.motion.reduce(kept, prepared)
        return FrameFeatures(levels, semantic, reduced, prepared)

    @torch.no_grad()
    def find(
        self, images: Tensor, *, precision: str = FLOAT32
    ) -> tuple[FrameFeatures, list[FusedFrame]]:
        """Return the features of frames, and what is found in each, every pixel settled.

        Args:
            images: RGB in ``[0, 1]`` of shape ``(batch, 3, height, width)``.
            precision: In which trunk and heads compute. Frames are fused in float32.
        """
        height, width = images.shape[2:]
        with autocast(self.device, precision):
            features = self.features(images)
            detections = self.instance.detect(features.levels, (height, width))
        features = features.in_float32()
        stride = self.semantic.logits_stride
        return features, [
            self.fusion(logits, found.in_float32(), (height, width), stride=stride)
            for logits, found in zip(features.semantic.logits, detections, strict=True)
        ]
