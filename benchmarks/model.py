"""The whole model on the CPU: a frame beside Mask R-CNN, its parts, and steps of training.

MAPT and torchvision's Mask R-CNN, on one trunk, take turns in one process (the peak of memory is
read in processes of their own). Weights are random, and such networks find anything or nothing, so
the number of proposals and of things is forced: what chooses them runs, and given boxes take the
place of its result. Time is that of the processor, on one thread (it does not grow when the machine
is shared, as the clock on the wall does); ratios are of medians of one run.

    python benchmarks/model.py
    python benchmarks/model.py --only small --only training --json -
"""

import json
import os
import platform
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from model_speed.worker import TASKS, answer, ask
from rich.console import Console
from rich.table import Table

from mapt_bench.files import check_writable, write_json

_FULL = {"config": "mapt-regnety8gf", "size": [375, 1242], "instances": 50, "threads": 1}
_SMALL = {"config": "mapt-tiny", "size": [128, 416], "instances": 40, "threads": 1}
_LINKING = ("association", "fusion")


def _frame(repeats: int) -> dict[str, Any]:
    """Measure the model as published: beside its peer, streaming, and by part."""
    turns = ask("turns", {**_FULL, "repeats": repeats, "has_peer": True})
    memory = {who: ask("memory", {**_FULL, "who": who}) for who in ("mapt", "mask-rcnn")}
    parts = _parts(ask("tracking", {**_FULL, "repeats": repeats}))
    times = {name: statistics.median(taken["cpu_ms"]) for name, taken in turns.items()}
    own, peer = memory["mapt"], memory["mask-rcnn"]
    used = [each["peak_mib"] - each["start_mib"] for each in (own, peer)]
    aims = [
        _aim("step, Mask R-CNN = 1", times["step"] / times["mask-rcnn"], 1.3),
        _aim("peak memory of the process, Mask R-CNN = 1", own["peak_mib"] / peer["peak_mib"], 1.3),
        _aim("the same without Python and torch themselves", used[0] / used[1], 1.3),
        _aim("streaming step, both frames anew = 1", times["step"] / times["pair"], 0.6),
        _aim("association and fusion, share of a frame", _linking_share(parts), 0.05),
    ]
    return {**_FULL, "turns": turns, "memory": memory, "parts": parts, "aims": aims}


def _small(repeats: int) -> dict[str, Any]:
    """Measure the small model: a step, and its parts."""
    repeats *= 7  # each takes a hundredth of the time
    turns = ask("turns", {**_SMALL, "repeats": repeats, "has_peer": False})
    parts = _parts(ask("tracking", {**_SMALL, "repeats": repeats}))
    aims = [_aim("step, ms", statistics.median(turns["step"]["cpu_ms"]), 80.0)]
    return {**_SMALL, "turns": turns, "parts": parts, "aims": aims}


def _training(repeats: int) -> dict[str, Any]:
    """Measure steps of training, on one thread and on two."""
    request = {"config": _SMALL["config"], "steps": 4 * repeats}
    threads = {str(count): ask("training", {**request, "threads": count}) for count in (1, 2)}
    return {**request, "threads": threads}


_SECTIONS: dict[str, Callable[[int], dict[str, Any]]] = {
    "frame": _frame,
    "small": _small,
    "training": _training,
}


def _aim(name: str, measured: float, at_most: float) -> dict[str, Any]:
    return {"name": name, "measured": measured, "at_most": at_most, "met": measured <= at_most}


def _parts(tracked: dict[str, Any]) -> dict[str, float]:
    frames = tracked["cpu_ms"]
    return {part: statistics.median(frame[part] for frame in frames) for part in frames[0]}


def _linking_share(parts: dict[str, float]) -> float:
    return sum(parts[part] for part in _LINKING) / sum(parts.values())


def _title(section: dict[str, Any]) -> str:
    height, width = section["size"]
    return f"{section['config']} at {height}x{width}, {section['instances']} things, one thread"


