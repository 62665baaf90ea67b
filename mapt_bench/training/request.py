"""What a user asks of a training, opened, checked and carried out."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import cv2
import torch

from mapt_bench.errors import ConfigError, DataError, check_seed, nearest
from mapt_bench.labels import AnnotatedVideo, LabelSpace
from mapt_bench.provenance import provenance
from mapt_bench.synthetic.suites import is_suite, suite_names
from mapt_bench.training.checkpoint import save_snapshot
from mapt_bench.training.clips import ClipDataset
from mapt_bench.training.dry_run import dry_run, epoch_steps
from mapt_bench.training.loading import AnyClips, keep_memory
from mapt_bench.training.log import read_log
from mapt_bench.training.model_builder import build_model, model_config, tracker_of
from mapt_bench.training.processes import ProcessGroup, joined_processes
from mapt_bench.training.recipe import Recipe
from mapt_bench.training.recipe_files import read_recipe
from mapt_bench.training.run import CHECKPOINTS_NAME, LOG_NAME, TrainingJob, train
from mapt_bench.training.sources import (
    STREAM_NAME,
    StreamData,
    TrainingData,
    folder_data,
    spread,
    stream_data,
    suite_data,
)
from mapt_bench.training.stream import ClipStream
from mapt_bench.training.validation import (
    FlowValidation,
    JoinedValidation,
    TrackerValidation,
    Validate,
)
from mapt_bench.workers import Workers, check_cluster, opened_workers

__all__ = ["Progress", "Shown", "TrainingRequest", "carry_out", "take_snapshot"]


class Shown(Protocol):
    """Shows how far something is."""

    def __call__(self, steps: int, /) -> None:
        """Move it on."""
        ...

    def tell(self, text: str, /) -> None:
        """Say how it fares."""
        ...


Progress = Callable[[str, int], AbstractContextManager[Shown]]
"""Given what is done and how many steps there are, shows it and yields what moves it on."""

_NONE = "none"
_VALIDATED_BY = {"train": "val", STREAM_NAME: "val"}


@dataclass(frozen=True, kw_only=True)
class TrainingRequest:
    """The options of ``mapt-bench train``.

    Attributes:
        config: Recipe, see :func:`~mapt_bench.training.recipe_files.read_recipe`.
        overrides: Its settings that are replaced, as ``optimizer.lr=0.02``.
        suite: Suite to train on; ``None`` if ``data`` is given.
        data: Folder to train on.
        val: Suite or folder to validate on, or ``"none"``; ``None`` is the suite ``val`` for the
            suite ``train`` and the stream, and nothing otherwise.
        dataset: Label space of folders.
        encoding: Encoding of the maps of folders.
        out: Folder of the run.
        seed: 0 or more.
        device: For example ``"cpu"`` or ``"cuda"``.
        threads: Of torch, per process.
        is_dry: Whether only one epoch of clips and one step are made.
        init: File of the first weights: a snapshot, or the weights of a run.
        imagenet: File of torchvision's ImageNet weights for the backbone of MAPT.
        resume: Snapshot that the training resumes from, with its weights and step.
        cluster: Address of a Dask scheduler that validates, or ``"local"`` for a cluster on this
            machine; ``None`` validates in this process.
        scheduler_file: File with the address of a Dask scheduler, instead of ``cluster``.
    """

    config: str
    overrides: tuple[str, ...] = ()
    suite: str | None = None
    data: Path | None = None
    val: str | None = None
    dataset: str | None = None
    encoding: str | None = None
    out: Path
    seed: int = 0
    device: str = "cpu"
    threads: int = 1
    is_dry: bool = False
    init: Path | None = None
    imagenet: Path | None = None
    resume: Path | None = None
    cluster: str | None = None
    scheduler_file: Path | None = None

    def workers(self) -> AbstractContextManager[Workers]:
        """Open what tracks the videos of the validation."""
        return opened_workers(None, self.cluster, self.scheduler_file)


def carry_out(request: TrainingRequest, progress: Progress) -> dict[str, Any] | None:
    """Do what is asked.

    Args:
        request: What is asked.
        progress: Shows how far it is.

    Returns:
        ``schema``, ``run``, ``data``, ``skipped``, and either ``weights`` (their record) and
        ``log`` (its rows), or ``dry_run``; ``None`` in all processes but the first.

    Raises:
        ConfigError: If options do not go together, or see :func:`~mapt_bench.training.run.train`.
        DataError: If data are unusable, a loss is not finite, or something cannot be written.
    """
    _check(request)
    keep_memory()
    torch.set_num_threads(request.threads)
    cv2.setNumThreads(1)  # it draws small things: threads of its own would only wait
    recipe = read_recipe(request.config, request.overrides)
    data = _training_data(request)
    with request.workers():
        pass  # a cluster that is not there is reported before the training
    with joined_processes("nccl" if request.device.startswith("cuda") else "gloo") as group:
        job = _job(request, recipe, data, group)
        result: dict[str, Any] = {
            "schema": "mapt-bench/training-run/1",
            "run": str(request.out),
            "data": job.data,
            "skipped": [{"name": skip.name, "reason": skip.reason} for skip in job.dataset.skipped],
            "recipe": recipe.to_dict(),
        }
        if request.is_dry and not group.leads:
            return None
        if request.is_dry:
            with progress("clips", epoch_steps(job)) as advance:
                outcome = dry_run(job, advance=advance)
            origin = provenance(threads=request.threads, device=str(job.device))
            return {**result, "dry_run": outcome, "provenance": origin}
        shown = progress if group.leads else _silent
        with shown("training", recipe.steps) as advance:
            record = train(job, group=group, advance=advance, report=advance.tell)
    if not group.leads:
        return None
    return {**result, "weights": record, "log": read_log(request.out / LOG_NAME)}


class _Silent:
    def __call__(self, steps: int, /) -> None:
        """Show nothing."""

    def tell(self, text: str, /) -> None:
        """Show nothing."""


def _silent(what: str, steps: int) -> AbstractContextManager[Shown]:
    return nullcontext(_Silent())


def take_snapshot(run: Path, path: Path) -> dict[str, Any]:
    """Write a snapshot of the last checkpoint of a run.

    Raises:
        DataError: If the run has none, or the file cannot be written.
    """
    return save_snapshot(run / CHECKPOINTS_NAME, path)


def _check(request: TrainingRequest) -> None:
    if (request.suite is None) == (request.data is None):
        known = ", ".join((*suite_names(), STREAM_NAME))
        raise ConfigError(f"give either --suite or --data to train on; suites: {known}")
    if request.init is not None and request.resume is not None:
        raise ConfigError("give either --init or --resume: both say what the first weights are")
    if request.imagenet is not None and (request.init is not None or request.resume is not None):
        raise ConfigError(
            "--imagenet starts the backbone, and --init and --resume start everything; keep one"
        )
    if request.imagenet is not None and not request.imagenet.is_file():
        raise DataError(
            "there is no such file; expected the state dict of torchvision's classifier, such as "
            "regnet_y_8gf-dc2b1b54.pth",
            where=request.imagenet,
        )
    check_seed("--seed", request.seed)
    if request.threads < 1:
        raise ConfigError(f"--threads is {request.threads}; expected 1 or more")
    check_cluster(request.cluster, request.scheduler_file)
    folders = request.data is not None or (request.val is not None and _is_folder(request.val))
    if not folders and (request.dataset is not None or request.encoding is not None):
        raise ConfigError("--dataset and --encoding say how to read --data; give --data too")


def _training_data(request: TrainingRequest) -> TrainingData | StreamData:
    if request.suite == STREAM_NAME:
        return stream_data()
    if request.data is not None:
        return folder_data(request.data, dataset=request.dataset, encoding=request.encoding)
    return suite_data(str(request.suite))


def _job(
    request: TrainingRequest,
    recipe: Recipe,
    data: TrainingData | StreamData,
    group: ProcessGroup,
) -> TrainingJob:
    dataset: AnyClips
    if isinstance(data, StreamData):
        dataset = ClipStream(data.sequence, recipe.stream, recipe.clips, recipe.augment)
    else:
        dataset = ClipDataset(
            data.videos, recipe.clips, recipe.augment, cache_bytes=recipe.cache_mb * 2**20
        )
    return TrainingJob(
        recipe=recipe,
        dataset=dataset,
        data=data.describe(),
        build=partial(
            build_model,
            recipe.model,
            recipe.model_settings,
            dataset.labels,
            imagenet=request.imagenet,
        ),
        folder=request.out,
        seed=request.seed,
        device=group.device(request.device),
        model_config=model_config(recipe.model, recipe.model_settings),
        validate=None if request.is_dry else _validation(request, recipe, dataset.labels),
        init=request.init or request.resume,
        imagenet=request.imagenet,
        resumes=request.resume is not None,
    )


def _validation(request: TrainingRequest, recipe: Recipe, labels: LabelSpace) -> Validate | None:
    name = request.val
    if name is None:
        name = _VALIDATED_BY.get(request.suite or "", _NONE)
    if name == _NONE:
        return None
    if is_suite(name):
        data = suite_data(name)
    elif _is_folder(name):
        data = folder_data(Path(name), dataset=request.dataset, encoding=request.encoding)
    else:
        hint = nearest(name, (*suite_names(), _NONE))
        raise ConfigError(f"--val {name!r} is neither a suite nor a folder; {hint}")
    videos = spread(data.videos, recipe.validate_on)
    if videos[0].info.labels != labels:
        raise ConfigError(
            f"--val has the label space {videos[0].info.labels.name!r}, the training data have "
            f"{labels.name!r}; validate on data of one label space with them"
        )
    tracking = TrackerValidation(videos, tracker_of, request.workers)
    if not recipe.clips.flow:
        return tracking
    known = [video for video in videos if isinstance(video, AnnotatedVideo)]
    if len(known) < len(videos):
        raise ConfigError(
            f"--val {name!r} has no ground-truth flow, which clips.flow needs; validate on a "
            f"suite, or turn validation off with --val {_NONE}"
        )
    return JoinedValidation(tracking, FlowValidation(known))


def _is_folder(name: str) -> bool:
    return not is_suite(name) and Path(name).is_dir()
