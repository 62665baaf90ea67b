"""Frontiers: equal budgets, Pareto sets, what is shown of them, and wrong options."""

import json

import pytest
from click.testing import CliRunner
from helpers.annotated_scenes import AnnotatedScene
from helpers.commands import examples_of, write_two_walks
from helpers.scenes import Box, DrawnVideo, segments_of
from helpers.shipped_weights import empty_weights_folder
from helpers.small_runs import walk, write_videos
from helpers.tensorboard_logs import read_copy
from PIL import Image

from mapt_bench.baselines.choice import TrackerChoice
from mapt_bench.baselines.rows import parse_row
from mapt_bench.baselines.search_spaces import SEGMENTS_SPACE
from mapt_bench.cli import main
from mapt_bench.cli.frontier import command
from mapt_bench.errors import ConfigError
from mapt_bench.metrics.pareto import pareto_set
from mapt_bench.report.frontier import frontier_sections
from mapt_bench.reports.frontier_tables import frontier_sentences, frontier_tables
from mapt_bench.tracking.loop import run_tracker
from mapt_bench.tuning._tuned_rows import search_space
from mapt_bench.tuning.frontier_config import FrontierConfig
from mapt_bench.tuning.frontier_run import run_frontier

GIVEN = ("--data", "DATA", "--segments", "noisy", "--trials", "4")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("frontier")


def invoke(*words):
    return CliRunner().invoke(main, ["frontier", *words])


