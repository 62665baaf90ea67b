"""What the commands that run experiments share: options, the run itself, and what is shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from mapt_bench.baselines.segmenters import GROUND_TRUTH
from mapt_bench.cli.options import emit_json, json_option, path_type
from mapt_bench.cli.progress import progress_bar
from mapt_bench.errors import ConfigError
from mapt_bench.experiments import (
    DataSource,
    FlowWeights,
    Plan,
    Skip,
    folder_source,
    read_flow_weights,
    run_experiment,
    skips_of_stress,
    suite_source,
    unit_count,
)
from mapt_bench.experiments.source import MILD_NOISE
from mapt_bench.reports.formats import write_tables
from mapt_bench.reports.plots import write_plots
from mapt_bench.reports.run import run_tables
from mapt_bench.reports.tables import Table
from mapt_bench.reports.terminal import print_table

__all__ = ["RunOptions", "experiment_options", "flow_weights_option", "run_and_show"]

_Function = TypeVar("_Function", bound=Callable[..., Any])

_NOISY = "noisy"


@dataclass(frozen=True)
class RunOptions:
    """Values of :func:`experiment_options`, as they come from the command line."""

    data: Path | None
    suite: str | None
    segments: str | None
    dataset: str | None
    encoding: str | None
    out: Path | None
    jobs: int
    seed: int
    json_file: str | None
    default_suite: str = "quick"

    def source(self) -> DataSource:
        """Open the data, or a suite of the drawn world.

        Raises:
            ConfigError: If options do not go together.
            DataError: If the data cannot be used.
        """
        if self.seed < 0:
            raise ConfigError(f"--seed is {self.seed}; expected 0 or more")
        if self.data is not None:
            if self.suite is not None:
                raise ConfigError("--data and --suite both say what is run on; leave one away")
            is_folder = self.segments not in (None, GROUND_TRUTH, _NOISY)
            return folder_source(
                self.data,
                segments=Path(str(self.segments)) if is_folder else None,
                noise=MILD_NOISE if self.segments == _NOISY else None,
                dataset=self.dataset,
                encoding=self.encoding,
            )
        if self.dataset is not None or self.encoding is not None:
            raise ConfigError("--dataset and --encoding say how to read --data; give --data too")
        if self.segments not in (None, GROUND_TRUTH, _NOISY):
            raise ConfigError(
                f"--segments {self.segments}: saved predictions need --data; suites have "
                f"{GROUND_TRUTH} or {_NOISY}"
            )
        noise = None if self.segments == GROUND_TRUTH else MILD_NOISE
        return suite_source(self.suite or self.default_suite, noise=noise)


def experiment_options(function: _Function) -> _Function:
    """Add the options of :class:`RunOptions`."""
    options = (
        click.option(
            "--data",
            type=path_type,
            help="Folder with panoptic_maps and images (default: --suite).",
        ),
        click.option(
            "--suite",
            metavar="NAME",
            help="Drawn videos: quick, bench for numbers to report, tiny for trials, stress for "
            "stress tests, and those of training, train and val (default: quick, of stress tests "
            "stress).",
        ),
        click.option(
            "--segments",
            metavar="groundtruth|noisy|DIR",
            help="Segments that every tracker links: the true ones without ids, the same with mild "
            "faults, or predictions saved in DIR (default: groundtruth; in ablations and sweeps "
            "of suites noisy).",
        ),
        click.option("--dataset", metavar="NAME", help="Label space or YAML file."),
        click.option("--encoding", metavar="NAME", help="Encoding of the maps of --data."),
        click.option(
            "--out",
            type=path_type,
            help="Folder of the run; one that exists is gone on with "
            "(default: runs/<command>-<time>).",
        ),
        click.option("-j", "jobs", default=1, show_default=True, help="Worker processes."),
        click.option("--seed", default=0, show_default=True, help="Of order, noise, resampling."),
        json_option,
    )
    for option in reversed(options):
        function = option(function)
    return function


def flow_weights_option(function: _Function) -> _Function:
    """Add ``--flow-weights NAME=FILE``, repeatable; the command gets the weights, checked."""
    return click.option(
        "--flow-weights",
        multiple=True,
        metavar="NAME=FILE",
        callback=lambda context, option, texts: _flow_weights(texts),
        help="Trained weights of a flow network, such as flow:raft-small=raft_small.pth; "
        "repeatable.",
    )(function)


def _flow_weights(texts: Sequence[str]) -> tuple[FlowWeights, ...]:
    files: dict[str, Path] = {}
    for text in texts:
        flow, _, file = text.partition("=")
        if not flow or not file:
            raise ConfigError(
                f"--flow-weights is {text!r}; expected NAME=FILE, as in "
                "flow:raft-small=raft_small.pth"
            )
        if flow in files:
            raise ConfigError(f"--flow-weights gives {flow} weights twice; leave one of them away")
        files[flow] = Path(file).expanduser()
    return read_flow_weights(files)


def run_and_show(
    plan: Plan,
    options: RunOptions,
    *,
    tables_of: Callable[[dict[str, Any]], list[Table]] = run_tables,
    write_pictures: Callable[[dict[str, Any], Path], list[Path]] = write_plots,
) -> int:
    """Run a plan, print its tables, and write tables and pictures beside its result.

    Args:
        plan: What to run.
        options: On what, and where the result goes.
        tables_of: Makes the tables of a result.
        write_pictures: Draws the pictures of a result into a folder.

    Raises:
        ConfigError: If options do not go together, or ``--out`` holds another run.
        DataError: If the data are unusable or something cannot be written.
    """
    source = options.source()
    folder = options.out or Path("runs") / f"{plan.experiment}-{datetime.now():%Y%m%d-%H%M%S}"
    _tell_skips(skips_of_stress(plan, source))
    with progress_bar(plan.experiment, unit_count(plan, source)) as advance:
        result = run_experiment(
            plan, source, folder, seed=options.seed, jobs=options.jobs, advance=advance
        )
    tables = tables_of(result)
    for name in ("tables.csv", "tables.tex", "tables.md"):
        write_tables(tables, folder / name)
    write_pictures(result, folder)
    if not emit_json(options.json_file, result):
        for table in tables:
            print_table(table)
        click.echo(f"run: {folder} (results.json, tables, plots)")
    return 0


def _tell_skips(skips: Sequence[Skip]) -> None:
    """Say in one line on stderr what will not be run."""
    if not skips:
        return
    first, others = skips[0], len(skips) - 1
    more = f" (and {others} more, listed in the result)" if others else ""
    click.echo(f"not run: {first.sequence or first.tracker}: {first.reason}{more}", err=True)
