"""The moving average of a model's weights."""

from copy import deepcopy

import torch
from torch import nn

__all__ = ["MovingAverage"]


class MovingAverage:
    """A model that follows another one slowly.

    Early on it follows faster, ``min(decay, (1 + n) / (10 + n))`` after ``n`` updates, so that the
    first weights are soon forgotten.

    Args:
        model: That is followed; it is copied.
        decay: Share of the average that an update keeps, in the long run.

    Attributes:
        model: The average; its buffers are those of the followed model.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = deepcopy(model).requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, updates: int) -> None:
        """Move towards the model's present weights.

        Args:
            model: That is followed.
            updates: How many updates came before this one.
        """
        decay = min(self._decay, (1 + updates) / (10 + updates))
        followed = model.state_dict()
        for name, value in self.model.state_dict().items():
            if value.is_floating_point():
                value.lerp_(followed[name], 1 - decay)
            else:
                value.copy_(followed[name])
