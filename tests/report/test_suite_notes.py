"""Notes on suites: the levels of the hard split, and the names of its sequences."""

import re

import pytest

from mapt_bench.report.suite_notes import name_notes, with_levels
from mapt_bench.report.terms import factor_meanings
from mapt_bench.reports.tables import Column, Table
from mapt_bench.synthetic.suites import open_suite
from mapt_bench.synthetic.world_settings import FACTORS, cell_code

NAMES = [entry.video.name for entry in open_suite("quick").entries]


def _run(version=2):
    suite = {"name": "quick", "version": version}
    groups = [{"factor": name, "value": "low", "sequences": []} for name in FACTORS]
    return {"groups": groups, "provenance": {"data": {"suite": suite}}}


def _table(name, rows):
    return Table("T", (Column("sequence"),), tuple((row,) for row in rows), ("last",), name=name)


def test_the_glossary_has_the_levels_of_the_suites():
    meanings = factor_meanings()
    assert list(meanings) == [name.replace("_", " ") for name in FACTORS]
    for factor, meaning in zip(FACTORS.values(), meanings.values(), strict=True):
        levels = re.findall(r"([\d.]+) \((low|high)", meaning)
        assert [(float(value), name) for value, name in levels] == [
            (factor.low, "low"),
            (factor.high, "high"),
        ]


def test_columns_of_levels_have_their_values_below():
    shown = _table("links_by_group", ["mapt"])
    (table,) = with_levels([shown], _run())
    assert table.footnotes[-1] == "last"
    assert (
        "gap length: frames for which things are completely hidden, 3 (low)" in (table.footnotes[0])
    )
    other = _table("scores", ["mapt"])
    assert with_levels([other], _run()) == [other]


@pytest.mark.parametrize("run", [_run(version=1), {"groups": [], "provenance": {}}, {}])
def test_levels_of_other_data_are_not_stated(run):
    shown = _table("links_by_group", ["mapt"])
    assert with_levels([shown], run) == [shown]


def test_names_of_hard_sequences_are_explained():
    first, *_ = (name for name in NAMES if "-hard-" in name)
    code = first.split("-")[3]
    (names, levels) = name_notes(_run(), [_table("worst_sequences", NAMES)])
    assert f"as in {code}: d displacement, n neighbour distance, s similarity, g gap" in names
    assert levels.startswith("Levels of the hard split.")
    letters = re.findall(r"([a-z])[01]", cell_code(dict.fromkeys(FACTORS, "low")))
    assert letters == [name[0] for name in factor_meanings()]
    assert not name_notes(_run(), [_table("worst_sequences", ["0001", "real-000"])])
    assert not name_notes({}, [_table("worst_sequences", NAMES)])
