from collections import Counter

import pytest
import torch
from helpers.training_jobs import moving_boxes, small_recipe

from mapt_bench.errors import ConfigError
from mapt_bench.training.loading import step_batches
from mapt_bench.training.recipe import StreamSettings
from mapt_bench.training.stream import ClipStream, StreamDraw, StreamOrder

torch.set_num_threads(1)

STREAM = StreamSettings(clips_per_sequence=3, shards=2)
BEGUN = []


def sequence(index):
    BEGUN.append(index)
    return moving_boxes(name=f"sequence-{index:03d}", speed=1 + index % 4)


def stream(settings=STREAM, **changes):
    recipe = small_recipe(**changes)
    return ClipStream(sequence, settings, recipe.clips, recipe.augment)


def order(**options):
    settings = {"seed": 5, "batch_size": 4, "end": 12, **options}
    return StreamOrder(STREAM, **settings)


def sequence_of(clip):
    return int(clip.name.split("/")[0].removeprefix("sequence-"))


def same(one, other):
    return one.name == other.name and torch.equal(one.images, other.images)


def test_each_sequence_is_drawn_once_and_gives_its_clips():
    BEGUN.clear()
    clips = stream()
    BEGUN.clear()
    draws = [draw for part in order(end=24) for draw in part]
    made = [clips[draw] for draw in draws]
    assert max(Counter(BEGUN).values()) == 1
    seen = Counter(sequence_of(clip) for clip in made)
    # The first two of a shard came too late for all of theirs, the last ones will come again.
    whole = range(4, max(seen) - 4)
    assert len(whole) > 10
    assert all(seen[number] == 3 for number in whole)
    assert max(len(each) for each in clips._at_hand.values()) <= 3


def test_a_clip_is_a_function_of_its_draw():
    draw = StreamDraw(1, 17, 5)
    fresh, used = stream(), stream()
    for number in range(17):
        used[StreamDraw(1, number, 5)]
    assert same(fresh[draw], used[draw])
    assert not same(fresh[draw], fresh[StreamDraw(1, 17, 6)])


def test_going_on_is_the_same_as_going_through():
    whole = list(order(end=12))
    assert list(order(end=5)) + list(order(first=5, end=12)) == whole


def test_processes_share_one_order():
    def drawn(**options):
        return [[draw for part in order(**options).step(step) for draw in part] for step in (0, 7)]

    alone = drawn(parts=2)
    two = [drawn(processes=2, rank=rank) for rank in range(2)]
    assert alone == [first + second for first, second in zip(*two, strict=True)]


@pytest.mark.parametrize("loaders", [1, 2])
def test_background_processes_make_the_same_clips(loaders):
    clips, draws = stream(), order(end=4, loaders=loaders)
    alone = [clip for step in step_batches(clips, order(end=4), parts=1) for clip in step[0]]
    beside = step_batches(stream(), draws, parts=1, loaders=loaders)
    joined = [clip for step in beside for clip in step[0]]
    assert len(alone) == 16
    assert all(same(one, other) for one, other in zip(alone, joined, strict=True))


def test_each_shard_is_drawn_in_one_place():
    makers = {}
    settings = StreamSettings(clips_per_sequence=3, shards=8)
    for rank in range(2):
        parts = StreamOrder(
            settings, seed=0, batch_size=4, processes=2, rank=rank, loaders=2, first=3, end=40
        )
        for number, part in enumerate(parts):
            makers.setdefault(part[0].shard, set()).add((rank, number % 2))
    assert sorted(makers) == list(range(8))
    assert all(len(places) == 1 for places in makers.values())


def test_a_later_stage_begins_where_an_earlier_one_ended():
    earlier = {(draw.shard, draw.number) for part in order(end=5) for draw in part}
    later = {(draw.shard, draw.number) for part in order(end=5, before=20) for draw in part}
    assert not earlier & later


def test_what_does_not_go_with_a_stream_is_refused():
    with pytest.raises(ConfigError, match=r"clips\.rare_below is 0\.3"):
        stream(clips={"length": 2, "rare_below": 0.3})
    with pytest.raises(ConfigError, match=r"stream\.shards 2 .* multiple of 4"):
        order(processes=2, loaders=2)
    with pytest.raises(ConfigError, match="batch_size 4 cannot be split"):
        order(parts=3)
