"""Losses of the heads that link frames: motion of masks, and similarity of appearance."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from mapt_bench.model import kernels
from mapt_bench.model.patch_search import Match, mean_where_known, search_losses

__all__ = [
    "InstanceEmbeddings",
    "flow_losses",
    "grid_masks",
    "jittered_masks",
    "joined_embeddings",
    "mask_losses",
    "matching_loss",
]

_SHIFT = 0.08
"""Standard deviation of a jittered mask's shift, in its own side lengths."""

_RESIZE = 0.15
"""Largest change of a jittered mask's size, either way."""


_LEVEL_WEIGHT = 0.3
"""Of the offsets of each dilation by itself, beside their gated sum."""


class InstanceEmbeddings(NamedTuple):
    """The embeddings of all instances of some clips, with their tracks.

    Attributes:
        embeddings: Unit vectors, shape ``(n, dims)``.
        track_ids: ``int64`` of shape ``(n,)``.
        labels: The class of each, ``int64`` of shape ``(n,)``.
        frames: Which frame of its clip each is in, ``int64`` of shape ``(n,)``.
        clips: Which clip, ``int64`` of shape ``(n,)``.
    """

    embeddings: Tensor
    track_ids: Tensor
    labels: Tensor
    frames: Tensor
    clips: Tensor


def grid_masks(masks: Tensor, stride: int, grid: tuple[int, int]) -> Tensor:
    """Average masks over the cells of a feature map.

    Args:
        masks: ``bool`` of shape ``(n, height, width)`` in pixels.
        stride: Side of a cell in pixels.
        grid: Rows and columns of the map, which may reach beyond the image at the bottom and right.

    Returns:
        ``float32`` of shape ``(n, rows, columns)`` in ``[0, 1]``.

    Example:
        >>> grid_masks(torch.tensor([[[True, True, True], [False, True, True]]]), 2, (1, 3))
        tensor([[[0.7500, 1.0000, 0.0000]]])
    """
    if kernels.are_there(masks.device):
        return kernels.shrunk_masks(masks, stride, grid)
    soft = functional.avg_pool2d(
        masks[:, None].float(), stride, ceil_mode=True, count_include_pad=False
    )[:, 0]
    rows, columns = grid
    return functional.pad(soft, (0, columns - soft.shape[2], 0, rows - soft.shape[1]))


def jittered_masks(masks: Tensor, generator: torch.Generator) -> Tensor:
    """Move and resize each mask a little about its centre, as if a detector had found it.

    Args:
        masks: Soft masks of shape ``(n, rows, columns)``.
        generator: On the CPU.

    Returns:
        The same shape, in ``[0, 1]``.
    """
    count, rows, columns = masks.shape
    if not count:
        return masks
    draws = torch.randn(count, 2, generator=generator) * _SHIFT
    zoom = 1 + _RESIZE * (2 * torch.rand(count, 2, generator=generator) - 1)
    draws, zoom = draws.to(masks.device), zoom.to(masks.device)
    area = masks.sum((1, 2)).clamp(min=1e-6)
    y = torch.arange(rows, device=masks.device) + 0.5
    x = torch.arange(columns, device=masks.device) + 0.5
    centre = torch.stack(
        ((masks.sum(1) * x).sum(1) / area, (masks.sum(2) * y).sum(1) / area), dim=1
    )
    # Cells are wanted as grid_sample counts: -1 and 1 are the borders of the map.
    size = centre.new_tensor([columns, rows])
    shift = draws * area.sqrt()[:, None]
    theta = masks.new_zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = zoom.unbind(1)
    middle = centre * 2 / size - 1
    theta[:, :, 2] = middle - zoom * (middle + shift * 2 / size)
    places = functional.affine_grid(theta, [count, 1, rows, columns], align_corners=False)
    return functional.grid_sample(masks[:, None], places, align_corners=False)[:, 0]


