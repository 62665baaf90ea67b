"""The one oracle: what every command keeps to, whatever it is given."""

import json
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tests.fuzz.cases import OUT, WORK, Case, lay_out, snapshot, words_at
from tests.fuzz.fork_server import (
    CPU_SECONDS,
    MEMORY_BYTES,
    MEMORY_BYTES_WITH_TORCH,
    ForkServer,
    Outcome,
    prepare,
    run_alone,
)

CODES = frozenset({0, 1, 2, 3})
_REPORTS = frozenset({"check", "conformance"})
"""Commands that end with 3 after a whole report, if nothing could be read or compared."""

_LONGEST_MESSAGE = 20_000  # characters
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_FRAME = re.compile(r'File ".*?((?:mapt_bench|site-packages|lib)/[^"]+)", line (\d+), in (\S+)')
_OF_MACHINE = re.compile("memory ran out|File too large|a worker process")


@dataclass(frozen=True)
class Fault:
    """What a command did wrong.

    Attributes:
        rule: Name of the rule that it broke.
        detail: Where or how. Two faults with one rule and detail are taken for the same.
        text: More, for the report.
    """

    rule: str
    detail: str
    text: str = ""

    @property
    def signature(self) -> str:
        return f"{self.rule}: {self.detail}"


def examine(case: Case, server: ForkServer | None) -> tuple[Outcome, list[Fault]]:
    """Run a case, and return what it did and its faults.

    Args:
        case: The case.
        server: Runs it. ``None`` runs it in a process of its own.
    """
    root = Path(tempfile.mkdtemp(prefix="mapt-fuzz-"))
    try:
        (root / "outside").mkdir()
        (root / "outside" / "kept.png").write_bytes(b"kept")
        lay_out(case, root)
        prepare(root)
        before = snapshot(root)
        words = words_at(case, root)
        outcome = run_alone(words, root) if server is None else server.run(words, root)
        faults = [*_of_outcome(case, outcome), *_of_files(case, words, before, root)]
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return outcome, faults


def _of_outcome(case: Case, outcome: Outcome) -> Iterator[Fault]:
    stderr = outcome.stderr.decode("utf-8", "replace")
    if outcome.is_stuck:
        yield Fault("waits for ever", case.command, stderr[-500:])
    elif outcome.cpu_seconds > CPU_SECONDS:
        yield Fault("takes too long", case.command, f"{outcome.cpu_seconds:.1f} s")
    elif outcome.code not in CODES:
        yield Fault("exit code", f"{outcome.code} {_place_of(stderr)}", stderr[-3000:])
    elif "Traceback" in stderr or b"Traceback" in outcome.stdout:
        yield Fault("traceback", _place_of(stderr), stderr[-3000:])
    if outcome.peak_bytes > (MEMORY_BYTES_WITH_TORCH if case.needs_torch else MEMORY_BYTES):
        yield Fault("memory", case.kind, f"{outcome.peak_bytes / 1e6:.0f} MB")
    if outcome.outlived:
        yield Fault("leaves a process", case.command)
    said = _OF_MACHINE.search(stderr)
    if said is not None:
        yield Fault("takes the machine", f"{case.kind} {said[0]}", stderr[-2000:])
    yield from _of_text(case, outcome, stderr)
    yield from _of_json(case, outcome)


def _place_of(text: str) -> str:
    """Return the last place of the package in a traceback, and the error."""
    frames = _FRAME.findall(text)
    own = [frame for frame in frames if frame[0].startswith("mapt_bench")]
    place = f"{own[-1][0]} {own[-1][2]}" if own else ""
    error = re.search(r"^internal error: (\w+)", text, re.MULTILINE)
    return f"{place} {error[1] if error else text.strip()[-80:]}"


def _of_text(case: Case, outcome: Outcome, stderr: str) -> Iterator[Fault]:
    is_report = case.command in _REPORTS and outcome.code == 3 and outcome.stdout.strip()
    if outcome.code in (2, 3) and not stderr.strip() and not is_report:
        yield Fault("no message", case.command)
    if len(stderr) > _LONGEST_MESSAGE:
        yield Fault("long message", f"{case.kind} {stderr[:60]}", f"{len(stderr)} characters")
    for name, data in (("stdout", outcome.stdout), ("stderr", outcome.stderr)):
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            yield Fault("not UTF-8", f"{case.command} {name}", repr(data[:500]))
            continue
        hidden = [c for c in set(text) - {"\n"} if unicodedata.category(c) in _HIDDEN]
        if hidden:
            at = text.index(hidden[0])
            yield Fault(
                "hidden characters", f"{case.kind} {name}", repr(text[max(0, at - 200) : at + 50])
            )


