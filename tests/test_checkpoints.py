"""Weights files of other programs: envelopes, prefixes, and files that are something else."""

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mapt_bench.checkpoints import load_strictly, read_state_dict
from mapt_bench.errors import DataError


def network():
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3))


def saved(path, content):
    torch.save(content, path)
    return path


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": state, "optimizer": {"lr": 0.1}},
        lambda state: {"ema": state},
        lambda state: {"model": {"model_state_dict": state}},
    ],
)
@pytest.mark.parametrize("prefix", ["", "module.", "model.", "_orig_mod.", "module._orig_mod."])
def test_wrapped_weights_are_loaded(tmp_path, capsys, wrap, prefix):
    source, target = network(), nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3))
    state = {prefix + name: values for name, values in source.state_dict().items()}
    path = saved(tmp_path / "w.pth", wrap(state))
    load_strictly(target, read_state_dict(path), where=path)
    assert torch.equal(target[0].weight, source[0].weight)
    note = capsys.readouterr().err
    assert (f"removed {prefix!r} from the beginning of all 7 names" in note) == bool(prefix)


def test_a_network_keeps_the_prefix_that_is_its_own(tmp_path, capsys):
    target = nn.Module()
    target.model = nn.Linear(2, 2)
    path = saved(tmp_path / "w.pth", target.state_dict())
    load_strictly(target, read_state_dict(path), where=path)
    assert not capsys.readouterr().err


def test_a_prefix_of_some_names_is_kept(tmp_path):
    target = nn.Linear(2, 2)
    tensors = {"module.weight": target.weight.detach(), "bias": target.bias.detach()}
    with pytest.raises(DataError, match=r"1 missing \(weight\); 1 unknown \(module\.weight\)"):
        load_strictly(target, tensors, where=tmp_path)


@pytest.mark.parametrize(
    ("beside", "named"),
    [
        ({"best": np.float64(0.5)}, r"a NumPy scalar \(numpy\S*scalar\)"),
        ({"hist": np.zeros(3)}, r"a NumPy array \(numpy\S*_reconstruct\)"),
        ({"args": argparse.Namespace(), "out": Path("/x")}, r"argparse.Namespace, pathlib\S*"),
    ],
)
def test_what_lies_beside_the_tensors_is_named(tmp_path, beside, named):
    path = saved(tmp_path / "w.pth", {"state_dict": {"a": torch.ones(1)}, **beside})
    with pytest.raises(DataError, match=f"holds {named} beside the tensors; it could run code"):
        read_state_dict(path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "pointer of Git LFS"),
        (b"\n<!DOCTYPE html><html></html>", "is a web page"),
        (b"<HTML><body>", "is a web page"),
        (b"\xef\xbb\xbf<html lang=en>", "is a web page"),
        (b"", "is empty"),
    ],
)
def test_files_that_stand_in_the_place_of_weights(tmp_path, suffix, content, message):
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_state_dict(path)


def test_half_a_download_is_called_truncated(tmp_path):
    path = saved(tmp_path / "w.pth", network().state_dict())
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="is truncated: its zip archive has no end"):
        read_state_dict(path)


def test_half_a_pickle_is_called_truncated(tmp_path):
    path = tmp_path / "w.pth"
    torch.save(network().state_dict(), path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match="is truncated: its pickle ends too early"):
        read_state_dict(path)


def test_half_a_safetensors_file_is_called_truncated(tmp_path):
    path = tmp_path / "w.safetensors"
    save_file(network().state_dict(), path)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DataError, match="is truncated, or cannot be read as safetensors"):
        read_state_dict(path)


def test_a_file_of_torch_save_with_the_name_of_safetensors(tmp_path):
    path = saved(tmp_path / "w.safetensors", network().state_dict())
    with pytest.raises(DataError, match=r"is a file of torch.save.*rename it"):
        read_state_dict(path)
