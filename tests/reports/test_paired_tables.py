from helpers.results import interval

from mapt_bench.reports.paired import paired_tables


def entry(difference, low, high):
    found = {"difference": difference, "interval": interval(low, high, n=6), "n": 6}
    return {**found, "p_value": 0.03125, "p_value_holm": 0.125, "p_method": "exact"}


def test_points_and_counts_stand_apart_and_are_corrected_together():
    scores = {"PAT": entry(-0.0125, -0.02, 0.01), "IDSW": entry(4, 0, 64)}
    paired = [{"name": name, "reference": "a", "scores": scores} for name in ("b", "c")]
    points, counts = paired_tables(paired)
    assert points.title == "Difference to a in points"
    assert points.texts()[0] == ["b", "PAT", "-1.25", "[-2.00, 1.00]", "0.0312", "0.125"]
    assert counts.title == "Difference to a in counts"
    assert counts.texts()[1] == ["c", "IDSW", "4", "[0, 64]", "0.0312", "0.125"]
    for table in (points, counts):
        assert table.footnotes[-1].startswith("p (Holm): corrected for all 4 comparisons")


def test_without_counts_there_is_one_table():
    paired = [{"name": "b", "reference": "a", "scores": {"PAT": entry(0.5, 0.4, 0.6)}}]
    assert [table.title for table in paired_tables(paired)] == ["Difference to a in points"]
