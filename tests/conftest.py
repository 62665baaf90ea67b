"""What tests of several parts share and what is dear to make."""

import pytest


@pytest.fixture(scope="session")
def mapt_files(tmp_path_factory):
    """A folder with small untrained MAPTs: ``mapt-tiny`` has both heads, ``no-motion`` one."""
    from helpers.shipped_weights import put_weights

    folder = tmp_path_factory.mktemp("mapt-files")
    put_weights(folder)
    put_weights(folder, "no-motion", propagation="none")
    return folder
