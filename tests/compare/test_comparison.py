# ruff: noqa: RUF001 - the dash of undefined cells
import json
import math
from dataclasses import replace

import pytest
from helpers.results import evaluation, evaluations, run, summary_row, sweep

from mapt_bench.compare import Limit, Missing, baseline_text, compare_results
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.report import read_parts, render_report
from mapt_bench.reports.difference_tables import comparison_table
from mapt_bench.reports.table_formats import render_table
from mapt_bench.results import load_result


@pytest.fixture
def compare(tmp_path):
    def compare(baseline, current, *limits):
        paths = []
        for name, data in (("baseline", baseline), ("current", current)):
            paths.append(tmp_path / f"{name}.json")
            paths[-1].write_text(json.dumps(data))
        return compare_results(*paths, limits=[Limit.parse(limit) for limit in limits])

    return compare


def change_of(comparison, score, row=None):
    [found] = [c for c in comparison.changes if c.score == score and row in (None, c.row)]
    return found


def test_two_names_of_one_prediction_are_told(compare):
    found = compare(evaluation("old"), evaluation("new"))
    assert found.notes == ("the baseline is old, the current result is new",)
    assert compare(evaluation("old"), evaluation("old", shift=0.1)).notes == ()


def changed(data, **scores):
    return {**data, "scores": {**data["scores"], **scores}}


def test_equal_results_pass(compare):
    found = compare(evaluation(), evaluation(), "PAT<0", "IDSW>0")
    assert found.is_passed
    assert {change.difference for change in found.changes} == {0.0, None}
    assert found.missing == found.broken == found.added == ()


@pytest.mark.parametrize(
    ("limit", "pat", "is_broken"),
    [
        ("PAT<-0.5", 0.495, False),  # exactly half a point is not more than half a point
        ("PAT<=-0.5", 0.495, True),
        ("PAT<-0.5", 0.4949, True),
        ("PAT<-0.5", 0.6, False),
        ("PAT > 1", 0.52, True),
        ("PAT>=2.0", 0.52, True),
        ("PAT>2.0", 0.52, False),
        ("PAT<+1", 0.505, True),  # a gain is asked for
    ],
)
def test_limits_are_in_percentage_points(compare, limit, pat, is_broken):
    found = compare(evaluation(), changed(evaluation(), PAT=pat), limit)
    assert bool(found.broken) == is_broken
    assert found.is_passed != is_broken


def test_limits_of_counts_are_in_counts(compare):
    worse = changed(evaluation(), IDSW=13)
    assert compare(evaluation(), worse, "IDSW>6").is_passed
    found = compare(evaluation(), worse, "IDSW>5", "Frag>0")
    assert [str(entry) for entry in found.broken] == [
        "tracker: IDSW changed by +6 counts, limit IDSW>5"
    ]


def test_costs_can_be_limited(compare):
    slow = run()
    slow["summary"][1]["cost"] = {"seconds_per_frame": 0.5}
    found = compare(run(), slow, "seconds_per_frame>0.1")
    assert [entry.row for entry in found.broken] == ["iou"]


def test_an_unknown_score_in_a_limit_gets_the_nearest(compare):
    with pytest.raises(ConfigError, match="did you mean 'PAT'"):
        compare(evaluation(), evaluation(), "PATT<-1")


@pytest.mark.parametrize("text", ["PAT", "PAT=-1", "PAT<", "<1", "PAT<-1%", "PAT<1e9", "PAT<<1"])
def test_a_malformed_limit_shows_the_grammar(text):
    with pytest.raises(ConfigError, match=r"is not a limit; expected SCORE.*'PAT<-0.5' fails"):
        Limit.parse(text)


def test_a_limit_without_its_minus_is_refused():
    message = r"'PAT<60' fails without any change; write PAT<-60 .*, or --min PAT=60"
    with pytest.raises(ConfigError, match=message):
        Limit.parse("PAT<60")


