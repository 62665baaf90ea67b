from helpers.results import interval

from mapt_bench.reports.difference_tables import paired_tables


def entry(difference, low, high):
    found = {"difference": difference, "interval": interval(low, high, n=6), "n": 6}
    return {**found, "p_value": 0.03125, "p_adjusted": 0.125, "p_method": "exact"}


def compared(name, scores, note=None):
    """An evaluation with differences to ``a``; its own scores are 0.5 and 9."""
    family = {"of": "all predictions", "per_score": True, "comparisons": 2, "correction": "Holm"}
    block = {"reference": "a", "classes": ["road"], "note": note, "family": family}
    own = {"PAT": 0.5, "IDSW": 9}
    return {"name": name, "scores": own, "differences": {**block, "scores": scores}}


REFERENCE = {"name": "a", "scores": {"PAT": 0.6, "IDSW": 5}}


def test_points_and_counts_stand_apart():
    scores = {"PAT": entry(-0.0125, -0.02, 0.01), "IDSW": entry(4, 0, 64)}
    points, counts = paired_tables([REFERENCE, compared("b", scores), compared("c", scores)])
    assert points.title == "Difference to a in points"
    own = ["50.00", "60.00"]
    assert points.texts()[0] == ["b", "PAT", *own, "-1.25", "[-2.00, 1.00]", "0.0312", "0.125"]
    assert counts.title == "Difference to a in counts"
    assert counts.texts()[1] == ["c", "IDSW", "9", "5", "4", "[0, 64]", "0.0312", "0.125"]
    for table in (points, counts):
        assert table.footnotes[-1] == "p (Holm): corrected for 2 comparisons of each score."


def test_results_whose_scores_were_corrected_together_say_so():
    each = compared("b", {"PAT": entry(-0.0125, -0.02, 0.01)})
    del each["differences"]["family"]["per_score"]
    (points,) = paired_tables([REFERENCE, each])
    assert points.footnotes[-1].endswith("2 comparisons, of differences and of counts.")


def test_a_difference_over_other_classes_says_so():
    note = "PAT, PQ and LSTQ are compared over the 5 classes of either side"
    found = {"PAT": entry(0.5, 0.4, 0.6)}
    (points,) = paired_tables([REFERENCE, compared("b", found, note)])
    assert f"b: {note}." in points.footnotes


def test_without_counts_there_is_one_table():
    tables = paired_tables([REFERENCE, compared("b", {"PAT": entry(0.5, 0.4, 0.6)})])
    assert [table.title for table in tables] == ["Difference to a in points"]


def test_without_differences_there_is_none():
    assert paired_tables([REFERENCE]) == []
