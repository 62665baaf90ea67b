import re

import pytest
from helpers.results import interval, run, summary_row

from mapt_bench.errors import ConfigError
from mapt_bench.reports._run_tables import run_tables, stress_tables
from mapt_bench.reports._stress_plots import plot_levels, spread, write_stress_plots
from mapt_bench.reports._stress_tables import failure_table, fusion_table
from mapt_bench.reports.link_tables import group_table
from mapt_bench.reports.plot_style import COPY, ORACLE, line_marks
from mapt_bench.reports.table_formats import write_table_folder

LABELS = ("copy", "both", "both:appearance-first", "both:simultaneous", "oracle")


def rate(name, hits, n, *, returns=(0, 0)):
    def share(of, out_of):
        return {
            "hits": of,
            "n": out_of,
            "share": of / out_of if out_of else None,
            "interval": interval(0.1, 0.9) if out_of else {"n": 9, "reason": "undefined"},
        }

    return {"bin": name, **share(hits, n), "returns": share(*returns)}


def stress_run(*, stressors=("bars", "passing"), occluder="void", motion=False):
    """A stress test of five trackers at levels 0, 1 and 3."""
    summary = [
        summary_row(
            variant,
            0.9 - 0.1 * at - 0.05 * level,
            0.8 - 0.1 * at,
            "reference" if variant in ("copy", "oracle") else "heads",
            stress={"stressor": name, "level": level, "value": level * 10 or None},
        )
        for name in stressors
        for level in (0, 1, 3)
        for at, variant in enumerate(LABELS)
    ]
    names = [*stressors, "all"] if len(stressors) > 1 else list(stressors)
    entries = [
        {"variant": variant, "label": variant, "group": "heads", "stressor": name}
        for name in names
        for variant in LABELS
    ]
    seen = [rate("hidden", 1, 4), rate("0-10 %", 0, 0), rate("over 95 %", 30, 40)]
    gaps = [rate("0", 35, 40), rate("1", 1, 4, returns=(1, 2)), rate("2", 0, 0)]
    breaks = {
        "over_size": {
            "value": 0.5,
            "reason": None,
            "interval": interval(0.4, 0.7),
            "n": 44,
            "measured_to": 2.0,
        }
    }
    breaks["pixels"] = {**breaks["over_size"], "value": 12.0, "interval": interval(9.0, 15.0)}
    beyond = {
        **breaks["over_size"],
        "value": None,
        "reason": "half or more are kept at every displacement",
        "interval": {"n": 9, "reason": "the score is undefined"},
    }
    never = {"over_size": beyond, "pixels": beyond}
    bins = [rate("0-0.05", 30, 30), rate("over 3.2", 4, 14)]
    changes = {
        "break_points": [
            {**entry, **(never if entry["variant"] == "oracle" else breaks), "bins": bins}
            for entry in entries
            if entry["stressor"] != "all"
        ]
    }
    return run(
        experiment="stress-occlusion",
        summary=summary,
        claims=[],
        stressors=[
            {
                "name": name,
                "kind": "occlusion",
                "summary": "things that hide",
                "unit": "%",
                "meaning": "share that is hidden",
                "levels": {"1": 10, "3": 30},
                "occluder": occluder,
            }
            for name in stressors
        ],
        visibility=[{**entry, "bins": seen} for entry in entries],
        recoveries=[{**entry, "bins": gaps} for entry in entries],
        **(changes if motion else {}),
    )


def tables_by_title(result):
    return {table.title: table for table in stress_tables(result)}


def test_each_stressor_has_its_scores_by_level():
    tables = tables_by_title(stress_run())
    table = tables["passing: PAT, TQ and STQ by level"]
    assert [column.name for column in table.columns] == [
        "variant",
        *(f"{score} {level}" for score in ("PAT", "TQ", "STQ") for level in (0, 1, 3)),
    ]
    assert table.texts()[1][:4] == ["both", "80.00", "75.00", "65.00"]
    assert "bars: IDSW and Frag by level" in tables
    # Copying is best here, but it is a reference.
    assert (1, 1) in table.best_cells()
    assert (0, 1) not in table.best_cells()


