import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mapt_bench.cli import main
from mapt_bench.data.annotations import open_annotated_videos

SMALL = ("--frames", "5", "--size", "96x160")


def invoke(*words):
    return CliRunner().invoke(main, ["synth", *map(str, words)])


def tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("kind", ["street", "crowd"])
def test_equal_seeds_give_equal_bytes_in_one_process_or_two(tmp_path, kind):
    words = ("--kind", kind, "--seed", 5, "--count", 2, "--flow", "both", *SMALL)
    for name, jobs in (("one", 1), ("again", 1), ("two", 2)):
        result = invoke(*words, "-j", jobs, "--out", tmp_path / name)
        assert result.exit_code == 0, result.stderr
    one = tree(tmp_path / "one")
    assert one == tree(tmp_path / "again") == tree(tmp_path / "two")
    assert {name.split("/")[0] for name in one} == {
        *("images", "panoptic_maps", "known", "backward_flow", "forward_flow"),
        *("dataset.json", "world.json"),
    }
    other = invoke("--kind", kind, "--seed", 6, *SMALL, "--out", tmp_path / "other")
    assert other.exit_code == 0
    sixth = f"images/val/{kind}-0006/000000.png"
    assert tree(tmp_path / "other")[sixth] == one[sixth]
    assert one[sixth] != one[f"images/val/{kind}-0005/000000.png"]


def test_the_flow_that_is_written_finds_the_same_pixels(tmp_path):
    words = ("--kind", "street", "--seed", 2, *SMALL, "--flow", "backward")
    assert invoke(*words, "--out", tmp_path / "w").exit_code == 0
    (video,) = open_annotated_videos(tmp_path / "w")
    for index in range(1, 5):
        field = video.backward_flow(index)
        rows, columns = np.nonzero(field.valid)
        dx, dy = np.rint(field.flow[rows, columns]).astype(int).T
        x, y = columns + dx, rows + dy
        found = video.truth(index - 1).codes[y, x] == video.truth(index).codes[rows, columns]
        assert found.mean() > 0.99
        codes = video.truth(index).codes
        for known in video.objects(index):
            assert known.visible_px == np.count_nonzero(codes == known.code) <= known.amodal_px


def test_json_says_what_was_written(tmp_path):
    words = ("--kind", "crowd", "--seed", 1, *SMALL, "--labels", "motchallenge-step")
    result = invoke(*words, "--similarity", 0.5, "--out", tmp_path / "w", "--json", "-")
    assert result.exit_code == 0, result.stderr
    data = json.loads(result.stdout)
    assert data["schema"] == "mapt-bench/synth/1"
    assert data["label_space"] == "motchallenge-step"
    assert data["suite"] is None
    (sequence,) = data["sequences"]
    assert sequence["sequence"] == "crowd-0001"
    assert sequence["settings"]["similarity"] == 0.5
    assert (sequence["frames"], sequence["height"], sequence["width"]) == (5, 96, 160)
    assert len(sequence["maps_sha256"]) == 64
    assert not sequence["was_there"]
    again = json.loads(
        invoke(*words, "--similarity", 0.5, "--out", tmp_path / "w", "--json", "-").stdout
    )
    assert again["sequences"][0] == {**sequence, "was_there": True}


@pytest.mark.parametrize("kind", ["street", "crowd"])
def test_a_single_frame_is_a_video(tmp_path, kind):
    words = ("--kind", kind, "--seed", 3, "--frames", 1, "--size", "96x160", "--flow", "both")
    result = invoke(*words, "--out", tmp_path / "w")
    assert result.exit_code == 0, result.stderr
    assert "1 synthetic video\n" in result.stdout
    assert "was there" in invoke(*words, "--out", tmp_path / "w").stdout
    (video,) = open_annotated_videos(tmp_path / "w")
    assert video.info.frame_count == 1
    assert video.frame(0).image.std() > 1


def test_the_table_says_what_was_there(tmp_path):
    words = ("--kind", "street", "--seed", 1, *SMALL, "--out", tmp_path / "w")
    assert "written" in invoke(*words).stdout
    result = invoke(*words)
    assert "was there" in result.stdout
    assert result.stdout.rstrip().endswith(f"videos: {tmp_path / 'w'}")
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--seed", 1), "--kind street|crowd and --seed N, or --suite NAME"),
        (("--kind", "street"), "--kind street|crowd and --seed N, or --suite NAME"),
        (("--kind", "steet", "--seed", 1), "did you mean 'street'"),
        (("--kind", "street", "--seed", 1, "--size", "small"), "--size is 'small'; expected HxW"),
        (("--kind", "street", "--seed", 1, "--size", "90x416"), "too small; expected 160x96"),
        (("--kind", "crowd", "--seed", 1, "--size", "9999999x9999999"), "at most 3840x2160"),
        (("--kind", "street", "--seed", 1, "--objects", 60, *SMALL), "60 objects do not fit"),
        (("--kind", "street", "--seed", 1, "--count", 0), "--count is 0"),
        (("--kind", "street", "--seed", 1, "--gap", 18), "gap of 18 frames does not fit"),
        (("--kind", "street", "--seed", 1, "--speed", 99), "speed 99"),
        (("--kind", "street", "--seed", 1, "--family", "new"), "unknown family 'new'"),
        (("--kind", "street", "--seed", 1, "--labels", "cityscapes"), "cityscapes"),
        (("--kind", "street", "--seed", 1, "--flow", "forward"), "flow is 'forward'"),
        (("--kind", "street", "--seed", 1, "-j", 0), "0 workers"),
        (("--suite", "quick", "--speed", 2), "omit --speed"),
        (("--suite", "quick", "--seed", 2), "omit --seed"),
    ],
)
def test_wrong_use_is_told_and_leaves_nothing(tmp_path, words, message):
    result = invoke(*words, "--out", tmp_path / "w", "--json", "-")
    assert result.exit_code == 2
    assert message in json.loads(result.stdout)["error"]["message"]
    assert not (tmp_path / "w").exists()


def test_a_folder_of_other_videos_is_refused(tmp_path):
    assert invoke("--kind", "street", "--seed", 1, *SMALL, "--out", tmp_path / "w").exit_code == 0
    result = invoke("--kind", "street", "--seed", 2, *SMALL, "--out", tmp_path / "w")
    assert result.exit_code == 2
    assert "differ in sequences" in result.stderr


def workers_of(parent):
    children = Path(f"/proc/{parent}/task/{parent}/children")
    found = [int(word) for word in children.read_text().split()]
    return [pid for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def lives(process):
    state = Path(f"/proc/{process}/stat")
    try:
        return state.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.02)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to see processes")
def test_a_killed_call_takes_its_workers_along_and_is_gone_on_with(tmp_path):
    words = ("--kind", "crowd", "--seed", 5, "--count", 4, *SMALL, "-j", 2)
    assert invoke(*words, "--out", tmp_path / "whole").exit_code == 0
    call = [sys.executable, "-m", "mapt_bench", "synth", *map(str, words)]
    process = subprocess.Popen([*call, "--out", str(tmp_path / "w")], stderr=subprocess.DEVNULL)
    until(lambda: list((tmp_path / "w").glob(".unfinished/*/images/*.png")))
    workers = workers_of(process.pid)
    process.kill()
    process.wait()
    assert workers
    until(lambda: not any(lives(worker) for worker in workers))
    assert invoke(*words, "--out", tmp_path / "w").exit_code == 0
    assert tree(tmp_path / "w") == tree(tmp_path / "whole")