def _of_json(case: Case, outcome: Outcome) -> Iterator[Fault]:
    if outcome.code not in CODES or not _wants_json(case.words):
        return
    failed = outcome.code in (2, 3)
    try:
        found = _strict_json(outcome.stdout)
    except ValueError as problem:
        yield Fault(
            "not pure JSON",
            f"{case.command} {outcome.code}",
            f"{problem}: {outcome.stdout[:300]!r}",
        )
        return
    is_report = case.command in _REPORTS and isinstance(found, dict) and "schema" in found
    if failed and not _is_error(found) and not is_report:
        yield Fault("JSON without error", case.command, repr(outcome.stdout[:300]))


def _wants_json(words: tuple[str, ...]) -> bool:
    """Say whether stdout must be JSON: ``--json -``, and no option that prints and stops."""
    stops = {"--help", "-h", "--show-config", "--schema", "--where", "--version"}
    if stops & set(words):
        return False
    pairs = [words[at + 1 : at + 2] == ("-",) for at, word in enumerate(words) if word == "--json"]
    return (bool(pairs) and all(pairs)) and not any(word.startswith("--json=") for word in words)


def _strict_json(data: bytes) -> object:
    def refuse(text: str) -> None:
        raise ValueError(f"{text} is not JSON")

    return json.loads(data.decode("utf-8"), parse_constant=refuse)


def _is_error(found: object) -> bool:
    error = found.get("error") if isinstance(found, dict) else None
    return isinstance(error, dict) and {"kind", "message", "where"} <= set(error)


def _of_files(case: Case, words: list[str], before: dict[str, str], root: Path) -> Iterator[Fault]:
    after = snapshot(root)
    named = _named(words, root)
    for path, what in before.items():
        if after.get(path) == what or _is_below(path, f"{WORK}/{OUT}"):
            continue
        if "--update-baseline" in words and path in named:
            continue
        yield Fault(
            "changes an input", f"{case.command}", f"{path}: {what} became {after.get(path)}"
        )
    for path in sorted(after.keys() - before.keys()):
        if "unfinished" in path:
            yield Fault("leaves a temporary file", case.command, path)
        elif PurePosixPath(path).name == "executed":
            yield Fault("runs code", case.kind, path)
        elif not _is_output(path, named, case):
            yield Fault("writes elsewhere", case.kind, path)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


_OWN = ("said", "home")
"""Folders of the fuzzer, and caches."""


def _is_output(path: str, named: set[str], case: Case) -> bool:
    if any(_is_below(path, folder) for folder in (*_OWN, f"{WORK}/{OUT}", f"{WORK}/runs")):
        return True
    place = PurePosixPath(path)
    if case.command == "show" and str(place.parent) == WORK and place.suffix == ".png":
        return True
    if case.command == "report" and place.name == "report.html":
        return True
    if _is_log(place, case.words):
        return True
    return any(_is_below(path, one) or _is_beside(place, PurePosixPath(one)) for one in named)


def _is_log(place: PurePosixPath, words: Sequence[str]) -> bool:
    """Say whether a path is a named folder of TensorBoard, or of a copy in it."""
    folder = place.parent if place.name.startswith("events.out.tfevents") else place
    texts = (word.partition("tensorboard=")[2] for word in words)
    named = [os.path.normpath(f"{WORK}/{text}") for text in texts if text]
    return str(folder) in named or str(folder.parent) in named


def _is_beside(place: PurePosixPath, named: PurePosixPath) -> bool:
    """Say whether a file may be of a named output: ``table.csv`` becomes ``table-classes.csv``."""
    return place.parent == named.parent and place.name.startswith(named.stem)


def _named(words: list[str], root: Path) -> set[str]:
    """Return what the words name, relative to the folder of the case."""
    found = set()
    for word in words:
        for text in {word, word.partition("=")[2]} - {"", ".", "out"}:
            path = os.path.normpath(root / WORK / text)
            if "\0" not in text and path.startswith(f"{root}{os.sep}"):
                found.add(os.path.relpath(path, root))
    return found - {WORK, "."}
