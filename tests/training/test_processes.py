import pytest
import torch

from mapt_bench.errors import ConfigError
from mapt_bench.training.processes import ProcessGroup, joined_processes


def test_alone_there_is_nothing_to_join(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with joined_processes("gloo") as group:
        assert group == ProcessGroup()
        assert group.leads
        group.wait()
        assert torch.equal(group.mean(torch.tensor([1.0, 2.0])), torch.tensor([1.0, 2.0]))


def test_half_an_environment_is_told(monkeypatch):
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with (
        pytest.raises(ConfigError, match="RANK and WORLD_SIZE are set, as torchrun does"),
        joined_processes("gloo"),
    ):
        pass


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "meta:x"])
def test_devices_that_are_not_here(name):
    with pytest.raises(ConfigError, match=f"--device {name} cannot be used"):
        ProcessGroup().device(name)


def test_the_cpu_is_always_here():
    assert ProcessGroup().device("cpu") == torch.device("cpu")
