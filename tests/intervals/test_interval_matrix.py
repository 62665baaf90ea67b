"""The interval matrix on moving boxes, with an untrained small network."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from html import unescape

import pytest
import torch
from click.testing import CliRunner
from helpers.clusters import Lab, seeing
from helpers.scenes import KITTI, Box, DrawnVideo
from helpers.shipped_weights import put_weights
from helpers.small_runs import COPY, plan, source
from helpers.tensorboard_logs import read_copy
from helpers.training_jobs import moving_boxes
from PIL import Image
from safetensors.torch import load_file

from mapt_bench import devices
from mapt_bench.baselines import mapt_trackers
from mapt_bench.cli import main
from mapt_bench.data import KittiStepWriter
from mapt_bench.devices import DeviceSettings
from mapt_bench.errors import ConfigError
from mapt_bench.experiments import run_configured, run_plan
from mapt_bench.experiments.matrix_config import ADAPTIVE, IntervalMatrixConfig
from mapt_bench.experiments.matrix_plan import MatrixPlace
from mapt_bench.intervals import matrix_heads
from mapt_bench.intervals.matrix_result import matrix_result
from mapt_bench.intervals.matrix_run import run_matrix
from mapt_bench.model import load_mapt
from mapt_bench.reports.interval_matrix import matrix_findings, matrix_tables
from mapt_bench.training import head_tuning
from mapt_bench.training.log import read_log
from mapt_bench.training.run import train as train_job
from mapt_bench.training.seen_videos import see_video

torch.set_num_threads(1)

SPEEDS = {"slow": 1, "fast": 6}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with data of two speeds and untrained weights."""
    folder = tmp_path_factory.mktemp("place")
    data = folder / "DATA"
    with KittiStepWriter(data, KITTI) as writer:
        for name, speed in SPEEDS.items():
            video = moving_boxes(6, name=name, speed=speed)
            for index in range(6):
                writer.write(name, f"{index:06d}", video.truth(index))
                path = data / "images" / "val" / name / f"{index:06d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(video.image(index)).save(path)
    put_weights(folder, "small")
    return folder


def words(place, out):
    options = {
        "--data": place / "DATA",
        "--train-on": place / "DATA",
        "--weights": place / "small.safetensors",
        "--train-intervals": "1,adaptive",
        "--train-seeds": "0,1",
        "--train-steps": 2,
        "--pair": "1,2",
        "--out": out,
    }
    return ["sweep-interval", "--train", *(str(word) for pair in options.items() for word in pair)]


@pytest.fixture(scope="module")
def done(place):
    run = CliRunner().invoke(main, words(place, place / "run"))
    assert run.exit_code == 0, run.output
    return run.stdout, json.loads((place / "run" / "results.json").read_text())


def rows_of(result):
    return {(row["train"], row["infer"]): row for row in result["matrix"]}


def test_every_training_interval_meets_every_inference_interval(done):
    _, result = done
    own = {
        (train, infer) for train in ("as given", "1", ADAPTIVE) for infer in ("1", "2", ADAPTIVE)
    }
    assert rows_of(result).keys() == own | {("copy", "1"), ("oracle", "1")}
    for (train, _), row in rows_of(result).items():
        assert len(row["seeds"]) == (2 if train in ("1", ADAPTIVE) else 1)
        assert row["n_sequences"] == 2
        values = [seed["scores"]["PAT"] for seed in row["seeds"]]
        assert row["scores"]["PAT"] == pytest.approx(sum(values) / len(values))


def test_adaptive_intervals_are_compared_with_every_fixed_one(done):
    _, result = done
    found = [
        (each["question"], each["train"], each["other_train"], each["other_infer"])
        for each in result["comparisons"]
    ]
    assert ("inference", "1", "1", "2") in found
    assert ("training", ADAPTIVE, "1", ADAPTIVE) in found
    assert ("both", ADAPTIVE, "1", "1") in found


def test_thirds_of_the_links_are_slow_medium_and_fast(done):
    _, result = done
    counts = [rate["n"] for rate in rows_of(result)["oracle", "1"]["speeds"].values()]
    assert len(counts) == 3
    assert sum(counts) == 20  # two boxes, five links, two videos
    assert counts[2] == 5  # the fast car


