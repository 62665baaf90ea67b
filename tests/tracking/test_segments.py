import numpy as np
import pytest
from helpers.scenes import CAR, KITTI, ROAD, Box, DrawnVideo, segments_of

from mapt_bench.errors import DataError
from mapt_bench.tracking import Association, FrameSegments, SegmentTracker


def test_compose_lays_things_over_stuff_and_drops_negative_ids():
    segments = segments_of([Box(1, 0, y=0, width=2, height=1), Box(2, 4, y=0, width=2, height=1)])
    laid = segments.compose(np.array([7, -1]), KITTI)
    assert [hex(code) for code in laid.codes[0, :7]] == [
        hex(CAR << 24 | 7),
        hex(CAR << 24 | 7),
        "0x0",
        "0x0",
        "0xff000000",
        "0xff000000",
        "0x0",
    ]


def test_pixels_of_no_object_keep_their_class_and_identity_zero():
    segments = segments_of([])
    segments.stuff[0, 0] = CAR
    laid = segments.compose(np.zeros(0, dtype=np.int64), KITTI)
    assert laid.codes[0, 0] == CAR << 24
    assert laid.codes[0, 1] == ROAD


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stuff": np.zeros((2, 2), np.uint8)}, "same shape"),
        ({"scores": np.zeros(3)}, "1 segments, but 3 scores and 1 embeddings"),
        ({"embeddings": np.zeros((2, 4), np.float32)}, "1 scores and 2 embeddings"),
        ({"class_ids": np.zeros(0, np.int64), "scores": np.zeros(0)}, "but there are 0 segments"),
    ],
)
def test_parts_that_disagree_are_refused(change, message):
    sound = segments_of([Box(1, 0)])
    parts = {
        "stuff": sound.stuff,
        "index_map": sound.index_map,
        "class_ids": sound.class_ids,
        "scores": sound.scores,
    }
    with pytest.raises(DataError, match=message):
        FrameSegments(**{**parts, **change})


class _Fixed:
    needs_images = False

    def start(self, info):
        self.info = info

    def segment(self, frame):
        return segments_of([Box(1, 0)])

    def associate(self, frame, segments):
        return Association(np.array([5]), ("new",), (0,))


def test_a_segment_tracker_joins_its_parts_and_keeps_what_was_decided():
    video = DrawnVideo([[Box(1, 0)]] * 2)
    tracker = SegmentTracker(_Fixed(), _Fixed())
    with pytest.raises(RuntimeError, match="start"):
        tracker.step(video.frame(0))
    for _ in range(2):
        tracker.start(video.info)
        laid = [tracker.step(video.frame(index)) for index in range(2)]
        assert [association.steps for association in tracker.associations] == [("new",)] * 2
    assert laid[0].codes[12, 3] == CAR << 24 | 5
    assert not tracker.needs_images
