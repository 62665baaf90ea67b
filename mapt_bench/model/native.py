"""The loops of ``kernels.cpp`` as functions of C: compiled when first wanted, kept in a cache."""

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from torch import Tensor

__all__ = ["call", "library"]

_FLAGS = (
    *("-std=c++17", "-O3", "-march=native", "-shared", "-fPIC"),
    *("-fno-math-errno", "-fno-trapping-math", "-fassociative-math", "-fno-signed-zeros"),
)
_OFF = "MAPT_BENCH_KERNELS"


@cache
def library() -> Any:  # noqa: ANN401  # functions of C have no types here
    """Return the compiled kernels, or ``None`` where they cannot be had."""
    if os.environ.get(_OFF, "").lower() in ("off", "0", "no"):
        return None
    compiler = shutil.which(os.environ.get("CXX", "g++")) or shutil.which("clang++")
    if compiler is None:
        return None
    source = resources.files("mapt_bench.model").joinpath("kernels.cpp").read_text()
    try:
        return ctypes.CDLL(str(_compiled(compiler, source)))
    except (OSError, subprocess.SubprocessError):
        return None


def _compiled(compiler: str, source: str) -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mapt-bench"
    version = subprocess.run(  # noqa: S603  # the compiler that the user's PATH or CXX names
        [compiler, "--version"], capture_output=True, text=True, check=True
    )
    told = "\n".join((source, version.stdout, *_FLAGS, _processor()))
    path = base / f"kernels-{hashlib.sha256(told.encode()).hexdigest()[:16]}.so"
    if path.exists():
        return path
    base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=base) as folder:
        code, beside = Path(folder) / "kernels.cpp", Path(folder) / "kernels.so"
        code.write_text(source)
        subprocess.run(  # noqa: S603  # the same
            [compiler, *_FLAGS, "-o", str(beside), str(code)], capture_output=True, check=True
        )
        beside.replace(path)  # processes that start together each write a whole file
    return path


def _processor() -> str:
    """Return what the processor can do: the cache may be shared by machines that differ."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def call(name: str, *arguments: Any) -> None:  # noqa: ANN401
    """Call a function of the library.

    Args:
        name: Of the function.
        *arguments: Tensors and structures are passed by their address, numbers and arrays of
            :mod:`ctypes` by value.
    """
    function = getattr(library(), name)
    function.restype = None
    function(*(_place(each) for each in arguments))


def _place(argument: Any) -> Any:  # noqa: ANN401
    if isinstance(argument, Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    return ctypes.byref(argument) if isinstance(argument, ctypes.Structure) else argument