def test_without_links_the_only_range_keeps_its_name(tmp_path):
    flashes = DrawnVideo([[Box(track, 20)] for track in (1, 2, 3)])
    outcome = run_plan(plan(COPY), source(flashes), tmp_path / "run")
    places = {cell.cell: MatrixPlace("copy", None, "1", 1) for cell in outcome.cells}
    (row,) = matrix_result(IntervalMatrixConfig(), outcome, places, {})["matrix"]
    assert row["speeds"].keys() == {"fast"}
    assert (row["speeds"]["fast"]["bin"], row["speeds"]["fast"]["n"]) == ("fast", 0)


def test_fine_tuned_weights_find_the_same_segments_with_the_same_cues(place, done):
    given = load_mapt(place / "small.safetensors")
    tuned = place / "run" / "heads" / "tau1-seed0" / "weights.safetensors"
    other = load_mapt(tuned)
    assert other.cue_source == given.cue_source
    assert other.source != given.source
    before, after = given.state_dict(), load_file(tuned)
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"motion", "appearance"}
    assert [row["step"] for row in read_log(tuned.parent / "log.jsonl")] == [2]


def test_the_answer_has_a_table_sentences_and_pictures(place, done):
    text, result = done
    assert "PAT by training and inference interval" in text
    assert all(sentence in " ".join(text.split()) for sentence in matrix_findings(result))
    for name in ("matrix_PAT", "curves_PAT", "curves_speed"):
        assert (place / "run" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    names = {table.name for table in matrix_tables(result)}
    assert names == {
        *(f"matrix_{s}" for s in ("PAT", "STQ", "AssA", "IDSW", "speeds", "differences"))
    }
    assert (place / "run" / "tables" / "matrix_PAT.csv").is_file()


def test_the_page_has_the_sentences_a_curve_a_training_interval_and_the_command(place, done):
    _, result = done
    page = (place / "run" / "report.html").read_text()
    assert "This page shows how the temporal interval of training" in page
    assert "interval matrix on DATA" in page
    words = unescape(re.sub("<[^>]+>", "", page))
    for sentence in matrix_findings(result):
        assert sentence in words
    for name in ("as given", "trained at 1", ADAPTIVE, "copy", "oracle"):
        assert f">{name}<" in page
    assert "sweep-interval --train" in page
    assert "pip install -e '.[model]'" in words  # weights need torch
    assert "sha256sum --check" in words
    assert page.count("fill-opacity") == 2 * 9  # a cell for each place, wide and narrow


def test_sentences_count_ties_and_name_what_is_established(done):
    _, result = done
    rows = [
        {"drop": 1, "train": train, "infer": infer, "scores": {"PAT": pat}}
        for train, infer, pat in (("1", "1", 0.6), ("1", ADAPTIVE, 0.7), ("3", ADAPTIVE, 0.7))
    ]

    def compared(question, *differences):
        return [
            {
                "question": question,
                "drop": 1,
                "other_train": "1",
                "other_infer": "1",
                "scores": {
                    "PAT": {
                        "difference": value,
                        "interval": {"low": value - 0.01, "high": value + 0.01},
                        "p_adjusted": 0.01,
                    }
                },
            }
            for value in differences
        ]

    comparisons = [
        *compared("inference", 0.1, -0.001),
        *compared("training", 0.005),
        *compared("both", -0.05),
    ]
    told = matrix_findings({**result, "matrix": rows, "comparisons": comparisons})
    assert told == [
        "The highest PAT is 70.00 (trained 1, inference adaptive; also 1 other place), the lowest "
        "60.00 (trained 1, inference pair 1).",
        "The adaptive inference interval differs from interval 1 by -0.10 to +10.00 PAT (1 of 2 "
        "established).",
        "Adaptive training, at the adaptive inference interval, differs from 1 other training by "
        "+0.50 PAT (not established).",
        "Adaptive training with adaptive inference differs from interval 1 by -5.00 PAT "
        "(established).",
    ]


def test_without_a_report_there_is_no_page(place, done):
    run = CliRunner().invoke(main, [*words(place, place / "run"), "--no-report"])
    assert run.exit_code == 0, run.output
    assert "report.html" not in run.stdout


def test_a_cluster_tracks_with_the_heads_of_this_machine(place, done):
    _, expected = done
    run = subprocess.run(  # a process of its own: workers import what starts them
        [
            *(sys.executable, "-P", "-m", "mapt_bench"),
            *words(place, place / "far"),
            *("--cluster", "local", "-j", "1", "--no-report"),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    found = json.loads((place / "far" / "results.json").read_text())
    assert found.pop("provenance")["command"] == expected["provenance"]["command"]
    assert found == {name: value for name, value in expected.items() if name != "provenance"}


def test_frames_are_seen_and_heads_trained_on_the_device(place, tmp_path, monkeypatch):
    asked, batches, trained = [], [], []
    device = torch.device("cpu", 0)

    def usable(name):
        asked.append(name)
        return device

    def see(*given, precision, batch):
        batches.append((precision, batch))
        return see_video(*given, precision=precision, batch=batch)

    def kept(job, **given):
        trained.append(job.device)
        return train_job(job, **given)

    monkeypatch.setattr(matrix_heads, "usable_device", usable)
    for module in (devices, mapt_trackers):
        monkeypatch.setattr(module, "usable_device", lambda name: device)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Model X")
    monkeypatch.setattr(matrix_heads, "see_video", see)
    monkeypatch.setattr(head_tuning, "train", kept)
    mapt_trackers._model.cache_clear()
    given = words(place, tmp_path / "run")
    run = CliRunner().invoke(main, [*given, "--device", "cuda:1", "--batch", "4"])
    mapt_trackers._model.cache_clear()
    assert run.exit_code == 0, run.output
    assert asked == ["cuda:1"] * 2  # for what sees, and for what trains
    assert batches == [("float32", 4)] * 2
    assert trained == [device] * 4
    setup = json.loads((tmp_path / "run" / "run.json").read_text())
    assert setup["training"]["device"] == "cuda"
    other = CliRunner().invoke(main, [*given, "--device", "cpu"])
    assert other.exit_code == 2
    assert "device" in other.stderr


def test_a_device_that_is_not_there_ends_a_matrix(place, tmp_path):
    run = CliRunner().invoke(main, [*words(place, tmp_path / "run"), "--device", "cuda:99"])
    assert run.exit_code == 2
    assert "device 'cuda:99' cannot be used" in run.stderr
    assert not (tmp_path / "run" / "seen").exists()


def test_heads_stay_on_the_cpu_of_this_machine_if_others_have_the_device(tmp_path):
    given = {"data": tmp_path, "train_on": "train", "device": "cuda"}
    here = IntervalMatrixConfig(**given)
    assert here.settings_here() == DeviceSettings("cuda", "float32", 8)
    assert replace(here, cluster="tcp://x:1").settings_here() == DeviceSettings()


def test_the_cpu_by_name_gives_the_same_heads(place, done, tmp_path):
    run = CliRunner().invoke(main, [*words(place, tmp_path / "run"), "--device", "cpu"])
    assert run.exit_code == 0, run.output
    file = "heads/tau1-seed0/weights.safetensors"
    found, expected = (load_file(each / "run" / file) for each in (tmp_path, place))
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    setup = json.loads((tmp_path / "run" / "run.json").read_text())
    assert "device" not in setup["training"]


def test_workers_need_neither_heads_nor_weights_of_this_machine(place, done, tmp_path):
    _, expected = done
    far, nothing = place / "unseen", tmp_path / "nothing"
    far.mkdir()
    nothing.mkdir()
    weights = place / "small.safetensors"
    with Lab(tmp_path) as lab:
        before = seeing((nothing, far), (os.devnull, weights))
        lab.start_scheduler()
        lab.start("worker", "--no-nanny", "--nthreads", "1", before=before)
        options = ("--scheduler-file", str(lab.file), "--no-report")
        run = CliRunner().invoke(main, [*words(place, far), *options])
    assert run.exit_code == 0, run.output
    found = json.loads((far / "results.json").read_text())
    del found["provenance"]
    assert found == {name: value for name, value in expected.items() if name != "provenance"}


def test_the_same_command_resumes_without_work(place, done, monkeypatch):
    monkeypatch.setattr(
        "mapt_bench.training.trainer.Trainer.train_step", lambda *_: pytest.fail("trained again")
    )
    monkeypatch.setattr(
        "mapt_bench.training.seen_videos.see_frames", lambda *_: pytest.fail("seen again")
    )
    before = (place / "run" / "results.json").read_text()
    again = CliRunner().invoke(main, words(place, place / "run"))
    assert again.exit_code == 0, again.output
    assert (place / "run" / "results.json").read_text() == before


def test_a_matrix_is_copied_to_a_tool(place, done):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    _, result = done
    again = CliRunner().invoke(main, [*words(place, place / "run"), "--log-to", "tensorboard"])
    assert again.exit_code == 0, again.output
    scores, pictures = read_copy(place / "run/tensorboard/run")
    pat = rows_of(result)[ADAPTIVE, "2"]["scores"]["PAT"]
    assert scores["adaptive/2/PAT"] == pytest.approx(pat, rel=1e-5)
    assert {"as given/adaptive/STQ", "1/1/IDSW", "copy/1/PAT"} <= scores.keys()
    assert "plots/matrix_PAT" in pictures


def test_another_matrix_in_the_folder_is_refused(place, done):
    for option, value, name in (
        ("--target", "0.7", "target"),
        ("--vpq-windows", "1,2", "vpq_windows"),
    ):
        other = CliRunner().invoke(main, [*words(place, place / "run"), option, value])
        assert other.exit_code == 2
        assert name in other.stderr


def test_frame_skips_have_a_matrix_each(place):
    config = IntervalMatrixConfig(
        data=place / "DATA",
        train_on=str(place / "DATA"),
        weights=str(place / "small.safetensors"),
        train_intervals=("1",),
        train_seeds=(0,),
        train_steps=1,
        pair=(1,),
        drop=(1, 2),
        out=place / "skips",
    )
    result = run_matrix(config)
    drops = [row["drop"] for row in result["matrix"] if row["train"] == "oracle"]
    assert drops == [1, 2]
    titles = [table.title for table in matrix_tables(result, short=True)]
    assert titles[1].endswith("frame skip 2")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("--train-intervals", "1,fast"), "--train-intervals has 'fast'"),
        (("--train-intervals", "²"), "--train-intervals has '²'"),
        (("--train-intervals", "1,01"), "--train-intervals has '01'"),
        (("--train-seeds", "0,0"), "--train-seeds is"),
        (("--seed", str(2**63)), "expected 0 or more, below 2**63"),
        (("--pair", "0"), "--pair is"),
        (("--target", "0"), "--target"),
        (("--tracker", "mapt:appearance"), "the tracker of an interval matrix"),
        (("--tracker", "sort"), "the tracker of an interval matrix"),
        (("--cluster", "10.0.0.5"), "expected tcp://HOST:PORT"),
        (("--train-on", "trein"), "trein"),
    ],
)
def test_wrong_options_are_refused_before_any_work(place, tmp_path, wrong, message):
    run = CliRunner().invoke(main, [*words(place, tmp_path / "run"), *wrong])
    assert run.exit_code == 2, run.output
    assert message in run.stderr
    assert not (tmp_path / "run").exists()


