from helpers.maps import KITTI, shared_folder

from mapt_bench.baselines import build_associator
from mapt_bench.baselines.segmenters import GroundTruthSegments
from mapt_bench.data import open_videos

TRACKERS = ("iou", "sort", "bytetrack")


def test_real_masks_as_maps_and_as_text_are_tracked_alike():
    maps = open_videos(shared_folder("data", "kitti_mots_gt", "things_only_step"), KITTI)
    text = open_videos(shared_folder("data", "kitti_mots_gt", "instances_txt"), KITTI)
    frames = 0
    for left, right in zip(maps, text, strict=True):
        assert left.info.frame_names == right.info.frame_names
        sides = [(video, *_started(video)) for video in (left, right)]
        for index in range(left.info.frame_count):
            answers = [_answers(*side, index) for side in sides]
            assert answers[0] == answers[1]
            frames += 1
    assert frames == 520


def _started(video):
    associators = [build_associator(name) for name in TRACKERS]
    for associator in associators:
        associator.start(video.info)
    return GroundTruthSegments(video), associators


def _answers(video, segmenter, associators, index):
    """Masks of the segments, and the identities that each tracker gives them."""
    frame = video.frame(index)
    segments = segmenter.segment(frame)
    ids = [associator.associate(frame, segments).ids.tolist() for associator in associators]
    return ids, segments.index_map.tobytes(), segments.class_ids.tolist()
