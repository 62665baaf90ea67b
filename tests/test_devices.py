"""Names of devices, what a machine has, and what is said where it lacks something."""

import pytest
import torch

from mapt_bench import devices
from mapt_bench.devices import (
    DeviceSettings,
    autocast,
    check_precision,
    described_device,
    memory_fault,
    usable_device,
)
from mapt_bench.errors import ConfigError, DataError

TWO_GPUS = {
    "is_available": lambda: True,
    "device_count": lambda: 2,
    "get_device_name": lambda device: (
        f"Model {torch.device('cuda', device).index}"
        if isinstance(device, int)
        else f"Model {device.index or 0}"
    ),
}


@pytest.fixture
def two_gpus(monkeypatch):
    """Torch says that there are two GPUs; there are none, so each use of one fails."""
    for name, answer in TWO_GPUS.items():
        monkeypatch.setattr(torch.cuda, name, answer)


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_auto_takes_a_gpu_where_there_is_one(two_gpus):
    assert DeviceSettings.of("auto", "float32", None) == DeviceSettings("cuda", "float32", 8)


def test_auto_is_the_cpu_where_there_is_none(no_gpu):
    assert DeviceSettings.of("auto", "float32", None) == DeviceSettings()


def test_a_given_batch_is_kept():
    assert DeviceSettings.of("cuda:1", "bf16", 3) == DeviceSettings("cuda:1", "bf16", 3)


def test_auto_is_refused_where_another_machine_decides():
    with pytest.raises(ConfigError, match="name the device: cpu or cuda"):
        DeviceSettings.of("auto", "float32", None, is_remote=True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("gpu", "float32", None), "'gpu'; expected cpu, cuda, cuda:N or auto"),
        (("cuda:x", "float32", None), "'cuda:x'; expected"),
        (("cpu", "fp8", None), r"'fp8'; did you mean 'fp16'|'fp8'; expected"),
        (("cpu", "float32", 0), "--batch is 0; expected 1 image or more"),
    ],
)
def test_malformed_options_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        DeviceSettings.of(*values)


def test_a_device_that_is_not_there_is_an_error_with_those_that_are(two_gpus):
    with pytest.raises(ConfigError) as caught:
        usable_device("cuda:7")
    assert "device 'cuda:7' cannot be used (" in caught.value.message
    assert "http" not in caught.value.message  # torch's own advice on drivers
    assert "this machine has cpu, cuda:0 (Model 0), cuda:1 (Model 1)" in caught.value.message


def test_without_a_gpu_there_is_the_cpu(no_gpu):
    with pytest.raises(ConfigError, match=r"this machine has cpu$"):
        usable_device("meta")


def test_a_gpu_is_described_by_its_model(two_gpus):
    assert described_device("cpu") == "cpu"
    assert described_device("cuda:1") == "cuda:1 (Model 1)"


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_processor_without_a_precision_is_refused(precision, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    check_precision(torch.device("cpu"), "float32")
    with pytest.raises(ConfigError, match=f"--precision {precision}: the device cpu does not"):
        check_precision(torch.device("cpu"), precision)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {f"avx512_{precision}": True})
    check_precision(torch.device("cpu"), precision)


def test_a_gpu_without_bf16_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    with pytest.raises(ConfigError, match="--precision bf16: the device cuda"):
        check_precision(torch.device("cuda"), "bf16")
    check_precision(torch.device("cuda"), "fp16")


def test_a_context_of_half_precision_multiplies_in_it():
    one = torch.ones(2, 2)
    with autocast(torch.device("cpu"), "bf16"):
        assert (one @ one).dtype == torch.bfloat16
    with autocast(torch.device("cpu"), "float32"):
        assert (one @ one).dtype == torch.float32


def test_only_the_kind_of_device_and_the_precision_identify_a_result():
    assert DeviceSettings(batch=4).identity() == {}
    assert DeviceSettings("cuda:1", "bf16", 4).identity() == {"device": "cuda", "precision": "bf16"}
    assert DeviceSettings(precision="bf16").identity() == {"device": "cpu", "precision": "bf16"}


def test_lack_of_memory_names_what_to_lower(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**29, 2**33))
    problem = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")
    fault = memory_fault(problem, DeviceSettings("cuda", batch=8))
    assert isinstance(fault, DataError)
    assert fault.message == (
        "the memory of cuda (8.0 GiB, 0.5 GiB free) ran out while segments were detected; lower "
        "--batch, which is 8; or lower -j, because all processes share this memory, or give "
        "--precision bf16 in another run folder; finished work units are kept: the same command "
        "resumes"
    )
    single = memory_fault(problem, DeviceSettings("cuda", "bf16", 1)).message
    assert "--batch is 1 already; give --device cpu" in single
    assert "--precision" not in single


def test_lack_of_memory_of_the_cpu_is_known_too():
    problem = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
    assert "the memory of cpu ran out" in memory_fault(problem, DeviceSettings(batch=2)).message
    assert memory_fault(RuntimeError("shapes differ"), DeviceSettings()) is None


def test_a_gpu_that_says_nothing_more_has_no_size(monkeypatch):
    def silent(device):
        raise RuntimeError("device-side assert")

    monkeypatch.setattr(torch.cuda, "mem_get_info", silent)
    fault = memory_fault(torch.OutOfMemoryError("x"), DeviceSettings("cuda", batch=2))
    assert fault.message.startswith("the memory of cuda ran out")


def test_waiting_for_a_device_waits_for_a_gpu_only(monkeypatch):
    waited = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    devices.synchronise(torch.device("cpu"))
    devices.synchronise(torch.device("cuda", 1))
    assert waited == [torch.device("cuda", 1)]
