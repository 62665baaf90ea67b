"""``mapt-bench compare``: the regression gate between a baseline and a current result."""

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
    help="Fail if a score changes beyond this limit: SCORE<NUMBER (or <= > >=). The change is "
    "current minus baseline, in percentage points, for IDSW and Frag in counts. Repeatable. "
    'Example: --fail-on "PAT<-0.5"',
)
@click.option(
    "--common-classes",
    is_flag=True,
    help="Average PAT, PQ and LSTQ over the classes of both results. By default each result keeps "
    "its own values, and differences use the classes of both.",
)
@json_option
def command(
    baseline: Path,
    current: Path,
    fail_on: tuple[str, ...],
    common_classes: bool,
    json_file: str | None,
) -> int:
    """Compare two results. Exits with 1 if a limit is exceeded or a score is missing.

    BASELINE and CURRENT are JSON files written by evaluate, or runs (the folder or its
    results.json). Both must have the same protocol, label space and segments. If their scores are
    averaged over different classes, differences use the classes of both.
    """
    limits = [Limit.parse(text) for text in fail_on]
    comparison = compare_results(baseline, current, limits=limits, common_classes=common_classes)
    if not emit_json(json_file, comparison.to_dict()):
        _show(comparison)
    return 1 if comparison.is_passed is False else 0


def _show(comparison: Comparison) -> None:
    if comparison.changes:
        print_table(comparison_table(comparison.to_dict()))
    for note in comparison.notes:
        click.echo(f"note: {note}")
    for missing in comparison.missing:
        click.echo(f"missing: {missing}")
    for broken in comparison.broken:
        click.echo(f"broken: {broken}")
    click.echo({True: "passed", False: "failed", None: "no limit given"}[comparison.is_passed])
