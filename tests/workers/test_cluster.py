"""Runs on a Dask cluster: the same results, and what happens when a process is killed.

The scheduler and two workers are processes of their own on the loopback interface. The workers'
folder has modules that must not run.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.cluster_work import TRACES, doubling, reading, reading_slowly, refusing, sleeping
from helpers.clusters import SEARCHED, Lab, seeing, wait_for
from helpers.maps import KITTI
from helpers.small_runs import walk, write_videos

pytest.importorskip("distributed")

import dask
from distributed import LocalCluster
from PIL import Image

from mapt_bench.cli import main
from mapt_bench.data import KittiStepWriter
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.synthetic.suites import open_suite
from mapt_bench.workers import Lost, opened_workers, sessions
from mapt_bench.workers.cluster import connected

UNITS = "run/cells/*/[0-9]*.json"
"""Finished work units of a run, without the temporary files of those being written."""

TIMES = ("seconds", "created", "provenance", "seconds_per_frame", "cost")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab")) as lab:
        lab.start_scheduler()
        lab.start("worker", "--nworkers", "2", "--nthreads", "1")
        yield lab


@pytest.fixture
def cluster(lab):
    with opened_workers(scheduler_file=lab.file) as workers:
        yield workers


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A current folder with DATA, three short sequences of maps, and PRED, predictions of them."""
    write_videos(tmp_path / "DATA", *(walk(4, speed=n, name=name) for n, name in enumerate("abc")))
    write_videos(tmp_path / "PRED", *(walk(4, speed=2, name=name) for name in "abc"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def invoke(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def run(*words):
    done = invoke(*words)
    assert done.exit_code == 0, done.output
    return done


def ablate(out, *words):
    """Words of an ablation of few rows on ground-truth segments."""
    given = ("sweep-interval", "--data", "DATA", "--weights", "none", "--drop", "1")
    return (*given, "--segments", "groundtruth", "--no-report", "--out", out, *words)


def without_times(content):
    if isinstance(content, dict):
        return {key: without_times(each) for key, each in content.items() if key not in TIMES}
    return [without_times(each) for each in content] if isinstance(content, list) else content


def files_of(folder):
    """Return the results and units of a run, times and provenance apart, and its other files."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "tables" not in path.parts and path.suffix != ".png":
            text = path.read_bytes()
            is_json = path.suffix == ".json"
            name = path.relative_to(folder).as_posix()
            found[name] = json.dumps(without_times(json.loads(text))) if is_json else text
    return found


def test_a_run_on_a_cluster_has_the_same_files(lab, data):
    run(*ablate("alone"))
    run(*ablate("cluster", "--scheduler-file", lab.file))
    alone = files_of(data / "alone")
    assert {name.split("/")[0] for name in alone} >= {"cells", "objects", "segments", "run.json"}
    assert files_of(data / "cluster") == alone
    unit = next((data / "cluster" / "cells").glob("*/*.json"))
    assert json.loads(unit.read_text())["provenance"]["threads"] == 1


def test_a_finished_run_asks_the_cluster_for_nothing(lab, data):
    run(*ablate("run"))
    before = {path: path.stat().st_mtime_ns for path in data.glob(UNITS)}
    (data / "run" / "results.json").unlink()
    run(*ablate("run", "--scheduler-file", lab.file))
    assert {path: path.stat().st_mtime_ns for path in data.glob(UNITS)} == before


def test_evaluation_on_a_cluster_gives_the_same_result(lab, data):
    run("evaluate", "DATA", "PRED", "--losses", "--json", "alone.json")
    run("evaluate", "DATA", "PRED", "--losses", "--json", "c.json", "--scheduler-file", lab.file)
    alone, found = (json.loads((data / f"{name}.json").read_text()) for name in ("alone", "c"))
    assert without_times(found) == without_times(alone)


def test_tuning_on_a_cluster_gives_the_same_thresholds(lab, data):
    words = ("tune", "--data", "DATA", "--split", "all", "--weights", "none", "--tracker", "iou")
    words += ("--score", "TQ", "--trials", 3, "--sampler", "random")
    run(*words, "--out", "alone")
    run(*words, "--out", "cluster", "--scheduler-file", lab.file)
    for name in ("tuning.json", "thresholds.json"):
        alone, found = (json.loads((data / run / name).read_text()) for run in ("alone", "cluster"))
        assert without_times(found) == without_times(alone)


def test_validation_on_a_cluster_gives_the_same_scores(lab):
    torch = pytest.importorskip("torch")
    from helpers.toy_model import ToyModel

    from mapt_bench.training.model_builder import tracker_of
    from mapt_bench.training.validation import TrackerValidation

    videos = [walk(3, name="a"), walk(4, speed=1, name="b")]
    torch.manual_seed(5)
    model = ToyModel(videos[0].labels)
    alone = TrackerValidation(videos, tracker_of)(model, 0)
    assert alone
    place = partial(opened_workers, 1, None, lab.file)
    assert TrackerValidation(videos, tracker_of, place)(model, 0) == alone


def write_beginnings(folder, videos, frames):
    """Write images and maps of the first frames of videos."""
    with KittiStepWriter(folder, KITTI) as writer:
        for video in videos:
            place = folder / "images" / "val" / video.info.name
            place.mkdir(parents=True)
            for index, name in enumerate(video.info.frame_names[:frames]):
                writer.write(video.info.name, name, video.truth(index))
                Image.fromarray(video.frame(index).image).save(place / f"{name}.png")


def test_an_ablation_with_networks_has_the_same_files(lab, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_beginnings(tmp_path / "WORLD", open_suite("tiny").videos[:2], 4)
    words = ("ablate", "--data", "WORLD", "--segments", "mapt", "--no-report")
    words += ("--only", "motion", "--only", "mapt")
    run(*words, "--out", "alone")
    run(*words, "--out", "cluster", "--scheduler-file", lab.file)
    cells = json.loads((tmp_path / "cluster" / "results.json").read_text())["cells"]
    found = {cell["variant"]: cell["scores"]["PAT"] for cell in cells}
    assert min(found["motion"], found["mapt"]) > 0.3  # networks find and link objects
    assert files_of(tmp_path / "cluster") == files_of(tmp_path / "alone")


def test_a_killed_worker_loses_its_unit_only(lab, data, monkeypatch):
    row = ("--add", "helpers.cluster_work:DiesOnce")
    run(*ablate("cluster", *row, "--scheduler-file", lab.file))
    assert (lab.traces / "died").exists()
    monkeypatch.setenv(TRACES, str(lab.traces))  # of a death, so that this process lives
    run(*ablate("alone", *row))
    assert files_of(data / "cluster") == files_of(data / "alone")


def test_a_unit_that_kills_every_worker_fails_alone(lab, data):
    row = ("--add", "helpers.cluster_work:DiesAlways")
    done = invoke(*ablate("run", *row, "--scheduler-file", lab.file, "--json", "-"))
    assert done.exit_code == 3, done.output
    assert "its worker ended 4 times" in done.output
    assert (lab.traces / "deaths").read_text() == "xxxx"
    result = json.loads((data / "run" / "results.incomplete.json").read_text())
    failed = {cell["variant"] for cell in result["cells"] if cell["status"] == "failed"}
    assert failed == {"helpers.cluster_work:DiesAlways"}
    (cell,) = (each for each in result["cells"] if each["status"] == "failed")
    kept = {path.name for path in (data / "run" / "cells" / cell["key"]).iterdir()}
    assert kept == {"0001-0.json", "0002-0.json"}


def test_a_killed_client_loses_nothing_that_was_done(lab, data):
    words = ablate("run", "--add", "helpers.cluster_work:Slow", "--scheduler-file", lab.file)
    client = subprocess.Popen(
        [sys.executable, "-P", "-m", "mapt_bench", *map(str, words)],
        env={**os.environ, "PYTHONPATH": SEARCHED},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: [*data.glob(UNITS)])
    finally:
        client.send_signal(signal.SIGKILL)
        client.wait()
    before = {path: path.stat().st_mtime_ns for path in data.glob(UNITS)}
    assert not (data / "run" / "results.json").exists()
    run(*words)
    after = {path: path.stat().st_mtime_ns for path in data.glob(UNITS)}
    assert before.items() <= after.items()
    assert len(after) > len(before)


def test_a_killed_scheduler_loses_nothing_that_was_done(data):
    with Lab(data) as lab:
        words = ablate("run", "--add", "helpers.cluster_work:Slow", "--scheduler-file", lab.file)
        command = [sys.executable, "-P", "-m", "mapt_bench", *map(str, words)]
        own = {"PYTHONPATH": SEARCHED, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "20s"}
        scheduler = lab.start_scheduler()
        lab.start("worker", "--no-nanny", "--nthreads", "1")
        client = subprocess.Popen(
            command, env={**os.environ, **own}, text=True, stderr=subprocess.PIPE
        )
        wait_for(lambda: [*data.glob(UNITS)])
        scheduler.kill()
        _, errors = client.communicate(timeout=120)
        assert client.returncode == 3, errors
        assert "run the same command again to resume" in " ".join(errors.split())
        assert not (data / "run" / "results.json").exists()
        before = {path: path.stat().st_mtime_ns for path in data.glob(UNITS)}
        lab.stop()
        lab.file.unlink()
        lab.start_scheduler()
        lab.start("worker", "--no-nanny", "--nthreads", "1")
        run(*words)
    after = {path: path.stat().st_mtime_ns for path in data.glob(UNITS)}
    assert before.items() <= after.items()
    assert len(after) > len(before)
    run(*ablate("alone", "--add", "helpers.cluster_work:Slow"))
    assert files_of(data / "run") == files_of(data / "alone")


def test_workers_run_no_module_of_their_folder(lab, cluster):
    [*cluster.run(doubling, [1])]
    assert not (lab.traces / "executed").exists()


def test_a_worker_searches_its_folder_last(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), *sys.path])
    before = sys.path[2:]
    sessions.greet()
    assert sys.path == [*before, str(tmp_path)]


def test_results_have_the_positions_of_their_tasks(cluster):
    assert sorted(cluster.run(doubling, [5, 6, 7])) == [(0, 10), (1, 12), (2, 14)]


def test_a_task_gets_the_result_of_another(cluster):
    assert sorted(cluster.run_each(doubling, [5, 1], after=[None, 0])) == [(0, 10), (1, 12)]


def test_relative_paths_mean_the_files_of_the_client(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.txt").write_text("four")
    assert [*cluster.run(reading, [Path("mine.txt")])] == [(0, 4)]


def test_a_file_that_workers_lack_is_named(cluster):
    with pytest.raises(DataError, match="has no such file, or another one") as caught:
        cluster._check_files({"/data/of/the/client/000000.png": "7 a"})
    assert caught.value.where == "/data/of/the/client/000000.png"


@pytest.mark.parametrize("other", ["nothing", "other data"])
def test_a_worker_that_sees_other_data_is_refused(data, other):
    there = data / "there"
    there.mkdir()
    if other != "nothing":  # another prediction, which is perfect
        shutil.copytree(data / "DATA", there, dirs_exist_ok=True)
    with Lab(data) as lab:
        lab.start_scheduler()
        before = seeing((there, data / "PRED"))
        lab.start("worker", "--no-nanny", "--nthreads", "1", before=before)
        far = ("--scheduler-file", lab.file, "--json", "far.json")
        done = invoke("evaluate", "DATA", "PRED", *far)
    assert done.exit_code == 3
    assert "has no such file, or another one" in done.output
    assert "worker tcp://127.0.0.1" in done.output
    assert not (data / "far.json").exists()


def test_a_worker_that_joins_late_and_sees_other_data_is_refused(tmp_path):
    mine, other = tmp_path / "mine.txt", tmp_path / "other.txt"
    mine.write_text("four")
    other.write_text("others")
    before = seeing((other, mine))
    with Lab(tmp_path) as lab:
        lab.start_scheduler()
        lab.start("worker", "--no-nanny", "--nthreads", "1")
        with opened_workers(scheduler_file=lab.file) as workers:
            results = workers.run(partial(reading_slowly, mine), [0.1] * 500)
            assert next(results)[1] == 4
            lab.start("worker", "--no-nanny", "--nthreads", "1", before=before)
            with pytest.raises(DataError, match="has no such file, or another one") as caught:
                assert {size for _, size in results} == {4}
            assert caught.value.where == str(mine)


def test_unusable_data_are_not_tried_again(lab, cluster):
    with pytest.raises(DataError, match="is unusable") as caught:
        [*cluster.run(refusing, [3])]
    assert caught.value.where == "task 3"
    assert (lab.traces / "refused").read_text() == "x"


def test_a_task_for_a_gpu_needs_a_worker_with_one(cluster):
    with pytest.raises(
        ConfigError,
        match=r"no worker offers a GPU.*PYTHONSAFEPATH=1 dask worker .*--resources GPU=1",
    ):
        [*cluster.run_each(doubling, [1], gpu=[0])]


@pytest.fixture
def other_version(monkeypatch):
    monkeypatch.setenv(sessions.VERSION_VARIABLE, "9.9")
    sessions.identity.cache_clear()
    yield
    monkeypatch.undo()
    sessions.identity.cache_clear()


def test_other_versions_are_refused_by_name(lab, data, other_version):
    done = invoke("evaluate", "DATA", "PRED", "--scheduler-file", lab.file)
    assert done.exit_code == 2
    assert "differs in mapt-bench" in done.output
    assert "(here 9.9)" in done.output
    assert "code of" not in done.output


def test_a_worker_that_joins_late_is_compared_too():
    there = {"mapt-bench": "1", "numpy": "2"}
    with pytest.raises(ConfigError, match=r"worker tcp://b:1 differs in numpy missing \(here 2\)"):
        sessions.check_identity("tcp://b:1", {"mapt-bench": "1"}, there)
    sessions.check_identity("tcp://b:1", {**there, "more": "3"}, there)


@pytest.fixture
def impatient():
    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
        yield


def test_a_scheduler_that_is_not_there(impatient, data):
    done = invoke("evaluate", "DATA", "PRED", "--cluster", "tcp://127.0.0.1:9")
    assert done.exit_code == 3
    assert "tcp://127.0.0.1:9: no scheduler answers after 1 s" in done.output
    assert "dask scheduler" in done.output


def test_a_scheduler_file_that_is_not_there(data):
    done = invoke(*ablate("run", "--scheduler-file", "none.json"))
    assert done.exit_code == 3
    assert "none.json: there is no scheduler file; start the scheduler" in done.output
    Path("none.json").write_text("{}")
    done = invoke(*ablate("run", "--scheduler-file", "none.json"))
    assert "none.json: is not a scheduler file (expected an 'address'" in done.output


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"address": "tcp://a:1", "more": ' + "[" * 70 + "]" * 70 + "}",
        '{"address": "tcp://a:1", "pid": ' + "9" * 5000 + "}",
        '{"address": "tcp://a:1", "pid": NaN}',
        '{"address": ["tcp://a:1"]}',
        '"address"',
        "\xff",
    ],
    ids=["brackets", "deep", "huge", "nan", "list", "text", "latin"],
)
def test_a_scheduler_file_with_odd_content(data, text):
    Path("odd.json").write_text(text, encoding="latin-1")
    done = invoke("evaluate", "DATA", "PRED", "--scheduler-file", "odd.json")
    assert done.exit_code == 3
    assert "odd.json: is not a scheduler file" in done.output
    assert "Error(" not in done.output  # the name of an exception of Python
    assert "start the scheduler with" in done.output


def test_a_scheduler_without_workers(impatient):
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as empty,
        pytest.raises(
            DataError, match="has no worker after 1 s; start one with: PYTHONSAFEPATH=1 dask"
        ),
        connected(empty.scheduler_address, None),
    ):
        pass


def test_a_worker_without_the_package(tmp_path):
    without = tmp_path / "without.py"
    without.write_text("import sys\nsys.modules['mapt_bench'] = None\n")
    with Lab(tmp_path) as lab:
        lab.start_scheduler()
        lab.start("worker", "--no-nanny", "--nthreads", "1", "--preload", str(without))
        with (
            pytest.raises(ConfigError, match=r"lacks the module 'mapt_bench.*install mapt-bench"),
            connected(None, lab.file),
        ):
            pass


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--cluster", "10.0.0.5"), "--cluster is '10.0.0.5'; expected tcp://HOST:PORT"),
        (("--cluster", "local", "--scheduler-file", "f"), "both name a scheduler"),
    ],
)
def test_options_that_name_no_scheduler(words, message, data):
    for command in (("evaluate", "DATA", "PRED"), ablate("run")):
        done = invoke(*command, *words)
        assert done.exit_code == 2
        assert message in done.output


def test_a_cluster_on_this_machine(data):
    run("evaluate", "DATA", "PRED", "--json", "alone.json")
    words = ("--cluster", "local", "-j", "1", "--json", "local.json")
    done = subprocess.run(  # a process of its own: workers import what starts them
        [sys.executable, "-P", "-m", "mapt_bench", "evaluate", "DATA", "PRED", *words],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    alone, found = (json.loads((data / f"{name}.json").read_text()) for name in ("alone", "local"))
    assert without_times(found) == without_times(alone)


def test_a_scheduler_that_ends_is_reported(impatient, tmp_path):
    with Lab(tmp_path) as lab:
        scheduler = lab.start_scheduler()
        lab.start("worker", "--no-nanny", "--nthreads", "1")
        with dask.config.set({"distributed.comm.timeouts.connect": "30s"}):
            opened = connected(None, lab.file)
            cluster = opened.__enter__()
        cluster._client._timeout = 1  # to reconnect
        results = cluster.run_each(sleeping, [0, 600])
        assert next(results) == (0, None)
        scheduler.kill()
        with pytest.raises(DataError, match=r"the scheduler ended.*same command again to resume"):
            assert not isinstance(next(results)[1], Lost)
        opened.__exit__(None, None, None)
