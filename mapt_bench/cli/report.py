"""``mapt-bench report``: one HTML page about runs, evaluations and FLOPs reports."""

from pathlib import Path

import click

from mapt_bench.cli.options import (
    checked_output,
    emit_json,
    gallery_option,
    json_option,
    path_type,
    print_line,
)
from mapt_bench.errors import ConfigError
from mapt_bench.files import check_writable

__all__ = ["command"]


@click.command(
    "report",
    epilog="""\b
Examples:
  mapt-bench report runs/ablate-20260101-120000
  mapt-bench report before.json after.json --out report.html
  mapt-bench report runs/mine cost.json --out report.html
""",
)
@click.argument("results", nargs=-1, required=True, type=path_type, metavar="RUN|RESULT.json...")
@click.option(
    "--out",
    type=path_type,
    metavar="FILE",
    callback=checked_output,
    help="Output file (.html).  [default: report.html in the run folder; with several results, "
    "report.html here]",
)
@gallery_option
@json_option
def command(
    results: tuple[Path, ...], out: Path | None, gallery: int, json_file: str | None
) -> int:
    """Write one HTML page about runs, frontiers, results of evaluate and FLOPs reports.

    The page is a single file that needs no network: scores, confidence intervals, lost points,
    slices, the worst sequences, curves, cost and the command to repeat the run. An incomplete run
    has a page too, which says what is missing. With a FLOPs report, runs show scores over
    operations.
    """
    # Imported here, because --help must start fast.
    from mapt_bench.report import write_report

    if out is None:
        folder = results[0] if len(results) == 1 and results[0].is_dir() else Path()
        out = folder / "report.html"
    if out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"has the suffix {out.suffix!r}; expected .html", where=out)
    check_writable(out)
    write_report(results, out, gallery=gallery)
    written = {"report": str(out), "bytes": out.stat().st_size, "results": list(map(str, results))}
    if not emit_json(json_file, {"schema": "mapt-bench/report/1", **written}):
        print_line(f"report: {out}")
    return 0
