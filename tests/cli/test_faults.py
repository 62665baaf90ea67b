"""Faults of the machine have names: full disks, signals, killed workers, two commands at once."""

import json
import os
import platform
import re
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.commands import write_two_walks
from helpers.folders import GT, SWITCHED, write_films
from helpers.shipped_weights import empty_weights_folder
from helpers.training_jobs import moving_boxes

from mapt_bench.cli import main
from mapt_bench.data import KittiStepWriter
from mapt_bench.data.png import encode_png
from mapt_bench.errors import ConfigError, FullDiskError
from mapt_bench.faults import full_disk, machine_fault
from mapt_bench.folders import claimed
from mapt_bench.labels import label_space

SCENE = ("--kind", "crowd", "--size", "128x416")
COMMANDS = {
    "evaluate": ("evaluate", "gt", "pred", "--json", "a.json", "--csv", "a.csv"),
    "check": ("check", "gt", "--json", "a.json"),
    "show": ("show", "gt", "--out", "a.png"),
    "gif": ("show", "gt", "--out", "a.gif"),
    "timeline": ("show", "gt", "--timeline", "a.png"),
    "convert": ("convert", "gt", "out", "--to", "coco-panoptic"),
    "arrays": ("convert", "gt", "out", "--to", "two-channel"),
    "synth": ("synth", *SCENE, "--seed", "1", "--frames", "2", "--out", "out"),
    "track": ("track", "DATA", "--tracker", "iou", "--out", "out"),
    "ablate": ("ablate", "--data", "DATA", "--out", "out"),
    "tune": (
        *("tune", "--data", "DATA", "--split", "val", "--score", "TQ", "--trials", "2"),
        *("--tracker", "iou", "--out", "out"),
    ),
    "train": (
        *("train", "--config", "helpers.toy_model:build", "--data", "TRAIN", "--steps", "2"),
        *("--set", "schedule.warmup_steps=1", "--out", "out"),
    ),
}
RESUMED = {"synth", "ablate", "tune", "train"}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    empty_weights_folder(monkeypatch, tmp_path / "no weights")
    write_films(tmp_path / "gt", {"0001": GT})
    write_films(tmp_path / "pred", {"0001": SWITCHED})
    write_two_walks(tmp_path, frames=4)
    video = moving_boxes(4)
    with KittiStepWriter(tmp_path / "TRAIN", label_space("kitti-step")) as writer:
        for index in range(4):
            writer.write("0001", f"{index:06d}", video.truth(index))
            image = tmp_path / "TRAIN" / "images" / "val" / "0001" / f"{index:06d}.png"
            image.parent.mkdir(parents=True, exist_ok=True)
            image.write_bytes(encode_png(video.image(index)))
    return tmp_path


