import json
from dataclasses import replace
from itertools import groupby, pairwise

import pytest
from helpers.annotated_scenes import AnnotatedScene
from helpers.scenes import CAR, PERSON, Box
from helpers.small_runs import COPY, MOTION, ORACLE, plan, source, walk

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.experiments import (
    Cell,
    SegmentSource,
    run_experiment,
    run_plan,
    stress_plan,
)
from mapt_bench.experiments.engine.schedule import schedule_plan
from mapt_bench.experiments.plans.plan import Series
from mapt_bench.stress import Stress
from mapt_bench.synthetic.video import WorldVideo
from mapt_bench.synthetic.world_settings import WorldSettings
from mapt_bench.workers import Processes


def stress_of(kind, *stressors, levels=(1, 3), variants=(COPY, ORACLE), seed=0):
    """A stress test of a few variants."""
    whole = stress_plan(kind, stressors=stressors, levels=levels, seed=seed)
    series = whole.series
    cells = {
        each.cell(variant, stress): None
        for each in series
        for stress in (None, *each.stresses)
        for variant in variants
    }
    return replace(whole, variants=variants, cells=tuple(cells))


def known_source(count=2, frames=12):
    scenes = [walk(frames, speed=1 + at % 2).scene for at in range(count)]
    return source(*(AnnotatedScene(scene, name=f"known{at}") for at, scene in enumerate(scenes)))


def test_units_that_share_the_frames_of_a_video_are_consecutive():
    stresses = (None, Stress("bars", 2), Stress("bars", 2, seed=1), Stress("poles", 1))
    cells = tuple(Cell(row, stress=stress) for row in (COPY, ORACLE) for stress in stresses)
    units = schedule_plan(plan(COPY, ORACLE, cells=cells), known_source(), seed=0).units()
    videos = [(unit.sequence, unit.stress) for unit in units]
    assert [video for video, _ in groupby(videos)] == [*dict.fromkeys(videos)]
    assert len(set(videos)) == len({unit.stressed_video for unit in units}) == 8


def test_segments_of_a_stressed_video_are_found_once_and_apart(tmp_path):
    outcome = run_plan(stress_of("occlusion", "bars"), source(walk(6, name="a")), tmp_path / "run")
    assert outcome.exit_code == 0
    assert outcome.computed == 6
    archives = sorted((tmp_path / "run" / "segments").rglob("*.npz"))
    places = [
        path.relative_to(tmp_path / "run" / "segments" / "groundtruth").as_posix()
        for path in archives
    ]
    assert places == ["0000-a.npz", "bars-1/0000-a.npz", "bars-3/0000-a.npz"]
    again = run_plan(stress_of("occlusion", "bars"), source(walk(6, name="a")), tmp_path / "run")
    assert again.computed == 0


def test_more_hidden_means_fewer_sightings(tmp_path):
    outcome = run_plan(
        stress_of("occlusion", "bars", levels=(1, 5)), source(walk(20)), tmp_path / "run"
    )
    oracle = [cell for cell in outcome.cells if cell.cell.variant == ORACLE]
    links = [len(cell.links().links) for cell in oracle]
    assert links[0] > links[-1] > 0
    # The segments are what can be seen: nobody finds what is hidden.
    assert [cell.links().count()["missed"] for cell in oracle] == [0, 0, 0]


def test_visible_fractions_stand_with_the_links(tmp_path):
    outcome = run_plan(
        stress_of("occlusion", "bars", levels=(3,)), known_source(), tmp_path / "run"
    )
    free, barred = (cell.links().links for cell in outcome.cells if cell.cell.variant == ORACLE)
    assert (free["visible_least"] == 1).all()
    seen = barred["visible_least"]
    assert ((seen >= 0) & (seen <= 1)).all()
    assert (seen < 1).any()
    assert (seen <= barred["visible_before"]).all()
    assert (seen <= barred["visible_now"]).all()


def test_changed_images_are_no_new_work_for_who_does_not_read_them(tmp_path):
    outcome = run_plan(
        stress_of("image", "noise", variants=(COPY, MOTION)), source(walk(5)), tmp_path / "run"
    )
    keys = {(cell.cell.variant.name, cell.cell.stress): cell.key for cell in outcome.cells}
    mild, strong = Stress("noise", 1), Stress("noise", 3)
    assert keys["copy", None] == keys["copy", mild] == keys["copy", strong]
    assert len({keys["motion", each] for each in (None, mild, strong)}) == 3
    assert outcome.computed == 1 + 3
    assert not (tmp_path / "run" / "segments" / "groundtruth" / "noise-1").exists()


def test_level_0_stands_first_in_every_stressor(tmp_path):
    result = run_experiment(
        stress_of("occlusion", "bars", "poles", levels=(2,)), source(walk(6)), tmp_path / "run"
    )
    conditions = [
        (row["stress"]["stressor"], row["stress"]["level"], row["variant"])
        for row in result["summary"]
    ]
    assert conditions == [
        (stressor, level, variant)
        for stressor in ("bars", "poles")
        for level in (0, 2)
        for variant in ("copy", "oracle")
    ]
    values = {row["stress"]["level"]: row["stress"]["value"] for row in result["summary"]}
    assert values == {0: None, 2: 8}  # of the last stressor
    first = [row["cell"] for row in result["summary"] if row["stress"]["level"] == 0]
    assert first[:2] == first[2:]
    assert all(row["differences"] is None for row in result["summary"])