def test_real_data_needs_the_data_to_train_on(place):
    with pytest.raises(ConfigError, match="needs --train-on"):
        IntervalMatrixConfig(data=place / "DATA")


def test_options_of_the_matrix_need_train():
    run = CliRunner().invoke(main, ["sweep-interval", "--suite", "tiny", "--target", "0.5"])
    assert run.exit_code == 2
    assert "--target needs --train" in run.stderr


PLAN = """
experiment: interval-matrix
data: {suite: tiny}
train_on: train
train_intervals: [1, adaptive]
train_seeds: 0
pair: 1
"""


def test_the_plan_of_the_run_gives_the_same_bytes(place, done):
    _, expected = done
    plan = place / "run" / "plan.yaml"
    run = CliRunner().invoke(main, ["run", str(plan), "--out", str(place / "planned")])
    assert run.exit_code == 0, run.output
    assert run.stdout.replace("planned", "run") == done[0]
    found = json.loads((place / "planned" / "results.json").read_text())
    assert found.pop("provenance")["command"] == expected["provenance"]["command"]
    assert found == {name: value for name, value in expected.items() if name != "provenance"}
    assert (place / "planned" / "plan.yaml").read_text() == plan.read_text()
    kept = [path for path in (place / "run" / "tables").iterdir() if path.suffix == ".csv"]
    assert kept
    for path in kept:
        assert (place / "planned" / "tables" / path.name).read_bytes() == path.read_bytes()


