"""The fuzzer as a command: ``python -m tests.fuzz --cases 20000 --seed 1``. Linux only."""

import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path

import click

from mapt_bench.cli.progress import progress_bar
from tests.fuzz.cases import Case
from tests.fuzz.oracle import examine
from tests.fuzz.recorded_files import Recorded, record
from tests.fuzz.search import CORPUS, Found, Search, Servers, read_case, replay

_CHUNK = 100
_IN_CORPUS = 300_000  # most bytes of a case in the corpus


@click.command()
@click.option("--cases", "count", default=500, show_default=True, help="Number of cases.")
@click.option("--seed", "number", default=0, show_default=True, help="Seed of the search.")
@click.option("-j", "jobs", default=1, show_default=True, help="Number of processes.")
@click.option("--shrink/--no-shrink", default=True, help="Look for the smallest case of a fault.")
@click.option("--corpus", is_flag=True, help="Add the faults to the corpus.")
@click.option("--replay", "only", type=Path, help="Run this case of a fault, and print all.")
@click.option("--out", type=Path, help="Write the cases of faults to this folder.")
def main(
    count: int,
    number: int,
    jobs: int,
    shrink: bool,
    corpus: bool,
    only: Path | None,
    out: Path | None,
) -> None:
    """Search for inputs that a command mishandles. Exits with 1 if there is one.

    The corpus of past faults is replayed first. Ctrl-C ends the search after the cases in progress,
    and reports those that were done.
    """
    if only is not None:
        sys.exit(_replay_one(only))
    faults = _corpus_faults()
    start = time.monotonic()
    kept = tuple(folder for folder in (out, CORPUS if corpus else None) if folder is not None)
    with tempfile.TemporaryDirectory(prefix="mapt-fuzz-recorded-") as folder:
        found = _search(record(Path(folder)), count, number, jobs, shrink, kept)
    _report(found, number, time.monotonic() - start)
    sys.exit(1 if faults or found.faults else 0)


def _replay_one(path: Path) -> int:
    case = read_case(path)
    click.echo(f"mapt-bench {' '.join(case.words)}\nbroken: {'; '.join(case.breaks)}")
    outcome, faults = examine(case, None)
    click.echo(outcome.stdout.decode("utf-8", "backslashreplace")[-3000:])
    click.echo(outcome.stderr.decode("utf-8", "backslashreplace")[-5000:])
    click.echo(
        f"exit {outcome.code}, {outcome.cpu_seconds:.1f} s, {outcome.peak_bytes / 1e6:.0f} MB"
    )
    for fault in faults:
        click.echo(f"FAULT {fault.signature}\n{fault.text}")
    return int(bool(faults))


def _corpus_faults() -> int:
    servers = Servers()
    failed = {name: faults for name, faults in replay(servers).items() if faults}
    servers.close()
    for name, faults in failed.items():
        click.echo(f"corpus {name}: {', '.join(fault.signature for fault in faults)}")
    return len(failed)


_search_of_worker: Search | None = None


def _begin(recorded: Path) -> None:
    global _search_of_worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process decides what stops
    _search_of_worker = Search(Recorded(recorded), Servers())


def _draw(count: int, number: int, shrink: bool) -> Found:
    assert _search_of_worker is not None
    return _search_of_worker.draw(count, number, shrink=shrink)


def _search(
    recorded: Path, count: int, number: int, jobs: int, shrink: bool, kept: tuple[Path, ...]
) -> Found:
    total = Found()
    sizes = [min(_CHUNK, count - at) for at in range(0, count, _CHUNK)]
    with ProcessPoolExecutor(jobs, initializer=_begin, initargs=(recorded,)) as pool:
        waiting = [
            pool.submit(_draw, size, number * 1_000_000 + at, shrink)
            for at, size in enumerate(sizes)
        ]
        with (
            suppress(KeyboardInterrupt),
            progress_bar("fuzz", count) as advance,
        ):
            for each in as_completed(waiting):
                found = each.result()
                new = found.faults.keys() - total.faults.keys()
                for signature in sorted(new):
                    click.echo(f"\nFAULT {signature}", err=True)
                for folder in kept:
                    _write({signature: found.faults[signature][0] for signature in new}, folder)
                total.add(found)
                advance(found.counts.total())
        pool.shutdown(cancel_futures=True)
    return total


def _report(found: Found, number: int, seconds: float) -> None:
    by_command: Counter[str] = Counter()
    by_form: Counter[str] = Counter()
    for (command, form), count in found.counts.items():
        by_command[command] += count
        by_form[form] += count
    total = found.counts.total()
    click.echo(f"{total} cases, seed {number}, {seconds:.0f} s, {len(found.faults)} faults")
    for title, counts in (("command", by_command), ("format", by_form), ("exit code", found.codes)):
        click.echo(f"by {title}: " + ", ".join(f"{name} {n}" for name, n in counts.most_common()))
    click.echo(f"most CPU {found.cpu_seconds:.1f} s, most memory {found.peak_bytes / 1e6:.0f} MB")
    for signature, (case, fault) in sorted(found.faults.items()):
        click.echo(f"\nFAULT {signature}\n  mapt-bench {' '.join(case.words)[:500]!r}")
        click.echo(f"  broken: {'; '.join(case.breaks)[:500]}\n  {fault.text[-1500:]!r}")


def _write(faults: dict[str, Case], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for signature, case in faults.items():
        text = json.dumps({"fault": signature, **case.to_dict()}, indent=1) + "\n"
        if folder != CORPUS or len(text) < _IN_CORPUS:
            (folder / f"{case.command}-{case.digest}.json").write_text(text)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
