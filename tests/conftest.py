"""What tests of several parts share and what is dear to make."""

import signal

import pytest


class Waited(BaseException):
    """No error of a library, so that nothing takes it for a file that cannot be read."""


@pytest.fixture
def at_once():
    """End a test that waits for ever, as for the writer of a named pipe."""

    def end(_number, _frame):
        raise Waited

    earlier = signal.signal(signal.SIGALRM, end)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, earlier)


@pytest.fixture(scope="session")
def mapt_files(tmp_path_factory):
    """A folder with small untrained MAPTs: ``mapt-tiny`` has both heads, ``no-motion`` one."""
    from helpers.shipped_weights import put_weights

    folder = tmp_path_factory.mktemp("mapt-files")
    put_weights(folder)
    put_weights(folder, "no-motion", propagation="none")
    return folder
