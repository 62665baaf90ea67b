"""What the commands that run experiments share: options, the run itself, and what is shown."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import click

from mapt_bench.baselines.segmenters import GROUND_TRUTH
from mapt_bench.cli.options import emit_json, json_option, path_type
from mapt_bench.cli.progress import progress_bar
from mapt_bench.errors import ConfigError, nearest
from mapt_bench.experiments import (
    MILD_NOISE,
    NOISY,
    DataSource,
    MaptWeights,
    NetworkWeights,
    Plan,
    SegmentSource,
    Skip,
    folder_source,
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
from mapt_bench.reports.run import run_tables
from mapt_bench.reports.tables import Table
from mapt_bench.reports.terminal import print_table
from mapt_bench.weights import DEFAULT_MAPT, shipped_weights

__all__ = [
    "RunOptions",
    "experiment_options",
    "named_files",
    "network_options",
    "run_and_show",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])

_MAPT = "mapt"
_NO_WEIGHTS = "none"


@dataclass(frozen=True)
class RunOptions:
    """Values of :func:`experiment_options`, as they come from the command line.

    Attributes:
        default_suite: What is run on where nothing is said.
        default_segments: What is linked on a suite where nothing is said, kinds with commas.
        weights: Of MAPT: a name, a file, ``"none"``; ``None`` takes those that ship, if they do.
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
    weights: str | None = _NO_WEIGHTS

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
            if self.mapt is None:
                text = text.replace(_MAPT, NOISY)
        names = text.split(",")
        if len(set(names)) != len(names):
            raise ConfigError(f"--segments {text} names a kind twice")
        return tuple(self._kind(name) for name in names)

    def _kind(self, name: str) -> SegmentSource | Path:
        if name == GROUND_TRUTH:
            return SegmentSource()
        if name == NOISY:
            return SegmentSource(noise=MILD_NOISE)
        if name == _MAPT:
            if self.mapt is None:
                raise ConfigError(
                    "--segments mapt are what MAPT finds, and it has no weights here; give "
                    f"--weights FILE where the command takes it, or {GROUND_TRUTH} or {NOISY}"
                )
            return SegmentSource(mapt=self.mapt)
        if self.data is None:
            raise ConfigError(
                f"--segments {name}: saved predictions need --data; suites have {_MAPT}, "
                f"{GROUND_TRUTH} or {NOISY}"
            )
        return Path(name)

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
        suites = [each for each in kinds if isinstance(each, SegmentSource)]
        return suite_source(self.suite or self.default_suite, suites)


def _found_by(mapt: MaptWeights) -> SegmentSource:
    return SegmentSource(mapt=mapt)


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
            metavar="mapt|groundtruth|noisy|DIR",
            help="Segments that every tracker links, one kind or several with commas: what MAPT "
            "finds, the true ones without ids, the same with mild faults, or predictions saved in "
            "DIR (default: groundtruth; of suites mapt,groundtruth in ablations and mapt in "
            "sweeps).",
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
            help="Weights of MAPT: a name that ships, a file that train wrote, or none to run only "
            f"what needs none (default: {DEFAULT_MAPT}).",
        ),
        click.option(
            "--flow-weights",
            multiple=True,
            metavar="NAME=FILE",
            callback=take,
            help="Trained weights of a flow network, such as flow:raft-small=raft_small.pth; "
            f"repeatable. The narrow FlowNet2 that ships, flow:flownet2-narrow, {unnamed}.",
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
