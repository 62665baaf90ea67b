r"""Write the pages of results from finished runs: results, model card, table of the README.

    mapt-bench ablate --suite bench -j 2 --without-memory --flow-weights flow:flownet2-narrow \
        --out runs/seed0
    mapt-bench ablate -j 2 --out runs/quick
    python tools/make_results.py runs/seed0 runs/seed1 runs/seed2 \
        --shift runs/shift0 --shift runs/shift1 --shift runs/shift2 --quick runs/quick

Every number on these pages comes from a run. Writes docs/results.md and benchmarks/seeds/reach.json
(by benchmarks/reach.py, and the tables of the first run between two comments), the scores on the
cards of the shipped weights that a run used, docs/model_card.md (by tools/make_model_card.py), and
the table between two comments of README.md. The prose in docs/results.head.md, with its table of
targets, is typed by hand. Its figures with a decimal point that no table of the page has are
printed, to be checked.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from make_model_card import make_page, write_scores

from mapt_bench.errors import DataError, MaptBenchError
from mapt_bench.files import write_text
from mapt_bench.reports.headline import Selection, run_headline
from mapt_bench.reports.table_formats import render_table
from mapt_bench.results import read_document
from mapt_bench.weights import shipped, shipped_weights

ROOT = Path(__file__).resolve().parents[1]

_TRACKER = "mapt+memory"
_README_ROWS = (
    "mapt+memory",
    "mapt:paper+memory",
    "mapt:motion+memory",
    "mapt:appearance+memory",
    "bot-sort+memory",
    "deep-oc-sort+memory",
    "bytetrack+memory",
    "sort+memory",
    "copy",
    "oracle",
)
_RESULTS_ROWS = (
    *_README_ROWS[:5],
    "oc-sort+memory",
    *_README_ROWS[5:8],
    "appearance+memory",
    "flow:dis+memory",
    "flow:exact+memory",
    *_README_ROWS[8:],
)
_SCORES = ("PAT", "PQ", "TQ", "STQ", "AssA", "IDSW")
_QUICK_BEGIN, _BENCH_BEGIN = "<!-- table of the default job -->", "<!-- tables of the first run -->"
_END = "<!-- end of the table -->"
_FIGURE = re.compile(r"(?<![\d.])\d+\.\d+(?!\d|\.\d)")


def main(words: Sequence[str] | None = None) -> int:
    """Write all pages that show the given runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", type=Path, help="run on bench, one for each seed")
    parser.add_argument(
        "--shift", action="append", default=[], type=Path, help="run on shift, in the same order"
    )
    parser.add_argument("--quick", type=Path, help="run of the default job, for the README")
    given = parser.parse_args(words)
    try:
        if given.runs:
            _write_results(given.runs, given.shift)
        for folder in (*given.runs, *given.shift):
            score_cards(read_run(folder))
        make_page()
        if given.quick is not None:
            readme = ROOT / "README.md"
            text = readme.read_text(encoding="utf-8")
            table = headline_tables(read_run(given.quick), _README_ROWS)[0]
            write_text(readme, with_table(text, table, readme, _QUICK_BEGIN))
    except MaptBenchError as problem:
        print(f"error: {problem.where or ''} {problem.message}", file=sys.stderr)
        return problem.exit_code
    return 0


def _write_results(runs: Sequence[Path], shift: Iterable[Path]) -> None:
    words = [str(folder.resolve()) for folder in runs]
    for folder in shift:
        words += ["--shift", str(folder.resolve())]
    words += ["--page", "docs/results.md", "--json", "benchmarks/seeds/reach.json"]
    command = [sys.executable, str(ROOT / "benchmarks" / "reach.py"), *words]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:  # noqa: S603
        raise DataError("benchmarks/reach.py could not read the runs; see its message above")
    page = ROOT / "docs" / "results.md"
    tables = "\n\n".join(headline_tables(read_run(runs[0]), _RESULTS_ROWS))
    text = with_table(page.read_text(encoding="utf-8"), tables, page, _BENCH_BEGIN)
    write_text(page, text)
    head = (ROOT / "docs" / "results.head.md").read_text(encoding="utf-8")
    if missing := figures_in_no_table(head, text):
        print(
            "docs/results.head.md: figures that no table of docs/results.md has, check them by "
            f"hand: {', '.join(missing)}",
            file=sys.stderr,
        )


