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
        own, followed = self.model.state_dict(), model.state_dict()
        slow = [name for name, value in own.items() if value.is_floating_point()]
        torch._foreach_lerp_(
            [own[name] for name in slow], [followed[name] for name in slow], 1 - decay
        )
        for name in own.keys() - set(slow):
            own[name].copy_(followed[name])
