"""Copies of results in TensorBoard, MLflow and Weights & Biases, read back from local folders."""

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.commands import write_two_walks
from helpers.maps import KITTI, draw
from helpers.results import evaluation, run
from PIL import Image

from mapt_bench.cli import main
from mapt_bench.data import KittiStepWriter
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.reports import run_tables
from mapt_bench.reports.experiment_logs import LogRecord, LogTarget, log_result
from mapt_bench.reports.score_tables import evaluation_tables


@pytest.fixture
def ablation(tmp_path):
    """A record of a run of four rows, with a plot."""
    document = run()
    picture = tmp_path / "pat_stq.png"
    Image.fromarray(np.full((4, 6, 3), 90, dtype=np.uint8)).save(picture)
    return LogRecord("mine", document, run_tables(document), [picture], tmp_path / "default")


def test_targets():
    assert LogTarget.parse("mlflow") == LogTarget("mlflow", "")
    assert LogTarget.parse("mlflow=http://a?b=c") == LogTarget("mlflow", "http://a?b=c")
    with pytest.raises(ConfigError, match="did you mean 'tensorboard'"):
        LogTarget.parse("tensorbord=x")
    with pytest.raises(ConfigError, match="the place is empty"):
        LogTarget.parse("wandb=")
    with pytest.raises(ConfigError, match="the place is empty"):
        LogTarget.parse("tensorboard= ")  # not a folder whose name is a space
    with pytest.raises(ConfigError, match="cannot write to stdout; name a place"):
        LogTarget.parse("tensorboard=-")


def test_scores_and_settings(ablation):
    assert ablation.scores["both/PAT"] == 0.6265
    assert ablation.scores["oracle/IDSW"] == 0
    one = LogRecord("a", evaluation("a"), evaluation_tables([evaluation("a")]))
    assert one.scores["PAT"] == 0.5
    assert "PTQ" not in one.scores  # undefined
    assert one.settings["schema"] == "mapt-bench/evaluation/2"
    assert one.settings["dataset"] == "kitti-step"


def test_tensorboard(ablation, tmp_path):
    accumulators = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="tensorboard is not installed",
    )
    copied = log_result(LogTarget("tensorboard", str(tmp_path / "logs")), ablation)
    assert copied == f"TensorBoard: {tmp_path / 'logs' / 'mine'}"
    found = accumulators.EventAccumulator(str(tmp_path / "logs" / "mine")).Reload()
    assert found.Scalars("both/PAT")[0].value == pytest.approx(0.6265)
    assert len(found.Tags()["scalars"]) == len(ablation.scores)
    titles = {f"tables/{table.title}" for table in ablation.tables}
    assert set(found.Tags()["tensors"]) == {*titles, "settings"}
    text = found.Tensors(f"tables/{ablation.tables[0].title}")[0].tensor_proto.string_val[0]
    assert "| both" in text.decode()
    (image,) = found.Images("plots/pat_stq")
    assert (image.width, image.height) == (6, 4)
    assert image.encoded_image_string == ablation.pictures[0].read_bytes()
    again = log_result(LogTarget("tensorboard"), ablation)
    assert again == f"TensorBoard: {tmp_path / 'default' / 'mine'}"
    assert log_result(LogTarget("tensorboard"), ablation).endswith("mine-2")


