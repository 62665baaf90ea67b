"""Fine-tune the parts of MAPT's heads that compare two frames."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from mapt_bench.files import file_sha256
from mapt_bench.labels import Video
from mapt_bench.model import MAPT, HeadTuning, load_mapt, mapt_config_to_dict
from mapt_bench.training.recipe import Recipe
from mapt_bench.training.run import WEIGHTS_NAME, TrainingJob, train
from mapt_bench.training.seen_videos import SeenClips, SeenVideo

__all__ = ["tune_heads"]


def tune_heads(
    weights: Path,
    recipe: Recipe,
    videos: Sequence[Video],
    seen: Sequence[SeenVideo],
    folder: Path,
    *,
    data: dict[str, Any],
    seed: int = 0,
    device: torch.device | None = None,
    advance: Callable[[int], None] = lambda steps: None,
) -> Path:
    """Fine-tune the heads of given weights, or resume it, and return the file of the weights.

    The parts that see single frames stay as they are: :class:`~mapt_bench.model.HeadTuning`.

    Args:
        weights: File to begin with.
        recipe: Settings.
        videos: Training videos.
        seen: What the network of ``weights`` sees of each of them.
        folder: Run folder of the training, with its log.
        data: Name and fingerprint of the videos, for the record.
        seed: Of the training.
        device: Where the heads are trained; ``None`` is the CPU.
        advance: Called with numbers of steps done.

    Raises:
        ConfigError: If the folder holds another training.
        DataError: If data are unusable, or a loss is not finite.
    """
    network = load_mapt(weights)
    path = folder / WEIGHTS_NAME
    job = TrainingJob(
        recipe=replace(recipe, export=_precision_of(weights)),
        dataset=SeenClips(videos, recipe.clips, seen),
        data={**data, "weights": file_sha256(weights)},
        build=partial(_heads_of, network),
        folder=folder,
        seed=seed,
        device=device or torch.device("cpu"),
        model_config=mapt_config_to_dict(network.config),
    )
    train(job, advance=advance)
    return path


def _heads_of(network: MAPT) -> HeadTuning:
    heads = HeadTuning(network.config)
    heads.load_state_dict(network.state_dict())
    return heads


def _precision_of(weights: Path) -> Any:  # noqa: ANN401  # a Literal of the recipe
    """Return the precision of weights. In another one, their frozen parts would change."""
    if weights.suffix != ".safetensors":
        return "float32"
    with safe_open(weights, framework="pt") as file:
        kinds = {file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118
    return "float32" if torch.float32 in kinds else "float16"
