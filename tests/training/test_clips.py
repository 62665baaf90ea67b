import pickle

import numpy as np
import pytest
import torch
from helpers.scenes import HEIGHT, WIDTH, Box, DrawnVideo
from helpers.training_jobs import empty_street, moving_boxes

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import label_space
from mapt_bench.training.clips import ClipDataset, ClipDraw
from mapt_bench.training.recipe import AugmentSettings, ClipSettings

STILL = AugmentSettings(flip=0)


def dataset(*videos, augment=STILL, **clips):
    return ClipDataset(videos, ClipSettings(**clips), augment)


def equal(one, other):
    tensors = [
        torch.equal(getattr(a, name), getattr(b, name))
        for a, b in zip(one.targets, other.targets, strict=True)
        for name in ("semantic", "boxes", "labels", "masks", "track_ids", "crowd")
    ]
    same = (one.name, one.intervals) == (other.name, other.intervals)
    return same and all(tensors) and torch.equal(one.images, other.images)


def test_a_pair_is_two_frames_of_the_video():
    video = moving_boxes()
    made = dataset(video, taus=(2,))[ClipDraw(1, (0,))]
    assert made.name == "boxes/000001 boxes/000003"
    assert made.intervals == (2,)
    assert made.images.shape == (2, 3, HEIGHT, WIDTH)
    assert made.images.dtype == torch.float32
    for image, index in zip(made.images, (1, 3), strict=True):
        assert np.array_equal((image * 255).round().byte().permute(1, 2, 0), video.image(index))
    # The car of frame 1 is at x = 13, of frame 3 at x = 19, 12 pixels wide.
    cars = [targets.boxes[targets.labels == 2].tolist() for targets in made.targets]
    assert cars == [[[13, 10, 25, 22]], [[19, 10, 31, 22]]]


def test_a_triple_is_equally_spaced():
    made = dataset(moving_boxes(), length=3, taus=(2,))[ClipDraw(0, (0,))]
    assert made.name == "boxes/000000 boxes/000002 boxes/000004"
    assert made.intervals == (2, 2)
    assert len(made.targets) == 3


def test_a_share_of_triples_starts_far_back_where_there_is_room():
    clips = dataset(moving_boxes(12), length=3, taus=(1,), far_share=0.5, far=(4, 6))
    made = [clips[ClipDraw(9, (seed,))] for seed in range(40)]
    assert {clip.intervals[0] for clip in made if clip.starts_far} == {4, 5, 6}
    assert {clip.intervals for clip in made if not clip.starts_far} == {(1, 1)}
    assert 10 < sum(clip.starts_far for clip in made) < 30
    # The second frame of the earliest clips has fewer than four frames before it.
    assert not any(clips[ClipDraw(2, (seed,))].starts_far for seed in range(9))
    with pytest.raises(ConfigError, match=r"far_share is 0\.5 with clips.length 2"):
        dataset(moving_boxes(), far_share=0.5)


def test_anchors_leave_room_for_the_shortest_interval():
    clips = dataset(moving_boxes(6), moving_boxes(4, name="short"), taus=(1, 3), interval="sampled")
    assert clips.anchors.tolist() == [[0, k] for k in range(1, 6)] + [[1, k] for k in range(1, 4)]
    assert len(clips) == 8


def test_sampled_intervals_are_those_that_fit():
    clips = dataset(moving_boxes(), interval="sampled", taus=(1, 2, 4))
    first = {clips[ClipDraw(0, (seed,))].intervals for seed in range(30)}
    last = {clips[ClipDraw(4, (seed,))].intervals for seed in range(30)}
    assert first == {(1,)}
    assert last == {(1,), (2,), (4,)}


def test_the_adaptive_interval_follows_the_speed():
    # A car 12 x 12 moves 3 pixels a frame: 0.25 of its size. At a target of 0.5 tau is 2.
    car = DrawnVideo([[Box(1, 5 + 3 * at)] for at in range(6)])
    fast = DrawnVideo([[Box(1, 5 + 6 * at)] for at in range(6)], name="fast")
    clips = dataset(car, fast, interval="adaptive", taus=(1, 2, 3), target_displacement=0.5)
    assert clips[ClipDraw(4, (0,))].intervals == (2,)
    assert clips[ClipDraw(9, (0,))].intervals == (1,)


