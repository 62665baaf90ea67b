"""Put the weights of a finished training into the package, with a card that describes it.

python tools/ship_weights.py RUN NAME [--after RUN SNAPSHOT]... [--processor TEXT] [--limit TEXT]...
python tools/ship_weights.py RUN NAME --folder benchmarks/seeds [--after RUN SNAPSHOT]...

RUN is a folder of ``mapt-bench train`` on a synthetic suite. Writes
mapt_bench/weights/NAME.safetensors (float16), its card NAME.json, docs/training_logs/NAME.jsonl
(all rows, five digits), docs/pictures/training_NAME.png and docs/model_card.md, the page of all
cards. The logs of trainings that RUN continues go to NAME-1.jsonl and so on. The same RUN gives the
same files, and keeps the scores that tools/measure_weights.py measured for the same weights.
Weights in another folder, as those of further seeds, are not in the package, and no page describes
them.
"""

import argparse
import hashlib
import json
import os
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from make_model_card import DOCS, log_path, make_page, stage_recipe
from safetensors import safe_open
from safetensors.torch import load_file, save

import mapt_bench.weights as weights_registry
from mapt_bench.errors import ConfigError, DataError, MaptBenchError
from mapt_bench.files import file_sha256, write_bytes, write_json, write_text
from mapt_bench.training.checkpoint import read_record
from mapt_bench.training.log import read_log
from mapt_bench.training.run import LOG_NAME, SETUP_NAME, WEIGHTS_NAME
from mapt_bench.weights import CARD_SCHEMA

_SUITES = ("val", "bench")
_DIGITS = 5


def main(words: Sequence[str] | None = None) -> int:
    """Ship the weights and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a finished training")
    parser.add_argument("name", help="name of the weights")
    parser.add_argument(
        "--after",
        action="append",
        default=[],
        nargs=2,
        type=Path,
        metavar=("RUN", "SNAPSHOT"),
        help="training that RUN continues, and the snapshot that it began from by --init; can be "
        "repeated, in order",
    )
    parser.add_argument("--processor", help="name of the processor, if trained on another machine")
    parser.add_argument(
        "--limit", action="append", default=[], help="add a limit to the card; can be repeated"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        help="write weights and card here instead of into the package; logs stay in docs",
    )
    given = parser.parse_args(words)
    try:
        ship(
            given.run,
            given.name,
            after=given.after,
            processor=given.processor,
            limits=given.limit,
            place=given.folder,
        )
        if given.folder is None:
            make_page()
    except MaptBenchError as problem:
        print(f"error: {problem.where or ''} {problem.message}", file=sys.stderr)
        return problem.exit_code
    return 0


def ship(
    run: Path,
    name: str,
    *,
    after: Sequence[tuple[Path, Path]] = (),
    processor: str | None = None,
    limits: Sequence[str] = (),
    docs: Path = DOCS,
    place: Path | None = None,
) -> dict[str, Any]:
    """Write weights, card and logs.

    Args:
        run: Folder of a finished training.
        name: Lower-case letters, digits and hyphens.
        after: Trainings that it continues, in order: folder, and the snapshot of its end. They
            need not be finished.
        processor: Processor of the training machine. ``None`` uses that of this machine.
        limits: Further limits for the card.
        docs: Folder of the documentation, for the log.
        place: Folder of weights and card. ``None`` is that of the package.

    Returns:
        The card.

    Raises:
        ConfigError: If the name is invalid, or the training was not on a synthetic suite.
        DataError: If the training is not finished, or its files do not match.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise ConfigError(f"the name is {name!r}; expected lower-case letters, digits and hyphens")
    record, rows = _finished(run)
    earlier_stages = [
        _earlier(folder, snapshot, f"{name}-{number}")
        for number, (folder, snapshot) in enumerate(after, start=1)
    ]
    contents = _in_half_precision(run / WEIGHTS_NAME, record)
    sha256 = hashlib.sha256(contents).hexdigest()
    path = (place or weights_registry.WEIGHTS_FOLDER) / f"{name}.safetensors"
    earlier = _same_weights(path.with_suffix(".json"), sha256)
    card = {
        "schema": CARD_SCHEMA,
        "name": name,
        "sha256": sha256,
        "bytes": len(contents),
        "precision": "float16",
        **{key: record.get(key) for key in ("parameters", "model", "label_space", "data")},
        **{key: record.get(key) for key in ("seed", "steps", "seconds", "processes")},
        "earlier": [stage for stage, _ in earlier_stages],
        "machine": _machine(record["provenance"], processor, earlier.get("machine", {})),
        "versions": _versions(record["provenance"]),
        "validation": [
            {"step": row["step"], "scores": row["scores"]}
            for row in rows
            if row["kind"] == "validation"
        ],
        "scores": earlier.get("scores") or _unmeasured_suites(record, in_package=place is None),
        "limits": [*_limits(record), *limits],
        "license": "Apache-2.0",
        "model_config": record.get("model_config"),
        "recipe": record["recipe"],
    }
    write_bytes(path, contents)
    write_json(path.with_suffix(".json"), card)
    logs = {stage["log"]: found for stage, found in earlier_stages}
    for log, found in {**logs, name: rows}.items():
        lines = (json.dumps(_rounded(row), separators=(",", ":")) for row in found)
        write_text(log_path(log, docs), "".join(f"{line}\n" for line in lines))
    return card


