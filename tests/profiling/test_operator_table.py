import re
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import flop_registry

from mapt_bench.errors import ConfigError
from mapt_bench.profiling import _fvcore_formulas, _torch_formulas
from mapt_bench.profiling._fvcore_formulas import fvcore_handles
from mapt_bench.profiling._operator_registry import known_operators
from mapt_bench.profiling.operator_table import (
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
    assert set(_torch_formulas._FORMULAS) <= names
    assert set(_fvcore_formulas._LAYERS) <= names
    handled = {name for name in fvcore_handles() if plain_name(name) == name}
    assert {name for name in handled if not name.endswith("___")} <= set(known_operators())


def test_the_first_count_has_a_formula_for_every_counted_operator():
    formulas = {
        packet._qualified_op_name for packet in flop_registry if hasattr(packet, "overloads")
    }
    formulas |= {name for name, row in known_operators().items() if len(row.formulas) == 1}
    formulas |= set(_torch_formulas._FORMULAS)
    key = "CompositeImplicitAutograd"  # such an operator is counted by its parts
    for row in OPERATORS:
        for name in row.names if row.is_counted else ():
            parts = any(
                torch._C._dispatch_has_kernel_for_dispatch_key(f"{name}{overload}", key)
                for overload in ("", ".input", ".data", ".padding", ".center")
                if torch._C._dispatch_has_kernel(f"{name}{overload}")
            )
            assert name in formulas or parts, name


def test_what_costs_nothing_has_no_formula():
    handles = fvcore_handles()
    for name, row in known_operators().items():
        if not row.formulas:
            assert name not in _torch_formulas._FORMULAS
            assert handles[name] is None


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
        for name in row.names if row.is_counted else ():
            assert f"`{name}`" in PAGE, name


def test_the_page_has_every_kind_of_free_operator():
    table = PAGE.partition("### Free operators")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    found = {row[0]: (row[1], row[3]) for row in rows if len(row) == 4}
    for row in OPERATORS:
        if not row.is_counted:
            price = row.formulas.get(Term.ARITHMETIC, "")
            values = f"1 per {price.removesuffix('s')}" if price else "0"
            assert found[row.title] == (values, row.rule or "by name")


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