def figures_in_no_table(typed: str, page: str) -> list[str]:
    """Return the figures of a text that are not in a table of runs, not even rounded.

    Args:
        typed: Text with figures that were typed by hand.
        page: Page with the tables: those of the first run, and all below the heading of targets.

    Returns:
        Figures with a decimal point, as typed, in the order of the text. Code, links and signs do
        not count.
    """
    tables = page.partition(_BENCH_BEGIN)[2].partition(_END)[0]
    tables += page.partition("\n## The targets\n")[2]
    known = [float(each) for each in _FIGURE.findall(tables)]
    prose = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)", " ", typed, flags=re.DOTALL)
    return [
        each
        for each in dict.fromkeys(_FIGURE.findall(prose))
        if all(abs(float(each) - value) > 0.501 * 10 ** -len(each.split(".")[1]) for value in known)
    ]


def read_run(folder: Path) -> Mapping[str, Any]:
    """Return the result of a finished run.

    Raises:
        DataError: If the folder holds no finished run.
    """
    path = folder / "results.json"
    if not path.is_file():
        raise DataError("holds no results.json; run the experiment until it ends", where=folder)
    return read_document(path)


def score_cards(run: Mapping[str, Any]) -> list[str]:
    """Write the scores of a run on the cards of the shipped weights that found its segments.

    Returns:
        Names of these weights.
    """
    stated = run["provenance"]
    by_hash = {str(sha256): name for name, sha256 in (stated.get("weights") or {}).items()}
    written = []
    for name in shipped_weights():
        weights = shipped(name)
        row = _row(run, by_hash.get(weights.sha256))
        if row is None:
            continue
        data = stated["data"]
        parts = {"all": row["scores"], **_halves(run, str(row["cell"]))}
        entry = {
            "tracker": _TRACKER,
            "data": {
                "name": data["name"],
                "version": data["suite"]["version"],
                "fingerprint": data["fingerprint"],
                "sequences": len(data["sequences"]),
                "frames": sum(data["sequences"].values()),
            },
            "code": {key: stated[key] for key in ("mapt_bench", "git_commit")},
            "scores": parts,
        }
        write_scores(weights, entry)
        written.append(name)
    return written


def _row(run: Mapping[str, Any], segments: str | None) -> Mapping[str, Any] | None:
    """Return MAPT's row on the segments that some weights found, if there is one."""
    for row in run["summary"]:
        if row["variant"] == _TRACKER and row.get("segments") == segments and segments:
            return dict(row)
    return None


def _halves(run: Mapping[str, Any], cell: str) -> dict[str, Mapping[str, Any]]:
    return {
        str(group["value"]): group["scores"]
        for group in run.get("scores_by_group") or []
        if group["cell"] == cell and group["factor"] == "half"
    }


def headline_tables(run: Mapping[str, Any], rows: Sequence[str]) -> list[str]:
    """Return the headline table of each source of segments in Markdown, with these rows."""
    selection = Selection(scores=_SCORES, rows=rows)
    tables = run_headline(dict(run), selection=selection).tables
    return [render_table(table, "markdown").strip() for table in tables]


def with_table(text: str, table: str, where: Path, begin_mark: str) -> str:
    """Return a page with a table in the place of the table between its two comments.

    Raises:
        DataError: If the page lacks one of the comments.
    """
    before, begin, rest = text.partition(begin_mark)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise DataError(f"lacks {begin_mark} or {_END}; put both around its table", where=where)
    return f"{before}{begin_mark}\n\n{table}\n\n{_END}{after}"


if __name__ == "__main__":
    raise SystemExit(main())
