"""On the same segments a name means one result, whichever command runs it."""

import json
import sys
from dataclasses import replace

import click
import pytest
from click.testing import CliRunner

from mapt_bench.baselines.rows import parse_row
from mapt_bench.cli import main, track
from mapt_bench.cli.experiment_commands import ablate, stress, sweep_interval
from mapt_bench.data import KittiStepWriter
from mapt_bench.experiments import (
    ablation_plan,
    added_variant,
    interval_plan,
    run_experiment,
    stress_plan,
    suite_source,
)
from mapt_bench.synthetic.suites import open_suite

ROWS = ["copy", "sort", "bytetrack+memory", "both+memory"]
MINE = "one_name_module:Near+memory,reach=0.3"
CODE = """
import numpy as np
from mapt_bench.tracking import Association

class Near:
    needs_images = False
    def __init__(self, memory=0, reach=0.5):
        self.reach = reach
    def start(self, info):
        self.last, self.width = {}, info.width
    def associate(self, frame, segments):
        ids, last = [], {}
        for number in range(segments.count):
            _, columns = np.nonzero(segments.index_map == number)
            place = columns.mean() if len(columns) else -1e9
            near = min(self.last, key=lambda each: abs(self.last[each] - place), default=None)
            if near in last or near is None or abs(self.last[near] - place) > self.reach * 20:
                near = frame.index * 1000 + number + 1
            last[near] = place
            ids.append(near)
        self.last = last
        return Association(np.array(ids, dtype=np.int64))
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder with a tracker of the user, and the ground truth of the suite."""
    folder = tmp_path_factory.mktemp("one_name")
    (folder / "one_name_module.py").write_text(CODE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", [*sys.path])
        videos = open_suite("tiny").videos
        with KittiStepWriter(folder / "truth", videos[0].info.labels) as writer:
            for video in videos:
                for index, name in enumerate(video.info.frame_names):
                    writer.write(video.info.name, name, video.truth(index))
        yield folder
        sys.modules.pop("one_name_module", None)


def scores_of(plan, folder):
    """Scores of the rows of a plan on the videos as they are, by name."""
    cells = [
        cell
        for cell in plan.cells
        if cell.variant.name in (*ROWS, MINE)
        and (cell.drop, cell.pair, cell.stress) == (1, 1, None)
    ]
    reduced = replace(plan, cells=tuple(cells), series=(), sweeps=(), experiment="ablate")
    result = run_experiment(reduced, suite_source("tiny"), folder)
    return {cell["variant"]: cell["scores"] for cell in result["cells"]}


def evaluated(row, folder):
    """Scores of the maps that ``track`` writes, as ``evaluate`` gives them."""
    out = folder / "maps" / row.replace(":", "_")
    words = ["track", "--suite", "tiny", "--tracker", row, "--segments", "groundtruth"]
    tracked = CliRunner().invoke(main, [*words, "--out", str(out), "--json", "-"])
    assert tracked.exit_code == 0, tracked.output
    assert json.loads(tracked.stdout)["tracker"] == row
    scored = CliRunner().invoke(main, ["evaluate", str(folder / "truth"), str(out), "--json", "-"])
    assert scored.exit_code == 0, scored.output
    return json.loads(scored.stdout)["scores"]


def test_four_commands_give_one_result(here):
    added = (added_variant(parse_row(MINE)),)
    plans = {
        "ablate": ablation_plan(added=added, every_memory=True),
        "sweep": interval_plan(
            added=(*(added_variant(parse_row(row)) for row in ROWS), *added), pair=None
        ),
        "stress": stress_plan("image", added=added),
    }
    found = {name: scores_of(plan, here / name) for name, plan in plans.items()}
    for row in (*ROWS, MINE):
        expected = found["ablate"][row]
        assert found["sweep"][row] == found["stress"][row] == expected
        told = evaluated(row, here)
        assert {"PAT", "TQ", "STQ", "AQ", "HOTA", "IDSW"} <= set(told) & set(expected)
        assert {name: told[name] for name in expected if name in told} == {
            name: value for name, value in expected.items() if name in told
        }
    # Rows that mean different things do differ.
    assert len({json.dumps(scores) for scores in found["ablate"].values()}) > 3


@pytest.mark.parametrize("command", [ablate, stress, sweep_interval, track.command])
def test_every_command_has_the_same_thresholds_by_default(command):
    (option,) = [each for each in command.params if each.name == "thresholds"]
    assert option.default == "tuned"
    words = option.shell_complete(click.Context(command), "")
    assert [each.value for each in words if each.type == "plain"] == ["tuned", "published"]


@pytest.mark.parametrize("command", ["ablate", "sweep-interval", "stress"])
def test_every_experiment_takes_the_same_segments_and_rows(command):
    text = CliRunner().invoke(main, [command, "--help"]).stdout
    assert "mapt|groundtruth|noisy|NAME|FILE|DIR" in "".join(text.split())
    assert "--add" in text
    text = CliRunner().invoke(main, ["track", "--help"]).stdout
    assert "mapt|groundtruth|noisy|NAME|FILE|DIR" in "".join(text.split())
