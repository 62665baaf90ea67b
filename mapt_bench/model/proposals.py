"""The region proposal network, and the sampling of boxes that a detector learns from.

Ren et al. 2015 (arXiv:1506.01497), on torchvision's pieces; what it is trained on is chosen here.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import (
    RegionProposalNetwork,
    RPNHead,
    concat_box_prediction_layers,
)
from torchvision.ops import box_iou

from mapt_bench.model import kernels
from mapt_bench.model.config import InstanceConfig
from mapt_bench.model.targets import FrameTargets

__all__ = [
    "ProposalNetwork",
    "crowd_share",
    "generator_of_each",
    "jittered_boxes",
    "mean_over_images",
    "sample_balanced",
]

_STRIDES = (4, 8, 16, 32)


class ProposalNetwork(nn.Module):
    """Propose boxes from the pyramid.

    Args:
        config: Anchors, samples and thresholds.
        in_channels: Channels of every level.
    """

    def __init__(self, config: InstanceConfig, in_channels: int) -> None:
        super().__init__()
        self.config = config
        sizes = tuple(
            tuple(scale * stride for scale in config.anchor_scales) for stride in _STRIDES
        )
        anchors = AnchorGenerator(sizes, (config.anchor_ratios,) * len(_STRIDES))
        head = RPNHead(in_channels, len(config.anchor_scales) * len(config.anchor_ratios))
        prior = config.objectness_prior
        nn.init.constant_(head.cls_logits.bias, math.log(prior / (1 - prior)))
        self.rpn = RegionProposalNetwork(
            anchors,
            head,
            fg_iou_thresh=config.anchor_iou[1],
            bg_iou_thresh=config.anchor_iou[0],
            batch_size_per_image=config.anchor_samples,
            positive_fraction=config.anchor_positives,
            pre_nms_top_n=dict(zip(("training", "testing"), config.proposals_before, strict=True)),
            post_nms_top_n=dict(zip(("training", "testing"), config.proposals_after, strict=True)),
            nms_thresh=config.proposal_nms,
        )
        self.rpn.box_similarity = _overlaps

    def forward(
        self,
        levels: Sequence[Tensor],
        image_size: tuple[int, int],
        targets: Sequence[FrameTargets] | None = None,
        *,
        generators: Sequence[torch.Generator] | None = None,
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        """Propose, and say what it costs.

        Args:
            levels: The pyramid at strides 4, 8, 16 and 32.
            image_size: Height and width before padding; boxes are cut off there.
            targets: One an image; without them there are no losses.
            generators: One an image, for the choice of anchors; torch's own if not given.

        Returns:
            Boxes of shape ``(n, 4)`` an image, best first, without gradient; and the losses
            ``loss_objectness`` and ``loss_proposal``.
        """
        maps, offsets = self.rpn.head(list(levels))
        per_level = [each[0].numel() for each in maps]
        anchors = self._anchors(levels, image_size)
        scores, deltas = concat_box_prediction_layers(maps, offsets)
        # Whatever precision the network runs in, boxes are worked out in float32.
        objectness = scores.float().view(len(levels[0]), -1)
        deltas = deltas.float().view(*objectness.shape, 4)
        with torch.no_grad():
            proposals = self._best(objectness, deltas, anchors, image_size, per_level)
        if targets is None:
            return proposals, {}
        losses = self._losses(
            objectness,
            deltas,
            anchors,
            targets,
            generator_of_each(generators, len(targets)),
        )
        return proposals, losses

    def _best(
        self,
        objectness: Tensor,
        deltas: Tensor,
        anchors: Tensor,
        image_size: tuple[int, int],
        per_level: Sequence[int],
    ) -> list[Tensor]:
        """Decode the best anchors of each level alone, and suppress what overlaps."""
        chosen, first, counts = [], 0, []
        for scores in torch.split(objectness, list(per_level), dim=1):
            count = min(self.rpn.pre_nms_top_n(), scores.shape[1])
            chosen.append(scores.topk(count, dim=1).indices + first)
            first += scores.shape[1]
            counts.append(count)
        best = torch.cat(chosen, dim=1)
        moved = deltas.gather(1, best[..., None].expand(-1, -1, 4))
        boxes = self.rpn.box_coder.decode(moved.flatten(0, 1), [anchors[best].flatten(0, 1)])
        proposals, _ = self.rpn.filter_proposals(
            boxes.view(*best.shape, 4),
            objectness.gather(1, best),
            [image_size] * len(best),
            counts,
        )
        found: list[Tensor] = proposals
        return found

    def _anchors(self, levels: Sequence[Tensor], image_size: tuple[int, int]) -> Tensor:
        """Return the anchors of an image, level by level, ``(n, 4)``."""
        rows, columns = levels[0].shape[-2:]
        # Only shapes are looked at: that of the padded images, and those of the levels. In half
        # precision anchors would lie up to a pixel off.
        nothing = torch.empty((), device=levels[0].device)
        images = nothing.expand(1, 1, rows * _STRIDES[0], columns * _STRIDES[0])
        anchors: list[Tensor] = self.rpn.anchor_generator(
            ImageList(images, [image_size]), [nothing.expand(level.shape) for level in levels]
        )
        return anchors[0]

    def _losses(
        self,
        objectness: Tensor,
        deltas: Tensor,
        anchors: Tensor,
        targets: Sequence[FrameTargets],
        generators: Sequence[torch.Generator | None],
    ) -> dict[str, Tensor]:
        drawn_of_all, things_of_all, truths, wanted, counts, thing_counts = [], [], [], [], [], []
        sides = anchors.t().contiguous()
        for image, (target, generator) in enumerate(zip(targets, generators, strict=True)):
            is_thing, is_background, gt_boxes = self._matched(anchors, target, sides)
            things, background = sample_balanced(
                is_thing,
                is_background,
                count=self.config.anchor_samples,
                thing_share=self.config.anchor_positives,
                generator=generator,
            )
            drawn = torch.cat((things, background))
            first = image * len(anchors)
            drawn_of_all.append(drawn + first)
            things_of_all.append(things + first)
            truths.append(is_thing[drawn])
            wanted.append(self.rpn.box_coder.encode_single(gt_boxes[things], anchors[things]))
            counts.append(len(drawn))
            thing_counts.append(len(things))
        # One read of all images: each read has a gradient of the size of what is read from.
        right = functional.binary_cross_entropy_with_logits(
            objectness.flatten()[torch.cat(drawn_of_all)],
            torch.cat(truths).to(objectness.dtype),
            reduction="none",
        )
        near = functional.smooth_l1_loss(
            deltas.flatten(0, 1)[torch.cat(things_of_all)],
            torch.cat(wanted),
            beta=1 / 9,
            reduction="none",
        )
        return {
            "loss_objectness": mean_over_images(right, counts, counts),
            "loss_proposal": mean_over_images(near, thing_counts, counts),
        }

    def _matched(
        self, anchors: Tensor, target: FrameTargets, sides: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return which anchors are things, which background, and the boxes of the former."""
        low, high = self.config.anchor_iou
        if kernels.are_there(anchors.device) and len(target.boxes):
            best, index, is_own = kernels.match_boxes(
                target.boxes, anchors.t() if sides is None else sides
            )
            is_thing = is_own | (best >= high)
            is_background, gt_boxes = ~is_thing & (best < low), target.boxes[index]
        else:
            labels, matched = self.rpn.assign_targets_to_anchors(
                [anchors], [{"boxes": target.boxes}]
            )
            is_thing, is_background, gt_boxes = labels[0] == 1, labels[0] == 0, matched[0]
        if target.crowd.any():
            is_background &= crowd_share(anchors, target.crowd) <= self.config.crowd_share
        return is_thing, is_background, gt_boxes


