"""Names of rows in plans: ``+memory`` stands for the memory of the run."""

import pytest

from mapt_bench.experiments import (
    AblationConfig,
    ReportSettings,
    SweepConfig,
    memory_of,
    name_in_plan,
    name_in_run,
    names_by_plan,
    plan_text,
    read_plan,
)


@pytest.mark.parametrize("memory", [1, 5, 10, 20])
@pytest.mark.parametrize(
    "name", ["iou", "sort+memory", "sort+memory=5", "mapt+memory=7,switch=static", "a:B+memory,x=1"]
)
def test_a_name_of_a_run_comes_back_from_its_plan(name, memory):
    assert name_in_run(name_in_plan(name, memory), memory) == name


def test_default_rows_have_one_name_in_all_runs():
    names = ["unlinked", "iou", "sort+memory=5"]
    few = names_by_plan(AblationConfig(memory=5), names)
    assert few == {"unlinked": "unlinked", "iou": "iou", "sort+memory": "sort+memory=5"}
    many = names_by_plan(AblationConfig(), ["unlinked", "iou", "sort+memory"])
    assert few.keys() == many.keys()
    assert memory_of(SweepConfig()) == 0
    assert name_in_run("sort+memory", 0) == "sort+memory"


def test_a_row_with_a_number_is_another_row_than_one_without():
    only = ("sort+memory", "sort+memory=10,sort_iou_threshold=0.40", "iou+memory=10")
    tail = ",sort_iou_threshold=0.4"
    keys = {"sort+memory", f"sort+memory=10{tail}", "iou+memory=10"}
    five = ["sort+memory=5", f"sort+memory{tail}", "iou+memory"]
    ten = ["sort+memory", f"sort+memory{tail}", "iou+memory"]
    for memory, names in ((5, five), (10, ten)):
        found = names_by_plan(AblationConfig(memory=memory, only=only), names)
        assert found.keys() == keys
        assert set(found.values()) == set(names)
    both = ("sort+memory", "sort+memory=10")
    found = names_by_plan(AblationConfig(memory=10, only=both), ["sort+memory"])
    assert found == {"sort+memory": "sort+memory", "sort+memory=10": "sort+memory"}


def test_the_plan_of_a_run_names_its_losses_as_plans_do(tmp_path):
    given = AblationConfig(
        suite="tiny",
        weights="none",
        memory=5,
        only=("sort+memory", "sort+memory=10"),
        losses=("sort+memory=5", "sort+memory"),
    )
    path = tmp_path / "plan.yaml"
    path.write_text(plan_text([given], ReportSettings()))
    (run,) = read_plan(path).runs
    assert run.config.losses == given.losses
