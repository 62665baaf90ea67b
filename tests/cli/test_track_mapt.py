"""``mapt-bench track`` with weights of MAPT."""

import hashlib
import json
import shutil

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from helpers.maps import write_frames
from helpers.mapt_clips import small_mapt
from helpers.scenes import Box, DrawnVideo
from helpers.shipped_weights import empty_weights_folder, put_weights
from PIL import Image
from safetensors.torch import save_file

from mapt_bench.cli.main import main
from mapt_bench.data import open_maps
from mapt_bench.labels import PanopticMap, class_maps
from mapt_bench.model import mapt_config_to_dict

torch.set_num_threads(1)

SCENE = [[Box(5, 10 + 2 * t), Box(8, 70 - 2 * t, y=30)] for t in range(4)]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mapt")
    video = DrawnVideo(SCENE)
    write_frames(folder / "data/panoptic_maps/val/drawn", [video.truth(t) for t in range(4)])
    images = folder / "data/images/val/drawn"
    images.mkdir(parents=True)
    for t in range(4):
        Image.fromarray(video.image(t)).save(images / f"{t:06d}.png")
    model = small_mapt(**{"instance.score_threshold": 1e-4, "instance.detections": 6})
    record = {"model_config": mapt_config_to_dict(model.config)}
    tensors = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(tensors, folder / "w.safetensors", metadata={"record": json.dumps(record)})
    return folder


def track(files, out, *words):
    command = ["track", str(files / "data"), "--out", str(out), "--json", "-", *words]
    result = CliRunner().invoke(main, command)
    return result.exit_code, json.loads(result.stdout)


@pytest.mark.parametrize("heads", ["mapt", "mapt:motion", "mapt:appearance", "mapt:simultaneous"])
def test_true_segments_are_linked_by_its_heads(files, tmp_path, heads):
    weights = str(files / "w.safetensors")
    code, found = track(
        files, tmp_path / "o", "--tracker", heads, "--weights", weights, "--segments", "groundtruth"
    )
    assert code == 0
    (row,) = found["per_sequence"]
    assert sum(row["matches"].values()) == 8
    assert row["tracks"] < 8


def test_it_finds_its_own_segments_unless_told_otherwise(files, tmp_path):
    weights = str(files / "w.safetensors")
    code, own = track(files, tmp_path / "own", "--tracker", "mapt", "--weights", weights)
    assert code == 0
    assert own["segments"] == "mapt"
    assert own["weights_in_use"]["segments"] == own["weights_in_use"]["tracker"]
    assert own["weights_in_use"]["tracker"]["name"] == weights
    words = ("--tracker", "unlinked", "--segments", weights)
    code, unlinked = track(files, tmp_path / "unlinked", *words)
    assert code == 0
    counted = [sum(each["per_sequence"][0]["matches"].values()) for each in (own, unlinked)]
    assert counted[0] == counted[1] > 0


@pytest.fixture
def room(tmp_path, monkeypatch):
    return empty_weights_folder(monkeypatch, tmp_path / "room")


def digest_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_without_weights_those_that_ship_are_run(files, tmp_path, room):
    shipped = put_weights(room, "mapt-compact")
    code, found = track(files, tmp_path / "o", "--tracker", "mapt")
    assert code == 0
    expected = {
        "name": "mapt-compact",
        "sha256": digest_of(shipped),
        "trained_on": "the synthetic world (suite train)",
    }
    assert found["weights_in_use"] == {"tracker": expected, "segments": expected}
    assert found["segments"] == "mapt"
    assert sum(found["per_sequence"][0]["matches"].values()) > 0


def test_the_output_says_which_weights_ran(files, tmp_path, room):
    shipped = put_weights(room, "mapt-compact")
    command = ["track", str(files / "data"), "--tracker", "mapt", "--out", str(tmp_path / "o")]
    told = CliRunner().invoke(main, command).stdout
    digits = digest_of(shipped)[:12]
    line = f"weights: mapt-compact (sha256 {digits}, trained on the synthetic world (suite train))"
    assert told.count(line) == 1


def test_shipped_weights_find_segments_for_any_tracker(files, tmp_path, room):
    put_weights(room, "mapt-compact")
    seen = []
    for number, segments in enumerate(("mapt", "mapt-compact")):
        words = ("--tracker", "sort", "--segments", segments)
        code, found = track(files, tmp_path / f"o{number}", *words)
        assert code == 0
        assert list(found["weights_in_use"]) == ["segments"]
        assert found["weights_in_use"]["segments"]["name"] == "mapt-compact"
        seen.append(found["per_sequence"])
    assert seen[0] == seen[1]


def test_a_flow_with_the_looks_of_mapt_tells_whose_they_are(files, tmp_path, room):
    path = put_weights(room, "mapt-compact")
    code, found = track(files, tmp_path / "o", "--tracker", "flow:dis+mapt")
    assert code == 0
    assert list(found["weights_in_use"]) == ["appearance"]
    assert found["weights_in_use"]["appearance"]["sha256"] == digest_of(path)


