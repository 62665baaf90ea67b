"""Kill a command at a chosen moment, run it again, and compare with an undisturbed run.

A moment is an event of Python that may change files: opening one for writing, renaming, removing,
making a folder. So a number repeats a crash. A kill after some time hits code between the events.
"""

import json
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fuzz.cases import OUT, WORK
from tests.fuzz.fork_server import ForkServer, Outcome

_TRAIN = (
    "train --config tests.helpers.toy_model:build --data world --val none --steps 4 "
    "--set schedule.warmup_steps=1 --set checkpoint_every=1 --set log_every=1 --set clips.length=2 "
)
COMMANDS = {
    "synth": "synth --kind crowd --seed 5 --count 2 --frames 3 --size 96x160 --out out/run",
    "track": "track world --tracker sort --out out/run --json out/track.json",
    "convert": "convert tracks out/run --to coco-panoptic --json out/convert.json",
    "evaluate": "evaluate world tracks --json out/a.json --csv out/a.csv --markdown out/a.md",
    "ablate": "ablate --data world --weights none --only iou --no-report --out out/run",
    "stress": "stress occlusion --stressor bars --levels 1 --data world --weights none --only iou "
    "--no-report --out out/run",
    "train": f"{_TRAIN} --out out/run",
}
"""Commands by name. ``world`` and ``tracks`` are prepared."""

_SETUP = (
    "synth --kind crowd --seed 1 --count 2 --frames 3 --size 96x160 --out world",
    "track world --tracker iou --out tracks",
)
_OF_TIME = frozenset(
    {
        *("seconds", "seconds_per_frame", "created", "provenance", "date", "time", "elapsed"),
        *("latency_ms", "peak_mib", "pace", "started", "finished", "frames_per_hour", "sha256"),
    }
)
"""Keys whose values differ between two undisturbed runs."""


@dataclass(frozen=True)
class Moment:
    """When a command is killed.

    Attributes:
        event: Number of an event, from 1. ``None`` for a kill after some time.
        seconds: Time.
    """

    event: int | None = None
    seconds: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return {"kill_at": self.event, "kill_after": self.seconds}