def test_without_things_the_adaptive_interval_is_drawn():
    clips = dataset(empty_street(), interval="adaptive", taus=(1, 2))
    assert {clips[ClipDraw(4, (seed,))].intervals for seed in range(20)} == {(1,), (2,)}


def test_equal_draws_give_equal_clips_and_others_differ():
    augment = AugmentSettings(flip=0.5, scale=(0.6, 1.6), crop=(32, 64), brightness=0.3, hue=0.1)
    clips = dataset(moving_boxes(), augment=augment)
    one = clips[ClipDraw(2, (0, 1, 2))]
    assert equal(one, clips[ClipDraw(2, (0, 1, 2))])
    assert equal(one, dataset(moving_boxes(), augment=augment)[ClipDraw(2, (0, 1, 2))])
    assert not equal(one, clips[ClipDraw(2, (0, 1, 3))])


def test_frames_are_kept_while_there_is_room():
    calls = []

    class Counting(DrawnVideo):
        def truth(self, index):
            calls.append(index)
            return super().truth(index)

    video = Counting(moving_boxes().scene)
    roomy = ClipDataset([video], ClipSettings(), STILL, cache_bytes=10**7)
    for _ in range(3):
        one = roomy[ClipDraw(0, (0,))]
    assert calls == [0, 1]
    calls.clear()
    cramped = ClipDataset([video], ClipSettings(), STILL, cache_bytes=0)
    for _ in range(3):
        assert equal(cramped[ClipDraw(0, (0,))], one)
    assert calls == [0, 1] * 3


def test_unusable_videos_are_skipped_with_their_reasons():
    clips = dataset(
        moving_boxes(),
        moving_boxes(4, name="short"),
        moving_boxes(name="blind", with_images=False),
        moving_boxes(name="secret", with_truth=False),
        length=3,
        taus=(2,),
    )
    assert [video.info.name for video in clips.videos] == ["boxes"]
    reasons = {skip.name: skip.reason for skip in clips.skipped}
    assert reasons == {
        "short": "it has 4 frames, a clip of 3 at tau 2 needs 5",
        "blind": "it has no images",
        "secret": "it has no ground truth",
    }


def test_nothing_to_train_on():
    with pytest.raises(DataError, match="short: it has 3 frames, a clip of 2 at tau 5 needs 6"):
        dataset(moving_boxes(3, name="short"), taus=(5,))
    with pytest.raises(DataError, match="none was given"):
        dataset()


def test_videos_of_two_label_spaces_are_refused():
    other = moving_boxes(name="other", labels=label_space("cityscapes"))
    with pytest.raises(ConfigError, match="boxes has the label space 'kitti-step', other has"):
        dataset(moving_boxes(), other)


def test_frames_that_differ_in_size_are_named():
    class Uneven(DrawnVideo):
        def image(self, index):
            image = super().image(index)
            return image[:, :-1] if index == 1 else image

    with pytest.raises(DataError) as caught:
        dataset(Uneven(moving_boxes().scene))[ClipDraw(0, (0,))]
    assert "the image of drawn/000001 is 95x48 pixels" in caught.value.message
    assert "the image of drawn/000000 is 96x48" in caught.value.message


def test_an_image_must_be_rgb():
    class Grey(DrawnVideo):
        def image(self, index):
            return super().image(index)[:, :, 0]

    with pytest.raises(DataError, match=r"uint8 of shape \(48, 96\); expected uint8 RGB"):
        dataset(Grey(moving_boxes().scene))[ClipDraw(0, (0,))]


def test_things_that_leave_the_crop_are_dropped():
    # A crop of one pixel cannot hold both objects.
    clips = dataset(moving_boxes(), augment=AugmentSettings(crop=(1, 1)))
    counts = {len(clips[ClipDraw(0, (seed,))].targets[0].labels) for seed in range(60)}
    assert counts == {0, 1}


def test_a_dataset_crosses_processes():
    clips = dataset(moving_boxes())
    there = pickle.loads(pickle.dumps(clips))  # noqa: S301 - our own
    assert equal(there[ClipDraw(0, (0,))], clips[ClipDraw(0, (0,))])