def test_a_dry_run_counts_the_units_of_heads_that_are_not_trained(tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    run = CliRunner().invoke(main, ["run", str(plan), "--dry-run", "--json", "-"])
    assert run.exit_code == 0, run.output
    (state,) = json.loads(run.stdout)["runs"]
    assert len(state["cells"]) == 3 * 2 + 2  # as given and two heads at two intervals; references
    assert len({cell["key"] for cell in state["cells"]}) == 8
    assert (state["units"], state["done"]) == (8 * 4, 0)


def test_a_dry_run_counts_what_a_run_has_done(place, done):
    words = ["run", str(place / "run" / "plan.yaml"), "--dry-run", "--out", str(place / "run")]
    run = CliRunner().invoke(main, [*words, "--json", "-"])
    assert run.exit_code == 0, run.output
    (state,) = json.loads(run.stdout)["runs"]
    assert state["units"] == state["done"] == (5 * 3 + 2) * 2


@pytest.mark.parametrize(
    ("more", "message", "line"),
    [
        ("seeds: [0, 1]", "the plan has 2 runs, and an interval matrix is one of them", 2),
        ("report: {scores: [PAT]}", "report.scores is not for the experiment", 8),
        ("report: {losses: [oracle]}", "report.losses is not for the experiment", 8),
        ("report: {gallery: 2}", "report.gallery is not for the experiment", 8),
        ("report: {rows: [copy]}", "report.rows is not for the experiment", 8),
        ("trackers: [sort]", "omit add, trackers, report.losses and flow_weights", 8),
        ("weights: none", "fine-tunes heads of MAPT; give weights: NAME|FILE", 8),
        ("reference: sort", "reference is no key of the experiment 'interval-matrix'", 8),
        ("target: 0", "target", 8),
        ("train_steps: many", "train_steps", 8),
    ],
)
def test_mistakes_in_plans_have_their_line(tmp_path, more, message, line):
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN + more)
    run = CliRunner().invoke(main, ["run", str(plan), "--dry-run"])
    assert run.exit_code == 2, run.output
    assert message in run.stderr
    assert f"line {line}, column" in run.stderr