def test_a_limit_that_nothing_can_check_is_broken(compare):
    # PTQ is undefined in both: not missing, but the gate on it must not look passed.
    found = compare(evaluation(), evaluation(), "PTQ<-1")
    assert not found.is_passed
    assert str(found.broken[0]) == (
        "limit PTQ<-1 could not be checked: no row has PTQ in both results"
    )


def test_what_has_gone_missing_is_listed(compare):
    now = changed(evaluation(), HOTA=None)
    del now["scores"]["IDF1"]
    del now["per_sequence"]["0002"]
    found = compare(evaluation(), now)
    assert not found.is_passed
    assert found.missing == (
        Missing("tracker", score="HOTA", kind="undefined"),
        Missing("tracker", score="IDF1"),
        Missing("tracker", sequence="0002"),
    )
    assert [str(entry) for entry in found.missing] == [
        "tracker: HOTA has a value in the baseline and is undefined now",
        "tracker: IDF1 is missing",
        "tracker: sequence 0002 is missing",
    ]


def test_a_score_that_is_not_a_number_counts_as_undefined(compare):
    found = compare(evaluation(), changed(evaluation(), HOTA=float("nan")))
    assert found.missing == (Missing("tracker", score="HOTA", kind="undefined"),)


def test_a_score_that_is_newly_defined_is_fine(compare):
    found = compare(evaluation(), changed(evaluation(), PTQ=0.5), "PAT<-0.5")
    assert found.is_passed


def test_a_variant_that_is_gone_or_failed(compare):
    now = run()
    del now["summary"][0]
    now["summary"][0] = {**now["summary"][0], "scores": {}, "switches": None, "fragments": None}
    found = compare(run(), now)
    assert Missing("copy") in found.missing
    assert Missing("iou", score="PAT") in found.missing
    assert "iou: PAT is missing" in found.failures()
    assert str(found.missing[0]) == "copy is missing"


def test_rows_of_a_sweep_are_told_apart_by_their_interval(compare):
    now = sweep()
    now["summary"][5]["scores"]["PAT"] -= 0.02
    found = compare(sweep(), now, "PAT<-1")
    assert [entry.row for entry in found.broken] == ["iou, drop 2"]


def test_sequences_of_a_run_come_from_its_cells(compare):
    now = run()
    del now["cells"][2]["per_sequence"]["0002"]
    assert compare(run(), now).missing == (Missing("both", sequence="0002"),)


def test_single_evaluations_match_whatever_their_names(compare):
    found = compare(evaluation("before"), evaluation("after"))
    assert {change.row for change in found.changes} == {"before"}
    found = compare(evaluation("before"), evaluations(evaluation("after")), "PAT<0")
    assert found.is_passed


def test_several_evaluations_match_by_name(compare):
    before = evaluations(evaluation("a"), evaluation("b"))
    found = compare(before, evaluations(evaluation("b", shift=0.1), evaluation("c")))
    assert found.missing == (Missing("a"),)
    assert found.added == ("c",)
    assert change_of(found, "PAT", "b").difference == pytest.approx(0.1)


def test_new_parts_fail_unless_allowed(compare):
    now = changed(evaluation(), NEW=0.5)
    now["per_sequence"]["0003"] = now["per_sequence"]["0001"]
    found = compare(evaluation(), now)
    assert found.added == ("tracker: score NEW", "tracker: sequence 0003")
    assert found.is_passed is False
    assert found.failures()[0] == "tracker: score NEW is new: it is not in the baseline"
    assert replace(found, allowed=("new",)).is_passed is None
    assert (
        "Only in the current result: tracker: score NEW, tracker: sequence 0003."
        in comparison_table(found.to_dict()).footnotes
    )


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("pat", "official", r"pat \(thing_ids_present_classes then, official now\)"),
        ("missing", "void", r"missing \(error then, void now\)"),
        ("dataset", "cityscapes", r"dataset \(kitti-step then, cityscapes now\)"),
        ("class_map", {"name": "common"}, r'class_map \(null then, {"name": "common"} now\)'),
    ],
)
def test_results_of_another_protocol_are_refused(compare, field, value, words):
    other = evaluation()
    other["protocol"] = {**other["protocol"], field: value}
    with pytest.raises(DataError, match=words):
        compare(evaluation(), other)