def test_a_result_tells_what_was_done_and_what_the_truth_says(tmp_path):
    result = run_experiment(
        stress_of("occlusion", "bars", levels=(2,)), source(walk(6)), tmp_path / "run"
    )
    (stressor,) = result["stressors"]
    assert stressor["name"] == "bars"
    assert stressor["levels"] == {"2": 25}
    assert stressor["occluder"] == "void"
    assert {json.dumps(cell["stress"]) for cell in result["cells"]} == {
        '{"drop": 1}',
        '{"drop": 1, "name": "bars", "level": 2, "value": 25}',
    }
    known = run_experiment(
        stress_of("occlusion", "bars", levels=(2,)), known_source(), tmp_path / "known"
    )
    assert known["stressors"][0]["occluder"] not in (None, "void")
    assert "break_points" not in known
    assert "links_by_group" not in known


def test_links_are_pooled_over_levels_and_over_stressors(tmp_path):
    result = run_experiment(
        stress_of("occlusion", "bars", "poles", levels=(1, 2)), known_source(), tmp_path / "run"
    )
    links = {cell["key"]: sum(list(cell["links"].values())[:5]) for cell in result["cells"]}
    oracle = [cell for cell in result["cells"] if cell["variant"] == "oracle"]
    found = {
        entry["stressor"]: sum(rate["n"] for rate in entry["bins"])
        for entry in result["recoveries"]
        if entry["variant"] == "oracle"
    }
    assert set(found) == {"bars", "poles", "all"}
    free = links[oracle[0]["key"]]  # no stress: in both series, and once in all
    assert found["all"] == sum(links[cell["key"]] for cell in oracle)
    assert found["bars"] + found["poles"] == found["all"] + free


def test_motion_has_a_break_point_for_each_tracker_and_stressor(tmp_path):
    result = run_experiment(
        stress_of("motion", "drop", levels=(1,)),
        source(walk(12), walk(12, name="b")),
        tmp_path / "r",
    )
    places = [(entry["variant"], entry["stressor"]) for entry in result["break_points"]]
    assert places == [("copy", "drop"), ("oracle", "drop")]
    oracle = result["break_points"][1]["over_size"]
    assert oracle["value"] is None
    assert oracle["reason"] == "half or more are kept at every displacement"
    # 2 x (2 tracks x 11 links) without stress, and in each of two phases 2 tracks x 5 links.
    assert oracle["n"] == 2 * (2 * 11 + 2 * 2 * 5)


def test_world_stressors_are_skipped_on_other_data(tmp_path):
    outcome = run_plan(stress_of("motion", "drop", "speed"), source(walk(12)), tmp_path / "run")
    assert [skip.to_dict() for skip in outcome.skipped] == [
        {
            "tracker": "stressor speed",
            "reason": "needs synthetic videos, which it generates with other settings",
        }
    ]
    assert [each.stressor for each in outcome.series] == ["drop"]


def test_images_are_not_changed_where_there_are_none(tmp_path):
    blind = source(walk(6, with_images=False))
    outcome = run_plan(stress_of("motion", "shake", "blur"), blind, tmp_path / "run")
    (skip,) = outcome.skipped
    assert skip.tracker == "stressor blur"
    assert "changes only images" in skip.reason
    assert [each.stressor for each in outcome.series] == ["shake"]
    # The videos as they are, alone, are no stress test.
    with pytest.raises(DataError, match="changes only images"):
        run_plan(stress_of("similarity", "washed"), blind, tmp_path / "other")


def test_too_short_sequences_are_skipped_with_the_level(tmp_path):
    both = source(walk(6, name="short"), walk(9, name="long"))
    outcome = run_plan(stress_of("occlusion", "passing", levels=(3,)), both, tmp_path / "run")
    assert [skip.to_dict() for skip in outcome.skipped] == [
        {
            "tracker": "all",
            "reason": "passing at level 3 needs 9 frames, the sequence has 6",
            "sequence": "short",
        }
    ]
    assert [len(cell.units) for cell in outcome.cells] == [2, 2, 1, 1]


def test_the_first_sequence_may_be_too_short(tmp_path):
    both = source(walk(6, name="short"), walk(9, name="long"))
    result = run_experiment(stress_of("occlusion", "passing", levels=(3,)), both, tmp_path / "run")
    assert (tmp_path / "run" / "results.json").is_file()
    assert [skip["sequence"] for skip in result["skipped"]] == ["short"]
    assert result["stressors"][0]["occluder"] == "void"


