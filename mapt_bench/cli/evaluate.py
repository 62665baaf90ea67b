"""``mapt-bench evaluate``: score folders of predictions against ground truth."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import click

from mapt_bench.cli.completion import complete_encoding, complete_label_space
from mapt_bench.cli.copies import check_tools, copy_record
from mapt_bench.cli.options import (
    TableFile,
    cluster_options,
    emit_results,
    extent_options,
    headline_options,
    json_option,
    log_option,
    map_option,
    path_type,
    print_line,
    revision_option,
    split_names,
    table_options,
)
from mapt_bench.cli.progress import progress_bar
from mapt_bench.cli.vpq_windows import windows_option
from mapt_bench.reports.difference_tables import paired_tables
from mapt_bench.reports.experiment_logs import LogRecord, LogTarget
from mapt_bench.reports.headline import Headline, Selection, evaluation_headline
from mapt_bench.reports.loss_tables import losses_tables, short_losses_tables
from mapt_bench.reports.score_tables import evaluation_tables
from mapt_bench.reports.slice_tables import slices_tables
from mapt_bench.reports.tables import Table
from mapt_bench.reports.terminal import print_all_tables, print_headline

__all__ = ["command"]

_EPILOG = """\b
Examples:
  mapt-bench evaluate data/panoptic_maps/val runs/mine -j 2 --json mine.json
  mapt-bench evaluate GT BASELINE MINE --intervals --latex table.tex
  mapt-bench evaluate CITIES MINE --dataset cityscapes --pred-dataset kitti-step --map common
