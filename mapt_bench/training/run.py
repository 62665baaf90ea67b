"""A whole training in a folder: begun, gone on with after a kill, and ended with weights."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.files import write_json
from mapt_bench.provenance import provenance
from mapt_bench.training.checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from mapt_bench.training.clips import ClipDataset
from mapt_bench.training.export import export_weights, read_record
from mapt_bench.training.loading import step_batches
from mapt_bench.training.log import TrainingLog, mean_report, read_log
from mapt_bench.training.order import ClipOrder
from mapt_bench.training.processes import ProcessGroup
from mapt_bench.training.rarity import anchor_weights
from mapt_bench.training.recipe import Recipe
from mapt_bench.training.trainer import StepReport, Trainer
from mapt_bench.training.validation import Validate

__all__ = ["LOG_NAME", "WEIGHTS_NAME", "TrainingJob", "train"]

LOG_NAME = "log.jsonl"
WEIGHTS_NAME = "weights.safetensors"

_SETUP_NAME = "train.json"
_SETUP_SCHEMA = "mapt-bench/training/1"
_WITHOUT_EFFECT = ("keep_checkpoints", "loaders", "cache_mb")


@dataclass(frozen=True)
class TrainingJob:
    """What is trained, on what, and where.

    Attributes:
        recipe: Settings.
        dataset: Makes the clips, as the recipe says.
        data: Name and fingerprint of the data, and whatever else is to be on record.
        build: Builds the model on the CPU; called once, with torch seeded.
        folder: Of the run; one of the same training is gone on with.
        seed: Decides first weights, order, augmentation and what the model draws.
        device: Where the model runs.
        validate: Scores the model; ``None`` for no validation.
        model_config: Everything that the model is made of, for the record; ``None`` if unknown.
    """

    recipe: Recipe
    dataset: ClipDataset
    data: dict[str, Any]
    build: Callable[[], nn.Module]
    folder: Path
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    validate: Validate | None = None
    model_config: dict[str, Any] | None = None


def train(
    job: TrainingJob,
    *,
    group: ProcessGroup | None = None,
    advance: Callable[[int], None] = lambda steps: None,
) -> dict[str, Any]:
    """Train, or go on with a training that was stopped, to the same result.

    Args:
        job: What to do.
        group: Processes that train together; ``None`` for this one alone.
        advance: Called with numbers of steps done, those of an earlier part at once.

    Returns:
        The record of the weights, see :func:`~mapt_bench.training.export.export_weights`.

    Raises:
        ConfigError: If the folder holds another training, memory runs out, or a setting does not
            fit the model.
        DataError: If data are unusable, a loss is not finite, or something cannot be written.
    """
    group = group or ProcessGroup()
    if group.leads:
        _claim_folder(job)
    group.wait()
    torch.manual_seed(job.seed)
    model = job.build().to(job.device)
    trainer = Trainer(
        model, job.recipe, seed=job.seed, device=job.device, folder=job.folder, group=group
    )
    return _Run(job, group, trainer, advance).to_the_end()


class _Run:
    """One process's part of a training, from wherever its folder stands."""

    def __init__(
        self,
        job: TrainingJob,
        group: ProcessGroup,
        trainer: Trainer,
        advance: Callable[[int], None],
    ) -> None:
        self._job, self._group, self._trainer, self._advance = job, group, trainer, advance
        self._checkpoints = job.folder / "checkpoints"
        found = latest_checkpoint(self._checkpoints)
        self._seconds_before = 0.0 if found is None else load_checkpoint(trainer, found)
        group.wait()  # so that nobody looks for checkpoints when the first new one is written
        self._log = TrainingLog(job.folder / LOG_NAME, trainer.step) if group.leads else None
        self._started = time.monotonic()

    def to_the_end(self) -> dict[str, Any]:
        recipe, trainer = self._job.recipe, self._trainer
        self._advance(trainer.step)
        order = ClipOrder(
            anchor_weights(self._job.dataset),
            seed=self._job.seed,
            batch_size=recipe.batch_size,
            parts=recipe.accumulate,
            processes=self._group.count,
            rank=self._group.rank,
            first=trainer.step,
            end=recipe.steps,
        )
        waiting: list[StepReport] = []
        lap = time.monotonic()
        batches = step_batches(
            self._job.dataset, order, parts=recipe.accumulate, loaders=recipe.loaders
        )
        for parts in batches:
            waiting.append(trainer.train_step(parts))
            if self._is_due(recipe.log_every):
                self._note(waiting, order, (time.monotonic() - lap) / len(waiting))
                waiting, lap = [], time.monotonic()
            if self._is_due(recipe.validate_every):
                self._validate()
            if self._is_due(recipe.checkpoint_every):
                self._keep()
            self._advance(1)
        return self._finish()

    def _is_due(self, every: int) -> bool:
        step = self._trainer.step
        return step == self._job.recipe.steps or (every > 0 and step % every == 0)

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._started

    def _note(self, reports: list[StepReport], order: ClipOrder, seconds: float) -> None:
        if self._log is not None:
            step = self._trainer.step
            self._log.add(
                mean_report(reports, step=step, epoch=order.epoch_of(step), seconds=seconds)
            )

    def _validate(self) -> None:
        if self._job.validate is not None and self._log is not None:
            step = self._trainer.step
            scores = self._job.validate(self._trainer.best_model, step)
            if scores:
                self._log.add({"kind": "validation", "step": step, "scores": scores})
        self._group.wait()

    def _keep(self) -> None:
        if self._group.leads:
            save_checkpoint(
                self._trainer,
                self._checkpoints,
                seconds=self._seconds(),
                keep=self._job.recipe.keep_checkpoints,
            )
        self._group.wait()

    def _finish(self) -> dict[str, Any]:
        job, path = self._job, self._job.folder / WEIGHTS_NAME
        record: dict[str, Any] = read_record(path) or {}
        if self._group.leads and not record:
            about = {
                "model_config": job.model_config,
                "label_space": job.dataset.labels.name,
                "seed": job.seed,
                "steps": self._trainer.step,
                "seconds": round(self._seconds(), 1),
                "processes": self._group.count,
                "data": job.data,
                "validation": self._last_scores(),
                "provenance": provenance(threads=torch.get_num_threads(), device=str(job.device)),
            }
            record = export_weights(self._trainer.best_model, job.recipe, path, about)
        self._group.wait()
        return record

    def _last_scores(self) -> dict[str, float] | None:
        rows = read_log(self._job.folder / LOG_NAME)
        of_last = [row["scores"] for row in rows if row["kind"] == "validation"][-1:]
        return of_last[0] if of_last else None


