"""Hundreds of crashes by hand: ``python -m tests.crashes --kills 200 --seed 1``. Linux only."""

import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

import click

from tests.crashes.harness import COMMANDS, Bench


@click.command()
@click.option("--kills", default=100, show_default=True, help="Number of kills.")
@click.option("--disks", default=0, show_default=True, help="Number of full disks. Needs root.")
@click.option("--seed", default=0, show_default=True)
@click.option("--command", "names", multiple=True, type=click.Choice(list(COMMANDS)))
def main(kills: int, disks: int, seed: int, names: tuple[str, ...]) -> None:
    """Kill commands with -9 at random moments, resume them, and compare with undisturbed runs.

    Exits with 1 if a result differs, or a temporary file is left.
    """
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    counts: Counter[str] = Counter()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="mapt-crashes-") as folder:
        bench = Bench(Path(folder))
        for number in range(kills + disks):
            name = draw.choice(names or tuple(COMMANDS))
            if number < kills:
                moment = bench.moment(name, draw, by_time=number % 2 == 1)
                what, problems = str(moment), bench.killed_and_resumed(name, moment)
            else:
                free_kb = draw.randint(0, 800)
                what, problems = f"{free_kb} kB free", bench.on_a_full_disk(name, free_kb)
            counts[f"{name}, {'kill' if number < kills else 'disk'}"] += 1
            failed += bool(problems)
            for problem in problems:
                click.echo(f"{name}, {what}: {problem}")
        bench.close()
    click.echo(f"seed {seed}: {failed} of {kills + disks} differ; {dict(sorted(counts.items()))}")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