@pytest.mark.parametrize(
    ("occluder", "words"),
    [("void", "STQ penalises void"), ("wall", "truth, as wall")],
)
def test_what_the_truth_says_of_what_hides_is_told(occluder, words):
    tables = tables_by_title(stress_run(occluder=occluder))
    assert any(words in note for note in tables["bars: PAT, TQ and STQ by level"].footnotes)


def test_orders_of_fusion_are_crossed_with_levels():
    table = fusion_table(stress_run(), "PAT")
    assert [column.name for column in table.columns] == [
        *("order", "none", "bars 1", "bars 3", "passing 1", "passing 3"),
    ]
    assert [row[0] for row in table.rows] == ["both", "both:appearance-first", "both:simultaneous"]
    few = stress_run()
    few["summary"] = [row for row in few["summary"] if row["variant"] != "both:simultaneous"]
    assert not any("fusion" in title for title in tables_by_title(few))


def test_the_files_of_the_fusion_orders_have_percent_and_counts(tmp_path):
    result = stress_run()
    for row in result["summary"]:
        row["scores"] |= {"PAT": 0.5, "IDSW": 44}
    write_table_folder(run_tables(result), tmp_path)
    percent, counts = (
        (tmp_path / f"fusion_{score}.csv").read_text().splitlines() for score in ("PAT", "IDSW")
    )
    assert percent[0].endswith("order,none (%),bars 1 (%),bars 3 (%),passing 1 (%),passing 3 (%)")
    assert percent[1].endswith("both,50.0,50.0,50.0,50.0,50.0")
    assert counts[0].endswith("order,none,bars 1,bars 3,passing 1,passing 3")
    assert counts[1].endswith("both,44,44,44,44,44")


def test_rates_leave_empty_ranges_out_and_count_the_rest():
    table = tables_by_title(stress_run())["Association accuracy by visible fraction"]
    assert [column.name for column in table.columns] == ["variant", "hidden", "over 95 %"]
    assert table.texts()[0] == ["copy", "25.00", "75.00"]
    assert "Links: hidden: 4; over 95 %: 40." in table.footnotes[1]
    assert len(table.rows) == len(LABELS)  # pooled over both stressors, once


def test_precision_stands_beside_its_own_counts():
    table = tables_by_title(stress_run())["Recovery precision by absence in frames"]
    assert [column.name for column in table.columns] == ["variant", "1", "n"]
    assert table.texts()[0] == ["copy", "50.00", "2"]
    none = stress_run(stressors=("bars",))
    for entry in none["recoveries"]:
        entry["bins"] = [rate("0", 1, 1)]
    assert "Recovery precision by absence in frames" not in tables_by_title(none)


def test_break_points_have_intervals_or_reasons():
    table = tables_by_title(stress_run(motion=True))["Break points"]
    rows = {(row[0], row[1]): texts for row, texts in zip(table.rows, table.texts(), strict=True)}
    assert rows["bars", "both"][2:6] == ["0.50", "[0.40, 0.70]", "12.00", "[9.00, 15.00]"]
    assert rows["bars", "oracle"][2:4] == ["–", "–"]  # noqa: RUF001
    assert any(
        "oracle (bars), oracle (passing): half or more are kept" in note for note in table.footnotes
    )


def test_the_reach_of_a_motion_head_stands_beside_its_break_point():
    result = stress_run(motion=True)
    result["motion_reach"] = [{"weights": "mapt-tiny", "pixels": 72.0}]
    for entry in result["break_points"]:
        if entry["variant"] == "both":
            entry["reach_px"] = 72.0
    table = tables_by_title(result)["Break points"]
    place = [column.name for column in table.columns].index("reach")
    reaches = {row[1]: texts[place] for row, texts in zip(table.rows, table.texts(), strict=True)}
    assert reaches["both"] == "72"
    assert reaches["oracle"] == "–"  # noqa: RUF001
    assert any(note.startswith("Reach: an image moves") for note in table.footnotes)


def test_a_break_point_that_is_no_limit_is_told():
    result = stress_run(motion=True)
    title = "Break points"
    assert not any("Rises" in note for note in tables_by_title(result)[title].footnotes)
    entry = next(each for each in result["break_points"] if each["variant"] == "both")
    entry["over_size"] = {**entry["over_size"], "rises_again": True}
    notes = tables_by_title(result)[title].footnotes
    assert any(note.startswith("Rises again: both (bars) link at least half") for note in notes)


