"""The instance head: things as boxes, classes and masks.

Mask R-CNN (He et al. 2017, arXiv:1703.06870) on torchvision's pieces, with the modifications of
Mohan and Valada 2021, "EfficientPS" (arXiv:2004.02307): norms in every branch and separable
convolutions for masks.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.models.detection.roi_heads import RoIHeads, project_masks_on_boxes
from torchvision.ops import box_iou

from mapt_bench.model import kernels
from mapt_bench.model.config import InstanceConfig
from mapt_bench.model.conv_layers import ConvNorm, MakeNorm, SeparableConv, normed
from mapt_bench.model.fpn import PYRAMID_LEVELS
from mapt_bench.model.mask_outputs import MaskPredictor, OverlapPredictor, mask_overlaps
from mapt_bench.model.proposals import (
    ProposalNetwork,
    crowd_share,
    generator_of_each,
    jittered_boxes,
    mean_over_images,
    sample_balanced,
)
from mapt_bench.model.region_pool import RegionPool
from mapt_bench.model.targets import FrameTargets

__all__ = ["Detections", "InstanceHead", "TwiceRead"]

_SLOPE = 0.01
_LARGER_THAN_ANY = 2**24
"""Side of a region in pixels: if regions of this side were read at stride 16, all that are smaller
by far are read at the finest level."""
_ROUND = 32
_UNLABELLED = -100
"""Label of a region that teaches nothing: what cross-entropy leaves out."""


class Detections(NamedTuple):
    """Things found in one image, best first.

    Attributes:
        boxes: Shape ``(n, 4)``: left, top, right, bottom in pixels, inside the image.
        labels: ``int64`` of shape ``(n,)``: position among the thing classes, from 1.
        scores: Shape ``(n,)`` in ``[0, 1]``.
        mask_logits: Shape ``(n, 28, 28)``: of each thing's own class, laid over its box.
    """

    boxes: Tensor
    labels: Tensor
    scores: Tensor
    mask_logits: Tensor

    def chosen(self, which: Tensor) -> "Detections":
        """Return some of them, by index."""
        return Detections(*(part[which] for part in self))

    def in_float32(self) -> "Detections":
        """Return the same with all numbers but labels in float32."""
        return Detections(
            self.boxes.float(), self.labels, self.scores.float(), self.mask_logits.float()
        )


class InstanceHead(nn.Module):
    """Find things in the pyramid.

    Args:
        config: Widths, anchors, samples and thresholds.
        in_channels: Channels of every level.
        classes: Number of thing classes.
        norm: Makes the norms.
        finest: Stride of the finest level that regions are read from: 4 or 2.
    """

    def __init__(
        self,
        config: InstanceConfig,
        in_channels: int,
        classes: int,
        *,
        norm: MakeNorm,
        finest: int = 4,
    ) -> None:
        super().__init__()
        self.config = config
        self.proposals = ProposalNetwork(config, in_channels)
        self.regions = RoIHeads(
            _pool(config.box_pool, config, finest),
            _BoxHead(in_channels * config.box_pool**2, config.box_channels, norm=norm),
            FastRCNNPredictor(config.box_channels, classes + 1),
            fg_iou_thresh=config.roi_iou,
            bg_iou_thresh=config.roi_iou,
            batch_size_per_image=config.roi_samples,
            positive_fraction=config.roi_positives,
            bbox_reg_weights=(10.0, 10.0, 5.0, 5.0),
            score_thresh=config.score_threshold,
            nms_thresh=config.detection_nms,
            detections_per_img=config.detections,
            mask_roi_pool=_mask_pool(config, finest),
            mask_head=_mask_head((1 + config.mask_fine) * in_channels, config, norm=norm),
            mask_predictor=MaskPredictor(config.mask_channels, classes),
        )
        self.overlap = (
            None
            if config.iou_channels is None
            else OverlapPredictor(config.mask_channels, config.iou_channels, classes)
        )

    @property
    def loss_names(self) -> tuple[str, ...]:
        """What :meth:`losses` returns."""
        names = ("objectness", "proposal", "class", "box", "mask")
        return tuple(
            f"loss_{name}" for name in (*names, *(() if self.overlap is None else ("iou",)))
        )

    def losses(
        self,
        levels: Sequence[Tensor],
        image_size: tuple[int, int],
        targets: Sequence[FrameTargets],
        *,
        generators: Sequence[torch.Generator] | None = None,
    ) -> dict[str, Tensor]:
        """Return the losses of one step of training.

        Every loss is a mean over images of what each gives by itself: the parts of a batch may lie
        in several processes.

        Args:
            levels: The pyramid at strides ``finest`` to 32, each of shape ``(batch, in_channels,
                height, width)``. Proposals come from strides 4 to 32.
            image_size: Height and width of the images before padding.
            targets: One an image; there may be no thing in it.
            generators: On the CPU, one an image, for the choice of anchors and regions; torch's
                own if not given. With one of its own, what an image teaches does not depend on
                its batch.

        Returns:
            Scalars: ``loss_objectness``, ``loss_proposal``, ``loss_class``, ``loss_box`` and
            ``loss_mask``; and ``loss_iou``, where overlaps are predicted.
        """
        proposals, losses = self.proposals(
            levels[-PYRAMID_LEVELS:], image_size, targets, generators=generators
        )
        drawn = [
            self._regions(boxes, target, image_size, generator)
            for boxes, target, generator in zip(
                proposals, targets, generator_of_each(generators, len(targets)), strict=True
            )
        ]
        return {
            **losses,
            **self._box_losses(levels, drawn, targets),
            **self._mask_losses(levels, drawn, targets),
        }

    @torch.no_grad()
    def detect(self, levels: Sequence[Tensor], image_size: tuple[int, int]) -> list[Detections]:
        """Return what is found in each image.

        Args:
            levels: As in :meth:`losses`.
            image_size: Height and width of the images before padding.
        """
        proposals, _ = self.proposals(levels[-PYRAMID_LEVELS:], image_size)
        sizes = [image_size] * len(proposals)
        logits, deltas = self._classified(levels, proposals)
        boxes, scores, labels = self.regions.postprocess_detections(
            logits, deltas, proposals, sizes
        )
        counts = [len(found) for found in labels]
        logits, overlaps = self._masks(levels, boxes, torch.cat(labels))
        masks = torch.split(logits, counts)
        found = [Detections(*each) for each in zip(boxes, labels, scores, masks, strict=True)]
        if overlaps is None:
            return found
        factors = torch.split(overlaps.float().sigmoid() ** self.config.iou_power, counts)
        return [self._rescored(*each) for each in zip(found, factors, strict=True)]

    def _rescored(self, found: Detections, factors: Tensor) -> Detections:
        """Return what is still above the threshold when its mask is known, best first."""
        scores = found.scores * factors
        order = scores.argsort(descending=True, stable=True)
        kept = order[scores[order] >= self.config.score_threshold]
        return found._replace(scores=scores).chosen(kept)

    def _classified(
        self, levels: Sequence[Tensor], boxes: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        pooled = self.regions.box_roi_pool(levels, boxes)
        logits, deltas = self.regions.box_predictor(self.regions.box_head(pooled))
        return logits.float(), deltas.float()

    def _masks(
        self, levels: Sequence[Tensor], boxes: Sequence[Tensor], labels: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Return mask logits, and logits of their overlaps with things."""
        side = 2 * self.config.mask_pool
        if not len(labels):
            nothing = levels[0].new_zeros(0, side, side)
            return nothing, None if self.overlap is None else nothing[:, 0, 0]
        features = self.regions.mask_head(self.regions.mask_roi_pool(levels, boxes))
        logits: Tensor = self.regions.mask_predictor(features, labels)
        return logits, None if self.overlap is None else self.overlap(features, logits, labels)

    def _regions(
        self,
        proposals: Tensor,
        target: FrameTargets,
        image_size: tuple[int, int],
        generator: torch.Generator | None,
    ) -> "_Regions":
        # True boxes join, as usual: early proposals hit nothing.
        moved = jittered_boxes(
            target.boxes, self.config.roi_jitter, image_size, generator=generator
        )
        boxes = torch.cat((proposals, target.boxes, moved))
        if not len(boxes):
            height, width = image_size
            boxes = proposals.new_tensor([[0.0, 0.0, width, height]])
        overlap = box_iou(target.boxes, boxes)
        if len(target.boxes):
            best, gt_index = overlap.max(0)
        else:
            best, gt_index = (
                boxes.new_zeros(len(boxes)),
                boxes.new_zeros(len(boxes), dtype=torch.long),
            )
        is_thing = best >= self.config.roi_iou
        is_background = ~is_thing
        if target.crowd.any():
            is_background &= crowd_share(boxes, target.crowd) <= self.config.crowd_share
        things, background = sample_balanced(
            is_thing,
            is_background,
            count=self.config.roi_samples,
            thing_share=self.config.roi_positives,
            generator=generator,
        )
        drawn = torch.cat((things, background))
        if not len(drawn):  # all is crowd
            nothing = torch.full((1,), _UNLABELLED, device=boxes.device)
            return _Regions(boxes[:1], nothing, gt_index[:0])
        labels = torch.zeros_like(drawn)
        labels[: len(things)] = target.labels[gt_index[things]]
        return _Regions(boxes[drawn], labels, gt_index[things])

    def _box_losses(
        self,
        levels: Sequence[Tensor],
        drawn: Sequence["_Regions"],
        targets: Sequence[FrameTargets],
    ) -> dict[str, Tensor]:
        logits, deltas = self._classified(levels, [regions.boxes for regions in drawn])
        labels = torch.cat([regions.labels for regions in drawn])
        wrong = functional.cross_entropy(logits, labels, ignore_index=_UNLABELLED, reduction="none")
        counts = [len(regions.boxes) for regions in drawn]
        thing_counts = [len(regions.gt_index) for regions in drawn]
        things = (labels > 0).nonzero().flatten()
        wanted = [
            self.regions.box_coder.encode_single(target.boxes[regions.gt_index], regions.things)
            for regions, target in zip(drawn, targets, strict=True)
        ]
        far = functional.smooth_l1_loss(
            deltas.view(len(labels), -1, 4)[things, labels[things]],
            torch.cat(wanted),
            reduction="none",
        )
        return {
            "loss_class": mean_over_images(wrong, counts, counts),
            "loss_box": mean_over_images(far, thing_counts, counts),
        }

    def _mask_losses(
        self,
        levels: Sequence[Tensor],
        drawn: Sequence["_Regions"],
        targets: Sequence[FrameTargets],
    ) -> dict[str, Tensor]:
        counts = [len(regions.gt_index) for regions in drawn]
        if not any(counts):
            # A mask that counts for nothing: every parameter then has a gradient, of zero, as
            # processes that add up their gradients expect.
            boxes = [regions.boxes[: index == 0] for index, regions in enumerate(drawn)]
            unwanted, overlap = self._masks(levels, boxes, torch.ones_like(drawn[0].labels[:1]))
            losses = {"loss_mask": 0 * unwanted.sum()}
            return losses if overlap is None else {**losses, "loss_iou": 0 * overlap.sum()}
        labels = torch.cat([regions.labels[: len(regions.gt_index)] for regions in drawn])
        boxes = [regions.things for regions in drawn]
        logits, overlap = self._masks(levels, *_filled_up(boxes, labels))
        logits = logits[: len(labels)].float()
        side = logits.shape[-1]
        wanted = torch.cat(
            [
                _in_boxes(target.masks, regions.things, regions.gt_index, side)
                for regions, target in zip(drawn, targets, strict=True)
                if len(regions.gt_index)
            ]
        )
        wrong = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        each = wrong.mean((1, 2))
        if self.config.mask_dice:
            each = each + self.config.mask_dice * _soft_dice(logits, wanted)
        losses = {"loss_mask": mean_over_images(each, counts, counts)}
        if overlap is not None:
            areas = torch.cat(
                [
                    target.masks.flatten(1).sum(1)[regions.gt_index]
                    for regions, target in zip(drawn, targets, strict=True)
                ]
            )
            reached = mask_overlaps(logits.detach(), wanted, torch.cat(boxes), areas)
            unsure = functional.binary_cross_entropy_with_logits(
                overlap[: len(labels)].float(), reached, reduction="none"
            )
            losses["loss_iou"] = mean_over_images(unsure, counts, counts)
        return losses


