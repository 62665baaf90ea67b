"""Weights for use: one safetensors file, and beside it and in it how they came about."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from mapt_bench.errors import DataError
from mapt_bench.files import file_sha256, replace_when_complete, write_json
from mapt_bench.training.recipe import Recipe

__all__ = ["WEIGHTS_SCHEMA", "export_weights", "read_record"]

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
        record = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise DataError(f"cannot be read ({problem}); remove it", where=beside) from problem
    if not isinstance(record, dict) or record.get("schema") != WEIGHTS_SCHEMA:
        raise DataError(f"is no record of weights ({WEIGHTS_SCHEMA}); remove it", where=beside)
    return record


def _converted(value: Tensor, kind: torch.dtype, name: str) -> Tensor:
    value = value.detach().cpu()
    if value.is_floating_point():
        value = value.to(kind)
        if not value.isfinite().all():
            raise DataError(f"{name!r} does not fit into {kind}; export float32 instead")
    return value.contiguous().clone()
