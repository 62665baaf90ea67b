"""``mapt-bench convert`` from outside."""

import json

from click.testing import CliRunner
from helpers.maps import KITTI, draw

from mapt_bench.cli import main
from mapt_bench.data import map_format, open_maps, writer_names


def write(folder):
    with map_format("kitti-step").open(folder, KITTI) as writer:
        writer.write("0001", "000000", draw("r c1", "v p0"))


def convert(*words):
    return CliRunner().invoke(main, ["convert", *map(str, words)])


def test_a_conversion_that_loses_nothing_says_so(tmp_path):
    write(tmp_path / "in")
    done = convert(tmp_path / "in", tmp_path / "out", "--to", "coco-panoptic")
    assert done.exit_code == 0
    assert done.stdout == (
        f"1 frame of 1 sequence written to {tmp_path / 'out'} as coco-panoptic, from kitti-step; "
        "nothing is lost\n"
    )
    assert open_maps(tmp_path / "out").encoding == "coco-panoptic"


def test_a_loss_is_printed(tmp_path):
    write(tmp_path / "in")
    done = convert(tmp_path / "in", tmp_path / "out", "--to", "mots-txt")
    assert done.exit_code == 0
    assert "lost: 1 pixel of void read as background\n" in done.stderr
    assert "mots-txt: void becomes background, which excuses no prediction\n" in done.stderr
    assert "nothing is lost" not in done.stdout


def test_lossless_refuses_a_loss(tmp_path):
    write(tmp_path / "in")
    done = convert(tmp_path / "in", tmp_path / "out", "--to", "mots-txt", "--lossless")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "failed: something would be lost, so nothing is written\n" in done.stderr
    assert not (tmp_path / "out").exists()


def test_wrong_usage_and_unusable_data(tmp_path):
    write(tmp_path / "in")
    unknown = convert(tmp_path / "nowhere", tmp_path / "out", "--to", "kitti")
    assert unknown.exit_code == 2
    assert all(name in unknown.output for name in writer_names())
    assert convert(tmp_path / "nowhere", tmp_path / "out", "--to", "kitti-step").exit_code == 3
    assert convert(tmp_path / "in", tmp_path / "in", "--to", "two-channel").exit_code == 2


def test_json_states_the_losses(tmp_path):
    write(tmp_path / "in")
    words = (tmp_path / "in", tmp_path / "out", "--to", "mots-txt", "--lossless", "--json", "-")
    done = convert(*words)
    data = json.loads(done.stdout)
    assert (done.exit_code, data["schema"], data["written"]) == (1, "mapt-bench/convert/1", False)
    assert (data["frames"], data["sequences"], data["encoding"]) == (1, 1, "mots-txt")
    assert "1 pixel of void read as background" in data["losses"]
