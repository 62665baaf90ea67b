"""Run one experiment or several, print the short answer, and write tables, plots and the report."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mapt_bench.cli.copies import check_tools, copy_run
from mapt_bench.cli.options import emit_json, print_line, resumable, split_names
from mapt_bench.cli.progress import progress_bar
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.experiments.experiment_config import (
    AblationConfig,
    ExperimentConfig,
    StressConfig,
)
from mapt_bench.experiments.plan_rows import (
    memory_of,
    name_in_plan,
    name_in_run,
    names_by_plan,
)
from mapt_bench.experiments.plan_settings import ReportSettings, folder_names, plan_text
from mapt_bench.files import read_text, write_text
from mapt_bench.reports import run_tables, stress_tables, write_plots, write_stress_plots
from mapt_bench.reports.experiment_logs import LogTarget
from mapt_bench.reports.headline import (
    ROWS_SHOWN,
    Headline,
    Selection,
    headline_tables,
    run_headline,
)
from mapt_bench.reports.table_formats import write_table_folder
from mapt_bench.reports.tables import Table
from mapt_bench.reports.terminal import print_all_tables, print_headline
from mapt_bench.reports.transfer_tables import TRANSFER_SCHEMA, drops, transfer_tables

if TYPE_CHECKING:
    from mapt_bench.experiments import Schedule, Skip

__all__ = [
    "View",
    "options_by_data",
    "run_and_show",
    "run_each_and_show",
    "split_view",
    "write_plan",
]


PLAN_NAME = "plan.yaml"
"""File of the plan in a run folder."""


@dataclass(frozen=True, kw_only=True)
class View:
    """What a command shows of a result.

    Attributes:
        scores: Scores of the headline and LaTeX tables. Empty for the default ones.
        rows: Rows of the headline and LaTeX tables, as a plan names them. Empty for the best ones.
        full: Whether to print all tables.
        page: Whether to write the report.
        gallery: Number of sequences with pictures in the report, 0 or more.
        json_file: File of ``--json``, or ``None``.
        log_to: Tools that get a copy of the result.
    """

    scores: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    full: bool = False
    page: bool = True
    gallery: int = 4
    json_file: str | None = None
    log_to: tuple[LogTarget, ...] = ()

    @classmethod
    def of_plan(
        cls,
        report: ReportSettings,
        *,
        full: bool,
        json_file: str | None,
        log_to: tuple[LogTarget, ...] = (),
    ) -> "View":
        """Return the view of a plan.

        Args:
            report: What the plan shows.
            full: Whether the command prints all tables.
            json_file: File of ``--json``, or ``None``.
            log_to: Tools that get a copy of the result.

        Raises:
            ConfigError: If a score is unknown.
        """
        view = cls(
            scores=report.scores,
            rows=report.rows,
            full=report.full or full,
            page=report.page,
            gallery=report.gallery,
            json_file=json_file,
            log_to=log_to,
        )
        view.selection.check_scores()
        return view

    def report(self) -> ReportSettings:
        """Return what a plan shows in the same view."""
        return ReportSettings(
            scores=self.scores,
            rows=self.rows,
            full=self.full,
            page=self.page,
            gallery=self.gallery,
        )

    def check_logs(self) -> None:
        """Check before any work that the tools take copies.

        Raises:
            DataError: If one does not.
        """
        check_tools(self.log_to)

    @property
    def selection(self) -> Selection:
        """The scores and rows to show, as a plan names them."""
        return Selection(self.scores, self.rows)

    def selection_of(self, config: ExperimentConfig) -> Selection:
        """Return the scores and rows to show of a run, by the names that the rows have there."""
        rows = tuple(name_in_run(name, memory_of(config)) for name in self.rows)
        return Selection(self.scores, rows)


def split_view(options: Mapping[str, Any]) -> tuple[dict[str, Any], View]:
    """Split the options of an experiment into those of its configuration and its view.

    Args:
        options: All options of a command but ``--show-config``.

    Raises:
        ConfigError: If a list of names is malformed, or a score is unknown.
    """
    rest = dict(options)
    view = View(
        scores=split_names(rest.pop("scores")),
        rows=tuple(name_in_plan(row, rest["memory"]) for row in split_names(rest.pop("rows"))),
        full=rest.pop("full"),
        page=not rest.pop("no_report"),
        gallery=rest.pop("gallery"),
        json_file=rest.pop("json_file"),
        log_to=rest.pop("log_to"),
    )
    view.selection.check_scores()
    return rest, view


def options_by_data(options: Mapping[str, Any], *, several: bool) -> dict[str, dict[str, Any]]:
    """Split repeated ``--data``, ``--suite`` and ``--dataset`` into the options of one run each.

    Args:
        options: Options of the command, with these three as tuples.
        several: Whether several data sets are allowed.

    Returns:
        The options of each run by the name of its data, in order. The name is empty for the
        default suite.

    Raises:
        ConfigError: If there are several data sets and only one is allowed, one is named twice, or
            the number of label spaces does not fit.
    """
    data, suites, spaces = (tuple(options[name]) for name in ("data", "suite", "dataset"))
    if not several:
        return {"": _single(options, data, suites, spaces)}
    if len(spaces) > 1 and len(spaces) != len(data):
        raise ConfigError(
            f"there are {len(data)} --data and {len(spaces)} --dataset; expected one label space "
            "for all data, or one for each"
        )
    each = spaces if len(spaces) == len(data) else spaces[:1] * len(data)
    of_space: Sequence[str | None] = each or [None] * len(data)
    names = [*folder_names(data), *suites]
    if len(set(names)) != len(names):
        raise ConfigError(f"the same data are given twice: {', '.join(names)}; give each once")
    return dict(
        zip(
            names,
            [
                *(
                    {**options, "data": folder, "suite": None, "dataset": space}
                    for folder, space in zip(data, of_space, strict=True)
                ),
                *({**options, "data": None, "suite": suite, "dataset": None} for suite in suites),
            ],
            strict=True,
        )
    )


def _single(
    options: Mapping[str, Any],
    data: tuple[Path, ...],
    suites: tuple[str, ...],
    spaces: tuple[str, ...],
) -> dict[str, Any]:
    for name, values in (("--data", data), ("--suite", suites), ("--dataset", spaces)):
        if len(values) > 1:
            raise ConfigError(
                f"{name} is given {len(values)} times; expected one here; run the command once for "
                "each, or use ablate"
            )
    one = {"data": data, "suite": suites, "dataset": spaces}
    return {**options, **{name: values[0] if values else None for name, values in one.items()}}


def run_and_show(config: ExperimentConfig, view: View) -> int:
    """Run an experiment, print the short answer, and write tables, plots and the report.

    Args:
        config: Options of the experiment.
        view: What to show.

    Raises:
        ConfigError: If options do not go together, or the run folder holds another run.
        DataError: If the data are unusable or a file cannot be written.
    """
    # Imported here, because completing a name and --help must start fast.
    from mapt_bench.experiments import INCOMPLETE_FILE, Replay, check_config, run_configured
    from mapt_bench.report import write_report

    check_config(config)
    view.check_logs()
    placed = config.with_folder()
    folder, selection = placed.out or Path(), view.selection_of(placed)
    try:
        with resumable(folder):
            result = run_configured(placed, progress=partial(_progress, selection))
        write_plan(folder, plan_text([placed], view.report()))
    except Exception:
        if view.page and (folder / INCOMPLETE_FILE).exists():
            with suppress(DataError):  # the first error says more
                write_report([folder], folder / "report.html", gallery=view.gallery)
        raise
    _report_mapped(result)
    with resumable(folder), progress_bar("tables and plots", 3) as advance:
        _write_one(placed, result, folder, selection, advance)
        if view.page:
            write_report(
                [folder],
                folder / "report.html",
                gallery=view.gallery,
                replays={folder: Replay(placed)},
            )
        advance(1)
    _copy(placed, result, folder, view)
    if not emit_json(view.json_file, result):
        if view.full:
            print_all_tables(_tables_of(placed, result))
        page = ", report.html" if view.page else ""
        print_headline(
            lambda rows: run_headline(result, rows=rows, selection=selection),
            f"Run folder: {folder} (results.json, tables, plots{page}).",
            with_tables=not view.full,
        )
    return 0


def run_each_and_show(
    configs: Mapping[str, ExperimentConfig],
    folder: Path,
    view: View,
    *,
    text: str,
    by_data: bool = True,
) -> int:
    """Run several experiments, and print the table of each and what their rows have in common.

    Args:
        configs: Options of each run by its name. Their folders lie in ``folder``.
        folder: Folder of all runs, their common tables and their report.
        view: What to show.
        text: The plan of all runs, as YAML.
        by_data: Whether the runs differ in their data only: then tables have the drop from the
            first data set.

    Raises:
        ConfigError: If options do not go together, or a folder holds another run.
        DataError: If data are unusable or a file cannot be written.
    """
    # Imported here, because completing a name and --help must start fast.
    from mapt_bench.experiments import Replay, check_config, run_configured
    from mapt_bench.report import write_report

    rows = {
        name: [row.name for row in check_config(each).variants] for name, each in configs.items()
    }
    selections = _selections(configs, view, rows)
    view.check_logs()
    results: dict[str, dict[str, Any]] = {}
    with resumable(folder):
        for name, config in configs.items():
            bar = partial(_progress, Selection(), title=f"{config.experiment} on {name}")
            results[name] = run_configured(config, progress=bar)
            _report_mapped(results[name])
            _write_one(config, results[name], folder / name, selections[name])
            write_plan(folder / name, plan_text([config], view.report()))
            _copy(config, results[name], folder / name, view)
    # A row of a sweep or a stress test has a score for each condition, and a table of its own.
    comparable = all(isinstance(each, AblationConfig) for each in configs.values())
    with resumable(folder):
        write_plan(folder, text)
        if comparable:
            planned = {name: names_by_plan(each, rows[name]) for name, each in configs.items()}
            tables = partial(transfer_tables, results, with_drops=by_data, planned=planned)
            found = tables(scores=view.scores, rows=view.rows)
            write_table_folder(found, folder / "tables", None)
        if view.page:
            replays = {folder / name: Replay(config) for name, config in configs.items()}
            page = folder / "report.html"
            write_report(list(replays), page, gallery=view.gallery, replays=replays)
    lost = drops(results) if comparable and by_data else []
    document = {"schema": TRANSFER_SCHEMA, "runs": results, "drops": lost}
    if not emit_json(view.json_file, document):
        for name, config in configs.items():
            _print_one(name, config, results, folder, view, selections[name])
        if comparable:
            scores = view.scores or ("PAT",)
            scores = scores if by_data else scores[:1]  # the file of the table has the others
            print_all_tables(tables(scores=scores, rows=view.rows, limit=ROWS_SHOWN))
    return 0


def _selections(
    configs: Mapping[str, ExperimentConfig], view: View, rows: Mapping[str, Sequence[str]]
) -> dict[str, Selection]:
    """Return what to show of each run: of the selected rows, those that the run has.

    Raises:
        ConfigError: If no run has a selected row.
    """
    found = {name: view.selection_of(config) for name, config in configs.items()}
    for at in range(len(view.rows)):
        if not any(each.rows[at] in rows[name] for name, each in found.items()):
            name, each = next(iter(found.items()))
            replace(each, rows=each.rows[at : at + 1]).check_rows(rows[name])
    return {
        name: replace(each, rows=tuple(row for row in each.rows if row in rows[name]))
        for name, each in found.items()
    }


def write_plan(folder: Path, text: str) -> None:
    """Write the plan of a run folder. The plan that the command reads may be the same file.

    Raises:
        DataError: If the file cannot be written.
    """
    path = folder / PLAN_NAME
    try:
        is_same = read_text(path) == text
    except (OSError, ValueError, DataError):  # missing or damaged: it is written again
        is_same = False
    if not is_same:
        write_text(path, text)


def _progress(
    selection: Selection, schedule: "Schedule", title: str | None = None
) -> AbstractContextManager[Callable[[int], None]]:
    """Check the selected rows, report skipped parts, and show a progress bar over all steps."""
    selection.check_rows(dict.fromkeys(cell.cell.variant.name for cell in schedule.cells))
    _report_skips(schedule.skips_of_stress)
    steps = schedule.step_count + schedule.summary_steps
    return progress_bar(title or schedule.plan.experiment, steps)


def _report_skips(skips: "Sequence[Skip]") -> None:
    """Report on stderr, in one line, what is skipped."""
    if not skips:
        return
    first, others = skips[0], len(skips) - 1
    more = f" (and {others} more, listed in the result)" if others else ""
    text = f"not run: {first.sequence or first.tracker}: {first.reason}{more}"
    print_line(text, err=True)


def _report_mapped(result: Mapping[str, Any]) -> None:
    """Print on stderr what class maps removed from the data of a run."""
    from mapt_bench.labels import mapped_notes

    protocol = result["protocol"]
    for note in mapped_notes(protocol.get("mapped") or {}, protocol["label_space"]):
        print_line(f"note: {note}", err=True)


def _tables_of(config: ExperimentConfig, result: Mapping[str, Any]) -> list[Table]:
    return (stress_tables if isinstance(config, StressConfig) else run_tables)(result)


def _write_one(
    config: ExperimentConfig,
    result: dict[str, Any],
    folder: Path,
    selection: Selection,
    advance: Callable[[int], None] = lambda _steps: None,
) -> None:
    """Write the tables and plots of a run, in two steps."""
    latex = headline_tables(result, selection=selection) if selection else None
    write_table_folder(_tables_of(config, result), folder / "tables", latex)
    advance(1)
    (write_stress_plots if isinstance(config, StressConfig) else write_plots)(result, folder)
    advance(1)


def _copy(config: ExperimentConfig, result: Mapping[str, Any], folder: Path, view: View) -> None:
    """Copy a result to the tools of the view. Without one, no table is made."""
    if view.log_to:
        copy_run(view.log_to, folder, result, _tables_of(config, result))


def _print_one(
    name: str,
    config: ExperimentConfig,
    results: Mapping[str, dict[str, Any]],
    folder: Path,
    view: View,
    selection: Selection,
) -> None:
    result = results[name]
    if view.full:
        print_all_tables(_tables_of(config, result))

    def short(rows: int) -> Headline:
        most = min(rows, max(3, ROWS_SHOWN // len(results)))
        found = run_headline(result, rows=most, selection=selection)
        is_named = result["provenance"]["data"]["name"] == name
        title = found.title if is_named else f"{name}: {found.title}"
        return replace(found, title=title, findings=(), skipped=())

    print_headline(short, f"Run folder: {folder / name}.", with_tables=not view.full)
