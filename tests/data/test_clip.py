import hashlib
import pickle

import numpy as np
import pytest

from mapt_bench.data import clip
from mapt_bench.data.clip import ClipVideo, clip_sequence_names, clip_videos
from mapt_bench.errors import ConfigError

CAR, PERSON, VOID = 13, 11, 255
MAPS_OF_SEED_0 = "0d92d1eadbc15f0034fd6cc29284c48da206b4e7fe2a6b60c97fe5d50a57f90b"


def maps_fingerprint(videos):
    digest = hashlib.sha256()
    for video in videos:
        for index in range(video.info.frame_count):
            digest.update(video.truth(index).codes.astype("<u4").tobytes())
    return digest.hexdigest()


def middle(video, track_id, index):
    """Column of the middle of a track's pixels, None where it is not seen."""
    ids = video.truth(index).ids
    columns = np.nonzero(ids == track_id)[1]
    return float(columns.mean()) if len(columns) else None


def test_a_seed_draws_the_same_maps_everywhere():
    # A change here changes every number on the clip: raise CLIP_VERSION with it.
    assert clip.CLIP_VERSION == 1
    assert maps_fingerprint(clip_videos()) == MAPS_OF_SEED_0


def test_a_seed_draws_the_same_images_again():
    first = ClipVideo("fast").frame(3).image.copy()
    clip._drawn.cache_clear()
    assert np.array_equal(ClipVideo("fast").frame(3).image, first)


def test_another_seed_draws_another_clip():
    truth = [ClipVideo("crossing", seed).truth(5).codes for seed in (0, 1)]
    images = [ClipVideo("crossing", seed).frame(5).image for seed in (0, 1)]
    assert not np.array_equal(*truth)
    assert not np.array_equal(*images)


@pytest.mark.parametrize("name", clip_sequence_names())
def test_every_sequence_is_a_whole_video(name):
    video = ClipVideo(name)
    info = video.info
    assert (info.height, info.width, info.frame_count, info.has_images) == (128, 416, 20, True)
    assert info.labels.name == "kitti-step"
    assert video.has_truth
    for index in (0, 19):
        truth, frame = video.truth(index), video.frame(index)
        assert truth.shape == (128, 416)
        assert frame.name == info.frame_names[index]
        assert (frame.image.shape, frame.image.dtype) == ((128, 416, 3), np.uint8)
        assert info.labels.is_known_table[truth.classes].all()
        things = info.labels.is_thing_table[truth.classes]
        assert not truth.ids[~things].any()
        assert things.any()


def test_some_pixels_are_void_and_some_people_are_crowd():
    void = crowd = 0
    for video in clip_videos():
        truth = video.truth(10)
        void += (truth.classes == VOID).mean() / 6
        crowd += ((truth.classes == PERSON) & (truth.ids == 0)).sum()
    assert 0.001 < void < 0.02
    assert crowd > 50


def test_a_car_is_hidden_for_some_frames_and_comes_back():
    video = ClipVideo("hidden")
    seen = np.array([[middle(video, track, t) is not None for t in range(20)] for track in (1, 2)])
    for row in seen:
        first, last = np.flatnonzero(row)[[0, -1]]
        gap = (~row[first:last]).sum()
        assert 2 <= gap <= 6


def test_fast_cars_move_by_about_their_own_length():
    video = ClipVideo("fast")
    # Track 1 is a car of the near lane, about 67 pixels long; all of it is in view at frames 2, 3.
    moved = middle(video, 1, 3) - middle(video, 1, 2)
    assert 50 < moved < 80


def test_look_alikes_share_their_colours():
    image, truth = ClipVideo("convoy").frame(0).image, ClipVideo("convoy").truth(0)
    means = [image[truth.ids == track].mean(axis=0) for track in (2, 3, 4)]
    assert np.abs(np.diff(means, axis=0)).max() < 12


def test_videos_cross_process_borders():
    video = ClipVideo("pan", seed=3)
    again = pickle.loads(pickle.dumps(video))  # noqa: S301 - written just now
    assert np.array_equal(again.truth(4).codes, video.truth(4).codes)
    assert len(pickle.dumps(video)) < 500


def test_an_unknown_sequence_is_refused():
    with pytest.raises(ConfigError, match=r"'crwod'; did you mean 'crowd'"):
        ClipVideo("crwod")
