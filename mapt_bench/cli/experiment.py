"""What the commands that run experiments share: options, the run itself, and what is shown."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import click

from mapt_bench.baselines.rows import DEFAULT_MEMORY, ROW_FORM, parse_row
from mapt_bench.baselines.segmenters import GROUND_TRUTH
from mapt_bench.baselines.thresholds import DEFAULT_THRESHOLDS, THRESHOLDS
from mapt_bench.cli.options import emit_json, json_option, path_type
from mapt_bench.cli.progress import progress_bar
from mapt_bench.errors import ConfigError, nearest
from mapt_bench.experiments import (
    FOUND_BY_MAPT,
    NOISY,
    SEGMENTS_FORM,
    DataSource,
    MaptWeights,
    NetworkWeights,
    Plan,
    SegmentSource,
    Skip,
    Variant,
    added_variant,
    folder_source,
    parse_segments,
    read_flow_weights,
    read_mapt_weights,
    run_experiment,
    shipped_flow_files,
    skips_of_stress,
    suite_source,
    unit_count,
)
from mapt_bench.reports.formats import write_tables
from mapt_bench.reports.plots import write_plots
from mapt_bench.reports.run_tables import run_tables
from mapt_bench.reports.tables import Table
from mapt_bench.reports.terminal import print_table
from mapt_bench.weights import DEFAULT_MAPT, shipped_weights

__all__ = [
    "RunOptions",
    "experiment_options",
    "named_files",
    "network_options",
    "run_and_show",
    "thresholds_option",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])

_NO_WEIGHTS = "none"


@dataclass(frozen=True)
class RunOptions:
    """Values of :func:`experiment_options`, as they come from the command line.

    Attributes:
        default_suite: What is run on where nothing is said.
        default_segments: What is linked on a suite where nothing is said, kinds with commas.
        many_segments: Whether one run links several kinds of segments.
        weights: Of MAPT: a name, a file, ``"none"``; ``None`` takes those that ship, if they do.
        flow_weights: Of flow networks.
        add: Rows that run besides those of the command, as the user wrote them.
    """

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
    default_segments: str = GROUND_TRUTH
    many_segments: bool = False
    weights: str | None = None
    flow_weights: tuple[NetworkWeights, ...] = ()
    add: tuple[str, ...] = ()

    @cached_property
    def mapt(self) -> MaptWeights | None:
        """The MAPT that takes part, loaded once to see that it can.

        Raises:
            ConfigError: If no weights have that name, or they do not say what they are of.
            DataError: If they cannot be used.
        """
        if self.weights == _NO_WEIGHTS:
            return None
        if self.weights is None and DEFAULT_MAPT not in shipped_weights():
            return None
        return read_mapt_weights(self.weights or DEFAULT_MAPT)

    @cached_property
    def kinds(self) -> tuple[SegmentSource | Path, ...]:
        """Kinds of segments that are linked; a path is a folder of predictions.

        Raises:
            ConfigError: If they do not go with the other options.
        """
        text = self.segments
        if text is None:
            text = GROUND_TRUTH if self.data is not None else self.default_segments
            if FOUND_BY_MAPT in text and self.mapt is None:
                text = text.replace(FOUND_BY_MAPT, NOISY)
        return parse_segments(text, mapt=self._finder, many=self.many_segments)

    def _finder(self) -> MaptWeights:
        if self.mapt is None:
            raise ConfigError(
                "--segments mapt are what MAPT finds, and there are no weights; give --weights "
                f"NAME|FILE, or --segments {GROUND_TRUTH} or {NOISY}"
            )
        return self.mapt

    def added(self, *, memory: int) -> tuple[Variant, ...]:
        """Return the rows of ``--add``.

        Args:
            memory: Frames that ``+memory`` without a number stands for; 0 stands for the default.

        Raises:
            ConfigError: If a row is no row, or needs weights and there are none.
            DataError: If weights cannot be used.
            TrackerError: If a user's tracker fails while it is examined.
        """
        rows = [parse_row(text, memory=memory or DEFAULT_MEMORY) for text in self.add]
        return tuple(
            added_variant(row, mapt=lambda: self.mapt, flow_weights=self.flow_weights)
            for row in rows
        )

    def source(self, *, trained: Sequence[MaptWeights] = ()) -> DataSource:
        """Open the data, or a suite of the drawn world.

        Args:
            trained: Networks whose own segments are linked too.

        Raises:
            ConfigError: If options do not go together.
            DataError: If the data cannot be used.
        """
        if self.seed < 0:
            raise ConfigError(f"--seed is {self.seed}; expected 0 or more")
        kinds = [*self.kinds]
        kinds += [each for each in map(_found_by, trained) if each not in kinds]
        if self.data is not None:
            if self.suite is not None:
                raise ConfigError("--data and --suite both say what is run on; leave one away")
            return folder_source(
                self.data, segments=kinds, dataset=self.dataset, encoding=self.encoding
            )
        if self.dataset is not None or self.encoding is not None:
            raise ConfigError("--dataset and --encoding say how to read --data; give --data too")
        return suite_source(self.suite or self.default_suite, kinds)


def _found_by(mapt: MaptWeights) -> SegmentSource:
    return SegmentSource(mapt=mapt)


def experiment_options(function: _Function) -> _Function:
    """Add the options of :class:`RunOptions`."""
    options = (
        click.option(
            "--data",
            type=path_type,
            help="Run on this folder with panoptic_maps and images. Default: --suite. "
            "Example: --data KITTI_STEP",
        ),
        click.option(
            "--suite",
            metavar="NAME",
            help="Run on this suite of synthetic videos: quick, bench (numbers to report), tiny "
            "(trials), stress, train or val. Default: quick; of stress tests stress. "
            "Example: --suite tiny",
        ),
        click.option(
            "--segments",
            metavar=SEGMENTS_FORM,
            help="Link these segments with every tracker: what MAPT finds, ground-truth segments "
            "without identities, the same with mild faults, what the weights NAME or FILE find, or "
            "the predictions in DIR. ablate takes several kinds with commas. Default: groundtruth; "
            "on suites mapt,groundtruth in ablate and mapt in sweep-interval. "
            "Example: --segments mapt,groundtruth",
        ),
        click.option(
            "--add",
            multiple=True,
            metavar="ROW",
            help=f"Run one more row: {ROW_FORM}. NAME is a tracker of this package, an installed "
            "one, or package.module:Class. Repeatable. Example: --add my_module:MyTracker+memory",
        ),
        click.option(
            "--dataset",
            metavar="NAME",
            help="Use this label space for --data: a built-in name or a YAML file. "
            "Example: --dataset kitti-step",
        ),
        click.option(
            "--encoding",
            metavar="NAME",
            help="Read the maps of --data in this encoding. Example: --encoding kitti-step",
        ),
        click.option(
            "--out",
            type=path_type,
            help="Write the run to this folder. An existing run is resumed. "
            "Default: runs/<command>-<time>. Example: --out runs/mine",
        ),
        click.option(
            "-j",
            "jobs",
            default=1,
            show_default=True,
            help="Run this number of worker processes. Example: -j 2",
        ),
        click.option(
            "--seed",
            default=0,
            show_default=True,
            help="Seed the order and faults of segments, and resampling. Example: --seed 1",
        ),
        json_option,
    )
    for option in reversed(options):
        function = option(function)
    return thresholds_option(function)


def thresholds_option(function: _Function) -> _Function:
    """Add ``--thresholds``, with the same default in every command that runs trackers."""
    return click.option(
        "--thresholds",
        type=click.Choice(THRESHOLDS),
        default=DEFAULT_THRESHOLDS,
        show_default=True,
        help="Run trackers with thresholds tuned on the suite val, or with the published ones. "
        "Settings in a row override both. Example: --thresholds published",
    )(function)


def network_options(*, every_shipped_flow: bool) -> Callable[[_Function], _Function]:
    """Add ``--weights`` and ``--flow-weights``; the command gets the flow weights checked.

    Args:
        every_shipped_flow: Whether flow networks whose weights ship run without being named.
    """

    def take(context: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> Any:  # noqa: ANN401
        return _flow_weights(texts, every_shipped=every_shipped_flow)

    unnamed = "runs without" if every_shipped_flow else "needs its name alone"
    options = (
        click.option(
            "--weights",
            metavar="NAME|FILE|none",
            help="Run MAPT with these weights: shipped ones by name, a file that train wrote, or "
            f"none to run without MAPT. Default: {DEFAULT_MAPT}. Example: --weights mapt-tiny",
        ),
        click.option(
            "--flow-weights",
            multiple=True,
            metavar="NAME=FILE",
            callback=take,
            help="Run this flow network with trained weights. Repeatable. The shipped narrow "
            f"FlowNet2, flow:flownet2-narrow, {unnamed}. "
            "Example: --flow-weights flow:raft-small=raft_small.pth",
        ),
    )

    def add(function: _Function) -> _Function:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def _flow_weights(texts: Sequence[str], *, every_shipped: bool) -> tuple[NetworkWeights, ...]:
    shipping = shipped_flow_files()
    named = {name: path for name, path in shipping.items() if every_shipped or name in texts}
    given = named_files(
        "--flow-weights",
        [text for text in texts if text not in shipping],
        example="flow:raft-small=raft_small.pth",
        shipping=shipping,
    )
    return read_flow_weights({**named, **given})


def named_files(
    option: str, texts: Sequence[str], *, example: str, shipping: Collection[str]
) -> dict[str, Path]:
    """Return the files of a repeatable option ``NAME=FILE``, by name.

    Args:
        option: What the user wrote them behind.
        texts: Those that are no names of what ships.
        example: Of a pair.
        shipping: Names that would have needed no file.

    Raises:
        ConfigError: If a text is no such pair, or a name comes twice.
    """
    files: dict[str, Path] = {}
    for text in texts:
        name, _, file = text.partition("=")
        if not name or not file:
            alone = f", or a name that ships; {nearest(text, shipping)}" if shipping else ""
            raise ConfigError(f"{option} is {text!r}; expected NAME=FILE, as in {example}{alone}")
        if name in files:
            raise ConfigError(f"{option} gives {name} weights twice; leave one of them away")
        files[name] = Path(file).expanduser()
    return files


def run_and_show(
    plan: Plan,
    options: RunOptions,
    *,
    trained: Sequence[MaptWeights] = (),
    tables_of: Callable[[dict[str, Any]], list[Table]] = run_tables,
    write_pictures: Callable[[dict[str, Any], Path], list[Path]] = write_plots,
) -> int:
    """Run a plan, print its tables, and write tables and pictures beside its result.

    Args:
        plan: What to run.
        options: On what, and where the result goes.
        trained: Networks whose own segments are linked too.
        tables_of: Makes the tables of a result.
        write_pictures: Draws the pictures of a result into a folder.

    Raises:
        ConfigError: If options do not go together, or ``--out`` holds another run.
        DataError: If the data are unusable or something cannot be written.
    """
    source = options.source(trained=trained)
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
