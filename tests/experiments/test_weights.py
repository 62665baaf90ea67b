import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.raft_files import write_raft_small
from helpers.small_runs import COPY, plan, source, walk

from mapt_bench.baselines import flow_sources
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.experiments import ablation_plan, read_flow_weights, run_plan, run_result
from mapt_bench.experiments.engine.unit import one_thread


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    return [write_raft_small(folder / f"{seed}.pth", seed) for seed in (0, 1)]


def rows_of(weights):
    """The ablation's rows of one network without memory, next to copying."""
    whole = ablation_plan(flow_weights=weights, every_memory=True)
    networks = [row for row in whole.variants if row.weights is not None and row.memory == 0]
    return plan(COPY, *networks)


def test_weights_are_known_by_their_contents(files):
    (weights,) = read_flow_weights({"flow:raft-small": files[0]})
    assert (weights.name, weights.path) == ("flow:raft-small", files[0])
    assert weights.sha256 == hashlib.sha256(files[0].read_bytes()).hexdigest()


def test_no_weights_are_none():
    assert read_flow_weights({}) == ()


@pytest.mark.parametrize(
    ("flow", "message"),
    [
        ("flow:raft-smal", "did you mean 'flow:raft-small'"),
        ("flow:raft-small+appearance", "did you mean 'flow:raft-small'"),
        ("raft-small", "did you mean 'flow:raft-small'"),
        ("flow:dis", "flow:dis has no network and no weights"),
        ("flow:files", "flow:files has no network"),
    ],
)
def test_only_networks_have_weights(files, flow, message):
    with pytest.raises(ConfigError, match=message):
        read_flow_weights({flow: files[0]})


def test_unusable_files_are_told_before_any_work(files, tmp_path):
    with pytest.raises(DataError, match="no such weights file"):
        read_flow_weights({"flow:raft-small": tmp_path / "nowhere.pth"})
    with pytest.raises(DataError, match="do not fit FlowNet2"):
        read_flow_weights({"flow:flownet2": files[0]})


def test_network_rows_run_and_say_what_they_ran_with(files, tmp_path):
    weights = read_flow_weights({"flow:raft-small": files[0]})
    outcome = run_plan(rows_of(weights), source(walk(3)), tmp_path / "run")
    assert outcome.exit_code == 0
    result = run_result(outcome)
    assert result["provenance"]["weights"] == {"flow:raft-small": weights[0].sha256}
    rows = {row["variant"]: row for row in result["summary"]}
    assert list(rows) == ["copy", "flow:raft-small", "flow:raft-small+appearance"]
    assert set(rows["flow:raft-small"]["matches"]) <= {"motion", "new", "recovered"}
    # The walkers keep their looks, so what random flow leaves over is found by appearance.
    assert rows["flow:raft-small+appearance"]["scores"]["IDSW"] == 0


def test_a_run_without_networks_names_no_weights(tmp_path):
    result = run_result(run_plan(plan(COPY), source(walk(3)), tmp_path / "run"))
    assert result["provenance"]["weights"] == {}


def test_a_moved_file_is_the_same_work_and_another_file_is_not(files, tmp_path):
    moved = shutil.copy(files[0], tmp_path / "moved.pth")
    drawn = source(walk(2))
    for path in (files[0], moved):
        weights = read_flow_weights({"flow:raft-small": path})
        computed = run_plan(rows_of(weights), drawn, tmp_path / "run").computed
        assert computed == (3 if path == files[0] else 0)
    other = read_flow_weights({"flow:raft-small": files[1]})
    with pytest.raises(ConfigError, match=r"differs in rows .*weights"):
        run_plan(rows_of(other), drawn, tmp_path / "run")


def test_the_network_is_given_its_own_file(files, tmp_path, monkeypatch):
    built = []
    real = flow_sources.FlowEntry.check

    def check(entry, options):
        built.append((entry.name, options.weights, options.random_weights))
        real(entry, options)

    (weights,) = read_flow_weights({"flow:raft-small": files[1]})
    monkeypatch.setattr(flow_sources.FlowEntry, "check", check)
    run_plan(rows_of([weights]), source(walk(2)), tmp_path / "run")
    assert built == 2 * [("flow:raft-small", files[1], False)]


def test_a_network_whose_file_is_gone_fails_and_is_not_run_untrained(files, tmp_path):
    (weights,) = read_flow_weights({"flow:raft-small": files[0]})
    gone = replace(weights, path=tmp_path / "gone.pth")
    outcome = run_plan(rows_of([gone]), source(walk(2)), tmp_path / "run")
    assert outcome.exit_code == 3
    assert [len(cell.failures) for cell in outcome.cells] == [0, 1, 1]
    assert "no such weights file" in outcome.cells[1].failures[(0, 0)].reason


def test_networks_use_one_thread_and_others_do_not_import_torch():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread(networks=True):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        with one_thread(networks=False):
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_torch_is_imported_only_where_a_network_runs(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from helpers.small_runs import source, walk\n"
        "from mapt_bench.experiments import ablation_plan, run_experiment\n"
        "run_experiment(ablation_plan(), source(walk(3)), Path(sys.argv[1]))\n"
        "assert 'torch' not in sys.modules"
    )
    tests = Path(__file__).parents[1]
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "run")],
        check=True,
        env={**os.environ, "PYTHONPATH": str(tests)},
    )