def test_frag_is_said_to_depend_on_segments():
    table = tables_by_title(stress_run())["bars: IDSW and Frag by level"]
    assert any("depends on the segments, not on linking" in note for note in table.footnotes)


def test_nothing_hidden_is_told():
    table = tables_by_title(stress_run(occluder=None))["bars: PAT, TQ and STQ by level"]
    assert any("No occlusion" in note for note in table.footnotes)


def test_groups_are_ordered_and_those_of_the_same_sequences_stand_once():
    members = {
        ("speed", "high"): ["c"],
        ("half", "hard"): ["b", "c"],
        ("kind", "crowd"): ["a", "c"],
        ("kind", "street"): ["b"],
        ("speed", "low"): ["b"],
        ("half", "real-like"): ["a"],
    }
    entries = [
        {"variant": "both", "label": "both", "factor": factor, "value": value, "n": 5, "share": 0.5}
        for factor, value in members
    ]
    groups = [
        {"factor": factor, "value": value, "sequences": names}
        for (factor, value), names in members.items()
    ]
    table = group_table(run(links_by_group=entries, groups=groups))
    assert [column.name for column in table.columns] == [
        *("variant", "realistic split", "hard split", "kind street", "kind crowd", "speed high"),
    ]
    assert "No column, because the sequences are those of kind street: speed low." in (
        table.footnotes
    )
    # A result that does not say which sequences a group has.
    assert len(group_table(run(links_by_group=entries)).columns) == 7


def recovered(hits, n):
    return {"hits": hits, "n": n, "share": hits / n if n else None, "interval": {}}


def failures_run():
    """A test of failures, whose values show row, stressor and level."""
    result = stress_run(stressors=("speed", "passing"))
    result["experiment"] = "stress-failures"
    for each in result["stressors"]:
        each["levels"] = {"3": 30}
    result["summary"] = [row for row in result["summary"] if row["stress"]["level"] != 1]
    for row in result["summary"]:
        is_hidden = row["stress"]["stressor"] == "passing" and row["stress"]["level"] == 3
        row["recovered"] = recovered(2, 8) if is_hidden else recovered(0, 0)
        row["switches"] = 10 * row["stress"]["level"]
    return result


def test_failures_are_one_table_with_a_column_for_each_score_and_signature():
    table = failure_table(failures_run())
    conditions = ("none", "rapid motion", "occlusion")
    assert [column.name for column in table.columns] == [
        "variant",
        *(
            f"{score} {each}"
            for score in ("PAT", "IDSW", "Frag", "recovered")
            for each in conditions
        ),
    ]
    rows = {texts[0]: texts[1:] for texts in table.texts()}
    dash = "–"  # noqa: RUF001
    assert rows["both"] == [
        *("80.00", "65.00", "65.00"),
        *("0", "30", "30"),
        *("2", "2", "2"),
        *(dash, dash, "25.00"),
    ]
    assert table.references == {0, 4}  # copying and the oracle
    notes = " ".join(table.footnotes)
    assert "rapid motion: speed at level 3, 30 %; occlusion: passing at level 3, 30 %" in notes
    assert "Reappearances: none 0; rapid motion 0; occlusion 8." in notes


def test_several_levels_of_failures_have_a_column_each():
    result = failures_run()
    result["stressors"][0]["levels"] = {"1": 10, "3": 30}
    table = failure_table(result)
    # Nothing ran at level 1, so its cells are undefined.
    assert [column.name for column in table.columns][1:5] == [
        *("PAT none", "PAT rapid motion 1", "PAT rapid motion 3", "PAT occlusion"),
    ]
    assert table.texts()[1][2] == "–"  # noqa: RUF001


def test_orders_of_mapt_have_a_table_whatever_their_memory():
    result = stress_run()
    named = {"both": "mapt:paper+memory", "copy": "mapt+memory=4"}
    for row in result["summary"]:
        name = row["variant"].replace("both:", "mapt:")
        row["variant"] = named.get(name, name)
    names = [row[0] for row in fusion_table(result, "IDSW").rows]
    assert names == [
        "mapt+memory=4",
        "mapt:paper+memory",
        *(f"mapt:{name}" for name in ("appearance-first", "simultaneous")),
    ]


