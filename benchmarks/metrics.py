"""Time the whole evaluation beside published codes and plain decoders, on the same frames.

    python benchmarks/metrics.py
    python benchmarks/metrics.py --frames 100 --repeats 3 --json speed.json

Nothing is kept between runs: frames are generated or perturbed from fixed seeds, in a temporary
folder. Real maps are read in place, below ``MAPT_BENCH_SHARED`` or ``../shared``.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from speed.contenders import HOTCOCO, OURS, contenders, headline_scores
from speed.frames import (
    FrameSet,
    prepare,
    real_panoptic,
    real_things,
    shared_folder,
    synthetic_set,
)
from speed.measure import Timing, machine, take_turns, versions

from mapt_bench.labels import label_space

TARGET = 2.0
"""Everything together is to take at most this many times hotcoco's PQ."""

_PACKAGES = (
    "mapt-bench", "numpy", "scipy", "pyspng", "deflate", "opencv-python-headless", "Pillow",
    "hotcoco", "trackeval", "torchmetrics", "torch",
)  # fmt: skip
_LABELS = label_space("kitti-step")
_log = Console(stderr=True)


@click.command(epilog="\b\nExample:\n  python benchmarks/metrics.py --repeats 7 --json speed.json")
@click.option("--frames", "frame_count", default=300, show_default=True, help="Synthetic frames.")
@click.option("--repeats", default=5, show_default=True, help="Runs of each, taking turns.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures.")
def main(frame_count: int, repeats: int, json_path: Path | None) -> None:
    """Time the evaluation beside its peers."""
    console = Console(width=None if sys.stdout.isatty() else 118)
    facts: dict[str, Any] = {"created": datetime.now(UTC).isoformat(timespec="seconds")}
    facts |= {"machine": machine(), "versions": versions(_PACKAGES)}
    console.print(
        f"{facts['machine']['cpu']}, {facts['machine']['cores']} cores; "
        + ", ".join(f"{name} {number}" for name, number in facts["versions"].items() if number)
    )
    sets: list[dict[str, Any]] = []
    skipped: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for frames in _frame_sets(Path(folder), frame_count, skipped):
            prepare(frames, _LABELS, _log.print)
            entry = _time_set(frames, repeats)
            sets.append(entry)
            _show(entry, console)
        memory = _peak_memory(FrameSet("", "", frame_count, *_synthetic_folders(Path(folder))))
    console.print(_memory_line(memory))
    for reason in skipped:
        console.print(f"skipped: {reason}")
    if json_path is not None:
        result = {**facts, "sets": sets, "memory": memory, "skipped": skipped, "target": TARGET}
        json_path.write_text(json.dumps(result, indent=2) + "\n")


def _synthetic_folders(folder: Path) -> tuple[Path, Path, Path]:
    work = folder / "synthetic"
    return work / "gt", work / "pred", work


def _frame_sets(folder: Path, frame_count: int, skipped: list[str]) -> Iterator[FrameSet]:
    _log.print("generating frames")
    yield synthetic_set(frame_count, folder / "synthetic")
    shared = shared_folder() / "data"
    tracks = shared / "kitti_mots_gt" / "things_only_step"
    step = shared / "kitti_step_0001"
    if tracks.is_dir():
        yield real_things(tracks, folder / "tracks", _LABELS)
    else:
        skipped.append(f"real tracks: no {tracks}; set MAPT_BENCH_SHARED to another folder")
    if step.is_dir():
        gt, pred = step / "panoptic_maps", step / "predictions_espnet"
        yield real_panoptic(gt, pred, 20, folder / "panoptic", _LABELS)
    else:
        skipped.append(f"real panoptic: no {step}; set MAPT_BENCH_SHARED to another folder")


def _time_set(frames: FrameSet, repeats: int) -> dict[str, Any]:
    entries, missing = contenders(frames, _LABELS, repeats)
    timings = take_turns(entries, _log.print)
    return {
        "name": frames.name,
        "about": frames.about,
        "frames": frames.frame_count,
        "timings": [asdict(timing) for timing in timings],
        "pq": headline_scores(frames, _LABELS),
        "ratio_to_hotcoco": _ratio(timings),
        "missing": missing,
    }


def _ratio(timings: list[Timing]) -> float | None:
    by_name = {timing.name: timing.cpu_ms for timing in timings}
    return by_name[OURS] / by_name[HOTCOCO] if HOTCOCO in by_name else None


def _show(entry: dict[str, Any], console: Console) -> None:
    table = Table(title=f"{entry['name']}: {entry['frames']} frames, {entry['about']}")
    table.add_column("program")
    table.add_column("does")
    for heading in ("CPU ms", "minimum", "wall ms", "frames", "runs"):
        table.add_column(heading, justify="right")
    for timing in entry["timings"]:
        times = [f"{timing[key]:.2f}" for key in ("cpu_ms", "cpu_min_ms", "wall_ms")]
        counts = [str(timing[key]) for key in ("frame_count", "repeats")]
        table.add_row(timing["name"], timing["work"], *times, *counts)
    console.print(table)
    console.print("PQ: " + ", ".join(f"{who} {pq:.6f}" for who, pq in entry["pq"].items()))
    if entry["ratio_to_hotcoco"] is not None:
        console.print(
            f"the full evaluation takes {entry['ratio_to_hotcoco']:.2f} times hotcoco's PQ "
            f"(CPU, medians); the target is at most {TARGET:g}"
        )
    for reason in entry["missing"]:
        console.print(f"not timed: {reason}")


def _peak_memory(frames: FrameSet) -> dict[int, float]:
    """Return peak memory in MB by number of frames, each in a fresh process."""
    script = Path(__file__).parent / "speed" / "peak.py"
    peaks = {}
    for count in (max(1, frames.frame_count // 4), frames.frame_count):
        _log.print(f"peak memory of {count} frames")
        command = [sys.executable, str(script), str(frames.gt), str(frames.pred), str(count)]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks[count] = float(answer.stdout)
    return peaks


def _memory_line(peaks: dict[int, float]) -> str:
    return "peak memory of the evaluation: " + ", ".join(
        f"{peak:.1f} MB with {count} frames" for count, peak in peaks.items()
    )


if __name__ == "__main__":
    main()
