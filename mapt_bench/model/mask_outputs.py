"""The outputs of the mask branch: mask logits, and the predicted overlap of each mask.

The overlap follows Huang et al. 2019, "Mask Scoring R-CNN" (arXiv:1903.00241), with averages in
place of convolutions.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["MaskPredictor", "OverlapPredictor", "mask_overlaps"]

_FACTOR = 2


class MaskPredictor(nn.ModuleDict):
    """Double the sides of maps, and give each cell a logit of one class.

    A transposed 2x2 convolution of stride 2, a ReLU, and a 1x1 convolution, of whose classes only
    each region's own is worked out. The parameters have the names that they have in torchvision's
    ``MaskRCNNPredictor`` written as a sequence.

    Args:
        channels: Of the maps.
        classes: Number of thing classes.

    Example:
        >>> MaskPredictor(8, 3)(torch.zeros(5, 8, 14, 14), torch.tensor([1, 1, 2, 3, 1])).shape
        torch.Size([5, 28, 28])
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__(
            {
                "0": nn.ConvTranspose2d(channels, channels, _FACTOR, stride=_FACTOR),
                "2": nn.Conv2d(channels, classes, 1),
            }
        )

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Return mask logits of shape ``(n, 2 side, 2 side)``.

        Args:
            x: Shape ``(n, channels, side, side)``.
            labels: Class of each, ``int64`` of shape ``(n,)``, from 1.
        """
        if not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last):
            return self._channels_last(x, labels)
        finer, classify = dict(self["0"].named_parameters()), dict(self["2"].named_parameters())
        count, channels, side, _ = x.shape
        # The 2x2 patches that come out do not overlap, so that this is a product of matrices, which
        # on a CPU takes a fraction of the time of the transposed convolution.
        weight = finer["weight"].flatten(1).t().expand(count, -1, -1)
        bias = finer["bias"].repeat_interleave(_FACTOR**2)[:, None]
        patches = torch.baddbmm(bias, weight, x.flatten(2)).relu_()
        own = labels - 1
        logits = torch.baddbmm(
            classify["bias"][own][:, None, None],
            classify["weight"][own].view(count, 1, channels),
            patches.view(count, channels, -1),
        )
        cells = logits.view(count, _FACTOR, _FACTOR, side, side).permute(0, 3, 1, 4, 2)
        return cells.reshape(count, _FACTOR * side, _FACTOR * side)

    def _channels_last(self, x: Tensor, labels: Tensor) -> Tensor:
        """Do the same where the channels of a cell lie side by side, without moving them."""
        finer, classify = dict(self["0"].named_parameters()), dict(self["2"].named_parameters())
        count, channels, side, _ = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(-1, channels)
        weight = finer["weight"].permute(0, 2, 3, 1).reshape(channels, -1)
        patches = torch.addmm(finer["bias"].repeat(_FACTOR**2), rows, weight).relu_()
        own = labels - 1
        logits = torch.baddbmm(
            classify["bias"][own][:, None, None],
            patches.view(count, -1, channels),
            classify["weight"][own].view(count, channels, 1),
        )
        cells = logits.view(count, side, side, _FACTOR, _FACTOR).transpose(2, 3)
        return cells.reshape(count, _FACTOR * side, _FACTOR * side)


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
