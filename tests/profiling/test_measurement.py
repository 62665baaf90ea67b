import sys

import pytest
import torch

from mapt_bench.errors import ConfigError
from mapt_bench.profiling import make_flops_report
from mapt_bench.profiling._measurement import Measurement, measure, measured
from mapt_bench.profiling.flops_settings import FlopsSettings, InputSize, MeasureSettings

torch.set_num_threads(1)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "timed_net.py").write_text(
        "import torch\n"
        "class Big(torch.nn.Module):\n"
        "    passes = 0\n"
        "    def forward(self, x):\n"
        "        Big.passes += 1\n"
        "        return torch.ones(64 * 2**20 // 4)\n"
        "class Fails(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        raise RuntimeError('not today\\nnor tomorrow')\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("timed_net", None)


def test_a_process_of_its_own_gives_times_and_memory(folder):
    settings = MeasureSettings(warm_up=1, repeats=3)
    found = measure("timed_net:Big", InputSize(8, 8), instances=0, settings=settings)
    assert len(found.milliseconds) == 3
    assert all(each > 0 for each in found.milliseconds)
    # A pass holds 64 MiB at the same time as nothing else of that size.
    assert found.peak_mib - found.start_mib > 60
    assert (found.device, found.threads) == ("cpu", 1)


def test_passes_of_warm_up_are_not_timed(folder):
    request = {"target": "timed_net:Big", "size": "8x8", "instances": 0}
    found = measured({**request, "warm_up": 2, "repeats": 3, "threads": 1})
    assert len(found["milliseconds"]) == 3
    assert sys.modules["timed_net"].Big.passes == 5


def test_a_network_that_fails_says_what_it_said(folder):
    with pytest.raises(
        ConfigError, match=r"on an input of 8x8: RuntimeError: not today nor tomorrow$"
    ):
        measure("timed_net:Fails", InputSize(8, 8), instances=0, settings=MeasureSettings())


def test_median_and_quartiles_or_the_range():
    settings = MeasureSettings(repeats=5)
    five = Measurement((5.0, 1.0, 2.0, 3.0, 4.0), 10.0, 5.0, "cpu", 1).to_dict(settings)
    assert (five["median_ms"], five["low_ms"], five["high_ms"]) == (3, 2, 4)
    assert five["spread"] == "quartiles"
    two = Measurement((3.0, 1.0), 10.0, 5.0, "cpu", 1).to_dict(settings)
    assert (two["median_ms"], two["low_ms"], two["high_ms"]) == (2, 1, 3)
    assert two["spread"] == "range"


def test_what_was_measured_stands_with_the_whole_alone():
    settings = FlopsSettings(
        targets=("motion-head",),
        inputs=("64x64",),
        modes=("conv",),
        measured=MeasureSettings(repeats=1, warm_up=0),
    )
    whole, *parts = make_flops_report(settings)["rows"]
    assert whole["latency_ms"] > 0
    assert whole["peak_mib"] > 0
    assert whole["measurement"]["threads"] == 1
    assert {(part["latency_ms"], part["peak_mib"]) for part in parts} == {(None, None)}


@pytest.mark.parametrize("setting", [{"warm_up": -1}, {"repeats": 0}, {"threads": 0}])
def test_impossible_settings(setting):
    with pytest.raises(ConfigError, match="expected"):
        MeasureSettings(**setting)
