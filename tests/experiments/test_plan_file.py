"""Plans in files: every key, every combination, and every mistake at its line and column."""

import json
import os
import re
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from helpers.modules import ROOT

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.experiments import (
    AblationConfig,
    ReportSettings,
    StressConfig,
    SweepConfig,
    plan_checks,
    plan_text,
    read_plan,
)
from mapt_bench.experiments.plan_checks import in_keys
from mapt_bench.experiments.plan_settings import RUN_KEYS, PlanSettings

jsonschema = pytest.importorskip("jsonschema")

FEW = "weights: none\nsegments: groundtruth\n"


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "DATA").mkdir()

    def read_text(text, *, name="a.yaml", **options):
        (tmp_path / name).write_text(text)
        return read_plan(Path(name), options.pop("variables", None), **options)

    return read_text


def configs(plan):
    return {run.name: run.config for run in plan.runs}


def test_a_plan_has_the_options_of_the_command(read):
    plan = read("""
name: mine
experiment: ablate
data: {folder: DATA, dataset: kitti-step, encoding: kitti-step, map: common}
segments: [groundtruth, noisy]
trackers:
  - both+memory
  - {tracker: sort, memory: 3, settings: {sort_iou_threshold: 0.4}}
add: iou
weights: none
thresholds: published
memory: 7
reference: both+memory
without_memory: true
seeds: 3
report: {scores: [PAT], rows: [iou], losses: [iou], page: false, gallery: 0, full: true}
""")
    assert plan.name == "mine"
    assert configs(plan)[""] == AblationConfig(
        data=Path("DATA"),
        dataset="kitti-step",
        encoding="kitti-step",
        class_map="common",
        segments="groundtruth,noisy",
        only=("both+memory", "sort+memory=3,sort_iou_threshold=0.4"),
        add=("iou",),
        weights="none",
        thresholds="published",
        memory=7,
        reference="both+memory",
        without_memory=True,
        seed=3,
        losses=("iou",),
    )
    assert plan.report == ReportSettings(
        scores=("PAT",), rows=("iou",), losses=("iou",), page=False, gallery=0, full=True
    )


def test_experiments_have_their_own_keys_and_defaults(read):
    sweep = read(f"experiment: sweep-interval\n{FEW}data: {{suite: tiny}}\ndrop: [1, 2]\n")
    (config,) = configs(sweep).values()
    given = {"weights": "none", "segments": "groundtruth", "suite": "tiny"}
    assert config == SweepConfig(**given, drop=(1, 2), pair=None)
    (both,) = configs(read(f"experiment: sweep-interval\n{FEW}")).values()
    assert both == SweepConfig(weights="none", segments="groundtruth")
    stress = read(f"experiment: stress-motion\n{FEW}stressors: drop\nlevels: 2\n")
    (config,) = configs(stress).values()
    given = {"weights": "none", "segments": "groundtruth", "stressors": ("drop",)}
    assert config == StressConfig(kind="motion", levels=(2,), **given)


MATRIX = f"""
experiment: ablate
{FEW}
data: [{{suite: tiny}}, {{suite: quick}}]
seeds: [0, 1]
matrix:
  thresholds: [tuned, published]
  memory: [5, 10]
"""


def test_a_plan_counts_the_steps_of_a_fusion(read):
    text = "experiment: ablate\ndata: {suite: tiny}\nby: [visibility, gap]\n"
    (config,) = configs(read(text)).values()
    assert config == AblationConfig(suite="tiny", by=("visibility", "gap"))
    assert "by:\n- visibility\n- gap\n" in plan_text([config], ReportSettings())
    with pytest.raises(ConfigError, match=r"^by names 'gaps'; did you mean 'gap'") as caught:
        read(text.replace("gap", "gaps"))
    assert ", line 3" in str(caught.value.where)


def test_a_matrix_is_crossed_with_data_and_seeds(read):
    plan = read(MATRIX)
    found = configs(plan)
    assert len(found) == 2**4
    assert len(set(found.values())) == 2**4
    one = found["quick,seed=1,thresholds=published,memory=5"]
    assert (one.suite, one.seed, one.thresholds, one.memory) == ("quick", 1, "published", 5)
    assert not plan.by_data
    assert read(MATRIX.partition("seeds")[0]).by_data


