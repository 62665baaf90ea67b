from dataclasses import replace
from pathlib import Path

import pytest

from mapt_bench.experiments import Cell, MaptWeights, NetworkWeights, Variant
from mapt_bench.experiments.engine._keys import cell_config, cell_key, segments_key
from mapt_bench.stress import Stress

VARIANT = Variant("both", "both", "heads", "both", memory=0)
GIVEN = {"code": "c", "data_fingerprint": "d", "segments": "s", "seed": 0}
SEGMENTS = {"kind": "ground truth", "noise": None}
WEIGHTS = NetworkWeights("flow:raft-small", Path("raft.pth"), "aa")
MAPT = MaptWeights("mapt-tiny", Path("tiny.safetensors"), "cc", "kitti-step", True, True)


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
        key(replace(VARIANT, mapt=MAPT)),
        key(replace(VARIANT, switches=("no-gate",))),
        key(drop=2),
        key(pair=2),
        key(data_fingerprint="e"),
        key(code="other code"),
        key(segments="other segments"),
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


def test_a_mapt_counts_by_its_contents_not_by_its_name_or_place():
    moved = replace(MAPT, name="mine", path=Path("elsewhere.safetensors"))
    assert key(replace(VARIANT, mapt=moved)) == key(replace(VARIANT, mapt=MAPT))
    trained_on = replace(MAPT, sha256="dd")
    assert key(replace(VARIANT, mapt=trained_on)) != key(replace(VARIANT, mapt=MAPT))
    # A flow network and a MAPT of the same bytes are not the same row.
    as_flow = replace(WEIGHTS, sha256=MAPT.sha256)
    assert key(replace(VARIANT, weights=as_flow)) != key(replace(VARIANT, mapt=MAPT))


def key_of_segments(segments=SEGMENTS, **changes):
    given = {"code": "c", "data_fingerprint": "d", "labels": {}, "stress": None, "seed": 0}
    return segments_key(segments, **{**given, **changes})


@pytest.mark.parametrize(
    "changed",
    [
        key_of_segments({"kind": "ground truth", "noise": {"missed": 0.1}}),
        key_of_segments({"kind": "found by MAPT", "weights": "aa"}),
        key_of_segments(code="other code"),
        key_of_segments(data_fingerprint="e"),
        key_of_segments(labels={"name": "mine"}),
        key_of_segments(stress=Stress("bars", 1)),
        key_of_segments(stress=Stress("bars", 2)),
        key_of_segments(stress=Stress("bars", 1, seed=3)),
        key_of_segments(seed=1),
    ],
)
def test_whatever_decides_segments_changes_their_key(changed):
    assert changed != key_of_segments()
    assert len(changed) == 16
