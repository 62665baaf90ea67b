"""Runs that detect segments on a device: a GPU that is a CPU in truth, and one without memory."""

import json

import pytest
import torch
from click.testing import CliRunner
from helpers.annotated_scenes import AnnotatedScene
from helpers.scenes import PERSON, Box
from helpers.small_runs import COPY, plan, source

from mapt_bench import devices
from mapt_bench.baselines import mapt_trackers
from mapt_bench.cli import main
from mapt_bench.devices import DeviceSettings
from mapt_bench.errors import DataError
from mapt_bench.experiments import (
    AblationConfig,
    Cell,
    SegmentSource,
    Variant,
    read_mapt_weights,
    read_plan,
    run_experiment,
)
from mapt_bench.experiments.engine.schedule import schedule_plan
from mapt_bench.experiments.plan_settings import ReportSettings, plan_text
from mapt_bench.model.network import MaptNetwork
from mapt_bench.tracking.archive import SegmentArchive

torch.set_num_threads(1)

SCENE = [[Box(1, 10 + 5 * t), Box(2, 70 - 2 * t, y=30, width=8, class_id=PERSON)] for t in range(3)]
VIDEOS = [AnnotatedScene(SCENE, name=name) for name in ("a", "b")]
GPU = DeviceSettings("cuda", "float32", 2)


@pytest.fixture(scope="module")
def network(mapt_files):
    return read_mapt_weights(str(mapt_files / "mapt-tiny.safetensors"))


@pytest.fixture
def gpu(monkeypatch):
    """A device that is called cuda and is the CPU. Names the networks that were loaded on it."""
    asked = []

    def usable(name):
        asked.append(name)
        return torch.device("cpu")

    monkeypatch.setattr(mapt_trackers, "usable_device", usable)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Model X")
    mapt_trackers._model.cache_clear()
    yield asked
    mapt_trackers._model.cache_clear()


def segments(network, on=None):
    found = SegmentSource(mapt=network, on=on or DeviceSettings())
    return source(*VIDEOS, segments=(found, SegmentSource()))


def rows(network):
    mapt = Variant("mapt", "mapt", "heads", "mapt", memory=0, mapt=network)
    cells = [Cell(row, segments=at) for row in (COPY, mapt) for at in ("mapt-tiny", "groundtruth")]
    return plan(COPY, mapt, cells=tuple(cells))


def scores(result):
    return {(cell["variant"], cell["segments"]): cell["scores"] for cell in result["cells"]}


def archive(folder, name="a", at=0):
    return SegmentArchive(folder / f"segments/mapt-tiny/{at:04d}-{name}.npz")


def test_an_archive_says_where_and_how_its_segments_were_detected(network, gpu, tmp_path):
    result = run_experiment(rows(network), segments(network, GPU), tmp_path / "gpu")
    made = {"device": "cuda (Model X)", "precision": "float32", "batch": 2}
    assert archive(tmp_path / "gpu").made_on == made
    kinds = result["provenance"]["data"]["segments"]
    assert kinds["mapt-tiny"]["device"] == "cuda"
    assert kinds["mapt-tiny"]["precision"] == "float32"
    assert kinds["groundtruth"] == {"kind": "ground truth", "noise": None}
    # Detection ran on it, and association on the CPU.
    assert {"cuda", "cpu"} == set(gpu)
    assert result["provenance"]["device"] == "cpu"


def test_the_cpu_is_stated_in_archives_and_changes_no_description(network, tmp_path):
    result = run_experiment(plan(COPY), segments(network), tmp_path / "run")
    made = {"device": "cpu", "precision": "float32", "batch": 1}
    assert archive(tmp_path / "run").made_on == made
    kinds = result["provenance"]["data"]["segments"]
    assert kinds["mapt-tiny"] == {"kind": "found by MAPT", "weights": network.sha256}


