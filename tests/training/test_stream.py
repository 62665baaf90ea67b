from collections import Counter
from dataclasses import replace

import pytest
import torch
from helpers.training_jobs import moving_boxes, small_job, small_recipe
from safetensors.torch import load_file

from mapt_bench.errors import ConfigError
from mapt_bench.training.clips import ClipDataset
from mapt_bench.training.loading import step_batches
from mapt_bench.training.recipe import StreamSettings
from mapt_bench.training.run import train
from mapt_bench.training.stream import ClipStream, StreamDraw, StreamOrder
from mapt_bench.training.trainer import Trainer

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


@pytest.mark.parametrize("share", [0.25, 0.34, 0.5, 1.0])
def test_a_share_of_the_clips_flies_in_the_same_places_of_all_shards(share):
    clips = stream(replace(STREAM, flying_share=share))
    made = {
        shard: [clips[StreamDraw(shard, number, 5)] for number in range(8)] for shard in range(2)
    }
    flies = [[not clip.has_semantics for clip in made[shard]] for shard in range(2)]
    assert flies[0] == flies[1]
    assert sum(flies[0]) == int(8 * share)
    names = {clip.name.split("/")[0] for clip in made[0] if not clip.has_semantics}
    others = {clip.name.split("/")[0] for clip in made[1] if not clip.has_semantics}
    assert not names & others
    # The streets are those of a stream without flying clips.
    streets = [clip.name.split("/")[0] for clip in made[0] if clip.has_semantics]
    plain = stream()
    wanted = [plain[StreamDraw(0, number, 5)].name.split("/")[0] for number in range(len(streets))]
    assert streets == wanted


def test_flying_clips_have_flow_where_it_is_asked_for():
    clips = stream(replace(STREAM, flying_share=1.0), clips={"length": 3, "flow": True})
    clip = clips[StreamDraw(0, 3, 5)]
    assert not clip.has_semantics
    assert clip.motion.valid.float().mean() > 0.5


def flying_job(folder):
    recipe = small_recipe(
        model="helpers.toy_model:build",
        export="float32",
        batch_size=2,
        steps=4,
        checkpoint_every=1,
        clips={"length": 2},
        augment={"crop": [48, 96]},
        stream={"flying_share": 0.5, "clips_per_sequence": 3, "shards": 2},
    )
    job = small_job(folder, recipe)
    job.__dict__["dataset"] = ClipStream(sequence, recipe.stream, recipe.clips, recipe.augment)
    return job


def test_a_training_with_flying_clips_resumes_to_the_same_result(tmp_path, monkeypatch):
    train(flying_job(tmp_path / "straight"))
    made = []

    def until(self, parts, train_step=Trainer.train_step):
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append(parts)
        return train_step(self, parts)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_step", until)
        with pytest.raises(KeyboardInterrupt):
            train(flying_job(tmp_path / "broken"))
    train(flying_job(tmp_path / "broken"))
    one, other = (
        load_file(tmp_path / name / "weights.safetensors") for name in ("straight", "broken")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_flying_clips_need_a_stream():
    recipe = small_recipe(stream={"flying_share": 0.5})
    clips = ClipDataset((moving_boxes(),), recipe.clips, recipe.augment)
    with pytest.raises(ConfigError, match=r"stream\.flying_share is 0\.5, .* --suite stream"):
        clips.changed(recipe)


def test_what_does_not_go_with_a_stream_is_refused():
    with pytest.raises(ConfigError, match=r"clips\.rare_below is 0\.3"):
        stream(clips={"length": 2, "rare_below": 0.3})
    with pytest.raises(ConfigError, match=r"stream\.shards 2 .* multiple of 4"):
        order(processes=2, loaders=2)
    with pytest.raises(ConfigError, match="batch_size 4 cannot be split"):
        order(parts=3)
