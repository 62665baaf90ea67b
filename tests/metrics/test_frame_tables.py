"""Tables of frames are stored in blocks and counted part by part; the seams must not show."""

import numpy as np
import pytest
from helpers.maps import CAR, KITTI, PERSON, random_maps

from mapt_bench.labels import ID_BITS, PanopticMap
from mapt_bench.metrics import SequenceScorer, count_overlap, frame_tables, pair_sums
from mapt_bench.metrics.frame_tables import FrameTables
from mapt_bench.metrics.overlap import join_frames
from mapt_bench.metrics.pair_sums import PairSums


def _with_empty(maps, code):
    return PanopticMap(maps.codes, (code,))


def _film(frame_count, seed):
    """Return maps of both sides, with identities that switch, gaps, and empty masks."""
    gt = random_maps(frame_count, id_limit=4, seed=seed)
    pred = [gt[max(index - index % 3, 0)] for index in range(frame_count)]
    for index in range(0, frame_count, 5):
        gt[index] = _with_empty(gt[index], CAR << ID_BITS | 9)
        pred[index] = _with_empty(pred[index], PERSON << ID_BITS | index)
    return list(zip(gt, pred, strict=True))


@pytest.mark.parametrize("frame_count", [0, 1, 2, 9, 31])
@pytest.mark.parametrize(("block", "entries"), [(1, 1), (2, 1), (1, 40), (3, 60), (4, 1 << 16)])
def test_parts_change_no_digit(monkeypatch, frame_count, block, entries):
    film = _film(frame_count, seed=3)

    def score():
        scorer = SequenceScorer(KITTI)
        for pair in film:
            scorer.update(*pair)
        return scorer

    whole = score()
    monkeypatch.setattr(frame_tables, "_BLOCK_FRAMES", block)
    monkeypatch.setattr(frame_tables, "_PART_ENTRIES", entries)
    parted = score()
    assert parted.result().to_vector().tolist() == whole.result().to_vector().tolist()
    assert parted.marks() == whole.marks()
    assert parted.overlap().rows().tolist() == whole.overlap().rows().tolist()


def test_spans_follow_the_entries(monkeypatch):
    monkeypatch.setattr(frame_tables, "_BLOCK_FRAMES", 1)
    film = _film(9, seed=1)
    tables = FrameTables(KITTI)
    assert tables.reader().spans() == [(0, 0)]
    for pair in film:
        tables.add(count_overlap(*pair, KITTI))
    assert tables.reader().spans() == [(0, 9)]
    monkeypatch.setattr(frame_tables, "_PART_ENTRIES", 1)
    assert tables.reader().spans() == [(frame, frame + 1) for frame in range(9)]


@pytest.mark.parametrize(("first", "end"), [(0, 9), (0, 1), (2, 7), (4, 4), (8, 9)])
@pytest.mark.parametrize("block", [1, 2, 4, 100])
def test_any_frames_can_be_read(monkeypatch, first, end, block):
    monkeypatch.setattr(frame_tables, "_BLOCK_FRAMES", block)
    frames = [count_overlap(*pair, KITTI) for pair in _film(9, seed=2)]
    tables = FrameTables(KITTI)
    for frame in frames:
        tables.add(frame)
    part = tables.reader().part(first, end)
    whole = join_frames(frames, KITTI)
    inside = (whole.frame >= first) & (whole.frame < end)
    assert part.frame_count == 9
    assert part.frame.tolist() == whole.frame[inside].tolist()
    for name in ("gt_index", "pred_index", "pixels"):
        found = getattr(part, name)
        assert found.dtype == np.int64
        assert found.tolist() == getattr(whole, name)[inside].tolist()
    empty = whole.gt_empty[(whole.gt_empty[:, 0] >= first) & (whole.gt_empty[:, 0] < end)]
    assert part.gt_empty.tolist() == empty.tolist()
    stretch = tables.reader().stretch(first, end)
    assert stretch.frame.tolist() == (whole.frame[inside] - first).tolist()


def test_large_areas_keep_every_pixel():
    """Pixels are stored in narrow types, which must not overflow."""
    scorer = SequenceScorer(KITTI)
    road = PanopticMap(np.zeros((300, 300), dtype=np.uint32))
    for _ in range(3):
        scorer.update(road, road)
    assert scorer.overlap().pixels.tolist() == [90_000] * 3
    assert scorer.result().stq.confusion.sum() == 270_000


def test_more_frames_can_follow_a_result():
    film = _film(6, seed=4)
    scorer, fresh = SequenceScorer(KITTI), SequenceScorer(KITTI)
    for index, pair in enumerate(film):
        scorer.update(*pair)
        fresh.update(*pair)
        if index == 2:
            scorer.result()
    assert scorer.result().to_vector().tolist() == fresh.result().to_vector().tolist()


@pytest.mark.parametrize("least", [0, 30, 1 << 16])
def test_sums_by_key_do_not_depend_on_the_parts(monkeypatch, least):
    monkeypatch.setattr(pair_sums, "_JOINED_AT_LEAST", least)
    rng = np.random.default_rng(0)
    keys, values = rng.integers(0, 20, 500), rng.random(500)
    whole, parted = PairSums(), PairSums()
    whole.add(keys, values)
    for first in range(0, 500, 7):
        parted.add(keys[first : first + 7], values[first : first + 7])
    assert parted.keys.tolist() == whole.keys.tolist() == sorted(set(keys.tolist()))
    assert parted.values.tolist() == whole.values.tolist()
    expected = np.bincount(keys, weights=values)
    assert whole.values.tolist() == expected[whole.keys].tolist()
