"""Links by step: counts of films worked by hand."""

import numpy as np
import pytest
from helpers.films import film, overlap_of
from helpers.maps import KITTI

from mapt_bench.metrics import LinkRecorder, Sightings, count_overlap
from mapt_bench.metrics.step_links import (
    ANY_STEP,
    BY_FACTORS,
    DECISION,
    EVERYTHING,
    STEPS,
    count_steps,
    step_rates,
)

CAR = 13 << 24
TRUTH = "c1 c1 c2 c2 | c1 c1 c2 c2 | c1 c1 c2 c2 | r r c2 c2 | c1 c1 c2 c2"
# c1 is 1, then 5 (new), then 1 (restored), hidden, then 2 (switched). c2 is 2, and is missed last.
FOUND = "c1 c1 c2 c2 | c5 c5 c2 c2 | c1 c1 c2 c2 | r r c2 c2 | c2 c2 r r"


def counted(visible=None):
    recorder = LinkRecorder(KITTI)
    for truth, found in zip(film(TRUTH), film(FOUND), strict=True):
        known = None if visible is None else {CAR | 1: visible, CAR | 2: 1.0}
        recorder.update(Sightings.of(truth, KITTI, known), count_overlap(truth, found, KITTI))
    steps = {1: "motion", 2: "appearance", 3: "motion"}
    decisions = [
        *((frame, CAR | 2, STEPS.index(step)) for frame, step in steps.items()),
        (1, CAR | 5, STEPS.index("new")),
        (2, CAR | 1, STEPS.index("motion")),
        (4, CAR | 2, STEPS.index("memory")),
    ]
    return count_steps(overlap_of(TRUTH, FOUND), recorder.result(), np.array(decisions, DECISION))


def test_links_are_those_of_the_step_that_gave_the_identity():
    counts = counted()
    everything = {step: counts[*EVERYTHING, step] for step in (ANY_STEP, *STEPS)}
    assert everything == {
        ANY_STEP: (3, 1, 1, 1),  # kept, switched, restored, new
        "motion": (2, 0, 1, 0),
        "appearance": (1, 0, 0, 0),
        "memory": (0, 1, 0, 0),
        "new": (0, 0, 0, 1),
        "other": (0, 0, 0, 0),
    }


def test_links_lie_in_ranges_of_each_factor():
    counts = counted(visible=0.3)
    assert counts["gap", "0 frames", ANY_STEP] == (3, 0, 1, 1)
    assert counts["gap", "1 frame", ANY_STEP] == (0, 1, 0, 0)
    assert counts["visible fraction", "25 to 50 %", ANY_STEP] == (0, 1, 1, 1)
    assert counts["visible fraction", "75 % or more", "motion"] == (2, 0, 0, 0)
    assert counts["object size", "under 256 px", ANY_STEP] == (3, 1, 1, 1)
    assert counts["crowd density", "1 to 5", "memory"] == (0, 1, 0, 0)
    unknown = counted()
    assert not any(sum(n) for (factor, *_), n in unknown.items() if factor == "visible fraction")


def test_segments_without_a_decision_are_of_another_step():
    counts = count_steps(
        overlap_of(TRUTH, TRUTH), LinkRecorder(KITTI).result(), np.zeros(0, DECISION)
    )
    assert counts[*EVERYTHING, "other"] == counts[*EVERYTHING, ANY_STEP] == (7, 0, 0, 0)


def test_rates_name_what_has_links():
    found = step_rates([counted()] * 5, [BY_FACTORS["gap"]])
    places = [(each["slice"], each["range"], each["step"]) for each in found]
    assert places[0] == ("all", "all", "all")
    assert ("gap", "1 frame", "memory") in places
    assert ("gap", "1 frame", "motion") not in places
    assert found[0]["links"] == 30
    assert found[0]["accuracy"] == pytest.approx(0.5)
    assert found[0]["accuracy_interval"] == [0.5, 0.5]  # equal sequences
    assert (found[0]["switched"], found[0]["restored"], found[0]["new"]) == (5, 5, 5)
    assert step_rates([counted()], [])[0]["accuracy_interval"] is None


def test_a_range_that_a_sequence_lacks_has_no_links_there():
    found = step_rates([counted(), {}], [BY_FACTORS["gap"]])
    assert found == [
        {**each, "accuracy_interval": None} for each in step_rates([counted()], [BY_FACTORS["gap"]])
    ]


def test_rates_count_each_kind_of_mistake():
    # Twice switched: the two cars exchange their identities.
    exchanged = count_steps(
        overlap_of("c1 c2 | c1 c2", "c1 c2 | c2 c1"),
        LinkRecorder(KITTI).result(),
        np.zeros(0, DECISION),
    )
    everything = step_rates([counted(), exchanged], [])[0]
    names = ("links", "switched", "restored", "new")
    assert tuple(everything[name] for name in names) == (8, 3, 1, 1)


def test_the_seed_is_0_by_default():
    counts = [{(*EVERYTHING, ANY_STEP): (at, 1, 0, 0)} for at in range(10)]
    assert (
        step_rates(counts, []) == step_rates(counts, [], seed=0) != step_rates(counts, [], seed=1)
    )
