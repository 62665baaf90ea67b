"""The short answer: its tables, its sentences, and its lines on a terminal."""

import io
import re

import pytest
from helpers.results import evaluation, interval, run, summary_row, sweep
from rich.console import Console

from mapt_bench.errors import ConfigError, printable
from mapt_bench.reports.headline import Selection, evaluation_headline, run_headline
from mapt_bench.reports.tables import Column, Table
from mapt_bench.reports.terminal import print_all_tables, print_headline

HOSTILE = "a|b`c\"d'\n\x1b[31m<script>alert(1)</script>_"


def difference(points, low, high, p_adjusted, p_value=0.001):
    entry = {"difference": points, "interval": interval(low, high, n=24)}
    entry |= {"p_value": p_value, "p_adjusted": p_adjusted}
    return {"reference": "mapt+memory", "scores": {"PAT": entry}}


def row(name, pat, found=None, group="heads", segments="mapt-tiny", **changes):
    known = {"PAT": interval(pat - 0.01, pat + 0.01, n=24)}
    changes = {"n_sequences": 24, "intervals": known, "differences": found, **changes}
    return summary_row(name, pat, pat, group, segments=segments, **changes)


def ablation(*rows, segments=("mapt-tiny",), **changes):
    """An ablation with paired differences to mapt+memory, on each kind of segments."""
    rows = rows or (
        row("mapt+memory", 0.60),
        row("mapt:motion+memory", 0.586, difference(-0.014, -0.021, -0.006, 0.01)),
        row("sort+memory", 0.595, difference(-0.005, -0.012, 0.002, 1.0, 0.2)),
        row("bytetrack+memory", 0.59, difference(-0.010, -0.020, -0.002, 0.4, 0.01)),
        row("new", 0.62, difference(0.02, 0.01, 0.03, 0.02), "added"),
        row("oracle", 0.70, difference(0.10, 0.08, 0.12, 0.01), "reference"),
    )
    summary = [{**each, "segments": name} for name in segments for each in rows]
    protocol = {
        "label_space": "kitti-step",
        "reference": "mapt+memory",
        "segments_by_name": {"mapt-tiny": "detections of MAPT", "groundtruth": "ground truth"},
    }
    return run(summary=summary, protocol=protocol, **changes)


def lines_of(headline_of, width, monkeypatch, **words):
    monkeypatch.setenv("COLUMNS", str(width))
    stream = io.StringIO()
    print_headline(headline_of, "Run folder: run.", Console(file=stream), **words)
    return stream.getvalue().splitlines()


def test_best_rows_come_first_and_references_last():
    (table,) = run_headline(ablation()).tables
    assert [cells[0] for cells in table.rows] == [
        "new", "mapt+memory", "sort+memory", "bytetrack+memory", "mapt:motion+memory", "oracle",
    ]  # fmt: skip
    assert table.references == {5}
    assert table.title == "detections of MAPT"
    names = [column.name for column in table.columns]
    assert names == ["variant", "PAT", "95 % CI", "PQ", "TQ", "STQ", "IDSW", "ms/frame"]
    assert table.best_cells() == frozenset()  # sort+memory was not established to be worse


def test_the_best_is_marked_where_its_lead_over_every_row_is_established():
    rows = (
        row("mapt+memory", 0.60),
        row("mapt:motion+memory", 0.595, difference(-0.005, -0.006, -0.001, 0.01)),
        row("sort+memory", 0.58, difference(-0.02, -0.03, -0.01, 0.01)),
    )
    (table,) = run_headline(ablation(*rows)).tables  # the confidence intervals overlap
    assert table.best_cells() == {(0, 1)}
    assert table.unjudged_columns() == ["PQ", "TQ", "STQ", "IDSW", "ms/frame"]
    open_row = row("sort+memory", 0.58, difference(-0.02, -0.03, -0.01, 0.06))
    (table,) = run_headline(ablation(*rows[:2], open_row)).tables
    assert table.best_cells() == frozenset()