def test_mlflow_in_a_folder(ablation, tmp_path):
    tracking = pytest.importorskip("mlflow.tracking", reason="mlflow is not installed")
    pytest.importorskip("sqlalchemy", reason="sqlalchemy is not installed")
    store = tmp_path / "store"
    assert str(store) in log_result(LogTarget("mlflow", str(store)), ablation)
    client = tracking.MlflowClient(f"sqlite:///{store / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("mapt-bench")
    (found,) = client.search_runs([experiment.experiment_id])
    assert (found.info.run_name, found.info.status) == ("mine", "FINISHED")
    assert found.data.metrics["both/PAT"] == 0.6265
    assert len(found.data.metrics) == len(ablation.scores)
    assert found.data.params["schema"] == "mapt-bench/run/1"
    artifacts = store / "artifacts" / found.info.run_id / "artifacts"
    assert (artifacts / "plots" / "pat_stq.png").read_bytes()
    assert "both" in (artifacts / "tables" / "tables.md").read_text()


def test_names_that_mlflow_refuses_stay_apart(tmp_path):
    tracking = pytest.importorskip("mlflow.tracking", reason="mlflow is not installed")
    pytest.importorskip("sqlalchemy", reason="sqlalchemy is not installed")
    document = run()
    for row, name in zip(document["summary"], ("a+b", "a=b", "a_b", "c"), strict=True):
        row["variant"] = name
    log_result(LogTarget("mlflow", str(tmp_path)), LogRecord("x", document, []))
    client = tracking.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("mapt-bench")
    (found,) = client.search_runs([experiment.experiment_id])
    assert sorted(value for name, value in found.data.metrics.items() if "PAT" in name) == [
        0.4,
        0.6161,
        0.6265,
        0.8,
    ]


def test_wandb_without_a_server(ablation, tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="wandb is not installed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert log_result(LogTarget("wandb", "project"), ablation).startswith("Weights & Biases: run ")
    (table,) = (tmp_path / "wandb").rglob("tables/scores*.json")
    assert "both" in {cell for row in json.loads(table.read_text())["data"] for cell in row}
    (picture,) = (tmp_path / "wandb").rglob("*pat_stq*.png")
    assert picture.read_bytes()


def test_a_tool_that_fails_is_named(ablation, tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"tensorboard failed .* or omit --log-to") as caught:
        log_result(LogTarget("tensorboard", str(tmp_path / "file")), ablation)
    assert caught.value.where == str(tmp_path / "file")


def write_sides(folder):
    for side, number in (("gt", "c1"), ("one", "c2"), ("two", "c1")):
        with KittiStepWriter(folder / side, KITTI) as writer:
            for at, name in enumerate(("c1", number)):
                writer.write("0001", f"{at:06d}", draw(f"r {name}"))
    return [str(folder / side) for side in ("gt", "one", "two")]


def test_evaluate_logs_each_prediction(tmp_path):
    accumulators = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="tensorboard is not installed",
    )
    words = ["evaluate", *write_sides(tmp_path), "--log-to", f"tensorboard={tmp_path / 'logs'}"]
    done = CliRunner().invoke(main, [*words, "--json", "-"])
    assert done.exit_code == 0
    assert f"logged one to TensorBoard: {tmp_path / 'logs' / 'one'}" in done.stderr
    expected = {one["name"]: one["scores"] for one in json.loads(done.stdout)["evaluations"]}
    for name, scores in expected.items():
        found = accumulators.EventAccumulator(str(tmp_path / "logs" / name)).Reload()
        assert found.Scalars("PAT")[0].value == pytest.approx(scores["PAT"])


def test_an_experiment_logs_its_plots(tmp_path):
    accumulators = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="tensorboard is not installed",
    )
    write_two_walks(tmp_path, 4)
    words = [
        "ablate",
        "--data",
        tmp_path / "DATA",
        "--segments",
        "groundtruth",
        "--weights",
        "none",
    ]
    words += ["--only", "iou", "--no-report", "--out", tmp_path / "run"]
    done = CliRunner().invoke(main, list(map(str, [*words, "--log-to", "tensorboard"])))
    assert done.exit_code == 0, done.output
    folder = tmp_path / "run" / "tensorboard" / "run"
    assert f"logged run to TensorBoard: {folder}" in done.stderr
    found = accumulators.EventAccumulator(str(folder)).Reload().Tags()
    assert "iou/PAT" in found["scalars"]
    assert "plots/pat_stq" in found["images"]
    assert "settings" in found["tensors"]


def test_a_missing_package_is_reported_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    words = ["evaluate", *write_sides(tmp_path), "--log-to", "wandb"]
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert 'pip install "mapt-bench[logging]"' in done.stderr


def silent_server(stack):
    """Return the address of a server that accepts connections and never answers."""
    server = stack.enter_context(socket.socket())
    server.bind(("127.0.0.1", 0))
    server.listen()
    return f"http://127.0.0.1:{server.getsockname()[1]}"


