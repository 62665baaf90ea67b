"""When training cannot go on: losses that are no numbers, and memory that does not suffice."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.files import write_text
from mapt_bench.model.targets import Clip
from mapt_bench.training.recipe import Recipe

__all__ = ["memory_advice", "non_finite"]

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
