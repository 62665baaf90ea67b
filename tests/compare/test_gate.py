"""Limits of options and files, noise, accepted regressions, and baselines."""

import json
from dataclasses import replace
from datetime import date

import pytest
from helpers.costs import cost
from helpers.results import evaluation, evaluations, run, sweep

from mapt_bench.compare import (
    Limit,
    assert_no_regression,
    baseline_text,
    compare_results,
    load_gate,
)
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.results import load_result

TODAY = date(2026, 6, 1)


@pytest.fixture
def written(tmp_path):
    def written(name, data):
        path = tmp_path / f"{name}.json"
        path.write_text(data if isinstance(data, str) else json.dumps(data))
        return path

    return written


@pytest.fixture
def gate(tmp_path, written):
    """Compare two results under the rules of a file."""

    def gate(text, before, after, today=TODAY):
        file = tmp_path / "gate.yaml"
        file.write_text(text)
        files = written("before", before), written("after", after)
        return compare_results(*files, rules=load_gate(file), today=today)

    return gate


def with_pat(value, **changes):
    result = evaluation(**changes)
    result["scores"]["PAT"] = value
    return result


def of_sequences(*values):
    sequences = {
        f"{at:04d}": {"PAT": value, "IDSW": round(10 * value)} for at, value in enumerate(values)
    }
    result = with_pat(sum(values) / len(values), per_sequence=sequences)
    result["scores"]["IDSW"] = sum(entry["IDSW"] for entry in sequences.values())
    return result


@pytest.mark.parametrize(
    ("option", "text", "now", "is_broken"),
    [
        ("max-drop", "PAT=0.5", 0.495, False),
        ("max-drop", "PAT=0.5", 0.4949, True),
        ("max-drop", "PAT=1%", 0.495, False),
        ("max-drop", "PAT=1%", 0.4949, True),
        ("min", "PAT=49.5", 0.495, False),
        ("min", "PAT=49.5", 0.4949, True),
        ("max-drop", "PAT=0", 0.6, False),  # improvements never fail
        ("min", "PAT=-5", -0.05, False),
        ("min", "PAT=-5", -0.051, True),
    ],
)
def test_options(written, option, text, now, is_broken):
    limit = Limit.of_option(option, text)
    files = written("before", evaluation()), written("after", with_pat(now))
    found = compare_results(*files, limits=[limit])
    assert bool(found.broken) == is_broken
    assert str(limit) == f"{option} {text}"


def test_counts_rise(written):
    more = evaluation()
    more["scores"]["IDSW"] = 13
    files = written("before", evaluation()), written("after", more)
    for text, is_passed in (("IDSW=6", True), ("IDSW=5", False), ("IDSW=80%", False)):
        limits = [Limit.of_option("max-rise", text)]
        assert compare_results(*files, limits=limits).is_passed is is_passed
    high = [Limit.of_option("max", "IDSW=12")]
    (broken,) = compare_results(*files, limits=high).broken
    assert str(broken) == "tracker: IDSW is 13 counts, limit max IDSW=12"


@pytest.mark.parametrize(
    ("option", "text", "words"),
    [
        ("max-drop", "PAT<5", r"expected SCORE=NUMBER.*PAT=2%"),
        ("max-drop", "PAT=-1", "expected SCORE=NUMBER"),
        ("max-drop", "PAT=nan", "expected SCORE=NUMBER"),
        ("min", "PAT=60%", "expected SCORE=NUMBER"),
        ("max-drop", "IDSW=5", "a lower IDSW is better; use --max-rise IDSW"),
        ("max", "PAT=5", "a higher PAT is better; use --min PAT"),
    ],
)
def test_options_that_limit_nothing_are_refused(option, text, words):
    with pytest.raises(ConfigError, match=words):
        Limit.of_option(option, text)


def test_limits_of_a_file_hold_for_rows_and_sequences(gate):
    worse = run()
    worse["cells"][1]["per_sequence"]["0002"] = {"PAT": 0.4}
    worse["summary"][2]["scores"] = {**worse["summary"][2]["scores"], "PAT": 0.5}
    rules = """
        limits:
          - {score: PAT, row: "i*", sequence: "*", max_drop: 1}
          - {score: PAT, row: oracle, min: 75, max_drop_percent: 1}
        allow: [missing]
    """
    found = gate(rules, run(), worse)
    assert [str(entry) for entry in found.broken] == [
        "iou, sequence 0002: PAT changed by -21.61 points, limit max-drop PAT=1, row i*, sequence *"
    ]
    statuses = [entry["status"] for entry in found.to_dict()["limits"]]
    assert statuses == ["failed", "passed", "passed"]


