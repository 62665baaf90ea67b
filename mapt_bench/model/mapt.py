"""MAPT: a trunk, four heads and a fusion, joined.

After Hurtado et al., *Learning Appearance and Motion Cues for Panoptic Tracking*
(arXiv:2503.09191).
"""

import zlib
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mapt_bench.errors import DataError
from mapt_bench.model.appearance import AppearanceHead
from mapt_bench.model.backbone import build_backbone, prepare_images
from mapt_bench.model.config import MaptConfig
from mapt_bench.model.fpn import TwoWayFPN
from mapt_bench.model.instance import InstanceHead
from mapt_bench.model.layers import head_norm
from mapt_bench.model.linking_losses import (
    Looks,
    earlier_and_later_masks,
    grid_masks,
    jittered_masks,
    mask_loss,
    matching_loss,
)
from mapt_bench.model.motion import MotionHead
from mapt_bench.model.panoptic_fusion import FusedFrame, PanopticFusion
from mapt_bench.model.semantic import SemanticHead, SemanticOutput
from mapt_bench.model.targets import Clip, FrameTargets

__all__ = ["MAPT", "FrameFeatures", "build_mapt"]


class FrameFeatures(NamedTuple):
    """What the trunk and the semantic head see in frames.

    Attributes:
        levels: The pyramid at strides 4, 8, 16 and 32.
        semantic: Logits, and the features ``S``.
        reduced: The map ``R`` of the motion head; ``None`` where there is no such head.
    """

    levels: list[Tensor]
    semantic: SemanticOutput
    reduced: Tensor | None


