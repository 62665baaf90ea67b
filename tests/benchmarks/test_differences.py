"""Numbers of ``docs/differences.md``: ours always, those of other codes where installed."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
from helpers.modules import ROOT

_SPEC = importlib.util.spec_from_file_location("differences", ROOT / "benchmarks/differences.py")
differences = importlib.util.module_from_spec(_SPEC)
sys.modules["differences"] = differences
_SPEC.loader.exec_module(differences)

PAGE = (ROOT / "docs/differences.md").read_text(encoding="utf-8").replace("\\|", "|")
SCALE = {"PQ, car": 100, "AQ": 100, "Frag": 1}


def stated(case):
    """Our number and that of the other code, from the line of the page with the scene."""
    lines = [
        line.replace(f"`{case.gt}`", "").replace(f"`{case.pred}`", "")
        for line in PAGE.splitlines()
        if f"`{case.gt}`" in line and f"`{case.pred}`" in line
    ]
    (line,) = lines
    numbers = [int(number) for number in re.findall(r"\| (\d+) (?=\|)", line.partition("|")[2])]
    if case.score != "Frag":
        return numbers[0], numbers[1]
    *_, ours, motmetrics, mots_tools = numbers
    return ours, {"motmetrics": motmetrics, "mots_tools": mots_tools}[case.name]


@pytest.mark.parametrize("case", differences.CASES, ids=lambda case: f"{case.name}: {case.why}")
def test_the_page_has_the_numbers(case):
    gt, pred = differences.frames_of(case.gt), differences.frames_of(case.pred)
    ours, theirs = stated(case)
    scale = SCALE[case.score]
    assert case.ours(differences.our_sums(gt, pred)) * scale == pytest.approx(ours)
    assert ours != theirs or case.score == "Frag"
    try:
        measured = case.theirs(gt, pred, Path("no checkouts"))
    except ImportError:
        return
    assert measured * scale == pytest.approx(theirs)
