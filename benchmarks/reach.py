"""What MAPT reaches, line by line, over training seeds: one run of the ablation each.

Each RUN is a folder of mapt-bench ablate on one suite, with the weights of one training seed. The
numbers are read from its results.json, those on the first kind of segments, MAPT's own. Lines
that ask for intervals ask for them of every seed; the others are held against the mean.

    mapt-bench ablate --suite bench --out runs/seed0
    mapt-bench ablate --suite bench --weights benchmarks/seeds/mapt-tiny-seed1.safetensors \
        --out runs/seed1
    python benchmarks/reach.py runs/seed0 runs/seed1 runs/seed2
    python benchmarks/reach.py runs/seed0 --json -

With --page docs/results.md the lines are written as the page of that name: what stands in
docs/results.head.md, then each line as it was measured.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
from reach_lines.lines import reach
from reach_lines.room import room
from reach_lines.seed_run import SeedRun, read_runs
from reach_lines.verdict import Line
from rich.console import Console

from mapt_bench.errors import MaptBenchError, counted
from mapt_bench.files import check_writable, json_text, write_json, write_text
from mapt_bench.reports.table_formats import print_table, render_table
from mapt_bench.reports.tables import Table

_SUITE, _SEEDS = "bench", 3
_HEAD = Path(__file__).resolve().parents[1] / "docs" / "results.head.md"


def _notes(runs: Sequence[SeedRun]) -> list[str]:
    """Return what keeps these runs from being the ones that the lines speak of."""
    notes = []
    if runs[0].suite != _SUITE:
        notes.append(f"suite {runs[0].suite}: the lines speak of {_SUITE}, so this is a trial")
    if len(runs) < _SEEDS:
        notes.append(f"{counted(len(runs), 'training seed')}: the lines speak of {_SEEDS}")
    return notes


def _report(runs: Sequence[SeedRun], lines: Sequence[Line], gain: Table) -> dict[str, object]:
    return {
        "suite": runs[0].suite,
        "runs": [
            {"name": run.name, "segments": run.segments, "weights": run.weights} for run in runs
        ],
        "notes": _notes(runs),
        "lines": [line.to_dict() for line in lines],
        "room": gain.to_dict(),
    }


def _show(runs: Sequence[SeedRun], lines: Sequence[Line], gain: Table, console: Console) -> None:
    for line in lines:
        print_table(line.table, console)
        console.print(_verdict(line), markup=False, highlight=False)
        console.print()
    print_table(gain, console)
    for run in runs:
        console.print(f"{run.name}: weights {run.weights[:12]}", markup=False, highlight=False)
    for note in _notes(runs):
        console.print(f"note: {note}", markup=False, highlight=False)


def _verdict(line: Line) -> str:
    reasons = f" ({'; '.join(line.reasons)})" if line.reasons else ""
    return f"{line.state.upper()}{reasons}"


def _page(runs: Sequence[SeedRun], lines: Sequence[Line], gain: Table) -> str:
    parts = [_HEAD.read_text(encoding="utf-8").rstrip()]
    for line in lines:
        asked = replace(line.table, title=line.wanted[:1].upper() + line.wanted[1:])
        parts += [f"### {line.name.capitalize()}", render_table(asked, "markdown").rstrip()]
        parts.append(f"**{line.state.capitalize()}.** {_sentence(line.reasons)}".rstrip())
    parts += ["### What there is to gain", render_table(gain, "markdown").rstrip()]
    weights = ", ".join(f"{run.name} `{run.weights[:12]}`" for run in runs)
    parts += ["### Weights", f"SHA-256 of each run's: {weights}.", *_notes(runs)]
    return "\n\n".join(parts) + "\n"


def _sentence(reasons: Sequence[str]) -> str:
    told = "; ".join(reasons)
    return f"{told[:1].upper()}{told[1:]}." if told else ""


@click.command(help=__doc__)
@click.argument("folders", metavar="RUN [RUN ...]", nargs=-1, required=True, type=Path)
@click.option("--json", "json_path", help="Write all figures here; - is stdout.")
@click.option("--page", type=Path, help="Write the lines here as a page of Markdown.")
def main(folders: tuple[Path, ...], json_path: str | None, page: Path | None) -> None:
    """Read the runs, and say of each line whether it is reached."""
    try:
        for path in (json_path, page):
            if path not in (None, "-"):
                check_writable(Path(path))
        runs = read_runs(folders)
        lines, gain = reach(runs), room(runs)
        report = _report(runs, lines, gain)
        if page is not None:
            write_text(page, _page(runs, lines, gain))
        if json_path == "-":
            click.echo(json_text(report))
            return
        _show(runs, lines, gain, Console(width=None if sys.stdout.isatty() else 150))
        if json_path is not None:
            write_json(Path(json_path), report)
    except MaptBenchError as problem:
        place = f"{problem.where}: " if problem.where else ""
        click.echo(f"Error: {place}{problem.message}", err=True)
        sys.exit(problem.exit_code)


if __name__ == "__main__":
    main()