def _turns_table(section: dict[str, Any]) -> Table:
    table = Table(title=_title(section))
    table.add_column("what", no_wrap=True)
    for heading in ("CPU ms", "least", "most", "wall ms", "peak MiB", "of them its own"):
        table.add_column(heading, justify="right", no_wrap=True)
    titles = {
        "step": "one more frame (step)",
        "pair": "a pair, both frames anew",
        "mask-rcnn": "torchvision's Mask R-CNN",
    }
    memory = section.get("memory", {})
    for name, taken in section["turns"].items():
        cpu = taken["cpu_ms"]
        held = memory.get({"step": "mapt"}.get(name, name))
        table.add_row(
            titles[name],
            f"{statistics.median(cpu):.0f}",
            f"{min(cpu):.0f}",
            f"{max(cpu):.0f}",
            f"{statistics.median(taken['wall_ms']):.0f}",
            f"{held['peak_mib']:.0f}" if held else "-",
            f"{held['peak_mib'] - held['start_mib']:.0f}" if held else "-",
        )
    return table


def _parts_table(section: dict[str, Any]) -> Table:
    table = Table(title=f"a tracked frame by part: {_title(section)}")
    table.add_column("part", no_wrap=True)
    for heading in ("CPU ms", "share"):
        table.add_column(heading, justify="right", no_wrap=True)
    whole = sum(section["parts"].values())
    for part, taken in section["parts"].items():
        table.add_row(part, f"{taken:.1f}", f"{taken / whole:.1%}")
    table.add_row("all", f"{whole:.1f}", "", style="bold")
    return table


def _aims_table(aims: list[dict[str, Any]]) -> Table:
    table = Table("aim", title="aims")
    for heading in ("measured", "at most", "met"):
        table.add_column(heading, justify="right", no_wrap=True)
    for aim in aims:
        met = "yes" if aim["met"] else "no"
        table.add_row(aim["name"], f"{aim['measured']:.3g}", f"{aim['at_most']:g}", met)
    return table


def _training_table(section: dict[str, Any]) -> Table:
    first = section["threads"]["1"]
    height, width = first["size"]
    title = (
        f"training {section['config']} at {height}x{width}: batches of {first['batch_size']} clips"
        f" of {first['frames_a_clip']} frames, which lie ready"
    )
    table = Table(title=title)
    for heading in ("threads", "pairs", "pairs/s, wall", "pairs/CPU s", "CPU s to make a pair"):
        table.add_column(heading, justify="right", no_wrap=True)
    for threads, taken in section["threads"].items():
        table.add_row(
            threads,
            str(taken["pairs"]),
            f"{taken['pairs'] / taken['wall_s']:.2f}",
            f"{taken['pairs'] / taken['cpu_s']:.2f}",
            f"{taken['drawing_cpu_s_a_pair']:.3f}",
        )
    return table


def _show(console: Console, sections: dict[str, dict[str, Any]], load: list[float]) -> None:
    for section in sections.values():
        if "turns" in section:
            console.print(_turns_table(section))
            console.print(_parts_table(section))
        else:
            console.print(_training_table(section))
    aims = [aim for section in sections.values() for aim in section.get("aims", ())]
    if aims:
        console.print(_aims_table(aims))
    console.print(f"load {min(load):.1f} to {max(load):.1f} on {os.cpu_count()} processors")


@click.command(help=__doc__)
@click.option("--repeats", default=3, show_default=True, help="Full frames; others in proportion.")
@click.option("--only", multiple=True, type=click.Choice(list(_SECTIONS)), help="Repeatable.")
@click.option("--json", "json_path", help="Write all figures here; - is stdout.")
@click.option("--worker", type=click.Choice(TASKS), hidden=True)
@click.option("--request", hidden=True)
def main(
    repeats: int,
    only: tuple[str, ...],
    json_path: str | None,
    worker: str | None,
    request: str | None,
) -> None:
    """Measure each section in fresh processes, and show them side by side."""
    if worker is not None and request is not None:
        click.echo(json.dumps(answer(worker, json.loads(request))))
        return
    if repeats < 1:
        raise click.BadParameter(f"--repeats is {repeats}; expected 1 or more")
    if json_path not in (None, "-"):
        check_writable(Path(str(json_path)))
    console = Console(stderr=json_path == "-", width=None if sys.stdout.isatty() else 120)
    sections, load = {}, [os.getloadavg()[0]]
    for name in only or _SECTIONS:
        with Console(stderr=True).status(f"measuring {name}"):
            sections[name] = _SECTIONS[name](repeats)
        load.append(os.getloadavg()[0])
    _show(console, sections, load)
    if json_path is not None:
        report = {"machine": platform.machine(), "load": load, "sections": sections}
        if json_path == "-":
            click.echo(json.dumps(report))
        else:
            write_json(Path(json_path), report)


if __name__ == "__main__":
    main()
