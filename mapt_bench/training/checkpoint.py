"""Checkpoints, snapshots and exported weights: safetensors files, replaced only when complete."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from mapt_bench.errors import DataError, wrong_schema
from mapt_bench.files import file_sha256, parse_json, read_text, replace_when_complete, write_json
from mapt_bench.special_files import refuse_special
from mapt_bench.training.optimization import HasDetector
from mapt_bench.training.recipe import Recipe, Stage
from mapt_bench.training.trainer import Trainer

__all__ = [
    "WEIGHTS_SCHEMA",
    "Start",
    "export_weights",
    "latest_checkpoint",
    "load_checkpoint",
    "read_record",
    "save_checkpoint",
    "save_snapshot",
    "stage_of",
    "start_from",
]

_SCHEMA = "mapt-bench/checkpoint/1"
_SNAPSHOT_SCHEMA = "mapt-bench/snapshot/1"
_MODEL, _AVERAGE, _OPTIMIZER = "model.", "average.", "optimizer."


def save_checkpoint(trainer: Trainer, folder: Path, *, seconds: float, keep: int) -> Path:
    """Write everything that a training resumes from, and remove older checkpoints.

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
    about = {
        "schema": _SCHEMA,
        "step": trainer.step,
        "stage": trainer.stage.name,
        "seconds": seconds,
    }
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


def load_checkpoint(trainer: Trainer, path: Path, stages: Sequence[Stage]) -> float:
    """Put a trainer where it was when a checkpoint was written.

    Args:
        trainer: Of the same recipe.
        path: The checkpoint.
        stages: Of the training; that of the checkpoint's step is begun.

    Returns:
        Seconds that the training had taken.

    Raises:
        DataError: If the file is unreadable, or of another model or optimizer.
    """
    about, tensors = _read(path, _SCHEMA)
    stage = stage_of(stages, int(about["step"]))
    trainer.begin(stage)
    trained = [each for group in trainer.optimizer.param_groups for each in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    try:
        for key, value in _without(_OPTIMIZER, tensors).items():
            number, _, name = key.partition(".")
            laid = _laid_as(trained[int(number)], value)
            state.setdefault(int(number), {})[name] = laid
        _load_weights(trainer, tensors)
        if about.get("stage", stage.name) == stage.name:
            plain = trainer.optimizer.state_dict()
            trainer.optimizer.load_state_dict({**plain, "state": state})
    except (RuntimeError, LookupError, ValueError) as problem:
        raise _does_not_fit(path, problem) from problem
    trainer.step = int(about["step"])
    return float(about["seconds"])


def _laid_as(parameter: Tensor, value: Tensor) -> Tensor:
    """Return a value laid out in memory as its parameter is.

    Fused optimizers on a CPU walk through memory, whatever the strides say. Moments with other
    strides than their parameter would move the wrong weights.
    """
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value).detach()


def stage_of(stages: Sequence[Stage], step: int) -> Stage:
    """Return the stage that a step is in; the last one for those after it."""
    return next((stage for stage in stages if step < stage.end), stages[-1])


def save_snapshot(folder: Path, path: Path) -> dict[str, Any]:
    """Write the weights of the latest checkpoint and their average in half precision.

    It is a sixth of the size of a checkpoint, to be kept with code: :func:`start_from` starts
    from it, with a new optimizer.

    Args:
        folder: Of checkpoints.
        path: The file to write.

    Returns:
        ``schema``, ``step``, ``stage`` and ``seconds``.

    Raises:
        DataError: If there is no checkpoint, or the file cannot be written.
    """
    found = latest_checkpoint(folder)
    if found is None:
        raise DataError("holds no checkpoint to take a snapshot of", where=folder)
    about, tensors = _read(found, _SCHEMA)
    kept = {
        name: value.half() if value.is_floating_point() else value
        for name, value in tensors.items()
        if name.startswith((_MODEL, _AVERAGE))
    }
    about = {**about, "schema": _SNAPSHOT_SCHEMA}
    with replace_when_complete(path) as beside:
        save_file(kept, beside, metadata={"checkpoint": json.dumps(about)})
    return about


@dataclass(frozen=True, slots=True)
class Start:
    """Where a training that begins with given weights stands.

    Attributes:
        step: Steps that had been made; 0 for exported weights.
        seconds: That they took.
        fresh: Names of the parameters that the file does not have, or has in another shape. They
            keep their random values.
    """

    step: int
    seconds: float
    fresh: tuple[str, ...]


def start_from(trainer: Trainer, path: Path, *, new_heads: bool = False) -> Start:
    """Put the weights of a snapshot, or of exported weights, into a trainer.

    Args:
        trainer: Of the same model.
        path: What :func:`save_snapshot` wrote, or the ``weights.safetensors`` of a run.
        new_heads: Whether the file may be of a model with the same detector and other heads.

    Raises:
        DataError: If the file is unreadable, or of another model.
    """
    about, tensors = _read(path, None)
    if about.get("schema") != _SNAPSHOT_SCHEMA:
        about, tensors = {}, _prefixed(_MODEL, tensors)
    fresh: tuple[str, ...] = ()
    if new_heads and isinstance(trainer.model, HasDetector):
        fresh = _add_new_heads(tensors, trainer.model, trainer.model.detector_parameters())
    try:
        _load_weights(trainer, tensors)
    except (RuntimeError, KeyError, ValueError) as problem:
        raise _does_not_fit(path, problem) from problem
    return Start(int(about.get("step", 0)), float(about.get("seconds", 0.0)), fresh)


