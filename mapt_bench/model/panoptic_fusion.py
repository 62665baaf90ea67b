"""Panoptic fusion: instances and semantic classes settle which pixel is whose.

After Mohan and Valada 2021, "EfficientPS" (arXiv:2004.02307), sec. 3.4: where both heads are sure
of a thing it wins, where they disagree it hardly counts.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mapt_bench.labels import LabelSpace
from mapt_bench.model.config import FusionConfig
from mapt_bench.model.instance import Detections
from mapt_bench.tracking.protocol import FrameSegments

__all__ = ["FusedFrame", "PanopticFusion"]


class FusedFrame(NamedTuple):
    """One frame, every pixel settled.

    Attributes:
        segments: Stuff and things; the things best first, every one with a pixel or more.
        detection: Which detection each thing is, ``int64`` of shape ``(n,)``, on the device of the
            detections.
        index_map: That of ``segments``, on the device of the detections: ``int32`` of shape
            ``(height, width)``, -1 outside things.
    """

    segments: FrameSegments
    detection: Tensor
    index_map: Tensor

    @property
    def masks(self) -> Tensor:
        """``bool`` of shape ``(n, height, width)``; things never overlap."""
        count = len(self.detection)
        return self.index_map == torch.arange(count, device=self.index_map.device)[:, None, None]


class PanopticFusion:
    """Lay detections and semantic logits into one map.

    Args:
        config: Thresholds.
        labels: The classes that the logits are of.
    """

    def __init__(self, config: FusionConfig, labels: LabelSpace) -> None:
        self.config = config
        self.labels = labels
        channel = {class_id: place for place, class_id in enumerate(labels.class_ids)}
        self._thing_channels = [channel[class_id] for class_id in labels.thing_ids]
        self._stuff_channels = [channel[class_id] for class_id in labels.stuff_ids]

    @torch.no_grad()
    def __call__(
        self,
        logits: Tensor,
        detections: Detections,
        image_size: tuple[int, int],
        *,
        stride: int = 4,
    ) -> FusedFrame:
        """Fuse one frame.

        Args:
            logits: Semantic logits of one padded image, shape ``(classes, rows, columns)``; classes
                in ascending order of their numbers.
            detections: Of the same image.
            image_size: Its height and width before padding.
            stride: Pixels to a cell of the logits.
        """
        height, width = image_size
        rows, columns = logits.shape[-2:]
        size = (stride * rows, stride * columns)
        full = functional.interpolate(
            logits[None], size=size, mode="bilinear", align_corners=False
        )[0, :, :height, :width]
        strength, winner = self._instances(full, detections)
        stuff_strength, stuff = _strongest(full, self._stuff_channels)
        winner = torch.where(strength > stuff_strength, winner, -1)
        detection, index_map = _closed_up(winner, len(detections.scores))
        thing_strength, things = _strongest(full, self._thing_channels)
        stuff = torch.where(thing_strength > stuff_strength, things, stuff)
        indices = index_map.cpu().numpy()
        segments = FrameSegments(
            stuff=self._settled(stuff.cpu().numpy(), indices),
            index_map=indices,
            class_ids=np.array(self.labels.thing_ids, dtype=np.int64)[
                detections.labels[detection].cpu().numpy() - 1
            ],
            scores=detections.scores[detection].double().cpu().numpy(),
        )
        return FusedFrame(segments, detection, index_map)

    def _instances(self, logits: Tensor, detections: Detections) -> tuple[Tensor, Tensor]:
        """Return the fused logit of the strongest instance at each pixel, and which it is.

        Everything happens inside an instance's box: outside, its logit is minus infinity.
        """
        height, width = logits.shape[-2:]
        strength = logits.new_full((height, width), -torch.inf)
        winner = torch.full((height, width), -1, dtype=torch.int32, device=logits.device)
        occupied = torch.zeros((height, width), dtype=torch.bool, device=logits.device)
        corners = torch.stack(
            (*detections.boxes[:, :2].floor().unbind(1), *detections.boxes[:, 2:].ceil().unbind(1)),
            dim=1,
        ).long()
        channels = [self._thing_channels[label - 1] for label in detections.labels.tolist()]
        for index in detections.scores.argsort(descending=True, stable=True).tolist():
            left, top, right, bottom = corners[index].tolist()
            window = (
                slice(max(top, 0), min(bottom, height)),
                slice(max(left, 0), min(right, width)),
            )
            mask = _pasted(detections.mask_logits[index], detections.boxes[index], window)
            inside = mask > 0
            area = int(inside.sum())
            hidden = int((inside & occupied[window]).sum())
            if area == 0 or hidden > self.config.overlap * area:
                continue
            occupied[window] |= inside
            semantic = logits[channels[index]][window]
            mask = self.config.mask_factor * mask
            fused = (mask.sigmoid() + semantic.sigmoid()) * (mask + semantic)
            stronger = fused > strength[window]
            strength[window] = torch.where(stronger, fused, strength[window])
            winner[window] = torch.where(stronger, index, winner[window])
        return strength, winner

    def _settled(
        self, channels: NDArray[np.uint8], index_map: NDArray[np.int32]
    ) -> NDArray[np.uint8]:
        """Return the class of each pixel outside instances; void where it is none, or too small."""
        void = self.labels.ignore_label
        classes = np.array(self.labels.class_ids, dtype=np.uint8)[channels]
        classes[index_map >= 0] = void
        least = self.config.stuff_area * classes.size / self.config.stuff_area_of
        table = np.arange(256, dtype=np.uint8)
        is_thing = self.labels.is_thing_table
        table[(np.bincount(classes.ravel(), minlength=256) < least) & ~is_thing] = void
        if not self.config.keep_thing_classes:
            table[is_thing] = void
        return table[classes]


def _strongest(logits: Tensor, channels: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return the largest logit at each pixel among some channels, and its channel, ``uint8``.

    One channel after the other: argmax across channels takes several times as long on a CPU.
    """
    strength = torch.full_like(logits[0], -torch.inf)
    winner = torch.zeros_like(strength, dtype=torch.uint8)
    for channel in channels:
        winner = torch.where(logits[channel] > strength, channel, winner)
        torch.maximum(strength, logits[channel], out=strength)
    return strength, winner