@pytest.fixture(scope="module")
def outcome(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        empty_weights_folder(patch, folder / "no weights")
        write_two_walks(folder, frames=5)
        words = ("--tracker", "iou", "--tracker", "sort", "--out", "run")
        return invoke(*GIVEN, *words)


@pytest.fixture(scope="module")
def result(outcome, folder):
    assert outcome.exit_code == 0, outcome.stderr
    return json.loads((folder / "run/results.json").read_text())


def test_every_tracker_has_as_many_settings(result):
    assert result["schema"] == "mapt-bench/frontier/1"
    assert [each["tracker"] for each in result["trackers"]] == ["iou", "sort"]
    for each in result["trackers"]:
        assert [trial["number"] for trial in each["trials"]] == [0, 1, 2, 3]
        space = {**search_space(each["tracker"]), **SEGMENTS_SPACE}
        assert "least_score" not in each["trials"][0]["settings"]
        for trial in each["trials"][1:]:
            assert set(trial["settings"]) == set(space)


def test_the_frontier_is_the_pareto_set(result):
    every = []
    for each in result["trackers"]:
        points = [(trial["scores"]["PAT"], trial["scores"]["STQ"]) for trial in each["trials"]]
        assert each["frontier"] == pareto_set(points)
        assert points[each["best_pat"]][0] == max(pat for pat, _ in points)
        assert points[each["best_stq"]][1] == max(stq for _, stq in points)
        assert each["is_near_both"] == (each["shortfall"] <= result["near"] == 0.002)
        every += points
    at = result["reference_point"]
    assert (at["PAT"], at["STQ"]) == (min(p for p, _ in every), min(s for _, s in every))
    assert result["joint"]["hypervolume"] >= max(e["hypervolume"] for e in result["trackers"])
    assert result["joint"]["nearest"]["tracker"] in ("iou", "sort")


def test_a_resumed_run_repeats_nothing_and_other_options_are_refused(result, folder, monkeypatch):
    monkeypatch.chdir(folder)
    cells = {path: path.stat().st_mtime_ns for path in (folder / "run/cells").rglob("*.json")}
    assert len(cells) == 2 * 4 * 2
    again = invoke(*GIVEN, "--tracker", "iou", "--tracker", "sort", "--out", "run", "--json", "-")
    assert again.exit_code == 0, again.stderr
    assert json.loads(again.stdout) == result
    assert {path: path.stat().st_mtime_ns for path in cells} == cells
    other = invoke(*GIVEN, "--tracker", "iou", "--out", "run")
    assert other.exit_code == 2


def test_the_answer_is_short_and_everything_is_written(outcome, result, folder):
    lines = outcome.stdout.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100
    assert lines[0] == "Frontiers of PAT against STQ on DATA, 4 settings of each tracker"
    names = {path.name for path in (folder / "run").iterdir()}
    assert {"frontier.png", "frontier.svg", "report.html", "tables"} <= names
    tables = {path.name for path in (folder / "run/tables").glob("*.csv")}
    assert tables == {"frontier.csv", "frontier_settings.csv", "frontier_trials.csv"}
    page = (folder / "run/report.html").read_text()
    assert "Frontier of PAT against STQ" in page
    assert "This page shows which" in page
    (summary, _) = frontier_sections(result)
    (chart,) = summary.blocks[0].charts
    assert "iou" in chart.description
    assert "sort" in chart.description
    for _, drawing in chart.drawings:
        assert {"iou", "sort"} <= {word for s in drawing.shapes for word in s.text.split(", ")}
    lines = [s for s in chart.wide.shapes if "stroke line" in s.attributes.get("class", "")]
    assert len(lines) == sum(len(each["frontier"]) > 1 for each in result["trackers"])


def test_tables_and_sentences_say_what_is_near_both(result):
    first, settings, trials = frontier_tables(result)
    assert {row[0] for row in first.rows} == {"iou", "sort"}
    assert len(trials.rows) == 8
    assert len(settings.rows) == sum(len(each["frontier"]) for each in result["trackers"])
    far = json.loads(json.dumps(result))
    for each in far["trackers"]:
        each["is_near_both"] = False
    assert frontier_sentences(far)[0].startswith("0 of 2 trackers have a setting within 0.2")
    ends = {"low": 0.01, "high": 0.02, "level": 0.95}
    entry = {"difference": 0.015, "interval": ends, "p_adjusted": 0.01}
    far["trackers"][0]["difference"] = {"scores": {"PAT": entry, "STQ": entry}}
    assert frontier_sentences(far)[-1].endswith("established in both scores: iou.")
    far["trackers"][0]["difference"]["scores"]["PAT"] = {**entry, "p_adjusted": 0.2}
    assert frontier_sentences(far)[-1].startswith("No tracker has ends")


def test_ends_without_intervals_are_not_tested_and_the_reason_is_given(result):
    few = json.loads(json.dumps(result))
    reason = "4 sequences; an interval needs at least 5"
    entry = {"difference": 0.015, "interval": {"n": 4, "reason": reason}, "p_adjusted": 0.6}
    for each in few["trackers"]:
        each["difference"] = {"scores": {"PAT": entry, "STQ": entry}}
    expected = f"Whether the two ends of a frontier differ is not tested: {reason}."
    assert frontier_sentences(few)[-1] == expected


def test_the_nearest_setting_is_described_by_its_distance_to_each_maximum(result):
    sentence = frontier_sentences(result)[1]
    joint = result["joint"]
    trials = {each["tracker"]: each["trials"] for each in result["trackers"]}

    def at(end, score):
        return trials[joint[end]["tracker"]][joint[end]["number"]]["scores"][score]

    for end, score in (("best_pat", "PAT"), ("best_stq", "STQ")):
        gap = 100 * (at(end, score) - at("nearest", score))
        assert f"{gap:.2f} points below the best {score}" in sentence


def test_important_columns_come_first(result):
    names = [column.name for column in frontier_tables(result)[0].columns]
    assert names[:3] == ["tracker", "near both", "best PAT"]
    assert names[-2:] == ["area", "points"]


def test_a_sequence_that_is_too_short_is_left_out_and_named(tmp_path):
    write_videos(tmp_path / "DATA", walk(5, name="a"), walk(1, name="short"))
    given = {"data": tmp_path / "DATA", "segments": "noisy", "trackers": ("iou",), "trials": 2}
    result = run_frontier(FrontierConfig(**given, weights="none", out=tmp_path / "run"))
    reason = "pair 1 needs 2 frames, the sequence has 1"
    assert result["skipped"] == [{"tracker": "all", "reason": reason, "sequence": "short"}]
    note = f"Sequences left out: short ({reason})."
    assert frontier_tables(result)[0].footnotes[-1] == note


def test_a_frontier_is_logged(folder, outcome, result, monkeypatch):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    monkeypatch.chdir(folder)
    words = ("--tracker", "iou", "--tracker", "sort", "--out", "run", "--no-report")
    done = invoke(*GIVEN, *words, "--log-to", "tensorboard=logs")
    assert done.exit_code == 0, done.stderr
    scores, pictures = read_copy(folder / "logs/run")
    assert scores["iou/area"] == pytest.approx(result["trackers"][0]["hypervolume"], rel=1e-5)
    assert {"iou/best PAT", "sort/best STQ"} <= set(scores)
    assert "plots/frontier" in pictures


def test_a_device_that_is_not_there_is_refused(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    words = ("--tracker", "iou", "--out", "other", "--device", "cuda:7", "--batch", "2")
    done = invoke(*GIVEN, *words)
    assert done.exit_code == 2
    assert "device 'cuda:7' cannot be used" in done.stderr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trials": 1}, "1 settings of each tracker; expected 2 or more"),
        ({"memory": 0}, "memory is 0"),
        ({"add": ("sort",)}, "a frontier has no rows; omit add, and name every tracker"),
        ({"only": ("sort",), "losses": ("sort",)}, "a frontier has no rows; omit only, losses,"),
    ],
)
def test_wrong_options_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        FrontierConfig(**changes)


