"""``mapt-bench train``: train a model on a suite or a folder, or resume a run."""

import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import click

from mapt_bench.cli.completion import (
    complete_encoding,
    complete_from,
    complete_label_space,
    complete_suite,
    complete_weights,
)
from mapt_bench.cli.options import (
    checked_output,
    cluster_options,
    emit_json,
    json_option,
    path_type,
    print_line,
    resumable,
)
from mapt_bench.cli.progress import training_bar
from mapt_bench.errors import ConfigError, counted
from mapt_bench.reports.table_formats import print_table
from mapt_bench.reports.tables import Cell, Column, Table
from mapt_bench.reports.training_plots import is_in_pixels, plot_training
from mapt_bench.weights import weights_file

if TYPE_CHECKING:
    from mapt_bench.training.recipe import Recipe
    from mapt_bench.training.request import Shown

__all__ = ["command"]

_DRAW_EVERY = 600.0

_NO_DATA = "training on the suite {} of the recipe; choose other videos with --suite or --data"

_EPILOG = """
\b
Examples:
  mapt-bench train --config mapt-tiny --steps 200
  mapt-bench train --config mapt-compact --suite stream --out runs/detector
  mapt-bench train --config my.yaml --data KITTI_STEP --set optimizer.lr=0.02 --device cuda
"""


def _recipe_names() -> tuple[str, ...]:
    from mapt_bench.training.recipe_files import recipe_names

    return recipe_names()


@click.command("train", epilog=_EPILOG)
@click.option(
    "--config",
    shell_complete=complete_from(_recipe_names, or_file=True),
    required=True,
    metavar="NAME|FILE",
    help="Recipe: a name, a YAML file, or package.module:function for a model of your own.",
)
@click.option(
    "--suite",
    shell_complete=complete_suite,
    metavar="NAME",
    show_default="with no --data, the suite of the recipe: train or stream",
    help="Train on this suite, for example train. 'stream' generates synthetic videos without end.",
)
@click.option(
    "--data",
    type=path_type,
    metavar="DIR",
    help="Train on this folder with images and panoptic_maps.",
)
@click.option(
    "--val",
    metavar="NAME|DIR|none",
    show_default="val with the suites train and stream, else none",
    help="Validate on this suite or folder.",
)
@click.option(
    "--dataset",
    shell_complete=complete_label_space,
    metavar="NAME",
    help="Label space of --data: a name or a YAML file.",
)
@click.option(
    "--encoding",
    shell_complete=complete_encoding,
    metavar="NAME",
    help="Encoding of the maps of --data.",
)
@click.option("--steps", type=int, metavar="N", help="Train for N steps. Same as --set steps=N.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a setting of the recipe. Repeatable. Example: --set optimizer.lr=0.02",
)
@click.option(
    "--out",
    type=path_type,
    metavar="RUN",
    help="Run folder. An existing run is resumed. Default: runs/train-<time>.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    help="Seed of the weights, the order of clips and the augmentation.",
)
@click.option(
    "--device", default="cpu", show_default=True, metavar="NAME", help="Train on cpu or cuda."
)
@click.option(
    "--threads", default=1, show_default=True, help="Number of torch threads in each process."
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Load the clips of one epoch, run one step, report both, and write nothing.",
)
@click.option(
    "--init",
    shell_complete=complete_weights,
    type=path_type,
    metavar="FILE",
    help="Start from these weights: a snapshot, the weights of a run, or shipped ones by name.",
)
@click.option(
    "--imagenet",
    type=path_type,
    metavar="FILE",
    help="Start the backbone of MAPT from torchvision's ImageNet weights: the file "
    "regnet_y_8gf-dc2b1b54.pth for mapt-regnety8gf.",
)
@click.option(
    "--resume",
    type=path_type,
    metavar="FILE",
    help="Continue from this snapshot, at its step, with a new optimizer state.",
)
@click.option(
    "--snapshot",
    type=path_type,
    callback=checked_output,
    metavar="FILE",
    help="Do not train. Write the weights of the last checkpoint in --out, in half precision.",
)
@cluster_options
@json_option
def command(
    config: str,
    suite: str | None,
    data: Path | None,
    val: str | None,
    dataset: str | None,
    encoding: str | None,
    steps: int | None,
    overrides: tuple[str, ...],
    out: Path | None,
    seed: int,
    device: str,
    threads: int,
    dry_run: bool,
    init: Path | None,
    imagenet: Path | None,
    resume: Path | None,
    snapshot: Path | None,
    cluster: str | None,
    scheduler_file: Path | None,
    json_file: str | None,
) -> int:
    """Train a model, or resume a stopped run. A resumed run gives the same result.

    The run folder gets weights.safetensors, weights.json (recipe, data and provenance), log.jsonl
    and curves.png. On several GPUs or machines, start it with
    torchrun --nproc-per-node 2 -m mapt_bench train ...
    With --cluster, the cluster runs the validation.
    """
    from mapt_bench.training.recipe_files import read_recipe, short_training

    changes = overrides if steps is None else (*overrides, f"steps={steps}")
    recipe = read_recipe(config, changes)  # refuses a wrong recipe before torch is loaded
    if not any(each.startswith("log_every=") for each in overrides):
        changes = (*changes, *short_training(recipe))
    from mapt_bench.training.request import TrainingRequest, carry_out, take_snapshot

    if out is None and "WORLD_SIZE" in os.environ:
        raise ConfigError(
            "torchrun starts several processes, which need one run folder; give --out"
        )
    if snapshot is not None:
        if out is None:
            raise ConfigError("--snapshot writes the weights of a run; give the run with --out")
        taken = take_snapshot(out, snapshot)
        print_line(f"wrote {snapshot}: step {taken['step']}, stage {taken['stage']}")
        return 0
    request = TrainingRequest(
        config=config,
        overrides=changes,
        suite=_named_suite(recipe) if suite is None and data is None else suite,
        data=data,
        val=val,
        dataset=dataset,
        encoding=encoding,
        out=out or Path("runs") / f"train-{datetime.now():%Y%m%d-%H%M%S}",
        seed=seed,
        device=device,
        threads=threads,
        is_dry=dry_run,
        init=None if init is None else weights_file(init),
        imagenet=imagenet,
        resume=resume,
        cluster=cluster,
        scheduler_file=scheduler_file,
    )
    with resumable(request.out, is_alone=not dry_run):
        result = carry_out(request, partial(_shown, request.out))
    if result is None:  # another process of this training reports
        return 0
    if "dry_run" in result:
        if not emit_json(json_file, result):
            print_table(_dry_table(result))
        return 0
    plot_training(result["log"], request.out / "curves.png")
    if not emit_json(json_file, result):
        print_table(_table(result))
        if result["weights"]["validation"]:
            print_table(_scores(result["weights"]["validation"]))
        print_line(f"run: {request.out} (weights.safetensors, weights.json, log.jsonl, curves.png)")
    return 0