@pytest.mark.parametrize(
    ("entry", "threshold", "text"),
    [
        ("score: seconds_per_frame, max: 0.00005", 0.00005, "max seconds_per_frame=5e-05"),
        ("score: IDSW, max: 1234567890123", 1234567890123, "max IDSW=1234567890123"),
        ("score: IDSW, max_rise: 1e-5", 0.00001, "max-rise IDSW=1e-05"),
        ("score: PAT, max_drop_percent: 0.1", -0.1, "max-drop PAT=0.1%"),
        ("score: PTQ, min: -5", -5, "min PTQ=-5"),
    ],
)
def test_numbers_of_a_file_are_kept(tmp_path, entry, threshold, text):
    file = tmp_path / "gate.yaml"
    file.write_text(f"limits: [{{{entry}}}]")
    (limit,) = load_gate(file).limits
    assert limit.threshold == threshold
    assert str(limit) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("limts: []", "unknown key 'limts'; did you mean 'limits'"),
        ("limits: [{score: PAT, max_dorp: 1}]", r"did you mean 'limits\[0\].max_drop'"),
        ("limits: [{score: PAT}]", "the entry on PAT limits nothing"),
        ("limits: [{max_drop: 1}]", "lacks the key 'score'"),
        (
            "limits: [{score: PQ, min: 1}, {score: PAT, max_drop: -1}]",
            r"limits\[1\].max_drop is -1; expected a number of at least 0",
        ),
        (
            "limits: [{score: IDSW, max_drop_percent: 1}]",
            r"limits\[0\].max_drop_percent of IDSW would .* use max_rise_percent$",
        ),
        ("limits: [{score: PAT, max_drop: .nan}]", "has the number nan; expected a finite number"),
        ("limits: [{score: PAT, max_drop: 1, severity: eror}]", "did you mean 'error'"),
        ("allow: [gone]", "known: missing, new, undefined"),
        (
            "limits: [{score: PQ, exact: true}, {score: PAT, exact: true, noise_aware: true}]",
            r"limits\[1\].noise_aware is true, but the limit exact PAT cannot be noise-aware: any",
        ),
        ("limits: [{score: PAT, min: 1, noise_aware: true}]", "PAT=1 cannot be noise-aware"),
        (
            "limits: [{score: PAT, sequence: '*', max_drop: 1, noise_aware: true}]",
            "the interval is of a change, over all sequences; give this limit an entry without",
        ),
        ("accepted: [{score: PAT, reason: x, expires: soon}]", "a date, such as 2027-01-31"),
        ("accepted: [{score: PAT, reason: ' ', expires: 2027-01-31}]", "has no reason"),
        ("limits: [", "is not valid YAML"),
    ],
)
def test_a_file_with_a_mistake_is_refused(gate, text, words):
    with pytest.raises(ConfigError, match=words) as caught:
        gate(text, evaluation(), evaluation())
    assert caught.value.where.endswith("gate.yaml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("limits: [{score: PATT, max_drop: 1}]", "did you mean 'PAT'"),
        ("limits: [{score: PAT, max_drop: 1, row: trakcer}]", "did you mean 'tracker'"),
        ("limits: [{score: PAT, max_drop: 1, sequence: '003'}]", "did you mean '000"),
        ("accepted: [{score: PATT, reason: x, expires: 2027-01-31}]", "did you mean 'PAT'"),
        ("limits: [{score: predictions, max_drop: 1}]", "use --exact predictions"),
    ],
)
def test_names_that_the_results_lack_are_refused(gate, text, words):
    with pytest.raises(ConfigError, match=words):
        gate(text, evaluation(), evaluation())


NOISE_AWARE = "limits: [{score: PAT, max_drop: 1, noise_aware: true}]"


