import json
import sys
from types import SimpleNamespace

import pytest
import torch

from mapt_bench.devices import DeviceSettings
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.profiling import _flops_report, _measurement, make_flops_report
from mapt_bench.profiling._measurement import Measurement, measure, measured
from mapt_bench.profiling.flops_settings import FlopsSettings, InputSize, MeasureSettings
from mapt_bench.reports.cost_tables import measured_table

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
    found = measured({**request, "warm_up": 2, "repeats": 3, "threads": 1, "device": "cpu"})
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


def test_work_of_a_device_is_awaited_before_and_after_each_pass(folder, monkeypatch):
    awaited = []

    def wait(device):
        awaited.append((device.type, sys.modules["timed_net"].Big.passes))

    monkeypatch.setattr(_measurement, "synchronise", wait)
    request = {"target": "timed_net:Big", "size": "8x8", "instances": 0, "device": "cpu"}
    measured({**request, "warm_up": 1, "repeats": 1, "threads": 1})
    assert awaited == [("cpu", 0), ("cpu", 1), ("cpu", 1), ("cpu", 2)]


def test_every_device_is_measured_once(monkeypatch):
    asked = []

    def measure_on(target, size, *, instances, settings, device):
        asked.append(device)
        on_gpu = device != "cpu"
        name = f"{device} (Model X)" if on_gpu else device
        return Measurement((2.0,), 30.0, 10.0, name, 1, 8.0 if on_gpu else None)

    monkeypatch.setattr(_flops_report, "measure", measure_on)
    monkeypatch.setattr(DeviceSettings, "check_here", lambda settings: None)
    settings = FlopsSettings(
        targets=("motion-head",),
        inputs=("64x64",),
        modes=("conv",),
        measured=MeasureSettings(repeats=1, devices=("cpu", "cuda", "cpu")),
    )
    cost = make_flops_report(settings)
    assert asked == ["cpu", "cuda"]
    whole = cost["rows"][0]
    assert [each["device"] for each in whole["measurements"]] == ["cpu", "cuda (Model X)"]
    assert whole["measurement"] == whole["measurements"][0]
    assert cost["provenance"]["device"] == "cpu, cuda"
    assert [row[2:] for row in measured_table(cost).rows] == [
        ("cpu", 2.0, 2.0, 2.0, 30.0, 10.0),
        ("cuda", 2.0, 2.0, 2.0, 8.0, None),
    ]


def test_a_device_that_is_not_there_is_refused_before_counting():
    settings = FlopsSettings(
        targets=("motion-head",), measured=MeasureSettings(devices=("cuda:9",))
    )
    with pytest.raises(ConfigError, match=r"'cuda:9' cannot be used.*this machine has cpu"):
        make_flops_report(settings)


def test_lack_of_memory_of_a_gpu_names_what_to_lower(monkeypatch):
    answer = json.dumps({"failure": "OutOfMemoryError: CUDA out of memory."})
    done = SimpleNamespace(returncode=0, stdout=answer, stderr="")
    monkeypatch.setattr(_measurement.subprocess, "run", lambda *words, **options: done)
    size, settings = InputSize(8, 8), MeasureSettings()
    with pytest.raises(DataError, match="choose a smaller --input, or --device cpu"):
        measure("motion-head", size, instances=0, settings=settings, device="cuda")


@pytest.mark.parametrize("setting", [{"warm_up": -1}, {"repeats": 0}, {"threads": 0}])
def test_impossible_settings(setting):
    with pytest.raises(ConfigError, match="expected"):
        MeasureSettings(**setting)