def words_in(path):
    return re.findall(r"<!-- (.*?) -->", path.read_text(encoding="utf-8"))


def test_pictures_in_both_formats_equal_for_equal_results(tmp_path):
    found = [write_stress_plots(stress_run(motion=True), tmp_path / name) for name in "ab"]
    assert [path.name for path in found[0]] == [
        *("stress_levels.png", "stress_levels.svg", "stress_links.png", "stress_links.svg"),
        *("stress_break.png", "stress_break.svg"),
    ]
    for first, second in zip(*found, strict=True):
        assert first.read_bytes() == second.read_bytes()
    words = words_in(tmp_path / "a" / "stress_levels.svg")
    assert {"bars (as void)", "passing (as void)", "PAT (%)", "STQ (%)", "none"} <= set(words)
    assert words.count("both:simultaneous") == 2  # at the end of its line in each row of panels
    assert "not up to 2.00" in words_in(tmp_path / "a" / "stress_break.svg")
    # Of precision every range has its count too; here all trackers have the same.
    assert words_in(tmp_path / "a" / "stress_links.svg").count("n=2") == 1


def test_without_motion_there_are_no_break_points(tmp_path):
    names = {path.name for path in write_stress_plots(stress_run(), tmp_path)}
    assert "stress_break.png" not in names


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"\.pdf"):
        plot_levels(stress_run(), tmp_path / "x.pdf")


def test_a_tracker_looks_the_same_with_memory_but_for_the_dashes():
    rows = [
        {"variant": name, "label": name, "group": "heads"}
        for name in ("both+memory", "iou", "both", "mine")
    ]
    rows += [{"variant": name, "label": name, "group": "reference"} for name in ("copy", "oracle")]
    marks = line_marks(rows)
    assert marks["both"].colour == marks["both+memory"].colour
    assert marks["both"].dashes != marks["both+memory"].dashes
    assert len({(mark.colour, mark.dashes) for mark in marks.values()}) == len(marks)
    assert (marks["copy"], marks["oracle"]) == (COPY, ORACLE)
    assert line_marks(rows[:3])["both"] == marks["both"]  # whoever else is drawn


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([], []),
        ([5.0], [5.0]),
        ([2.0, 8.0], [2.0, 8.0]),
        ([8.0, 2.0], [8.0, 2.0]),
        ([5.0, 5.0, 5.0], [4.0, 5.0, 6.0]),
        ([0.0, 0.0], [0.0, 1.0]),  # at the lower limit
        ([10.0, 10.0], [9.0, 10.0]),  # at the upper one
        ([5.0, 5.5], [4.75, 5.75]),
    ],
)
def test_names_move_apart_just_far_enough(places, expected):
    assert spread(places, 1.0, 0.0, 10.0) == pytest.approx(expected)


def test_every_table_states_its_conditions():
    whole = stress_run()
    for row in whole["summary"]:
        is_copy = row["variant"] == "copy"
        row |= {"associator": row["variant"], "memory": 10 if row["variant"] == "both" else 0}
        row |= {"thresholds": "published" if is_copy else "tuned"}
    note = (
        "Thresholds: tuned; published for copy. Memory in frames: 0, 10 in rows named +memory. "
        "Pairing interval: 1."
    )
    tables = [table for table in stress_tables(whole) if table.title != "Not run"]
    assert all(note in table.footnotes for table in tables)


def test_whole_trackers_have_tables_of_their_own():
    whole = stress_run()
    for part in ("summary", "visibility", "recoveries"):
        for row in whole[part]:
            if row["variant"] == "both":
                row["segments"] = "own"
    tables = tables_by_title(whole)
    own = [title for title in tables if title.endswith("each tracker's own detections")]
    assert "bars: PAT, TQ and STQ by level, each tracker's own detections" in own
    for title, table in tables.items():
        names = [row[0] for row in table.rows]
        assert names == ["both"] if title in own else "both" not in names
