import pytest

from mapt_bench.experiments.summaries.run_result import paper_claims


def row(variant, pat, segments="mapt-tiny", trained=False):
    return {
        "variant": variant,
        "segments": segments,
        "trained": trained,
        "scores": {"PAT": pat},
    }


HEADS = [
    row("mapt:motion", 0.1),
    row("mapt:motion+memory", 0.5),
    row("mapt:appearance+memory", 0.4),
    row("mapt:paper+memory", 0.52),
    row("mapt+memory", 0.55),
]
OTHERS = [
    row("mapt+memory", 0.9, "groundtruth"),
    row("mapt:motion+memory", 0.9, "groundtruth"),
    row("mapt+memory", 0.8, trained=True),
]


def test_what_is_measured_is_of_the_first_segments_and_with_memory():
    claims = {claim["name"]: claim for claim in paper_claims("ablate", [*HEADS, *OTHERS])}
    found = {name: (claim["claimed"], claim["measured"]) for name, claim in claims.items()}
    assert found == {
        "PAT, motion head alone": (0.6161, 0.5),
        "PAT, appearance head alone": (0.5984, 0.4),
        "PAT, both heads": (0.6265, 0.52),
        "PAT, both heads less motion head alone": (0.0104, pytest.approx(0.05)),
        "PAT, both heads less appearance head alone": (0.0281, pytest.approx(0.15)),
    }


def test_no_difference_is_drawn_between_numbers_of_different_things():
    for claim in paper_claims("ablate", [*HEADS, *OTHERS]):
        assert claim["difference"] is None
        assert "measured on segments 'mapt-tiny'" in claim["note"]
        assert claim["note"].endswith("not comparable")


def test_an_undefined_score_measures_nothing():
    rows = [row("mapt:motion+memory", None), *HEADS[2:]]
    claims = paper_claims("ablate", rows)
    assert [claim["measured"] for claim in claims] == [
        None,
        0.4,
        0.52,
        None,
        pytest.approx(0.15),
    ]
    assert all(("not measured" in claim["note"]) == (claim["measured"] is None) for claim in claims)


def test_rows_without_memory_or_of_other_segments_measure_nothing():
    first = row("copy", 0.3)
    for rows in ([], [first], [first, HEADS[0], *OTHERS]):
        assert [claim["measured"] for claim in paper_claims("ablate", rows)] == [None] * 5


def test_other_experiments_have_no_claims():
    assert paper_claims("sweep-interval", HEADS) == []


def test_rows_with_another_memory_are_measured_too():
    rows = [{"variant": "mapt:paper+memory=20", "scores": {"PAT": 0.5}}]
    measured = {claim["name"]: claim["measured"] for claim in paper_claims("ablate", rows)}
    assert measured["PAT, both heads"] == 0.5
    assert measured["PAT, motion head alone"] is None
