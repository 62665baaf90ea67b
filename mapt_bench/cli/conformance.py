"""``mapt-bench conformance``: check the metrics against golden cases."""

from pathlib import Path

import click

from mapt_bench.cli.options import emit_json, json_option, path_type
from mapt_bench.cli.progress import progress_bar
from mapt_bench.evaluation.golden_cases import check_conformance, find_cases, golden_cases
from mapt_bench.reports.table_formats import print_table
from mapt_bench.reports.tables import Column, Table

__all__ = ["command"]

_EPILOG = """\b
Examples:
  mapt-bench conformance
  mapt-bench conformance --results my_numbers
"""


@click.command("conformance", epilog=_EPILOG)
@click.argument("folder", type=path_type, metavar="[DIR]", required=False)
@click.option(
    "--results",
    type=path_type,
    metavar="DIR",
    help="Check another implementation. DIR holds its results as <case>.json, in the form of "
    "'results' in expected.json. Missing numbers are counted, not compared.",
)
@click.option("--where", is_flag=True, help="Print the folder of the built-in cases and stop.")
@json_option
def command(folder: Path | None, results: Path | None, where: bool, json_file: str | None) -> int:
    """Score golden cases and compare every number with the expected one.

    A case is a folder with gt/, pred/ and expected.json. Without DIR, the built-in cases are used.
    Each mismatch is listed with case, block, field, expected and computed number. Exits with 1 if
    there is a mismatch, with 3 if DIR has no case or nothing can be compared.
    """
    if where:
        click.echo(golden_cases())
        return 0
    folder = golden_cases() if folder is None else folder
    with progress_bar("checking cases", len(find_cases(folder))) as progress:
        report = check_conformance(folder, progress, results=results)
    if not emit_json(json_file, report.to_dict()):
        if report.mismatches:
            names = ("case", "block", "field", "expected", "got")
            rows = tuple(
                (m.case, m.block, m.field, str(m.expected), str(m.got)) for m in report.mismatches
            )
            print_table(Table("Mismatches", tuple(Column(name) for name in names), rows))
        click.echo(
            f"{_count(len(report.cases), 'case')}, "
            f"{_count(report.number_count, 'number')} compared, "
            f"{_count(len(report.mismatches), 'mismatch', 'mismatches')}"
            + (f", {report.not_given} not given" if report.not_given else "")
        )
    return 1 if report.mismatches else 0


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