def _earlier(run: Path, snapshot: Path, log: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what the card says of a training that was continued, and its log up to there."""
    with safe_open(snapshot, "pt") as opened:
        stated = json.loads((opened.metadata() or {}).get("checkpoint", "null"))
    if stated is None or stated.get("step") is None:
        raise DataError("is no snapshot of mapt-bench train --snapshot", where=snapshot)
    about = json.loads((run / SETUP_NAME).read_text(encoding="utf-8"))
    stage = stage_recipe(about["recipe"], stated["stage"])
    entry = {
        "log": log,
        "stage": stated["stage"],
        "seed": about["seed"],
        "steps": stated["step"],
        "seconds": stated["seconds"],
        "batch_size": stage["batch_size"],
        "clip_length": stage["clips"]["length"],
        "data": about["data"],
    }
    return entry, [row for row in read_log(run / LOG_NAME) if row["step"] <= stated["step"]]


def _finished(run: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the record and the log of a finished training."""
    weights = run / WEIGHTS_NAME
    record = read_record(weights)
    if record is None:
        raise DataError(
            "is not a finished training: weights.safetensors or weights.json is missing; resume "
            "it with mapt-bench train until it ends",
            where=run,
        )
    rows = read_log(run / LOG_NAME)
    wanted, last = record["recipe"]["steps"], rows[-1]["step"] if rows else 0
    if not record["steps"] == last == wanted:
        raise DataError(
            f"its weights are of step {record['steps']} and its log ends at {last}, of {wanted} "
            "steps; expected the files of one finished training",
            where=run,
        )
    if file_sha256(weights) != record["sha256"]:
        raise DataError("the weights are not those of weights.json; copy the run again", where=run)
    if record["data"].get("version") is None:
        raise ConfigError(
            "was trained on a folder; expected a training on a synthetic suite",
            where=run,
        )
    return record, rows


def _in_half_precision(path: Path, record: Mapping[str, Any]) -> bytes:
    """Return the bytes to ship: the file itself if it is in float16 already."""
    if record["precision"] == "float16":
        return path.read_bytes()
    tensors = {
        name: value.to(torch.float16) if value.is_floating_point() else value
        for name, value in load_file(path).items()
    }
    broken = [name for name, value in tensors.items() if not value.isfinite().all()]
    if broken:
        raise DataError(f"{broken[0]!r} does not fit into float16", where=path)
    inside = {key: value for key, value in record.items() if key != "sha256"}
    contents: bytes = save(
        tensors, metadata={"record": json.dumps({**inside, "precision": "float16"})}
    )
    return contents


def _same_weights(path: Path, sha256: str) -> dict[str, Any]:
    """Return the existing card of the same weights, or an empty one."""
    card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return card if card.get("sha256") == sha256 else {}


def _machine(
    origin: Mapping[str, Any], processor: str | None, earlier: Mapping[str, Any]
) -> dict[str, Any]:
    known = {key: origin[key] for key in ("processor_count", "threads", "device", "platform")}
    is_this = (origin["platform"], origin["processor_count"]) == (
        platform.platform(),
        os.cpu_count(),
    )
    found = processor or earlier.get("processor") or (_processor() if is_this else None)
    return {"processor": found, **known}


def _processor() -> str | None:
    """Return the name of the processor of this machine, if the system reports it."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", listing.read_text(), flags=re.MULTILINE)
        return found[1].strip() if found else None
    return platform.processor() or None


def _versions(origin: Mapping[str, Any]) -> dict[str, Any]:
    named = {key: origin[key] for key in ("mapt_bench", "git_commit", "python", "created")}
    return {**named, "packages": origin["packages"]}


def _unmeasured_suites(record: Mapping[str, Any], *, in_package: bool) -> dict[str, Any]:
    if record.get("model_config") is None:
        reason = "returns flow, not maps; experiments measure it as a part of trackers"
    elif in_package:
        reason = "not measured yet; run python tools/measure_weights.py"
    else:
        reason = "not part of the package; experiments measure it with --weights"
    return {suite: {"scores": None, "reason": reason} for suite in _SUITES}


def _limits(record: Mapping[str, Any]) -> list[str]:
    recipe, config = record["recipe"], record.get("model_config")
    crop = recipe["augment"]["crop"]
    size = "whole synthetic frames" if crop is None else f"{crop[0]}x{crop[1]} pixels"
    found = [
        "It was trained on synthetic frames only.",
        f"It was trained at {size}; frames of other scales are outside its training data.",
        "It is one training with one seed; its numbers do not show differences between seeds.",
        "The model and its settings were chosen on the suite val.",
    ]
    if config is None:
        return found
    found.append(
        f"It distinguishes the classes of {record['label_space']} and refuses videos of other "
        "label spaces, except to link given segments."
    )
    if config["propagation"] == "none":
        found.append("It has no motion head: it links as mapt:appearance only.")
    return found


def _rounded(value: Any) -> Any:  # noqa: ANN401 - a log holds any JSON
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value


if __name__ == "__main__":
    sys.exit(main())
