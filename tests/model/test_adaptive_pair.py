import numpy as np
import pytest
import torch
from helpers.linkers import written_model
from helpers.mapt_clips import small_mapt
from helpers.training_jobs import moving_boxes

from mapt_bench.baselines import build_associator
from mapt_bench.baselines.segmenters import GroundTruthSegments
from mapt_bench.errors import ConfigError
from mapt_bench.model import AdaptivePair, MaptAssociator, MaptCues, MaptLinker
from mapt_bench.model.cues import Motion
from mapt_bench.tracking import FrameSegments, SegmentTracker, TwoStepSettings
from mapt_bench.tracking.joint_linker import LinkerSettings
from mapt_bench.tracking.loop import run_tracker

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model():
    return small_mapt().eval()


def test_slow_objects_are_compared_with_a_frame_longer_ago():
    adaptive = AdaptivePair(target=0.5, longest=5)

    def chosen(*moves, frames=9, shortest=1):
        moved = np.array(moves, dtype=np.float32)
        return adaptive.choose(moved, shortest=shortest, frames=frames)

    assert [chosen(0.01), chosen(0.26), chosen(0.9)] == [5, 2, 1]
    assert chosen(0.01, 0.26, 0.9) == 2  # the median decides
    assert chosen(0.01, frames=3) == 3  # no frame before the video
    assert chosen(0.9, shortest=2) == 2
    assert chosen() == 1


@pytest.mark.parametrize("wrong", [{"target": 0.0}, {"target": 0.5, "longest": 0}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(reversed(wrong))):
        AdaptivePair(**wrong)


def test_displacements_are_read_inside_each_segment_and_divided_by_its_size(model):
    cues = MaptCues(model)
    levels = len(model.config.motion.dilations)
    offsets = torch.zeros(1, levels, 9, 2, 8, 16)
    offsets[..., 1, :, :8] = -3.0  # the left half moved by three cells
    motion = Motion(offsets, torch.full((1, levels, 8, 16), 1 / levels))
    index_map = np.full((32, 64), -1, dtype=np.int32)
    index_map[8:24, 8:24] = 0  # 16 cells
    index_map[8:24, 40:56] = 1
    segments = FrameSegments(
        np.full((32, 64), 255, np.uint8), index_map, np.array([13, 13]), np.ones(2)
    )
    assert cues.displacements(segments, motion) == pytest.approx([0.75, 0.0], abs=1e-5)


def predict(monkeypatch, value):
    """Let the motion head predict the same displacement of every segment in every frame."""
    monkeypatch.setattr(
        MaptCues, "displacements", lambda self, segments, motion: np.full(segments.count, value)
    )


def ids_of(associator, video):
    tracker = SegmentTracker(GroundTruthSegments(video), associator)
    list(run_tracker(tracker, video))
    return [association.ids.tolist() for association in tracker.associations]


@pytest.mark.parametrize("memory", [0, 3])
@pytest.mark.parametrize(("moves", "pair"), [(0.9, 1), (0.25, 2), (0.01, 3)])
def test_a_constant_choice_is_the_fixed_interval(model, monkeypatch, memory, moves, pair):
    video = moving_boxes(7, speed=5)
    predict(monkeypatch, moves)
    adaptive = AdaptivePair(target=0.5, longest=3)
    settings = TwoStepSettings(memory=memory)
    fixed = TwoStepSettings(memory=memory, pair=pair)
    linker, fixed_linker = LinkerSettings(memory=memory), LinkerSettings(memory=memory, pair=pair)
    written = written_model("both")
    assert ids_of(MaptAssociator(model, settings=settings, adaptive=adaptive), video) == ids_of(
        MaptAssociator(model, settings=fixed), video
    )
    assert ids_of(MaptLinker(model, written, settings=linker, adaptive=adaptive), video) == ids_of(
        MaptLinker(model, written, settings=fixed_linker), video
    )


def test_an_interval_that_changes_finds_the_state_of_every_track(model, monkeypatch):
    moves = iter([0.9, 0.9, 0.01, 0.25, 0.01, 0.9, 0.25, 0.01, 0.9, 0.25] * 2)
    monkeypatch.setattr(
        MaptCues, "displacements", lambda self, segments, motion: np.array([next(moves)])
    )
    video = moving_boxes(10)
    adaptive = AdaptivePair(target=0.5, longest=3)
    for memory in (0, 2):
        associator = MaptAssociator(
            model, settings=TwoStepSettings(memory=memory), adaptive=adaptive
        )
        tracker = SegmentTracker(GroundTruthSegments(video), associator)
        list(run_tracker(tracker, video))
        assert len(tracker.associations) == 10


def test_it_needs_the_motion_head():
    static = small_mapt(propagation="none").eval()
    with pytest.raises(ConfigError, match="no motion head"):
        MaptAssociator(static, heads="appearance", adaptive=AdaptivePair(target=0.5))


@pytest.mark.parametrize(
    "name", ["mapt", "mapt:motion", "mapt:paper", "mapt:propagation", "mapt:displacement"]
)
def test_a_row_may_choose_its_interval(name):
    assert build_associator(name, pair_target=0.3, longest_pair=4)._memory._longest == 4
    assert build_associator(name)._memory._longest == 1


def test_a_setting_out_of_range_is_refused():
    with pytest.raises(ConfigError, match="pair_target is -1"):
        build_associator("mapt:paper", pair_target=-1.0)
    with pytest.raises(ConfigError, match="longest_pair is 0"):
        build_associator("mapt:paper", pair_target=0.3, longest_pair=0)
