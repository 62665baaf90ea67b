import json
import re
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.maps import KITTI, write_frames
from helpers.scenes import CAR, Box, DrawnVideo
from helpers.shipped_weights import empty_weights_folder, put_weights
from PIL import Image

from mapt_bench import folders
from mapt_bench.cli.main import main
from mapt_bench.data import open_maps

SCENE = [[Box(5, 10 + 2 * t), Box(8, 70 - 2 * t, y=30)] for t in range(5)]

PLUGIN = """
import numpy as np
from mapt_bench.labels import PanopticMap

class Whole:
    '''Calls everything one car.'''
    size = None
    code = 13 << 24 | 1
    def start(self, info):
        self.shape = self.size or (info.height, info.width)
    def step(self, frame):
        return PanopticMap(np.full(self.shape, self.code, dtype=np.uint32))

class Small(Whole):
    size = (4, 4)

class UnknownClass(Whole):
    code = 77 << 24

class NoMap(Whole):
    def step(self, frame):
        return None

class Late(Whole):
    '''Fails in the middle of the video.'''
    def step(self, frame):
        if frame.index == 3:
            raise ValueError("out of ideas")
        return super().step(frame)
"""


@pytest.fixture
def data(tmp_path):
    """Two sequences with images and truth."""
    for name, scene in (("0001", SCENE), ("0002", SCENE[::-1])):
        video = DrawnVideo(scene)
        count = range(len(scene))
        folder = tmp_path / "data"
        write_frames(folder / "panoptic_maps/val" / name, [video.truth(t) for t in count])
        images = folder / "images/val" / name
        images.mkdir(parents=True)
        for t in count:
            Image.fromarray(video.image(t)).save(images / f"{t:06d}.png")
    return folder


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "drawn_plugin.py").write_text(PLUGIN)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield "drawn_plugin"
    sys.modules.pop("drawn_plugin", None)


def _run(*words):
    return CliRunner().invoke(main, ["track", *map(str, words)])


def _leftovers(folder: Path):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("tracker", ["both", "sort", "oracle"])
def test_maps_are_written_that_link_the_true_segments(data, tmp_path, tracker):
    out = tmp_path / "runs" / "new"
    result = _run(data, "--tracker", tracker, "--out", out)
    assert result.exit_code == 0, result.output
    memory = "none" if tracker == "oracle" else "0 frames"
    origin = "none" if tracker == "oracle" else "tuned"
    assert f"Thresholds: {origin}. Memory: {memory}. Pairing interval: 1." in result.stdout
    assert "Label space: kitti-step." in result.stdout
    assert "recovered" in result.stdout
    written = open_maps(out, KITTI)
    assert [sequence.parts[-1] for sequence in written.sequences] == ["0001", "0002"]
    tracks = {code for t in range(5) for code in np.unique(written.sequences[0].read(t).codes)}
    assert len([code for code in tracks if code >> 24 == CAR]) == 2
    assert _leftovers(tmp_path / "runs") == []


def test_json_holds_the_counts_and_stdout_nothing_else(data, tmp_path):
    words = ("--tracker", "motion", "--thresholds", "published", "--out", tmp_path / "new")
    result = _run(data, *words, "--json", "-")
    answer = json.loads(result.stdout)
    assert answer["schema"] == "mapt-bench/tracking/2"
    assert answer["thresholds"] == "published"
    assert (answer["tracker"], answer["memory"], answer["pair"]) == ("motion", 0, 1)
    assert answer["label_space"] == "kitti-step"
    expected = {"frames": 5, "tracks": 2, "matches": {"motion": 8, "new": 2}, "recovered": 0}
    assert answer["per_sequence"] == [{"sequence": name, **expected} for name in ("0001", "0002")]


def test_thresholds_are_set_and_told(data, tmp_path):
    row = "copy,proximity=overlap-smaller,motion_threshold=1.0"
    words = ("--thresholds", "published", "--json", "-", "--out", tmp_path / "new")
    answer = json.loads(_run(data, "--tracker", row, *words).stdout)
    assert answer["tracker"] == "copy,motion_threshold=1,proximity=overlap-smaller"
    assert answer["settings"] == {"motion_threshold": 1, "proximity": "overlap-smaller"}
    # Boxes that move never lie within what they were, so nothing is linked.
    assert answer["per_sequence"][0]["matches"] == {"new": 10}