def sentences_of(result):
    return {each.place: each.sentences for each in run_headline(result).findings}


def test_each_sentence_has_one_fact():
    assert sentences_of(ablation()) == {
        "On detections of MAPT": (
            "new has the highest PAT, 62.00.",
            "The next is mapt+memory, 2.00 behind.",
            "This difference is established.",
            "mapt+memory beats mapt:motion+memory by 1.40 PAT [0.60, 2.10].",
            "mapt+memory trails new by 2.00 PAT [1.00, 3.00].",
            "No difference of mapt+memory from sort+memory and bytetrack+memory is established "
            "after correction.",
            "1 of these 2 would be established without the correction.",
            "The oracle leads mapt+memory by 10.00 PAT [8.00, 12.00].",
        )
    }


def test_a_lead_that_only_the_correction_makes_unclear_is_named_with_both_p_values():
    open_row = row("sort", 0.59, difference(-0.01, -0.02, -0.001, 0.127, 0.00049))
    (sentences,) = sentences_of(ablation(row("mapt+memory", 0.60), open_row)).values()
    assert sentences[2] == (
        "This difference is not established: p is 0.00049 for it alone, and 0.13 corrected for the "
        "other comparisons."
    )
    assert sentences[-1] == "It would be established without the correction."


def test_a_difference_needs_an_interval_without_zero_and_a_low_corrected_p():
    open_rows = (
        row("mapt+memory", 0.60),
        row("sort", 0.59, difference(-0.01, -0.02, 0.001, 0.01)),
        row("iou", 0.58, difference(-0.02, -0.03, -0.01, 0.051, 0.06)),
    )
    (sentences,) = sentences_of(ablation(*open_rows)).values()
    assert sentences[1:] == (
        "The next is sort, 1.00 behind.",
        "This difference is not established: it can be chance.",
        "No difference of mapt+memory from sort and iou is established after correction.",
    )


def test_a_lead_of_rows_that_were_not_compared_is_named_as_such():
    rows = [
        row("mapt+memory", 0.60),
        row("a", 0.70, difference(0.10, 0.05, 0.15, 0.01)),
        row("b", 0.65, difference(0.05, 0.01, 0.09, 0.01)),
    ]
    (sentences,) = sentences_of(ablation(*rows)).values()
    assert sentences[1:3] == (
        "The next is b, 5.00 behind.",
        "This difference was not tested: tests compare rows with mapt+memory.",
    )


def test_several_kinds_of_segments_have_a_table_and_findings_each():
    result = ablation(segments=("mapt-tiny", "groundtruth"))
    tables = run_headline(result).tables
    assert [table.title for table in tables] == ["detections of MAPT", "ground truth"]
    found = sentences_of(result)
    assert list(found) == ["On detections of MAPT", "On ground truth"]
    assert len(set(found.values())) == 1


def test_ground_truth_segments_have_a_short_name():
    rows = [row("a", 0.5, segments="groundtruth"), row("b", 0.6, segments="groundtruth")]
    long = {"groundtruth": "ground-truth segments without identities"}
    result = run(summary=rows, protocol={"segments_by_name": long})
    assert [table.title for table in run_headline(result).tables] == ["ground-truth segments"]


def test_published_trackers_come_before_weaker_baselines():
    published = ("sort", "bytetrack", "oc-sort", "deep-oc-sort", "bot-sort")
    own = ("mapt", "mapt:motion", "mapt:appearance", "mapt:paper", *published, "flow:dis")
    others = ("copy", "iou", "appearance", "motion", "both", "both:appearance-first")
    rows = [row(f"{name}+memory", 0.5 - i / 1000) for i, name in enumerate((*own, *others))]
    rows += [row(name, 0.4) for name in ("copy", "mapt", "mapt:motion", "mapt:appearance")]
    rows += [row(name, 0.9, group="reference") for name in ("unlinked", "oracle", "oracle:in-view")]
    (table,) = run_headline(ablation(*rows)).tables
    shown = [str(cells[0]) for cells in table.rows]
    assert set(shown[:10]) == {f"{name}+memory" for name in own}
    assert shown[10:] == ["unlinked", "oracle"]
    assert table.references == {10, 11}


