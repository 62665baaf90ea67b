"""Slices of objects: counts of scenes worked by hand, and records of objects."""

import math
from itertools import pairwise

import numpy as np
import pytest
from helpers.films import overlap_of

from mapt_bench.metrics.link_events import SIGHTED, Sightings
from mapt_bench.metrics.slices import SLICE_BINS, SightedObjects, count_slices, slice_rates
from mapt_bench.reports.slice_tables import slices_table, weakest_slices

STILL = "c1 c1 c2 r | c1 c1 c2 r | c1 c1 c2 r"
SWITCHED = "c1 c1 c2 r | c5 c5 c2 r | c5 c5 r r"


def rates(*films, objects=None):
    return slice_rates([count_slices(overlap_of(*film), objects) for film in films])


def test_segments_and_links_of_known_films():
    known = np.array(
        [(frame, 13 << 24 | 1, 0.6, math.nan if not frame else 2.0, 20.0) for frame in range(3)]
        + [(frame, 13 << 24 | 2, 1.0, 0.5, math.inf) for frame in range(2)],
        SIGHTED,
    )
    found = rates((STILL, SWITCHED), objects=known)
    rows = {
        (each["slice"], each["range"]): (
            each["segments"], each["recall"], each["links"], each["accuracy"]
        )
        for each in found
    }  # fmt: skip
    # There are six segments. The last one of c2 is missed. c1 switches once, c2 never.
    assert rows["class", "car"] == (6, pytest.approx(5 / 6), 3, pytest.approx(2 / 3))
    assert rows["crowd density", "1 to 5"] == rows["class", "car"]
    assert rows["object size", "under 256 px"] == rows["class", "car"]
    assert rows["speed", "1 to 4 px/frame"] == (2, 1.0, 2, 0.5)
    assert rows["speed", "under 1 px/frame"] == (2, 1.0, 1, 1.0)
    assert rows["visible fraction", "50 to 75 %"][0] == rows["nearest", "16 to 32 px"][0] == 3
    assert rows["nearest", "alone in its class"][0] == 2
    assert all(each["recall_interval"] is None for each in found)  # one sequence
    assert "No confidence intervals: too few sequences." in slices_table("a", found).footnotes
    assert weakest_slices("mine", found) == []  # all are small


def test_large_slices_have_a_sentence():
    assert weakest_slices("mine", rates(*[(STILL, SWITCHED)] * 10)) == [
        "mine finds objects of under 256 px least often: 83.33 % of 60 segments are found.",
        "mine links objects of under 256 px worst: 66.67 % of 30 links are correct.",
    ]


def test_intervals_are_over_sequences():
    found = rates(*[(STILL, SWITCHED)] * 4, (STILL, STILL))
    assert {each["slice"] for each in found} == {"object size", "crowd density", "class"}
    low, high = found[0]["recall_interval"]
    assert low < found[0]["recall"] < high
    assert slices_table("mine", []) is None
    assert slice_rates([]) == []


def test_the_seed_is_0_by_default():
    counts = []
    for frames in range(2, 12):  # of each film the first frame is missed
        drawn = ["c1 r"] * frames
        counts.append(count_slices(overlap_of(" | ".join(drawn), " | ".join(["r r", *drawn[1:]]))))
    assert slice_rates(counts) == slice_rates(counts, seed=0) != slice_rates(counts, seed=1)


def test_speed_of_masks_is_the_displacement_since_the_last_sighting():
    objects = SightedObjects()
    car, person = 13 << 24 | 1, 11 << 24 | 1
    objects.add(0, Sightings([car, person], [4, 4], [(0.0, 0.0), (3.0, 0.0)], None))
    objects.add(1, Sightings([person], [4], [(3.0, 0.0)], None))
    objects.add(4, Sightings([car, car + 1], [4, 4], [(3.0, 4.0), (3.0, 10.0)], None))
    rows = objects.rows()
    assert rows["frame"].tolist() == [0, 0, 1, 4, 4]
    assert np.isnan(rows["speed_px"][[0, 1, 4]]).all()
    assert rows["speed_px"][[2, 3]].tolist() == [0.0, 1.25]  # 5 px in 4 frames
    assert rows["nearest_px"].tolist() == [math.inf, math.inf, math.inf, 6.0, 6.0]
    known = SightedObjects()
    known.add(0, Sightings([car], [4], [(0.0, 0.0)], None), {car: 7.0})
    assert known.rows()["speed_px"].tolist() == [7.0]


@pytest.mark.parametrize(("first", "second"), [("c5", "c7"), ("c7", "c5")])
def test_a_link_to_a_larger_or_smaller_id_is_not_kept(first, second):
    found = rates(("c1 r | c1 r", f"{first} r | {second} r"))
    assert {(each["links"], each["accuracy"]) for each in found} == {(1, 0.0)}


def test_sizes_of_objects_are_those_of_coco_and_half_of_its_smallest():
    assert [low for _, low in SLICE_BINS["object size"]] == [0, 16**2, 32**2, 96**2]


@pytest.mark.parametrize("factor", ["object size", "crowd density"])
def test_ranges_of_whole_numbers_are_named_by_their_ends(factor):
    bins = SLICE_BINS[factor]
    for (name, low), (_, above) in pairwise(bins):
        first, _, last = name.replace(",", "").removesuffix(" px").rpartition(" to ")
        if first:
            assert int(first) in (low, 1)
            assert int(last) == above - 1
    assert bins[-1][1] in (9216, 21)


def test_a_class_that_a_sequence_lacks_has_no_segments_there():
    cars, persons = "c1 r | c1 r", "p1 p1 r | p1 p1 r"
    found = {each["range"]: each for each in rates((cars, cars), (persons, persons))}
    assert (found["car"]["segments"], found["car"]["links"]) == (2, 1)
    assert (found["person"]["segments"], found["person"]["links"]) == (2, 1)
    assert found["car"]["recall"] == found["person"]["accuracy"] == 1