def test_wrong_names_are_refused():
    for words, message in (
        (("--tracker", "srot"), "did you mean 'sort'"),
        (("--tracker", "oracle"), "nothing to tune"),
        (("--suite", "tiny", "--trained", "nothing"), "--trained"),
    ):
        refused = invoke(*words)
        assert refused.exit_code == 2, words
        assert message in refused.stderr


def test_the_examples_of_the_help_are_accepted():
    for words in examples_of(command):
        assert words[:2] == ["mapt-bench", "frontier"]
        parsed = command.make_context("frontier", words[2:])
        assert parsed.params["trials"] >= 2


def test_other_networks_add_points_on_their_own_detections(mapt_files, tmp_path):
    video = AnnotatedScene([[Box(1, 10 + 5 * t), Box(2, 70 - 2 * t, y=30)] for t in range(3)])
    write_videos(tmp_path / "DATA", video)
    for index in range(3):
        path = tmp_path / "DATA/images/val" / video.info.name / f"{index:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(video.image(index)).save(path)
    network = mapt_files / "mapt-tiny.safetensors"
    words = ("--data", tmp_path / "DATA", "--dataset", "kitti-step", "--segments", "mapt")
    words += ("--weights", network, "--trained", f"twin={network}", "--trials", "2", "--no-report")
    words += ("--tracker", "mapt:paper", "--tracker", "iou", "--out", tmp_path / "run")
    outcome = invoke(*map(str, words))
    assert outcome.exit_code == 0, outcome.stderr
    found = json.loads((tmp_path / "run/results.json").read_text())["trackers"]
    names = [(each["tracker"], each["segments"]) for each in found]
    assert names == [
        ("mapt:paper", "mapt-tiny"),
        ("iou", "mapt-tiny"),
        ("mapt:paper,weights=twin", "twin"),
    ]
    first, _, twin = found
    assert [each["scores"] for each in twin["trials"]] == [
        each["scores"] for each in first["trials"]
    ]


class _Scored:
    """A segmenter with scores."""

    needs_images = False

    def __init__(self, scene):
        self.scene = scene

    def start(self, info):
        pass

    def segment(self, frame):
        return segments_of(self.scene[frame.index])


def test_segments_below_the_least_score_are_void():
    scene = [[Box(1, x=10, score=0.9), Box(2, x=50, score=0.4)] for _ in range(2)]
    video = DrawnVideo(scene)

    def codes(row):
        tracker = TrackerChoice(parse_row(row)).build(video, _Scored(scene))
        return [set(each.codes.ravel() >> 24) for each in run_tracker(tracker, video)]

    everything, part = codes("iou"), codes("iou,least_score=0.5")
    assert everything == [{0, 13}] * 2
    assert part == [{0, 13, 255}] * 2
    with pytest.raises(ConfigError, match="least_score is 2"):
        parse_row("iou,least_score=2")
