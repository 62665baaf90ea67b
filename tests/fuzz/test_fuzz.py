"""500 cases of the fuzzer, and all cases of past faults. Long runs: ``python -m tests.fuzz``."""

import sys

import pytest

from tests.fuzz.recorded_files import Recorded
from tests.fuzz.search import Search, Servers, replay

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fork server needs Linux")


@pytest.fixture(scope="module")
def servers():
    found = Servers()
    yield found
    found.close()


def _said(faults):
    return "\n".join(f"{case.words} {case.breaks}\n{fault}" for case, fault in faults.values())


def test_no_case_of_500_is_mishandled(servers, recorded):
    search = Search(Recorded(recorded), servers)
    found = search.draw(500, 0, shrink=False, alone=True)
    assert found.counts.total() >= 500
    assert not found.faults, _said(found.faults)


def test_cases_of_past_faults(servers):
    found = replay(servers)
    assert not {name: faults for name, faults in found.items() if faults}