class MAPT(nn.Module):
    """The whole model.

    Args:
        config: What it is made of.

    Example:
        >>> from mapt_bench.model import mapt_config
        >>> model = MAPT(mapt_config("mapt-tiny"))
        >>> model.appearance is None
        False
    """

    def __init__(self, config: MaptConfig) -> None:
        super().__init__()
        self.config = config
        norm, width = head_norm(config.norm), config.fpn.channels
        self.backbone = build_backbone(config.backbone, norm=config.norm)
        self.fpn = TwoWayFPN(config.fpn, self.backbone.channels, norm=norm)
        self.semantic = SemanticHead(
            config.semantic, width, config.labels, norm=norm, feature_stride=config.motion.stride
        )
        classes = len(config.labels.thing_ids)
        self.instance = InstanceHead(config.instance, width, classes, norm=norm)
        self.motion = MotionHead(config.motion) if config.propagation == "motion" else None
        self.appearance = (
            AppearanceHead(
                config.appearance,
                width,
                None if self.motion is None else config.motion.out_channels,
                samples=config.instance.pool_samples,
                canonical_scale=config.instance.canonical_scale,
            )
            if config.appearance.enabled
            else None
        )
        self.fusion = PanopticFusion(config.fusion, config.labels)

    def forward(self, clips: Sequence[Clip]) -> dict[str, Tensor]:
        """Return the losses of one step of training.

        All that is drawn at random for a clip is a function of the clip itself. So its losses do
        not depend on the batch or the process that it is in.

        Args:
            clips: Pairs or triples; there may be no thing in them.

        Returns:
            Scalars, means over clips of what each clip gives by itself: those of the instance head,
            ``loss_semantic``, and ``loss_motion`` and ``loss_appearance`` where there are these
            heads.

        Raises:
            DataError: If there is no clip.
        """
        if not clips:
            raise DataError("there is no clip to learn from; give one or more")
        found = [self._clip_losses(clip) for clip in clips]
        losses = [of_clip for of_clip, _ in found]
        if self.appearance is not None:
            clip_looks = [looks for _, looks in found if looks is not None]
            for index, (of_clip, looks) in enumerate(zip(losses, clip_looks, strict=True)):
                others = [*clip_looks[:index], *clip_looks[index + 1 :]]
                among = others if self.config.appearance.negatives == "batch" else ()
                of_clip["loss_appearance"] = matching_loss(looks, self.appearance.scale, among)
        return {name: torch.stack([each[name] for each in losses]).mean() for name in losses[0]}

    def features(self, images: Tensor) -> FrameFeatures:
        """Run all that is run once a frame, whatever is looked for in it.

        Args:
            images: RGB in ``[0, 1]`` of shape ``(batch, 3, height, width)``.
        """
        config = self.config
        prepared = prepare_images(images, mean=config.pixel_mean, std=config.pixel_std)
        levels = self.fpn(self.backbone(prepared))
        semantic = self.semantic(levels)
        reduced = None
        if self.motion is not None:
            source = semantic.features
            reduced = self.motion.reduce(source.detach() if config.losses.stop_gradient else source)
        return FrameFeatures(levels, semantic, reduced)

    @torch.no_grad()
    def fused(self, features: FrameFeatures, image_size: tuple[int, int]) -> FusedFrame:
        """Return what is found in one frame, every pixel settled.

        Args:
            features: Of one frame.
            image_size: Its height and width before padding.
        """
        found = self.instance.detect(features.levels, image_size)[0]
        return self.fusion(features.semantic.logits[0], found, image_size)

    def _clip_losses(self, clip: Clip) -> tuple[dict[str, Tensor], Looks | None]:
        draws = _generator_of(clip)
        height, width = clip.images.shape[-2:]
        seen = self.features(clip.images)
        losses = self.instance.losses(
            seen.levels,
            (height, width),
            clip.targets,
            generators=[_drawn_generator(draws) for _ in clip.targets],
        )
        semantic = torch.stack([target.semantic for target in clip.targets])
        losses["loss_semantic"] = self.semantic.loss(seen.semantic.logits, semantic)
        carried = None
        if self.motion is not None and seen.reduced is not None:
            losses["loss_motion"], carried = self._motion_loss(
                self.motion, seen.reduced, clip.targets, draws
            )
        looks = None
        if self.appearance is not None:
            looks = self._looks(self.appearance, seen, carried, clip.targets, draws)
        return losses, looks

    def _motion_loss(
        self,
        head: MotionHead,
        reduced: Tensor,
        targets: Sequence[FrameTargets],
        draws: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Return the loss of a clip, and the features carried to each of its frames but the first.

        All pairs of neighbouring frames go through the head together.
        """
        settings = self.config.losses
        grid = (reduced.shape[2], reduced.shape[3])
        pairs = [
            earlier_and_later_masks(*pair, self.config.motion.stride, grid)
            for pair in pairwise(targets)
        ]
        jitters = float(torch.rand((), generator=draws)) < settings.jittered_masks
        masks = reduced.new_zeros(len(pairs), max(len(each[0]) for each in pairs), *grid)
        for index, (earlier, _, _) in enumerate(pairs):
            given = jittered_masks(earlier, draws) if jitters else earlier
            masks[index, : len(earlier)] = given
        output = head(reduced[:-1], reduced[1:], masks)
        found = [
            mask_loss(output.masks[index, in_both], later, bce=settings.motion_bce)
            for index, (_, in_both, later) in enumerate(pairs)
            if len(in_both)
        ]
        loss = torch.stack(found).mean() if found else 0 * output.masks.sum()
        return loss, output.features

    def _looks(
        self,
        head: AppearanceHead,
        seen: FrameFeatures,
        carried: Tensor | None,
        targets: Sequence[FrameTargets],
        draws: torch.Generator,
    ) -> Looks:
        levels = seen.levels
        if self.config.losses.stop_gradient:
            levels = [level.detach() for level in levels]
        described = head.describe(
            levels, [target.boxes for target in targets], [target.masks for target in targets]
        )
        counts = [len(target.labels) for target in targets]
        embeddings = []
        for frame, part in enumerate(torch.split(described, counts)):
            dropped = (
                float(torch.rand((), generator=draws)) < self.config.appearance.drop_propagated
            )
            propagated = None
            if frame > 0 and carried is not None and not head.is_static and not dropped:
                features = carried[frame - 1]
                masks = grid_masks(
                    targets[frame].masks,
                    self.config.motion.stride,
                    (features.shape[1], features.shape[2]),
                )
                propagated = head.propagated(features, masks)
            embeddings.append(head(part, propagated))
        device = described.device
        return Looks(
            torch.cat(embeddings),
            torch.cat([target.track_ids for target in targets]),
            torch.cat([target.labels for target in targets]),
            torch.repeat_interleave(torch.tensor(counts)).to(device),
        )


def build_mapt(config: MaptConfig) -> MAPT:
    """Return the model with random weights, drawn from torch's generator."""
    return MAPT(config)


def _generator_of(clip: Clip) -> torch.Generator:
    """Return what all draws for a clip are made from: its own contents decide.

    Then neither its place in a batch nor the process that it is in matters, and augmentation still
    changes what is drawn when the same frames come again.
    """
    some = clip.images[:, :, ::16, ::16].cpu().contiguous().numpy().tobytes()
    return torch.Generator().manual_seed(zlib.crc32(some, zlib.crc32(clip.name.encode())))


def _drawn_generator(draws: torch.Generator) -> torch.Generator:
    seed = torch.randint(2**62, (), generator=draws)
    return torch.Generator().manual_seed(int(seed))