def test_a_noise_aware_limit_needs_the_whole_interval(gate):
    before = of_sequences(*[0.5] * 8)
    steady = gate(NOISE_AWARE, before, of_sequences(*[0.47, 0.46, 0.48, 0.47] * 2))
    (broken,) = steady.broken
    assert broken.interval[1] < -1
    assert "points, limit max-drop PAT=1" in str(broken)
    noisy = gate(NOISE_AWARE, before, of_sequences(*[0.7, 0.2, 0.7, 0.28] * 2))
    assert noisy.is_passed
    assert noisy.notes[0].startswith("within noise: tracker: PAT changed by -3 [")
    assert gate(NOISE_AWARE.replace("true", "false"), before, noisy_result()).is_passed is False


def test_a_limit_without_an_interval_cannot_be_noise_aware(written):
    files = written("before", evaluation()), written("after", evaluation())
    limit = replace(Limit.exact("PAT"), is_noise_aware=True)
    with pytest.raises(ConfigError, match="the limit exact PAT cannot be noise-aware"):
        compare_results(*files, limits=[limit])


def noisy_result():
    return of_sequences(*[0.7, 0.2, 0.7, 0.28] * 2)


def test_noise_of_counts_is_of_their_sum(gate):
    rules = "limits: [{score: IDSW, max_rise: 8, noise_aware: true}]"
    found = gate(rules, of_sequences(*[0.1] * 6), of_sequences(*[0.3, 0.4] * 3))
    (broken,) = found.broken
    low, high = broken.interval
    assert 8 < low < 15 < high  # 1 to 2.5 more switches in each of six sequences


def test_too_few_sequences_for_an_interval_are_told_and_the_change_decides(gate):
    found = gate(NOISE_AWARE, of_sequences(0.5, 0.5), of_sequences(0.3, 0.3))
    assert found.is_passed is False
    assert "2 sequences; an interval needs at least 5" in found.notes[0]


ACCEPTED = """
limits: [{score: PAT, max_drop: 0.5}]
accepted: [{score: PAT, row: "tr*", reason: retrained, expires: 2026-06-01}]
"""


def test_an_accepted_regression_passes_until_it_expires(gate):
    found = gate(ACCEPTED, evaluation(), with_pat(0.4))
    assert found.is_passed
    (accepted,) = found.accepted
    assert accepted.status == "used"
    assert "retrained (until 2026-06-01), used: tracker: PAT changed by -10 points" in str(accepted)
    late = gate(ACCEPTED, evaluation(), with_pat(0.4), today=date(2026, 6, 2))
    assert late.is_passed is False
    assert late.accepted[0].status == "expired"
    assert gate(ACCEPTED, evaluation(), evaluation()).accepted[0].status == "not needed"


def test_allowed_parts_do_not_fail(gate):
    gone = evaluation()
    gone["scores"] |= {"HOTA": None}
    del gone["scores"]["IDF1"]
    limits = "limits: [{score: PAT, max_drop: 0.5}]"
    assert gate(limits, evaluation(), gone).is_passed is False
    assert gate(limits + "\nallow: [missing]", evaluation(), gone).is_passed is False
    assert gate(limits + "\nallow: [missing, undefined]", evaluation(), gone).is_passed


def test_a_lowest_value_is_not_met_by_an_undefined_score(gate):
    nothing = with_pat(None)
    found = gate("limits: [{score: PAT, min: 10}]", nothing, nothing)
    assert found.failures() == ["tracker: PAT is undefined, limit min PAT=10"]


def test_times_only_warn_unless_asked(gate):
    slow = run()
    slow["summary"][1]["cost"] = {"seconds_per_frame": 9.0}
    del slow["summary"][2]["cost"]
    entry = "limits: [{score: seconds_per_frame, max_rise: 0.1%s}]"
    found = gate(entry % "", run(), slow)
    assert found.is_passed
    assert [str(each.row) for each in found.warnings] == ["iou"]
    assert gate(entry % ", severity: error", run(), slow).is_passed is False


def test_exact_limits_see_any_change(gate):
    exact = "limits: [{score: PAT, exact: true}]"
    assert gate(exact, evaluation(), evaluation()).is_passed
    for value in (0.5 + 1e-9, 0.5 - 1e-9):
        assert gate(exact, evaluation(), with_pat(value)).is_passed is False


def test_operations_of_a_flops_report_are_gated_exactly(gate):
    more = cost()
    more["rows"][0]["gmacs"] += 1e-6
    exact = "limits: [{score: gmacs, exact: true}]"
    assert gate(exact, cost(), cost()).is_passed
    assert len(gate(exact, cost(), more).broken) == 1
    with pytest.raises(DataError, match="compare a run with a run"):
        gate(exact, cost(), run())


