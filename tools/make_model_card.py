"""Write the page of the shipped weights from their cards, and plot their training logs.

python tools/make_model_card.py

Writes docs/model_card.md and docs/pictures/training_NAME.png. All numbers come from the cards.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from mapt_bench.errors import counted
from mapt_bench.files import write_json, write_text
from mapt_bench.reports.training_plots import plot_training
from mapt_bench.training.log import read_log
from mapt_bench.weights import ShippedWeights, shipped, shipped_weights

DOCS = Path(__file__).resolve().parents[1] / "docs"

_SCORES = ("PAT", "PQ", "TQ", "STQ", "AQ", "SQ", "AssA", "IDSW")
_COUNTS = ("IDSW",)
_PARTS = {"all": "all", "real-like": "realistic", "hard": "hard"}
"""Names of the parts of a suite in cards, and in print."""

_HEAD = """\
# Weights that ship

`tools/make_model_card.py` writes this page from the cards beside the weights in
`mapt_bench/weights/`. Every number was measured here. None is from the paper.

## Purpose

With these weights, every command and every comparison runs trained networks without a download:
`mapt-bench track DATA --tracker mapt`, `--segments mapt`, `--weights NAME`, and in Python
`load_mapt("mapt-compact")`. **They were trained only on a [synthetic world](world.md).** Use them
to compare designs on that world, to try the toolkit, and to start your own training. They are not a
perception system. [Results](results.md) compares `mapt-compact` with other trackers, in its domain
and under domain shift.

## Scores on real frames

The weights run on real frames, and the output of `track` names them. Their classes are those of
synthetic streets and crowds with a few pixels per object. So expect little from their detections,
and do not report their scores on real data as scores of the method. On ten frames of KITTI-STEP
(training sequence 0001, 375x1242) `mapt-compact` ran and linked its detections with these scores:
PQ 4.09, TQ 0.00, STQ 5.39, AQ 2.25 percent. You can use the weights to link *given* segments of
real video (`--segments groundtruth` or a folder). For results on real data, train on real data:
[training](training.md). Never use these weights where safety or privacy depends on the result.
"""

_TAIL = """\
## Reproduce the weights

