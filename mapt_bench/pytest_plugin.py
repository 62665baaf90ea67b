"""A pytest plugin: the fixture ``assert_no_regression``. pytest finds it by its entry point."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mapt_bench.compare import Comparison

__all__ = ["assert_no_regression"]


@pytest.fixture
def assert_no_regression() -> "Callable[..., Comparison]":
    """Return :func:`mapt_bench.assert_no_regression`, which fails a test if a result is worse."""
    # Imported here, because pytest loads this module for every test suite of the environment.
    from mapt_bench.compare import assert_no_regression as function

    return function