def test_combinations_are_excluded_and_included(read):
    plan = read(f"""{MATRIX}
exclude:
  - {{thresholds: published, seed: 1}}
  - {{suite: quick, memory: 5}}
include:
  - {{experiment: stress-motion, stressors: [drop], levels: [1], data: {{suite: tiny}}, seeds: 7}}
""")
    found = configs(plan)
    kept = [each for each in found.values() if isinstance(each, AblationConfig)]
    assert len(kept) == 9
    assert not [each for each in kept if (each.thresholds, each.seed) == ("published", 1)]
    assert not [each for each in kept if (each.suite, each.memory) == ("quick", 5)]
    (more,) = (each for each in found.values() if isinstance(each, StressConfig))
    assert (more.suite, more.seed, more.levels) == ("tiny", 7, (1,))


def test_a_plan_lies_over_its_base_and_takes_variables(read, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/base.yaml").write_text(
        f"experiment: ablate\n{FEW}variables: {{suite: quick, n: 3}}\n"
        "data: {suite: '${suite}'}\nmemory: ${n}\n"
    )
    over = "base: sub/base.yaml\nthresholds: published\nvariables: {suite: tiny}\n"
    (config,) = configs(read(over)).values()
    assert (config.suite, config.memory, config.thresholds) == ("tiny", 3, "published")
    (config,) = configs(read(over, variables={"n": "4", "suite": "stress"})).values()
    assert (config.suite, config.memory) == ("stress", 4)
    assert "base" not in yaml.safe_load(read(over).text)


def test_the_text_of_a_plan_is_the_same_plan(read):
    plan = read(MATRIX)
    again = read(plan.text, name="b.yaml")
    assert (again.runs, again.text) == (plan.runs, plan.text)
    config = SweepConfig(data=Path("DATA"), drop=(1, 2), pair=None, memory=3, weights="none")
    report = ReportSettings(scores=("PAT", "STQ"), page=False)
    text = plan_text([config], report)
    found = read(text)
    assert (configs(found)[""], found.report, found.text) == (config, report, text)
    several = [
        AblationConfig(data=Path("DATA"), dataset="kitti-step"),
        AblationConfig(suite="tiny"),
    ]
    found = read(plan_text(several, report))
    assert list(configs(found).values()) == several
    assert list(configs(found)) == ["DATA", "tiny"]


def test_a_folder_with_the_sign_of_a_variable_stays_as_it_is(read, tmp_path):
    (tmp_path / "a${b}").mkdir()
    config = AblationConfig(data=Path("a${b}"))
    assert configs(read(plan_text([config], ReportSettings())))[""] == config


