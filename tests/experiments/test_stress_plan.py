from pathlib import Path

import pytest

from mapt_bench.errors import ConfigError
from mapt_bench.experiments import Cell, stress_plan
from mapt_bench.experiments.plans.network_weights import MaptWeights
from mapt_bench.stress import Stress


def names(plan):
    return [variant.name for variant in plan.variants]


def test_every_variant_runs_without_stress_and_at_every_level():
    plan = stress_plan("similarity", stressors=("washed",), levels=(5, 1))
    assert plan.experiment == "stress-similarity"
    conditions = {cell.stress for cell in plan.cells}
    assert conditions == {None, Stress("washed", 1), Stress("washed", 5)}
    assert len(plan.cells) == 3 * len(plan.variants)
    assert [stress.level for stress in plan.series[0].stresses] == [1, 5]


def test_level_0_is_run_once_for_all_stressors():
    plan = stress_plan("occlusion", stressors=("bars", "poles"), levels=(2,))
    assert [each.stressor for each in plan.series] == ["bars", "poles"]
    assert sum(cell.stress is None for cell in plan.cells) == len(plan.variants)
    assert len(plan.cells) == 3 * len(plan.variants)


def test_orders_of_fusion_are_crossed_with_occlusion_and_motion():
    for kind in ("occlusion", "motion"):
        assert {"both:appearance-first", "both:simultaneous"} <= set(names(stress_plan(kind)))
    assert not {"both:appearance-first", "both:simultaneous"} & set(names(stress_plan("image")))


def test_references_and_memory():
    variants = {variant.name: variant for variant in stress_plan("motion").variants}
    assert {name for name, row in variants.items() if row.group == "reference"} == {
        "copy",
        "oracle",
    }
    memory = {name: row.memory for name, row in variants.items() if row.memory}
    assert memory == {"bytetrack+memory": 10, "both+memory": 10}
    longer = stress_plan("motion", memory=4)
    assert {variant.memory for variant in longer.variants} == {None, 0, 4}


def test_dropped_frames_have_phases_and_no_stress():
    plan = stress_plan("motion", stressors=("drop",), levels=(1, 3), seed=3)
    assert {(cell.drop, cell.stress) for cell in plan.cells} == {(1, None), (2, None), (5, None)}
    (series,) = plan.series
    variant = plan.variants[0]
    assert series.level_of(Cell(variant)) == 0
    assert series.level_of(Cell(variant, drop=5)) == 3
    assert series.level_of(Cell(variant, drop=3)) is None


def test_a_cell_stands_at_its_level_in_its_own_series():
    plan = stress_plan("occlusion", stressors=("bars", "poles"), levels=(2, 4), seed=1)
    bars, poles = plan.series
    cell = Cell(plan.variants[0], stress=Stress("bars", 4, 1))
    assert bars.level_of(cell) == 4
    assert poles.level_of(cell) is None
    assert bars.level_of(Cell(plan.variants[0], stress=Stress("bars", 4, 2))) is None
    assert bars.level_of(Cell(plan.variants[0], pair=2)) is None


def test_occlusion_leaves_poles_out_unless_asked_for():
    assert [each.stressor for each in stress_plan("occlusion").series] == [
        *("bars", "passing", "pasted"),
    ]
    asked = stress_plan("occlusion", stressors=("poles", "bars"))
    assert [each.stressor for each in asked.series] == ["bars", "poles"]
    assert len(stress_plan("image").series) == 5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "oclusion"}, "did you mean 'occlusion'"),
        ({"kind": "failure"}, "did you mean 'failures'"),
        ({"kind": "failures", "stressors": ("sped",)}, "no stressor 'sped'; did you mean 'speed'"),
        ({"stressors": ("bar",)}, "did you mean 'bars'"),
        ({"stressors": ("drop",)}, "no stressor 'drop' of kind 'occlusion'"),
        ({"stressors": ("bars", "bars")}, "occurs twice"),
        ({"levels": ()}, "level 0, the unchanged videos, always runs"),
        ({"levels": (0, 1)}, "1 (mild) to 5"),
        ({"levels": (6,)}, "1 (mild) to 5"),
        ({"levels": (2, 2)}, "distinct levels"),
        ({"memory": 0}, "memory is 0"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_wrong_settings_are_refused(given, message):
    with pytest.raises(ConfigError) as refused:
        stress_plan(**{"kind": "occlusion", **given})
    assert message in refused.value.message


def weights(**changes):
    given = {"name": "m", "path": Path("m"), "sha256": "0", "label_space": "kitti-step"}
    return MaptWeights(**{**given, "has_motion": True, "has_appearance": True, **changes})


HEADS = ["mapt:motion+memory", "mapt:appearance+memory", "mapt:paper+memory", "mapt+memory"]
ORDERS = ["mapt:appearance-first+memory", "mapt:simultaneous+memory"]


def of_mapt(plan):
    return [name for name in names(plan) if name.startswith("mapt")]


def test_mapt_has_its_heads_everywhere_and_its_orders_under_occlusion_and_motion():
    assert of_mapt(stress_plan("image", mapt=weights())) == HEADS
    assert of_mapt(stress_plan("motion", mapt=weights())) == [*HEADS, *ORDERS]
    plan = stress_plan("occlusion", mapt=weights(), memory=4)
    assert [row.memory for row in plan.variants if row.mapt] == [4] * 6
    assert [name.replace("+memory=4", "+memory") for name in of_mapt(plan)] == [*HEADS, *ORDERS]
    assert "both+memory=4" in names(plan)
    assert "both" not in names(plan)  # next to MAPT with memory it has memory, too
    assert "both:simultaneous" not in names(plan)  # replaced by the orders of MAPT


def test_a_head_that_the_weights_lack_has_no_row():
    assert of_mapt(stress_plan("occlusion", mapt=weights(has_motion=False))) == HEADS[1:2]
    assert of_mapt(stress_plan("failures", mapt=weights(has_appearance=False))) == HEADS[:1]


def test_failures_have_one_stressor_for_each_signature_and_the_rows_of_mapt():
    plan = stress_plan("failures", mapt=weights())
    assert plan.experiment == "stress-failures"
    assert names(plan) == ["copy", *HEADS, *ORDERS, "oracle"]
    levels = {each.stressor: [stress.level for stress in each.stresses] for each in plan.series}
    assert levels == {"speed": [3], "passing": [3], "look-alikes": [3], "blur": [3]}
    assert [*levels] == ["speed", "passing", "look-alikes", "blur"]
    asked = stress_plan("failures", stressors=("washed", "drop"), levels=(2, 4))
    assert [each.stressor for each in asked.series] == ["washed", "drop"]
    assert {cell.drop for cell in asked.cells} == {1, 3, 7}


def test_failures_without_mapt_have_the_cues_without_a_network():
    assert names(stress_plan("failures")) == [
        *("copy", "motion+memory", "appearance+memory", "both+memory"),
        *("both:appearance-first+memory", "both:simultaneous+memory", "oracle"),
    ]


def test_every_source_of_segments_has_every_cell():
    plan = stress_plan("occlusion", stressors=("bars",), levels=(2,), segments=("a", "b"))
    assert len(plan.cells) == 2 * 2 * len(plan.variants)
    (series,) = plan.series
    assert {(cell.segments, series.level_of(cell)) for cell in plan.cells} == {
        *(("a", 0), ("a", 2), ("b", 0), ("b", 2)),
    }
