"""Measure the limits of memory and time: crowds, many sequences, long tails, hostile files.

    python benchmarks/limits.py
    python benchmarks/limits.py --before ../earlier-checkout --json limits.json

Each case runs in a process of its own, which reports its peak memory and CPU time after start-up.
With ``--before``, another checkout runs each case first. A case whose target is a share of that
time runs five times in turn, and the fastest run of each checkout counts. Inputs are generated from
fixed seeds.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from speed.measure import machine
from speed.peak import peak_mb

from mapt_bench.data.png import encode_png
from mapt_bench.errors import DataError
from mapt_bench.labels import PanopticMap, label_space

_ROOT = Path(__file__).resolve().parents[1]
_PERSON, _ROAD = 11, 0
_TIMEOUT = 240.0  # seconds for one case
_TIMES = 5  # runs of a case whose target is a share: the fastest counts, for each checkout
_MEMORY_GB = 4  # address space of one case, so that no case takes the machine down
_SCORED = "was read\n"


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
        sys.stderr.write(_SCORED)


def _read_archive(folder: Path) -> None:
    """Open a segment archive, which must be refused."""
    from mapt_bench.tracking.archive import SegmentArchive

    try:
        SegmentArchive(folder / "segments.npz")
    except DataError as problem:
        sys.stderr.write(f"{problem}\n")
    else:
        sys.stderr.write(_SCORED)


@dataclass(frozen=True, kw_only=True)
class _Case:
    """One limit.

    Attributes:
        run: Does the work, given a folder.
        write: Writes the files of the folder before.
        most_s: Target of CPU time in seconds, after start-up.
        most_mb: Target of peak memory in MB.
        most_share: Target of CPU time as a share of that of the earlier checkout.
        is_refused: Whether the data must be refused.
    """

    run: Callable[[Path], None]
    write: Callable[[Path], None] = lambda _: None
    most_s: float | None = None
    most_mb: float | None = None
    most_share: float | None = None
    is_refused: bool = False

    def target(self) -> str:
        """Return the targets as text."""
        texts = ["refused"] if self.is_refused else []
        texts += [] if self.most_s is None else [f"{self.most_s:g} s"]
        texts += [] if self.most_share is None else [f"{self.most_share:g} of the CPU before"]
        texts += [] if self.most_mb is None else [f"{self.most_mb:g} MB"]
        return ", ".join(texts)

    def misses(self, now: dict[str, Any], before: dict[str, Any] | None) -> list[str]:
        """Return what is above its target, in words."""
        if "cpu_s" not in now:
            return [now["outcome"]]
        found = []
        if self.is_refused and (not now["outcome"] or now["outcome"] == _SCORED.strip()):
            found.append("was not refused")
        if self.most_s is not None and now["cpu_s"] > self.most_s:
            found.append(f"{now['cpu_s']:.1f} s")
        if self.most_mb is not None and now["peak_mb"] > self.most_mb:
            found.append(f"{now['peak_mb']:.0f} MB")
        if self.most_share is not None and before is None:
            found.append("unknown without --before")
        elif self.most_share is not None and before is not None and "cpu_s" in before:
            share = now["cpu_s"] / before["cpu_s"]
            found += [f"{share:.2f} of the CPU before"] if share > self.most_share else []
        return found


_CASES = {
    "10,200 ids in each of 50 frames": _Case(run=lambda _: _crowd(10_200, 50), most_mb=1_000),
    "100,000 ids, 2,000 in each of 50 frames": _Case(run=lambda _: _crowd(2_000, 1), most_mb=1_000),
    "100,000 ids, 20,000 in each of 50 frames": _Case(
        run=lambda _: _crowd(20_000, 10), most_mb=1_000
    ),
    "match 3,000 sequences of one frame": _Case(
        run=_match, write=lambda place: _write_maps(place, 3_000, 1), most_mb=300
    ),
    "match 10,000 sequences of one frame": _Case(
        run=_match, write=lambda place: _write_maps(place, 10_000, 1), most_s=5, most_mb=300
    ),
    "evaluate 3,000 sequences of one frame": _Case(
        run=_evaluate, write=lambda place: _write_maps(place, 3_000, 1)
    ),
    "score 10,000 frames of one sequence": _Case(run=lambda _: _long(10_000), most_mb=200),
    "score 30,000 frames of one sequence": _Case(run=lambda _: _long(30_000), most_mb=200),
    "score 100,000 frames of one sequence": _Case(run=lambda _: _long(100_000), most_mb=200),
    "evaluate 100,000 frames of 64x48": _Case(
        run=_evaluate, write=lambda place: _write_maps(place, 1, 100_000), most_mb=200
    ),
    "evaluate 3,000 frames of 64x48": _Case(
        run=_evaluate, write=lambda place: _write_maps(place, 1, 3_000), most_share=0.5
    ),
    "PNG of 16384x16384 zeros": _Case(
        run=_refused, write=lambda place: _write_png(place), is_refused=True, most_s=5, most_mb=300
    ),
    "MOTS line of 35 bytes, 16384x16384": _Case(
        run=_refused,
        write=lambda place: _write_text(place, "0 1001 1 16384 16384 "),
        is_refused=True,
        most_s=5,
        most_mb=300,
    ),
    "MOTS line of 100 MB": _Case(
        run=_refused,
        write=lambda place: _write_text(place, "0 1001 1 48 64 " + "1" * 10**8),
        is_refused=True,
        most_s=5,
        most_mb=300,
    ),
    "segment archive that claims 68 GB": _Case(
        run=_read_archive,
        write=lambda place: _write_archive(place),
        is_refused=True,
        most_s=5,
        most_mb=300,
    ),
    "named pipe among the frames": _Case(
        run=_refused, write=lambda place: _write_pipe(place), is_refused=True, most_s=5, most_mb=300
    ),
}


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


def _write_archive(folder: Path) -> None:
    """Write an archive whose header of ``scores`` states more than the file has."""
    header = io.BytesIO()
    stated = {"descr": "<f8", "fortran_order": False, "shape": (1 << 33,)}
    np.lib.format.write_array_header_1_0(header, stated)
    text = io.BytesIO()
    np.save(text, np.frombuffer(b"{}", dtype=np.uint8))
    with zipfile.ZipFile(folder / "segments.npz", "w") as archive:
        archive.writestr("header.npy", text.getvalue())
        for name in ("segment_counts", "stuff_counts", "class_ids", "scores"):
            archive.writestr(f"{name}.npy", header.getvalue() + bytes(8))


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
        return {"outcome": (answer.stderr.strip() or "killed").splitlines()[-1][:200]}
    return {**json.loads(answer.stdout), "outcome": answer.stderr.strip()[-300:]}


def _run_case(name: str, folder: Path) -> None:
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_GB << 30, _MEMORY_GB << 30))
    import mapt_bench.data
    import mapt_bench.evaluation
    import mapt_bench.metrics  # noqa: F401

    start = time.process_time()
    _CASES[name].run(folder)
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
    for name, limit in _CASES.items():
        if only and not any(text in name for text in only):
            continue
        with tempfile.TemporaryDirectory() as place:
            limit.write(Path(place))
            runs = [
                {version: _measure(name, root, Path(place)) for version, root in _versions(before)}
                for _ in range(1 if limit.most_share is None else _TIMES)
            ]
        entry = {
            version: min((run[version] for run in runs), key=lambda run: run.get("cpu_s", np.inf))
            for version in runs[0]
        }
        missed = limit.misses(entry["now"], entry.get("before"))
        found.append({"case": name, **entry, "target": limit.target(), "missed": missed})
        Console(stderr=True).print(name, ", ".join(missed))
    _show(found)
    if json_path is not None:
        created = datetime.now(UTC).isoformat(timespec="seconds")
        facts = {"created": created, "machine": machine(), "cases": found}
        json_path.write_text(json.dumps(facts, indent=2) + "\n")


def _show(found: list[dict[str, Any]]) -> None:
    """Print a table in Markdown, then what was refused and which targets are missed."""
    names = ("case", "CPU before", "CPU now", "peak before", "peak now", "target", "met")
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for entry in found:
        figures = [
            _figure(entry.get(version), key)
            for key in ("cpu_s", "peak_mb")
            for version in ("before", "now")
        ]
        met = "no: " + ", ".join(entry["missed"]) if entry["missed"] else "yes"
        cells = (entry["case"], *figures, entry["target"], met if entry["target"] else "")
        lines.append(f"| {' | '.join(cells)} |")
    print("\n".join(lines))
    for entry in found:
        for version in ("before", "now"):
            if entry.get(version, {}).get("outcome"):
                print(f"{entry['case']}, {version}: {entry[version]['outcome']}")
    missed = [entry["case"] for entry in found if entry["missed"]]
    print("Missed: " + "; ".join(missed) if missed else "Every target is met.")


def _figure(one: dict[str, Any] | None, key: str) -> str:
    if one is None:
        return ""
    if key not in one:
        return one["outcome"] if key == "cpu_s" else ""
    return f"{one[key]:.1f} s" if key == "cpu_s" else f"{one[key]:.0f} MB"


if __name__ == "__main__":
    main()