def _add_new_heads(
    tensors: dict[str, Tensor], model: nn.Module, detector: Sequence[nn.Parameter]
) -> tuple[str, ...]:
    """Give read tensors the heads that a model has behind its detector.

    Returns:
        Names of the parameters that were not there, or had another shape.
    """
    inside = {id(parameter) for parameter in detector}
    heads = {name: each for name, each in model.named_parameters() if id(each) not in inside}
    parts = {name.partition(".")[0] for name in heads}
    detecting = {
        name.partition(".")[0] for name, each in model.named_parameters() if id(each) in inside
    }
    fresh: list[str] = []
    for prefix in (_MODEL, _AVERAGE):
        if not any(key.startswith(prefix) for key in tensors):
            continue
        for key in [key for key in tensors if key.startswith(prefix)]:
            name = key.removeprefix(prefix)
            part = name.partition(".")[0]
            if name not in heads and (part in parts or part not in detecting):
                del tensors[key]
        for name, own in heads.items():
            found = tensors.get(f"{prefix}{name}")
            if found is None or found.shape != own.shape:
                tensors[f"{prefix}{name}"] = own.detach().clone()
                fresh.append(name)
    return tuple(dict.fromkeys(fresh))


def _load_weights(trainer: Trainer, tensors: dict[str, Tensor]) -> None:
    model = _without(_MODEL, tensors)
    trainer.model.load_state_dict(model)
    if trainer.average is not None:
        trainer.average.model.load_state_dict(_without(_AVERAGE, tensors) or model)


def _does_not_fit(path: Path, problem: Exception) -> DataError:
    reason = " ".join(str(problem).split())
    return DataError(
        f"does not fit the model and optimizer of the recipe ({reason}); the code may have "
        "changed since; choose another --out",
        where=path,
    )


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


def _read(path: Path, schema: str | None) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        refuse_special(path)
        with safe_open(path, framework="pt") as file:
            about = parse_json((file.metadata() or {}).get("checkpoint", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, ValueError, SafetensorError) as problem:
        advice = (
            "expected the weights of a run or a snapshot, a .safetensors file"
            if schema is None
            else "remove it to resume from the previous one"
        )
        raise DataError(f"cannot be read ({problem}); {advice}", where=path) from problem
    if schema is not None and about.get("schema") != schema:
        message = wrong_schema(about.get("schema"), schema, remedy="choose another --out")
        raise DataError(message, where=path)
    return about, tensors


WEIGHTS_SCHEMA = "mapt-bench/weights/1"


def export_weights(
    model: nn.Module, recipe: Recipe, path: Path, about: dict[str, Any]
) -> dict[str, Any]:
    """Write ``path`` (safetensors) and the same name with ``.json``.

    Args:
        model: Whose state is written, floating-point tensors as ``recipe.export`` says.
        recipe: That it was trained by.
        path: Ends in ``.safetensors``.
        about: What else is to be known: data, seed, steps, seconds, provenance.

    Returns:
        The record: ``schema``, ``model``, ``precision``, ``parameters``, what is in ``about``,
        ``recipe``, and ``sha256`` of the file, which the copy inside the file cannot have.

    Raises:
        DataError: If a weight is too large for float16, or a file cannot be written.
    """
    kind = torch.float16 if recipe.export == "float16" else torch.float32
    tensors = {name: _converted(value, kind, name) for name, value in model.state_dict().items()}
    record = {
        "schema": WEIGHTS_SCHEMA,
        "model": recipe.model,
        "precision": recipe.export,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        **about,
        "recipe": recipe.to_dict(),
    }
    with replace_when_complete(path) as beside:
        save_file(tensors, beside, metadata={"record": json.dumps(record)})
        digest = file_sha256(beside)
    complete = {**record, "sha256": digest}
    write_json(path.with_suffix(".json"), complete)
    return complete


def read_record(path: Path) -> dict[str, Any] | None:
    """Return the record beside weights, or ``None`` unless both files are there.

    Args:
        path: Of the weights.

    Raises:
        DataError: If the record is damaged.
    """
    beside = path.with_suffix(".json")
    if not (path.exists() and beside.exists()):
        return None
    try:
        record = parse_json(read_text(beside))
    except (OSError, ValueError) as problem:
        raise DataError(f"cannot be read ({problem}); remove it", where=beside) from problem
    if not isinstance(record, dict) or record.get("schema") != WEIGHTS_SCHEMA:
        schema = record.get("schema") if isinstance(record, dict) else None
        message = wrong_schema(schema, WEIGHTS_SCHEMA, remedy="remove it")
        raise DataError(message, where=beside)
    return record


def _converted(value: Tensor, kind: torch.dtype, name: str) -> Tensor:
    value = value.detach().cpu()
    if value.is_floating_point():
        value = value.to(kind)
        if not value.isfinite().all():
            raise DataError(f"{name!r} does not fit into {kind}; export float32 instead")
    return value.contiguous().clone()
