"""One configuration holds every option of an experiment, from the command line or from data."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from helpers.commands import write_two_walks
from helpers.modules import ROOT

from mapt_bench.cli import main
from mapt_bench.cli.experiment_commands import ablate, stress, sweep_interval
from mapt_bench.cli.interval_matrix import without_matrix_options
from mapt_bench.cli.run_and_show import options_by_data
from mapt_bench.errors import ConfigError
from mapt_bench.experiments import (
    AblationConfig,
    StressConfig,
    SweepConfig,
    run_ablation,
    run_stress,
    run_sweep,
)
from mapt_bench.experiments.matrix_config import IntervalMatrixConfig
from mapt_bench.tuning.frontier_config import FrontierConfig
from mapt_bench.tuning.tuning_config import TuningConfig

FULL = [
    AblationConfig(
        data=Path("DATA"),
        segments="groundtruth,noisy",
        add=("both+memory",),
        only=("copy", "sort+memory"),
        flow_weights=("flow:raft-small=a.pth",),
        out=Path("runs/mine"),
        switches=("static",),
        trained=("a=b.safetensors",),
        reference="copy",
    ),
    SweepConfig(suite="tiny", drop=(1, 2), pair=None, memory=3, weights="none", jobs=2),
    StressConfig(kind="motion", stressors=("drop",), levels=(2, 4), thresholds="published"),
]


@pytest.mark.parametrize("config", FULL, ids=lambda config: config.experiment)
def test_plain_data_and_yaml_are_read_back(config):
    assert type(config).from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert type(config).from_dict(yaml.safe_load(yaml.safe_dump(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("command", "words", "config"),
    [
        (ablate, [], AblationConfig()),
        (sweep_interval, [], SweepConfig()),
        (stress, ["motion"], StressConfig(kind="motion")),
    ],
)
def test_the_command_line_has_every_option_with_the_same_default(command, words, config):
    given = command.make_context("command", words).params
    (options,) = options_by_data(given, several=False).values()
    shown = ("json_file", "log_to", "full", "rows", "scores", "no_report", "gallery")
    for name in (*shown, "show_config"):
        del options[name]  # these choose what is shown, not what is run
    if options.pop("train", None) is not None:  # an experiment of its own
        options = without_matrix_options(options)
    assert set(options) == set(config.to_dict())
    assert type(config).from_cli(**options) == config


@pytest.mark.parametrize(
    "config",
    [
        AblationConfig(
            suite="tiny",
            segments="groundtruth,noisy",
            add=("both+memory",),
            only=("copy", "mapt+memory"),
            vpq_windows=(1, 5),
            switches=("static", "least_score=0.5"),
            without_memory=True,
            by=("visibility", "gap"),
            memory=3,
            seed=4,
            losses=("copy",),
        ),
        SweepConfig(suite="tiny", drop=(1, 2), pair=None, memory=3, weights="none"),
        SweepConfig(suite="tiny", drop=None, pair=(1, 4)),
        StressConfig(suite="tiny", kind="motion", stressors=("drop", "speed"), levels=(2, 4)),
        IntervalMatrixConfig(
            suite="tiny",
            train_on="val",
            train_intervals=("1", "adaptive"),
            train_seeds=(3, 4),
            train_sequences=2,
            train_steps=3,
            pair=(1, 2),
            drop=(1, 3),
            target=0.5,
            tracker="mapt",
        ),
        IntervalMatrixConfig(suite="quick"),
        FrontierConfig(suite="val", trackers=("sort", "mapt:motion"), trials=3, memory=4),
    ],
    ids=lambda config: config.experiment,
)
def test_the_command_of_a_result_has_the_same_options(config):
    words = shlex.split(config.command_line())
    assert words[0] == "mapt-bench"
    shown = CliRunner().invoke(main, [*words[1:], "--show-config"])
    assert shown.exit_code == 0, shown.stderr
    assert yaml.safe_load(shown.stdout) == config.to_dict()


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        (AblationConfig, {"memry": 3}, "unknown key 'memry'; did you mean 'memory'"),
        (AblationConfig, {"memory": "3"}, "memory is '3'; expected a whole number"),
        (AblationConfig, {"add": "both"}, "add is 'both'; expected a list of values"),
        (SweepConfig, {"drop": [1, "x"]}, "drop is 'x'; expected a whole number"),
        (SweepConfig, {"jobs": 0}, "-j is 0; expected 1 worker process"),
        (StressConfig, {}, "lacks the key 'kind'; expected text"),
        (StressConfig, {"kind": "motion", "thresholds": "tund"}, "did you mean 'tuned'"),
        (StressConfig, {"kind": "motion", "data": "a", "suite": "tiny"}, "keep one of them"),
    ],
)
def test_wrong_data_are_explained(kind, data, message):
    with pytest.raises(ConfigError, match=message) as caught:
        kind.from_dict(data, where="my.yaml")
    assert caught.value.where == "my.yaml"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("ablate", "--suite", "tiny", "--memory", "3"), {"suite": "tiny", "memory": 3}),
        (("sweep-interval", "--drop", "1,2"), {"drop": [1, 2], "pair": None}),
        (("sweep-interval",), {"drop": [1, 2, 3, 5], "pair": [1, 2, 3, 5]}),
        (("stress", "motion", "--levels", "2"), {"kind": "motion", "levels": [2]}),
    ],
)
def test_show_config_prints_yaml_and_stops(tmp_path, monkeypatch, words, expected):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, [*words, "--show-config"])
    assert result.exit_code == 0, result.stderr
    assert expected.items() <= yaml.safe_load(result.stdout).items()
    assert not list(tmp_path.iterdir())
    wrong = CliRunner().invoke(main, [*words, "--add", "bot", "--show-config"])
    assert (wrong.exit_code, wrong.stdout) == (2, "")


@pytest.mark.parametrize(
    ("run", "config"),
    [
        (run_ablation, AblationConfig(data=Path("DATA"), weights="none", out=Path("run"))),
        (run_sweep, SweepConfig(data=Path("DATA"), weights="none", drop=(1,), pair=None)),
        (
            run_stress,
            StressConfig(kind="motion", data=Path("DATA"), stressors=("drop",), levels=(1,)),
        ),
    ],
)
def test_python_runs_an_experiment_in_one_call(tmp_path, monkeypatch, run, config):
    monkeypatch.chdir(tmp_path)
    write_two_walks(tmp_path, frames=5)
    result = run(config)
    folder = config.out or next((tmp_path / "runs").iterdir())
    assert result == json.loads((tmp_path / folder / "results.json").read_text())
    assert result["experiment"] == config.experiment


TORCH_FREE = """
import sys
from mapt_bench.cli import main
try:
    main({words!r})
