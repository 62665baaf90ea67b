import numpy as np
import pytest
import torch
from helpers.mapt_clips import small_mapt
from helpers.scenes import Box, DrawnVideo, link, steps_of
from helpers.training_jobs import moving_boxes

from mapt_bench.baselines.segmenters import GroundTruthSegments
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import label_space
from mapt_bench.model import MaptAssociator, MaptCues, MaptSegmenter
from mapt_bench.model.cues import Motion
from mapt_bench.tracking import SegmentTracker, StandStill, TwoStepSettings
from mapt_bench.tracking.archive import ArchiveSegmenter, SegmentArchive, write_archive
from mapt_bench.tracking.loop import run_tracker
from mapt_bench.tracking.masks import soft_masks

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model():
    return small_mapt(**{"instance.score_threshold": 1e-4, "instance.detections": 6}).eval()


def ids_of(tracker, video):
    maps = list(run_tracker(tracker, video))
    return [association.ids.tolist() for association in tracker.associations], maps


def test_given_segments_are_followed_by_an_untrained_motion_head(model):
    # It copies, and the boxes move by less than their size.
    video = moving_boxes(5)
    tracker = SegmentTracker(GroundTruthSegments(video), MaptAssociator(model, heads="motion"))
    list(run_tracker(tracker, video))
    steps = [association.steps for association in tracker.associations]
    assert steps == [("new", "new"), *[("motion", "motion")] * 4]


@pytest.mark.parametrize("heads", ["motion", "appearance", "both"])
def test_replay_from_an_archive_needs_no_image_and_gives_the_same(model, heads, tmp_path):
    video = moving_boxes(5)
    settings = TwoStepSettings(memory=3, pair=2)
    live = SegmentTracker(
        MaptSegmenter(model), MaptAssociator(model, heads=heads, settings=settings)
    )
    expected, maps = ids_of(live, video)
    assert any(expected)
    segmenter = MaptSegmenter(model)
    found = (segmenter.segment(video.frame(index)) for index in range(5))
    write_archive(tmp_path / "a.npz", video.info, found)

    replayed = ArchiveSegmenter(SegmentArchive(tmp_path / "a.npz"))
    blind = SegmentTracker(replayed, MaptAssociator(model, heads=heads, settings=settings))
    without_images = DrawnVideo(video.scene, name=video.info.name, with_images=False)
    again, same_maps = ids_of(blind, without_images)
    assert again == expected
    for one, other in zip(maps, same_maps, strict=True):
        assert np.array_equal(one.codes, other.codes)


def test_cues_of_other_weights_are_not_believed(model):
    video = moving_boxes(2)
    frame = video.frame(0)
    foreign = MaptCues(small_mapt(seed=1)).find(frame.image)
    own = MaptCues(model).describe(frame.image, foreign)
    assert own.cues.source == model.source != foreign.cues.source
    assert np.abs(own.cues.features - foreign.cues.features).max() > 1e-3
    associator = MaptAssociator(model)
    associator.start(video.info)
    associator.associate(frame, foreign)  # it looks for itself
    kept = associator._memory._frames[frame.index]
    assert np.array_equal(kept.features, own.cues.features)


def test_describing_found_segments_again_changes_nothing(model):
    image = moving_boxes(1).frame(0).image
    cues = MaptCues(model)
    found = cues.find(image)
    again = cues.describe(image, found)
    assert np.array_equal(again.cues.features, found.cues.features)
    assert np.allclose(again.embeddings, found.embeddings, atol=1e-6)


def test_masks_are_carried_one_by_one_at_any_size_of_image(model):
    cues = MaptCues(model)
    image = np.zeros((50, 90, 3), dtype=np.uint8)  # no multiple of 32
    seen = cues.find(image).cues
    index_map = np.full((50, 90), -1, dtype=np.int32)
    index_map[20:40, 30:60] = 0
    masks = soft_masks(index_map, 1, 4)
    both = np.concatenate((masks, masks))  # one hidden behind the other
    carried = cues.carry(both, cues.motion(seen, seen))
    assert carried.shape == (2, 13, 23)
    assert np.allclose(carried[0], carried[1])
    assert np.minimum(carried[0], masks[0]).sum() / np.maximum(carried[0], masks[0]).sum() > 0.6
    assert cues.carry(masks[:0], cues.motion(seen, seen)).shape == (0, 13, 23)


