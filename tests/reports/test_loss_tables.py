from mapt_bench.metrics.losses import LOSS_SCORES as DECOMPOSED
from mapt_bench.reports.loss_tables import (
    LOSS_SCORES,
    losses_of_rows,
    losses_table,
    short_losses_table,
)


def loss(share, causes=None, gain=0.125):
    found = {
        "entries": 3,
        "pixels": 40,
        "gain": dict.fromkeys(LOSS_SCORES, gain),
        "share": dict.fromkeys(LOSS_SCORES, share),
    }
    return {**found, "causes": causes} if causes else found


LOSSES = {
    "pat": "thing_ids_present_classes",
    "score": dict.fromkeys(LOSS_SCORES, 0.25),
    "perfect": dict.fromkeys(LOSS_SCORES, 1.0),
    "kinds": {
        "identity": loss(0.5, {"switch": loss(0.125), "new_identity": loss(0.375)}),
        "missed": loss(0.25),
    },
}


def test_tables_have_the_scores_that_are_decomposed():
    assert LOSS_SCORES == DECOMPOSED


def test_the_short_table_names_the_largest_cause_and_adds_up():
    table = short_losses_table("mine", LOSSES)
    assert [[row[0], row[1], row[-2], row[-1]] for row in table.texts()] == [
        ["identity", "50.00", "+12.50", "new identity 37.50"],
        ["missed", "25.00", "+12.50", ""],
        ["all", "75.00", "+75.00", ""],
    ]


def test_the_table_of_files_has_every_cause():
    table = losses_table("mine", LOSSES)
    assert [row[:5] for row in table.texts()] == [
        ["identity", "all", "3", "40", "50.00"],
        ["identity", "switch", "3", "40", "12.50"],
        ["identity", "new identity", "3", "40", "37.50"],
        ["missed", "all", "3", "40", "25.00"],
    ]
    assert table.keys == (("prediction", "mine"),)


def test_undefined_scores_are_dashes():
    kinds = {"stuff": {**loss(None, gain=None), "share": {**loss(0.5)["share"], "PAT": None}}}
    losses = {**LOSSES, "kinds": kinds, "perfect": {**LOSSES["perfect"], "PAT": None}}
    table = short_losses_table("mine", losses)
    assert table.texts()[0][:3] == ["stuff", "–", "50.00"]  # noqa: RUF001 - the dash of undefined
    assert table.texts()[1][:3] == ["all", "–", "75.00"]  # noqa: RUF001 - the dash of undefined


def test_rows_of_a_sweep_with_the_same_work_are_listed_once():
    rows = [{"variant": "oracle", "cell": cell, "losses": LOSSES} for cell in ("a", "a", "b")]
    first, *others = losses_of_rows(rows)
    assert len(first.rows) == len(others) == 2
