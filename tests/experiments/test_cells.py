from dataclasses import replace
from pathlib import Path

import pytest

from mapt_bench.experiments import Cell, FlowWeights, Variant
from mapt_bench.experiments.cells import cell_config, cell_key, code_fingerprint

VARIANT = Variant("both", "both", "heads", "both", memory=0)
GIVEN = {"data_fingerprint": "d", "segments": {"kind": "ground truth", "noise": None}, "seed": 0}
WEIGHTS = FlowWeights("flow:raft-small", Path("raft.pth"), "aa")


def key(variant=VARIANT, *, drop=1, pair=1, **changes):
    return cell_key(cell_config(Cell(variant, drop=drop), pair=pair), **{**GIVEN, **changes})


def test_a_key_is_the_same_every_time_and_short():
    assert key() == key()
    assert len(key()) == 16
    assert int(key(), 16) >= 0


@pytest.mark.parametrize(
    "changed",
    [
        key(replace(VARIANT, associator="both:simultaneous")),
        key(replace(VARIANT, memory=10)),
        key(replace(VARIANT, settings=(("motion_threshold", 0.2),))),
        key(replace(VARIANT, weights=WEIGHTS)),
        key(drop=2),
        key(pair=2),
        key(data_fingerprint="e"),
        key(segments={"kind": "ground truth", "noise": {"missed": 0.1}}),
        key(seed=1),
    ],
)
def test_whatever_decides_the_result_changes_the_key(changed):
    assert changed != key()


def test_names_do_not_change_the_key():
    assert key(replace(VARIANT, name="mine", label="my fusion", group="fusion")) == key()


def test_weights_count_by_their_contents_not_their_place():
    with_weights = replace(VARIANT, weights=WEIGHTS)
    moved = replace(WEIGHTS, path=Path("elsewhere/raft.pth"))
    assert key(replace(VARIANT, weights=moved)) == key(with_weights)
    trained_on = replace(WEIGHTS, sha256="bb")
    assert key(replace(VARIANT, weights=trained_on)) != key(with_weights)


def test_changed_code_changes_the_key(monkeypatch):
    before = key()
    monkeypatch.setattr("mapt_bench.experiments.cells.code_fingerprint", lambda: "other code")
    assert key() != before


def test_the_code_has_one_fingerprint():
    assert code_fingerprint() == code_fingerprint()
    assert len(code_fingerprint()) == 16
