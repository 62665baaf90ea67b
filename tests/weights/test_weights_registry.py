import hashlib
import json
import os
import subprocess
import sys

import pytest
import torch
from helpers.modules import ROOT
from helpers.shipped_weights import empty_weights_folder, put_weights

import mapt_bench.weights as weights_registry
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.model import load_mapt
from mapt_bench.weights import (
    shipped,
    shipped_at,
    shipped_weights,
    weights_file,
    weights_in_use,
)

torch.set_num_threads(1)

LIMIT_MB = 16


@pytest.fixture
def here(tmp_path, monkeypatch):
    return empty_weights_folder(monkeypatch, tmp_path / "weights_registry")


def test_only_what_is_there_is_listed(here):
    assert shipped_weights() == ()
    put_weights(here, "mapt-tiny")
    put_weights(here, "flownet2-narrow")
    assert shipped_weights() == ("flownet2-narrow", "mapt-tiny")


def test_weights_are_known_by_name(here):
    path = put_weights(here)
    found = shipped("mapt-tiny")
    assert (found.name, found.path) == ("mapt-tiny", path)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.card["name"] == "mapt-tiny"
    assert found.trained_on == "the synthetic world (suite train)"


def test_the_nearest_name_is_suggested(here):
    put_weights(here, "mapt-tiny")
    put_weights(here, "flownet2-narrow")
    with pytest.raises(ConfigError, match="'mapt-tinny'; did you mean 'mapt-tiny'"):
        shipped("mapt-tinny")


def test_a_package_without_weights_says_so(here):
    with pytest.raises(ConfigError, match="this copy of the package has no weights"):
        shipped("mapt-tiny")


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": "other/1"}', None])
def test_a_damaged_card_is_told(here, text):
    card = put_weights(here).with_suffix(".json")
    card.unlink()
    if text is not None:
        card.write_text(text)
    with pytest.raises(DataError, match="reinstall the package") as caught:
        shipped("mapt-tiny")
    assert caught.value.where == str(card)


def test_a_pipe_in_place_of_a_card_is_refused_at_once(here):
    card = put_weights(here).with_suffix(".json")
    card.unlink()
    os.mkfifo(card)
    with pytest.raises(DataError, match="named pipe"):
        shipped("mapt-tiny")


def test_a_bare_word_is_a_name_and_all_else_a_path(here, tmp_path, monkeypatch):
    path = put_weights(here)
    monkeypatch.chdir(tmp_path)
    assert weights_file("mapt-tiny") == path
    for other in ("runs/mapt-tiny", "mapt-tiny.safetensors", str(tmp_path / "mapt-tiny")):
        assert str(weights_file(other)) == other
    with pytest.raises(ConfigError, match="did you mean 'mapt-tiny'"):
        weights_file("mapt-tinny")
    (tmp_path / "mapt-tiny").touch()
    assert str(weights_file("mapt-tiny")) == "mapt-tiny"  # a file of the user comes first


def test_shipped_files_are_recognised(here, tmp_path):
    path = put_weights(here)
    assert shipped_at(path).name == "mapt-tiny"
    assert shipped_at(tmp_path / "mapt-tiny.safetensors") is None
    assert shipped_at(path.with_suffix(".json")) is None
    assert shipped_at(here / "other.safetensors") is None


def test_a_run_tells_which_weights_it_used(here, tmp_path):
    path = put_weights(here)
    used = weights_in_use("mapt-tiny")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    seen = "the synthetic world (suite train)"
    assert used.to_dict() == {"name": "mapt-tiny", "sha256": digest, "trained_on": seen}
    assert used.description == f"mapt-tiny (sha256 {digest[:12]}, trained on {seen})"
    own = tmp_path / "own.safetensors"
    own.write_bytes(b"abc")
    assert weights_in_use(own).description == f"{own} (sha256 ba7816bf8f01)"
    with pytest.raises(DataError, match="No such file"):
        weights_in_use(tmp_path / "none.safetensors")


def test_a_model_is_loaded_by_name(here):
    put_weights(here)
    model = load_mapt("mapt-tiny")
    assert model.source == shipped("mapt-tiny").sha256
    assert (
        model.title == "the shipped model mapt-tiny, trained on the synthetic world (suite train),"
    )


def test_names_are_told_without_torch():
    code = "import sys, mapt_bench.weights as w; w.shipped_weights(); print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


# -- the files that ship --------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped_weights())
def test_a_shipped_file_is_the_one_of_its_card(name):
    found = shipped(name)
    contents = found.path.read_bytes()
    assert hashlib.sha256(contents).hexdigest() == found.sha256
    assert found.card["name"] == name
    assert found.card["bytes"] == len(contents)
    assert set(found.card["scores"]) >= {"val", "bench"}
    for measured in found.card["scores"].values():
        assert measured["scores"] or measured["reason"]
    assert found.card["limits"]


@pytest.mark.parametrize("name", shipped_weights())
def test_the_log_and_the_page_of_shipped_weights_are_kept(name):
    log = ROOT / "docs" / "training_logs" / f"{name}.jsonl"
    last = json.loads(log.read_text().splitlines()[-1])
    assert last["step"] == shipped(name).card["steps"]
    assert f"## {name}\n" in (ROOT / "docs" / "model_card.md").read_text()
    assert (ROOT / "docs" / "pictures" / f"training_{name}.png").is_file()


@pytest.mark.parametrize("name", [name for name in shipped_weights() if name.startswith("mapt")])
def test_a_shipped_model_loads(name):
    model = load_mapt(name)
    parameters = sum(each.numel() for each in model.parameters())
    assert parameters == shipped(name).card["parameters"]


def test_what_ships_is_small():
    total = sum(
        path.stat().st_size for path in weights_registry.WEIGHTS_FOLDER.glob("*.safetensors")
    )
    assert total < LIMIT_MB * 1e6


def test_there_is_no_card_without_its_weights():
    cards = {path.stem for path in weights_registry.WEIGHTS_FOLDER.glob("*.json")}
    linkers = {stem for stem in cards if stem.endswith(".linker")}
    assert cards - linkers == set(shipped_weights())
    assert {stem.removesuffix(".linker") for stem in linkers} <= set(shipped_weights())
