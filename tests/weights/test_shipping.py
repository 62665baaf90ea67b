"""The commands that put weights into the package and measure them."""

import importlib
import json
import shutil
from dataclasses import replace

import pytest
import torch
from helpers.mapt_clips import small_mapt
from helpers.modules import ROOT
from helpers.shipped_weights import FINDS_MUCH, empty_weights_folder
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.files import file_sha256
from mapt_bench.model import load_mapt, mapt_config_to_dict
from mapt_bench.provenance import provenance
from mapt_bench.training.checkpoint import export_weights
from mapt_bench.training.recipe_files import read_recipe
from mapt_bench.weights import shipped, shipped_weights

torch.set_num_threads(1)

SETTINGS = ("steps=20", "log_every=10", "checkpoint_every=10", "validate_every=20")
DATA = {"name": "train", "version": 1, "fingerprint": "ab-cd", "sequences": 4, "frames": 44}


@pytest.fixture
def makers(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return {
        name: importlib.import_module(name)
        for name in ("ship_weights", "make_model_card", "measure_weights")
    }


@pytest.fixture
def docs(tmp_path, monkeypatch):
    empty_weights_folder(monkeypatch, tmp_path / "weights_registry")
    (tmp_path / "docs" / "pictures").mkdir(parents=True)
    return tmp_path / "docs"


def write_run(
    folder, *, precision="float16", data=DATA, steps=20, rows=(10, 20), scores=None, **changes
):
    folder.mkdir(exist_ok=True)
    recipe = replace(read_recipe("mapt-tiny", SETTINGS), export=precision)
    model = small_mapt(**{**FINDS_MUCH, **changes})
    about = {
        "model_config": None if scores else mapt_config_to_dict(model.config),
        "label_space": "kitti-step",
        "seed": 3,
        "steps": steps,
        "seconds": 7384.4,
        "processes": 1,
        "data": data,
        "validation": {"PAT": 0.25},
        "provenance": provenance(),
    }
    record = export_weights(model, recipe, folder / "weights.safetensors", about)
    values = {"loss_motion": 1 / 3}
    log = [
        {"kind": "train", "step": step, "total": 2 / 3, "values": values, "lr": 0.1}
        | {"gradient_norm": 1.0, "seconds": 0.5}
        for step in rows
    ]
    log.append({"kind": "validation", "step": rows[-1], "scores": scores or {"PAT": 0.25}})
    (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in log))
    return record


def test_the_card_tells_of_the_trainings_before(makers, docs, tmp_path):
    write_run(tmp_path / "run", data={"name": "stream", "version": 2, "fingerprint": "ab" * 40})
    first = tmp_path / "first"
    first.mkdir()
    recipe = {
        "batch_size": 4,
        "clips": {"length": 3},
        "stages": [{"name": "detector", "batch_size": 8, "clips": {"length": 1}}],
    }
    setup = {"recipe": recipe, "seed": 7, "data": {"name": "stream", "version": 2}}
    (first / "train.json").write_text(json.dumps(setup))
    rows = [{"kind": "train", "step": step} for step in (1200, 3600, 3660)]
    (first / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    stated = {"step": 3640, "stage": "detector", "seconds": 7200.4}
    snapshot = tmp_path / "snapshot.safetensors"
    save_file({"a": torch.zeros(1)}, snapshot, metadata={"checkpoint": json.dumps(stated)})
    ship = makers["ship_weights"].ship
    ship(tmp_path / "run", "mapt-tiny", after=[(first, snapshot)], docs=docs)
    (stage,) = shipped("mapt-tiny").card["earlier"]
    assert (stage["steps"], stage["batch_size"], stage["clip_length"]) == (3640, 8, 1)
    kept = (docs / "training_logs" / "mapt-tiny-1.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in kept] == rows[:2]
    makers["make_model_card"].make_page(docs)
    page = (docs / "model_card.md").read_text()
    assert "stage `detector`: 3,640 steps of 8 single frames, seed 7, 2 h 00 min" in page
    assert "sequences without end, generated during the training" in page


def test_only_a_snapshot_can_be_continued(makers, docs, tmp_path):
    write_run(tmp_path / "run")
    other = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(1)}, other)
    with pytest.raises(DataError, match="is no snapshot of mapt-bench train"):
        makers["ship_weights"].ship(
            tmp_path / "run", "mapt-tiny", after=[(tmp_path / "first", other)], docs=docs
        )


