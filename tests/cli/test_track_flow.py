import json

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.maps import KITTI, write_frames
from helpers.scenes import HEIGHT, WIDTH, Box, DrawnVideo
from helpers.shipped_weights import empty_weights_folder, put_narrow_flownet2, put_weights
from PIL import Image

from mapt_bench.cli.main import main
from mapt_bench.data import open_maps

FAST = [[Box(1, 5 + 20 * t), Box(2, 80 - 20 * t, y=30)] for t in range(3)]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Two cars too fast for copies of their masks, and their ground-truth flow on disk."""
    monkeypatch.chdir(tmp_path)
    video = DrawnVideo(FAST)
    write_frames(tmp_path / "data/panoptic_maps/val/0001", [video.truth(t) for t in range(3)])
    images = tmp_path / "data/images/val/0001"
    images.mkdir(parents=True)
    flow = np.zeros((HEIGHT, WIDTH, 2), dtype=np.float32)
    flow[:25, :, 0], flow[25:, :, 0] = -20, 20
    (tmp_path / "flow" / "0001").mkdir(parents=True)
    for t in range(3):
        Image.fromarray(video.image(t)).save(images / f"{t:06d}.png")
        if t:
            np.save(tmp_path / "flow" / "0001" / f"{t:06d}.npy", flow)
    return tmp_path


def _run(*words):
    return CliRunner().invoke(main, ["track", "data", "--out", "out", *words])


def test_flow_files_link_fast_objects(here):
    result = _run("--tracker", "flow:files", "--weights", "flow", "--json", "-")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["weights"] == "flow"
    assert told["random_weights"] is False
    (sequence,) = told["per_sequence"]
    assert sequence["tracks"] == 2
    assert sequence["matches"] == {"motion": 4, "new": 2}
    assert open_maps(here / "out", KITTI).sequences[0].read(2).ids.max() == 2


def test_untrained_networks_run_only_when_asked_for_and_the_output_says_so(here):
    refused = _run("--tracker", "flow:raft-small")
    assert refused.exit_code == 2
    assert "needs trained weights: give --weights FILE" in " ".join(refused.stderr.split())
    assert not (here / "out").exists()
    result = _run("--tracker", "flow:raft-small", "--random-weights")
    assert result.exit_code == 0, result.output
    assert "UNTRAINED" in result.stdout


def test_what_untrained_networks_give_is_marked_in_json(here):
    result = _run("--tracker", "flow:raft-small", "--random-weights", "--json", "-")
    told = json.loads(result.stdout)
    assert told["weights"] is None
    assert told["random_weights"] is True


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--tracker", "flow:flownet2", "--weights", "absent.tar"), 3, "no such weights file"),
        (("--tracker", "flow:flownet2", "--weights", "junk.tar"), 3, "not plain tensors"),
        (("--tracker", "flow:files", "--weights", "absent"), 3, "no such folder of flow files"),
        (("--tracker", "flow:files"), 2, "needs --weights FOLDER"),
        (("--tracker", "flow:files", "--weights", "flow", "--pair", "2"), 2, "no pairing interval"),
        (("--tracker", "flow:fast"), 2, "unknown tracker 'flow:fast'"),
        (("--tracker", "sort", "--weights", "flow"), 2, "tracker 'sort' has no weights"),
        (("--tracker", "flow:raft-small", "--random-weights", "--device", "abacus"), 2, "abacus"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(here, words, code, said):
    (here / "junk.tar").write_bytes(b"\x80\x02cos\nsystem\n.")
    result = _run(*words)
    assert result.exit_code == code, result.output
    assert said in " ".join(result.stderr.split())
    assert not (here / "out").exists()


def test_the_narrow_flownet2_that_ships_runs_unless_told_otherwise(here, monkeypatch):
    room = empty_weights_folder(monkeypatch, here / "room")
    put_weights(room, "mapt-tiny")
    refused = _run("--tracker", "flow:flownet2-narrow")
    assert refused.exit_code == 2
    assert "needs trained weights: give --weights FILE" in " ".join(refused.stderr.split())
    put_narrow_flownet2(room)
    told = json.loads(_run("--tracker", "flow:flownet2-narrow", "--json", "-").stdout)
    assert told["weights_in_use"]["tracker"]["name"] == "flownet2-narrow"
    assert told["per_sequence"][0]["frames"] == 3
    again = _run(
        *("--tracker", "flow:flownet2-narrow", "--weights", "flownet2-narrow"),
        *("--segments", "groundtruth", "--out", "again", "--json", "-"),
    )
    assert json.loads(again.stdout)["per_sequence"] == told["per_sequence"]
