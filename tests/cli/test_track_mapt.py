"""``mapt-bench track`` with weights of MAPT."""

import json

import pytest
import torch
from click.testing import CliRunner
from helpers.maps import write_frames
from helpers.mapt_clips import small_mapt
from helpers.scenes import Box, DrawnVideo
from PIL import Image
from safetensors.torch import save_file

from mapt_bench.cli.main import main
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
    assert sum(row["steps"].values()) == 8
    assert row["tracks"] < 8


def test_it_finds_its_own_segments_unless_told_otherwise(files, tmp_path):
    weights = str(files / "w.safetensors")
    code, own = track(files, tmp_path / "own", "--tracker", "mapt", "--weights", weights)
    assert code == 0
    assert own["segments"] == weights
    words = ("--tracker", "unlinked", "--segments", weights)
    code, unlinked = track(files, tmp_path / "unlinked", *words)
    assert code == 0
    counted = [sum(each["per_sequence"][0]["steps"].values()) for each in (own, unlinked)]
    assert counted[0] == counted[1] > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--tracker", "mapt"), "mapt needs trained weights"),
        (("--tracker", "mapt", "--random-weights"), "mapt is not run untrained"),
        (("--tracker", "sort", "--weights", "x"), "has no weights"),
    ],
)
def test_wrong_use_is_told(files, tmp_path, words, message):
    code, found = track(files, tmp_path / "o", *words)
    assert code == 2
    assert message in found["error"]["message"]


def test_weights_that_are_not_there(files, tmp_path):
    words = ("--tracker", "mapt", "--weights", str(tmp_path / "none.safetensors"))
    code, found = track(files, tmp_path / "o", *words)
    assert code == 3
    assert "no such weights file" in found["error"]["message"]
