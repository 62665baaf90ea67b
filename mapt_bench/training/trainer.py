"""Training steps: losses, gradients, weights, and the errors that stop them."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from mapt_bench.errors import ConfigError, DataError, a_type, nearest
from mapt_bench.files import write_text
from mapt_bench.model.targets import Clip
from mapt_bench.training.model_builder import model_blamed
from mapt_bench.training.optimization import (
    HasDetector,
    MovingAverage,
    build_optimizer,
    learning_rate,
)
from mapt_bench.training.processes import ProcessGroup
from mapt_bench.training.recipe import Recipe, Stage

__all__ = ["LOSS_PREFIX", "StepReport", "Trainer", "memory_advice", "non_finite"]

LOSS_PREFIX = "loss_"
"""What the names of losses begin with; other values that a model returns are only logged."""


_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one step was like.

    Attributes:
        values: Every value that the model returned, means over all clips of the step.
        total: Weighted sum of the losses, the same way.
        lr: Learning rate.
        gradient_norm: Over all parameters, before clipping.
        loss_gradient_norms: Of each weighted loss by itself, on this process's last part; empty
            unless asked for.
    """

    values: dict[str, float]
    total: float
    lr: float
    gradient_norm: float
    loss_gradient_norms: dict[str, float]


class Trainer:
    """Trains any module whose ``forward(clips)`` returns a dictionary of losses.

    The model's values are means over the clips that it is given. All processes and parts have
    equally many clips, so the mean over them is the mean over the clips of the step, and gradients
    are those of one process with the joined batch. Whatever the model draws at random is seeded by
    seed, step, part and rank: a resumed training draws the same values.

    Args:
        model: On its device; returns values. Those that begin with ``loss_`` are losses.
        recipe: Settings; of the whole training until a stage is begun.
        seed: Of the training.
        device: Where the model is.
        folder: Where the identity of a bad batch is written.
        group: Processes that train together.

    Attributes:
        model: As given.
        optimizer: Of its parameters.
        average: Of its weights, where the recipe asks for one.
        stage: The part of the training that it is in.
        recipe: The settings of that part.
        step: Steps made, of all stages.

    Raises:
        ConfigError: If the model has nothing to train.
    """

    def __init__(
        self,
        model: nn.Module,
        recipe: Recipe,
        *,
        seed: int,
        device: torch.device,
        folder: Path,
        group: ProcessGroup | None = None,
    ) -> None:
        uses_bfloat16 = _uses_bfloat16(recipe, device)
        if uses_bfloat16:
            _lay_channels_last(model)
        self.model = model
        self.average = MovingAverage(model, recipe.average) if recipe.average else None
        self.step = 0
        self._trainable = [each for each in model.parameters() if each.requires_grad]
        self._seed = seed
        self._device = device
        self._folder = folder
        self._group = group or ProcessGroup()
        self.begin(Stage("joint", 0, recipe))
        self._precision: AbstractContextManager[None] = (
            torch.autocast(device.type, torch.bfloat16) if uses_bfloat16 else nullcontext()
        )

    def begin(self, stage: Stage) -> None:
        """Begin a part of the training: with its own settings, and a new optimizer.

        Raises:
            ConfigError: If the model has nothing to train in it.
        """
        self.stage, self.recipe = stage, stage.recipe
        frozen: set[nn.Parameter] = set()
        if self.recipe.optimizer.detector_share == 0 and isinstance(self.model, HasDetector):
            frozen = set(self.model.detector_parameters())
        for parameter in self._trainable:
            parameter.requires_grad_(parameter not in frozen)
        self.optimizer = build_optimizer(self.model, self.recipe.optimizer)
        self._trained = [each for each in self._trainable if each not in frozen]
        # A batch without things leaves heads without gradients, which others would wait for.
        self._parallel = (
            DistributedDataParallel(
                self.model, find_unused_parameters=True, gradient_as_bucket_view=True
            )
            if self._group.count > 1
            else None
        )

    @property
    def best_model(self) -> nn.Module:
        """The average of the weights where there is one, else the model."""
        return self.model if self.average is None else self.average.model

    def train_step(self, parts: Sequence[Sequence[Clip]]) -> StepReport:
        """Make one step.

        Args:
            parts: Clips of this process, in the parts that they are computed in.

        Raises:
            ConfigError: If memory runs out, or the model returns no loss.
            DataError: If a loss or the gradient is not finite; the weights are as before.
        """
        recipe = self.recipe
        lr = learning_rate(
            self.step - self.stage.first, recipe.steps, recipe.optimizer.lr, recipe.schedule
        )
        for settings in self.optimizer.param_groups:
            settings["lr"] = lr * settings["share"]
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        with memory_advice(recipe):
            computed = [
                self._part(clips, at, at == len(parts) - 1) for at, clips in enumerate(parts)
            ]
            norm = self._gradient_norm(computed[-1][0], [clip for clips in parts for clip in clips])
            self.optimizer.step()
            if self.average is not None:
                self.average.update(self.model, self.step)
        self.step += 1
        values = _mean([part for part, _ in computed])
        total = sum(self._weight(name) * value for name, value in _losses(values))
        return StepReport(values, total, lr, norm, computed[-1][1])

    def _part(
        self, clips: Sequence[Clip], part: int, is_last: bool
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Add one part's gradients; return its values, and the gradient norms of its losses."""
        torch.manual_seed(self._mixed_seed(part))
        forward = self.model if self._parallel is None else self._parallel
        quiet: AbstractContextManager[None] = nullcontext()
        if self._parallel is not None and not is_last:
            quiet = self._parallel.no_sync()  # gradients are exchanged once a step
        with quiet:
            moved = [clip.to(self._device, non_blocking=True) for clip in clips]
            with self._precision, model_blamed(self.model), memory_advice(self.recipe):
                returned: dict[str, Tensor] = forward(moved)
            _check_tensors(returned)
            self._check_names(returned)
            values = self._finite_values(returned, clips)
            weighted = [self._weight(name) * loss for name, loss in _losses(returned)]
            total = torch.stack([loss.float() for loss in weighted]).sum()
            if not total.requires_grad:
                raise ConfigError("no loss of the model depends on a trainable parameter")
            with model_blamed(self.model), memory_advice(self.recipe):
                norms = self._norms_by_loss(returned) if is_last and self._norms_are_due() else {}
                (total / self.recipe.accumulate).backward()  # type: ignore[no-untyped-call]
        return values, norms

    def _mixed_seed(self, part: int) -> int:
        numbers = (self._seed, self.step, part, self._group.rank)
        return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)

    def _check_names(self, returned: Mapping[str, Tensor]) -> None:
        names = [name for name, _ in _losses(returned)]
        if not names:
            found = ", ".join(returned) or "nothing"
            raise ConfigError(
                f"the model returned {found}; expected losses with names that begin with "
                f"{LOSS_PREFIX!r}"
            )
        for name in self.recipe.loss_weights:
            if name not in names:
                raise ConfigError(f"loss_weights has {name!r}; {nearest(name, names)}")

    def _finite_values(
        self, returned: Mapping[str, Tensor], clips: Sequence[Clip]
    ) -> dict[str, float]:
        """Return means over all processes; a value that is not finite stops every one of them."""
        names = sorted(returned)
        own = torch.stack([returned[name].detach().float().reshape(()) for name in names])
        means = self._group.mean(own)
        values = dict(zip(names, means.tolist(), strict=True))
        if not all(math.isfinite(value) for value in values.values()):
            found = dict(zip(names, own.tolist(), strict=True))
            if all(math.isfinite(value) for value in found.values()):
                found = values  # another process has the bad clip
            raise self._stopped(found, clips)
        return values

    def _gradient_norm(self, values: dict[str, float], clips: Sequence[Clip]) -> float:
        limit = self.recipe.optimizer.clip_norm
        largest = float("inf") if limit is None else limit
        norm = float(nn.utils.clip_grad_norm_(self._trained, largest))
        if not math.isfinite(norm):
            raise self._stopped({"gradient_norm": norm, **values}, clips)
        return norm

    def _stopped(self, values: dict[str, float], clips: Sequence[Clip]) -> Exception:
        return non_finite(
            self._folder,
            values,
            clips,
            step=self.step,
            seed=self._seed,
            rank=self._group.rank,
        )

    def _norms_are_due(self) -> bool:
        every = self.recipe.gradient_norms_every
        return every > 0 and (self.step + 1) % every == 0

    def _norms_by_loss(self, returned: Mapping[str, Tensor]) -> dict[str, float]:
        norms = {}
        for name, loss in _losses(returned):
            found: Iterable[Tensor | None] = ()
            if loss.requires_grad:
                found = torch.autograd.grad(
                    self._weight(name) * loss, self._trained, retain_graph=True, allow_unused=True
                )
            parts = [gradient.norm() for gradient in found if gradient is not None]
            norms[name] = float(torch.stack(parts).norm()) if parts else 0.0
        return norms

    def _weight(self, name: str) -> float:
        return self.recipe.loss_weights.get(name, 1.0)


