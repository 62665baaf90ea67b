"""What a model is trained with: images of one clip, and what is to be found in each."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

__all__ = ["Clip", "FlowTargets", "FrameTargets"]


@dataclass(frozen=True, slots=True, eq=False)
class FrameTargets:
    """What is to be found in one frame.

    Attributes:
        semantic: Class of each pixel in the label space, ``int64`` of shape ``(height, width)``;
            void is the label space's ignore label.
        boxes: ``float32`` of shape ``(n, 4)``: left, top, right, bottom in pixels, right and bottom
            exclusive. There may be no thing at all.
        labels: ``int64`` of shape ``(n,)``: position among the thing classes of the label space,
            from 1; 0 is the background, as in torchvision's detectors.
        masks: Visible pixels, ``bool`` of shape ``(n, height, width)``.
        track_ids: Identities in the clip, ``int64`` of shape ``(n,)``.
        crowd: Pixels of things that have no identity, ``bool`` of shape ``(height, width)``: what
            is found there is neither right nor wrong.
    """

    semantic: Tensor
    boxes: Tensor
    labels: Tensor
    masks: Tensor
    track_ids: Tensor
    crowd: Tensor

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> "FrameTargets":
        """Return the same on another device."""
        return self._each(lambda part: part.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "FrameTargets":
        """Return the same in memory that a GPU reads by itself."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> "FrameTargets":
        return FrameTargets(*(change(getattr(self, name)) for name in FrameTargets.__slots__))


@dataclass(frozen=True, slots=True, eq=False)
class FlowTargets:
    """Where each pixel of an image was in the image before, for every image but the first.

    Attributes:
        flow: ``float32`` of shape ``(frames - 1, 2, height, width)``: to the right and downwards,
            in pixels; 0 where it is not valid.
        valid: ``bool`` of shape ``(frames - 1, height, width)``: the point is known to be seen in
            the image before.
    """

    flow: Tensor
    valid: Tensor

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> "FlowTargets":
        """Return the same on another device."""
        return FlowTargets(
            self.flow.to(device, non_blocking=non_blocking),
            self.valid.to(device, non_blocking=non_blocking),
        )

    def pin_memory(self) -> "FlowTargets":
        """Return the same in memory that a GPU reads by itself."""
        return FlowTargets(self.flow.pin_memory(), self.valid.pin_memory())


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One to three frames of one video, the present one last, for one step of training.

    Attributes:
        images: RGB, ``float32`` in ``[0, 1]`` of shape ``(frames, 3, height, width)``.
        targets: One for each frame.
        name: Where it comes from, for messages: sequence and frame names.
        intervals: Frames of the video from each image to the next, ``frames - 1`` numbers.
        motion: True optical flow, where it was asked for.
        has_semantics: Whether the classes mean anything. Clips of flying shapes have random ones:
            they teach motion and appearance, and neither classes nor detection.
        starts_far: Whether the first image is much older than the others. Masks are not propagated
            from it, but its things must be recognised.
    """

    images: Tensor
    targets: tuple[FrameTargets, ...]
    name: str
    intervals: tuple[int, ...]
    motion: FlowTargets | None = None
    has_semantics: bool = True
    starts_far: bool = False

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> "Clip":
        """Return the same on another device.

        Args:
            device: Which.
            non_blocking: Whether a GPU may copy asynchronously.
        """
        motion = self.motion
        return replace(
            self,
            images=self.images.to(device, non_blocking=non_blocking),
            targets=tuple(each.to(device, non_blocking=non_blocking) for each in self.targets),
            motion=None if motion is None else motion.to(device, non_blocking=non_blocking),
        )

    def pin_memory(self) -> "Clip":
        """Return the same in memory that a GPU reads by itself."""
        return replace(
            self,
            images=self.images.pin_memory(),
            targets=tuple(target.pin_memory() for target in self.targets),
            motion=None if self.motion is None else self.motion.pin_memory(),
        )