def evaluate_into(tmp_path, target):
    """Run ``evaluate`` on folders that do not exist: their error would follow the log's."""
    words = ["evaluate", str(tmp_path / "no-gt"), str(tmp_path / "no-pred"), "--log-to", target]
    return CliRunner().invoke(main, words)


def test_a_server_that_does_not_answer_is_reported_before_any_work(tmp_path, monkeypatch):
    pytest.importorskip("mlflow.tracking", reason="mlflow is not installed")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")  # the user's own values count
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with ExitStack() as stack:
        address = silent_server(stack)
        done = evaluate_into(tmp_path, f"mlflow={address}")
        assert (done.exit_code, done.stdout) == (3, "")
        assert "mlflow failed (no answer in time); nothing was run" in done.stderr
        assert address in done.stderr
    done = evaluate_into(tmp_path, f"mlflow={address}")
    assert "mlflow failed (Connection refused); nothing was run" in done.stderr


def test_mlflow_waits_for_half_a_minute_at_most(monkeypatch):
    pytest.importorskip("mlflow.tracking", reason="mlflow is not installed")
    for name in ("MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"):
        monkeypatch.setenv(name, "0")  # so that the value of before is restored
        monkeypatch.delenv(name)
    LogTarget("mlflow").check()
    tries = 1 + int(os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"])
    pauses = 4 + 1  # the backoff before the third try, and its jitter
    assert tries * int(os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"]) + pauses <= 30
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    LogTarget("mlflow").check()
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"


def test_experiments_check_their_tools_before_any_work(tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    (tmp_path / "file").write_text("")
    words = ["ablate", "--suite", "tiny", "--out", tmp_path / "run", "--weights", "none"]
    words += ["--only", "iou", "--log-to", f"tensorboard={tmp_path / 'file'}"]
    done = CliRunner().invoke(main, list(map(str, words)))
    assert done.exit_code == 3
    assert "tensorboard failed (File exists); nothing was run" in done.stderr
    assert not (tmp_path / "run").exists()


def test_wandb_without_a_login_is_reported_before_any_work(tmp_path):
    pytest.importorskip("wandb", reason="wandb is not installed")
    kept = {name: text for name, text in os.environ.items() if not name.startswith("WANDB_")}
    words = ["evaluate", "no-gt", "no-pred", "--log-to", "wandb"]
    done = subprocess.run(  # a process of its own, because wandb keeps the mode of its first use
        [sys.executable, "-m", "mapt_bench", *words],
        cwd=tmp_path,
        env={**kept, "HOME": str(tmp_path), "NETRC": str(tmp_path / "netrc")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert "nothing was run; log in with: wandb login" in done.stderr


def test_mlflow_prints_nothing_of_its_own(tmp_path):
    pytest.importorskip("mlflow.tracking", reason="mlflow is not installed")
    pytest.importorskip("sqlalchemy", reason="sqlalchemy is not installed")
    words = ["evaluate", *write_sides(tmp_path), "--log-to", f"mlflow={tmp_path / 'logs'}"]
    kept = {name: text for name, text in os.environ.items() if not name.startswith("MLFLOW_")}
    done = subprocess.run(  # a process of its own, because MLflow sets its log up once
        [sys.executable, "-m", "mapt_bench", *words],
        cwd=tmp_path,
        env=kept,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "logged one to MLflow" in done.stderr
    assert "INFO" not in done.stdout + done.stderr


def test_evaluate_keeps_its_result_if_the_tool_fails_afterwards(tmp_path, monkeypatch):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    monkeypatch.setattr(LogTarget, "check_access", lambda _target: None)
    (tmp_path / "file").write_text("")
    words = ["evaluate", *write_sides(tmp_path), "--log-to", f"tensorboard={tmp_path / 'file'}"]
    done = CliRunner().invoke(main, [*words, "--json", str(tmp_path / "result.json")])
    assert done.exit_code == 3
    assert len(json.loads((tmp_path / "result.json").read_text())["evaluations"]) == 2