def test_tuned_thresholds_run_by_default_and_stand_below_those_that_are_set(
    data, tmp_path, monkeypatch
):
    tuned = {"copy": (("motion_threshold", 1.0), ("lost_margin", 0.1))}
    monkeypatch.setattr("mapt_bench.baselines.thresholds.tuned_thresholds", lambda: tuned)
    told = []
    for number, words in enumerate(
        (
            ("copy", "--thresholds", "published"),
            ("copy",),
            ("copy,lost_margin=0", "--thresholds", "tuned"),
        )
    ):
        out = tmp_path / str(number)
        result = _run(data, "--out", out, "--json", "-", "--tracker", *words)
        told.append(json.loads(result.stdout)["settings"])
    assert told == [
        {},
        {"motion_threshold": 1.0, "lost_margin": 0.1},
        {"motion_threshold": 1.0, "lost_margin": 0},
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("motion_threshold", "'motion_threshold' is no setting; expected SETTING=VALUE"),
        ("motion_treshold=0.1", "did you mean 'motion_threshold'"),
        ("motion_threshold=2", "motion_threshold is 2; expected 0 to 1"),
    ],
)
def test_a_threshold_that_cannot_be_set(data, tmp_path, text, message):
    result = _run(data, "--tracker", f"copy,{text}", "--out", tmp_path / "new")
    assert result.exit_code == 2
    assert message in result.stderr


def test_two_runs_write_the_same_bytes(data, tmp_path):
    for out in ("a", "b"):
        assert _run(data, "--tracker", "both", "--out", tmp_path / out).exit_code == 0
    files = sorted(path for path in (tmp_path / "a").rglob("*.*"))
    assert len(files) == 11  # ten maps and dataset.json
    for path in files:
        other = tmp_path / "b" / path.relative_to(tmp_path / "a")
        assert path.read_bytes() == other.read_bytes()


def test_saved_segments_are_linked_instead(data, tmp_path):
    unlinked = tmp_path / "unlinked"
    assert _run(data, "--tracker", "unlinked", "--out", unlinked).exit_code == 0
    relinked, straight = tmp_path / "relinked", tmp_path / "straight"
    words = (data, "--tracker", "copy", "--out")
    assert _run(*words, relinked, "--segments", unlinked).exit_code == 0
    assert _run(*words, straight).exit_code == 0
    first, second = (open_maps(folder, KITTI).sequences[1] for folder in (relinked, straight))
    for t in range(5):
        # Same segments, linked alike; only the numbers may differ.
        pairs = np.unique(
            np.stack([first.read(t).codes, second.read(t).codes]).reshape(2, -1), axis=1
        )
        assert pairs.shape[1] == 3


def test_a_tracker_of_the_user(data, tmp_path, plugin):
    out = tmp_path / "new"
    result = _run(data, "--tracker", f"{plugin}:Whole", "--out", out)
    assert result.exit_code == 0, result.output
    assert (open_maps(out, KITTI).sequences[0].read(0).codes == (CAR << 24 | 1)).all()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--tracker", "sotr"], 2, "did you mean 'sort'"),
        (["--tracker", "sort", "--pair", 3], 2, "no pairing interval"),
        (["--tracker", "sort+memory=-2"], 2, "memory is -2"),
        (["--tracker", "oracle+memory"], 2, "has no memory"),
        (["--tracker", "nowhere:Class"], 2, "no module 'nowhere'"),
        (["--tracker", "drawn_plugin:Whole+memory=3"], 2, "takes no argument 'memory'"),
        (["--tracker", "drawn_plugin:Whole", "--pair", 2], 2, "takes no argument 'pair'"),
        (["--tracker", "drawn_plugin:Whole", "--weights", "x"], 2, "--weights is for MAPT and"),
        (["--tracker", "drawn_plugin:Whole", "--segments", "groundtruth"], 2, "finds its own"),
        (["--tracker", "mapt,weights=a", "--weights", "b"], 2, "both give weights; keep one"),
        (["--tracker", "copy", "--segments", "groundtruht"], 2, "did you mean 'groundtruth'"),
        (["--tracker", "copy", "--segments", "noisy,groundtruth"], 2, "takes one value"),
        (["--tracker", "copy", "--suite", "tiny"], 2, "DATA and --suite are two sources of videos"),
        (["--tracker", "drawn_plugin:Small"], 3, r"(4, 4) pixels"),
        (["--tracker", "drawn_plugin:UnknownClass"], 3, "77"),
        (["--tracker", "drawn_plugin:NoMap"], 3, "returned None; expected a PanopticMap"),
        (
            ["--tracker", "drawn_plugin:Late"],
            3,
            "drawn_plugin:Late failed: ValueError: out of ideas (",
        ),
        (["--tracker", "copy", "--dataset", "kitti-stpe"], 2, "did you mean 'kitti-step'"),
        (["--tracker", "copy", "--segments", "not/there"], 3, "not/there"),
    ],
)
def test_what_goes_wrong_is_said_and_nothing_is_left_behind(
    data, tmp_path, plugin, words, code, message
):
    target = tmp_path / "target"
    target.mkdir()
    result = _run(data, *words, "--out", target / "new", "--json", "-")
    assert result.exit_code == code, result.output
    assert message in json.loads(result.stdout)["error"]["message"] or message in result.stdout
    assert list(target.iterdir()) == []


