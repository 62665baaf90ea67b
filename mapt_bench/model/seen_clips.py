"""Training the parts that compare two frames, on frames that a network has seen before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from mapt_bench.devices import FLOAT32, autocast
from mapt_bench.errors import DataError
from mapt_bench.model.appearance import AppearanceHead
from mapt_bench.model.clip_losses import instance_embeddings, motion_loss
from mapt_bench.model.clip_things import ClipThings
from mapt_bench.model.config import MaptConfig
from mapt_bench.model.linking_losses import (
    InstanceEmbeddings,
    grid_masks,
    joined_embeddings,
    matching_loss,
)
from mapt_bench.model.motion import MotionHead
from mapt_bench.model.network import MaptNetwork
from mapt_bench.model.targets import FrameTargets

__all__ = ["HeadTuning", "SeenClip", "SeenFrame", "see_frames"]


@dataclass(frozen=True, slots=True, eq=False)
class SeenFrame:
    """What the frozen parts of a network see of a frame and its true things.

    Attributes:
        reduced: The map ``R``, ``float16`` of shape ``(channels, rows, columns)``.
        described: What embeddings are made from, ``float32`` of shape ``(things, numbers)``.
        masks: Soft masks on the grid of ``R``, ``float16`` of shape ``(things, rows, columns)``.
        track_ids: ``int64`` of shape ``(things,)``.
        labels: Classes, the same shape.
    """

    reduced: Tensor
    described: Tensor
    masks: Tensor
    track_ids: Tensor
    labels: Tensor

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors by name."""
        return {name: getattr(self, name) for name in self.__slots__}

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Self:
        """Return the same on another device."""
        moved = {
            name: value.to(device, non_blocking=non_blocking)
            for name, value in self.tensors().items()
        }
        return replace(self, **moved)


@dataclass(frozen=True, slots=True, eq=False)
class SeenClip:
    """Frames of one video for one step of training, the present one last.

    Attributes:
        frames: Two or more.
        name: Sequence and frame names, for messages.
        intervals: Frames of the video from each frame to the next.
        seed: Seeds what is drawn at random for the clip.
    """

    frames: tuple[SeenFrame, ...]
    name: str
    intervals: tuple[int, ...]
    seed: int = 0

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Self:
        """Return the same on another device."""
        frames = tuple(frame.to(device, non_blocking=non_blocking) for frame in self.frames)
        return replace(self, frames=frames)


@torch.no_grad()
def see_frames(
    network: MaptNetwork,
    images: Sequence[Tensor],
    targets: Sequence[FrameTargets],
    *,
    precision: str = FLOAT32,
) -> list[SeenFrame]:
    """Return what a network sees of some frames at a time, on the CPU.

    Args:
        network: With both heads, on any device; it is put into evaluation mode.
        images: RGB in ``[0, 1]``, each of the same shape ``(3, height, width)``.
        targets: The true things of each frame.
        precision: In which the network computes, see :data:`~mapt_bench.devices.PRECISIONS`.

    Raises:
        DataError: If the network lacks a head.
    """
    network.eval()
    _, appearance = _heads(network)
    with autocast(network.device, precision):
        seen = network.features(torch.stack(list(images)).to(network.device))
    if seen.reduced is None:
        raise TypeError("a network with a motion head returned no map R")
    stride = network.config.motion.stride
    grid = (seen.reduced.shape[2], seen.reduced.shape[3])
    described = appearance.describe(
        seen.levels,
        [target.boxes.to(network.device) for target in targets],
        [target.masks.to(network.device) for target in targets],
        seen.images,
    )
    counts = [len(target.boxes) for target in targets]
    return [
        SeenFrame(
            reduced=reduced.half().cpu().contiguous(),
            described=own.float().cpu().contiguous(),
            masks=grid_masks(target.masks, stride, grid).half().contiguous(),
            track_ids=target.track_ids,
            labels=target.labels,
        )
        for reduced, own, target in zip(
            seen.reduced, torch.split(described, counts), targets, strict=True
        )
    ]


class HeadTuning(MaptNetwork):
    """MAPT for fine-tuning: only the parts that compare two frames are trained.

    All others are frozen: backbone, pyramid, semantic and instance head, the map ``R`` and the
    descriptors of segments. So the weights it leads to find the same segments with the same cues.

    Args:
        config: What it is made of.

    Raises:
        DataError: If it lacks the motion head or the appearance head.
    """

    def __init__(self, config: MaptConfig) -> None:
        super().__init__(config)
        _ = _heads(self)
        trained = set(self.link_parameters())
        for parameter in self.parameters():
            parameter.requires_grad_(parameter in trained)

    def forward(self, clips: Sequence[SeenClip]) -> dict[str, Tensor]:
        """Return ``loss_motion`` and ``loss_appearance``, means over clips.

        Raises:
            DataError: If there is no clip.
        """
        if not clips:
            raise DataError("there is no clip to learn from; give one or more")
        batches: dict[torch.Size, list[SeenClip]] = {}
        for clip in clips:
            batches.setdefault(clip.frames[0].reduced.shape, []).append(clip)
        found = [self._losses_of(batch) for batch in batches.values()]
        _, appearance = _heads(self)
        return {
            "loss_motion": torch.stack([motion for motion, _ in found]).sum() / len(clips),
            "loss_appearance": matching_loss(
                joined_embeddings([instances for _, instances in found]),
                appearance.scale,
                clips=len(clips),
                across_clips=self.config.appearance.negatives == "batch",
            ),
        }

    def _losses_of(self, clips: Sequence[SeenClip]) -> tuple[Tensor, InstanceEmbeddings]:
        """Return the sum of the motion losses of clips of one shape, and all embeddings."""
        motion, appearance = _heads(self)
        frames = [frame for clip in clips for frame in clip.frames]
        things = ClipThings(
            [frame.track_ids for frame in frames],
            [frame.labels for frame in frames],
            len(clips[0].frames),
            [False] * len(clips),
            torch.cat([frame.masks for frame in frames]).float(),
        )
        draws = [torch.Generator().manual_seed(clip.seed) for clip in clips]
        reduced = torch.stack([frame.reduced for frame in frames]).float()
        if reduced.device.type == "cpu":
            reduced = reduced.contiguous(memory_format=torch.channels_last)
        output, loss = motion_loss(self, motion, reduced, things, draws)
        described = torch.cat([frame.described for frame in frames])
        return loss, instance_embeddings(
            self, appearance, described, output.features, things, draws
        )


def _heads(network: MaptNetwork) -> tuple[MotionHead, AppearanceHead]:
    if network.motion is None or network.appearance is None:
        raise DataError("the network lacks a motion or appearance head; give weights with both")
    return network.motion, network.appearance
