"""Help and scoring start without packages that they do not need."""

import json
import subprocess
import sys

import pytest
from helpers.modules import ROOT

HEAVY = ("cv2", "matplotlib", "pandas", "scipy", "torch")

SCRIPT = """
import json, sys
from mapt_bench.cli import main
try:
    main({words!r})
except SystemExit as end:
    code = end.code
loaded = [name for name in {heavy!r} if name in sys.modules]
print("\\n" + json.dumps([code, loaded]))
"""


def run(*words):
    """Return the exit code of a command, and the heavy packages that it has imported."""
    script = SCRIPT.format(words=words, heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "words",
    [("--help",), ("evaluate", "--help"), ("check", "--help"), ("show", "--help")],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(words):
    assert run(*words) == [0, []]


def test_flops_help_needs_no_torch():
    code, loaded = run("flops", "--help")
    assert code == 0
    assert "torch" not in loaded


@pytest.mark.parametrize("command", ["--help", "evaluate"])
def test_help_needs_not_even_numpy_or_the_readers(command):
    words = [command] if command == "--help" else [command, "--help"]
    script = SCRIPT.format(words=words, heavy=("mapt_bench.evaluation", "numpy"))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    code, loaded = json.loads(done.stdout.splitlines()[-1])
    assert (code, loaded) == (0, [])
