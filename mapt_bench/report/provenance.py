"""Provenance and protocol in words, and the command that makes a result again."""

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from mapt_bench.reports.tables import Column, Table

__all__ = ["evaluate_command", "frame_count", "provenance_tables", "run_command", "setup_lines"]

Run = Mapping[str, Any]
Row = Mapping[str, Any]

_WORDS = {
    "pat": "variant of PAT",
    "metrics": "definitions of the scores",
    "vpq_windows": "windows of VPQ (frames)",
    "unit": "unit of the statistics",
    "reference": "reference of the differences",
    "drop": "score at a frame skip",
    "seconds_per_frame": "time per frame",
    "classes": "classes (ids)",
    "class_set": "classes that are averaged",
    "gt_encoding": "encoding of the ground truth",
    "pred_encoding": "encoding of the predictions",
    "missing": "missing frames",
    "segments_by_name": "segments",
    "has_images": "has images",
    "mapt_bench": "mapt-bench",
    "git_commit": "commit of mapt-bench",
    "python": "Python",
    "packages": "package",
    "cpu": "processor",
    "processor_count": "processors",
    "created": "written",
    "revision": "revision of your repository",
    "weights": "SHA-256 of the weights",
    "inputs": "",
    "sequences": "fingerprint of sequence",
}
"""Keys of results in words. Others are words already, except for their underscores."""

_PARENTS_OF_NAMES = frozenset({"packages", "segments", "segments_by_name", "sequences", "weights"})
"""Keys of mappings by name, for example of sequences. The page shows names as they are."""


def run_command(run: Run) -> str:
    """Return the command of a run. Older results do not store it: then what is known of it."""
    provenance = run.get("provenance") or {}
    if provenance.get("command"):
        return str(provenance["command"])
    experiment = str(run.get("experiment") or "")
    if not experiment:
        return ""
    words = ["mapt-bench", *experiment.split("-", 1)] if experiment.startswith("stress-") else []
    words = words or ["mapt-bench", experiment]
    data = provenance.get("data") or {}
    suite = (data.get("suite") or {}).get("name")
    words += ["--suite", str(suite)] if suite else ["--data", str(data.get("name", "DATA"))]
    words += ["--seed", str(provenance["seed"])] if provenance.get("seed") else []
    return shlex.join(words)


_OF_NETWORKS = ("torch", "torchvision", "fvcore")
"""Packages that only networks need."""


def setup_lines(result: Row) -> tuple[str, ...]:
    """Return shell lines that install the version of a result, as far as the result knows it.

    They check out the commit, install the same versions of packages, and check the hashes of
    weights.

    Args:
        result: A result with ``provenance``.
    """
    provenance = result.get("provenance") or {}
    version, commit = provenance.get("mapt_bench"), provenance.get("git_commit")
    if not version and not commit:
        return ()
    lines = [f"# In a checkout of mapt-bench {version or ''}".rstrip() + ":"]
    lines += [f"git checkout {shlex.quote(str(commit))}"] if commit else []
    if not commit:
        lines = [f"# The commit is unknown. In a checkout of mapt-bench {version}:"]
    python = re.match(r"\d+\.\d+", str(provenance.get("python") or ""))
    lines.append(f"python{python[0] if python else '3'} -m venv .venv && . .venv/bin/activate")
    weights = {str(name): str(value) for name, value in (provenance.get("weights") or {}).items()}
    pins = [
        f"{name}=={found}"
        for name, found in (provenance.get("packages") or {}).items()
        if found and (weights or name not in _OF_NETWORKS)
    ]
    lines.append(shlex.join(["pip", "install", "-e", ".[model]" if weights else ".", *pins]))
    for name, sha256 in weights.items():
        # The name of shipped weights is a word. Other weights are named by their path.
        is_shipped = re.fullmatch(r"[\w-]+", name)
        file = f"mapt_bench/weights/{name}.safetensors" if is_shipped else name
        lines.append(f"echo {shlex.quote(f'{sha256}  {file}')} | sha256sum --check")
    return tuple(lines)


def provenance_tables(result: Row) -> list[Table]:
    """Return protocol, data, code and machine of a result, one row per setting."""
    provenance = dict(result.get("provenance") or {})
    data = dict(provenance.pop("data", None) or {})
    sequences = data.pop("sequences", None) or {}
    if sequences:
        data["number of sequences"] = len(sequences)
        data["number of frames"] = frame_count(sequences)
    provenance.pop("command", None)
    tables = []
    for title, entries in (
        ("Protocol", result.get("protocol") or {}),
        ("Data", data),
        ("Code and machine", provenance),
    ):
        rows = [(key, value) for key, value in _flat(entries) if value]
        more = len(rows) - _SETTINGS
        notes = (f"{more} more entries are in the result file.",) if more > 0 else ()
        if rows:
            columns = (Column("setting"), Column("value"))
            tables.append(Table(title, columns, tuple(rows[:_SETTINGS]), notes, name="setting"))
    return tables


_SETTINGS = 60
"""Largest number of rows of a table of settings, for example of fingerprints of sequences."""


def frame_count(sequences: Mapping[str, object]) -> int:
    """Return the frames of sequences, by name. Anything but a whole number counts as none."""
    return sum(count for count in sequences.values() if isinstance(count, int))


def _flat(
    entries: Mapping[str, Any], before: tuple[str, ...] = (), *, are_names: bool = False
) -> Iterable[tuple[str, str]]:
    """Yield the entries of nested data as text, with the path of their keys in words."""
    for key, value in entries.items():
        word = str(key) if are_names else _WORDS.get(key, key.replace("_", " "))
        path = (*before, word) if word else before
        if isinstance(value, Mapping):
            yield from _flat(value, path, are_names=not are_names and key in _PARENTS_OF_NAMES)
        elif value is not None:
            yield ": ".join(path), _in_words(value)


def _in_words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(each, str | int) for each in value):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value)


def evaluate_command(evaluation: Row) -> str:
    """Return the command of an evaluation. Paths that its result lacks are placeholders."""
    inputs = (evaluation.get("provenance") or {}).get("inputs") or {}
    paths = [(inputs.get(side) or {}).get("path") for side in ("ground_truth", "predictions")]
    given = [str(path or word) for path, word in zip(paths, ("GT", "PRED"), strict=True)]
    words = ["mapt-bench", "evaluate", *given]
    dataset = (evaluation.get("protocol") or {}).get("dataset")
    words += ["--dataset", str(dataset)] if dataset else []
    words += ["--intervals"] if evaluation.get("intervals") else []
    words += ["--losses"] if evaluation.get("losses") else []
    words += ["--slices"] if evaluation.get("slices") else []
    return shlex.join(words)
