r"""Write the pictures and tables of docs/stress_results.md from finished stress tests.

    mapt-bench stress occlusion -j 2 --out runs/occlusion
    mapt-bench stress motion -j 2 --out runs/motion
    mapt-bench stress failures --segments mapt,groundtruth -j 2 --out runs/failures
    python tools/make_stress_results.py --occlusion runs/occlusion --motion runs/motion \
        --failures runs/failures

Each option may be omitted: its pictures and its table stay as they are. The pictures show the heads
and the fusions of MAPT, and the best baselines; the runs have all rows.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from make_results import read_run, with_table

from mapt_bench.errors import MaptBenchError
from mapt_bench.files import write_text
from mapt_bench.reports._stress_plots import plot_break_points, plot_levels, plot_links
from mapt_bench.reports._stress_tables import fusion_tables, score_tables_of_failures
from mapt_bench.reports.table_formats import render_table
from mapt_bench.results.result_views import run_parts

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "stress_results.md"
PICTURES = ROOT / "docs" / "pictures"

_DRAWN = frozenset(
    {
        *("mapt+memory", "mapt:paper+memory", "mapt:motion+memory", "mapt:appearance+memory"),
        *("bytetrack+memory", "sort", "copy", "oracle"),
    }
)
_PICTURES = {
    "occlusion": {"curves_occlusion": plot_levels, "curves_links": plot_links},
    "motion": {"curves_motion": plot_levels, "curves_break": plot_break_points},
}


def main(words: Sequence[str] | None = None) -> int:
    """Write what the given runs show."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for kind in ("occlusion", "motion", "failures"):
        parser.add_argument(f"--{kind}", type=Path, help=f"run of mapt-bench stress {kind}")
    given = vars(parser.parse_args(words))
    try:
        for kind, folder in given.items():
            if folder is not None:
                _write(kind, read_run(folder))
    except MaptBenchError as problem:
        print(f"error: {problem.where or ''} {problem.message}", file=sys.stderr)
        return problem.exit_code
    return 0


def _write(kind: str, run: Mapping[str, Any]) -> None:
    for name, plot in _PICTURES.get(kind, {}).items():
        plot(_drawn(run), PICTURES / f"{name}.png")
    tables = []
    for part in run_parts(dict(run)):
        if kind == "failures":
            tables += score_tables_of_failures(part.run, part.ending)
        else:
            tables += fusion_tables(part.run)
    if tables:
        text = "\n\n".join(render_table(table, "markdown").strip() for table in tables)
        page = PAGE.read_text(encoding="utf-8")
        write_text(PAGE, with_table(page, text, PAGE, f"<!-- tables of {kind} -->"))


def _drawn(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run with the rows that pictures show."""
    fields = ("summary", "visibility", "recoveries", "break_points")
    chosen = {
        name: [entry for entry in run[name] if entry["variant"] in _DRAWN]
        for name in fields
        if name in run
    }
    return {**run, **chosen}


if __name__ == "__main__":
    raise SystemExit(main())
