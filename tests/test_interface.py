"""Build a tracker from a row or from an object, and run it."""

import numpy as np
import pytest
from helpers.scenes import KITTI
from helpers.small_runs import walk, write_videos

import mapt_bench as mb
from mapt_bench.errors import TrackerError


class Nearest:
    """One identity for each segment, by its position in the list."""

    needs_images = False

    def start(self, info):
        self.frames = 0

    def associate(self, frame, segments):
        self.frames += 1
        return mb.Association(np.arange(1, segments.count + 1))


class Whole:
    def start(self, info):
        self.size = info.height, info.width

    def step(self, frame):
        return mb.as_panoptic_map((np.zeros(self.size, int), np.zeros(self.size, int)))


def scores(tracker, video):
    scorer = mb.Scorer(video.info.labels)
    for index, found in enumerate(mb.run_tracker(tracker, video)):
        scorer.update(video.truth(index), found)
    return scorer.compute().scores


@pytest.mark.parametrize("row", ["copy", "sort+memory=3", "both+memory,motion_threshold=0.3"])
def test_rows(row):
    video = walk(6)
    assert scores(mb.build_tracker(row, video), video)["PQ"] == pytest.approx(1)


def test_the_oracle_is_perfect_on_its_segments():
    video = walk(6)
    found = scores(mb.build_tracker("oracle", video), video)
    assert (found["PAT"], found["IDSW"]) == (pytest.approx(1), 0)


def test_segments_and_their_seed():
    video = walk(12)
    noisy = [
        scores(mb.build_tracker("oracle", video, segments="noisy", seed=s), video)
        for s in (0, 0, 3)
    ]
    assert noisy[0] == noisy[1] != noisy[2]


def test_saved_segments(tmp_path):
    video = walk(6)
    folder = write_videos(tmp_path / "saved", video)
    tracker = mb.build_tracker("copy", video, segments=folder)
    assert scores(tracker, video) == scores(mb.build_tracker("copy", video), video)


def test_an_associator_object():
    video, mine = walk(6), Nearest()
    assert scores(mb.build_tracker(mine, video), video)["PQ"] == pytest.approx(1)
    assert mine.frames == 6


def test_a_whole_tracker_object():
    video = walk(6)
    assert scores(mb.build_tracker(Whole(), video), video)["TQ"] == 0
    with pytest.raises(mb.ConfigError, match=r"Whole has step.*omit segments"):
        mb.build_tracker(Whole(), video, segments="noisy")


def test_what_an_object_returns_is_checked():
    class Wrong(Nearest):
        def associate(self, frame, segments):
            return mb.Association(np.ones(segments.count + 1, dtype=int))

    class Failing(Nearest):
        def associate(self, frame, segments):
            raise RuntimeError("oh")

    video = walk(3)
    with pytest.raises(mb.DataError, match="one a segment"):
        list(mb.run_tracker(mb.build_tracker(Wrong(), video), video))
    with pytest.raises(TrackerError, match=r"test_interface:.*Failing failed: RuntimeError: oh"):
        list(mb.run_tracker(mb.build_tracker(Failing(), video), video))


@pytest.mark.parametrize(
    ("row", "options", "message"),
    [
        ("srot", {}, "did you mean 'sort'"),
        (object(), {}, "is no tracker"),
        ("copy", {"segments": "nosy"}, "did you mean 'noisy'"),
        ("oracle+memory", {}, "has no memory"),
        ("copy", {"pair": 0}, "pair"),
    ],
)
def test_what_cannot_be_built(row, options, message):
    with pytest.raises(mb.ConfigError, match=message):
        mb.build_tracker(row, walk(3), **options)


def test_readers_take_text_and_names(tmp_path):
    folder = write_videos(tmp_path / "data", walk(4)).parents[2]
    by_name, plain = mb.open_maps(str(folder), "kitti-step"), mb.open_maps(folder, KITTI)
    assert by_name.frame_count == plain.frame_count == 4
    assert by_name.labels is KITTI
    assert [video.info.labels for video in mb.open_videos(str(folder))] == [KITTI]
    with pytest.raises(mb.ConfigError, match="did you mean 'kitti-step'"):
        mb.open_videos(folder, "kitti-stpe")
