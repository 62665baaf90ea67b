"""The JSON Schema of plans: its names are those of the registries, and it refuses mistakes."""

import json
from importlib.resources import files
from pathlib import Path
from typing import get_args

import pytest
import yaml
from helpers.modules import ROOT

from mapt_bench.baselines.registry import (
    associator_entry,
    associator_names,
    flow_tracker_names,
    mapt_tracker_names,
)
from mapt_bench.data.encodings import encoding_names
from mapt_bench.devices import PRECISIONS
from mapt_bench.experiments import (
    AblationConfig,
    ReportSettings,
    StressConfig,
    SweepConfig,
    plan_text,
)
from mapt_bench.experiments.matrix_config import ADAPTIVE, SAMPLED, IntervalMatrixConfig
from mapt_bench.experiments.plan_settings import Experiment
from mapt_bench.experiments.plans.network_weights import shipped_flow_files
from mapt_bench.labels import class_map_names, label_space_names
from mapt_bench.mapt_switches import SWITCHES
from mapt_bench.metrics.step_links import BY_FACTORS
from mapt_bench.reports.headline import SCORE_NAMES
from mapt_bench.stress import STRESS_KINDS, stress_entries
from mapt_bench.synthetic.suites import suite_names
from mapt_bench.weights import shipped_weights

jsonschema = pytest.importorskip("jsonschema")

SCHEMA = json.loads(files("mapt_bench").joinpath("results/schemas/plan.json").read_text())


def names():
    """Return the names that the schema completes, from the registries."""
    known = [*associator_names(), *mapt_tracker_names(), *flow_tracker_names()]
    trackers = [name for name in known if "MODEL" not in name]  # this is a form of names
    remembering = [name for name in trackers if associator_entry(name).supports_memory]
    networks = [name for name in shipped_weights() if name.startswith("mapt")]
    return {
        "experiments": list(get_args(Experiment)),
        "suites": list(suite_names()),
        "datasets": list(label_space_names()),
        "encodings": list(encoding_names()),
        "maps": list(class_map_names()),
        "segments": ["mapt", "groundtruth", "noisy", *networks],
        "trackers": trackers,
        "rows": [*trackers, *(f"{name}+memory" for name in remembering)],
        "weights": [*networks, "none"],
        "flow_weights": list(shipped_flow_files()),
        "trained": networks,
        "thresholds": ["tuned", "published"],
        "switches": [*SWITCHES, "all"],
        "by": list(BY_FACTORS),
        "stressors": [entry.name for kind in STRESS_KINDS for entry in stress_entries(kind)],
        "devices": ["cpu", "cuda", "auto"],
        "precisions": list(PRECISIONS),
        "scores": list(SCORE_NAMES),
        "training_intervals": [SAMPLED, ADAPTIVE],
    }


def is_valid(plan):
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(plan)


@pytest.mark.parametrize("kind", names())
def test_the_names_are_those_of_the_registries(kind):
    found = SCHEMA["$defs"]["names"]
    assert found.keys() == names().keys()
    assert found[kind]["enum"] == names()[kind]
    assert json.dumps(SCHEMA).count(f"#/$defs/names/{kind}") > 0


@pytest.mark.parametrize(
    "config",
    [
        AblationConfig(),
        AblationConfig(
            data=Path("DATA"),
            dataset="own.yaml",
            class_map="common",
            segments="groundtruth,runs/predictions",
            only=("mapt+memory=20,switch=static", "my_module:Mine+memory"),
            weights="runs/weights.safetensors",
            flow_weights=("flow:raft-small=raft.pth",),
            vpq_windows=(1, 5),
            reference="mapt+memory=20,switch=static",
            switches=("all", "taps=3"),
            trained=("static=runs/static.safetensors",),
            without_memory=True,
            by=("visibility",),
            losses=("iou",),
            seed=3,
            device="cuda:1",
            precision="fp16",
            batch=4,
        ),
        SweepConfig(suite="tiny@1", drop=(1, 2), pair=None, memory=3),
        StressConfig(kind="failures", stressors=("speed", "blur"), levels=(1,)),
        IntervalMatrixConfig(),
        IntervalMatrixConfig(
            data=Path("DATA"),
            train_on="OTHER",
            train_sequences=3,
            train_intervals=("1", ADAPTIVE),
            train_seeds=(4,),
            train_steps=5,
            target=0.5,
            tracker="mapt",
            memory=0,
            drop=(1, 2),
        ),
    ],
)
def test_the_schema_accepts_the_plans_that_commands_write(config):
    report = ReportSettings(scores=("PAT", "ms/frame"), rows=("iou",), page=False, full=True)
    jsonschema.validate(yaml.safe_load(plan_text([config], report)), SCHEMA)


@pytest.mark.parametrize("path", sorted((ROOT / "examples/plans").glob("*.yaml")), ids=str)
def test_the_schema_accepts_the_example_plans(path):
    jsonschema.validate(yaml.safe_load(path.read_text()), SCHEMA)


@pytest.mark.parametrize(
    "changes",
    [
        {"memory": "${n}", "precision": "${p}", "data": {"suite": "${suite}"}, "seeds": ["${s}"]},
        {"report": {"scores": ["${score}"], "page": "${page}", "gallery": "${n}"}},
        {"matrix": {"memory": [5, "${n}"], "trackers": [["sort"], ["a.b:C"]]}},
        {"trackers": [{"tracker": "a:B", "memory": "${n}", "settings": {"x": 1}}, "sort,a=1"]},
    ],
    ids=str,
)
def test_the_schema_accepts_variables_and_names_of_users(changes):
    jsonschema.validate({"experiment": "ablate", **changes}, SCHEMA)


@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "fp32"},
        {"memory": "ten"},
        {"memory": True},
        {"experiment": "ablat"},
        {"stressors": ["brs"]},
        {"data": {"suite": "tny"}},
        {"report": {"scores": ["PTA"]}},
        {"report": {"page": "no"}},
        {"matrix": {"precision": ["fp32"]}},
        {"include": [{"memory": "ten"}]},
        {"switches": ["statik"]},
        {"by": ["gaps"]},
        {"device": "gpu"},
        {"batch": 0},
        {"trackers": [{"tracker": "sort", "memory": -1}]},
        {"without_memory": "yes"},
        {"train_intervals": ["adaptiv"]},
        {"train_intervals": [0]},
        {"train_seeds": ["one"]},
        {"train_steps": 0},
        {"target": 0},
    ],
    ids=str,
)
def test_the_schema_refuses_wrong_values(changes):
    assert is_valid({"experiment": "ablate"})
    assert not is_valid({"experiment": "ablate", **changes})


def test_a_plan_has_an_experiment_from_somewhere():
    assert not is_valid({"memory": 3})
    assert not is_valid({"matrix": {"memory": [3]}})
    assert is_valid({"base": "other.yaml"})
    assert is_valid({"matrix": {"experiment": ["ablate", "sweep-interval"]}})
    assert is_valid({"include": [{"experiment": "ablate"}]})
