"""Measure the limits of memory and time: crowds, many sequences, long tails, hostile files.

    python benchmarks/limits.py
    python benchmarks/limits.py --before ../earlier-checkout --json limits.json

Each case runs in a process of its own, which reports its peak memory and CPU time after start-up.
With ``--before``, another checkout runs each case first. Inputs are generated from fixed seeds.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from speed.measure import machine
from speed.peak import peak_mb

from mapt_bench.data.png import encode_png
from mapt_bench.errors import DataError
from mapt_bench.labels import PanopticMap, label_space

_ROOT = Path(__file__).resolve().parents[1]
_PERSON, _ROAD = 11, 0
_TIMEOUT = 300.0  # seconds for one case
_MEMORY_GB = 8  # address space of one case, so that no case takes the machine down


def _crowd(per_frame: int, life: int) -> None:
    """Score 50 frames in which ``per_frame`` of the ids are visible for ``life`` frames each."""
    from mapt_bench.metrics import SequenceScorer

    scorer = SequenceScorer(label_space("kitti-step"))
    side = int(np.ceil(np.sqrt(per_frame)))
    rng = np.random.default_rng(0)
    for frame in range(50):
        ids = 1 + frame // life * per_frame + np.arange(per_frame)
        grid = np.full(side * side, _ROAD, dtype=np.uint32)
        grid[:per_frame] = _PERSON << 24 | ids
        gt = np.repeat(np.repeat(grid.reshape(side, side), 2, 0), 2, 1)
        pred = np.where(rng.random(gt.shape) < 0.5, np.roll(gt, 1, 1), gt).astype(np.uint32)
        scorer.update(PanopticMap(gt), PanopticMap(pred))
    scorer.result()


def _match(folder: Path) -> None:
    """Open two folders, match their sequences and the frames of each."""
    from mapt_bench.data import match_sequences, open_maps, pair_frames

    gt, pred = (open_maps(folder / side, "kitti-step") for side in ("gt", "pred"))
    for pair in match_sequences(gt, pred):
        pair_frames(*pair)


def _evaluate(folder: Path) -> None:
    """Evaluate two folders."""
    from mapt_bench import evaluate

    evaluate(folder / "gt", folder / "pred", labels="kitti-step")


def _long(frame_count: int) -> None:
    """Score one sequence of small frames with 20 objects."""
    from mapt_bench.metrics import SequenceScorer

    scorer = SequenceScorer(label_space("kitti-step"))
    cells = np.arange(24, dtype=np.uint32).reshape(4, 6)
    codes = np.where(cells < 20, _PERSON << 24 | cells + 1, _ROAD)
    gt = np.repeat(np.repeat(codes, 4, 0), 4, 1).astype(np.uint32)
    for frame in range(frame_count):
        scorer.update(PanopticMap(gt), PanopticMap(np.roll(gt, frame % 2, 1)))
    scorer.result()


def _refused(folder: Path) -> None:
    """Evaluate two folders, which must be refused."""
    try:
        _evaluate(folder)
    except DataError as problem:
        sys.stderr.write(f"{problem}\n")
    else:
        sys.stderr.write("was scored\n")


_RUNS: dict[str, Callable[[Path], None]] = {
    "10,200 ids in each of 50 frames": lambda _: _crowd(10_200, 50),
    "100,000 ids, 2,000 in each of 50 frames": lambda _: _crowd(2_000, 1),
    "100,000 ids, 20,000 in each of 50 frames": lambda _: _crowd(20_000, 10),
    "match 3,000 sequences of one frame": _match,
    "match 10,000 sequences of one frame": _match,
    "evaluate 3,000 sequences of one frame": _evaluate,
    "match 100,000 frames of one sequence": _match,
    "score 100,000 frames of one sequence": lambda _: _long(100_000),
    "evaluate 3,000 frames of 64x48": _evaluate,
    "PNG of 16384x16384 zeros": _refused,
    "MOTS line of 35 bytes, 16384x16384": _refused,
    "MOTS line of 100 MB": _refused,
    "named pipe among the frames": _refused,
}


def _prepare(name: str, folder: Path) -> None:
    """Write the files of a case."""
    writers: dict[str, Callable[[], None]] = {
        "match 3,000 sequences of one frame": lambda: _write_maps(folder, 3_000, 1),
        "match 10,000 sequences of one frame": lambda: _write_maps(folder, 10_000, 1),
        "evaluate 3,000 sequences of one frame": lambda: _write_maps(folder, 3_000, 1),
        "match 100,000 frames of one sequence": lambda: _write_maps(folder, 1, 100_000),
        "evaluate 3,000 frames of 64x48": lambda: _write_maps(folder, 1, 3_000),
        "PNG of 16384x16384 zeros": lambda: _write_png(folder),
        "MOTS line of 35 bytes, 16384x16384": lambda: _write_text(folder, "0 1001 1 16384 16384 "),
        "MOTS line of 100 MB": lambda: _write_text(folder, "0 1001 1 48 64 " + "1" * 10**8),
        "named pipe among the frames": lambda: _write_pipe(folder),
    }
    if name in writers:
        writers[name]()


def _write_maps(folder: Path, sequences: int, frames: int) -> None:
    """Write 64x48 KITTI-STEP maps of two people. Those of the prediction are shifted."""
    pixels = np.zeros((48, 64, 3), dtype=np.uint8)
    pixels[8:24, 8:24] = _PERSON, 0, 1
    pixels[8:24, 32:48] = _PERSON, 0, 2
    for side in ("gt", "pred"):
        data = encode_png(pixels)
        for sequence in range(sequences):
            place = folder / side / f"{sequence:05d}"
            place.mkdir(parents=True)
            for frame in range(frames):
                (place / f"{frame:06d}.png").write_bytes(data)
        pixels = np.roll(pixels, 1, axis=1)


def _write_png(folder: Path) -> None:
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    packer = zlib.compressobj(9)
    row = bytes(1 + 3 * 16384)
    packed = b"".join(packer.compress(row) for _ in range(16384)) + packer.flush()
    header = struct.pack(">IIBBBBB", 16384, 16384, 8, 2, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )
    for side in ("gt", "pred"):
        (folder / side).mkdir()
        (folder / side / "000000.png").write_bytes(data)


def _write_text(folder: Path, line: str) -> None:
    if line.endswith(" "):
        from mapt_bench.data.rle import encode_rle

        line += encode_rle((np.array([0]), np.array([5])), 16384 * 16384)
    for side in ("gt", "pred"):
        (folder / side).mkdir()
        (folder / side / "0000.txt").write_text(line + "\n")


def _write_pipe(folder: Path) -> None:
    _write_maps(folder, 1, 2)
    os.mkfifo(folder / "pred" / "00000" / "000002.png")


def _measure(name: str, root: Path, folder: Path) -> dict[str, Any]:
    """Run a case with the code of a checkout, in a process of its own."""
    command = [sys.executable, __file__, "--case", name, "--folder", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=_TIMEOUT
        )
    except subprocess.TimeoutExpired:
        return {"outcome": f"no answer in {_TIMEOUT:.0f} s"}
    if answer.returncode:
        return {"outcome": answer.stderr.strip().splitlines()[-1][:200] or "killed"}
    return {**json.loads(answer.stdout), "outcome": answer.stderr.strip()[-300:]}


def _run_case(name: str, folder: Path) -> None:
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_GB << 30, _MEMORY_GB << 30))
    import mapt_bench.data
    import mapt_bench.evaluation
    import mapt_bench.metrics  # noqa: F401

    start = time.process_time()
    _RUNS[name](folder)
    sys.stdout.write(json.dumps({"cpu_s": time.process_time() - start, "peak_mb": peak_mb()}))


def _versions(before: Path | None) -> Iterator[tuple[str, Path]]:
    if before is not None:
        yield "before", before.resolve()
    yield "now", _ROOT


@click.command(epilog="\b\nExample:\n  python benchmarks/limits.py --only crowd --json limits.json")
@click.option("--before", type=click.Path(path_type=Path, exists=True), help="Earlier checkout.")
@click.option("--only", "only", multiple=True, help="Run the cases with this text in their names.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures.")
@click.option("--case", hidden=True)
@click.option("--folder", hidden=True, type=click.Path(path_type=Path))
def main(
    before: Path | None,
    only: tuple[str, ...],
    json_path: Path | None,
    case: str | None,
    folder: Path | None,
) -> None:
    """Measure peak memory and CPU time at the documented limits."""
    if case is not None and folder is not None:
        _run_case(case, folder)
        return
    found = []
    for name in _RUNS:
        if only and not any(text in name for text in only):
            continue
        with tempfile.TemporaryDirectory() as place:
            _prepare(name, Path(place))
            entry = {
                version: _measure(name, root, Path(place)) for version, root in _versions(before)
            }
        found.append({"case": name, **entry})
        Console(stderr=True).print(name, entry)
    _show(found)
    if json_path is not None:
        created = datetime.now(UTC).isoformat(timespec="seconds")
        facts = {"created": created, "machine": machine(), "cases": found}
        json_path.write_text(json.dumps(facts, indent=2) + "\n")


def _show(found: list[dict[str, Any]]) -> None:
    table = Table("case", "version", "CPU s", "peak MB", "outcome")
    for entry in found:
        for version in ("before", "now"):
            if version in entry:
                one = entry[version]
                figures = (f"{one[key]:.1f}" if key in one else "" for key in ("cpu_s", "peak_mb"))
                table.add_row(entry["case"], version, *figures, one["outcome"])
    Console(width=None if sys.stdout.isatty() else 118).print(table)


if __name__ == "__main__":
    main()