def _named_suite(recipe: "Recipe") -> str:
    """Return the suite of a recipe, and say that it is used."""
    if os.environ.get("RANK", "0") == "0":  # of several processes, the first one says it
        print_line(_NO_DATA.format(recipe.suite), err=True)
    return recipe.suite


@contextmanager
def _shown(folder: Path, description: str, total: int) -> Iterator["Shown"]:
    """Show progress, and update the curves of a long run from time to time."""
    with training_bar(description, total) as bar:
        yield _Drawing(bar, folder)


class _Drawing:
    def __init__(self, bar: "Shown", folder: Path) -> None:
        self._bar, self._folder = bar, folder
        self._drawn = time.monotonic()

    def __call__(self, steps: int, /) -> None:
        self._bar(steps)

    def tell(self, text: str, /) -> None:
        self._bar.tell(text)
        if time.monotonic() - self._drawn >= _DRAW_EVERY:
            from mapt_bench.training.log import read_log
            from mapt_bench.training.run import LOG_NAME

            self._drawn = time.monotonic()
            rows = read_log(self._folder / LOG_NAME)
            if any(row["kind"] == "train" for row in rows):  # not before the first logged step
                plot_training(rows, self._folder / "curves.png")


def _table(result: dict[str, Any]) -> Table:
    """Return one row per logged value, with its means over the first and the last lines."""
    steps = [row for row in result["log"] if row["kind"] == "train"]
    lines = _compared_lines(len(steps))
    rows: list[tuple[Cell, ...]] = [
        ("all losses, weighted", *_ends([row["total"] for row in steps], lines))
    ]
    for name in sorted({name for row in steps for name in row["values"]}):
        # Stages may train different parts, so each value has its own first and last lines.
        found = [row["values"][name] for row in steps if name in row["values"]]
        rows.append((name, *_ends(found, lines)))
    record = result["weights"]
    title = (
        f"{record['model']} on {record['data']['name']}: {record['steps']} steps in "
        f"{record['seconds']:.0f} s, means over the first and last {counted(lines, 'line')} of the "
        "log"
    )
    columns = (Column("value"), Column("first", "number"), Column("last", "number"))
    return Table(title, columns, tuple(rows))


_MOST_LINES = 5
"""Lines of the log at each end of a training that are compared. One line has few clips."""


def _compared_lines(count: int) -> int:
    """Return the lines at each end that are compared: a quarter, so that most steps are between."""
    return min(math.ceil(count / 4), _MOST_LINES)


def _ends(values: Sequence[float], lines: int) -> tuple[float, float]:
    """Return the means of the first and the last values."""
    return fmean(values[:lines]), fmean(values[-lines:])


def _scores(validation: dict[str, float]) -> Table:
    columns = tuple(
        Column(f"{name} (px)", "number", False)
        if is_in_pixels(name)
        else Column(name, "percent", True)
        for name in validation
    )
    return Table("Last validation", columns, (tuple(validation.values()),))


def _dry_table(result: dict[str, Any]) -> Table:
    found = result["dry_run"]
    rows: list[tuple[Cell, ...]] = [
        (name.replace("_", " "), found[name])
        for name in (
            *("clips", "steps", "things", "crowd_share", "void_share"),
            *("seconds_per_clip", "step_seconds", "total", "gradient_norm"),
        )
    ]
    rows += [(f"clips at tau {tau}", count) for tau, count in found["intervals"].items()]
    rows += [(name, value) for name, value in sorted(found["values"].items())]
    title = f"Dry run on {result['data']['name']}: an epoch of clips, one step"
    return Table(title, (Column("value"), Column("found", "number")), tuple(rows))