def test_a_dry_run_without_a_folder_reads_no_heads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    heads = tmp_path / "heads" / "tau1-seed0"
    heads.mkdir(parents=True)
    (heads / "weights.safetensors").write_text("damaged")
    (heads / "weights.json").write_text("{}")
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    run = CliRunner().invoke(main, ["run", str(plan), "--dry-run"])
    assert run.exit_code == 0, run.output


def test_heads_of_another_training_are_not_done(place, done, tmp_path):
    plan = tmp_path / "plan.yaml"
    text = (place / "run" / "plan.yaml").read_text()
    plan.write_text(text.replace("train_steps: 2", "train_steps: 3"))
    words = ["run", str(plan), "--dry-run", "--out", str(place / "run"), "--json", "-"]
    run = CliRunner().invoke(main, words)
    assert run.exit_code == 0, run.output
    (state,) = json.loads(run.stdout)["runs"]
    assert (state["units"], state["done"]) == (34, (3 + 2) * 2)  # as given, and the references


@pytest.mark.parametrize("record", ["{}", "[]", "{", '{"steps": 80, "data": null}'])
def test_heads_with_a_damaged_record_are_not_done(tmp_path, record):
    heads = tmp_path / "run" / "heads" / "tau1-seed0"
    heads.mkdir(parents=True)
    (heads / "weights.safetensors").write_text("damaged")
    (heads / "weights.json").write_text(record)
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    words = ["run", str(plan), "--dry-run", "--out", str(tmp_path / "run"), "--json", "-"]
    run = CliRunner().invoke(main, words)
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout)["done"] == 0


def test_an_experiment_is_no_matrix():
    with pytest.raises(ConfigError, match="run_matrix"):
        run_configured(IntervalMatrixConfig())


def test_keys_of_a_matrix_need_its_experiment(tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text("experiment: sweep-interval\ndata: {suite: tiny}\ntrain_steps: 3\n")
    run = CliRunner().invoke(main, ["run", str(plan), "--dry-run"])
    assert run.exit_code == 2
    assert "train_steps is no key of the experiment 'sweep-interval'" in run.stderr