def test_missing_intervals_take_one_sentence():
    few = {"PAT": {"n": 2, "reason": "2 sequences; an interval needs at least 5"}}
    rows = [summary_row(name, 0.5, 0.5, "heads", intervals=few) for name in ("a", "b", "c")]
    found = run_headline(run(summary=rows)).findings
    assert [each.text for each in found] == [
        "a and 2 other rows have the highest PAT, 50.00.",
        "No confidence intervals, so no difference is established: 2 sequences; an interval needs "
        "at least 5.",
    ]


def with_losses(entry, **points):
    kinds = {kind: {"share": {"PAT": value / 100}} for kind, value in points.items()}
    return {**entry, "losses": {"kinds": kinds}}


def test_one_sentence_says_what_costs_the_reference_most():
    rows = (
        with_losses(row("mapt+memory", 0.6), identity=2.1, missed=30, stuff=-1),
        with_losses(row("best", 0.7, difference(0.1, 0.05, 0.15, 0.01)), identity=29, missed=1),
        with_losses(row("oracle", 0.9, group="reference"), masks=10),
    )
    both = sentences_of(ablation(*rows, segments=("mapt-tiny", "groundtruth")))
    lost = [[line for line in lines if "loses most" in line] for lines in both.values()]
    whose = "Row mapt+memory, the reference of the comparisons, loses most points"
    assert lost == [[f"{whose} to missed objects: 30.00 PAT."]] * 2
    linking = "Wrong identities, the mistakes of linking, cost it 2.10."
    assert all(linking in lines for lines in both.values())


def test_the_share_of_linking_is_told_apart_from_the_gain_of_perfect_links():
    subject = with_losses(row("mapt+memory", 0.6), identity=6.15, masks=12)
    subject["losses"]["kinds"]["identity"]["gain"] = {"PAT": 0.0293}
    oracle = row("oracle", 0.63, difference(0.03, 0.02, 0.04, 0.01), "reference")
    (sentences,) = sentences_of(ablation(subject, oracle)).values()
    assert sentences[-1] == (
        "These 6.15 are a Shapley share, the mean gain over all orders of repairs: perfect links "
        "alone, with all other mistakes still there, would gain 2.93."
    )
    subject["losses"]["kinds"]["identity"]["gain"] = {"PAT": 0.0615}
    assert "Shapley" not in str(sentences_of(ablation(subject, oracle)))


def test_without_a_reference_the_sentence_is_on_the_best_row():
    rows = [
        with_losses(summary_row("a", 0.5, 0.5, "heads"), identity=1),
        with_losses(summary_row("b", 0.6, 0.5, "heads"), identity=3, stuff=4),
        with_losses(summary_row("c", 1.0, 1.0, "heads"), identity=0),
    ]
    (sentences,) = sentences_of(run(summary=rows[:2])).values()
    why = "the row with the highest PAT"
    assert f"Row b, {why}, loses most points to confused stuff: 4.00 PAT." in sentences
    (sentences,) = sentences_of(run(summary=rows[2:])).values()
    assert not any("loses" in line for line in sentences)


def test_an_evaluation_with_losses_says_what_costs_it_most():
    found = with_losses(evaluation("a"), identity=3, masks=2)
    (finding,) = evaluation_headline([found]).findings
    assert "Prediction a loses most points to wrong identities: 3.00 PAT." in finding.sentences


def many_rows(count=60):
    rows = [
        row(f"tracker-{at:02}", 0.3 + at / 1000, difference(-0.1, -0.2, -0.1, 0.01))
        for at in range(count)
    ]
    return [row("mapt+memory", 0.2), *rows, row("oracle", 0.9, group="reference")]