def stress(text):
    return f"experiment: stress-occlusion\nweights: none\n{text}\n"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("experiment: ablate\nmemry: 3\n", "2, column 1", "unknown key 'memry'; .* 'memory'"),
        ("experiment: ablat\n", "1, column 13", "experiment is 'ablat'; did you mean 'ablate'"),
        ("memory: 3\n", "1, column 1", "lacks the key 'experiment'; expected one of ablate"),
        (stress("levels: [1, x]"), "3, column 13", r"levels\[1\] is 'x'; expected a whole number"),
        (stress("levels: [1, 9]"), "3, column 13", "distinct levels from 1"),
        (stress("stressors: [bars, brs]"), "3, column 19", "no stressor 'brs'.*'bars'"),
        (stress("drop: [1]"), "3, column 1", "drop is no key of the experiment 'stress-occ"),
        (stress("trackers: [sort, srt+memory]"), "3, column 18", "tracker 'srt'; did you mean 's"),
        (stress("trackers: [{tracker: sort, memroy: 1}]"), "3, column 28", "did you mean .*memory"),
        (stress("trackers: [{memory: 1}]"), "3, column 12", "lacks the key 'tracker'"),
        (stress("trackers: [3]"), "3, column 12", r"trackers\[0\] is 3; expected text"),
        (stress("data: {suite: tny}"), "3, column 15", "'tny'; did you mean 'tiny'"),
        (stress("data: {folder: NONE}"), "3, column 16", "NONE: does not exist"),
        (stress("data: [{folder: DATA, datset: x}]"), "3, column 23", "'data.0..datset'; did you"),
        (stress("data: {folder: DATA, dataset: kiti}"), "3, column 31", "'kitti-step'"),
        (stress("data: {suite: tiny, folder: DATA}"), "3, column ", "keep one of them"),
        (stress("thresholds: tund"), "3, column 13", "did you mean 'tuned'"),
        (stress("segments: [groundtruth, nosy]"), "3, column 25", "did you mean 'noisy'"),
        (stress("memory: many"), "3, column 9", "memory is 'many'; expected a whole number"),
        (stress("seeds: [-1]"), "3, column 9", "^seeds is -1; expected 0 or more"),
        (stress(f"seeds: [0, {2**63}]"), "3, column ", "expected 0 or more, below 2"),
        (stress(f"seeds: [{9**30}]"), "3, column ", "more than 64 bits|expected 0 or more, below"),
        (stress("report: {scores: PAT}"), "3, column 18", "report.scores is 'PAT'; expected a l"),
        (stress("report: {gallery: -1}"), "3, column 9", "gallery is -1"),
        (stress("report: {losses: [iou, srt]}"), "3, column 24", "'srt', which no run has; did"),
        (
            stress("report: {rows: [sort+memry]}"),
            "3, column 17",
            "names the row 'sort",
        ),
        (stress("report: {scores: [PAT, PTA]}"), "3, column 24", "unknown score 'PTA'; did you me"),
        (stress("report: {scores: [PAT, PAT]}"), "3, column 24", "report.scores has 'PAT' twice"),
        (stress("memory: true"), "3, column 9", "memory is true; expected a whole number"),
        (stress("trackers: [sort+memry]"), "3, column 12", r"did you mean 'sort\+memory'\?"),
        (stress("trackers: [sort, iou, sort]"), "3, column 23", "trackers has 'sort' twice; keep"),
        (stress("add: [sort+memory, {tracker: sort+memory}]"), "3, column 20", "twice; keep one"),
        (stress("stressors: [bars, bars]"), "3, column 19", "stressors has 'bars' twice"),
        (stress("seeds: [0, 0]"), "3, column 12", "the same run twice"),
        (stress("data: [{suite: tiny}, {suite: tiny}]"), "3, column 23", "the same run twice"),
        (stress("include: [{memory: 5}, {memory: 5}]"), "3, column 33", "the same run twice"),
        (stress("include: []"), "3, column 1", "an empty include removes every run"),
        (stress("exclude: [{levls: 1}]\nmatrix: {levels: [1]}"), "3, column 12", "mean 'levels'"),
        (
            stress("exclude: [{memory: null}]\nmatrix: {memory: [5]}"),
            "3, column 11",
            "memory: null}",
        ),
        ("[" * 3000, "1, column 21", "is nested deeper than 20 levels"),
        ("a: \a\n", "1, column 4", "is not valid YAML"),
        ("- a\n", "1, column 1", "holds no mapping"),
        (stress("matrix: {levles: [1]}"), "3, column 10", "unknown key 'levles'; .*'levels'"),
        (stress("matrix: {levels: 1}"), "3, column 18", "matrix.levels is 1; expected a list"),
        (stress("matrix: {levels: []}"), "3, column 18", "matrix.levels is empty"),
        (stress("matrix: {seeds: [1]}"), "3, column 10", "list its values at the top"),
        (stress("matrix: {memory: [5, x]}"), "3, column 22", "memory is 'x'; expected a whole"),
        (stress("matrix: {memory: [5, 5]}"), "3, column 22", "the same run twice"),
        (stress("matrix: {memory: [5, 0]}"), "3, column 22", "memory is 0; expected 1 frame"),
        (stress("include: [{levles: 1}]"), "3, column 12", "include has an unknown key 'levles'"),
        (stress("exclude: [{suite: tiny}]"), "3, column 11", "{suite: tiny} fits no run"),
        (stress("exclude: [{levels: 1}]"), "3, column 12", "exclude has an unknown key 'levels'"),
        (
            stress("matrix: {levels: [1]}\nexclude: [{levels: 1}]"),
            "4, column 1",
            "exclude removes every run",
        ),
        (stress("base: none.yaml"), "3, column 7", "there is no plan none.yaml"),
        (stress("base: DATA"), "3, column 7", "the base DATA is a folder; expected a YAML file"),
        (stress(f"base: {'n' * 300}"), "3, column 7", "there is no plan nnn"),
        (stress("base: 3"), "3, column 7", "base is 3; expected a path"),
        (stress("base: a.yaml"), "3, column 7", "a.yaml is its own base"),
        (stress("memory: ${n}"), "3, column 9", "has no value; give --var n=VALUE"),
        (stress("schema: mapt-bench/plan/2"), "3, column 9", "did you mean 'mapt-bench/plan/1'"),
        (
            "experiment: ablate\nweights: none\nreference: nobody\n",
            "3, column 12",
            "no row 'nobody'",
        ),
        ("experiment: ablate\nswitches: [statik]\n", "2, column 12", "did you mean 'static'"),
        (
            "experiment: ablate\nweights: mapt-compac\n",
            "2, column 10",
            "did you mean 'mapt-compact'",
        ),
    ],
)
def test_mistakes_are_refused_at_their_place(read, text, place, message):
    with pytest.raises(ConfigError, match=message) as caught:
        read(text, scores=("PAT", "STQ"))
    assert caught.value.where.startswith("a.yaml, line ")
    assert f"line {place}" in caught.value.where
    assert in_keys(caught.value.message) == caught.value.message


