"""A training in a folder: start or resume it, and export the weights."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.files import file_sha256, parse_json, read_text, write_json
from mapt_bench.provenance import provenance
from mapt_bench.training.checkpoint import (
    Start,
    export_weights,
    latest_checkpoint,
    load_checkpoint,
    read_record,
    save_checkpoint,
    stage_of,
    start_from,
)
from mapt_bench.training.loading import AnyClips, AnyOrder, order_of, step_batches
from mapt_bench.training.log import Pace, TrainingLog, mean_report, read_log
from mapt_bench.training.processes import ProcessGroup
from mapt_bench.training.recipe import Recipe, Stage
from mapt_bench.training.trainer import StepReport, Trainer
from mapt_bench.training.validation import Validate

__all__ = ["CHECKPOINTS_NAME", "LOG_NAME", "WEIGHTS_NAME", "TrainingJob", "train"]

CHECKPOINTS_NAME = "checkpoints"
LOG_NAME = "log.jsonl"
WEIGHTS_NAME = "weights.safetensors"

SETUP_NAME = "train.json"
_SETUP_SCHEMA = "mapt-bench/training/1"
_WITHOUT_EFFECT = ("keep_checkpoints", "loaders", "cache_mb", "suite")


@dataclass(frozen=True)
class TrainingJob:
    """What is trained, on what, and where.

    Attributes:
        recipe: Settings.
        dataset: Makes the clips, as the recipe says.
        data: Name and fingerprint of the data, and whatever else is to be on record.
        build: Builds the model on the CPU; called once, with torch seeded.
        folder: Run folder. An existing training with the same settings is resumed.
        seed: Decides first weights, order, augmentation and what the model draws.
        device: Where the model runs.
        validate: Scores the model; ``None`` for no validation.
        model_config: Everything that the model is made of, for the record; ``None`` if unknown.
        init: File of the first weights: a snapshot, or exported weights; ``None`` draws them. The
            heads behind the detector may differ: the log then has a row of the kind ``init`` with
            the names of the parameters that begin at random.
        imagenet: File of ImageNet weights that ``build`` puts into the backbone, for the record.
        resumes: Whether the training resumes at the step of that snapshot.
    """

    recipe: Recipe
    dataset: AnyClips
    data: dict[str, Any]
    build: Callable[[], nn.Module]
    folder: Path
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    validate: Validate | None = None
    model_config: dict[str, Any] | None = None
    init: Path | None = None
    imagenet: Path | None = None
    resumes: bool = False


def train(
    job: TrainingJob,
    *,
    group: ProcessGroup | None = None,
    advance: Callable[[int], None] = lambda steps: None,
    report: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Train, or resume a stopped training, with the same result.

    Args:
        job: What to do.
        group: Processes that train together; ``None`` for this one alone.
        advance: Called with numbers of steps done, those of an earlier part at once.
        report: Called after each step with a line about the progress.

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
    return _Run(job, group, trainer, advance, report).to_the_end()


class _Run:
    """One process's part of a training, from wherever its folder stands."""

    def __init__(
        self,
        job: TrainingJob,
        group: ProcessGroup,
        trainer: Trainer,
        advance: Callable[[int], None],
        report: Callable[[str], None],
    ) -> None:
        self._job, self._group, self._trainer = job, group, trainer
        self._advance, self._report = advance, report
        self._stages = job.recipe.all_stages
        self._checkpoints = job.folder / CHECKPOINTS_NAME
        start = self._load()
        self._seconds_before = start.seconds
        group.wait()  # every process has searched for checkpoints before the first is written
        self._log = TrainingLog(job.folder / LOG_NAME, trainer.step) if group.leads else None
        self._started = time.monotonic()
        if self._log is not None and start.fresh:
            self._log.add({"kind": "init", "step": trainer.step, "fresh": list(start.fresh)})

    def _load(self) -> Start:
        """Put the trainer where the folder stands."""
        trainer, job = self._trainer, self._job
        found = latest_checkpoint(self._checkpoints)
        if found is not None:
            return Start(trainer.step, load_checkpoint(trainer, found, self._stages), ())
        start = Start(0, 0.0, ())
        if job.init is not None:
            start = start_from(trainer, job.init, new_heads=not job.resumes)
        if not job.resumes:
            start = Start(0, 0.0, start.fresh)
        trainer.step = start.step
        trainer.begin(stage_of(self._stages, start.step))
        return start

    def to_the_end(self) -> dict[str, Any]:
        trainer = self._trainer
        self._advance(trainer.step)
        before = 0
        for stage in self._stages:
            if trainer.step < stage.end:
                if trainer.stage is not stage:
                    trainer.begin(stage)
                self._one_stage(stage, before)
            before += stage.recipe.steps * stage.recipe.batch_size
        return self._finish()

    def _one_stage(self, stage: Stage, before: int) -> None:
        recipe, job, trainer = stage.recipe, self._job, self._trainer
        dataset = job.dataset.changed(recipe)
        order = order_of(
            dataset, stage, seed=job.seed, group=self._group, first=trainer.step, before=before
        )
        waiting: list[StepReport] = []
        pace = Pace(job.recipe.all_stages, trainer.step)
        batches = step_batches(
            dataset,
            order,
            parts=recipe.accumulate,
            loaders=recipe.loaders,
            pin=job.device.type == "cuda",
        )
        for parts in batches:
            waiting.append(trainer.train_step(parts))
            pace.step()
            if self._is_due(recipe.log_every) or trainer.step == stage.end:
                self._note(waiting, order, pace)
                waiting = []
            if self._is_due(recipe.validate_every):
                self._validate()
                pace.pause()
            if self._is_due(recipe.checkpoint_every):
                self._keep()
            self._advance(1)
            self._report(pace.told(stage, trainer.step))

    def _is_due(self, every: int) -> bool:
        step = self._trainer.step
        return step == self._job.recipe.steps or (every > 0 and step % every == 0)

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._started

    def _note(self, reports: list[StepReport], order: AnyOrder, pace: Pace) -> None:
        stage, step = self._trainer.stage, self._trainer.step
        row = mean_report(
            reports,
            step=step,
            epoch=order.epoch_of(step - stage.first),
            seconds=pace.lap(),
        )
        row |= {"stage": stage.name, "frames_per_hour": round(pace.frames_per_hour(stage))}
        pace.total = row["total"]
        if self._log is not None:
            self._log.add(row)

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
    path = job.folder / SETUP_NAME
    mine = {
        "schema": _SETUP_SCHEMA,
        "recipe": job.recipe.to_dict(),
        "model_config": job.model_config,
        "seed": job.seed,
        "data": job.data,
        "skipped": [{"name": skip.name, "reason": skip.reason} for skip in job.dataset.skipped],
        "init": None if job.init is None else file_sha256(job.init),
    }
    if job.imagenet is not None:
        mine["imagenet"] = file_sha256(job.imagenet)
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
        theirs = parse_json(read_text(path))
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
            "or repeat that training's settings to resume it",
            where=path.parent,
        )


def _flat(data: dict[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in data.items():
        inner = isinstance(value, dict)
        flat |= _flat(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": json.dumps(value)}
    return flat
