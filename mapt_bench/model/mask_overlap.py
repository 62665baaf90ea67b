"""How well a mask covers its thing: predicted, so that scores rank what is found by quality.

After Huang et al. 2019, "Mask Scoring R-CNN" (arXiv:1903.00241), with averages in place of
convolutions.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["OverlapPredictor", "mask_overlaps"]

_SLOPE = 0.01


class OverlapPredictor(nn.Module):
    """Predict the overlap of masks with their things from the features that masks are made of.

    Features are averaged over the region and over its mask, and two fully connected layers make
    one number for each class of it.

    Args:
        in_channels: Of the features.
        channels: Of the layer between.
        classes: Number of thing classes.
    """

    def __init__(self, in_channels: int, channels: int, classes: int) -> None:
        super().__init__()
        self.first = nn.Linear(2 * in_channels + 1, channels)
        self.second = nn.Linear(channels, classes)

    def forward(self, features: Tensor, mask_logits: Tensor, labels: Tensor) -> Tensor:
        """Return logits of the overlap, shape ``(n,)``.

        Args:
            features: Shape ``(n, in_channels, side, side)``.
            mask_logits: Of each region's own class, shape ``(n, 2 side, 2 side)``; they get no
                gradient.
            labels: Class of each, ``int64`` of shape ``(n,)``, from 1.
        """
        mask = functional.avg_pool2d(mask_logits.detach().sigmoid()[:, None], 2).to(features.dtype)
        share = mask.mean((2, 3))
        inside = (features * mask).mean((2, 3)) / share.clamp(min=1e-3)
        told = torch.cat((features.mean((2, 3)), inside, share), dim=1)
        each: Tensor = self.second(functional.leaky_relu(self.first(told), _SLOPE))
        return each.gather(1, labels[:, None] - 1)[:, 0]


def mask_overlaps(logits: Tensor, wanted: Tensor, boxes: Tensor, areas: Tensor) -> Tensor:
    """Return the intersection over union of found masks with their whole things.

    Args:
        logits: Of the masks over their boxes, shape ``(n, side, side)``.
        wanted: Share of the thing in each cell, the same shape.
        boxes: Shape ``(n, 4)``: left, top, right, bottom in pixels.
        areas: Pixels of each thing, shape ``(n,)``, those outside its box too.

    Returns:
        ``float32`` of shape ``(n,)`` in ``[0, 1]``.

    Example:
        >>> everywhere, left = torch.ones(1, 2, 2), torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
        >>> box = torch.tensor([[0.0, 0.0, 4.0, 4.0]])
        >>> mask_overlaps(everywhere, left, box, torch.tensor([8])).tolist()
        [0.5]
        >>> f"{mask_overlaps(everywhere, left, box, torch.tensor([16])).item():.3f}"
        '0.333'
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    cells = logits.shape[1] * logits.shape[2]
    cell = (sides[:, 0] * sides[:, 1]).clamp(min=1e-3) / cells
    found = (logits > 0).float()
    both = (found * wanted).sum((1, 2))
    inside = wanted.sum((1, 2))
    whole = torch.maximum(areas / cell, inside)
    return (both / (found.sum((1, 2)) + whole - both).clamp(min=1e-6)).clamp(0, 1)