@pytest.mark.parametrize("width", [60, 80, 100, 200])
@pytest.mark.parametrize(
    "segments", [("mapt-tiny",), ("mapt-tiny", "groundtruth"), tuple("abcdef")]
)
def test_forty_lines_of_the_width_of_the_terminal(width, segments, monkeypatch):
    result = ablation(*many_rows(), segments=segments)
    lines = lines_of(lambda rows: run_headline(result, rows=rows), width, monkeypatch)
    assert len(lines) <= 40
    assert max(map(len, lines)) <= min(width, 100)
    assert any(line.startswith("mapt+memory") for line in lines)
    assert any(line.startswith("tracker-59") for line in lines)  # the best
    assert any(line.startswith("oracle") for line in lines)
    shown = sum(bool(re.match(r"(tracker-\d+|mapt\+memory|oracle) +\d", line)) for line in lines)
    total = 62 * len(segments)
    note = f"A selection: {shown} of {total} rows. Others may have a higher PAT."
    assert f"{note} All rows and all tables: --full." in " ".join(lines)


def test_columns_are_dropped_by_priority_and_never_wrapped(monkeypatch):
    result = ablation()
    wide, narrow = (
        lines_of(lambda rows: run_headline(result, rows=rows), width, monkeypatch)[2].split()
        for width in (100, 60)
    )
    assert wide == ["variant", "PAT", "95", "%", "CI", "PQ", "TQ", "STQ", "IDSW", "ms/frame"]
    assert narrow == ["variant", "PAT", "95", "%", "CI", "STQ", "IDSW"]


def test_the_best_is_marked_without_colour(monkeypatch):
    rows = (
        row("mapt+memory", 0.60),
        row("new", 0.62, difference(0.02, 0.01, 0.03, 0.02), "added"),
        row("oracle", 0.70, difference(0.10, 0.08, 0.12, 0.01), "reference"),
    )
    lines = lines_of(lambda most: run_headline(ablation(*rows), rows=most), 100, monkeypatch)
    (best,) = [line for line in lines if line.startswith("new")]
    assert "62.00*" in best
    assert not any("70.00*" in line for line in lines)  # the oracle
    assert lines[lines.index(next(x for x in lines if x.startswith("oracle"))) - 1] == ""


def test_a_sweep_has_a_table_for_each_kind_of_interval():
    headline = run_headline(sweep())
    (table,) = headline.tables
    assert [column.name for column in table.columns][1:] == ["drop 1", "drop 2", "drop 3", "drop 5"]
    assert headline.findings[0].sentences[:2] == (
        "From frame skip 1 to 5, copy loses most: 30.00 PAT.",
        "At frame skip 5, both has the highest PAT, 51.00.",
    )


def test_a_reference_above_the_best_row_of_a_sweep_is_named():
    result = sweep()
    for each in result["summary"]:
        if each["variant"] == "copy":
            each["group"] = "reference"
            each["scores"]["PAT"] += 0.4
    assert run_headline(result).findings[0].sentences[:3] == (
        "From frame skip 1 to 5, iou loses most among the rows that compete: 18.00 PAT.",
        "At frame skip 5, both has the highest PAT among the rows that compete, 51.00.",
        "The reference copy has 52.00.",
    )
    result["summary"] = [each for each in result["summary"] if each["variant"] != "iou"]
    assert run_headline(result).findings[0].sentences[0] == (
        "From frame skip 1 to 5, both loses 12.00 PAT."
    )


