"""Segments of another label space: what becomes of them in the target."""

import numpy as np
from helpers.maps import KITTI

from mapt_bench.baselines.segmenters import MappedSegmenter, mapped_segments, segments_share
from mapt_bench.labels import Frame, MappedShare, VideoInfo, class_maps, label_space
from mapt_bench.tracking import FrameCues, FrameSegments

CITY = label_space("cityscapes")
COMMON = class_maps("common").of(CITY)


def segments():
    """A road, and a car, a train, a bus and a person of one pixel each."""
    return FrameSegments(
        stuff=np.array([[0, 255, 255, 255, 255, 9]], dtype=np.uint8),
        index_map=np.array([[-1, 2, 0, 1, 3, -1]], dtype=np.int32),
        class_ids=np.array([16, 15, 13, 11]),
        scores=np.array([0.1, 0.2, 0.3, 0.4]),
        embeddings=np.eye(4, dtype=np.float32),
        cues=FrameCues(
            "net", np.zeros((1, 1, 1), np.float16), np.arange(4.0, dtype=np.float32)[:, None]
        ),
    )


def test_objects_stay_or_their_pixels_become_stuff_or_void():
    found = mapped_segments(segments(), COMMON)
    assert found.class_ids.tolist() == [8, 7]  # car and person, in their order
    assert found.index_map.tolist() == [[-1, 0, -1, -1, 1, -1]]
    assert found.stuff.tolist() == [
        [0, 255, 255, 10, 255, 255]
    ]  # train void, bus stuff, terrain void
    assert found.scores.tolist() == [0.3, 0.4]
    assert found.embeddings.tolist() == np.eye(4)[[2, 3]].tolist()
    assert found.cues.descriptors.tolist() == [[2], [3]]


def test_a_segmenter_starts_with_its_own_label_space():
    class Known:
        needs_images = False

        def start(self, info):
            self.labels = info.labels

        def segment(self, frame):
            return segments()

    known = Known()
    mapped = MappedSegmenter(known, COMMON)
    mapped.start(VideoInfo("a", ("0",), 1, 6, COMMON.target, has_images=False))
    assert known.labels == CITY != KITTI
    assert mapped.segment(Frame(0, "0")).count == 2
    assert mapped.segment(Frame(1, "1")).count == 2
    # Of 6 pixels a frame, train and terrain become void. Of 4 objects, the train; the bus is stuff.
    assert mapped.share == MappedShare(12, 4, 8, 2, 2)
    assert mapped.side == {"from": "cityscapes", **mapped.share.to_dict()}


def test_void_and_frames_without_objects_count_nothing():
    nothing = FrameSegments(
        stuff=np.array([[255, 255, 0]], dtype=np.uint8),
        index_map=np.full((1, 3), -1, dtype=np.int32),
        class_ids=np.zeros(0, dtype=np.int64),
        scores=np.zeros(0),
    )
    assert segments_share(nothing, COMMON) == MappedShare(pixels=1)
