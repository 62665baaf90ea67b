import re
from collections import Counter
from pathlib import Path

import pytest

from mapt_bench.errors import ConfigError
from mapt_bench.profiling import _fvcore_counter, _torch_counter
from mapt_bench.profiling.operator_table import (
    DATA_MOVEMENT,
    MODES,
    OPERATORS,
    Term,
    Work,
    mode_terms,
    plain_name,
)

PAGE = (Path(__file__).parents[2] / "docs" / "flops.md").read_text(encoding="utf-8")


def test_no_operator_stands_in_two_rows():
    names = Counter(name for row in OPERATORS for name in row.names)
    assert [name for name, count in names.items() if count > 1] == []


def test_both_counts_know_only_operators_of_the_table():
    names = {name for row in OPERATORS for name in row.names}
    assert set(_torch_counter._FORMULAS) <= names
    handled = {name for name in _fvcore_counter._handles() if plain_name(name) == name}
    assert {name for name in handled if not name.endswith("___")} <= names


def test_what_costs_nothing_has_no_formula():
    assert set(DATA_MOVEMENT) & set(_torch_counter._FORMULAS) == set()
    for name in DATA_MOVEMENT:
        assert _fvcore_counter._handles()[name] is None


def _costs(mode):
    """Return the list of a mode on the page: formula by operator."""
    section = PAGE.partition(f"\nMode `{mode}`:\n\n")[2].partition("\n\n")[0]
    items = " ".join(section.split()).removeprefix("- ").split(" - ")
    return dict(item.split(": ", 1) for item in items)


@pytest.mark.parametrize("mode", MODES)
def test_the_page_has_the_cost_of_every_operator(mode):
    assert _costs(mode) == {row.title: row.formula(mode) for row in OPERATORS if row.formula(mode)}


def test_the_page_names_every_operator_with_a_price():
    for row in OPERATORS:
        if row.formulas:
            for name in row.names:
                assert f"`{name}`" in PAGE, name


def test_the_page_describes_every_mode_and_option():
    from mapt_bench.cli.flops import command

    for mode in MODES:
        assert re.search(rf"^- `{re.escape(mode)}`: ", PAGE, flags=re.MULTILINE)
    for parameter in command.params:
        for option in parameter.opts:
            if option.startswith("--"):
                assert option in PAGE, option


def test_unknown_modes_suggest_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'ptflops'"):
        mode_terms("ptflop")


def test_work_adds_up_with_the_plain_flops_of_torch():
    work = 0 + Work({Term.MATRIX: 3, Term.BIAS: 1}) + 8
    assert work == Work({Term.MATRIX: 7, Term.BIAS: 1})
    assert (work - Work({Term.BIAS: 1})).total(MODES["ptflops"]) == 7
