"""The heads of an interval matrix: fine-tuned from one set of weights, on videos seen once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from mapt_bench.devices import DeviceSettings, memory_fault, usable_device
from mapt_bench.experiments.engine.runner import NamedProgress
from mapt_bench.experiments.matrix_config import ADAPTIVE, SAMPLED, IntervalMatrixConfig
from mapt_bench.experiments.matrix_plan import Heads, heads_of
from mapt_bench.labels import Video
from mapt_bench.model import load_mapt
from mapt_bench.synthetic.suites import is_suite
from mapt_bench.training.head_tuning import tune_heads
from mapt_bench.training.recipe import ClipSettings, Recipe
from mapt_bench.training.recipe_files import read_recipe
from mapt_bench.training.seen_videos import SeenVideo, see_video
from mapt_bench.training.sources import folder_data, spread, suite_data
from mapt_bench.workers import Workers

__all__ = ["TrainingVideos", "train_heads", "training_videos"]

_RECIPE = "mapt-heads"
_SUITE = "train"


@dataclass(frozen=True, slots=True)
class TrainingVideos:
    """The videos that heads are fine-tuned on.

    Attributes:
        videos: Some sequences of the data.
        description: Name, version and fingerprint of the data, for the record.
    """

    videos: tuple[Video, ...]
    description: dict[str, Any]


def training_videos(config: IntervalMatrixConfig) -> TrainingVideos:
    """Open the videos that heads are fine-tuned on.

    Raises:
        ConfigError: If there is no such suite.
        DataError: If the data cannot be used.
    """
    name = config.train_on or _SUITE
    if is_suite(name):
        data = suite_data(name)
    else:
        data = folder_data(Path(name), dataset=config.dataset, encoding=config.encoding)
    videos = spread(data.videos, config.train_sequences)
    of_these = replace(data, videos=videos).describe()
    return TrainingVideos(videos, {**of_these, "names": [video.info.name for video in videos]})


def train_heads(
    config: IntervalMatrixConfig,
    weights: Path,
    training: TrainingVideos,
    folder: Path,
    workers: Workers,
    progress: NamedProgress,
    on: DeviceSettings | None = None,
) -> list[Heads]:
    """Fine-tune all heads of a matrix, or resume that, and return them.

    Args:
        config: All options.
        weights: File of the weights to begin with.
        training: Videos to train on.
        folder: Run folder. What the network sees of the videos is kept in ``seen``, and each
            training in ``heads``.
        workers: Where videos are seen and heads trained.
        progress: Shows the progress of both.
        on: Where videos are seen and heads trained. Heads are trained in float32. ``None`` is the
            CPU.

    Raises:
        ConfigError: If a folder holds another training, or the device is not there.
        DataError: If data are unusable, or a loss is not finite.
    """
    on = on or DeviceSettings()
    files = [folder / "seen" / f"{at:04d}.safetensors" for at in range(len(training.videos))]
    tasks = list(zip(training.videos, files, strict=True))
    with progress("frames of the training videos", len(tasks)) as advance:
        for _ in workers.run(partial(_seeing, weights, on), tasks):
            advance(1)
    wanted = heads_of(config, folder)
    start = partial(_tuning, config, weights, training, files, on.device)
    with progress("fine-tuning of heads", len(wanted)) as advance:
        for _ in workers.run(start, wanted):
            advance(1)
    return wanted


def _at_interval(recipe: Recipe, interval: str, config: IntervalMatrixConfig) -> Recipe:
    """Return a recipe whose clips have the temporal interval of some heads."""
    if interval == SAMPLED:
        clips = ClipSettings(interval="sampled", taus=config.taus)
    elif interval == ADAPTIVE:
        clips = ClipSettings(
            interval="adaptive", taus=config.taus, target_displacement=config.target
        )
    else:
        clips = ClipSettings(taus=(int(interval),))
    return replace(recipe, clips=clips)


def _seeing(weights: Path, on: DeviceSettings) -> Callable[[tuple[Video, Path]], None]:
    torch.set_num_threads(1)
    network = load_mapt(weights, device=usable_device(on.device))

    def see(task: tuple[Video, Path]) -> None:
        try:
            see_video(network, *task, precision=on.precision, batch=on.batch)
        except RuntimeError as problem:
            fault = memory_fault(problem, on, "training frames were seen")
            if fault is None:
                raise
            raise fault from problem

    return see


def _tuning(
    config: IntervalMatrixConfig,
    weights: Path,
    training: TrainingVideos,
    files: Sequence[Path],
    device: str,
) -> Callable[[Heads], None]:
    torch.set_num_threads(1)
    where = usable_device(device)
    log_every = min(10, config.train_steps)
    checkpoint_every = -(-config.train_steps // log_every) * log_every
    settings = (
        f"steps={config.train_steps}",
        f"log_every={log_every}",
        f"checkpoint_every={checkpoint_every}",
    )
    recipe = read_recipe(_RECIPE, settings)
    seen = [SeenVideo(path) for path in files]

    def tune(heads: Heads) -> None:
        tune_heads(
            weights,
            _at_interval(recipe, heads.interval, config),
            training.videos,
            seen,
            heads.folder,
            data=training.description,
            seed=heads.seed,
            device=where,
        )

    return tune