def test_rows_that_lose_the_same_share_a_sentence():
    result = sweep()
    for each in result["summary"]:
        each["scores"]["PAT"] = 0.5
    assert run_headline(result).findings[0].sentences[:2] == (
        "From frame skip 1 to 5, copy, iou and 1 other row lose the same: 0.00 PAT.",
        "At frame skip 5, copy, iou and 1 other row have the highest PAT, 50.00.",
    )
    rows = [
        {
            **summary_row(name, 1.0, 0.5, "heads", cell=f"{name}{level}"),
            "stress": {"stressor": "blur", "level": level, "value": None},
        }
        for name in ("iou", "sort")
        for level in (0, 5)
    ]
    headline = run_headline(run(summary=rows, stressors=[{"name": "blur"}]))
    assert headline.findings[0].sentences == (
        "blur at level 5 costs iou and sort the same: 0.00 PAT.",
    )


def test_the_terminal_says_what_rows_below_a_blank_line_are(monkeypatch):
    def notes_of(result, **options):
        short = lines_of(lambda rows: run_headline(result, rows=rows, **options), 100, monkeypatch)
        return short.count("Rows below a blank line are references. They do not compete.")

    assert notes_of(ablation(segments=("mapt-tiny", "groundtruth"))) == 1
    assert notes_of(ablation(), selection=Selection(rows=("oracle", "new"))) == 0
    assert notes_of(ablation(row("mapt+memory", 0.6), row("sort", 0.5))) == 0


def test_a_stress_test_shows_what_each_stressor_costs():
    rows = [
        {
            **summary_row(name, pat - loss * (level > 0), 0.5, "heads", cell=f"{name}{level}"),
            "stress": {"stressor": "bars", "level": level, "value": None},
        }
        for name, pat, loss in (("iou", 0.8, 0.3), ("mapt", 0.9, 0.1))
        for level in (0, 5)
    ]
    headline = run_headline(run(summary=rows, stressors=[{"name": "bars"}]))
    assert [column.name for column in headline.tables[0].columns] == ["variant", "none", "bars 5"]
    assert headline.findings[0].sentences == (
        "bars at level 5 costs mapt least: 10.00 PAT.",
        "It costs iou most: 30.00 PAT.",
    )


def test_a_row_that_failed_under_stress_costs_nothing():
    rows = [
        {
            **summary_row(name, pat, 0.5, "heads", cell=f"{name}{level}"),
            "stress": {"stressor": "bars", "level": level, "value": None},
        }
        for name, level, pat in (("iou", 0, 0.8), ("mapt", 0, 0.9), ("mapt", 3, 0.7))
    ]
    failed = {**rows[0], "stress": {**rows[0]["stress"], "level": 3}, "scores": {}}
    headline = run_headline(run(summary=[*rows, failed], stressors=[{"name": "bars"}]))
    assert headline.findings[0].sentences == ("bars at level 3 costs mapt 20.00 PAT.",)


def test_one_evaluation_says_what_limits_it():
    headline = evaluation_headline([evaluation("a", scores={"PAT": 0.48, "PQ": 0.6, "TQ": 0.4})])
    (finding,) = headline.findings
    assert finding.sentences[0] == (
        "PAT 48.00 is the harmonic mean of PQ 60.00 and TQ 40.00: tracking (TQ) limits it."
    )
    assert finding.sentences[-1] == (
        "No confidence intervals: 2 sequences; an interval needs at least 5."
    )


def test_evaluations_are_compared_with_the_first():
    found = difference(0.05, 0.01, 0.09, 0.01)
    other = evaluation("b", shift=0.05, differences=found, intervals={"PAT": interval(0.4, 0.6)})
    (finding,) = evaluation_headline([evaluation("a"), other]).findings
    assert finding.sentences == (
        "b has the highest PAT, 55.00.",
        "The next is a, 5.00 behind.",
        "a trails b by 5.00 PAT [1.00, 9.00].",
    )