def test_runs_on_another_label_space_are_refused(compare):
    other = run(protocol={"pat": "present", "label_space": "cityscapes"})
    with pytest.raises(DataError, match=r"label_space \(kitti-step then, cityscapes now\)"):
        compare(run(), other)


def with_origin(data="f1", segments="s1", seed=0, kind="saved predictions of espnet", suite=None):
    saved = {"kind": "saved predictions", "fingerprint": segments}
    found = {"fingerprint": data, "segments": {"groundtruth": {"noise": None}, "saved": saved}}
    protocol = {"pat": "present", "label_space": "kitti-step", "segments": kind}
    return run(provenance={"data": {**found, "suite": suite}, "seed": seed}, protocol=protocol)


def test_runs_over_other_segments_are_refused(compare):
    other = with_origin(kind="ground truth")
    with pytest.raises(DataError, match=r"segments \(saved.*espnet then, ground truth now\)"):
        compare(with_origin(), other)
    assert compare(run(), other, "PAT<0").is_passed  # one side states nothing


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": "f2"}, r"fingerprint of the data \(f1 then, f2 now\)"),
        ({"segments": "s2"}, r"fingerprint of the segments \(s1 then, s2 now\)"),
        (
            {"data": "f2", "suite": {"name": "tiny", "version": 4}},
            r"they differ in suite \(tiny version 3 then, tiny version 4 now\)\.",
        ),
    ],
)
def test_runs_on_other_data_are_refused(compare, changes, words):
    given = {"suite": {"name": "tiny", "version": 3}}
    with pytest.raises(DataError, match=words):
        compare(with_origin(**given), with_origin(**{**given, **changes}))


def test_another_seed_is_told(compare):
    assert compare(with_origin(), with_origin()).notes == ()
    assert compare(with_origin(), run()).notes == ()
    (note,) = compare(with_origin(), with_origin(seed=1)).notes
    assert note.split(";")[0] == "the seeds differ (0 then, 1 now)"


def with_inputs(truth, predictions):
    """An evaluation that knows the fingerprints of its two sequences."""
    inputs = {
        name: {"path": name, "sequences": dict(zip(("0001", "0002"), found, strict=True))}
        for name, found in (("ground_truth", truth), ("predictions", predictions))
    }
    return evaluation(provenance={"inputs": inputs})


def test_another_ground_truth_of_the_same_name_is_refused(compare):
    other = with_inputs(("t1", "tX"), ("p1", "p2"))
    with pytest.raises(DataError, match="differ in fingerprint of the ground truth of 0002"):
        compare(with_inputs(("t1", "t2"), ("p1", "p2")), other)


def test_other_predictions_are_never_refused(compare):
    before, after = (with_inputs(("t1", "t2"), found) for found in (("p1", "p2"), ("q1", "q2")))
    assert compare(before, after, "PAT<0").is_passed


def test_results_of_other_definitions_of_scores_are_refused(compare):
    pair = [evaluation(), evaluation()]
    for version, result in enumerate(pair, start=1):
        result["protocol"] = {**result["protocol"], "metrics": f"mapt-bench/metrics/{version}"}
    with pytest.raises(DataError, match=r"metrics \(mapt-bench/metrics/1 then"):
        compare(*pair)


@pytest.mark.parametrize("of", [evaluation, run])
def test_a_result_without_protocol_is_refused(compare, of):
    for pair in ((of(), of(protocol={})), (of(protocol={}), of())):
        with pytest.raises(DataError, match="states no protocol"):
            compare(*pair)


def test_classes_of_cells_are_no_protocol(compare):
    stated, bare = run(), run(protocol={})
    for each in bare["cells"]:
        each["classes"] = [11, 13]
    with pytest.raises(DataError, match="states no protocol"):
        compare(stated, bare)


def test_a_summary_that_is_no_list_is_refused(compare):
    with pytest.raises(DataError, match="summary is not a list"):
        compare(run(), run(summary={}, cells=[]))


