"""Links by step in runs: rows with an oracle, and the mistakes that each step causes."""

import pytest
from helpers.annotated_scenes import AnnotatedScene
from helpers.experiment_networks import named_mapt
from helpers.scenes import PERSON, Box
from helpers.small_runs import source

from mapt_bench.baselines.rows import parse_row, row_name
from mapt_bench.errors import ConfigError
from mapt_bench.experiments import (
    AblationConfig,
    ablation_plan,
    added_variant,
    read_mapt_weights,
    run_experiment,
)
from mapt_bench.report.sections import run_sections
from mapt_bench.reports import run_headline, run_tables

BY = ("visibility", "gap")
SCENE = [
    [Box(1, 8 + 6 * t), Box(2, 74 - 5 * t, y=12, width=9, height=9)]
    + ([] if t in (2, 3) else [Box(3, 40, y=30, width=8, class_id=PERSON)])
    for t in range(7)
]
STEPS = ("motion", "appearance", "memory")


@pytest.fixture(scope="module")
def result(mapt_files, tmp_path_factory):
    mapt = read_mapt_weights(str(mapt_files / "mapt-tiny.safetensors"))
    plan = ablation_plan(mapt=mapt, only=("mapt+memory", "mapt:paper+memory"), by=BY)
    videos = [AnnotatedScene(SCENE, name=name) for name in ("a", "b")]
    groups = {"a": {"kind": "crowd"}, "b": {"kind": "street"}}
    return run_experiment(
        plan, source(*videos, groups=groups), tmp_path_factory.mktemp("steps") / "run"
    )


def test_each_fusion_is_followed_by_its_rows_with_an_oracle():
    plan = ablation_plan(mapt=named_mapt(), by=BY)
    names = [variant.name for variant in plan.variants]
    at = names.index("mapt+memory")
    assert names[at + 1 : at + 7] == [
        f"mapt+memory,oracle={steps}"
        for steps in (
            *STEPS,
            "motion+appearance",
            "appearance+memory",
            "motion+appearance+memory",
        )
    ]
    assert all(row_name(name) == name for name in names)
    own = [variant for variant in plan.variants if "oracle=" in variant.name]
    assert len(own) == 12
    assert {variant.group for variant in own} == {"reference"}
    assert dict(own[0].settings)["oracle"] == "motion"
    assert (
        len([name for name in ablation_plan(mapt=named_mapt()).variants if "=" in name.name]) == 0
    )


def test_a_row_with_an_oracle_is_a_reference():
    row = added_variant(parse_row("mapt+memory,oracle=memory"), mapt=named_mapt)
    assert row.group == "reference"
    assert added_variant(parse_row("mapt+memory"), mapt=named_mapt).group == "added"
    with pytest.raises(ConfigError, match="no setting 'oracle'"):
        parse_row("mapt:motion+memory,oracle=motion")
    with pytest.raises(ConfigError, match="did you mean 'memory'"):
        parse_row("mapt+memory,oracle=memroy")


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(ConfigError, match="--by names 'sizes'; did you mean 'size'"):
        ablation_plan(mapt=named_mapt(), by=("sizes",))
    with pytest.raises(ConfigError, match="there is no such row"):
        ablation_plan(by=BY)


def test_the_command_line_names_the_factors():
    words = AblationConfig(suite="tiny", by=BY).command_line()
    assert words == "mapt-bench ablate --suite tiny --by visibility,gap"


def test_all_steps_replaced_are_the_oracle(result):
    scores = {row["variant"]: row["scores"] for row in result["summary"]}
    for name in ("mapt+memory", "mapt:paper+memory"):
        whole = scores[f"{name},oracle=motion+appearance+memory"]
        assert whole["TQ"] == scores["oracle"]["TQ"] == 1
        assert whole["IDSW"] == 0


def test_shares_add_up(result):
    entries = {(each["variant"], each["kind"]): each for each in result["steps"]}
    assert len(entries) == 6
    for (name, kind), entry in entries.items():
        assert entry["n_sequences"] == (2 if kind == "all" else 1)
        assert ("gains" in entry) == (kind == "all")
        for score in entry["scores"].values():
            total = sum(score["steps"][step]["share"] for step in STEPS)
            assert total == pytest.approx(score["perfect"] - score["value"])
        for each in entry["mistakes"]:
            total = sum(each["steps"][step]["wrong"] for step in STEPS)
            assert total == pytest.approx(each["wrong"] - each["left"])
        whole = entry["mistakes"][0]
        assert (whole["slice"], whole["left"]) == ("all", 0)
        steps = [each for each in entry["decisions"] if each["slice"] == "all"]
        assert steps[0]["links"] == sum(each["links"] for each in steps[1:]) == whole["links"]
        if kind == "all":
            row = next(row for row in result["summary"] if row["variant"] == name)
            assert whole["wrong"] == row["scores"]["IDSW"]
    slices = {each["slice"] for each in result["steps"][0]["mistakes"]}
    assert slices == {"all", "visible fraction", "gap"}


def test_tables_and_the_report_show_the_steps(result):
    tables = {table.name: table for table in run_tables(result)}
    assert len(tables["step_scores"].rows) == 6 * 5
    assert {row[1] for row in tables["by_step"].rows} == {"all", "crowd", "street"}
    assert tables["step_mistakes"].columns[-1].name == "left"
    headings = {section.heading: section for section in run_sections(result, None, 0)}
    (block,) = headings["Steps of the fusion"].blocks
    assert block.texts  # the scene is made so that links are lost
    assert block.charts
    said = [text for each in run_headline(result).findings for text in each.sentences]
    assert set(block.texts) <= set(said)
