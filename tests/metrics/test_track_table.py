"""Tracks and their partners, worked by hand."""

import numpy as np
from helpers.films import overlap_of

from mapt_bench.metrics.track_table import TrackTable, tracks_of

CAR = 13 << 24


def table(*partner):
    rows = np.array(partner)
    before = np.array([[-1, *row[:-1]] for row in partner])
    return TrackTable(np.arange(len(rows)), np.ones(rows.shape, bool), rows, before)


def test_a_switch_needs_two_matches_that_differ():
    assert table([5, 5, 6, -1, 6]).switched.tolist() == [[False, False, True, False, False]]
    assert table([0, 3, 0]).switched.tolist() == [[False, True, True]]


def test_lost_frames_lack_the_most_frequent_identity():
    found = table([5, 5, 6, -1], [0, 0, 0, 7], [-1, -1, -1, -1])
    assert found.frames_lost.tolist() == [2, 1, 4]
    assert found.frames_mislinked.tolist() == [1, 1, 0]


def test_tracks_of_a_film():
    found = tracks_of(overlap_of("c1 c1 r | c1 c1 r | c1 c1 r", "c5 c5 r | r r r | c6 c6 r"))
    assert found.codes.tolist() == [CAR | 1]
    assert found.partner.tolist() == [[CAR | 5, -1, CAR | 6]]
    assert found.before.tolist() == [[-1, CAR | 5, CAR | 5]]
    assert found.frames_lost.tolist() == [2]