def test_a_tracker_that_fails_is_named_with_its_frame(data, tmp_path, plugin):
    words = (data, "--tracker", f"{plugin}:Late", "--out", tmp_path / "new")
    result = _run(*words)
    message = "0001/000003: tracker drawn_plugin:Late failed: ValueError: out of ideas"
    (line,) = result.stderr.splitlines()  # no traceback of this package
    assert re.fullmatch(rf"error: {message} \(\S*drawn_plugin.py:\d+ in step\)", line)
    error = json.loads(_run(*words, "--json", "-").stdout)["error"]
    assert (error["kind"], error["where"]) == ("tracker", "0001/000003")


def test_masks_without_images_run_only_what_needs_none(data, tmp_path):
    maps = data / "panoptic_maps"
    result = _run(maps, "--tracker", "both", "--out", tmp_path / "new")
    assert result.exit_code == 3
    assert "reads images, but this video has masks only" in result.stderr
    named = "unlinked, oracle, oracle:in-view, iou, sort, bytetrack, oc-sort, copy"
    assert named in result.stderr
    assert not (tmp_path / "new").exists()
    assert _run(maps, "--tracker", "bytetrack", "--out", tmp_path / "new").exit_code == 0


def test_images_without_truth_need_segments(data, tmp_path):
    images = data / "images"
    result = _run(images, "--tracker", "copy", "--out", tmp_path / "new")
    assert result.exit_code == 3
    assert "no ground truth to take segments from" in result.stderr
    saved = data / "panoptic_maps"
    result = _run(images, "--tracker", "both", "--segments", saved, "--out", tmp_path / "new")
    assert result.exit_code == 0, result.output
    result = _run(images, "--tracker", "oracle", "--segments", saved, "--out", tmp_path / "no")
    assert result.exit_code == 3
    assert "needs ground truth" in result.stderr


def test_segments_must_be_there_for_every_sequence(data, tmp_path):
    saved = write_frames(tmp_path / "saved/0009", [DrawnVideo(SCENE).truth(t) for t in range(5)])
    result = _run(data, "--tracker", "copy", "--segments", saved.parent, "--out", tmp_path / "new")
    assert result.exit_code == 3
    assert "no segments for sequence '0001'" in result.stderr


def test_a_folder_in_use_is_left_alone(data, tmp_path):
    out = tmp_path / "used"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    result = _run(data, "--tracker", "copy", "--out", out)
    assert result.exit_code == 2
    assert "not empty" in result.stderr
    assert [path.name for path in out.iterdir()] == ["thesis.tex"]
    assert _run(data, "--tracker", "copy", "--out", data).exit_code == 2
    file = out / "thesis.tex"
    result = _run(data, "--tracker", "copy", "--out", file)
    assert (result.exit_code, file.read_text()) == (2, "years of work")
    assert "is a file" in result.stderr


def test_json_names_the_memory_that_was_in_force(data, tmp_path):
    for tracker, memory in (
        ("both", 0),
        ("both+memory", 10),
        ("copy+memory=3", 3),
        ("oracle", None),
    ):
        out = tmp_path / tracker
        result = _run(data, "--tracker", tracker, "--out", out, "--json", "-")
        assert json.loads(result.stdout)["memory"] == memory