def test_unknown_variables_are_refused(read):
    with pytest.raises(ConfigError, match="no variable 'suit'; did you mean 'suite'") as caught:
        read(stress("variables: {suite: tiny}"), variables={"suit": "x"})
    assert caught.value.where == "a.yaml, line 3, column 1"
    with pytest.raises(ConfigError, match="no variable 'suit'; it has none") as caught:
        read(stress(""), variables={"suit": "x"})
    assert caught.value.where == "a.yaml, line 1, column 1"


def test_a_row_of_the_report_may_be_missing_in_some_runs(read):
    text = "matrix: {trackers: [[sort], [iou]]}\nreport: {rows: [sort], losses: [sort]}"
    first, second = read(stress(text)).runs
    assert (first.config.losses, second.config.losses) == (("sort",), ())


def test_too_many_cells_need_consent(read):
    numbers = ", ".join(map(str, range(400)))
    crossed = f"seeds: [{numbers}]\nmatrix: {{memory: [{numbers}]}}"
    with pytest.raises(ConfigError, match=r"160,000 runs before.*at most 100,000 .* give --yes"):
        read(stress(crossed))
    few = stress("trackers: [iou]\nlevels: [1]\nstressors: bars\nseeds: [0, 1, 2]")
    cells = sum(run.cells for run in read(few).runs)
    assert cells == 3 * 3 * 2  # seeds, rows with their bounds, levels
    with pytest.raises(ConfigError, match="has 18 cells in 3 runs; expected at most 17") as caught:
        read(few, most_cells=cells - 1)
    assert caught.value.where == "a.yaml, line 6, column 1"
    assert len(read(few, most_cells=None).runs) == 3


def test_runs_that_differ_in_their_seeds_are_planned_once(read, monkeypatch):
    planned = []
    check = plan_checks.check_config
    monkeypatch.setattr(plan_checks, "check_config", lambda c: (planned.append(c), check(c))[1])
    counted = []

    @contextmanager
    def progress(total):
        yield lambda runs: counted.append((total, runs))

    text = stress(f"seeds: {list(range(300))}\nmatrix: {{memory: [5, 6]}}")
    plan = read(text, progress=progress)
    assert [run.config.seed for run in plan.runs] == [*range(300)] * 2
    assert len(planned) == 2
    assert counted == [(600, 1)] * 600
    with pytest.raises(ConfigError, match="seeds is -1") as caught:
        read(stress("seeds: [0, 1, -1]"))
    assert caught.value.where == "a.yaml, line 3, column 15"


def test_the_schema_has_the_keys_of_the_code():
    text = files("mapt_bench").joinpath("results/schemas/plan.json").read_text()
    schema = json.loads(text)
    assert schema["properties"].keys() == PlanSettings.__dataclass_fields__.keys()
    parts = schema["$defs"]
    assert tuple(parts["run"]["properties"]) == RUN_KEYS
    assert parts["report"]["properties"].keys() == ReportSettings.__dataclass_fields__.keys()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(yaml.safe_load(MATRIX))
    assert not validator.is_valid({"experiment": "ablate", "memry": 3})


def test_the_plans_of_the_docs_can_be_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "KITTI_STEP").mkdir()
    page = (ROOT / "docs" / "plans.md").read_text(encoding="utf-8")
    first, many = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)[:2]
    (tmp_path / "first.yaml").write_text(first)
    (tmp_path / "many.yaml").write_text(many)
    assert len(read_plan(Path("first.yaml")).runs) == 6
    names = [run.name for run in read_plan(Path("many.yaml")).runs]
    assert len(names) == 18
    assert "seed=0,thresholds=tuned,memory=5" in names


@pytest.mark.parametrize("text", ["experiment: ablate\nbase: pipe.yaml\n", None])
def test_a_named_pipe_in_place_of_a_plan_is_called_so(read, at_once, text):
    os.mkfifo("pipe.yaml")
    with pytest.raises(DataError, match="is a named pipe; expected a file") as caught:
        read_plan(Path("pipe.yaml")) if text is None else read(text)
    assert caught.value.where == "pipe.yaml"


def test_a_device_as_the_base_of_a_plan_is_called_so(read):
    with pytest.raises(DataError, match="is a device; expected a file"):
        read("experiment: ablate\nbase: /dev/null\n")
