"""Twenty kills and three full disks. Hundreds by hand: ``python -m tests.crashes``."""

import random
import sys

import pytest

from tests.crashes.harness import Bench

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fork server needs Linux")

KILLS = {"synth": 5, "track": 5, "convert": 2, "evaluate": 4, "ablate": 2, "stress": 2, "train": 2}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    found = Bench(tmp_path_factory.mktemp("crashes"))
    yield found
    found.close()


@pytest.mark.parametrize("name", KILLS)
def test_a_killed_command_resumes_to_the_same_result(bench, name):
    draw = random.Random(name)  # noqa: S311 - not for secrets
    for _ in range(KILLS[name]):
        moment = bench.moment(name, draw)
        assert bench.killed_and_resumed(name, moment) == [], moment


@pytest.mark.parametrize(("name", "free_kb"), [("synth", 40), ("track", 0), ("evaluate", 20)])
def test_a_command_on_a_full_disk_ends_with_3_and_resumes(bench, name, free_kb):
    try:
        assert bench.on_a_full_disk(name, free_kb) == []
    except PermissionError as problem:
        pytest.skip(f"no disk can be mounted here: {problem}")
