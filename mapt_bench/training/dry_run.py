"""An epoch of data and one step, without a trace on disk: does everything fit together?"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from mapt_bench.model.targets import Clip
from mapt_bench.training.loading import order_of, step_batches
from mapt_bench.training.processes import ProcessGroup
from mapt_bench.training.recipe import Stage
from mapt_bench.training.run import TrainingJob
from mapt_bench.training.trainer import Trainer

__all__ = ["dry_run", "epoch_steps"]


def epoch_steps(job: TrainingJob) -> int:
    """Return how many steps an epoch has, the last one begun if it is not full."""
    return -(-len(job.dataset) // job.recipe.all_stages[-1].recipe.batch_size)


def dry_run(
    job: TrainingJob, *, advance: Callable[[int], None] = lambda steps: None
) -> dict[str, Any]:
    """Make every clip of the first epoch, and one step with the last of them.

    Args:
        job: What would be trained; its folder is not touched.
        advance: Called with numbers of steps whose clips were made.

    Returns:
        ``clips``, ``steps`` of an epoch, ``things`` (a frame, on average), ``crowd_share`` and
        ``void_share`` of the pixels, ``intervals`` (clips by interval), ``seconds_per_clip``,
        ``step_seconds``, and of the step its ``values``, ``total`` and ``gradient_norm``.

    Raises:
        ConfigError: If the model cannot be built or memory runs out.
        DataError: If a frame cannot be read, or a loss is not finite.
    """
    steps = epoch_steps(job)
    stage = job.recipe.all_stages[-1]  # the heads that all stages train are in the last
    dataset = job.dataset.changed(stage.recipe)
    order = order_of(
        dataset,
        Stage(stage.name, 0, replace(stage.recipe, steps=steps)),
        seed=job.seed,
        group=ProcessGroup(),
        first=0,
    )
    seen = _Seen(job.dataset.labels.ignore_label)
    started = time.monotonic()
    batch: list[list[Clip]] = []
    for batch in step_batches(
        dataset, order, parts=stage.recipe.accumulate, loaders=job.recipe.loaders
    ):
        for clip in (clip for part in batch for clip in part):
            seen.add(clip)
        advance(1)
    loading = time.monotonic() - started
    torch.manual_seed(job.seed)
    trainer = Trainer(
        job.build().to(job.device),
        stage.recipe,
        seed=job.seed,
        device=job.device,
        folder=job.folder,
    )
    started = time.monotonic()
    report = trainer.train_step(batch)
    return {
        "clips": seen.clips,
        "steps": steps,
        **seen.summary(),
        "seconds_per_clip": loading / seen.clips,
        "step_seconds": time.monotonic() - started,
        "values": report.values,
        "total": report.total,
        "gradient_norm": report.gradient_norm,
    }


class _Seen:
    """Sums over clips."""

    def __init__(self, ignore_label: int) -> None:
        self._ignore_label = ignore_label
        self.clips = 0
        self._frames = self._things = self._pixels = self._crowd = self._void = 0
        self._intervals: dict[int, int] = {}

    def add(self, clip: Clip) -> None:
        self.clips += 1
        tau = clip.intervals[-1]
        self._intervals[tau] = self._intervals.get(tau, 0) + 1
        for targets in clip.targets:
            self._frames += 1
            self._things += len(targets.labels)
            self._pixels += targets.semantic.numel()
            self._crowd += int(targets.crowd.sum())
            self._void += int((targets.semantic == self._ignore_label).sum())

    def summary(self) -> dict[str, Any]:
        return {
            "things": self._things / self._frames,
            "crowd_share": self._crowd / self._pixels,
            "void_share": self._void / self._pixels,
            "intervals": {str(tau): count for tau, count in sorted(self._intervals.items())},
        }
