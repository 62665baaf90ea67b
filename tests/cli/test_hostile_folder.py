"""Code in the current folder must not run: it may be an unpacked data set."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click import Context

from mapt_bench.cli import main

COMMAND = Path(sys.executable).with_name("mapt-bench")
"""The installed console script. ``python -m mapt_bench`` cannot be guarded."""

MODULES = ("types", "random", "operator", "struct", "json", "pickle", "numpy", "helpers")

STEPS = (
    "synth --kind street --seed 1 --count 2 --frames 4 --size 96x160 -j 2 --out world",
    "check world --statistics",
    "convert world maps --to kitti-step",
    "show world --out picture.png",
    "track world --tracker sort --out tracks",
    "evaluate world tracks -j 2 --losses --json result.json",
    "evaluate world tracks -j 2 --cluster local",
    "ablate --data world --weights none --losses sort+memory -j 2 --no-report --out runs/ablate",
    "sweep-interval --data world --weights none -j 2 --no-report --out runs/sweep",
    "stress image --data world --weights none --stressor noise --levels 1 -j 2 --no-report "
    "--out runs/stress",
    "tune --data world --split val --weights none --tracker iou --score TQ --trials 2 "
    "--sampler random -j 2 --out runs/tune",
    "frontier --data world --weights none --segments groundtruth --tracker iou --trials 2 -j 2 "
    "--no-report --out runs/frontier",
    "run runs/ablate/plan.yaml -j 2 --out runs/again",
    "compare result.json result.json",
    "history result.json result.json --png history.png",
    "report runs/ablate result.json --out report.html",
    "flops toy_network:build --input 64x96 --measure --repeats 1",
    "train --config toy_trained_model:build --data world --val none --steps 1 --set loaders=1 "
    "--out runs/train",
)
"""One line for each command that reads or writes data. The first prepares the data."""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A folder with modules named like Python's own. Each leaves a trace if it runs."""
    folder = tmp_path_factory.mktemp("hostile")
    trace = folder / "executed"
    for name in MODULES:
        (folder / f"{name}.py").write_text(f"open({str(trace)!r}, 'a').write('{name} ')\n")
    toy = Path(__file__).parents[1] / "helpers" / "toy_model.py"
    (folder / "toy_trained_model.py").write_text(toy.read_text())
    (folder / "toy_network.py").write_text(
        "from torch import nn\ndef build():\n    return nn.Conv2d(3, 4, 3)\n"
    )
    # A configuration of matplotlib is no code, but must not start another program.
    (folder / "matplotlibrc").write_text("text.usetex: True\nbackend: module://random\n")
    return folder


def run(folder, line, **variables):
    """Run the installed command in a folder, without a safe path from outside."""
    outside = {name: text for name, text in os.environ.items() if name != "PYTHONSAFEPATH"}
    return subprocess.run(
        [COMMAND, *line.split()],
        cwd=folder,
        env={**outside, "OMP_NUM_THREADS": "1", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_command_runs_a_module_of_the_current_folder(hostile):
    for line in STEPS:
        done = run(hostile, line)
        assert done.returncode == 0, f"{line}\n{done.stderr[-2000:]}"
        assert not (hostile / "executed").exists(), line


def test_predictions_that_are_refused_run_no_module_of_the_current_folder(hostile):
    done = run(hostile, "submit kitti-step tracks --out tracks.zip")
    assert done.returncode == 1, done.stderr[-2000:]
    assert not (hostile / "executed").exists()


def test_a_module_of_the_current_folder_is_found_after_all_others(hostile):
    (hostile / "mine.py").write_text("import random\nimport json\n")
    done = run(hostile, "track world --tracker mine:Missing --out mine")
    assert done.returncode == 2
    assert "module 'mine' has no 'Missing'" in done.stderr
    assert not (hostile / "executed").exists()


def test_these_are_all_commands():
    used = {line.split()[0] for line in STEPS}
    assert used | {"conformance", "submit"} == set(main.list_commands(Context(main)))
