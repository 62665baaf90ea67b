"""Make the page of the weights that ship from their cards, and the curves from their logs.

python tools/make_model_card.py

Writes docs/model_card.md and docs/pictures/training_NAME.png. No number of it is typed in here.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mapt_bench.errors import counted
from mapt_bench.files import write_text
from mapt_bench.reports.plots import plot_training
from mapt_bench.training.log import read_log
from mapt_bench.weights import ShippedWeights, shipped, shipped_weights

DOCS = Path(__file__).resolve().parent

_SCORES = ("PAT", "PQ", "TQ", "STQ", "AQ", "SQ", "AssA", "IDSW")
_COUNTS = ("IDSW",)

_HEAD = """\
# Weights that ship

Made by `tools/make_model_card.py` from the cards beside the weights in `mapt_bench/weights/`.
Every number on this page was measured here; none is of the paper.

## What they are for

They let every command and every comparison of this package run trained networks without any
download: `mapt-bench track DATA --tracker mapt`, `--segments mapt`, `--weights NAME`, and in
Python `load_mapt("mapt-tiny")`. **They have learned from a synthetic world alone** ([the drawn
world](world.md)). That makes them fit to compare designs on that world, to try the toolkit out,
and to begin a training of your own; it does not make them a perception system. How they do next
to their rivals on videos of a family that they never saw, and how much two more training seeds
differ, stands in [results](results.md).

## What they are worth on real frames

They run on real frames, and `track` says in its output which weights ran. The classes they find
there are those of drawn streets and crowds, seen at a few pixels an object: expect little from
their detections, and take no score of them on real data for a score of the method. On ten frames
of KITTI-STEP (training sequence 0001, 375x1242) `mapt-tiny` ran and linked what it took for things,
and was worth nothing: PQ 0.00, TQ 0.00, STQ 0.83, AQ 0.08 percent. To link
*given* segments of real video they can be tried (`--segments groundtruth` or a folder). For
results on real data, train on it: [training](training.md). Never use them where anybody's safety
or privacy hangs on the outcome.
"""

_TAIL = """\
## Making them again

`mapt-bench train --config RECIPE --suite train --seed SEED --out RUN` with the recipe and seed
above; a training that is stopped goes on. `python tools/ship_weights.py RUN NAME` puts the result
into the package, and `python tools/measure_weights.py NAME val bench` measures it. The logs are
in [training_logs](training_logs/). Weights, cards and logs are under the licence of the project,
Apache-2.0; nothing of anybody else's data is in them.
"""


def make_page(docs: Path = DOCS) -> None:
    """Write the page, and a picture of each log."""
    found = [shipped(name) for name in shipped_weights()]
    for each in found:
        plot_training(read_log(log_path(each.name, docs)), docs / _picture(each.name))
    parts = [_HEAD, _overview(found), *(_section(each) for each in found), _TAIL]
    write_text(docs / "model_card.md", "\n".join(parts))


def log_path(name: str, docs: Path = DOCS) -> Path:
    """Return where the log of a training is kept."""
    return docs / "training_logs" / f"{name}.jsonl"


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
    return f"## Which there are\n\n{_table(heads, rows)}\n"


def _section(each: ShippedWeights) -> str:
    card = each.card
    parts = [
        f"## {each.name}",
        _table(("", ""), _facts(card)),
        f"![Losses, validation, gradient and learning rate of the training of {each.name}]"
        f"({_picture(each.name)})",
        _scores(card) if card["model_config"] else _flow_errors(card),
        "**Limits.**\n\n" + "\n".join(f"- {limit}" for limit in card["limits"]),
    ]
    return "\n\n".join(parts) + "\n"


def _facts(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    data, machine, versions = card["data"], card["machine"], card["versions"]
    recipe = card["recipe"]
    return [
        ("model", f"`{card['model']}`, {card['parameters']:,} parameters, float16 on disk"),
        (
            "data",
            f"suite `{data['name']}` version {data['version']} of the drawn world, "
            f"{data['sequences']} sequences, {data['frames']} frames, fingerprint "
            f"`{data['fingerprint']}`",
        ),
        (
            "training",
            f"seed {card['seed']}, {card['steps']:,} steps of {recipe['batch_size']} clips, "
            f"{recipe['optimizer']['name']}, learning rate {recipe['optimizer']['lr']:g}",
        ),
        ("time", _duration(card["seconds"])),
        (
            "machine",
            f"{machine['processor'] or 'unknown processor'}, {machine['processor_count']} cores, "
            f"{machine['device']}; processes of training: {card['processes']}, of "
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


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{seconds:.0f} s"


def _scores(card: Mapping[str, Any]) -> str:
    rows: list[tuple[str, ...]] = []
    reasons = []
    if card["validation"]:
        last = card["validation"][-1]
        videos = counted(card["recipe"]["validate_on"], "video")
        rows.append((f"while trained, {videos}, last step", "own", *_cells(last["scores"])))
    for name, measured in card["scores"].items():
        if measured["scores"] is None:
            reasons.append(f"`{name}`: {measured['reason']}.")
            continue
        for part, scores in measured["scores"].items():
            rows.append((f"`{name}`, {part}", f"`{measured['tracker']}`", *_cells(scores)))
    table = _table(("on", "tracker", *_SCORES), rows) if rows else "None."
    return "\n\n".join(["**Scores**, percent, IDSW in switches.", table, *reasons])


def _flow_errors(card: Mapping[str, Any]) -> str:
    """What the last validation of a flow network said, and why there are no scores of maps."""
    last = card["validation"][-1]["scores"] if card["validation"] else {}
    rows = [(name, f"{value:.3f}") for name, value in last.items()]
    reasons = [f"`{name}`: {measured['reason']}." for name, measured in card["scores"].items()]
    table = _table(("last validation while trained", "pixels"), rows) if rows else "None."
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