def test_a_run_becomes_weights_a_card_and_a_log(makers, docs, tmp_path):
    record = write_run(tmp_path / "run")
    makers["ship_weights"].ship(tmp_path / "run", "mapt-tiny", docs=docs)
    found = shipped("mapt-tiny")
    assert found.sha256 == record["sha256"]  # float16 already: the very file
    card = found.card
    assert card["data"] == DATA
    assert (card["seed"], card["steps"], card["seconds"]) == (3, 20, 7384.4)
    assert card["parameters"] == record["parameters"]
    assert card["bytes"] == found.path.stat().st_size
    assert card["recipe"] == record["recipe"]
    assert card["machine"]["threads"] == 1
    assert card["versions"]["packages"]["torch"] == torch.__version__.partition("+")[0]
    assert card["validation"] == [{"step": 20, "scores": {"PAT": 0.25}}]
    for suite in ("val", "bench"):
        assert card["scores"][suite]["scores"] is None
        assert "not measured yet" in card["scores"][suite]["reason"]
    assert any("synthetic frames only" in limit for limit in card["limits"])
    log = [json.loads(row) for row in (docs / "training_logs/mapt-tiny.jsonl").open()]
    assert [row["step"] for row in log] == [10, 20, 20]
    assert log[0]["total"] == 0.66667
    assert log[0]["values"] == {"loss_motion": 0.33333}


def test_float32_is_halved_and_still_says_what_it_is_of(makers, docs, tmp_path):
    write_run(tmp_path / "run", precision="float32")
    makers["ship_weights"].ship(tmp_path / "run", "mapt-tiny", docs=docs)
    found = shipped("mapt-tiny")
    assert {each.dtype for each in load_file(found.path).values()} == {torch.float16}
    with safe_open(found.path, framework="pt") as file:
        assert json.loads(file.metadata()["record"])["precision"] == "float16"
    model = load_mapt("mapt-tiny")
    whole = load_file(tmp_path / "run/weights.safetensors")
    for name, value in model.state_dict().items():
        assert torch.allclose(value, whole[name], rtol=1e-3, atol=1e-6), name


def test_weights_of_another_folder_are_not_in_the_package(makers, docs, tmp_path):
    write_run(tmp_path / "run")
    (tmp_path / "seeds").mkdir()
    makers["ship_weights"].ship(
        tmp_path / "run", "seed-3", docs=docs, place=tmp_path / "seeds", limits=["Short."]
    )
    assert shipped_weights() == ()
    kept = tmp_path / "seeds" / "seed-3.safetensors"
    card = json.loads(kept.with_suffix(".json").read_text())
    assert (card["name"], card["sha256"]) == ("seed-3", file_sha256(kept))
    assert card["limits"][-1] == "Short."
    assert (docs / "training_logs" / "seed-3.jsonl").is_file()


def test_shipping_and_the_page_are_the_same_again(makers, docs, tmp_path):
    write_run(tmp_path / "run")
    folders = (docs, docs / "pictures", docs / "training_logs", tmp_path / "weights_registry")
    seen = []
    for _ in range(2):
        makers["ship_weights"].ship(tmp_path / "run", "mapt-tiny", docs=docs)
        makers["make_model_card"].make_page(docs)
        files = [path for folder in folders for path in folder.iterdir() if path.is_file()]
        seen.append({path: path.read_bytes() for path in files})
    assert seen[0] == seen[1]
    assert len(seen[0]) == 5


def test_the_page_says_what_the_card_says(makers, docs, tmp_path):
    write_run(tmp_path / "run", propagation="none", **{"appearance.static": True})
    ship = makers["ship_weights"].ship
    ship(tmp_path / "run", "mapt-tiny-appearance", docs=docs, processor="Abacus 3", limits=["Odd."])
    makers["make_model_card"].make_page(docs)
    page = (docs / "model_card.md").read_text()
    for words in (
        "## mapt-tiny-appearance",
        "2 h 03 min",
        "Abacus 3, ",
        "suite `train` version 1",
        "`ab-cd`",
        "| during training, 8 videos, last step | own | 25.00 |",
        "`bench`: not measured yet",
        "It has no motion head",
        "- Odd.",
        shipped("mapt-tiny-appearance").sha256,
    ):
        assert words in page, words