`mapt-compact` comes from the recipes `mapt-compact` and `mapt-compact-clips` with the seeds and
steps above ([commands](training.md#the-training-of-the-shipped-weights)). The other weights are of
the recipe with their name. A stopped training resumes.

`python tools/ship_weights.py RUN NAME` puts the result of a training into the package, and
`python tools/measure_weights.py NAME val bench` measures it. The logs are in
[training_logs](training_logs/). Weights, cards and logs have the licence of the project,
Apache-2.0. They contain no data of third parties.
"""


def make_page(docs: Path = DOCS) -> None:
    """Write the page, and a picture of each log."""
    found = [shipped(name) for name in shipped_weights()]
    for each in found:
        plot_training(read_log(log_path(each.name, docs)), docs / _picture(each.name))
    parts = [_HEAD, _overview(found), *(_section(each) for each in found), _TAIL]
    write_text(docs / "model_card.md", "\n".join(parts))


def write_scores(weights: ShippedWeights, measured: Mapping[str, Any]) -> None:
    """Write scores on the card of weights, in the place of earlier ones on the same data.

    Args:
        weights: The weights.
        measured: ``tracker``, ``data``, ``code`` and ``scores`` by part.
    """
    name = str(measured["data"]["name"])
    card = {**weights.card, "scores": {**weights.card["scores"], name: measured}}
    write_json(weights.path.with_suffix(".json"), card)


def log_path(name: str, docs: Path = DOCS) -> Path:
    """Return the path of the log of a training."""
    return docs / "training_logs" / f"{name}.jsonl"


def stage_recipe(recipe: Mapping[str, Any], stage: str | None) -> dict[str, Any]:
    """Return a recipe with the settings that one of its stages changes."""
    found = dict(recipe)
    for each in recipe.get("stages") or []:
        if each["name"] == stage:
            for key, value in each.items():
                inner = {**recipe.get(key, {}), **value} if isinstance(value, dict) else value
                found[key] = inner
    return found


def _item(text: str) -> str:
    return fill(text, 100, initial_indent="- ", subsequent_indent="  ")


def _picture(name: str) -> str:
    return f"pictures/training_{name}.png"


def _overview(found: Sequence[ShippedWeights]) -> str:
    rows = [
        (
            f"[`{each.name}`](#{each.name})",
            f"{each.card['parameters']:,}",
            f"{each.card['bytes'] / 1e6:.2f} MB",
            each.trained_on,
            str(each.card["seed"]),
            f"`{each.sha256[:12]}`",
        )
        for each in found
    ]
    heads = ("name", "parameters", "file", "trained on", "seed", "SHA-256")
    return f"## List of weights\n\n{_table(heads, rows)}\n"


def _section(each: ShippedWeights) -> str:
    card = each.card
    parts = [
        f"## {each.name}",
        _table(("", ""), _facts(card)),
        f"![Losses, validation, gradient and learning rate of the training of {each.name}]"
        f"({_picture(each.name)})",
        _scores(card) if card["model_config"] else _flow_errors(card),
        "**Limits.**\n\n" + "\n".join(map(_item, card["limits"])),
    ]
    return "\n\n".join(parts) + "\n"


def _facts(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    data, machine, versions = card["data"], card["machine"], card["versions"]
    stages = card["recipe"].get("stages") or [{"name": None}]
    recipe = stage_recipe(card["recipe"], stages[-1]["name"])
    return [
        ("model", f"`{card['model']}`, {card['parameters']:,} parameters, float16 on disk"),
        (
            "data",
            f"suite `{data['name']}` version {data['version']} of the synthetic world, "
            f"{_amount(data)}, fingerprint `{data['fingerprint'][:33]}`",
        ),
        *(("before", _before(stage)) for stage in card.get("earlier", ())),
        (
            "training",
            f"seed {card['seed']}, {card['steps']:,} steps of {recipe['batch_size']} clips, "
            f"{recipe['optimizer']['name']}, learning rate {recipe['optimizer']['lr']:g}",
        ),
        ("time", _duration(card["seconds"])),
        (
            "machine",
            f"{machine['processor'] or 'unknown processor'}, {machine['processor_count']} cores, "
            f"{machine['device']}; training processes: {card['processes']}, with "
            f"{counted(machine['threads'], 'thread')} each",
        ),
        (
            "code",
            f"commit `{str(versions['git_commit'])[:12]}`, Python {versions['python']}, torch "
            f"{versions['packages']['torch']}",
        ),
        ("log", f"[all rows](training_logs/{card['name']}.jsonl)"),
        ("SHA-256", f"`{card['sha256']}`"),
    ]


def _amount(data: Mapping[str, Any]) -> str:
    if "sequences" not in data:
        return "sequences without end, generated during the training"
    return f"{data['sequences']} sequences, {data['frames']} frames"


def _before(stage: Mapping[str, Any]) -> str:
    length = stage["clip_length"]
    examples = "single frames" if length == 1 else f"clips of {length} frames"
    return (
        f"stage `{stage['stage']}`: {stage['steps']:,} steps of {stage['batch_size']} {examples}, "
        f"seed {stage['seed']}, {_duration(stage['seconds'])} "
        f"([log](training_logs/{stage['log']}.jsonl))"
    )


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{seconds:.0f} s"


def _scores(card: Mapping[str, Any]) -> str:
    rows: list[tuple[str, ...]] = []
    reasons = []
    if card["validation"]:
        last = card["validation"][-1]
        videos = counted(card["recipe"]["validate_on"], "video")
        rows.append((f"during training, {videos}, last step", "own", *_cells(last["scores"])))
    for name, measured in card["scores"].items():
        if measured["scores"] is None:
            reasons.append(f"`{name}`: {measured['reason']}.")
            continue
        for part, scores in measured["scores"].items():
            rows.append((f"`{name}`, {_PARTS[part]}", f"`{measured['tracker']}`", *_cells(scores)))
    table = _table(("on", "tracker", *_SCORES), rows) if rows else "None."
    return "\n\n".join(["**Scores**, percent, IDSW in switches.", table, *reasons])


def _flow_errors(card: Mapping[str, Any]) -> str:
    """Return the last validation of a flow network, and the reason for missing map scores."""
    last = card["validation"][-1]["scores"] if card["validation"] else {}
    rows = [(name, f"{value:.3f}") for name, value in last.items()]
    reasons = [f"`{name}`: {measured['reason']}." for name, measured in card["scores"].items()]
    table = _table(("last validation during training", "pixels"), rows) if rows else "None."
    return "\n\n".join(["**Errors of the flow.**", table, *reasons])


def _cells(scores: Mapping[str, float | None]) -> list[str]:
    cells = []
    for name in _SCORES:
        value = scores.get(name)
        if value is None:
            cells.append("-")
        else:
            cells.append(f"{value:.0f}" if name in _COUNTS else f"{100 * value:.2f}")
    return cells


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    make_page()