def _claim_folder(job: TrainingJob) -> None:
    """Write down what is trained in a folder, or check that what was begun there is the same."""
    path = job.folder / _SETUP_NAME
    mine = {
        "schema": _SETUP_SCHEMA,
        "recipe": job.recipe.to_dict(),
        "model_config": job.model_config,
        "seed": job.seed,
        "data": job.data,
        "skipped": [{"name": skip.name, "reason": skip.reason} for skip in job.dataset.skipped],
    }
    if path.exists():
        _check_same(path, mine)
    elif job.folder.is_dir() and any(job.folder.iterdir()):
        raise ConfigError(
            "is a folder with other things in it and no training; choose another --out",
            where=job.folder,
        )
    else:
        write_json(path, mine)


def _check_same(path: Path, mine: dict[str, Any]) -> None:
    try:
        theirs = json.loads(path.read_text(encoding="utf-8"))
        there, here = _flat(theirs), _flat(mine)
    except (OSError, ValueError, AttributeError) as problem:
        raise DataError(
            f"cannot be read ({problem}); choose another --out", where=path
        ) from problem
    differing = [
        f"{key.removeprefix('recipe.')} (there {there.get(key)}, now {here.get(key)})"
        for key in sorted(there.keys() | here.keys())
        if there.get(key) != here.get(key) and key.removeprefix("recipe.") not in _WITHOUT_EFFECT
    ]
    if differing:
        raise ConfigError(
            f"holds a training that differs in {', '.join(differing[:3])}; choose another --out, "
            "or repeat that training's settings to go on with it",
            where=path.parent,
        )


def _flat(data: dict[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in data.items():
        inner = isinstance(value, dict)
        flat |= _flat(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": json.dumps(value)}
    return flat