def test_predictions_that_tie_have_no_lead():
    def sentences(*shifts):
        found = [evaluation(name, shift=shift) for name, shift in zip("abc", shifts, strict=False)]
        return evaluation_headline(found).findings[0].sentences[:2]

    assert sentences(0.1, 0.1)[0] == "a and b have the highest PAT, 60.00."
    assert sentences(0.1, 0.1, 0.1)[0] == "a and 2 other predictions have the highest PAT, 60.00."
    assert sentences(0.10006, 0.10004) == (
        "a has the highest PAT, 60.01.",
        "The next is b, less than 0.01 behind.",
    )


def test_sequences_with_the_same_score_have_no_extremes():
    assert "PAT is 50.00 on each sequence." in _sentences_of_sequences(0.5, 0.5)
    assert (
        "The lowest PAT of a sequence is 40.00 (s0), the highest 50.00 (s1 and 1 other)."
        in _sentences_of_sequences(0.4, 0.5, 0.5)
    )


def _sentences_of_sequences(*pats):
    found = evaluation("a", per_sequence={f"s{at}": {"PAT": pat} for at, pat in enumerate(pats)})
    return evaluation_headline([found]).findings[0].sentences


def test_missing_intervals_of_evaluations_are_explained_once(monkeypatch):
    few = {"PAT": {"n": 2, "reason": "2 sequences; an interval needs at least 5"}}
    found = [evaluation(name, intervals=few) for name in "abc"]
    lines = lines_of(lambda rows: evaluation_headline(found, rows=rows), 100, monkeypatch)
    assert " ".join(lines).count("No confidence intervals: 2 sequences;") == 1


def test_a_selection_decides_on_scores_and_rows():
    selection = Selection(scores=("STQ", "PAT"), rows=("oracle", "new"))
    (table,) = run_headline(ablation(), selection=selection).tables
    assert [column.name for column in table.columns] == ["variant", "STQ", "PAT", "95 % CI"]
    assert [cells[0] for cells in table.rows] == ["oracle", "new"]
    assert table.references == {0}
    with pytest.raises(ConfigError, match="unknown score 'STG'; did you mean 'STQ'"):
        Selection(scores=("STG",)).check_scores()
    with pytest.raises(ConfigError, match="unknown row 'orcle'; did you mean 'oracle'"):
        Selection(rows=("orcle",)).check_rows(["oracle", "copy"])


def test_what_was_not_run_names_shared_reasons():
    skips = [{"tracker": name, "reason": "no images"} for name in "ab"]
    skips += [{"tracker": "c", "reason": "no weights"}]
    assert run_headline(run(skipped=skips)).skipped == (
        "Not run: a, b (no images); c (reasons: tables/skipped.csv).",
    )
    assert run_headline(run(skipped=[])).skipped == ()


def test_hostile_names_are_text_on_the_terminal(monkeypatch):
    rows = (row("mapt+memory", 0.6), row(HOSTILE, 0.5, difference(-0.1, -0.2, -0.1, 0.01)))
    skips = [{"tracker": HOSTILE, "reason": HOSTILE}]
    result = ablation(*rows, skipped=skips)
    text = "\n".join(lines_of(lambda rows: run_headline(result, rows=rows), 100, monkeypatch))
    assert "\x1b" not in text
    assert text.count(r"a|b`c" + "\"d'" + r"\n\x1b[31m<script>") == 5


def test_printable_escapes_what_changes_a_terminal_or_the_direction_of_writing():
    assert printable("é – 日本") == "é – 日本"  # noqa: RUF001
    assert printable("\u202eb\x07\r") == r"\u202eb\x07\r"


def test_full_output_repeats_no_footnote_and_names_dropped_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    columns = (Column("variant"), *(Column(f"score {at}", "percent") for at in range(9)))
    tables = [Table(t, columns, (("a", *[0.5] * 9),), ("note",)) for t in ("one", "two")]
    stream = io.StringIO()
    print_all_tables(tables, Console(file=stream, width=40, force_terminal=True, no_color=True))
    text = stream.getvalue()
    assert text.count("note") == 1
    assert "Not shown, too wide: score 3" in text
    assert text.count("score 2") == 2  # the headings