def test_a_mask_is_carried_to_the_same_bits_whatever_is_carried_with_it(model):
    cues = MaptCues(model)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 64, 96, 3), dtype=np.uint8)
    motion = cues.motion(*(cues.find(image).cues for image in images))
    masks = rng.random((19, 16, 24), dtype=np.float32)
    together = cues.carry_each(masks, motion)
    for some in ([7], [3, 12], range(1, 18)):
        assert np.array_equal(cues.carry_each(masks[list(some)], motion), together[list(some)])
    assert np.allclose(together, cues.carry(masks, motion), atol=1e-5)
    assert cues.carry_each(masks[:0], motion).shape == (0, 16, 24)


def test_lost_tracks_are_compared_by_what_they_look_like_alone(model, monkeypatch):
    asked = []
    real = MaptCues.embed

    def noted(self, segments, earlier=None, motion=None):
        asked.append(earlier is not None)
        return real(self, segments, earlier, motion)

    monkeypatch.setattr(MaptCues, "embed", noted)
    scene = moving_boxes(2).scene
    link(MaptAssociator(model), scene)
    # The first frame has none before it; the second is seen next to the first, and alone.
    assert asked == [False, False, True, False]
    asked.clear()
    link(MaptAssociator(model, heads="appearance"), scene)
    assert not any(asked)


def moving_by(down, right):
    """Return what the motion head would find if all had moved by so many cells of four pixels."""
    offsets = torch.zeros(1, 2, 9, 2, 16, 24)
    offsets[:, :, :, 0], offsets[:, :, :, 1] = -down, -right
    return Motion(offsets, torch.full((1, 2, 16, 24), 0.5))


def test_a_motion_is_a_flow_into_the_earlier_frame(model):
    flow = MaptCues(model).flow(moving_by(1, 3), (50, 90))
    assert flow.shape == (13, 23, 2)  # ceil(50 / 4), ceil(90 / 4): without the padding
    assert flow.dtype == np.float32
    assert np.array_equal(flow, np.broadcast_to(np.float32([-3, -1]), flow.shape))


@pytest.mark.parametrize(
    ("found", "steps"),
    [
        (moving_by(1, 3), ("motion",)),  # the way of the box: 12 pixels to the right, 4 down
        (moving_by(3, 1), ("new",)),
        (moving_by(-1, -3), ("new",)),
        (moving_by(0, 0), ("new",)),
    ],
)
def test_masks_follow_the_displacement_in_finer_cells(model, monkeypatch, found, steps):
    monkeypatch.setattr(MaptCues, "motion", lambda *given: found)
    monkeypatch.setattr(MaptCues, "carry_each", None)  # the kernels carry none
    settings = TwoStepSettings(motion_threshold=0.95)
    mine = MaptAssociator(model, heads="motion", carrier="displacement", settings=settings)
    # Neither side of the box is at the edge of a cell of four pixels: coarse masks would differ.
    scene = [[Box(1, 9, y=9)], [Box(1, 21, y=13)]]
    assert steps_of(mine, scene)[1] == steps
    assert mine._two_step._stride == 1


def test_another_propagation_takes_the_place_of_the_motion_head(model, monkeypatch):
    mine = MaptAssociator(model, heads="motion", propagation=StandStill())
    monkeypatch.setattr(MaptCues, "carry_each", None)
    assert steps_of(mine, moving_boxes(3).scene)[1:] == [("motion", "motion")] * 2


def test_heads_that_are_not_there_cannot_decide():
    without_motion = small_mapt(propagation="none")
    for carrier in ("kernels", "displacement"):
        with pytest.raises(ConfigError, match="has no motion head"):
            MaptAssociator(without_motion, carrier=carrier)
    with pytest.raises(ConfigError, match="has no appearance head"):
        MaptAssociator(small_mapt(**{"appearance.enabled": False}))
    MaptAssociator(without_motion, heads="appearance")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"propagation": "none"},
        {"appearance.enabled": False},
        {"propagation": "none", "appearance.enabled": False},
    ],
    ids=["both", "appearance", "motion", "neither"],
)
def test_every_model_tracks_with_the_heads_it_has(changes):
    video = moving_boxes(3)
    maps = list(run_tracker(small_mapt(**changes).tracker(), video))
    assert [each.shape for each in maps] == [(video.info.height, video.info.width)] * 3


def test_videos_of_other_classes_are_refused(model):
    info = moving_boxes(1).info
    other = type(info)(**{**vars(info), "labels": label_space("motchallenge-step")})
    with pytest.raises(DataError, match="has the label space 'kitti-step', the video"):
        MaptSegmenter(model).start(other)


def test_a_frame_without_segments_is_linked(model):
    scene = [[Box(1, 10)], [], [Box(1, 14)]]
    found = link(MaptAssociator(model, settings=TwoStepSettings(memory=5)), scene)
    assert found[1] == {}
    assert found[0] == found[2]  # found again