def test_what_was_measured_stays_with_the_very_same_weights(makers, docs, tmp_path):
    write_run(tmp_path / "run")
    ship = makers["ship_weights"].ship
    ship(tmp_path / "run", "mapt-tiny", docs=docs)
    card = shipped("mapt-tiny").path.with_suffix(".json")
    plain = json.loads(card.read_text())
    plain["scores"]["val"] = {"tracker": "mapt", "scores": {"all": {"PAT": 0.5}}}
    card.write_text(json.dumps(plain))
    assert ship(tmp_path / "run", "mapt-tiny", docs=docs)["scores"]["val"]["scores"]
    write_run(tmp_path / "run", seed=1)
    assert ship(tmp_path / "run", "mapt-tiny", docs=docs)["scores"]["val"]["scores"] is None


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"steps": 10}, DataError, "of step 10 and its log ends at 20, of 20 steps"),
        ({"rows": (10,)}, DataError, "its log ends at 10, of 20 steps"),
        ({"data": {"name": "mine", "version": None}}, ConfigError, "was trained on a folder"),
    ],
)
def test_runs_that_do_not_ship(makers, docs, tmp_path, changes, error, words):
    write_run(tmp_path / "run", **changes)
    with pytest.raises(error, match=words):
        makers["ship_weights"].ship(tmp_path / "run", "mapt-tiny", docs=docs)
    assert list((tmp_path / "weights_registry").iterdir()) == []


def test_a_run_that_goes_on_does_not_ship(makers, docs, tmp_path):
    write_run(tmp_path / "run")
    (tmp_path / "run/weights.json").unlink()
    with pytest.raises(DataError, match="is not a finished training"):
        makers["ship_weights"].ship(tmp_path / "run", "mapt-tiny", docs=docs)


def test_weights_of_another_record_do_not_ship(makers, docs, tmp_path):
    write_run(tmp_path / "run")
    with (tmp_path / "run/weights.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(DataError, match="are not those of"):
        makers["ship_weights"].ship(tmp_path / "run", "mapt-tiny", docs=docs)


def test_a_name_is_a_plain_word(makers, docs, tmp_path):
    with pytest.raises(ConfigError, match="lower-case letters, digits and hyphens"):
        makers["ship_weights"].ship(tmp_path, "../mapt", docs=docs)


def test_weights_are_measured_by_halves(makers, docs, tmp_path):
    write_run(tmp_path / "run")
    makers["ship_weights"].ship(tmp_path / "run", "mapt-tiny", docs=docs)
    linker = ROOT / "mapt_bench/weights/mapt-compact.linker.json"  # the new folder has none
    shutil.copy(linker, shipped("mapt-tiny").path.with_suffix(".linker.json"))
    makers["measure_weights"].measure(shipped("mapt-tiny"), "tiny")
    measured = shipped("mapt-tiny").card["scores"]["tiny"]
    assert measured["tracker"] == "mapt"
    assert measured["data"]["sequences"] == 4
    assert set(measured["scores"]) == {"all", "hard", "real-like"}
    assert 0 <= measured["scores"]["all"]["SQ"] <= 1
    makers["make_model_card"].make_page(docs)
    assert "| `tiny`, hard | `mapt` |" in (docs / "model_card.md").read_text()


def test_a_flow_network_has_errors_in_place_of_scores(makers, docs, tmp_path):
    write_run(tmp_path / "run", scores={"EPE": 1.5})
    makers["ship_weights"].ship(tmp_path / "run", "flow", docs=docs)
    with pytest.raises(ConfigError, match="are not weights of MAPT"):
        makers["measure_weights"].measure(shipped("flow"), "tiny")
    makers["make_model_card"].make_page(docs)
    page = (docs / "model_card.md").read_text()
    assert "| EPE | 1.500 |" in page
    assert "`bench`: returns flow, not maps" in page
    assert "label spaces" not in page