def _overlaps(gt_boxes: Tensor, anchors: Tensor) -> Tensor:
    # With anchors innermost in memory, this and what reads it take a third of the time.
    overlaps: Tensor = box_iou(gt_boxes, anchors.t().contiguous().t())
    return overlaps


_MOVED, _RESIZED = 0.1, 0.15
"""Standard deviations: of a box's place as a share of its sides, and of the logarithm of these."""


def crowd_share(boxes: Tensor, crowd: Tensor) -> Tensor:
    """Return which share of each box's area is crowd.

    Args:
        boxes: Shape ``(n, 4)``: left, top, right, bottom in pixels.
        crowd: ``bool`` of shape ``(height, width)``.

    Returns:
        ``float32`` of shape ``(n,)`` in ``[0, 1]``; 0 for a box outside the image.

    Example:
        >>> crowd = torch.tensor([[True, True, False, False]])
        >>> crowd_share(torch.tensor([[0, 0, 4, 1], [0, 0, 2, 1], [3, 0, 4, 1.0]]), crowd)
        tensor([0.5000, 1.0000, 0.0000])
    """
    height, width = crowd.shape
    ends = boxes.new_tensor([width, height, width, height])
    corners = torch.minimum(boxes.round().clamp(min=0), ends)
    if kernels.are_there(crowd.device):
        return kernels.crowd_shares(crowd, corners)
    # Pixels above and to the left of each corner of the grid.
    sums = crowd.new_zeros((height + 1, width + 1), dtype=torch.int32)
    sums[1:, 1:] = crowd.cumsum(0, dtype=torch.int32).cumsum(1, dtype=torch.int32)
    left, top, right, bottom = corners.long().unbind(1)
    inside = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    area = ((right - left) * (bottom - top)).clamp(min=1)
    return inside / area


