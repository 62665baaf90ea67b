"""What MAPT finds in a frame, and how it links two frames: the network behind plain arrays.

A frame is looked at once. What that leaves (:class:`~mapt_bench.tracking.FrameCues`: the map ``R``
in half precision, and what the pyramid shows of each segment) is all that is ever needed of the
frame to propagate masks to or from it and to make its embeddings, at any pairing interval. So it
can be kept in a segment archive, and replayed without images.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mapt_bench.devices import FLOAT32
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.model.appearance import AppearanceHead
from mapt_bench.model.motion import MotionHead, mean_displacement
from mapt_bench.model.network import FrameFeatures, MaptNetwork
from mapt_bench.tracking import FrameCues, FrameSegments
from mapt_bench.tracking.masks import segment_boxes, soft_masks

__all__ = ["MaptCues", "Motion", "Seen"]

_MASKS_AT_ONCE = 16


class Motion(NamedTuple):
    """How an earlier frame moves to a later one: see :class:`~.motion.MotionOutput`."""

    offsets: Tensor
    gate: Tensor


class Seen(NamedTuple):
    """What the network keeps of one frame to describe segments in it.

    Attributes:
        levels: As in :class:`~mapt_bench.model.network.FrameFeatures`.
        reduced: The same.
        images: The same.
    """

    levels: list[Tensor]
    reduced: Tensor | None
    images: Tensor


class MaptCues:
    """MAPT for tracking, frame by frame; it remembers nothing.

    Args:
        network: It is put into evaluation mode whenever it looks at a frame.
    """

    def __init__(self, network: MaptNetwork) -> None:
        self.network = network
        self.stride = network.config.motion.stride

    @property
    def motion_head(self) -> MotionHead:
        """The motion head.

        Raises:
            ConfigError: If there is none.
        """
        if self.network.motion is None:
            raise ConfigError(
                "this model has no motion head (propagation: none); link by appearance alone "
                "(mapt:appearance), or give weights that have one"
            )
        return self.network.motion

    @property
    def appearance_head(self) -> AppearanceHead:
        """The appearance head.

        Raises:
            ConfigError: If there is none.
        """
        if self.network.appearance is None:
            raise ConfigError(
                "this model has no appearance head (appearance.enabled: false); link by motion "
                "alone, or give weights that have one"
            )
        return self.network.appearance

    def find(
        self, image: NDArray[np.uint8], keep: Callable[[Seen], Seen] | None = None
    ) -> FrameSegments:
        """Find segments in a frame, with cues, and embeddings that know of no other frame.

        Args:
            image: RGB of shape ``(height, width, 3)``.
            keep: Takes what :meth:`describe` needs of the frame, and returns it.
        """
        return self.find_all([image], keep)[0]

    @torch.no_grad()
    def find_all(
        self,
        images: Sequence[NDArray[np.uint8]],
        keep: Callable[[Seen], Seen] | None = None,
        *,
        precision: str = FLOAT32,
    ) -> list[FrameSegments]:
        """Find segments in several frames at a time; see :meth:`find`.

        Args:
            images: RGB of one shape ``(height, width, 3)``.
            keep: Takes what :meth:`describe` needs of each frame, and returns it.
            precision: In which the network detects, see :data:`~mapt_bench.devices.PRECISIONS`.
        """
        self.network.eval()
        features, fused = self.network.find(self._planes(images), precision=precision)
        found = []
        for at, frame in enumerate(fused):
            seen = _seen(features, at)
            kept = seen if keep is None else keep(seen)
            found.append(self._described(kept, frame.segments, frame.masks))
        return found

    @torch.no_grad()
    def see(self, image: NDArray[np.uint8]) -> Seen:
        """Return what :meth:`describe` needs of a frame.

        Args:
            image: RGB of shape ``(height, width, 3)``.
        """
        self.network.eval()
        return _seen(self.network.features(self._planes([image])))

    def describe(
        self, image: NDArray[np.uint8], segments: FrameSegments, seen: Seen | None = None
    ) -> FrameSegments:
        """Add cues and embeddings of this network to segments from any source.

        Args:
            image: RGB of shape ``(height, width, 3)``.
            segments: Of the same frame.
            seen: From :meth:`see` of the same image. ``None``: it is looked at now.

        Raises:
            DataError: If image and segments differ in size.
        """
        if image.shape[:2] != segments.shape:
            raise DataError(
                f"image has {image.shape[:2]} pixels (height, width), its segments "
                f"{segments.shape}; they must agree"
            )
        with torch.no_grad():
            index_map = torch.from_numpy(segments.index_map).to(self.network.device)
            numbers = torch.arange(segments.count, device=index_map.device)
            masks = index_map == numbers[:, None, None]
            return self._described(self.see(image) if seen is None else seen, segments, masks)

    @torch.no_grad()
    def motion(self, earlier: FrameCues, later: FrameCues) -> Motion:
        """Find how one frame moves to another."""
        return Motion(*self.motion_head.motion(self._reduced(earlier), self._reduced(later)))

    @torch.no_grad()
    def displacements(self, segments: FrameSegments, motion: Motion) -> NDArray[np.float32]:
        """Return how far each segment moved, over the square root of its area.

        Args:
            segments: Of the later frame.
            motion: From an earlier frame to that one.

        Returns:
            Shape ``(n,)``, 0 or more: the length of the mean displacement of its cells.
        """
        soft = soft_masks(segments.index_map, segments.count, self.stride)
        masks = self._on_grid(soft, motion.gate.shape[2:])
        cells = mean_displacement(*motion)[0]
        areas = masks.sum((1, 2)).clamp(min=1e-6)
        means = torch.einsum("nhw,chw->nc", masks, cells) / areas[:, None]
        return _array(means.norm(dim=1) / areas.sqrt())

    def flow(self, motion: Motion, size: tuple[int, int]) -> NDArray[np.float32]:
        """Return a motion as optical flow from the later frame to the earlier one.

        Args:
            motion: As :meth:`motion` returns.
            size: Height and width of the frames in pixels.

        Returns:
            Shape ``(ceil(height / stride), ceil(width / stride), 2)`` for the stride of the motion
            head: the mean displacement of each cell to the right and downwards, in cells.
        """
        rows, columns = (-(-side // self.stride) for side in size)
        down_and_right = mean_displacement(*motion)[0, :, :rows, :columns]
        return _array(down_and_right.flip(0).permute(1, 2, 0).contiguous())

    @torch.no_grad()
    def carry(self, masks: NDArray[np.float32], motion: Motion) -> NDArray[np.float32]:
        """Carry soft masks along a motion.

        Args:
            masks: Shape ``(n, rows, columns)`` at the stride of the motion head.
            motion: As :meth:`motion` returns.

        Returns:
            The same shape, in ``[0, 1]``.
        """
        padded = self._on_grid(masks, motion.gate.shape[2:])
        carried = self.motion_head.carry_masks(padded[None], *motion)[0]
        rows, columns = masks.shape[1:]
        return _array(carried[:, :rows, :columns])

    def carry_each(self, masks: NDArray[np.float32], motion: Motion) -> NDArray[np.float32]:
        """Carry soft masks so that what else is carried changes no bit of a mask.

        Kernels round otherwise for other numbers of masks, so there are always as many at once.
        Empty masks fill the last group.

        Args:
            masks: As for :meth:`carry`.
            motion: The same.

        Returns:
            The same.
        """
        carried = np.empty(masks.shape, dtype=np.float32)
        for begin in range(0, len(masks), _MASKS_AT_ONCE):
            some = masks[begin : begin + _MASKS_AT_ONCE]
            group = np.zeros((_MASKS_AT_ONCE, *masks.shape[1:]), dtype=np.float32)
            group[: len(some)] = some
            carried[begin : begin + len(some)] = self.carry(group, motion)[: len(some)]
        return carried

    @torch.no_grad()
    def embed(
        self,
        segments: FrameSegments,
        earlier: FrameCues | None = None,
        motion: Motion | None = None,
    ) -> NDArray[np.float32]:
        """Return one unit vector a segment: ``float32`` of shape ``(n, dims)``.

        Args:
            segments: With cues of this network.
            earlier: Of the frame that features are propagated from; ``None`` where there is none.
            motion: From that frame to this one.

        Raises:
            DataError: If the segments have no cues.
        """
        if segments.cues is None:
            raise DataError("the segments have no cues to make embeddings from; describe them")
        head = self.appearance_head
        described = torch.from_numpy(segments.cues.descriptors).to(self.network.device)
        propagated = None
        if earlier is not None and motion is not None and not head.is_static:
            carried = self.motion_head.carry_features(self._reduced(earlier), *motion)[0]
            soft = soft_masks(segments.index_map, segments.count, self.stride)
            propagated = head.propagated(carried, self._on_grid(soft, carried.shape[1:]))
        return _array(head(described, propagated))

    def _planes(self, images: Sequence[NDArray[np.uint8]]) -> Tensor:
        planes = [np.ascontiguousarray(image.transpose(2, 0, 1)) for image in images]
        together = torch.stack([torch.from_numpy(each) for each in planes])
        return together.to(self.network.device).float() / 255

    def _described(self, seen: Seen, segments: FrameSegments, masks: Tensor) -> FrameSegments:
        head = self.network.appearance
        descriptors = torch.zeros(segments.count, 0)
        embeddings = None
        if head is not None:
            boxes = segment_boxes(segments.index_map, segments.count).astype(np.float32)
            where = torch.from_numpy(boxes).to(masks.device)
            descriptors = head.describe(seen.levels, [where], [masks], seen.images)
            embeddings = _array(head(descriptors))
        reduced = torch.zeros(1, 0, 1, 1) if seen.reduced is None else seen.reduced
        cues = FrameCues(
            self.network.cue_source, reduced[0].half().cpu().numpy(), _array(descriptors)
        )
        return replace(segments, embeddings=embeddings, cues=cues)

    def _reduced(self, cues: FrameCues) -> Tensor:
        reduced = torch.from_numpy(cues.features).to(self.network.device).float()[None]
        return reduced.contiguous(memory_format=torch.channels_last)

    def _on_grid(self, masks: NDArray[np.float32], grid: tuple[int, ...]) -> Tensor:
        """Return masks on the grid of the features, which may reach beyond the image."""
        padded = torch.zeros(len(masks), *grid, device=self.network.device)
        padded[:, : masks.shape[1], : masks.shape[2]] = torch.from_numpy(masks)
        return padded


def _seen(features: FrameFeatures, at: int = 0) -> Seen:
    """Return what is kept of one of several frames."""
    if len(features.images) == 1:
        return Seen(features.levels, features.reduced, features.images)
    one = slice(at, at + 1)
    reduced = None if features.reduced is None else features.reduced[one]
    return Seen([level[one] for level in features.levels], reduced, features.images[one])


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.float().cpu().numpy()
    return array