def test_a_shipped_name_may_stand_for_a_file(files, tmp_path, room):
    put_weights(room, "mapt-compact")
    path = put_weights(room, "mapt-tiny-appearance", seed=5)
    words = ("--tracker", "mapt:appearance", "--weights", "mapt-tiny-appearance")
    code, found = track(files, tmp_path / "o", *words)
    assert code == 0
    used = found["weights_in_use"]
    assert used["tracker"]["sha256"] == used["segments"]["sha256"] == digest_of(path)


def test_mapt_as_segments_are_found_by_the_weights_of_the_tracker(files, tmp_path, room):
    put_weights(room, "mapt-compact")
    weights = str(files / "w.safetensors")
    words = ("--tracker", "mapt", "--weights", weights, "--segments", "mapt")
    code, found = track(files, tmp_path / "o", *words)
    assert code == 0
    assert found["weights_in_use"]["segments"]["name"] == weights


def test_videos_of_other_classes_are_told_with_what_to_do(files, tmp_path, room):
    put_weights(room, "mapt-compact")
    words = ("--tracker", "mapt", "--dataset", "motchallenge-step")
    code, found = track(files, tmp_path / "o", *words)
    assert code == 3
    for part in (
        "the shipped model mapt-compact, trained on the synthetic world (suite train), has the",
        "label space 'kitti-step', the video 'motchallenge-step'",
        "weights trained with that of the video",
    ):
        assert part in found["error"]["message"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--tracker", "mapt:typo"), "unknown tracker 'mapt:typo'; did you mean 'mapt"),
        (("--tracker", "mapt:apearance"), "did you mean 'mapt:appearance'"),
        (("--tracker", "mapt-compakt"), "unknown tracker 'mapt-compakt'; did you mean 'mapt"),
        (("--tracker", "mapt-compact"), "is a name of weights, not of a tracker"),
        (("--tracker", "mapt", "--weights", "mapt-compakt"), "did you mean 'mapt-compact'"),
        (("--tracker", "both:typo"), "unknown tracker 'both:typo'; did you mean 'both"),
    ],
)
def test_wrong_names_are_told_with_the_nearest(files, tmp_path, room, words, message):
    put_weights(room, "mapt-compact")
    code, found = track(files, tmp_path / "o", *words)
    assert code == 2
    assert message in found["error"]["message"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--tracker", "mapt"), "mapt needs trained weights, and this copy of the package has"),
        (("--tracker", "sort", "--segments", "mapt"), "mapt needs trained weights"),
        (("--tracker", "mapt", "--random-weights"), "mapt does not run untrained"),
        (("--tracker", "sort", "--weights", "x"), "has no weights"),
    ],
)
def test_wrong_use_is_told(files, tmp_path, room, words, message):
    code, found = track(files, tmp_path / "o", *words)
    assert code == 2
    assert message in found["error"]["message"]


def test_weights_that_are_not_there(files, tmp_path):
    words = ("--tracker", "mapt", "--weights", str(tmp_path / "none.safetensors"))
    code, found = track(files, tmp_path / "o", *words)
    assert code == 3
    assert "no such weights file" in found["error"]["message"]


def test_a_network_of_other_classes_detects_through_a_class_map(files, tmp_path):
    weights = ("--tracker", "mapt", "--weights", str(files / "w.safetensors"))
    other = tmp_path / "other"
    shutil.copytree(files / "data", other)
    maps = other / "panoptic_maps/val/drawn"
    shutil.rmtree(maps)
    everywhere = np.full(DrawnVideo(SCENE).truth(0).shape, 4 << 24 | 1, dtype=np.uint32)
    write_frames(maps, [PanopticMap(everywhere)] * 4)  # person is class 4 there
    words = ["track", str(other), "--dataset", "motchallenge-step", "--json", "-", *weights]
    refused = CliRunner().invoke(main, [*words, "--out", str(tmp_path / "a")])
    assert refused.exit_code == 3
    assert "has the label space 'kitti-step'" in refused.stderr
    assert "--map" in refused.stderr
    found = CliRunner().invoke(main, [*words, "--out", str(tmp_path / "b"), "--map", "common"])
    assert found.exit_code == 0, found.stderr
    result = json.loads(found.stdout)
    assert result["label_space"] == "common"
    assert result["class_map"]["name"] == "common"
    assert "note: ground truth mapped from motchallenge-step to common" in found.stderr
    assert "note: detections of w mapped from kitti-step to common: " in found.stderr
    assert list(result["mapped"]) == ["ground_truth", "detections of w"]
    detected = result["mapped"]["detections of w"]
    assert detected["from"] == "kitti-step"
    assert 0 < detected["void_pixels"] < detected["pixels"] <= 4 * everywhere.size
    written = open_maps(tmp_path / "b")
    assert written.labels == class_maps("common").target
    seen = {int(c) for t in range(4) for c in np.unique(written.sequences[0].read(t).classes)}
    assert seen <= {*written.labels.class_ids, 255}
    things = sum(result["per_sequence"][0]["matches"].values())
    assert things > 0