def sample_balanced(
    is_thing: Tensor,
    is_background: Tensor,
    *,
    count: int,
    thing_share: float,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Draw things, up to a share, and fill up with background.

    Args:
        is_thing: ``bool`` of shape ``(n,)``.
        is_background: The same; what is neither is never drawn.
        count: Of both together, at most.
        thing_share: Of things among them, at most.
        generator: On the CPU; torch's own if not given.

    Returns:
        Indices of the things and of the background drawn.
    """
    things = is_thing.nonzero().flatten()
    background = is_background.nonzero().flatten()
    things = _drawn(things, int(count * thing_share), generator)
    return things, _drawn(background, count - len(things), generator)


def _drawn(indices: Tensor, count: int, generator: torch.Generator | None) -> Tensor:
    # Drawn on the CPU, so that a seed means the same on every device.
    order = torch.randperm(len(indices), generator=generator)[:count]
    return indices[order.to(indices.device)]


def jittered_boxes(
    boxes: Tensor,
    copies: int,
    image_size: tuple[int, int],
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return copies of boxes, moved and resized a little, inside the image.

    Args:
        boxes: Shape ``(n, 4)``: left, top, right, bottom in pixels.
        copies: Of each box.
        image_size: Height and width.
        generator: On the CPU; torch's own if not given. Nothing is drawn for no copies.

    Returns:
        Shape ``(copies * n, 4)``.
    """
    if not copies or not len(boxes):
        return boxes[:0]
    many = boxes.repeat(copies, 1)
    noise = torch.randn(len(many), 4, generator=generator).clamp(-2, 2).to(boxes.device)
    sides = many[:, 2:] - many[:, :2]
    centres = (many[:, 2:] + many[:, :2]) / 2 + _MOVED * noise[:, :2] * sides
    halves = sides / 2 * (_RESIZED * noise[:, 2:]).exp()
    height, width = image_size
    edge = boxes.new_tensor([width, height])
    moved = (centres - halves).clamp(min=0), torch.minimum(centres + halves, edge)
    return torch.cat(moved, dim=1)


def generator_of_each(
    generators: Sequence[torch.Generator] | None, count: int
) -> list[torch.Generator | None]:
    """Return one generator an image, ``None`` where torch's own is meant.

    Raises:
        ValueError: If there is another number of them.
    """
    if generators is None:
        return [None] * count
    if len(generators) != count:
        raise ValueError(f"{len(generators)} generators for {count} images")
    return list(generators)


def mean_over_images(values: Tensor, counts: Sequence[int], divisors: Sequence[int]) -> Tensor:
    """Average within each image, then over images.

    Each image counts alike, whatever else is in its batch. So the parts of a batch may lie in
    several processes, and the mean of their losses is the loss of the whole.

    Args:
        values: Shape ``(sum(counts),)`` or with further axes, which are summed over.
        counts: Values of each image.
        divisors: What the sum of each image is divided by.

    Returns:
        A scalar.
    """
    sums = [
        part.sum() / max(1, divisor)
        for part, divisor in zip(torch.split(values, list(counts)), divisors, strict=True)
    ]
    return torch.stack(sums).mean()
