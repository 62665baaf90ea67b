"""Recorded files for the tests of the fuzzer."""

import pytest

from tests.fuzz.recorded_files import record


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    return record(tmp_path_factory.mktemp("recorded"))
