"""The optimizer, its learning rate at each step, and the moving average of the weights."""

import math
from copy import deepcopy
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from mapt_bench.errors import ConfigError
from mapt_bench.training.recipe import OptimizerSettings, ScheduleSettings

__all__ = ["HasDetector", "MovingAverage", "build_optimizer", "learning_rate"]

_FUSED = ("cpu", "cuda")


@runtime_checkable
class HasDetector(Protocol):
    """A model with a part for single frames that may have its own learning rate."""

    def detector_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of that part."""
        ...


def build_optimizer(model: nn.Module, settings: OptimizerSettings) -> Optimizer:
    """Return the optimizer of a model's trainable parameters.

    Norms and biases, whose parameters have one dimension or none, are not decayed. What its groups
    have as ``share`` is to be the share of the learning rate.

    Raises:
        ConfigError: If no parameter is trainable, or the model has no detector to learn apart.
    """
    detector: set[nn.Parameter] = set()
    if settings.detector_share != 1:
        if not isinstance(model, HasDetector):
            raise ConfigError(
                "optimizer.detector_share is for models with a method detector_parameters(), as "
                "MAPT has; leave it at 1"
            )
        detector = set(model.detector_parameters())
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trained:
        raise ConfigError("the model has no trainable parameter")
    groups: list[dict[str, Any]] = []
    for share, members in (
        (1.0, [parameter for parameter in trained if parameter not in detector]),
        (settings.detector_share, [parameter for parameter in trained if parameter in detector]),
    ):
        deep = [parameter for parameter in members if parameter.ndim > 1]
        flat = [parameter for parameter in members if parameter.ndim <= 1]
        groups += [
            {"params": deep, "weight_decay": settings.weight_decay, "share": share},
            {"params": flat, "weight_decay": 0.0, "share": share},
        ]
    groups = [group for group in groups if group["params"]]
    if settings.name == "adamw":
        # One operator for all parameters, where a device has it: hundreds of small ones otherwise.
        fused = all(parameter.device.type in _FUSED for parameter in trained)
        return AdamW(groups, lr=settings.lr, fused=fused)
    # Not fused: that fails when a parameter has its first gradient after the first step, as those
    # of boxes and masks have if the first clips have no objects.
    return SGD(groups, lr=settings.lr, momentum=settings.momentum)


def learning_rate(step: int, steps: int, base: float, settings: ScheduleSettings) -> float:
    """Return the learning rate of a step. The warm-up takes at most half of the training.

    Args:
        step: From 0.
        steps: Of the whole training.
        base: Learning rate after the warm-up.
        settings: How it goes.

    Example:
        >>> settings = ScheduleSettings(warmup_steps=4, warmup_from=0.0, milestones=(0.5,))
        >>> [learning_rate(step, 10, 8.0, settings) for step in (0, 1, 4, 5, 9)]
        [0.0, 2.0, 8.0, 0.8, 0.8]
    """
    rate = base * _decay(step, steps, settings)
    warmup = _warmup(steps, settings)
    if step < warmup:
        done = step / warmup
        rate *= settings.warmup_from + (1 - settings.warmup_from) * done
    return rate


def _warmup(steps: int, settings: ScheduleSettings) -> int:
    """Return the steps of the warm-up: at most half of the training, so that a short one learns."""
    return min(settings.warmup_steps, steps // 2)


def _decay(step: int, steps: int, settings: ScheduleSettings) -> float:
    if settings.decay == "steps":
        passed = sum(step >= milestone * steps for milestone in settings.milestones)
        return settings.factor**passed
    if settings.decay == "cosine":
        # The warm-up belongs to the whole: a longer one leaves less, and does not shift the end.
        start = _warmup(steps, settings)
        share = max(0, step - start) / max(1, steps - start)
        return settings.end + (1 - settings.end) * (1 + math.cos(math.pi * share)) / 2
    return 1.0


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