def _in_boxes(masks: Tensor, boxes: Tensor, whose: Tensor, side: int) -> Tensor:
    if kernels.are_there(masks.device):
        return kernels.pooled_masks(masks, boxes, whose, side)
    projected: Tensor = project_masks_on_boxes(masks, boxes, whose, side)
    return projected


def _filled_up(boxes: Sequence[Tensor], labels: Tensor) -> tuple[list[Tensor], Tensor]:
    """Add regions at the end, of no matter what, up to a round number of them.

    For each number of maps convolutions are prepared anew, which may take longer than they do.
    """
    missing = -len(labels) % _ROUND
    whole = labels.new_tensor([0, 0, 1, 1]).to(boxes[-1].dtype).expand(missing, 4)
    return [*boxes[:-1], torch.cat((boxes[-1], whole))], torch.cat(
        (labels, labels.new_ones(missing))
    )


class _Regions(NamedTuple):
    """The regions of an image that are learnt from: things first, then background.

    ``boxes`` are ``(n, 4)``, ``labels`` ``(n,)`` with 0 for background; ``gt_index`` says for each
    of the things which true one it is.
    """

    boxes: Tensor
    labels: Tensor
    gt_index: Tensor

    @property
    def things(self) -> Tensor:
        return self.boxes[: len(self.gt_index)]


