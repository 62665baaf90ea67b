"""MAPT as targets of the FLOPs report: one frame as a network of tensors.

:meth:`~mapt_bench.model.MAPT.step` depends on the number of detections, so its cost depends on the
image. Here the same modules run in the same order on a given number of proposals and instances.
Two differences do not change the cost. All regions are read at one pyramid level, and the boxes are
given. Box decoding, sorting and suppression are omitted, because no mode counts them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import roi_align

from mapt_bench.model import (
    MAPT,
    AppearanceHead,
    DeformForm,
    FusionConfig,
    InstanceHead,
    MaptConfig,
    MotionHead,
    RegionPool,
    mapt_config,
    mapt_config_names,
    prepare_images,
)
from mapt_bench.model.fpn import PYRAMID_LEVELS
from mapt_bench.model.instance import TwiceRead
from mapt_bench.profiling.flops_settings import InputSize, Target, register

__all__ = ["BOX_SHARE", "MaptStepCost", "example_step", "register_mapt"]

BOX_SHARE = 8
"""Each instance is a box of one eighth of the image height and width."""

_COARSEST = 32


class MaptStepCost(nn.Module):
    """One further frame of MAPT. Each part is a child module.

    Args:
        config: Configuration of the model.
        form: Implementation of deformable convolutions. Only ``"operator"`` can be counted.

    Raises:
        ConfigError: If the configuration is invalid.
    """

    def __init__(self, config: MaptConfig, form: DeformForm | str = DeformForm.AUTO) -> None:
        super().__init__()
        network = MAPT(config)
        self.config = config
        self.backbone = network.backbone
        self.fpn = network.fpn
        self.semantic = network.semantic
        self.proposals = network.instance.proposals.rpn.head
        self.boxes = _Boxes(network.instance)
        self.masks = _Masks(network.instance)
        self.motion = None if network.motion is None else _Motion(network.motion, form)
        self.appearance = None if network.appearance is None else _Appearance(network.appearance)
        self.fusion = _Fusion(config.fusion, network.semantic.logits_stride)

    def forward(
        self,
        image: Tensor,
        proposals: Tensor,
        boxes: Tensor,
        masks: Tensor,
        kept: Tensor,
        earlier_masks: Tensor,
    ) -> tuple[Tensor, ...]:
        """Run one frame.

        Args:
            image: Shape ``(1, 3, height, width)``.
            proposals: Shape ``(p, 4)``.
            boxes: Boxes of the instances, shape ``(n, 4)``.
            masks: Masks of the instances, ``bool`` of shape ``(n, height, width)``.
            kept: Feature map ``R`` of the earlier frame.
            earlier_masks: Soft masks of the earlier frame's instances, on the grid of ``R``.
        """
        config = self.config
        prepared = prepare_images(image, mean=config.pixel_mean, std=config.pixel_std)
        levels = self.fpn(self.backbone(prepared))
        pyramid = levels[-PYRAMID_LEVELS:]
        logits, features = self.semantic(levels[-self.semantic.level_count :])
        objectness, deltas = self.proposals(pyramid)
        classes, offsets = self.boxes(levels, proposals)
        found = [*objectness, *deltas, classes, offsets]
        mask_logits = self.masks(levels, boxes)
        found.append(self.fusion(logits, mask_logits, image))
        propagated = None
        if self.motion is not None:
            carried, propagated = self.motion(kept, features, prepared, earlier_masks)
            found.append(carried)
        if self.appearance is not None:
            found += self.appearance(levels, boxes, masks, prepared, propagated, earlier_masks)
        return tuple(found)


def example_step(config: MaptConfig, height: int, width: int, instances: int) -> tuple[Tensor, ...]:
    """Return an input of zeros for an image size.

    Args:
        config: Configuration of the model.
        height: Image height in pixels.
        width: Image width in pixels.
        instances: Number of instances in this frame and in the earlier frame.
    """
    motion = config.motion
    padded = [-(-side // _COARSEST) * _COARSEST // motion.stride for side in (height, width)]
    box = torch.tensor([0, 0, width // BOX_SHARE, height // BOX_SHARE], dtype=torch.float32)
    return (
        torch.zeros(1, 3, height, width),
        box.repeat(config.instance.proposals_after[1], 1),
        box.repeat(instances, 1),
        torch.zeros(instances, height, width, dtype=torch.bool),
        torch.zeros(1, motion.map_channels, *padded),
        torch.zeros(1, instances, *padded),
    )


class _OneLevel(RegionPool):
    """Region pooling at the finest level for all boxes, so that no box value decides the level."""

    def __init__(self, pool: RegionPool) -> None:
        super().__init__(pool.side, samples=pool.samples, finest=pool.strides[0])

    def forward(self, levels: Sequence[Tensor], boxes: Sequence[Tensor]) -> Tensor:
        pooled: Tensor = roi_align(
            levels[0], list(boxes), self.side, 1 / self.strides[0], sampling_ratio=self.samples
        )
        return pooled


class _Boxes(nn.Module):
    def __init__(self, head: InstanceHead) -> None:
        super().__init__()
        self.pool = _OneLevel(head.regions.box_roi_pool)
        self.head, self.predictor = head.regions.box_head, head.regions.box_predictor

    def forward(self, levels: Sequence[Tensor], proposals: Tensor) -> tuple[Tensor, Tensor]:
        classes, offsets = self.predictor(self.head(self.pool(levels, [proposals])))
        return classes, offsets


class _Masks(nn.Module):
    def __init__(self, head: InstanceHead) -> None:
        super().__init__()
        pool = head.regions.mask_roi_pool
        is_twice = isinstance(pool, TwiceRead)
        self.reads = 2 if is_twice else 1
        self.pool = _OneLevel(pool.of_size if is_twice else pool)
        self.head, self.predictor = head.regions.mask_head, head.regions.mask_predictor
        self.overlap = head.overlap

    def forward(self, levels: Sequence[Tensor], boxes: Tensor) -> Tensor:
        """Return one mask per instance, all for the first class."""
        if not len(boxes):
            return levels[0].new_zeros(0, 2 * self.pool.side, 2 * self.pool.side)
        labels = torch.ones(len(boxes), dtype=torch.long, device=boxes.device)
        pooled = torch.cat([self.pool(levels, [boxes]) for _ in range(self.reads)], dim=1)
        features = self.head(pooled)
        logits: Tensor = self.predictor(features, labels)
        if self.overlap is not None:
            logits = logits + self.overlap(features, logits, labels)[:, None, None]
        return logits


class _Motion(nn.Module):
    def __init__(self, head: MotionHead, form: DeformForm | str) -> None:
        super().__init__()
        self.head = head
        head.form = form

    def forward(
        self, kept: Tensor, features: Tensor, images: Tensor, masks: Tensor
    ) -> tuple[Tensor, Tensor]:
        offsets, gate = self.head.motion(kept, self.head.reduce(features, images))
        carried = self.head.carry_masks(masks, offsets, gate)
        return carried, self.head.carry_features(kept, offsets, gate)


class _Appearance(nn.Module):
    """Embeddings without propagated features (stored) and with them (compared)."""

    def __init__(self, head: AppearanceHead) -> None:
        super().__init__()
        head.pool = _OneLevel(head.pool)
        self.head = head

    def forward(
        self,
        levels: Sequence[Tensor],
        boxes: Tensor,
        masks: Tensor,
        images: Tensor,
        propagated: Tensor | None,
        soft_masks: Tensor,
    ) -> tuple[Tensor, Tensor]:
        described = self.head.describe(levels, [boxes], [masks], images)
        carried = None
        if propagated is not None and not self.head.is_static:
            carried = self.head.propagated(propagated[0], soft_masks[0])
        return self.head(described), self.head(described, carried)


class _Fusion(nn.Module):
    def __init__(self, config: FusionConfig, stride: int) -> None:
        super().__init__()
        self.config = config
        self.stride = stride

    def forward(self, logits: Tensor, mask_logits: Tensor, image: Tensor) -> Tensor:
        rows, columns = logits.shape[-2:]
        size = (self.stride * rows, self.stride * columns)
        full = functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)
        height, width = (side // BOX_SHARE for side in image.shape[-2:])
        grid = image.new_zeros(len(mask_logits), height, width, 2)
        pasted = functional.grid_sample(
            mask_logits[:, None], grid, padding_mode="border", align_corners=False
        )
        mask, semantic = self.config.mask_factor * pasted, full[:, :1, :height, :width]
        semantic = semantic.expand_as(mask)
        return (mask.sigmoid() + semantic.sigmoid()) * (mask + semantic)


_PARTS = (
    *("backbone", "fpn", "semantic", "proposals", "boxes", "masks", "motion", "appearance"),
    "fusion",
)
_SUMMARIES = {
    "mapt-compact": "MAPT for small and thin things, for one CPU thread",
    "mapt-regnety8gf": "MAPT as published: one further frame of a video",
    "mapt-s8": "MAPT as published, with the motion head at stride 8",
    "mapt-small": "MAPT with a RegNetY-400MF backbone and narrow heads",
    "mapt-tiny": "MAPT with a small backbone, for one CPU thread",
}


def _build(config: MaptConfig, form: str) -> nn.Module:
    # torchvision initialises weights with values, so its trunks cannot be built on meta.
    state = torch.get_rng_state()
    try:
        return MaptStepCost(config, form).eval().to("meta")
    finally:
        torch.set_rng_state(state)


def _example(config: MaptConfig, size: InputSize, instances: int) -> tuple[Tensor, ...]:
    return example_step(config, size.height, size.width, instances)


def _register_configuration(name: str) -> None:
    config = mapt_config(name)
    register(
        Target(
            name=name,
            summary=_SUMMARIES.get(name, f"MAPT, configuration {name}"),
            build=lambda: _build(config, "operator"),
            build_timed=lambda: _build(config, "auto"),
            example=lambda _, size, instances: _example(config, size, instances),
            parts={part: (part,) for part in _PARTS},
            rest="preparation",
            smallest=32,
            has_instances=True,
            notes=(
                f"{name} is counted with {config.instance.proposals_after[1]} proposals (the "
                "maximum of its configuration) and the given number of instances, each a box of "
                f"1/{BOX_SHARE} of the image sides; sides are padded to multiples of 32",
            ),
        )
    )


def register_mapt() -> None:
    """Register one target for each configuration of MAPT."""
    for name in mapt_config_names():
        _register_configuration(name)
