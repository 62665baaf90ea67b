"""One ablation on several data sets: a run for each, and the drop from the first."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from mapt_bench.cli.options import emit_json, print_line, resumable, split_names
from mapt_bench.cli.progress import progress_bar
from mapt_bench.errors import ConfigError
from mapt_bench.experiments.experiment_config import AblationConfig
from mapt_bench.reports import run_tables, write_plots
from mapt_bench.reports.headline import (
    ROWS_SHOWN,
    Headline,
    Selection,
    headline_tables,
    run_headline,
)
from mapt_bench.reports.table_formats import write_table_folder
from mapt_bench.reports.terminal import print_all_tables, print_headline
from mapt_bench.reports.transfer_tables import TRANSFER_SCHEMA, drops, transfer_tables

__all__ = ["SHOWN", "ablate_each", "options_by_data", "report_mapped"]

SHOWN = ("json_file", "show_config", "full", "scores", "rows", "no_report", "gallery")
"""Options of experiments on what to print. The others are part of the configuration."""


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
    names = [*_folder_names(data), *suites]
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


def _folder_names(folders: Sequence[Path]) -> list[str]:
    """Return the shortest distinct endings of the paths, as names of run folders."""
    parts = [folder.resolve().parts for folder in folders]
    for length in range(1, max(map(len, parts), default=0) + 1):
        names = ["-".join(each[-length:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    return ["-".join(each[-1:]) for each in parts]


def report_mapped(result: Mapping[str, Any]) -> None:
    """Print on stderr what class maps removed from the data of a run."""
    from mapt_bench.labels import mapped_notes

    protocol = result["protocol"]
    for note in mapped_notes(protocol.get("mapped") or {}, protocol["label_space"]):
        print_line(f"note: {note}", err=True)


def ablate_each(options: Mapping[str, Any]) -> int:
    """Run an ablation on each data set, and print its table and the drop from the first.

    Args:
        options: All options of ``ablate``.

    Raises:
        ConfigError: If options do not go together, or ``--out`` holds another run.
        DataError: If data are unusable or a file cannot be written.
    """
    # Imported here, because completing a name and --help must start fast.
    from mapt_bench.experiments import check_config, run_ablation

    shown = {name: options[name] for name in SHOWN}
    if shown["show_config"]:
        raise ConfigError("--show-config is for one data set; give one --data or --suite")
    selection = Selection(split_names(shown["scores"]), split_names(shown["rows"]))
    selection.check_scores()
    folder = options["out"] or Path("runs") / f"ablate-{datetime.now():%Y%m%d-%H%M%S}"
    configs = {}
    for name, own in options_by_data(options, several=True).items():
        given = {key: value for key, value in own.items() if key not in SHOWN}
        configs[name] = AblationConfig.from_cli(**{**given, "out": folder / name})
        check_config(configs[name])
    results: dict[str, dict[str, Any]] = {}
    with resumable(folder):
        for name, config in configs.items():
            bar = partial(_bar, selection, name)
            results[name] = run_ablation(config, progress=bar)
            report_mapped(results[name])
            _write_one(results[name], folder / name, selection)
    found = transfer_tables(results, scores=selection.scores, rows=selection.rows)
    write_table_folder(found, folder / "tables", None)
    if not shown["no_report"]:
        _write_page(folder, configs, shown["gallery"])
    document = {"schema": TRANSFER_SCHEMA, "runs": results, "drops": drops(results)}
    if not emit_json(shown["json_file"], document):
        _print(results, folder, selection, full=shown["full"])
        scores = selection.scores or ("PAT",)
        print_all_tables(transfer_tables(results, scores, selection.rows, ROWS_SHOWN))
    return 0


def _bar(selection: Selection, name: str, schedule: Any) -> Any:  # noqa: ANN401 - as Progress
    selection.check_rows(dict.fromkeys(cell.cell.variant.name for cell in schedule.cells))
    title = f"{schedule.plan.experiment} on {name}"
    return progress_bar(title, schedule.step_count + schedule.summary_steps)


def _write_one(result: dict[str, Any], folder: Path, selection: Selection) -> None:
    latex = headline_tables(result, selection=selection) if selection else None
    write_table_folder(run_tables(result), folder / "tables", latex)
    write_plots(result, folder)


def _write_page(folder: Path, configs: Mapping[str, AblationConfig], gallery: int) -> None:
    from mapt_bench.experiments import Replay
    from mapt_bench.report import write_report

    replays = {folder / name: Replay(config) for name, config in configs.items()}
    write_report(list(replays), folder / "report.html", gallery=gallery, replays=replays)


def _print(
    results: Mapping[str, dict[str, Any]], folder: Path, selection: Selection, *, full: bool
) -> None:
    for name, result in results.items():
        if full:
            print_all_tables(run_tables(result))

        def short(rows: int, name: str = name, result: dict[str, Any] = result) -> Headline:
            most = min(rows, max(3, ROWS_SHOWN // len(results)))
            found = run_headline(result, rows=most, selection=selection)
            is_named = result["provenance"]["data"]["name"] == name
            title = found.title if is_named else f"{name}: {found.title}"
            return replace(found, title=title, sentences=(), skipped=())

        print_headline(short, f"Run folder: {folder / name}.", with_tables=not full)
