"""What the heads that link frames are trained on: where masks move to, and who looks like whom."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from mapt_bench.model.targets import FrameTargets

__all__ = [
    "Looks",
    "earlier_and_later_masks",
    "grid_masks",
    "jittered_masks",
    "mask_loss",
    "matching_loss",
]

_SHIFT = 0.08
"""Standard deviation of a jittered mask's shift, in its own side lengths."""

_RESIZE = 0.15
"""Largest change of a jittered mask's size, either way."""


class Looks(NamedTuple):
    """The embeddings of all instances of a clip, and whose they are.

    Attributes:
        embeddings: Unit vectors, shape ``(n, dims)``.
        track_ids: ``int64`` of shape ``(n,)``.
        labels: The class of each, ``int64`` of shape ``(n,)``.
        frames: Which frame of the clip each is in, ``int64`` of shape ``(n,)``.
    """

    embeddings: Tensor
    track_ids: Tensor
    labels: Tensor
    frames: Tensor


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


def earlier_and_later_masks(
    earlier: FrameTargets, later: FrameTargets, stride: int, grid: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the masks of an earlier frame, and what they should have become.

    Returns:
        The masks of all things of the earlier frame, ``(n, rows, columns)``; which of them are in
        both frames, ``int64`` of shape ``(m,)``; and the later masks of those, ``(m, rows,
        columns)``.
    """
    same = earlier.track_ids[:, None] == later.track_ids[None]
    in_both, partner = same.nonzero().unbind(1)
    return (
        grid_masks(earlier.masks, stride, grid),
        in_both,
        grid_masks(later.masks[partner], stride, grid),
    )


def mask_loss(propagated: Tensor, wanted: Tensor, *, bce: bool = False) -> Tensor:
    """Return one minus soft Dice, a mean over masks; 0 where there is none.

    Args:
        propagated: Shape ``(n, rows, columns)`` in ``[0, 1]``.
        wanted: The same.
        bce: Whether to add binary cross-entropy, a mean over the cells that either mask touches.
    """
    if not len(wanted):
        return 0 * propagated.sum()
    propagated = propagated.float()  # whatever precision the network runs in
    shared = (propagated * wanted).sum((1, 2))
    both = propagated.sum((1, 2)) + wanted.sum((1, 2))
    loss = (1 - 2 * shared / both.clamp(min=1e-6)).mean()
    if bce:
        # Written out: under autocast torch refuses the one that takes probabilities.
        share = propagated.clamp(1e-4, 1 - 1e-4)
        wrong = -(wanted * share.log() + (1 - wanted) * (1 - share).log())
        touched = ((propagated > 0) | (wanted > 0)).float()
        each = (wrong * touched).sum((1, 2)) / touched.sum((1, 2)).clamp(min=1)
        loss = loss + each.mean()
    return loss


def matching_loss(looks: Looks, scale: Tensor, others: Sequence[Looks] = ()) -> Tensor:
    """Return how badly instances find themselves again in the other frames of their clip.

    For each instance, and each other frame that has it too: cross-entropy over the things of its
    class in that frame, and one minus its cosine with itself. The loss is the mean over these.

    Args:
        looks: Of one clip.
        scale: Factor on cosines.
        others: Of other clips: things of its class in them are wrong as well.

    Returns:
        A scalar; 0 where nothing is seen twice.
    """
    frame, label, track = looks.frames, looks.labels, looks.track_ids
    cosine = looks.embeddings @ looks.embeddings.T
    alike = label[:, None] == label[None]
    away = _wrong_elsewhere(looks, scale, others)
    losses = []
    for wanted in range(int(frame.max()) + 1 if len(frame) else 0):
        candidate = alike & (frame == wanted)[None] & (frame != wanted)[:, None]
        itself = candidate & (track[:, None] == track[None])
        anchors, partner = itself.nonzero().unbind(1)
        logits = (scale * cosine[anchors]).masked_fill(~candidate[anchors], -torch.inf)
        right = cosine[anchors, partner]
        total = torch.cat((logits, away[anchors]), dim=1).logsumexp(1)
        losses.append(total - scale * right + 1 - right)
    found = torch.cat(losses) if losses else cosine.flatten()
    return found.mean() if len(found) else 0 * looks.embeddings.sum()


def _wrong_elsewhere(looks: Looks, scale: Tensor, others: Sequence[Looks]) -> Tensor:
    """Return logits of things of other clips, minus infinity where the class is another."""
    if not others:
        return looks.embeddings.new_zeros(len(looks.labels), 0)
    elsewhere = torch.cat([each.embeddings for each in others])
    labels = torch.cat([each.labels for each in others])
    alike = looks.labels[:, None] == labels[None]
    return (scale * looks.embeddings @ elsewhere.T).masked_fill(~alike, -torch.inf)
