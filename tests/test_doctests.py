"""Every example in a docstring is run."""

import doctest
import importlib

import pytest
from helpers.modules import MODULES


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as problem:
        if (problem.name or "").startswith("mapt_bench"):
            raise
        pytest.skip(f"{problem.name} is not installed")
    assert doctest.testmod(module).failed == 0


def test_examples_are_there():
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = sum(
        bool(example.examples)
        for name in (
            "mapt_bench.metrics.arithmetic",
            "mapt_bench.errors",
            "mapt_bench.metrics.scorer",
        )
        for example in finder.find(importlib.import_module(name))
    )
    assert found >= 3
