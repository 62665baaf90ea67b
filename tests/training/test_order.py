from collections import Counter

import numpy as np
import pytest
import torch
from helpers.scenes import DrawnVideo
from helpers.training_jobs import empty_street, moving_boxes
from hypothesis import given
from hypothesis import strategies as st

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.training.clips import ClipDataset
from mapt_bench.training.loading import ClipOrder, anchor_weights, repeat_factors, step_batches
from mapt_bench.training.recipe import AugmentSettings, ClipSettings


def order(count=10, *, weights=None, seed=0, batch_size=2, end=50, **options):
    weights = np.ones(count) if weights is None else np.array(weights, dtype=float)
    return ClipOrder(weights, seed=seed, batch_size=batch_size, end=end, **options)


def anchors(draws):
    return [draw.anchor for part in draws for draw in part]


def test_an_epoch_has_every_clip_once_in_an_order_of_its_own():
    epochs = [anchors(order(end=5)), anchors(order(first=5, end=10))]
    assert [sorted(epoch) for epoch in epochs] == [list(range(10))] * 2
    assert epochs[0] != epochs[1]
    assert anchors(order(end=5)) == epochs[0]
    assert anchors(order(seed=1, end=5)) != epochs[0]


def test_going_on_is_the_same_as_going_through():
    whole = list(order(end=9, count=7))
    assert list(order(end=4, count=7)) + list(order(first=4, end=9, count=7)) == whole


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 5))
def test_processes_and_parts_share_one_order(processes, parts, share, step):
    size = processes * parts * share
    alone = order(batch_size=size).step(step)
    together = [
        draw
        for part in range(parts)
        for rank in range(processes)
        for draw in order(batch_size=size, parts=parts, processes=processes, rank=rank).step(step)[
            part
        ]
    ]
    assert together == alone[0]


def test_no_two_draws_share_a_seed():
    seeds = [draw.seed for part in order() for draw in part]
    assert len(set(seeds)) == len(seeds) == 100


@given(st.lists(st.floats(0.1, 5), min_size=1, max_size=12), st.integers(0, 9))
def test_clips_come_by_their_weight_up_to_one(weights, seed):
    drawn = Counter(anchors(order(weights=weights, seed=seed, batch_size=1, end=len(weights))))
    for anchor, weight in enumerate(weights):
        expected = weight * len(weights) / sum(weights)
        assert abs(drawn[anchor] - expected) < 1 + 1e-6


def test_over_many_epochs_the_shares_are_the_weights():
    drawn = Counter(anchors(order(weights=[1, 1, 2.5], batch_size=1, end=3 * 600)))
    assert drawn[2] / 1800 == pytest.approx(2.5 / 4.5, abs=0.02)


def test_batches_that_cannot_be_split_are_refused():
    with pytest.raises(ConfigError, match=r"2 parts .* of 3 processes; expected a multiple of 6"):
        order(batch_size=4, parts=2, processes=3)


def test_rare_classes_repeat_their_sequences():
    shows = np.array([[True, False, False]] * 7 + [[True, True, False]])
    # The second class is in 1 of 8 sequences: sqrt(0.5 / 0.125) = 2. The third occurs nowhere.
    assert repeat_factors(shows, 0.5).tolist() == [1.0] * 7 + [2.0]


def test_weights_of_clips_are_those_of_their_sequences():
    videos = [moving_boxes(3), *(empty_street(3, name=f"e{k}") for k in range(7))]
    clips = ClipDataset(videos, ClipSettings(rare_below=0.5), AugmentSettings())
    assert anchor_weights(clips).tolist() == [2.0] * 2 + [1.0] * 14
    plain = ClipDataset(videos, ClipSettings(), AugmentSettings())
    assert anchor_weights(plain).tolist() == [1.0] * 16


class Torn(DrawnVideo):
    def truth(self, index):
        if index == len(self.scene) - 1:
            raise DataError("is torn", where="000005.png")
        return super().truth(index)


def test_loaders_change_nothing():
    clips = ClipDataset([moving_boxes()], ClipSettings(), AugmentSettings(brightness=0.3))
    found = [
        list(step_batches(clips, order(5, parts=2, batch_size=4, end=2), parts=2, loaders=loaders))
        for loaders in (0, 1)
    ]
    assert [len(parts) for parts in found[0]] == [2, 2]
    for own, loaded in zip(*found, strict=True):
        for own_part, loaded_part in zip(own, loaded, strict=True):
            assert [clip.name for clip in own_part] == [clip.name for clip in loaded_part]
            for a, b in zip(own_part, loaded_part, strict=True):
                assert torch.equal(a.images, b.images)


@pytest.mark.parametrize("loaders", [0, 1])
def test_what_is_wrong_with_a_clip_is_told_as_it_is(loaders):
    clips = ClipDataset([Torn(moving_boxes().scene)], ClipSettings(), AugmentSettings())
    with pytest.raises(DataError) as caught:
        list(step_batches(clips, order(5, end=3), parts=1, loaders=loaders))
    assert (caught.value.message, caught.value.where) == ("is torn", "000005.png")
