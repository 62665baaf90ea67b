"""Valid files that only commands write: results, runs, synthetic data. Recorded once.

They hold no time, date or path, because cases are drawn from them: the same seed must draw the same
cases everywhere.
"""

import json
import os
import pickle
import re
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

import mapt_bench
from tests.fuzz.cases import OUT, WORK, Case, Entry, Tree, below, lay_out
from tests.fuzz.fork_server import environment, prepare
from tests.fuzz.map_files import maps_tree, tree_of
from tests.helpers.costs import cost
from tests.helpers.results import evaluation, evaluations, run, sweep

_STEPS = (
    "synth --kind crowd --seed 1 --frames 3 --size 96x160 --flow both --out out/world "
    "--json out/synth.json",
    "evaluate gt pred --json out/evaluation.json",
    "evaluate gt pred other --losses --json out/evaluations.json",
    "check gt --json out/check.json",
    "track out/world --tracker iou --out out/tracks",
    "ablate --data out/world --weights none --only iou --no-report --out out/run",
    "tune --data out/world --split val --weights none --tracker iou --score TQ --trials 2 "
    "--sampler random --out out/tuning",
    "compare out/evaluation.json out/evaluation.json --json out/comparison.json",
)

RESULTS = ("evaluation", "evaluations", "run", "sweep", "cost", "tuning", "check", "comparison")
"""Names of recorded results, each a single JSON."""

_WITH_A_CLOCK_THAT_COUNTS = """
import itertools, time
ticks = itertools.count()
time.perf_counter = lambda: next(ticks) / 1024
from mapt_bench.cli.main import main
main()
"""
_DATES = re.compile(rb'("created": ")[^"]*')
_DATE = rb"\g<1>2026-01-01T00:00:00+00:00"


def record(folder: Path) -> Path:
    """Run the commands that write the files, and return the file for :func:`recorded`."""
    maps = maps_tree("kitti-step", sequences=2, frames=3)
    tree = {
        **below("gt", maps),
        **below("pred", maps),
        **below("other", maps),
    }
    lay_out(Case("", "", (), tree), folder)
    prepare(folder)
    for line in _STEPS:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _WITH_A_CLOCK_THAT_COUNTS, *line.split()],
            cwd=folder / WORK,
            env={**environment(folder), "PYTHONHASHSEED": "0"},
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{line}: {os.fsdecode(done.stderr)}")
    kept = {
        path: _DATES.sub(_DATE, entry.data).hex()
        for path, entry in tree_of(folder / WORK / OUT).items()
    }
    file = folder / "recorded.json"
    file.write_text(json.dumps(kept))
    return file


def _golden() -> Tree:
    return tree_of(Path(mapt_bench.__file__).parent / "evaluation" / "golden" / "iou_half")


class Recorded:
    """The recorded files.

    Args:
        file: What :func:`record` returned.
    """

    def __init__(self, file: Path) -> None:
        found = json.loads(file.read_text())
        self._tree = {path: Entry(data=bytes.fromhex(data)) for path, data in found.items()}

    def folder(self, name: str) -> Tree:
        """Return a folder: ``"world"``, ``"run"``, ``"tuning"`` or ``"tracks"``."""
        start = f"{name}/"
        return {path[len(start) :]: e for path, e in self._tree.items() if path.startswith(start)}

    @lru_cache  # noqa: B019 - lives as long as the process
    def result(self, name: str) -> bytes:
        """Return the JSON of a result, see :data:`RESULTS`."""
        if name in _DRAWN:
            return json.dumps(_DRAWN[name]()).encode()
        path = {"run": "run/results.json", "tuning": "tuning/tuning.json"}.get(name, f"{name}.json")
        return self._tree[path].data

    @property
    def thresholds(self) -> bytes:
        return self._tree["tuning/thresholds.json"].data

    @staticmethod
    def golden() -> Tree:
        return _golden()

    @staticmethod
    @lru_cache
    def weights() -> dict[str, bytes]:
        """Return weights of MAPT with their record, and a checkpoint in the old format of torch."""
        folder = Path(mapt_bench.__file__).parent / "weights"
        return {
            "w/weights.safetensors": (folder / "mapt-compact.safetensors").read_bytes(),
            "w/weights.json": (folder / "mapt-compact.json").read_bytes(),
            "w/weights.pth": pickle.dumps({}, protocol=2),
        }


_DRAWN = {
    "cost": cost,
    "sweep": sweep,
    "small-evaluation": evaluation,
    "small-evaluations": lambda: evaluations(evaluation("a"), evaluation("b")),
    "small-run": run,
}


def open_recorded(file: Path | None = None) -> Recorded:
    """Open recorded files, or record them now."""
    if file is None:
        file = record(Path(tempfile.mkdtemp(prefix="mapt-fuzz-recorded-")))
    return Recorded(file)
