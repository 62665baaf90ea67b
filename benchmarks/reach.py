"""Compare MAPT with the targets over training seeds, from one ablation run each.

Each RUN is a folder of mapt-bench ablate on one suite, with the weights of one training seed. The
numbers are those of its results.json on the first source of segments, MAPT's detections, and on
ground-truth segments where a target says so. Confidence intervals must hold for every seed, limits
for the mean over seeds.

    mapt-bench ablate --suite bench --without-memory --flow-weights flow:flownet2-narrow \
        --out runs/seed0
    python benchmarks/reach.py runs/seed0
    python benchmarks/reach.py runs/seed0 runs/seed1 runs/seed2 --target "cost of memory"
    python benchmarks/reach.py runs/seed0 --shift runs/shift0 --json -

With --page docs/results.md, write that page: docs/results.head.md, then each target as measured.
"""

import sys
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
from reach_lines.lines import reach
from reach_lines.room import drops, room
from reach_lines.seed_run import SeedRun, read_runs
from reach_lines.verdict import Line
from rich.console import Console
from script_errors import shown_errors

from mapt_bench.cli.options import emit_json
from mapt_bench.errors import ConfigError, counted, nearest
from mapt_bench.files import check_writable, write_text
from mapt_bench.reports.table_formats import print_table, render_table
from mapt_bench.reports.tables import Table

_SUITE, _SEEDS = "bench", 3
_WIDTH = 100
_HEAD = Path(__file__).resolve().parents[1] / "docs" / "results.head.md"


def _notes(runs: Sequence[SeedRun]) -> list[str]:
    """Return notes on runs that the targets are not made for."""
    notes = []
    if runs[0].suite != _SUITE:
        notes.append(f"suite {runs[0].suite}: the targets are for {_SUITE}, so this is a trial")
    if len(runs) < _SEEDS:
        notes.append(f"{counted(len(runs), 'training seed')}: the targets are for {_SEEDS}")
    return notes


def _report(
    runs: Sequence[SeedRun], lines: Sequence[Line], margins: Sequence[Table]
) -> dict[str, object]:
    return {
        "suite": runs[0].suite,
        "runs": [
            {"name": run.name, "segments": run.segments, "weights": run.weights} for run in runs
        ],
        "notes": _notes(runs),
        "lines": [line.to_dict() for line in lines],
        "margins": [margin.to_dict() for margin in margins],
    }


def _show(
    runs: Sequence[SeedRun], lines: Sequence[Line], margins: Sequence[Table], console: Console
) -> None:
    for line in lines:
        print_table(line.table, console)
        console.print(_verdict(line), markup=False, highlight=False)
        console.print()
    for margin in margins:
        print_table(margin, console)
    for run in runs:
        console.print(f"{run.name}: weights {run.weights[:12]}", markup=False, highlight=False)
    for note in _notes(runs):
        console.print(f"note: {note}", markup=False, highlight=False)


def _verdict(line: Line) -> str:
    reasons = f" ({'; '.join(line.reasons)})" if line.reasons else ""
    return f"{line.state.upper()}{reasons}"


def _page(runs: Sequence[SeedRun], lines: Sequence[Line], margins: Sequence[Table]) -> str:
    parts = [_HEAD.read_text(encoding="utf-8").rstrip()]
    for line in lines:
        asked = replace(line.table, title=line.wanted[:1].upper() + line.wanted[1:])
        parts += [f"### {line.name.capitalize()}", render_table(asked, "markdown").rstrip()]
        parts.append(f"**{line.state.capitalize()}.**")
        if line.reasons:
            parts.append("\n".join(f"- {reason}" for reason in line.reasons))
    parts += ["### Margin", *(render_table(each, "markdown").rstrip() for each in margins)]
    weights = ", ".join(f"{run.name} `{run.weights[:12]}`" for run in runs)
    parts += ["### Weights", f"SHA-256 of each run's: {weights}.", *_notes(runs)]
    return "\n".join(map(_filled, "\n\n".join(parts).splitlines())) + "\n"


def _filled(line: str) -> str:
    """Return a line of the page at its width; tables stay as they are."""
    if line.startswith(("|", "#", "    ")):
        return line
    return textwrap.fill(line, _WIDTH, break_long_words=False, break_on_hyphens=False)


@click.command(help=__doc__)
@click.argument("folders", metavar="RUN [RUN ...]", nargs=-1, required=True, type=Path)
@click.option(
    "--shift",
    "shift_folders",
    multiple=True,
    type=Path,
    help="Run of the same weights on another domain; once for each RUN, in the same order.",
)
@click.option("--target", help="Show this target only. Example: --target recovery")
@click.option("--json", "json_path", help="Write all figures as JSON; - is stdout.")
@click.option("--page", type=Path, help="Write the targets as a Markdown page.")
def main(
    folders: tuple[Path, ...],
    shift_folders: tuple[Path, ...],
    target: str | None,
    json_path: str | None,
    page: Path | None,
) -> None:
    """Read the runs and print whether each target is reached."""
    with shown_errors():
        for path in (json_path, page):
            if path not in (None, "-"):
                check_writable(Path(path))
        runs = read_runs(folders)
        lines, margins = reach(runs), [room(runs)]
        if shift_folders:
            margins.append(drops(runs, read_runs(shift_folders)))
        if target is not None:
            lines, margins = _only(target, lines), []
        report = _report(runs, lines, margins)
        if page is not None:
            write_text(page, _page(runs, lines, margins))
        if not emit_json(json_path, report):
            width = None if sys.stdout.isatty() else 150
            _show(runs, lines, margins, Console(width=width))


def _only(name: str, lines: Sequence[Line]) -> list[Line]:
    chosen = [line for line in lines if line.name == name]
    if not chosen:
        names = [line.name for line in lines]
        raise ConfigError(f"there is no target {name!r}; {nearest(name, names)}")
    return chosen


if __name__ == "__main__":
    main()
