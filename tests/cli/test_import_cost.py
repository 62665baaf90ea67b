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


@pytest.mark.parametrize(
    "words",
    [
        ("flops", "nonsense"),
        ("flops", "--mode", "nonsense"),
        ("flops", "--input", "3"),
        ("flops", "--measure", "--repeats", "0"),
        ("train", "--config", "nonsense", "--suite", "stream"),
        ("train", "--config", "mapt-tiny", "--suite", "stream", "--set", "stepps=3"),
    ],
    ids=" ".join,
)
def test_wrong_usage_needs_no_torch(words):
    code, loaded = run(*words)
    assert code == 2
    assert "torch" not in loaded


COMPLETION = """
import json, sys, click
from mapt_bench.cli import main
command = main.get_command(click.Context(main), {command!r})
option = next(each for each in command.params if {option!r} in each.opts)
found = [item.value for item in option.shell_complete(click.Context(command), "sort")]
loaded = [name for name in {heavy!r} if name in sys.modules]
print(json.dumps([found, loaded]))
"""


@pytest.mark.parametrize(("command", "option"), [("track", "--tracker"), ("ablate", "--add")])
def test_rows_are_completed_without_readers_and_stressors(command, option):
    heavy = (*HEAVY, "pycocotools", "mapt_bench.stress", "mapt_bench.synthetic")
    script = COMPLETION.format(command=command, option=option, heavy=heavy)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert json.loads(done.stdout) == [["sort", "sort+memory"], []]


@pytest.mark.parametrize("command", ["--help", "evaluate"])
def test_help_needs_not_even_numpy_or_the_readers(command):
    words = [command] if command == "--help" else [command, "--help"]
    script = SCRIPT.format(words=words, heavy=("mapt_bench.evaluation", "numpy"))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    code, loaded = json.loads(done.stdout.splitlines()[-1])
    assert (code, loaded) == (0, [])
