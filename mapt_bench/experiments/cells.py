"""Content keys: equal work has an equal name, and a name never stands for other work."""

import hashlib
import importlib.util
import json
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from mapt_bench.data.stress import Stress
from mapt_bench.experiments.plan import Cell

__all__ = ["CODE_SCHEMA", "canonical_json", "cell_config", "cell_key", "code_fingerprint"]

CODE_SCHEMA = 1
"""Raised when the files of a run change their meaning."""

_DECIDING = ("labels", "data", "metrics", "tracking", "model", "baselines", "experiments")
_KEY_LENGTH = 16


def canonical_json(data: Any) -> str:  # noqa: ANN401 - any JSON
    """Return the one spelling of JSON data that keys are made from.

    Example:
        >>> canonical_json({"b": 1, "a": [1.5, None]})
        '{"a":[1.5,null],"b":1}'
    """
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


@lru_cache(maxsize=1)
def code_fingerprint() -> str:
    """Return a hash of the sources that decide results, so that no cell outlives its code."""
    digest = hashlib.sha256()
    for part in _DECIDING:
        # Looked up, not imported: some need torch.
        found = importlib.util.find_spec(f"mapt_bench.{part}")
        for folder in (found and found.submodule_search_locations) or ():
            for source in sorted(Path(folder).rglob("*.py")):
                name = source.relative_to(folder).as_posix()
                digest.update(f"{part}/{name}\0".encode())
                digest.update(hashlib.sha256(source.read_bytes()).digest())
    return digest.hexdigest()[:_KEY_LENGTH]


def cell_config(cell: Cell, *, pair: int, stress: Stress | None = None) -> dict[str, Any]:
    """Return everything about a cell that decides its result, and nothing else.

    Args:
        cell: The cell.
        pair: The pairing interval that the associator is told, 1 where it has none.
        stress: What the associator notices of the cell's stress.
    """
    return {
        **cell.variant.describe(),
        "drop": cell.drop,
        "pair": pair,
        "stress": None if stress is None else asdict(stress),
    }


def cell_key(
    config: dict[str, Any], *, data_fingerprint: str, segments: dict[str, Any], seed: int
) -> str:
    """Return the content key of a cell: 16 hexadecimal digits.

    Args:
        config: From :func:`cell_config`.
        data_fingerprint: Of the videos.
        segments: What the segments are, as :class:`~mapt_bench.experiments.source.DataSource`
            describes them.
        seed: Of the experiment.
    """
    content = {
        "schema": CODE_SCHEMA,
        "code": code_fingerprint(),
        "config": config,
        "data": data_fingerprint,
        "segments": segments,
        "seed": seed,
    }
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()[:_KEY_LENGTH]