def _closed_up(winner: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return which of ``count`` detections won pixels, and the map of their places among those."""
    pixels = torch.bincount((winner + 1).flatten(), minlength=count + 1)[1:]
    present = pixels > 0
    # One more, at the end: -1 stays -1.
    place = functional.pad(present.cumsum(0, dtype=torch.int32) - 1, (0, 1), value=-1)
    return present.nonzero().flatten(), place[winner]


def _pasted(mask_logits: Tensor, box: Tensor, window: tuple[slice, slice]) -> Tensor:
    """Read mask logits at the pixels of a window, whatever part of a pixel the box begins at."""
    side = mask_logits.shape[-1]
    left, top, right, bottom = box.tolist()
    ys = _places(window[0], top, bottom, box.device)
    xs = _places(window[1], left, right, box.device)
    grid = torch.stack(torch.meshgrid(ys, xs, indexing="ij")[::-1], dim=-1)
    sampled = functional.grid_sample(
        mask_logits.view(1, 1, side, side),
        grid[None].to(mask_logits.dtype),
        padding_mode="border",
        align_corners=False,
    )
    return sampled[0, 0]


def _places(pixels: slice, start: float, stop: float, device: torch.device) -> Tensor:
    """Return where the centres of pixels lie in a box, from -1 at its start to 1 at its end."""
    centres = torch.arange(pixels.start, pixels.stop, device=device) + 0.5
    return (centres - start) * (2 / max(stop - start, 1e-3)) - 1