def test_device_and_precision_identify_segments_and_the_batch_does_not(network):
    def key(on):
        (cell,) = schedule_plan(plan(COPY, cells=(Cell(COPY),)), segments(network, on), 0).cells
        return cell.segments_key

    cpu, gpu = DeviceSettings(), DeviceSettings("cuda")
    assert key(cpu) == key(DeviceSettings(batch=7))
    assert key(gpu) == key(DeviceSettings("cuda:1", batch=7))
    assert len({key(each) for each in (cpu, gpu, DeviceSettings("cuda", "bf16"))}) == 3


def test_scores_of_ground_truth_segments_do_not_depend_on_the_device(network, gpu, tmp_path):
    here = run_experiment(rows(network), segments(network), tmp_path / "cpu")
    there = run_experiment(rows(network), segments(network, GPU), tmp_path / "gpu")
    for place, values in scores(here).items():
        if place[1] == "groundtruth":
            assert scores(there)[place] == values


def test_scores_of_one_archive_do_not_depend_on_the_device(network, gpu, tmp_path, monkeypatch):
    """Replayed on another machine: nothing is detected again, whatever the device."""
    first = run_experiment(rows(network), segments(network, GPU), tmp_path / "run")
    for kept in (tmp_path / "run/cells").rglob("*.json"):
        kept.unlink()
    gpu.clear()
    monkeypatch.setattr(MaptNetwork, "find", None)
    again = run_experiment(rows(network), segments(network, GPU), tmp_path / "run")
    assert scores(again) == scores(first)
    assert "cuda" not in gpu


def test_lack_of_memory_keeps_what_is_done_and_a_smaller_batch_resumes(
    network, gpu, tmp_path, monkeypatch
):
    real, seen = MaptNetwork.find, []

    def find(model, images, *, precision):
        seen.append(len(images))
        if len(images) > 1 and len(seen) > 2:  # the first video has two batches
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(model, images, precision=precision)

    monkeypatch.setattr(MaptNetwork, "find", find)
    monkeypatch.setattr(devices, "_size_of", lambda device: "")
    given = plan(COPY)
    with pytest.raises(DataError, match=r"memory of cuda ran out.*lower --batch, which is 2"):
        run_experiment(given, segments(network, GPU), tmp_path / "run")
    done = sorted(path.name for path in (tmp_path / "run/cells").rglob("*.json"))
    assert done == ["0000-0.json"]
    stamp = next((tmp_path / "run/cells").rglob("*.json")).stat().st_mtime_ns
    smaller = DeviceSettings("cuda", "float32", 1)
    run_experiment(given, segments(network, smaller), tmp_path / "run")
    assert next((tmp_path / "run/cells").rglob("0000-0.json")).stat().st_mtime_ns == stamp
    assert archive(tmp_path / "run", "b", 1).made_on["batch"] == 1
    assert archive(tmp_path / "run").made_on["batch"] == 2
    assert json.loads((tmp_path / "run/results.json").read_text())["cells"][0]["status"] == "done"


@pytest.mark.parametrize("command", ["ablate", "sweep-interval", "tune"])
def test_a_device_that_is_not_there_ends_a_command(command, tmp_path, monkeypatch):
    suite = "val" if command == "tune" else "tiny"
    words = [command, "--suite", suite, "--device", "cuda:99", "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert "device 'cuda:99' cannot be used" in done.output
    assert "this machine has cpu" in done.output
    assert not (tmp_path / "run/cells").exists()


def test_a_plan_has_the_device_where_it_is_not_the_default(tmp_path):
    given = AblationConfig(suite="tiny", device="cuda", precision="bf16", batch=4)
    path = tmp_path / "plan.yaml"
    path.write_text(plan_text([given], ReportSettings()))
    (run,) = read_plan(path).runs
    assert run.config == given
    assert "device" not in plan_text([AblationConfig(suite="tiny")], ReportSettings())


def test_a_command_line_has_the_device():
    words = AblationConfig(suite="tiny", device="cuda", precision="fp16").command_line()
    assert words == "mapt-bench ablate --suite tiny --device cuda --precision fp16"
