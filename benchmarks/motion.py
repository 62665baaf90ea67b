"""Motion head against optical flow on the CPU: time, memory and operations, side by side.

Each contender runs in a process of its own, on one thread, on one pair of frames. Time is that of
the processor (it does not grow when the machine is shared, as the clock on the wall does); both
are given. Weights are random: the time of these networks does not depend on them.

    python benchmarks/motion.py
    python benchmarks/motion.py --only motion --only flownet2 --json -
"""

import json
import os
import statistics
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import click
from motion_speed.contenders import CONTENDERS, REFERENCE
from motion_speed.measure import Measurement, measure
from rich.console import Console
from rich.table import Table

from mapt_bench.files import check_writable, write_json


def _in_fresh_process(name: str, size: str, seconds: float) -> Measurement | str:
    """Return what a contender took, or in a few words why it did not run."""
    command = [sys.executable, __file__, "--worker", name, "--size", size]
    # More than one thread would wait for each other on a shared machine; one is asked for.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--seconds", str(seconds)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return lines[-1] if lines else f"exit code {done.returncode}"
    return Measurement(**json.loads(done.stdout.splitlines()[-1]))


def _row(measured: Measurement, reference: Measurement | None) -> dict[str, object]:
    cpu = statistics.median(measured.cpu_ms)
    quartiles = statistics.quantiles(measured.cpu_ms, n=4, method="inclusive")
    row: dict[str, object] = {
        "name": measured.name,
        "gmacs": measured.gmacs,
        "cpu_ms": cpu,
        "cpu_ms_least": min(measured.cpu_ms),
        "cpu_ms_quartiles": [quartiles[0], quartiles[2]],
        "wall_ms": statistics.median(measured.wall_ms),
        "repeats": len(measured.cpu_ms),
        "peak_mib": measured.peak_mib,
        "import_mib": measured.import_mib,
        "convolutions_cpu_ms": measured.convolutions_cpu_ms,
        "operations_ratio": None,
        "time_ratio": None,
        "least_time_ratio": None,
    }
    if reference is not None:
        row["time_ratio"] = cpu / statistics.median(reference.cpu_ms)
        row["least_time_ratio"] = min(measured.cpu_ms) / min(reference.cpu_ms)
        if measured.gmacs is not None and reference.gmacs is not None:
            row["operations_ratio"] = measured.gmacs / reference.gmacs
    return row


def _cell(value: object, form: str) -> str:
    return "-" if value is None else format(value, form)


def _table(rows: list[dict[str, object]], size: str) -> Table:
    table = Table(
        title=f"{size}, one thread; ops, time and the last least are ratios to the motion head"
    )
    table.add_column("contender", no_wrap=True)
    headings = ("GMACs", "CPU ms", "least", "quartiles", "wall ms", "MiB", "ops", "time", "least")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        quartiles = " - ".join(f"{value:.1f}" for value in row["cpu_ms_quartiles"])
        table.add_row(
            CONTENDERS[str(row["name"])].title,
            _cell(row["gmacs"], ".3f"),
            _cell(row["cpu_ms"], ".1f"),
            _cell(row["cpu_ms_least"], ".1f"),
            quartiles,
            _cell(row["wall_ms"], ".1f"),
            _cell(row["peak_mib"], ".0f"),
            _cell(row["operations_ratio"], ".1f"),
            _cell(row["time_ratio"], ".2f"),
            _cell(row["least_time_ratio"], ".2f"),
        )
    return table


def _size(text: str) -> tuple[int, int]:
    try:
        height, width = (int(part) for part in text.split("x"))
    except ValueError:
        height = width = 0
    if height < 64 or width < 64 or height % 64 or width % 64:
        raise click.BadParameter(f"{text!r}: expected HEIGHTxWIDTH in multiples of 64")
    return height, width


@click.command(help=__doc__)
@click.option("--size", default="384x1280", show_default=True, help="Frames, HEIGHTxWIDTH.")
@click.option("--seconds", default=10.0, show_default=True, help="Time for each, at least 3 runs.")
@click.option("--only", multiple=True, type=click.Choice(list(CONTENDERS)), help="Repeatable.")
@click.option("--json", "json_path", help="Write all figures here; - is stdout.")
@click.option("--worker", type=click.Choice(list(CONTENDERS)), hidden=True)
def main(
    size: str, seconds: float, only: tuple[str, ...], json_path: str | None, worker: str | None
) -> None:
    """Measure each contender in a fresh process, and show them side by side."""
    height, width = _size(size)
    if worker is not None:
        click.echo(json.dumps(asdict(measure(worker, height, width, seconds))))
        return
    if json_path not in (None, "-"):
        check_writable(Path(json_path))
    console = Console(stderr=json_path == "-", width=None if sys.stdout.isatty() else 150)
    measured: dict[str, Measurement] = {}
    absent: dict[str, str] = {}
    load = [os.getloadavg()[0]]
    for name in only or CONTENDERS:
        with Console(stderr=True).status(f"measuring {name}"):
            outcome = _in_fresh_process(name, size, seconds)
        if isinstance(outcome, str):
            absent[name] = outcome
        else:
            measured[name] = outcome
        load.append(os.getloadavg()[0])
    rows = [_row(measurement, measured.get(REFERENCE)) for measurement in measured.values()]
    console.print(_table(rows, size))
    console.print(f"load {min(load):.1f} to {max(load):.1f} on {os.cpu_count()} processors")
    for name, reason in absent.items():
        console.print(f"absent: {name}: {reason}", markup=False)
    for row in rows:
        if isinstance(alone := row["convolutions_cpu_ms"], float):
            share = float(str(row["cpu_ms"])) / alone
            console.print(
                f"{row['name']}: {share:.2f} times its convolutions alone ({alone:.0f} ms)"
            )
    if json_path is not None:
        report = {
            "size": [height, width],
            "threads": 1,
            "load": load,
            "rows": rows,
            "absent": absent,
        }
        if json_path == "-":
            click.echo(json.dumps(report))
        else:
            write_json(Path(json_path), report)


if __name__ == "__main__":
    main()
