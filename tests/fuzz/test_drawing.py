"""The same seed draws the same cases: in every process, and from files recorded anywhere."""

import json
import os
import subprocess
import sys

import pytest

from tests.fuzz.fork_server import REPOSITORY
from tests.fuzz.recorded_files import record

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fork server needs Linux")

_DRAWN = """
import sys
from pathlib import Path
from tests.fuzz import search
from tests.fuzz.recorded_files import Recorded

class Seen:
    code, cpu_seconds, peak_bytes = 0, 0.0, 0

def examine(case, server):
    print(case.digest)
    return Seen, []

search.examine = examine
search.Servers.of = lambda *_: None
search.Search(Recorded(Path(sys.argv[1])), search.Servers()).draw(60, 5)
"""


def test_recorded_files_hold_no_time_and_no_path(recorded, tmp_path):
    one, other = (json.loads(file.read_text()) for file in (recorded, record(tmp_path)))
    assert list(one) == list(other)
    assert not [name for name in one if one[name] != other[name]]


def test_the_same_seed_draws_the_same_cases(recorded):
    drawn = []
    for first, seed in (("", "0"), ("import tests.crashes.harness, pandas", "7")):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", f"{first}\n{_DRAWN}", str(recorded)],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        )
        drawn.append(done.stdout.split())
    assert len(drawn[0]) >= 60
    assert drawn[0] == drawn[1]
