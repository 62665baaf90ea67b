"""Networks with random weights that find a given number of things.

What a network of random weights proposes and finds is nothing or anything. So whatever chooses
proposals and detections runs as it is, and its result is put aside for boxes that are given. All
else follows as always: masks are computed for those boxes, and fused or pasted.
"""

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork

from mapt_bench.model import MAPT, MaptConfig, build_backbone

__all__ = ["forced_mapt", "forced_mask_rcnn", "noise_frames"]

_SURE = 50.0
"""Logit of masks that fill their boxes."""


def noise_frames(height: int, width: int, count: int) -> list[NDArray[np.uint8]]:
    """Return images of noise: RGB, ``uint8`` of shape ``(height, width, 3)``."""
    dice = np.random.default_rng(0)
    return [dice.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(count)]


def forced_mapt(config: MaptConfig, height: int, width: int, instances: int) -> MAPT:
    """Return MAPT that finds a number of things in any image of a size.

    Args:
        config: What it is made of; as many proposals are made as it lets through.
        height: Of the images.
        width: Of the images.
        instances: Things; none of them hides another.
    """
    model = MAPT(config).eval()
    head = model.instance
    # Masks that fill their boxes win against semantic logits of zero.
    nn.init.zeros_(head.regions.mask_predictor["2"].weight)
    nn.init.constant_(head.regions.mask_predictor["2"].bias, _SURE)
    nn.init.zeros_(model.semantic.classify.weight)
    nn.init.zeros_(model.semantic.classify.bias)
    _propose(head.proposals.rpn, config.instance.proposals_after[1], (height, width))
    _find(head.regions, instances, (height, width))
    return model


def forced_mask_rcnn(
    config: MaptConfig, height: int, width: int, instances: int
) -> Callable[[NDArray[np.uint8]], dict[str, Tensor]]:
    """Return torchvision's Mask R-CNN on the same trunk, with its ordinary pyramid.

    As many proposals and things as :func:`forced_mapt` has, at the same places; as many classes;
    the same threshold of scores. All else is torchvision's default.
    """
    trunk = build_backbone(config.backbone, norm=config.norm)
    stages = OrderedDict(stem=trunk.stem)
    stages.update({f"stage{level}": stage for level, stage in enumerate(trunk.trunk_output)})
    names = {f"stage{level}": str(level) for level in range(4)}
    backbone = BackboneWithFPN(nn.Sequential(stages), names, list(trunk.channels[1:]), 256)
    model = MaskRCNN(
        backbone,
        num_classes=len(config.labels.thing_ids) + 1,
        min_size=min(height, width),
        max_size=max(height, width),
        box_score_thresh=config.instance.score_threshold,
    ).eval()
    _propose(model.rpn, config.instance.proposals_after[1], (height, width))
    _find(model.roi_heads, instances, (height, width))

    def run(image: NDArray[np.uint8]) -> dict[str, Tensor]:
        with torch.no_grad():
            planes = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
            (found,) = model([planes.float() / 255])
            if len(found["masks"]) != instances:
                raise RuntimeError(f"found {len(found['masks'])} things, not {instances}")
            return found

    return run


def _propose(rpn: RegionProposalNetwork, count: int, size: tuple[int, int]) -> None:
    """Put the proposals of a network aside for given ones."""
    choose, given = rpn.filter_proposals, _anywhere(count, size)

    def filter_proposals(*args: object) -> tuple[list[Tensor], None]:
        choose(*args)
        return [given], None

    rpn.filter_proposals = filter_proposals


def _find(regions: RoIHeads, count: int, size: tuple[int, int]) -> None:
    """Put the detections of a network aside for given ones."""
    choose, boxes = regions.postprocess_detections, _apart(count, size)
    scores, labels = torch.linspace(0.99, 0.6, count), torch.ones(count, dtype=torch.long)
    labels[::3] = 2

    def postprocess_detections(*args: object) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        choose(*args)
        return [boxes], [scores], [labels]

    regions.postprocess_detections = postprocess_detections


def _anywhere(count: int, size: tuple[int, int]) -> Tensor:
    """Return boxes from 16 to 256 pixels high and wide, all over the image."""
    dice = torch.Generator().manual_seed(0)
    ends = torch.tensor([size[1], size[0]])
    sides = 16 * 16 ** torch.rand(count, 2, generator=dice)
    sides = torch.minimum(sides, ends)
    start = torch.rand(count, 2, generator=dice) * (ends - sides)
    return torch.cat((start, start + sides), dim=1)


def _apart(count: int, size: tuple[int, int]) -> Tensor:
    """Return boxes in rows, five eighths of the space that each has, none upon another."""
    rows = max(1, round((count * size[0] / size[1]) ** 0.5))
    columns = -(-count // rows)
    cell = torch.tensor([size[1] / columns, size[0] / rows])
    place = torch.arange(count)
    start = torch.stack((place % columns, place // columns), dim=1) * cell
    return torch.cat((start + 0.1 * cell, start + 0.725 * cell), dim=1)