def predicted(**sequences):
    return evaluation(provenance={"inputs": {"predictions": {"sequences": sequences}}})


def test_accepted_predictions_are_of_every_sequence_unless_one_is_named(gate):
    rules = """
        limits: [{score: predictions, exact: true}]
        accepted: [{score: predictions, reason: new weights, expires: 2026-06-01%s}]
    """
    files = predicted(**{"0001": "1", "0002": "2"}), predicted(**{"0001": "3", "0002": "4"})
    found = gate(rules % "", *files)
    assert found.is_passed
    (accepted,) = found.accepted
    assert (accepted.status, len(accepted.broken)) == ("used", 2)
    found = gate(rules % ', sequence: "0001"', *files)
    assert [entry.sequence for entry in found.broken] == ["0002"]
    assert gate(rules % "", files[0], files[0]).accepted[0].status == "not needed"


def test_predictions_are_gated_by_their_fingerprints(gate):
    exact = "limits: [{score: predictions, exact: true}]"
    before = predicted(a="1", b="2")
    assert gate(exact, before, before).is_passed
    (broken,) = gate(exact, before, predicted(a="1", b="3")).broken
    assert str(broken).startswith("tracker, sequence b: the predictions differ")
    assert gate(exact, before, evaluation()).is_passed is False  # nothing to check
    of_one = 'limits: [{score: predictions, sequence: "0001", exact: true}]'
    named = {"0001": "1", "0002": "2"}
    assert gate(of_one, predicted(**named), predicted(**{**named, "0002": "3"})).is_passed


def test_predictions_of_a_run_are_gated_by_the_hashes_of_its_maps(gate):
    def predicted(found):
        rows = run()["cells"]
        return run(cells=[{**cell, "predictions": {"0001": found}} for cell in rows[:1]] + rows[1:])

    exact = "limits: [{score: predictions, exact: true}]"
    assert gate(exact, predicted("1"), predicted("1")).is_passed
    (broken,) = gate(exact, predicted("1"), predicted("2")).broken
    assert str(broken).startswith("copy, sequence 0001: the predictions differ")


@pytest.mark.parametrize("data", [evaluation(), evaluations(evaluation("a")), run(), sweep()])
def test_a_baseline_is_the_result_for_the_gate(written, data):
    full = written("full", data)
    kept = written("kept", baseline_text(full))
    was, now = load_result(full), load_result(kept)
    assert (was.schema, list(was.rows)) == (now.schema, list(now.rows))
    for name, row in was.rows.items():
        assert now.rows[name].scores == pytest.approx(row.scores)
        assert now.rows[name].sequences.keys() == row.sequences.keys()
    limits = [Limit.exact("PAT")]
    assert compare_results(kept, full, limits=limits).is_passed
    assert baseline_text(kept) == baseline_text(full)


def test_a_baseline_knows_the_inputs(written):
    inputs = {"ground_truth": {"sequences": {"0001": "t"}}}
    full = written("full", evaluation(provenance={"inputs": inputs, "revision": "r1"}))
    kept = load_result(written("kept", baseline_text(full)))
    assert kept.rows["tracker"].ground_truth == {"0001": "t"}
    assert kept.revision == "r1"
    inputs = {"ground_truth": {"sequences": {"0001": "other"}}}
    other = written("other", evaluation(provenance={"inputs": inputs}))
    with pytest.raises(DataError, match="ground truth of 0001"):
        compare_results(kept.path, other)


def test_assert_no_regression(written):
    base = written("before", evaluation())
    assert assert_no_regression(evaluation(), base, "PAT<-0.5").is_passed
    with pytest.raises(AssertionError, match=r"is worse:\ntracker: PAT changed by -10 points"):
        assert_no_regression(with_pat(0.4), base, ["PAT<-0.5", Limit.exact("STQ")])
    with pytest.raises(ConfigError, match="no limit is given"):
        assert_no_regression(evaluation(), base)


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ("mapt-bench/run/2", "a newer version of mapt-bench wrote; this version reads"),
        (
            "mapt-bench/run/0",
            "an older version of mapt-bench wrote; this version reads 'mapt-bench/run/1'",
        ),
    ],
)
def test_schemas_of_other_versions(written, schema, words):
    with pytest.raises(DataError, match=words):
        load_result(written("other", {"schema": schema}))
