"""The last layers of the mask branch: twice as fine, then one logit a cell."""

import torch
from torch import Tensor, nn

__all__ = ["MaskPredictor"]

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