def mask_losses(propagated: Tensor, wanted: Tensor, *, bce: bool = False) -> Tensor:
    """Return one minus soft Dice of each mask.

    Args:
        propagated: Shape ``(n, rows, columns)`` in ``[0, 1]``.
        wanted: The same.
        bce: Whether to add binary cross-entropy, a mean over the cells that either mask touches.

    Returns:
        Shape ``(n,)``.
    """
    propagated = propagated.float()  # whatever precision the network runs in
    shared = (propagated * wanted).sum((1, 2))
    both = propagated.sum((1, 2)) + wanted.sum((1, 2))
    losses = 1 - 2 * shared / both.clamp(min=1e-6)
    if bce:
        # Written out: under autocast torch refuses the one that takes probabilities.
        share = propagated.clamp(1e-4, 1 - 1e-4)
        wrong = -(wanted * share.log() + (1 - wanted) * (1 - share).log())
        touched = ((propagated > 0) | (wanted > 0)).float()
        losses = losses + (wrong * touched).sum((1, 2)) / touched.sum((1, 2)).clamp(min=1)
    return losses


def flow_losses(
    offsets: Tensor, gate: Tensor, match: Match | None, flow: Tensor, valid: Tensor
) -> Tensor:
    """Return how far offsets are from the exact flow, plus the losses of the search.

    Args:
        offsets: As in :class:`~mapt_bench.model.motion.MotionOutput`.
        gate: The same.
        match: Result of the search, if there is one.
        flow: Where each cell was, ``(dy, dx)`` in cells, shape ``(batch, 2, height, width)``.
        valid: Where that is known, ``bool`` of shape ``(batch, height, width)``.

    Returns:
        Shape ``(batch,)``, in cells; 0 where no flow is known.
    """
    of_levels = offsets.float().mean(2)
    together = (of_levels * gate.float()[:, :, None]).sum(1)
    total = _end_errors(together, flow, valid)
    apart = torch.stack([_end_errors(level, flow, valid) for level in of_levels.unbind(1)])
    total = total + _LEVEL_WEIGHT * apart.mean(0)
    return total if match is None else total + search_losses(match, flow, valid)


def _end_errors(found: Tensor, wanted: Tensor, valid: Tensor) -> Tensor:
    return mean_where_known(((found - wanted).square().sum(1) + 1e-4).sqrt(), valid)


def joined_embeddings(parts: Sequence[InstanceEmbeddings]) -> InstanceEmbeddings:
    """Return the instances of several batches of clips as those of one."""
    clips, count = [], 0
    for part in parts:
        clips.append(part.clips + count)
        count += int(part.clips.max()) + 1 if len(part.clips) else 0
    embeddings, track_ids, labels, frames, _ = (
        torch.cat(column) for column in zip(*parts, strict=True)
    )
    return InstanceEmbeddings(embeddings, track_ids, labels, frames, torch.cat(clips))


def matching_loss(
    instances: InstanceEmbeddings, scale: Tensor, *, clips: int = 1, across_clips: bool = False
) -> Tensor:
    """Return how badly instances find themselves again in the other frames of their clip.

    For each instance, and each other frame that has it too: cross-entropy over the things of its
    class in that frame, and one minus its cosine with itself. The loss of a clip is the mean over
    these, 0 where nothing is seen twice.

    Args:
        instances: Of all clips.
        scale: Factor on cosines.
        clips: How many clips there are.
        across_clips: Whether things of its class in other clips are wrong as well.

    Returns:
        The mean over clips, a scalar.
    """
    frame, label = instances.frames, instances.labels
    track, clip = instances.track_ids, instances.clips
    cosine = instances.embeddings @ instances.embeddings.T
    alike = label[:, None] == label[None]
    together = clip[:, None] == clip[None]
    itself = together & alike & (track[:, None] == track[None]) & (frame[:, None] != frame[None])
    anchors, partner = itself.nonzero().unbind(1)
    if not len(anchors):
        return 0 * instances.embeddings.sum()
    candidate = (together & alike)[anchors] & (frame[None] == frame[partner][:, None])
    if across_clips:
        candidate |= (alike & ~together)[anchors]
    total = (scale * cosine[anchors]).masked_fill(~candidate, -torch.inf).logsumexp(1)
    right = cosine[anchors, partner]
    each = total - scale * right + 1 - right
    share = torch.bincount(clip[anchors], minlength=clips)[clip[anchors]]
    return (each / share).sum() / clips
