"""Checkpoints: one safetensors file each, written beside and renamed; reading one runs no code."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mapt_bench.errors import DataError
from mapt_bench.files import replace_when_complete
from mapt_bench.training.trainer import Trainer

__all__ = ["latest_checkpoint", "load_checkpoint", "save_checkpoint"]

_SCHEMA = "mapt-bench/checkpoint/1"
_MODEL, _AVERAGE, _OPTIMIZER = "model.", "average.", "optimizer."


def save_checkpoint(trainer: Trainer, folder: Path, *, seconds: float, keep: int) -> Path:
    """Write everything that a training goes on from, and remove older checkpoints.

    The schedule, the order of clips and every random draw are functions of seed and step, so the
    step is all there is to keep of them.

    Args:
        trainer: After its last step.
        folder: For checkpoints alone; made if it is not there.
        seconds: That the training took so far.
        keep: How many of the latest checkpoints stay.

    Returns:
        The file, ``step-<step>.safetensors``.

    Raises:
        DataError: If it cannot be written; the older ones are as they were.
    """
    tensors = _prefixed(_MODEL, trainer.model.state_dict())
    if trainer.average is not None:
        tensors |= _prefixed(_AVERAGE, trainer.average.model.state_dict())
    for number, state in trainer.optimizer.state_dict()["state"].items():
        tensors |= _prefixed(f"{_OPTIMIZER}{number}.", state)
    about = {"schema": _SCHEMA, "step": trainer.step, "seconds": seconds}
    path = folder / f"step-{trainer.step:08d}.safetensors"
    with replace_when_complete(path) as beside:
        save_file(tensors, beside, metadata={"checkpoint": json.dumps(about)})
    for old in _checkpoints(folder)[:-keep]:
        old.unlink(missing_ok=True)
    return path


def latest_checkpoint(folder: Path) -> Path | None:
    """Return the checkpoint of the greatest step, or ``None`` if there is none."""
    found = _checkpoints(folder)
    return found[-1] if found else None


def load_checkpoint(trainer: Trainer, path: Path) -> float:
    """Put a trainer where it was when a checkpoint was written.

    Args:
        trainer: Of the same recipe.
        path: The checkpoint.

    Returns:
        Seconds that the training had taken.

    Raises:
        DataError: If the file is unreadable, or of another model or optimizer.
    """
    about, tensors = _read(path)
    plain = trainer.optimizer.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in _without(_OPTIMIZER, tensors).items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = value
    try:
        trainer.model.load_state_dict(_without(_MODEL, tensors))
        if trainer.average is not None:
            trainer.average.model.load_state_dict(_without(_AVERAGE, tensors))
        trainer.optimizer.load_state_dict({**plain, "state": state})
    except (RuntimeError, KeyError, ValueError) as problem:
        reason = " ".join(str(problem).split())
        raise DataError(
            f"does not fit the model and optimizer of the recipe ({reason}); the code may have "
            "changed since; choose another --out",
            where=path,
        ) from problem
    trainer.step = int(about["step"])
    return float(about["seconds"])


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.safetensors"))


def _prefixed(prefix: str, state: dict[str, Any]) -> dict[str, Tensor]:
    # Tensors of one storage are written twice; the format knows no sharing.
    return {
        f"{prefix}{name}": torch.as_tensor(value).detach().cpu().contiguous().clone()
        for name, value in state.items()
        if value is not None  # SGD's momentum before its first step
    }


def _without(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("checkpoint", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, ValueError, SafetensorError) as problem:
        raise DataError(
            f"cannot be read ({problem}); remove it to go on from the one before it", where=path
        ) from problem
    if about.get("schema") != _SCHEMA:
        raise DataError(
            f"has schema {about.get('schema')!r}, expected {_SCHEMA!r}; choose another --out",
            where=path,
        )
    return about, tensors