except SystemExit as end:
    print(end.code, "torch" in sys.modules)
"""


@pytest.mark.parametrize(
    "words",
    [
        ["ablate", "--suite", "nonsense"],
        ["ablate", "--segments", "nonsense"],
        ["ablate", "--add", "nonsense"],
        ["ablate", "--switch", "nonsense"],
        ["ablate", "--reference", "nonsense"],
        ["ablate", "--weights", "nonsense"],
        ["ablate", "--flow-weights", "flow:nonsense=x"],
        ["ablate", "--trained", "nonsense"],
        ["ablate", "--data", ".", "--dataset", "nonsense"],
        ["ablate", "--data", ".", "--encoding", "nonsense"],
        ["sweep-interval", "--suite", "nonsense"],
        ["sweep-interval", "--add", "mapt,motion_treshold=1"],
        ["stress", "nonsense"],
        ["stress", "occlusion", "--stressor", "nonsense"],
    ],
    ids=" ".join,
)
def test_wrong_names_are_refused_before_torch_is_imported(words):
    done = subprocess.run(
        [sys.executable, "-c", TORCH_FREE.format(words=words)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.stdout.split() == ["2", "False"], done.stderr


def test_an_ablation_without_weights_needs_no_torch(tmp_path):
    write_two_walks(tmp_path, frames=5)
    words = ["ablate", "--data", str(tmp_path / "DATA"), "--weights", "none"]
    script = TORCH_FREE.format(words=[*words, "--out", str(tmp_path / "run"), "--json", "x.json"])
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.split()[-2:] == ["0", "False"], done.stderr


@pytest.mark.parametrize("config", [AblationConfig, StressConfig, TuningConfig, FrontierConfig])
@pytest.mark.parametrize("seed", [-1, 2**63])
def test_seeds_that_a_run_folder_cannot_store_are_refused(config, seed):
    with pytest.raises(ConfigError, match=f"--seed is {seed}; expected 0 or more, below"):
        config(seed=seed, **({"kind": "motion"} if config is StressConfig else {}))
    with pytest.raises(ConfigError, match="--train-seeds"):
        IntervalMatrixConfig(suite="tiny", train_seeds=(0, seed))
