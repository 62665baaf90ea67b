"""Cases of the fuzzer: a small tree of files and the words of one command."""

import base64
import hashlib
import json
import os
import socket
import stat
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WORK = "work"
"""Folder of a case in which the command runs. Paths of entries and words are relative to it."""

OUT = "out"
"""Folder in ``work`` for all outputs. It exists before the command runs."""

FILE, FOLDER, LINK, HARD_LINK, PIPE, SOCKET = (
    "file",
    "folder",
    "link",
    "hard-link",
    "pipe",
    "socket",
)


@dataclass(frozen=True)
class Entry:
    """One entry of the tree.

    Attributes:
        kind: ``"file"``, ``"folder"``, ``"link"``, ``"hard-link"``, ``"pipe"`` or ``"socket"``.
        data: Bytes of a file, or the target of a link.
    """

    kind: str = FILE
    data: bytes = b""


Tree = Mapping[str, Entry]
"""Entries by path. Folders above them are made. Names that are not UTF-8 have surrogates."""


def files(contents: Mapping[str, bytes]) -> dict[str, Entry]:
    return {path: Entry(FILE, data) for path, data in contents.items()}


def below(folder: str, tree: Tree) -> dict[str, Entry]:
    return {f"{folder}/{path}": entry for path, entry in tree.items()}


@dataclass(frozen=True)
class Case:
    """What one run of the command line is given.

    Attributes:
        command: Name of the command, for the counts.
        form: Format of the files, for the counts.
        words: Words after ``mapt-bench``.
        tree: Files.
        breaks: What was broken, in words.
        needs_torch: Whether the command imports torch.
    """

    command: str
    form: str
    words: tuple[str, ...]
    tree: Tree = field(default_factory=dict)
    breaks: tuple[str, ...] = ()
    needs_torch: bool = False

    @property
    def kind(self) -> str:
        return f"{self.command} {self.form}"

    def to_dict(self) -> dict[str, Any]:
        return {
            "command": self.command,
            "form": self.form,
            "words": list(self.words),
            "tree": {path: _written(entry) for path, entry in sorted(self.tree.items())},
            "breaks": list(self.breaks),
            "needs_torch": self.needs_torch,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Case":
        tree = {path: _read(entry) for path, entry in data["tree"].items()}
        return cls(
            data["command"],
            data["form"],
            tuple(data["words"]),
            tree,
            tuple(data["breaks"]),
            data["needs_torch"],
        )

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=1) + "\n"

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]


_PACKED_FROM = 200  # bytes; shorter text is stored as it is, so that a person can read it


def _written(entry: Entry) -> dict[str, str]:
    try:
        text = entry.data.decode("utf-8")
        if len(text) < _PACKED_FROM or len(text) < 3 * len(zlib.compress(entry.data, 9)):
            return {"kind": entry.kind, "text": text}
    except UnicodeDecodeError:
        pass
    return {"kind": entry.kind, "zlib": base64.b64encode(zlib.compress(entry.data, 9)).decode()}


def _read(entry: Mapping[str, str]) -> Entry:
    if "text" in entry:
        return Entry(entry["kind"], entry["text"].encode())
    return Entry(entry["kind"], zlib.decompress(base64.b64decode(entry["zlib"])))


def lay_out(case: Case, root: Path) -> None:
    """Write the tree of a case into ``root/work``. Entries whose names are impossible are omitted.

    ``@ROOT@`` in the target of a link, in a text and in words stands for ``root``.
    """
    work = root / WORK
    (work / OUT).mkdir(parents=True)
    order = sorted(case.tree, key=lambda path: (case.tree[path].kind == HARD_LINK, path))
    for path in order:
        _lay(case.tree[path], work / path, root)


def _lay(entry: Entry, path: Path, root: Path) -> None:
    data = _placed(entry.data, root)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if entry.kind == FILE:
            path.write_bytes(data)
        elif entry.kind == FOLDER:
            path.mkdir(exist_ok=True)
        elif entry.kind == LINK:
            path.symlink_to(os.fsdecode(data))
        elif entry.kind == HARD_LINK:
            path.hardlink_to(root / WORK / os.fsdecode(data))
        elif entry.kind == PIPE:
            os.mkfifo(path)
        else:
            _bind(path)
    except (OSError, ValueError):  # a name that this file system has not, or a twin
        return


def _placed(data: bytes, root: Path) -> bytes:
    """Put the folder of the case into a text. Lengths in other files would no longer be right."""
    if ROOT_MARK not in data:
        return data
    try:
        data.decode()
    except UnicodeDecodeError:
        return data
    return data.replace(ROOT_MARK, os.fsencode(root))


def _bind(path: Path) -> None:
    before = Path.cwd()
    with socket.socket(socket.AF_UNIX) as end:
        os.chdir(path.parent)  # names of sockets may have about 100 bytes
        try:
            end.bind(path.name)
        finally:
            os.chdir(before)


ROOT_MARK = b"@ROOT@"


def words_at(case: Case, root: Path) -> list[str]:
    mark = ROOT_MARK.decode()
    return [word.replace(mark, str(root)) for word in case.words]


def snapshot(root: Path) -> dict[str, str]:
    """Return what each entry below a folder is: its kind, mode, and content or target."""
    return {os.path.relpath(path, root): _what(path) for path in _entries(root)}


def _entries(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            yield os.path.join(folder, name)  # noqa: PTH118 - Path normalises odd names


def _what(path: str) -> str:
    try:
        about = os.lstat(path)
        if stat.S_ISLNK(about.st_mode):
            return f"link {Path(path).readlink()}"
        if stat.S_ISREG(about.st_mode):
            data = Path(path).read_bytes()
            return f"file {about.st_mode:o} {hashlib.sha256(data).hexdigest()}"
    except OSError as problem:
        return f"gone: {problem.strerror}"
    return f"other {about.st_mode:o}"