def test_what_hides_is_told_of_all_sequences(tmp_path):
    def standing(class_id, name):
        scene = [[Box(1, 20, class_id=class_id), Box(2, 60, class_id=class_id)] for _ in range(6)]
        return AnnotatedScene(scene, name=name)

    def occluder(*videos):
        result = run_experiment(
            stress_of("occlusion", "pasted", levels=(1,), variants=(COPY,)),
            source(*videos),
            tmp_path / videos[0].info.name,
        )
        return result["stressors"][0]["occluder"]

    cars, people = standing(CAR, "cars"), standing(PERSON, "people")
    assert occluder(cars, people) == "car, person"
    # Nobody is seen long enough to be hidden for a while.
    assert occluder(AnnotatedScene([[Box(1, 20)], []], name="nobody")) is None


def test_worlds_too_fast_to_be_drawn_are_skipped_before_work_begins(tmp_path):
    worlds = [
        WorldVideo(
            WorldSettings(
                kind="crowd", seed=3, frames=4, height=96, width=160, objects=3, speed=speed
            ),
            name,
        )
        for name, speed in (("fast", 2.5), ("slow", 1.0))
    ]
    plan_of_speed = stress_of("motion", "speed", levels=(1, 5), variants=(COPY,))
    result = run_experiment(plan_of_speed, source(*worlds), tmp_path / "run")
    (skip,) = result["skipped"]
    assert skip["sequence"] == "fast"
    assert "level 5 of 'speed'" in skip["reason"]
    assert "15.0 is out of range" in skip["reason"]
    counts = {row["stress"]["level"]: row["n_sequences"] for row in result["summary"]}
    assert counts == {0: 2, 1: 2, 5: 1}


def test_saved_predictions_do_not_know_the_stress(tmp_path):
    saved = source(walk(6), segments=(SegmentSource(saved=()),))
    with pytest.raises(ConfigError, match="do not fit the stressor 'bars'"):
        run_plan(stress_of("occlusion", "bars"), saved, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_nothing_to_run_is_told(tmp_path):
    only = plan(
        COPY,
        cells=(Cell(COPY, stress=Stress("speed", 1)),),
        series=(Series("speed", (Stress("speed", 1),)),),
    )
    with pytest.raises(DataError, match="needs synthetic videos"):
        run_plan(only, source(walk(6)), tmp_path / "run")


def test_another_stress_is_another_run(tmp_path):
    run_plan(stress_of("occlusion", "bars", levels=(1,)), source(walk(6)), tmp_path / "run")
    with pytest.raises(ConfigError, match="differs in series"):
        run_plan(stress_of("occlusion", "bars", levels=(2,)), source(walk(6)), tmp_path / "run")


def test_two_workers_find_what_one_finds(tmp_path):
    results = []
    for jobs in (1, 2):
        result = run_experiment(
            stress_of("occlusion", "bars", "passing", levels=(1,)),
            known_source(5),
            tmp_path / str(jobs),
            workers=Processes(jobs),
        )
        for entry in (*result["cells"], *result["summary"]):
            entry["cost"] = None
        result["provenance"] = None
        results.append(json.dumps(result))
    assert results[0] == results[1]


def test_a_tracker_that_links_everything_outlasts_one_that_links_nothing(tmp_path):
    result = run_experiment(
        stress_of("occlusion", "passing", levels=(1,)), known_source(5, frames=16), tmp_path / "run"
    )
    kept = {
        entry["variant"]: {rate["bin"]: rate for rate in entry["bins"]}
        for entry in result["recoveries"]
    }
    gap = kept["oracle"]["1"]
    assert gap["n"] >= 5
    assert gap["share"] == 1
    assert gap["returns"]["share"] == 1
    assert gap["interval"]["low"] == gap["interval"]["high"] == 1
    assert kept["copy"]["1"]["share"] == 0
    assert kept["copy"]["1"]["returns"]["n"] == 0


def test_groups_of_videos_have_rates_of_their_own(tmp_path):
    groups = {
        "a": {"half": "hard", "kind": "street", "speed": "high", "gap": "low"},
        "b": {"half": "real-like", "kind": "street"},
    }
    result = run_experiment(plan(COPY, ORACLE), source(groups=groups), tmp_path / "run")
    entries = [entry for entry in result["links_by_group"] if entry["variant"] == "oracle"]
    assert [(entry["factor"], entry["value"], entry["n"]) for entry in entries] == [
        ("half", "hard", 10),
        ("kind", "street", 22),
        ("speed", "high", 10),
        ("gap", "low", 10),
        ("cell", "speed high, gap low", 10),
        ("half", "real-like", 12),
    ]
    assert all(entry["share"] == 1 for entry in entries)
    members = {(entry["factor"], entry["value"]): entry["sequences"] for entry in result["groups"]}
    assert members["kind", "street"] == ["a", "b"]
    assert members["half", "hard"] == members["speed", "high"] == ["a"]
    assert not run_experiment(plan(COPY), source(), tmp_path / "none").get("links_by_group")


def test_levels_of_a_series_rise():
    for kind in ("occlusion", "motion", "similarity", "image"):
        for series in stress_plan(kind, levels=(5, 2, 4)).series:
            assert all(a.level < b.level for a, b in pairwise(series.stresses))
