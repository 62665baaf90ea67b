"""A process that has imported the command line, and forks for every case.

Importing takes most of the time of a small command. The server imports each module once: it first
takes the modules that a child had to import. Linux only.
"""

import atexit
import gc
import importlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CPU_SECONDS = 20
MEMORY_BYTES = 10**9
MEMORY_BYTES_WITH_TORCH = 2 * 10**9  # a network, its gradients and one batch
_WALL_SECONDS = 90.0  # a command that waits for ever takes no CPU
_SPACE_BYTES = 12 * 10**9  # address space: protects the machine; PyTorch with CUDA maps 6 GB
_FILE_BYTES = 400 * 10**6
_FIRST = ("mapt_bench.cli.main", "numpy", "cv2", "yaml", "pandas", "scipy.optimize", "PIL.Image")
_SLOW = ("torch", "torchvision", "fvcore", "distributed", "optuna", "mlflow", "wandb")
REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    """What a command did.

    Attributes:
        code: Exit code. Negative if a signal ended it.
        stdout: Bytes.
        stderr: Bytes.
        cpu_seconds: CPU time of the command and its workers.
        peak_bytes: Most memory of one process. With what the server had imported.
        is_stuck: Whether it was killed because it waited.
        outlived: Whether a process of the command was left.
        events: Number of events that may change files. Unknown if the command was killed.
        seconds: Time.
    """

    code: int
    stdout: bytes
    stderr: bytes
    cpu_seconds: float
    peak_bytes: int
    is_stuck: bool = False
    outlived: bool = False
    events: int = 0
    seconds: float = 0.0


class ForkServer:
    """Runs commands in children of one process.

    Args:
        with_torch: Whether it imports torch, too.
    """

    def __init__(self, *, with_torch: bool = False) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.fuzz.fork_server", "torch" if with_torch else "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        )

    def run(
        self,
        words: list[str],
        root: Path,
        *,
        kill_at: int | None = None,
        kill_after: float | None = None,
    ) -> Outcome:
        """Run a command in ``root/work``.

        Args:
            words: Words after ``mapt-bench``.
            root: Folder of the case. It gets ``stdout`` and ``stderr`` in ``root/said``.
            kill_at: Kill the command before this event that may change files, from 1.
            kill_after: Kill the command after these seconds.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"words": words, "root": str(root), "kill_at": kill_at, "kill_after": kill_after}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return _outcome(answer, root)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


def _outcome(answer: dict[str, Any], root: Path) -> Outcome:
    said = root / "said"
    return Outcome(
        stdout=(said / "stdout").read_bytes(), stderr=(said / "stderr").read_bytes(), **answer
    )


def run_alone(words: list[str], root: Path) -> Outcome:
    """Run a command in a process of its own, started as users start it."""
    prepare(root)
    command = [sys.executable, "-P", "-m", "mapt_bench", *words]
    process = os.fork()
    if process == 0:
        try:
            _settle(root)
            os.execve(sys.executable, command, environment(root))  # noqa: S606
        finally:
            os._exit(126)
    answer = _end_of(process)
    # The kernel counts this process too, which may be large, as the peak of the one it started.
    if answer["peak_bytes"] <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024:
        answer["peak_bytes"] = 0
    return _outcome(answer, root)


def prepare(root: Path) -> None:
    for name in ("said", "home", "tmp"):
        (root / name).mkdir(exist_ok=True)


def environment(root: Path) -> dict[str, str]:
    kept = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "HOME": str(root / "home"),
        "TMPDIR": str(root / "tmp"),
        "MPLCONFIGDIR": os.environ.get("MPLCONFIGDIR", str(root / "home")),
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(root / "home")),
        "PYTHONPATH": str(REPOSITORY),
        "TORCHINDUCTOR_CACHE_DIR": str(root / "home" / "inductor"),
        "PYTHONUTF8": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "passive",
        "GITHUB_SHA": "0" * 40,  # saves a call of git
    }


def _limit() -> None:
    os.setsid()
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS + 1, CPU_SECONDS + 5))
    resource.setrlimit(resource.RLIMIT_AS, (used + _SPACE_BYTES, used + _SPACE_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _end_of(process: int, kill_after: float | None = None) -> dict[str, Any]:
    """Wait for the end of a process, and measure it."""
    start = time.monotonic()
    code, usage, was_killed = _reap(process, _WALL_SECONDS if kill_after is None else kill_after)
    return {
        "seconds": time.monotonic() - start,
        "code": code,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * 1024,
        "is_stuck": was_killed and kill_after is None,
        "outlived": _is_left(process),
    }


def _reap(process: int, seconds: float) -> tuple[int, Any, bool]:
    handle = os.pidfd_open(process)
    try:
        ended, _, _ = select.select([handle], [], [], seconds)
        if not ended:
            try:
                os.killpg(process, signal.SIGKILL)
            except ProcessLookupError:  # it has no group of its own yet
                os.kill(process, signal.SIGKILL)
        _, status, usage = os.wait4(process, 0)
    finally:
        os.close(handle)
    return os.waitstatus_to_exitcode(status), usage, not ended


def _is_left(group: int) -> bool:
    """Say whether a process of a group is left after a moment, and end it."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except (ProcessLookupError, PermissionError):
            return False
        time.sleep(0.02)
    os.killpg(group, signal.SIGKILL)
    return True


