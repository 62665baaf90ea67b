"""What runs on the workers of a cluster: sessions, which do tasks; versions; packing of tasks."""

import functools
import hashlib
import importlib.util
import io
import os
import pickle
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from distributed import WorkerPlugin, get_worker
from distributed.utils import sync

import mapt_bench
from mapt_bench.errors import ConfigError, MaptBenchError
from mapt_bench.provenance import provenance
from mapt_bench.workers.named_files import NamedFiles, check_files, differing_files

__all__ = [
    "GPU",
    "VERSION_VARIABLE",
    "Raised",
    "SessionPlugin",
    "check_identity",
    "do_task",
    "greet",
    "identity",
    "offered_gpus",
    "packed",
    "scratch_folder",
]

GPU = "GPU"
"""Name of the resource of Dask that tasks on a GPU ask for."""

VERSION_VARIABLE = "MAPT_BENCH_VERSION"
"""Environment variable with the version that a process states. For tests of mixed versions."""

_PARTS = ("mapt_bench", *(f"mapt_bench.{name}" for name in ("baselines", "metrics", "reports")))
"""Packages with the code of this package, which four folders may hold."""


class SessionPlugin(WorkerPlugin):  # type: ignore[misc]
    """Brings a session to every worker, also to those that join later."""

    def __init__(
        self,
        session: str,
        start: bytes,
        versions: Mapping[str, str | None],
        marks: Mapping[str, str],
    ) -> None:
        self._session, self._start = session, start
        self._versions, self._marks = versions, marks

    def setup(self, worker: Any) -> None:  # noqa: ANN401 - Dask has no types
        """Keep what opens the session. The first task opens it."""
        greet()
        _sessions[self._session] = (self._start, self._versions, self._marks)

    def teardown(self, worker: Any) -> None:  # noqa: ANN401 - Dask has no types
        """Forget the session and all that it cached."""
        _sessions.pop(self._session, None)
        if _open_session and _open_session[0][0] == self._session:
            _open_session.clear()


class Raised:
    """An error for the user. Dask would retry an exception, which cannot help here."""

    def __init__(self, problem: MaptBenchError) -> None:
        self.problem = problem


_sessions: dict[str, tuple[bytes, Mapping[str, str | None], Mapping[str, str]]] = {}
"""What opens each session: its packed function, versions, and marks of files."""

_open_session: list[tuple[str, Callable[..., Any]]] = []
"""The session in use, at most one: its caches are large, and a killed client closes none."""

_one_task = threading.Lock()
"""Tasks set threads of OpenCV and torch, so a worker of several threads does one at a time."""


def do_task(session: str, position: int, task: bytes, first: object = None) -> object:
    """Do a task in this worker."""
    if isinstance(first, Raised):
        return first
    with _one_task:
        worker = get_worker()
        # Sent before the task runs: a worker that ends has begun it.
        sync(worker.loop, worker.scheduler.log_event, topic=session, msg=position)
        try:
            do = _opened(session, worker.address)
            found = pickle.loads(task)  # noqa: S301 - Dask itself runs code of its clients
            return do(found) if first is None else do(found, first)
        except MaptBenchError as problem:
            return Raised(problem)


def _opened(session: str, address: str) -> Callable[..., Any]:
    if not _open_session or _open_session[0][0] != session:
        start, expected, marks = _sessions[session]
        check_identity(address, identity(), expected)
        check_files(address, differing_files(marks), len(marks))
        _open_session[:] = [(session, pickle.loads(start)())]  # noqa: S301 - see above
    return _open_session[0][1]


def scratch_folder() -> Path:
    """Return a new folder of this worker. Dask removes it, after a kill too."""
    return Path(tempfile.mkdtemp(prefix="mapt-bench-", dir=get_worker().local_directory))


def greet() -> dict[str, str | None]:
    """Return the versions of this worker. From now on, its own folder is searched last for modules.

    A ``types.py`` in its folder, in an unpacked data set, would run otherwise.
    """
    here = str(Path.cwd())
    if here in sys.path or "" in sys.path:
        sys.path[:] = [*(place for place in sys.path if place not in ("", here)), here]
    return identity()


def offered_gpus(dask_worker: Any) -> float:  # noqa: ANN401 - Dask has no types
    """Return how many GPUs this worker offers. Dask passes the worker by this name."""
    return float(dask_worker.state.total_resources.get(GPU, 0))


# Versions: equal on all machines, or else results would depend on where a task ran.


@functools.cache
def identity() -> dict[str, str | None]:
    """Return the versions of this process that results may depend on. ``None`` is not installed."""
    facts = provenance()
    return {
        "mapt-bench": os.environ.get(VERSION_VARIABLE) or facts["mapt_bench"],
        "Python": ".".join(facts["python"].split(".")[:2]),
        **facts["packages"],
        "code of mapt-bench": _code_hash(),
    }


def _code_hash() -> str:
    digest = hashlib.sha256()
    for part in _PARTS:
        spec = importlib.util.find_spec(part)
        for root in (spec.submodule_search_locations or ()) if spec else ():
            for path in sorted(Path(root).rglob("*.py")):
                digest.update(f"{part}\0{path.relative_to(root).as_posix()}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def check_identity(
    worker: str, found: Mapping[str, str | None], expected: Mapping[str, str | None]
) -> None:
    """Refuse a worker with other versions.

    Raises:
        ConfigError: If a version differs. The message has each of them.
    """
    differing = [
        f"{name} {found.get(name) or 'missing'} (here {version or 'missing'})"
        for name, version in expected.items()
        if found.get(name) != version
    ]
    if differing:
        raise ConfigError(
            f"worker {worker} differs in {', '.join(differing)}; results would depend on the "
            "worker; install the same versions in both environments, and restart the workers"
        )


# Packing: what a task refers to, for machines with other folders.


class _Packer(pickle.Pickler):
    """Pickles tasks with portable paths, and notes the files that they name."""

    def __init__(self, target: io.BytesIO, files: NamedFiles) -> None:
        super().__init__(target, protocol=pickle.HIGHEST_PROTOCOL)
        self._files = files
        self._here, self._own = str(Path.cwd()), f"{_package_folder()}/"

    def reducer_override(self, thing: Any) -> Any:  # noqa: ANN401 - as pickle has it
        if isinstance(thing, Path):
            return self._portable(thing)
        if hasattr(type(thing), "named_files"):
            for folder, names in thing.named_files():
                self._note(folder, names)
        return NotImplemented

    def _portable(self, path: Path) -> tuple[Callable[..., Path], tuple[str, ...]]:
        # By text: methods of a path take ten times as long, which counts for 100,000 frames.
        whole = os.path.join(self._here, path)  # noqa: PTH118
        if f"{whole}/".startswith(self._own):
            return _in_package, Path(whole[len(self._own) :]).parts
        if os.path.isfile(whole):  # noqa: PTH113
            self._files.add(*os.path.split(whole))
        return Path, (whole,)

    def _note(self, folder: Path, names: Iterable[str]) -> None:
        if not f"{folder}/".startswith(self._own):  # workers have a copy of the package
            self._files.add(str(folder), *names)


def packed(thing: object, files: NamedFiles) -> bytes:
    """Pickle something for machines with other folders.

    Args:
        thing: What to pickle.
        files: Gets the files that it names, those of this package apart.
    """
    target = io.BytesIO()
    _Packer(target, files).dump(thing)
    return target.getvalue()


def _package_folder() -> Path:
    return Path(mapt_bench.__file__ or "").absolute().parent


def _in_package(*parts: str) -> Path:
    return _package_folder().joinpath(*parts)