def test_without_limits_there_is_no_verdict(compare):
    assert compare(evaluation(), evaluation(shift=-0.1)).is_passed is None
    gone = changed(evaluation(), HOTA=None)
    assert compare(evaluation(), gone).is_passed is False


def test_a_retrained_network_is_compared_and_told(compare):
    before, after = (
        run(provenance={"weights": {"mapt-tiny": sha}}, protocol={"segments": "found by MAPT"})
        for sha in ("a" * 64, "b" * 64)
    )
    (note,) = compare(before, after).notes
    assert note.startswith(f"the fingerprints of the weights differ ({'a' * 12} then")


def test_rows_are_called_by_the_name_that_commands_take(compare):
    rows = [
        summary_row("both:appearance-first", 0.6, 0.7, "fusion", label="appearance first"),
        summary_row("both", 0.6, 0.7, "fusion", label="same"),
        summary_row("both+memory", 0.6, 0.7, "fusion", label="same"),
    ]
    found = compare(run(summary=rows), run(summary=rows))
    names = [change["row"] for change in found.to_dict()["changes"] if change["score"] == "PAT"]
    assert names == ["both:appearance-first", "both", "both+memory"]
    gone = compare(run(summary=rows), run(summary=rows[1:])).missing
    assert [str(entry) for entry in gone] == ["both:appearance-first is missing"]


def test_the_order_of_classes_means_nothing_and_silence_is_no_difference(compare):
    other = evaluation()
    other["protocol"] = {"pat": "thing_ids_present_classes", "classes": [13, 0, 11]}
    assert compare(evaluation(), other, "PAT<0").is_passed


def test_a_run_is_not_compared_with_an_evaluation(compare):
    with pytest.raises(DataError, match="compare a run with a run"):
        compare(run(), evaluation())


def with_sequences(*values):
    sequences = {f"{at:04d}": {"PAT": value, "IDSW": 4} for at, value in enumerate(values)}
    return evaluation(per_sequence=sequences)


def test_sequences_that_got_better_and_worse(compare):
    before = with_sequences(0.1, 0.2, 0.3, 0.4, 0.5, None)
    after = with_sequences(0.2, 0.3, 0.3, 0.3, 0.6, 0.9)
    after["per_sequence"]["0000"]["IDSW"] = 9  # more switches are worse
    found = compare(before, after)
    pat = change_of(found, "PAT")
    assert (pat.better, pat.worse) == (3, 1)
    switches = change_of(found, "IDSW")
    assert (switches.better, switches.worse) == (0, 1)
    assert change_of(found, "STQ").better is None
    lines = render_table(comparison_table(found.to_dict()), "text").splitlines()
    assert lines[3].split() == ["PAT", "50.00", "50.00", "0.00", "3", "/", "1"]


def test_sequences_of_a_baseline_do_not_change_by_its_rounding(tmp_path):
    full, kept = tmp_path / "full.json", tmp_path / "kept.json"
    full.write_text(json.dumps(with_sequences(*(share / 7 for share in range(1, 7)))))
    kept.write_text(baseline_text(full))
    pat = change_of(compare_results(kept, full), "PAT")
    assert (pat.better, pat.worse) == (0, 0)


def test_four_sequences_in_common_say_nothing(compare):
    found = compare(with_sequences(0.1, 0.2, 0.3, 0.4), with_sequences(0.2, 0.3, 0.3, 0.3))
    assert change_of(found, "PAT").better is None


def test_table_of_one_row(compare):
    found = compare(evaluation(), changed(evaluation(), PAT=0.494, HOTA=None, IDSW=14))
    lines = [
        line.split()
        for line in render_table(comparison_table(found.to_dict()), "text").splitlines()
    ]
    assert ["PAT", "50.00", "49.40", "-0.60"] in lines
    assert ["HOTA", "60.00", "–", "–"] in lines
    assert ["IDSW", "7", "14", "+7"] in lines


