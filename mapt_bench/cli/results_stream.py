"""The stream for JSON on stdout, out of reach of user code.

A tracker may start a program, write to file descriptor 1, or print from a thread that outlives the
call. What it writes must not land in the JSON that another program reads.
"""

import io
import os
import sys
from typing import TextIO

__all__ = ["keep_stdout_for_json", "results_stream"]

_kept: list[TextIO] = []
"""The stream to the real stdout, once it is kept."""


def keep_stdout_for_json() -> None:
    """Let all that is written to stdout land on stderr, except through :func:`results_stream`.

    Worker processes and other programs inherit this. Without a stdout of its own, or without a
    stderr, the process stays as it is.
    """
    stdout, stderr = sys.stdout, sys.stderr
    if stdout is None or stderr is None or (stdout.fileno(), stderr.fileno()) != (1, 2):
        return
    stdout.flush()
    own = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _kept.append(io.TextIOWrapper(own, encoding=stdout.encoding, errors=stdout.errors))
    sys.stdout = stderr


def results_stream() -> TextIO:
    """Return the stream that JSON is printed to."""
    return _kept[-1] if _kept else sys.stdout
