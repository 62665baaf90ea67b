"""The parts of the model that see one frame, joined for tests."""

import torch
from torch import Tensor, nn

from mapt_bench.model.backbone import build_backbone, prepare_images
from mapt_bench.model.config import MaptConfig
from mapt_bench.model.conv_layers import head_norm
from mapt_bench.model.fpn import TwoWayFPN
from mapt_bench.model.instance import InstanceHead
from mapt_bench.model.panoptic_fusion import FusedFrame, PanopticFusion
from mapt_bench.model.semantic import SemanticHead


class FrameNetwork(nn.Module):
    """Backbone, pyramid, semantic and instance head, fusion."""

    def __init__(self, config: MaptConfig) -> None:
        super().__init__()
        self.config = config
        norm = head_norm(config.norm)
        channels = config.fpn.channels
        self.backbone = build_backbone(config.backbone, norm=config.norm)
        self.fpn = TwoWayFPN(config.fpn, self.backbone.channels, norm=norm)
        self.semantic = SemanticHead(
            config.semantic, channels, config.labels, norm=norm, feature_stride=config.motion.stride
        )
        classes = len(config.labels.thing_ids)
        self.instance = InstanceHead(
            config.instance, channels, classes, norm=norm, finest=config.fpn.finest_stride
        )
        self.fusion = PanopticFusion(config.fusion, config.labels)

    def levels(self, images: Tensor) -> list[Tensor]:
        config = self.config
        prepared = prepare_images(images, mean=config.pixel_mean, std=config.pixel_std)
        return self.fpn(self.backbone(prepared))

    def losses(self, images, targets, generators=None) -> dict[str, Tensor]:
        levels = self.levels(images)
        size = tuple(images.shape[-2:])
        semantic = torch.stack([target.semantic for target in targets])
        return self.instance.losses(levels, size, targets, generators=generators) | {
            "loss_semantic": self.semantic.loss(
                self.semantic(levels[-self.semantic.level_count :]).logits, semantic
            )
        }

    @torch.no_grad()
    def fused(self, image: Tensor) -> FusedFrame:
        levels = self.levels(image[None])
        size = tuple(image.shape[-2:])
        found = self.instance.detect(levels, size)[0]
        logits = self.semantic(levels[-self.semantic.level_count :]).logits[0]
        return self.fusion(logits, found, size, stride=self.semantic.logits_stride)


def seeds(*numbers: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(number) for number in numbers]
