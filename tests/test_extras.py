"""Commands name the extra to install where an optional package is missing."""

import json
import subprocess
import sys

import pytest

from mapt_bench.errors import EXTRA_OF, missing_extra

WITHOUT = """
import sys
for package in {blocked!r}:
    sys.modules[package] = None
from mapt_bench.cli import main
main({words!r})
"""


def run_without(blocked, *words):
    code = WITHOUT.format(blocked=list(blocked), words=list(words))
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "words",
    [
        ("ablate", "--suite", "tiny"),
        ("flops", "mapt-tiny"),
        ("train", "--config", "mapt-tiny", "--suite", "tiny"),
    ],
)
def test_commands_that_need_torch_say_what_to_type(words, tmp_path):
    blocked = [package for package, extra in EXTRA_OF.items() if extra == "model"]
    outcome = run_without(blocked, *words, "--json", "-")
    assert outcome.returncode == 2
    assert 'pip install "mapt-bench[model]"' in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1
    assert json.loads(outcome.stdout)["error"]["kind"] == "config"


def test_a_bug_in_an_import_is_still_a_crash():
    assert missing_extra(ModuleNotFoundError("No module named 'x'", name="x")) is None
    assert missing_extra(ModuleNotFoundError("a message without a name")) is None


def test_a_submodule_belongs_to_its_package():
    problem = ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")
    assert "package torch," in str(missing_extra(problem))