class Bench:
    """A folder with data, in which commands are killed and resumed.

    Args:
        folder: An empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._servers: dict[bool, ForkServer] = {}
        self._expected: dict[str, tuple[dict[str, object], int, float]] = {}
        (self.work / OUT).mkdir(parents=True)
        for line in _SETUP:
            self._checked(line)

    @property
    def work(self) -> Path:
        return self.folder / WORK

    def close(self) -> None:
        for server in self._servers.values():
            server.close()

    def run(self, line: str, moment: Moment | None = None) -> Outcome:
        with_torch = line.startswith("train")
        if with_torch not in self._servers:
            self._servers[with_torch] = ForkServer(with_torch=with_torch)
        more = {} if moment is None else moment.to_dict()
        return self._servers[with_torch].run(line.split(), self.folder, **more)

    def _checked(self, line: str) -> Outcome:
        outcome = self.run(line)
        if outcome.code != 0:
            raise AssertionError(f"{line}\n{outcome.stderr.decode()}")
        return outcome

    def expected(self, name: str) -> tuple[dict[str, object], int, float]:
        """Run a command undisturbed, and return its files, its events, and its time."""
        if name not in self._expected:
            self.clear()
            outcome = self._checked(COMMANDS[name])
            content = self.content()
            self._expected[name] = content, outcome.events, outcome.seconds
        return self._expected[name]

    def clear(self) -> None:
        out = self.work / OUT
        for path in out.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def content(self) -> dict[str, object]:
        """Return what is in the output folder, without times."""
        return {
            str(path.relative_to(self.work)): _content(path)
            for path in sorted((self.work / OUT).rglob("*"))
            if path.is_file() and path.name != "ballast" and "unfinished" not in path.name
        }

    def moment(self, name: str, draw: random.Random, *, by_time: bool = False) -> Moment:
        """Draw a moment within the undisturbed run."""
        _, events, seconds = self.expected(name)
        if by_time:
            return Moment(seconds=draw.uniform(0, seconds))
        return Moment(event=draw.randint(1, events))

    def killed_and_resumed(self, name: str, moment: Moment) -> list[str]:
        """Kill a command, run it again, and return what differs from an undisturbed run."""
        expected, _, _ = self.expected(name)
        self.clear()
        killed = self.run(COMMANDS[name], moment)
        if killed.code not in (0, -9):
            return [f"exit {killed.code} before the kill: {killed.stderr.decode()[-1500:]}"]
        return [*self._after(COMMANDS[name], expected), *_twins(self.work)]

    def _after(self, line: str, expected: dict[str, object]) -> Iterator[str]:
        again = self.run(line)
        found = self.content()
        # A kill after the maps appeared, at the very end, leaves all of them, and the second run is
        # refused.
        is_done = again.code == 2 and b"is not empty" in again.stderr
        if again.code != 0 and not is_done:
            yield f"exit {again.code} when resumed: {again.stderr.decode()[-1500:]}"
            return
        for path in sorted(found.keys() | expected.keys()):
            if found.get(path) != expected.get(path):
                yield f"{path}: {_difference(expected.get(path), found.get(path))}"

    def on_a_full_disk(self, name: str, free_kb: int, size_mb: int = 3) -> list[str]:
        """Run a command on a small disk with some free space, then with enough of it.

        Raises:
            PermissionError: If no disk can be mounted.
        """
        expected, _, _ = self.expected(name)
        self.clear()
        with small_disk(self.work / OUT, size_mb):
            ballast = self.work / OUT / "ballast"
            space = shutil.disk_usage(self.work / OUT).free
            ballast.write_bytes(bytes(max(0, space - 1024 * free_kb)))
            full = self.run(COMMANDS[name])
            said = full.stderr.decode()
            problems = []
            if full.code not in (0, 3) or "Traceback" in said:
                problems.append(f"exit {full.code} on a full disk: {said[-1500:]}")
            if full.code == 3 and "No space left" not in said:
                problems.append(f"no word of the full disk: {said[-1500:]}")
            problems += _twins(self.work)
            ballast.unlink()
            return [*problems, *self._after(COMMANDS[name], expected)]


def _twins(work: Path) -> list[str]:
    return [
        f"left: {path.relative_to(work)}" for path in work.rglob("*") if "unfinished" in path.name
    ]


@contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[None]:
    """Mount a small disk in memory over a folder.

    Raises:
        PermissionError: If this user may not.
    """
    options = ["-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(folder)]
    done = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PermissionError(done.stderr.strip())
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _content(path: Path) -> object:
    if path.suffix == ".json":
        return _without_times(json.loads(path.read_text()))
    if path.suffix == ".jsonl":
        return [_without_times(json.loads(line)) for line in path.read_text().splitlines()]
    data = path.read_bytes()
    if path.suffix == ".safetensors":
        start = 8 + int.from_bytes(data[:8], "little")
        tensors = json.loads(data[8:start])
        tensors.pop("__metadata__", None)  # it has times
        return {"tensors": tensors, "bytes": data[start:].hex()}
    return _LAST_COLUMN.sub(b"", data) if b"ms/frame" in data else data


_LAST_COLUMN = re.compile(rb"[0-9.]+(?=[ |\\]*$)", re.MULTILINE)
"""Cells of ``ms/frame`` in CSV, Markdown and LaTeX."""


def _without_times(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_times(part) for key, part in value.items() if key not in _OF_TIME}
    if isinstance(value, list):
        return [_without_times(part) for part in value]
    return value


def _difference(expected: object, found: object, place: str = "") -> str:
    """Return the first place where two values differ."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in expected.keys() | found.keys():
            if expected.get(key) != found.get(key):
                return _difference(expected.get(key), found.get(key), f"{place}.{key}")
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for at, (left, right) in enumerate(zip(expected, found, strict=True)):
            if left != right:
                return _difference(left, right, f"{place}[{at}]")
    return f"{place} is {str(found)[:200]!r}, not {str(expected)[:200]!r}"
