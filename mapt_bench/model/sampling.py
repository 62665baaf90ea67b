"""Which boxes a detector learns from: the balance of things and background, and crowd left out."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mapt_bench.model import kernels

__all__ = [
    "crowd_share",
    "generator_of_each",
    "jittered_boxes",
    "mean_over_images",
    "sample_balanced",
]

_MOVED, _RESIZED = 0.1, 0.15
"""Standard deviations: of a box's place as a share of its sides, and of the logarithm of these."""


def crowd_share(boxes: Tensor, crowd: Tensor) -> Tensor:
    """Return which share of each box's area is crowd.

    Args:
        boxes: Shape ``(n, 4)``: left, top, right, bottom in pixels.
        crowd: ``bool`` of shape ``(height, width)``.

    Returns:
        ``float32`` of shape ``(n,)`` in ``[0, 1]``; 0 for a box outside the image.

    Example:
        >>> crowd = torch.tensor([[True, True, False, False]])
        >>> crowd_share(torch.tensor([[0, 0, 4, 1], [0, 0, 2, 1], [3, 0, 4, 1.0]]), crowd)
        tensor([0.5000, 1.0000, 0.0000])
    """
    height, width = crowd.shape
    ends = boxes.new_tensor([width, height, width, height])
    corners = torch.minimum(boxes.round().clamp(min=0), ends)
    if kernels.are_there(crowd.device):
        return kernels.crowd_shares(crowd, corners)
    # Pixels above and to the left of each corner of the grid.
    sums = crowd.new_zeros((height + 1, width + 1), dtype=torch.int32)
    sums[1:, 1:] = crowd.cumsum(0, dtype=torch.int32).cumsum(1, dtype=torch.int32)
    left, top, right, bottom = corners.long().unbind(1)
    inside = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    area = ((right - left) * (bottom - top)).clamp(min=1)
    return inside / area


def sample_balanced(
    is_thing: Tensor,
    is_background: Tensor,
    *,
    count: int,
    thing_share: float,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Draw things, up to a share, and fill up with background.

    Args:
        is_thing: ``bool`` of shape ``(n,)``.
        is_background: The same; what is neither is never drawn.
        count: Of both together, at most.
        thing_share: Of things among them, at most.
        generator: On the CPU; torch's own if not given.

    Returns:
        Indices of the things and of the background drawn.
    """
    things = is_thing.nonzero().flatten()
    background = is_background.nonzero().flatten()
    things = _drawn(things, int(count * thing_share), generator)
    return things, _drawn(background, count - len(things), generator)


def _drawn(indices: Tensor, count: int, generator: torch.Generator | None) -> Tensor:
    # Drawn on the CPU, so that a seed means the same on every device.
    order = torch.randperm(len(indices), generator=generator)[:count]
    return indices[order.to(indices.device)]


def jittered_boxes(
    boxes: Tensor,
    copies: int,
    image_size: tuple[int, int],
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return copies of boxes, moved and resized a little, inside the image.

    Args:
        boxes: Shape ``(n, 4)``: left, top, right, bottom in pixels.
        copies: Of each box.
        image_size: Height and width.
        generator: On the CPU; torch's own if not given. Nothing is drawn for no copies.

    Returns:
        Shape ``(copies * n, 4)``.
    """
    if not copies or not len(boxes):
        return boxes[:0]
    many = boxes.repeat(copies, 1)
    noise = torch.randn(len(many), 4, generator=generator).clamp(-2, 2).to(boxes.device)
    sides = many[:, 2:] - many[:, :2]
    centres = (many[:, 2:] + many[:, :2]) / 2 + _MOVED * noise[:, :2] * sides
    halves = sides / 2 * (_RESIZED * noise[:, 2:]).exp()
    height, width = image_size
    edge = boxes.new_tensor([width, height])
    moved = (centres - halves).clamp(min=0), torch.minimum(centres + halves, edge)
    return torch.cat(moved, dim=1)


def generator_of_each(
    generators: Sequence[torch.Generator] | None, count: int
) -> list[torch.Generator | None]:
    """Return one generator an image, ``None`` where torch's own is meant.

    Raises:
        ValueError: If there is another number of them.
    """
    if generators is None:
        return [None] * count
    if len(generators) != count:
        raise ValueError(f"{len(generators)} generators for {count} images")
    return list(generators)


def mean_over_images(values: Tensor, counts: Sequence[int], divisors: Sequence[int]) -> Tensor:
    """Average within each image, then over images.

    Each image counts alike, whatever else is in its batch. So the parts of a batch may lie in
    several processes, and the mean of their losses is the loss of the whole.

    Args:
        values: Shape ``(sum(counts),)`` or with further axes, which are summed over.
        counts: Values of each image.
        divisors: What the sum of each image is divided by.

    Returns:
        A scalar.
    """
    sums = [
        part.sum() / max(1, divisor)
        for part, divisor in zip(torch.split(values, list(counts)), divisors, strict=True)
    ]
    return torch.stack(sums).mean()