def _check_tensors(returned: object) -> None:
    if not isinstance(returned, Mapping):
        raise ConfigError(
            f"the model returned {a_type(returned)}; expected a dictionary of losses and other "
            "tensors of one number"
        )
    for name, value in returned.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ConfigError(
                f"the model returned {a_type(value)} under {name!r}; expected a tensor of one "
                "number under a name"
            )
        if value.numel() != 1:
            raise ConfigError(
                f"the model returned a tensor of shape {tuple(value.shape)} under {name!r}; "
                "expected one number, the mean over the clips"
            )


def _losses(values: Mapping[str, _Value]) -> list[tuple[str, _Value]]:
    return [(name, value) for name, value in values.items() if name.startswith(LOSS_PREFIX)]


def _mean(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: math.fsum(part[name] for part in parts) / len(parts) for name in parts[0]}


def _computes_bfloat16(device: torch.device) -> bool:
    """Return whether a device multiplies matrices in bfloat16 faster than in float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu.get_capabilities().get("amx_bf16", False))


def _uses_bfloat16(recipe: Recipe, device: torch.device) -> bool:
    wanted = recipe.precision
    return wanted == "bfloat16" or (wanted == "auto" and _computes_bfloat16(device))


def _lay_channels_last(model: nn.Module) -> None:
    """Lay the kernels of convolutions as they are read fastest; maps follow them."""
    for parameter in model.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


_SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "bad_alloc")


def non_finite(
    folder: Path,
    values: dict[str, float],
    clips: Sequence[Clip],
    *,
    step: int,
    seed: int,
    rank: int,
) -> DataError:
    """Write down what was being computed, and return the error to raise.

    Args:
        folder: Of the run; the file is ``non_finite-<step>-<rank>.json``.
        values: What is not finite, and what else was computed with it.
        clips: Of this process.
        step: From 0.
        seed: Of the training.
        rank: Of this process.
    """
    path = folder / f"non_finite-{step:08d}-{rank}.json"
    bad = [name for name, value in values.items() if not -float("inf") < value < float("inf")]
    identity = {
        "schema": "mapt-bench/non-finite/1",
        "step": step,
        "seed": seed,
        "rank": rank,
        "not_finite": bad,
        "values": {name: str(value) for name, value in values.items()},  # JSON has no NaN
        "clips": [{"name": clip.name, "intervals": list(clip.intervals)} for clip in clips],
    }
    write_text(path, json.dumps(identity, indent=2) + "\n")
    return DataError(
        f"{', '.join(bad)} became non-finite at step {step}; the clips are named in {path.name}, "
        "and the last checkpoint is as it was; lower optimizer.lr or optimizer.clip_norm, or "
        "raise schedule.warmup_steps, in a new run",
        where=path,
    )


@contextmanager
def memory_advice(recipe: Recipe) -> Iterator[None]:
    """Turn exhausted memory into advice.

    Raises:
        ConfigError: If memory was exhausted inside; says which settings to lower.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as problem:
        raise _advice(recipe) from problem
    except RuntimeError as problem:
        if not any(sign in str(problem).lower() for sign in _SIGNS):
            raise
        raise _advice(recipe) from problem


def _advice(recipe: Recipe) -> ConfigError:
    crop = recipe.augment.crop
    area = "augment.crop (now the whole frame)" if crop is None else f"augment.crop (now {crop})"
    return ConfigError(
        f"memory ran out with batch_size {recipe.batch_size} in {recipe.accumulate} parts; raise "
        f"accumulate up to batch_size, lower batch_size, or lower {area}"
    )
