"""The things of training clips: tracks, classes, and masks on the grid of the motion head."""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

from mapt_bench.model.linking_losses import grid_masks
from mapt_bench.model.targets import Clip

__all__ = ["ClipThings"]


class ClipThings(NamedTuple):
    """All things of clips of one shape, one after the other.

    Attributes:
        track_ids: Of the things of each frame, ``int64``, frames of the first clip first.
        labels: Classes, the same way.
        frames: Frames of each clip.
        starts_far: Whether the first frame of each clip is much older than the others.
        masks: Soft, at the stride of the motion head, ``(things, rows, columns)``.
    """

    track_ids: list[Tensor]
    labels: list[Tensor]
    frames: int
    starts_far: list[bool]
    masks: Tensor

    @classmethod
    def of(cls, clips: Sequence[Clip], stride: int, features: Tensor) -> "ClipThings":
        """Return the things of clips of one shape.

        Args:
            clips: With their targets.
            stride: Of the motion head, in pixels.
            features: Of all frames, on the grid of the motion head.
        """
        targets = [target for clip in clips for target in clip.targets]
        masks = torch.cat([target.masks for target in targets])
        grid = (features.shape[2], features.shape[3])
        return cls(
            [target.track_ids for target in targets],
            [target.labels for target in targets],
            len(clips[0].targets),
            [clip.starts_far for clip in clips],
            grid_masks(masks, stride, grid),
        )

    @property
    def counts(self) -> list[int]:
        """Things of each frame."""
        return [len(each) for each in self.labels]

    @property
    def starts(self) -> list[int]:
        """Place of the first thing of each frame, and the number of all."""
        return [0, *accumulate(self.counts)]

    @property
    def frame_of(self) -> Tensor:
        """Which frame, of all, each thing is in."""
        return torch.repeat_interleave(torch.tensor(self.counts)).to(self.masks.device)

    def of_frame(self, frame: int) -> slice:
        """Return the places of the things of a frame."""
        return slice(self.starts[frame], self.starts[frame + 1])

    def pairs(self) -> list[tuple[int, int]]:
        """Return the frames that motion is found between, those of the first clip first."""
        return [
            (frame, frame + 1)
            for frame in range(len(self.labels))
            if (frame + 1) % self.frames
            and not (frame % self.frames == 0 and self.starts_far[frame // self.frames])
        ]