def test_table_of_many_rows(compare):
    rows = [summary_row("iou", 0.6, 0.7, "heads"), summary_row("both", 0.63, 0.7, "heads")]
    found = compare(run(), run(summary=rows))
    table = comparison_table(found.to_dict())
    assert [column.name for column in table.columns] == ["row", "PAT", "STQ", "IDSW", "Frag"]
    assert table.texts() == [
        ["iou", "-1.61", "0.00", "-7", "-4"],
        ["both", "+0.35", "+1.00", "-4", "-3"],
    ]


def test_rows_without_a_changed_score_are_omitted(compare):
    rows = [summary_row(name, 0.6, 0.7, "heads") for name in ("iou", "both", "copy")]
    later = [{**row, "cost": {"seconds_per_frame": 9.0}} for row in rows]
    later[1] = {**later[1], "scores": {**later[1]["scores"], "PAT": 0.7}}
    table = comparison_table(compare(run(summary=rows), run(summary=later)).to_dict())
    assert table.texts() == [["both", "+10.00"]]
    assert "Omitted: 2 rows without a changed score." in table.footnotes
    same = comparison_table(compare(run(summary=rows), run(summary=rows)).to_dict())
    assert not same.rows


def test_json_form(compare):
    found = compare(evaluation(), changed(evaluation(), PAT=0.4, HOTA=None), "PAT<-0.5").to_dict()
    assert found["schema"] == "mapt-bench/comparison/3"
    assert found["passed"] is False
    [limit] = found["limits"]
    assert (limit["limit"], limit["severity"], limit["status"]) == ("PAT<-0.5", "error", "failed")
    assert found["changes"][0] == {
        "row": "tracker",
        "score": "PAT",
        "baseline": 0.5,
        "current": 0.4,
        "over_common_classes": None,
        "difference": pytest.approx(-0.1),
        "sequences_better": None,
        "sequences_worse": None,
    }
    assert found["broken"] == [
        {
            "limit": "PAT<-0.5",
            "row": "tracker",
            "sequence": None,
            "score": "PAT",
            "amount": pytest.approx(-10),
            "unit": "points",
            "interval": None,
            "message": "tracker: PAT changed by -10 points, limit PAT<-0.5",
        }
    ]
    assert found["missing"][0]["score"] == "HOTA"
    json.dumps(found, allow_nan=False)


def run_of_classes(*names):
    """The run of four variants, each cell averaged over some classes."""
    data = run()
    return {**data, "cells": [{**cell, "classes": list(names)} for cell in data["cells"]]}


def test_rows_of_a_run_are_compared_over_the_classes_of_both(compare):
    found = compare(run_of_classes("road", "car"), run_of_classes("road", "car", "train", "bus"))
    quality = change_of(found, "PQ", "iou")
    assert (quality.baseline, quality.current) == (0.7, 0.7)  # as in the results
    assert quality.common == (0.35, 0.7)
    assert quality.difference == 0.35
    assert change_of(found, "STQ", "iou").common is None
    assert "only now: bus, train" in found.notes[0]
    assert compare(run_of_classes("road"), run_of_classes("road")).notes == ()
    assert compare(run_of_classes("road"), run()).notes == ()  # one side states nothing


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("results.incomplete.json", "is an incomplete run; resume it"),
        ("run.json", "is an unfinished run without results.json"),
        ("other.json", "is a folder without results.json"),
    ],
)
def test_a_run_folder_without_result_says_what_it_is(tmp_path, file, words):
    (tmp_path / file).write_text(json.dumps(run()))
    with pytest.raises(DataError, match=words):
        load_result(tmp_path)


def test_nan_is_an_undefined_score(tmp_path):
    document = run()
    document["summary"][0]["scores"]["PAT"] = math.nan
    document["summary"][0]["scores"]["IDSW"] = math.inf
    file = tmp_path / "nan.json"
    file.write_text(json.dumps(document))
    found = load_result(file)
    assert next(iter(found.rows.values())).scores["PAT"] is None
    assert found.document["summary"][0]["scores"]["IDSW"] is None
    assert "PAT" in render_report(read_parts([file]))
