"""``mapt-bench flops`` from outside."""

import json
import subprocess
import sys

import pytest
import torch
from click.testing import CliRunner
from helpers.commands import examples_of
from helpers.results import run as run_result

from mapt_bench.cli import main

torch.set_num_threads(1)

NET = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)

    def forward(self, x):
        return self.conv(x)


class Odd(Net):
    def forward(self, x):
        return torch.geqrf(self.conv(x))[0]


class Loud(Net):
    def forward(self, x):
        print("loud")
        return self.conv(x)


class Leaves(Net):
    def forward(self, x):
        raise SystemExit(3)


class Cancels(Net):
    def forward(self, x):
        raise GeneratorExit("late")


class Shy(Net):
    def forward(self, x):
        if torch.jit.is_tracing():
            raise ValueError("not in a graph")
        return self.conv(x)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "some_net.py").write_text(NET)
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "my_model.py").write_text(NET + "\n\nbuild = Net\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in ("some_net", "my_package.my_model", "my_package"):
        sys.modules.pop(name, None)


def flops(*words):
    return CliRunner().invoke(main, ["flops", *words])


@pytest.mark.parametrize(
    ("name", "message"),
    [("Leaves", "it called sys.exit(3)"), ("Cancels", "GeneratorExit: late")],
)
def test_a_network_may_not_end_the_command(folder, name, message):
    result = flops(f"some_net:{name}", "--input", "64x64", "--json", "-")
    assert result.exit_code == 2
    assert message in json.loads(result.stdout)["error"]["message"]


def test_what_a_network_prints_goes_to_stderr(folder):
    result = flops("some_net:Loud", "--input", "64x64", "--json", "-")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)
    assert "loud" in result.stderr


def test_tables(folder):
    result = flops("motion-head", "--input", "384x1280", "--instances", "10")
    assert result.exit_code == 0, result.output
    for words in (
        "Operations of one forward pass at 384x1280, 10 instances, in GMACs",
        "conv+sampling",
        "· offsets",
        "▋ 47.8 %",
        "fvcore ran on the CPU at 64x64, 64x128",
        "Claimed by the paper",
        "fitted",
    ):
        assert words in result.stdout


def test_json_alone_on_stdout(folder):
    result = flops("motion-head", "some_net:Net", "--json", "-", "--input", "128x256")
    assert result.exit_code == 0, result.output
    cost = json.loads(result.stdout)
    assert cost["schema"] == "mapt-bench/cost/1"
    assert {row["mode"] for row in cost["rows"]} == {"conv", "conv+sampling", "ptflops"}
    for row in cost["rows"]:
        assert {
            *("model", "part", "input", "instances", "mode", "gmacs", "gmacs_fvcore", "params"),
            *("excluded", "uncounted", "latency_ms", "peak_mib"),
        } <= set(row)
    for claim in cost["claims"]:
        assert {"name", "claimed", "measured", "fitted", "relative_difference", "at"} <= set(claim)
    assert cost["provenance"]["packages"]["torch"]
    whole = next(row for row in cost["rows"] if row["model"] == "some_net:Net")
    assert whole["macs"] == 128 * 256 * 3 * 8 * 9


def test_files(folder):
    words = ("--json", "c.json", "--csv", "c.csv", "--latex", "c.tex", "--markdown", "c.md")
    result = flops("motion-head", "--mode", "conv", "--input", "128x128", *words)
    assert result.exit_code == 0, result.output
    assert json.loads((folder / "c.json").read_text())["rows"]
    assert (folder / "c.csv").read_text().startswith("model,part,input,instances,mode,gmacs")
    assert "operations of the motion head" in (folder / "c-claims.csv").read_text()
    assert r"\begin{tabular}" in (folder / "c.tex").read_text()
    assert "█" not in (folder / "c.tex").read_text()
    assert "| network |" in (folder / "c.md").read_text()


def test_an_incomplete_total_fails_only_if_strict(folder):
    words = ("some_net:Odd", "--input", "1x3x64x64", "--mode", "conv")
    relaxed = flops(*words)
    assert relaxed.exit_code == 0
    assert "incomplete" in relaxed.stdout
    strict = flops(*words, "--strict", "--json", "-")
    assert strict.exit_code == 1
    assert json.loads(strict.stdout)["rows"][0]["gmacs"] is None
    assert "no formula for aten::geqrf" in strict.stderr


def test_a_single_count_fails_only_if_strict(folder):
    words = ("some_net:Shy", "--input", "64x64", "--mode", "conv")
    assert flops(*words).exit_code == 0
    strict = flops(*words, "--strict")
    assert strict.exit_code == 1
    assert "has only one count: fvcore cannot trace this network" in strict.stderr


def test_counts_that_disagree_fail_always(folder, monkeypatch):
    monkeypatch.setattr("mapt_bench.profiling._cross_check.TOLERANCE", -1.0)
    monkeypatch.setattr("mapt_bench.profiling._flops_report.TOLERANCE", -1.0)
    result = flops("some_net:Net", "--input", "64x64", "--mode", "conv")
    assert result.exit_code == 1
    assert "failed: some_net:Net, whole, mode conv: the counts differ" in result.stderr


def test_measuring(folder):
    words = ("--input", "64x64", "--mode", "conv", "--measure", "--repeats", "2")
    result = flops("some_net:Net", *words)
    assert result.exit_code == 0, result.output
    assert "Measured on this machine, not counted" in result.stdout
    assert "2 passes after 1 of warm-up; low and high are the range" in result.stdout


def test_plots(folder):
    (folder / "results.json").write_text(json.dumps(run_result()))
    words = ("motion-head", "--mode", "conv", "--input", "64x64", "--plots", "pictures")
    result = flops(*words)
    assert result.exit_code == 0, result.output
    assert {path.name for path in (folder / "pictures").iterdir()} == {
        *("cost_by_size.png", "cost_by_size.svg")
    }
    result = flops(*words, "--scores", "results.json")
    assert result.exit_code == 0, result.output
    assert (folder / "pictures" / "cost_and_score.svg").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--input", "big"], "'big' is not an image size"),
        (["--input", "0x64"], "expected numbers from 1 to 65536"),
        (["--mode", "convs"], "did you mean 'conv'"),
        (["flownet"], "did you mean 'flownet2'"),
        (["nowhere_at_all:build"], "there is no module 'nowhere_at_all'"),
        (["raft-small", "--input", "132x200"], "use 136x200"),
        (["flownet2", "--input", "1x3x64x64"], "give 64x64"),
        (["--instances", "-1"], "expected 0 or more"),
        (["--measure", "--repeats", "0"], "--repeats is 0"),
        (["--scores", "run"], "add --plots DIR"),
    ],
)
def test_bad_input(folder, words, message):
    (folder / "cost.json").write_text("earlier")
    result = flops(*words, "--json", "cost.json")
    assert result.exit_code == 2
    assert message in json.loads(result.stdout)["error"]["message"]
    assert (folder / "cost.json").read_text() == "earlier"


def test_the_examples_of_the_help_run(folder):
    examples = examples_of("flops")
    assert len(examples) == 2
    for words in examples:
        result = flops(*words)
        assert result.exit_code == 0, result.output
        assert " ".join(words) in flops("--help").stdout


def test_help_loads_no_torch():
    code = (
        "import sys\n"
        "from mapt_bench.cli import main\n"
        "try:\n"
        "    main(['flops', '--help'])\n"
        "except SystemExit as stop:\n"
        "    assert stop.code == 0, stop.code\n"
        "print(sorted({'torch', 'matplotlib', 'fvcore', 'pandas', 'cv2'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
