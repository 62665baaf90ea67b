import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mapt_bench.baselines.flownet2 import FlowNet2, load_flownet2
from mapt_bench.checkpoints import load_strictly
from mapt_bench.errors import DataError

torch.set_num_threads(1)

SHAPES = json.loads((Path(__file__).parent / "flownet2_state_dict.json").read_text())
WIDTH = 0.02


@pytest.fixture(scope="module")
def narrow():
    torch.manual_seed(3)
    return FlowNet2(WIDTH).eval()


def _state(narrow):
    return dict(narrow.state_dict())


def _saved(path, content, **how):
    torch.save(content, path, **how)
    return path


def test_a_state_dict_of_the_released_keys_loads_strictly(tmp_path):
    # One stored number stands for each whole tensor, so that 650 MB are a few kB on disk.
    tensors = {name: torch.full((1,), 0.5).expand(shape) for name, shape in SHAPES.items()}
    content = {"arch": "FlowNet2", "epoch": 3, "best_EPE": 2.5, "state_dict": tensors}
    network = load_flownet2(_saved(tmp_path / "FlowNet2_checkpoint.pth.tar", content))
    assert not network.training
    assert sum(values.numel() for values in network.parameters()) == 162_518_834
    assert all(values.view(-1)[0] == 0.5 for values in network.parameters())


@pytest.mark.parametrize("form", ["wrapped", "bare", "old", "safetensors"])
def test_every_form_of_file_gives_the_same_network(tmp_path, narrow, form):
    state = _state(narrow)
    path = tmp_path / ("w.safetensors" if form == "safetensors" else "w.pth.tar")
    if form == "safetensors":
        save_file(state, path)
    elif form == "old":  # how torch saved when the released weights were made
        _saved(path, {"state_dict": state}, _use_new_zipfile_serialization=False)
    else:
        _saved(path, {"state_dict": state} if form == "wrapped" else state)
    loaded = load_flownet2(path, width=WIDTH).state_dict()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def test_numbers_of_half_precision_become_float32(tmp_path, narrow):
    state = {name: values.half() for name, values in _state(narrow).items()}
    loaded = load_flownet2(_saved(tmp_path / "w.pth", state), width=WIDTH)
    assert {values.dtype for values in loaded.parameters()} == {torch.float32}


def _refused(path, narrow_width=WIDTH):
    with pytest.raises(DataError) as caught:
        load_flownet2(path, width=narrow_width)
    assert caught.value.where == str(path)
    return caught.value.message


def test_a_missing_key_is_named(tmp_path, narrow):
    state = _state(narrow)
    del state["flownets_2.conv4.0.bias"]
    message = _refused(_saved(tmp_path / "w.pth", {"state_dict": state}))
    assert "1 missing (flownets_2.conv4.0.bias)" in message


def test_an_unknown_key_is_named(tmp_path, narrow):
    state = _state(narrow) | {"flownetx.conv1.0.weight": torch.zeros(1)}
    message = _refused(_saved(tmp_path / "w.pth", state))
    assert "1 unknown (flownetx.conv1.0.weight)" in message


def test_another_shape_is_named_with_both_shapes(tmp_path, narrow):
    state = _state(narrow) | {"flownetc.conv1.0.weight": torch.zeros(1, 3, 5, 5)}
    message = _refused(_saved(tmp_path / "w.pth", state))
    assert "flownetc.conv1.0.weight is (1, 3, 5, 5), expected (1, 3, 7, 7)" in message


def test_many_faults_are_counted_and_the_first_named(tmp_path, narrow):
    message = _refused(_saved(tmp_path / "w.pth", _state(narrow)), narrow_width=0.05)
    assert "of another shape (" in message
    assert "more)" in message
    assert len(message) < 600


def test_the_variant_with_batch_normalisation_is_called_by_its_name(tmp_path, narrow):
    state = _state(narrow)
    del state["flownetc.conv1.0.bias"]
    for name in ("weight", "bias", "running_mean", "running_var"):
        state[f"flownetc.conv1.1.{name}"] = torch.zeros(1)
    message = _refused(_saved(tmp_path / "w.pth", state))
    assert "variant of FlowNet2 with batch normalisation (flownetc.conv1.1.running_mean" in message


class _Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("plain", [True, False])
def test_a_pickle_that_is_not_plain_tensors_is_refused_and_does_not_run(tmp_path, plain):
    trace = tmp_path / "ran"
    path = tmp_path / "w.pth.tar"
    content = {"state_dict": {}, "extra": _Harmful(trace)}
    if plain:
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path)
    assert "it could run code, so it was not read" in _refused(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([1, 2], "holds a list"),
        ({}, "holds a dict without entries"),
        ({"state_dict": {}}, "holds a dict without entries"),
        ({"epoch": 3}, "entry 'epoch' is an int, not a tensor"),
        ({"state_dict": {"a": 1.5}}, "entry 'a' is a float, not a tensor"),
    ],
)
def test_files_without_a_state_dict_are_refused(tmp_path, content, said):
    assert said in _refused(_saved(tmp_path / "w.pth", content))


def test_weights_that_are_not_finite_are_named(tmp_path, narrow):
    state = _state(narrow) | {"flownetc.predict_flow2.bias": torch.tensor([0.0, float("nan")])}
    message = _refused(_saved(tmp_path / "w.pth", state))
    assert "not finite" in message
    assert "flownetc.predict_flow2.bias" in message


@pytest.mark.parametrize("name", ["w.pth.tar", "w.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights at all", b"PK\x03\x04 cut off"])
def test_damaged_files_are_refused(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    _refused(path)


def test_a_truncated_file_is_refused(tmp_path, narrow):
    path = _saved(tmp_path / "w.pth", _state(narrow))
    path.write_bytes(path.read_bytes()[:5000])
    assert "is truncated" in _refused(path)


def test_a_missing_file_is_refused(tmp_path):
    assert "no such weights file" in _refused(tmp_path / "absent.pth.tar")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda values: values.to("meta"), "has no data"),
        (lambda values: values.to_sparse(), "is sparse"),
        (lambda values: values.to(torch.complex64), "is torch.complex64, expected torch.float32"),
        (lambda values: values.to(torch.int64), "is torch.int64, expected torch.float32"),
    ],
)
def test_entries_that_hold_no_plain_values_are_named(narrow, change, words):
    tensors = dict(narrow.state_dict())
    name = next(iter(tensors))
    tensors[name] = change(tensors[name])
    with pytest.raises(DataError, match=words):
        load_strictly(narrow, tensors, where=Path("weights.pth"))


def test_a_folder_in_place_of_a_file_is_told(tmp_path):
    assert "is a folder; give a weights file" in _refused(tmp_path)