class _BoxHead(nn.Module):
    """Two fully connected layers, each with its norm."""

    def __init__(self, in_features: int, channels: int, *, norm: MakeNorm) -> None:
        super().__init__()
        self.first = nn.Linear(in_features, channels, bias=False)
        self.first_norm = norm(channels)
        self.second = nn.Linear(channels, channels, bias=False)
        self.second_norm = norm(channels)

    def forward(self, pooled: Tensor) -> Tensor:
        x = normed(self.first(pooled.flatten(1))[..., None, None], self.first_norm, slope=_SLOPE)
        x = self.second(x.flatten(1))[..., None, None]
        return normed(x, self.second_norm, slope=_SLOPE).flatten(1)


def _soft_dice(logits: Tensor, wanted: Tensor) -> Tensor:
    """Return one minus the soft Dice coefficient of each mask, shape ``(n,)``."""
    found = logits.sigmoid()
    both = (found * wanted).sum((1, 2))
    return 1 - (2 * both + 1) / (found.sum((1, 2)) + wanted.sum((1, 2)) + 1)


class TwiceRead(nn.Module):
    """Read regions at the level of their size and at the finest, side by side.

    Args:
        of_size: Reads at the level of their size.
        fine: Reads at the finest.
    """

    def __init__(self, of_size: RegionPool, fine: RegionPool) -> None:
        super().__init__()
        self.of_size, self.fine = of_size, fine

    def forward(self, levels: Sequence[Tensor], boxes: Sequence[Tensor]) -> Tensor:
        """Return both maps of each region, one after the other in their channels."""
        return torch.cat((self.of_size(levels, boxes), self.fine(levels, boxes)), dim=1)


def _mask_pool(config: InstanceConfig, finest: int) -> nn.Module:
    of_size = _pool(config.mask_pool, config, finest)
    if not config.mask_fine:
        return of_size
    return TwiceRead(
        of_size,
        RegionPool(
            config.mask_pool,
            samples=config.pool_samples,
            canonical_scale=_LARGER_THAN_ANY,
            finest=finest,
        ),
    )


def _pool(side: int, config: InstanceConfig, finest: int) -> RegionPool:
    return RegionPool(
        side, samples=config.pool_samples, canonical_scale=config.canonical_scale, finest=finest
    )


def _mask_head(in_channels: int, config: InstanceConfig, *, norm: MakeNorm) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(config.mask_convs):
        if config.mask_separable:
            layers.append(SeparableConv(in_channels, config.mask_channels, norm=norm))
        else:
            layers.append(ConvNorm(in_channels, config.mask_channels, 3, norm=norm))
        in_channels = config.mask_channels
    return nn.Sequential(*layers)