def _settle(root: Path) -> None:
    """Give a new process its folder, its streams and its limits."""
    os.chdir(root / "work")
    for number, name, flags in (
        (0, Path(os.devnull), os.O_RDONLY),
        (1, root / "said" / "stdout", os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, root / "said" / "stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        opened = os.open(name, flags)
        os.dup2(opened, number)
        os.close(opened)
    _limit()


_CHANGES = frozenset(
    {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"}
)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class _Events:
    """Counts the events of this process that may change files, and kills it before one.

    Args:
        kill_at: Number of the event, from 1. ``None`` to count only.
    """

    def __init__(self, kill_at: int | None) -> None:
        self.count = 0
        self._kill_at = kill_at
        sys.addaudithook(self._see)

    def _see(self, event: str, details: tuple[Any, ...]) -> None:
        if event in _CHANGES or (event == "open" and details[2] & _WRITES):
            self.count += 1
            if self.count == self._kill_at:
                os.killpg(0, signal.SIGKILL)


def _child(words: list[str], root: Path, known: int, kill_at: int | None) -> None:
    """Run a command in a fork, and end the fork."""
    code = 70
    try:
        _settle(root)
        events = _Events(kill_at)
        os.environ.clear()
        os.environ.update(environment(root))
        sys.stdin = os.fdopen(0, closefd=False)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
        sys.argv = ["mapt-bench", *words]
        code = _code_of_main()
        sys.stdout.flush()
        sys.stderr.flush()
        atexit._run_exitfuncs()
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        count = events.count
        new = [name for name in list(sys.modules)[known:] if name.isascii()]
        said = {"events": count, "modules": new}
        (root / "said" / "child.json").write_text(json.dumps(said))
        os._exit(code)


def _code_of_main() -> int:
    from mapt_bench.cli.main import main

    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _import(names: list[str], *, with_torch: bool) -> None:
    """Import the modules that a child imported, unless one is slow."""
    if not with_torch and any(name in _SLOW for name in names):
        return
    for name in names:
        with suppress(Exception):  # a part of a package that is imported in another way
            importlib.import_module(name)


def _serve(*, with_torch: bool) -> None:
    for name in (*_FIRST, *(("torch", "torchvision") if with_torch else ())):
        importlib.import_module(name)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a module prints when it is imported is no answer
    for line in sys.stdin:
        request = json.loads(line)
        root = Path(request["root"])
        prepare(root)
        known = len(sys.modules)
        gc.freeze()  # so that a fork does not touch, and copy, what the server has
        process = os.fork()
        if process == 0:
            _child(request["words"], root, known, request["kill_at"])
        answer = _end_of(process, request["kill_after"])
        with suppress(OSError):  # a killed child said nothing
            said = json.loads((root / "said" / "child.json").read_text())
            (root / "said" / "child.json").unlink()
            answer["events"] = said["events"]
            _import(said["modules"], with_torch=with_torch)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    _serve(with_torch=sys.argv[1] == "torch")