@contextmanager
def files_of_at_most(size):
    """Let the system refuse larger files. It is the same for every library as a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def invoke(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def leftovers(folder):
    return [path for path in folder.rglob("*") if "unfinished" in path.name]


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("size", [0, 60])
def test_a_full_disk_has_a_name_and_the_command_ends_well_later(place, name, size):
    with files_of_at_most(size):
        result = invoke(*COMMANDS[name])
    assert result.exit_code == 3, result.output
    text = " ".join(result.stderr.split())
    assert re.search(r"cannot be written: File too large, [0-9.]+ MB are free; free space", text)
    assert "Traceback" not in text
    assert ("finished work is kept in out; to resume: mapt-bench" in text) == (name in RESUMED)
    assert leftovers(place) == []
    again = invoke(*COMMANDS[name])
    assert again.exit_code == 0, again.output


@pytest.fixture
def small_disk(place, tmp_path_factory, monkeypatch):
    """A file system of 3 MB, the current folder, with links to the inputs."""
    disk = tmp_path_factory.mktemp("disk")
    mount = ("mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk))
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted: {done.stderr.strip()}")
    try:
        for name in ("gt", "pred", "DATA", "TRAIN"):
            (disk / name).symlink_to(place / name)
        monkeypatch.chdir(disk)
        yield disk
    finally:
        monkeypatch.chdir(place)
        subprocess.run(("umount", "-l", str(disk)), check=True)


def fill(disk, spare_kb):
    """Leave no more than some space in a file system."""
    with (disk / "filler").open("wb", buffering=0) as filler:
        with suppress(OSError):
            while True:
                filler.write(bytes(4096))
        filler.truncate(max(0, filler.tell() - 1024 * spare_kb))


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("spare_kb", [0, 8])
def test_a_full_file_system_has_a_name_and_the_command_ends_well_later(small_disk, name, spare_kb):
    fill(small_disk, spare_kb)
    result = invoke(*COMMANDS[name])
    assert result.exit_code == 3 or (spare_kb and result.exit_code == 0), result.output
    assert "Traceback" not in result.stderr
    if result.exit_code:
        text = " ".join(result.stderr.split())
        assert re.search(r"cannot be written: No space left, [0-9.]+ MB are free; free space", text)
        assert leftovers(small_disk) == []
    (small_disk / "filler").unlink()
    again = invoke(*COMMANDS[name])
    assert again.exit_code == 0, again.output


def test_json_names_a_full_disk(place):
    with files_of_at_most(0):
        result = invoke("evaluate", "gt", "pred", "--csv", "a.csv", "--json", "-")
    error = json.loads(result.stdout)["error"]
    assert (error["kind"], error["where"]) == ("data", "a.csv")


@pytest.mark.parametrize(
    ("problem", "is_full"),
    [
        (OSError(28, "No space left on device", "a"), True),
        (OSError(122, "Disk quota exceeded", "a"), True),
        (OSError("1000 requested and 12 written"), True),
        (RuntimeError("I/O error: No space left on device (os error 28)"), True),
        (OSError(13, "Permission denied", "a"), False),
        (ValueError("File name"), False),
    ],
)
def test_full_disks_of_any_library(problem, is_full):
    assert isinstance(full_disk(problem, Path("x")), FullDiskError) == is_full


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (MemoryError(), "memory ran out"),
        (OSError(36, "File name too long", "a" * 5000), "File name too long"),
        (PermissionError(13, "Permission denied", "a"), "Permission denied"),
        (ValueError("embedded null byte"), "a file name is impossible"),
        ("\ud800", "a file name is impossible"),
    ],
)
def test_faults_of_the_machine_are_no_bugs(problem, message):
    if isinstance(problem, str):
        with pytest.raises(UnicodeEncodeError) as caught:
            Path(problem).stat()
        problem = caught.value
    found = machine_fault(problem)
    assert message in found.message
    assert len(f"{found.where}{found.message}") < 600


@pytest.mark.parametrize("problem", [FileNotFoundError(2, "No such file", "a"), KeyError("a")])
def test_other_faults_are_bugs(problem):
    assert machine_fault(problem) is None


def until(condition, seconds=90.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.02)


def started(*words):
    """Start a command as the console script does."""
    code = "import sys; from mapt_bench.cli.main import main; sys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def workers_of(parent):
    children = Path(f"/proc/{parent}/task/{parent}/children")
    found = [int(word) for word in children.read_text().split()]
    return [pid for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def lives(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="needs /proc to see processes"
)
LONG = ("synth", *SCENE, "--seed", "5", "--count", "4", "--frames", "30", "--out", "out")


@needs_proc
def test_sigterm_ends_a_command_as_ctrl_c_does(place):
    process = started(*LONG, "-j", "2", "--json", "-")
    until(lambda: len(list(place.glob("out/.unfinished/*/images/*.png"))) > 1)
    workers = workers_of(process.pid)
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=90)
    assert process.returncode == 143, errors
    assert workers
    until(lambda: not any(map(lives, workers)))
    assert json.loads(output)["error"]["kind"] == "stopped"
    assert "finished work is kept in out; to resume: mapt-bench synth" in errors
    assert "Traceback" not in errors
    assert leftovers(place) == []


@needs_proc
def test_a_killed_worker_has_a_name(place):
    write_films(place / "gt", {"0002": GT})
    write_films(place / "pred", {"0002": SWITCHED})
    with_kill = (
        "import os, sys\n"
        "from mapt_bench.evaluation import sequence_scoring\n"
        "from mapt_bench.cli.main import main\n"
        "if __name__ == '__main__':\n"
        "    sys.exit(main())\n"
        "sequence_scoring.score_pair = lambda *words, **more: os.kill(os.getpid(), 9)\n"
    )
    (place / "killing.py").write_text(with_kill)
    words = [sys.executable, "killing.py", "evaluate", "gt", "pred", "-j", "2", "--json", "-"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "a worker process ended before its work was done" in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout)["error"]["kind"] == "data"


@pytest.mark.parametrize("name", ["ablate", "track"])
def test_two_commands_on_one_folder(place, name):
    import fcntl

    locked = place / ("out" if name == "ablate" else ".out.unfinished")
    locked.mkdir()
    lock = os.open(locked, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        result = invoke(*COMMANDS[name])
        assert result.exit_code == 2
        assert "another command writes to this folder; wait for its end" in result.stderr
    finally:
        os.close(lock)
    assert invoke(*COMMANDS[name]).exit_code == 0


def test_temporary_files_of_a_killed_run_are_removed_when_it_is_resumed(place):
    assert invoke(*COMMANDS["ablate"]).exit_code == 0
    (cell, *_) = (place / "out" / "cells").iterdir()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for folder in (place / "out", cell):
        (folder / f".unfinished-{platform.node()}-{ended.pid}-ab_d.json").write_text("{")
    kept = [f".unfinished-{platform.node()}-{os.getpid()}-a.json", ".unfinished-other-1-a.json"]
    for name in kept:  # of a process that lives, and of another machine
        (place / "out" / name).write_text("{")
    (place / "out" / "mine.json").write_text("{}")
    assert invoke(*COMMANDS["ablate"]).exit_code == 0
    assert sorted(path.name for path in leftovers(place / "out")) == sorted(kept)
    assert (place / "out" / "mine.json").exists()


def test_a_refused_run_leaves_no_folder(place):
    with pytest.raises(ConfigError, match="no"), claimed(place / "a" / "b"):
        raise ConfigError("no")
    assert not (place / "a").exists()