def test_the_current_folder_may_be_used_while_it_is_empty(data, tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert _run(data, "--tracker", "copy", "--out", ".").exit_code == 0
    assert (here / "dataset.json").is_file()


def test_an_empty_folder_may_be_used(data, tmp_path):
    out = tmp_path / "empty"
    out.mkdir()
    assert _run(data, "--tracker", "copy", "--out", out).exit_code == 0
    assert (out / "dataset.json").is_file()


def test_a_place_that_cannot_be_written(data, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    result = _run(data, "--tracker", "copy", "--out", file / "new")
    assert result.exit_code == 3
    assert "cannot be written" in result.stderr


def test_two_splits_with_one_name_are_not_mixed(data, tmp_path):
    for kind in ("panoptic_maps", "images"):
        (data / kind / "train").mkdir()
        (data / kind / "val" / "0002").rename(data / kind / "train" / "0001")
    result = _run(data, "--tracker", "copy", "--out", tmp_path / "new")
    assert result.exit_code == 3
    assert "two sequences are named '0001'" in result.stderr


def test_a_suite_is_tracked_on_its_ground_truth(data, tmp_path):
    words = ("--suite", "tiny", "--tracker", "flow:exact", "--out", tmp_path / "new")
    result = CliRunner().invoke(main, ["track", *map(str, words), "--json", "-"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert len(told["per_sequence"]) == 4
    assert told["per_sequence"][0]["matches"]["motion"] > 0  # only videos that know their flow
    written = {sequence.parts[-1] for sequence in open_maps(tmp_path / "new", KITTI).sequences}
    assert written == {each["sequence"] for each in told["per_sequence"]}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "there is no video to track; give DATA or --suite NAME"),
        (("--suite", "tinny"), "unknown suite 'tinny'; did you mean 'tiny'"),
        (("--suite", "tiny", "--dataset", "kitti-step"), "are for DATA; omit them"),
    ],
)
def test_what_to_track_must_be_said_once(tmp_path, words, message):
    result = CliRunner().invoke(
        main, ["track", *words, "--tracker", "copy", "--out", str(tmp_path / "new")]
    )
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "new").exists()


def test_noisy_segments_are_linked_by_name(data, tmp_path):
    seen = []
    for segments in ("groundtruth", "noisy"):
        words = ("--tracker", "unlinked", "--segments", segments, "--out", tmp_path / segments)
        seen.append(json.loads(_run(data, *words, "--json", "-").stdout)["per_sequence"])
    assert seen[0] != seen[1]


def test_help_ends_with_examples_that_run(data, tmp_path, monkeypatch):
    room = empty_weights_folder(monkeypatch, tmp_path / "room")
    put_weights(room)
    put_weights(room, "mapt-compact")
    text = CliRunner().invoke(main, ["track", "--help"]).stdout
    lines = text[text.index("Examples:") :].splitlines()
    examples = [line.split() for line in lines if line.strip().startswith("mapt-bench track")]
    assert len(examples) == 3
    monkeypatch.chdir(tmp_path)
    places = {"DATA": str(data), "PREDICTIONS": str(data / "panoptic_maps")}
    for example in examples:
        words = [places.get(word, word) for word in example[1:]]
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, result.output


def test_json_is_written_before_the_maps_appear(data, tmp_path, monkeypatch):
    """A run that is killed between the two runs again."""
    out, other = tmp_path / "maps", tmp_path / "track.json"
    with monkeypatch.context() as patched:
        patched.setattr(folders, "_move", lambda *_: signal.raise_signal(signal.SIGINT))
        killed = _run(data, "--tracker", "copy", "--out", out, "--json", other)
    assert (killed.exit_code, out.exists()) == (130, False)
    out.mkdir()
    inside = out / "track.json"
    result = _run(data, "--tracker", "copy", "--out", out, "--json", inside)
    assert result.exit_code == 0, result.stderr
    said = json.loads(inside.read_text())
    assert said["per_sequence"] == json.loads(other.read_text())["per_sequence"]
    assert [each["frames"] for each in said["per_sequence"]] == [5, 5]
