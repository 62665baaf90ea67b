"""``mapt-bench compare``: the gate between an earlier result and the present one."""

from pathlib import Path

import click

from mapt_bench.cli.options import emit_json, json_option, path_type
from mapt_bench.compare import Comparison, Limit, compare_results
from mapt_bench.reports.difference_tables import comparison_table
from mapt_bench.reports.table_formats import print_table

__all__ = ["command"]

_EPILOG = """\b
Examples:
  mapt-bench compare baseline.json current.json --fail-on "PAT<-0.5"
  mapt-bench compare runs/before runs/now --fail-on "PAT<-0.5" --fail-on "IDSW>5" --json gate.json
"""


@click.command(epilog=_EPILOG)
@click.argument("baseline", type=path_type)
@click.argument("current", type=path_type)
@click.option(
    "--fail-on",
    "fail_on",
    multiple=True,
    metavar="LIMIT",
    help="A change that is not accepted, SCORE<NUMBER (or <= > >=), in percentage points, current "
    "minus baseline; IDSW and Frag in counts. May be given several times.",
)
@click.option(
    "--common-classes",
    is_flag=True,
    help="Show PAT, PQ and LSTQ over the classes of both results. Default: each result's own "
    "values, and differences over the classes of both.",
)
@json_option
def command(
    baseline: Path,
    current: Path,
    fail_on: tuple[str, ...],
    common_classes: bool,
    json_file: str | None,
) -> int:
    """Compare two results; exit with 1 when a limit is broken or a score has gone missing.

    BASELINE and CURRENT are JSON files written by evaluate, or runs (the folder or its
    results.json). Results of another protocol, label space or kind of segments are
    refused. Differences of results averaged over other classes are taken over the
    classes of both.
    """
    limits = [Limit.parse(text) for text in fail_on]
    comparison = compare_results(baseline, current, limits=limits, common_classes=common_classes)
    if not emit_json(json_file, comparison.to_dict()):
        _show(comparison)
    return 0 if comparison.is_passed else 1


def _show(comparison: Comparison) -> None:
    if comparison.changes:
        print_table(comparison_table(comparison.to_dict()))
    for note in comparison.notes:
        click.echo(f"note: {note}")
    for missing in comparison.missing:
        click.echo(f"missing: {missing}")
    for broken in comparison.broken:
        click.echo(f"broken: {broken}")
    click.echo("passed" if comparison.is_passed else "failed")