"""


@click.command("evaluate", epilog=_EPILOG)
@click.argument("gt", type=path_type)
@click.argument("pred", type=path_type, nargs=-1, required=True)
@click.option(
    "--dataset",
    shell_complete=complete_label_space,
    metavar="NAME",
    help="Label space: a built-in name or a YAML file. Default: the folder's own dataset.json, "
    "or kitti-step.",
)
@map_option
@click.option(
    "--pred-dataset",
    shell_complete=complete_label_space,
    metavar="NAME",
    help="Label space of PRED, with --map. Default: its own dataset.json, or that of GT.",
)
@click.option(
    "--encoding",
    shell_complete=complete_encoding,
    metavar="NAME",
    help="Encoding of PRED. Default: detected from the files.",
)
@click.option(
    "--gt-encoding",
    shell_complete=complete_encoding,
    metavar="NAME",
    help="Encoding of GT. Default: detected from the files.",
)
@click.option(
    "--missing",
    type=click.Choice(["error", "void"]),
    default="error",
    show_default=True,
    help="Treat frames that PRED lacks as an error, or as void.",
)
@click.option(
    "--sequence",
    "sequences",
    multiple=True,
    metavar="NAME",
    help="Score this sequence of GT only. Repeatable.",
)
@click.option(
    "--resize",
    type=click.Choice(["nearest"]),
    help="Score predictions of another size at the size of GT. By default, they are an error.",
)
@extent_options("GT")
@click.option(
    "--pat-protocol",
    default="present",
    show_default=True,
    metavar="NAME",
    help="Variant of PAT, PQ, TQ, PTQ, sPTQ and LSTQ in the tables. 'official' is the variant of "
    "the nuScenes devkit.",
)
@windows_option
@click.option(
    "--common-classes",
    is_flag=True,
    help="Average PAT, PQ and LSTQ of every PRED over the classes that occur in GT or in any "
    "PRED. By default each PRED uses the classes that occur in GT or in itself.",
)
@click.option(
    "--intervals",
    is_flag=True,
    help="Add 95 % BCa confidence intervals by resampling sequences. With several PRED, also "
    "compare each with the first by paired differences over the classes of both.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the resampling.")
@click.option(
    "--losses",
    is_flag=True,
    help="Show where the points of PAT and STQ were lost, by kind of mistake. Takes one to two "
    "seconds for each hundred frames.",
)
@click.option(
    "--slices",
    is_flag=True,
    help="Print recall and association accuracy by size, speed, distance to the nearest object of "
    "the class, crowd density and class.",
)
@click.option("-j", "workers", default=1, show_default=True, help="Number of worker processes.")
@cluster_options
@click.option("--classes", is_flag=True, help="Print the table of classes too.")
@headline_options
@revision_option
@log_option
@json_option
@table_options
def command(
    gt: Path,
    pred: tuple[Path, ...],
    dataset: str | None,
    class_map: str | None,
    pred_dataset: str | None,
    encoding: str | None,
    gt_encoding: str | None,
    missing: Literal["error", "void"],
    sequences: tuple[str, ...],
    resize: Literal["nearest"] | None,
    frames: tuple[str, ...],
    size: str | None,
    pat_protocol: str,
    vpq_windows: tuple[int, ...],
    common_classes: bool,
    intervals: bool,
    seed: int,
    losses: bool,
    slices: bool,
    workers: int,
    cluster: str | None,
    scheduler_file: Path | None,
    classes: bool,
    full: bool,
    scores: str | None,
    rows: str | None,
    log_to: tuple[LogTarget, ...],
    json_file: str | None,
    csv_file: Path | None,
    latex_file: Path | None,
    markdown_file: Path | None,
) -> int:
    """Score each folder PRED of panoptic maps against the ground truth in GT.

    Sequences are found at any depth below both folders, and matched by their longest common path
    suffix. A flat folder of frames is one sequence.
    """
    # Imported here because --help must start fast.
    from mapt_bench.data.dataset_file import Extents
    from mapt_bench.evaluation import (
        EvaluationSettings,
        evaluate_folders,
        evaluations_document,
        prediction_names,
    )

    selection = Selection(split_names(scores), split_names(rows))
    selection.check_scores()
    selection.check_rows(prediction_names(pred))
    settings = EvaluationSettings(
        dataset=dataset,
        encoding=encoding,
        gt_encoding=gt_encoding,
        extents=Extents.from_options(frames, size),
        missing=missing,
        sequences=sequences,
        resize=resize,
        pat_protocol=pat_protocol,
        vpq_windows=vpq_windows,
        workers=workers,
        cluster=cluster,
        scheduler_file=scheduler_file,
        common_classes=common_classes,
        intervals=intervals,
        seed=seed,
        losses=losses,
        slices=slices,
        class_map=class_map,
        pred_dataset=pred_dataset,
    )
    check_tools(log_to)
    found = evaluate_folders(gt, pred, settings, progress_bar)
    results = [result.to_dict() for result in found]
    tables = evaluation_tables(results)
    tables[1:1] = paired_tables(results)
    tables += losses_tables(results)
    tables += slices_tables(results)
    headline = partial(evaluation_headline, results, selection=selection)
    for result in found:
        for note in result.protocol["notes"]:
            print_line(f"note: {result.name}: {note}", err=True)
    outputs: list[TableFile] = [
        ("csv", csv_file, tables),
        ("latex", latex_file, _titled(headline()) if selection else tables),
        ("markdown", markdown_file, tables),
    ]
    if json_file == "-":  # an error is the only document on stdout then
        _log_each(results, log_to)
    if not emit_results(json_file, evaluations_document(found), outputs):
        named = {"slices", *(["classes"] if classes else [])}
        shown = [each for each in tables if full or each.name in named]
        print_all_tables([*shown, *short_losses_tables(results)])
        closing = "Classes: --classes. The whole result: --json FILE."
        print_headline(lambda rows: headline(rows=rows), closing, with_tables=not full)
    if json_file != "-":
        _log_each(results, log_to)
    return 0


def _log_each(results: Sequence[dict[str, Any]], log_to: Sequence[LogTarget]) -> None:
    """Copy each result and its tables to the tools."""
    for one in results if log_to else ():
        own = [*evaluation_tables([one]), *losses_tables([one])]
        copy_record(log_to, LogRecord(one["name"], one, own))


def _titled(headline: Headline) -> list[Table]:
    """Return the headline tables. One without title has that of the headline, as its caption."""
    return [replace(each, title=each.title or headline.title) for each in headline.tables]
