"""Detection of several frames at a time, and in half precision, against one frame at a time."""

import numpy as np
import pytest
import torch
from helpers.mapt_clips import small_mapt
from helpers.training_jobs import moving_boxes

from mapt_bench.devices import check_precision
from mapt_bench.errors import ConfigError
from mapt_bench.model import MaptCues, MaptSegmenter
from mapt_bench.model.network import MaptNetwork

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model():
    return small_mapt(**{"instance.score_threshold": 1e-4, "instance.detections": 6}).eval()


def frames_of(count):
    video = moving_boxes(count)
    return [video.frame(index) for index in range(count)]


@pytest.mark.parametrize("batch", [2, 3, 5])
def test_frames_detected_together_equal_frames_detected_alone(model, batch):
    frames = frames_of(5)
    alone = [MaptSegmenter(model).segment(frame) for frame in frames]
    assert sum(each.count for each in alone) > 5
    segmenter, together = MaptSegmenter(model), []
    for first in range(0, 5, batch):
        together += segmenter.segment_all(frames[first : first + batch])
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one.class_ids, other.class_ids)
        assert np.allclose(one.scores, other.scores, rtol=0, atol=1e-5)
        assert np.mean(one.index_map != other.index_map) < 1e-3
        assert np.mean(one.stuff != other.stuff) < 1e-3
        assert np.allclose(one.cues.features, other.cues.features, rtol=0, atol=1e-2)
        assert np.allclose(one.cues.descriptors, other.cues.descriptors, rtol=0, atol=1e-3)
        assert np.allclose(one.embeddings, other.embeddings, rtol=0, atol=1e-3)


def test_the_network_sees_a_batch_once(model, monkeypatch):
    sizes, real = [], MaptNetwork.find

    def find(network, images, *, precision):
        sizes.append(len(images))
        return real(network, images, precision=precision)

    monkeypatch.setattr(MaptNetwork, "find", find)
    assert len(MaptSegmenter(model).segment_all(frames_of(3))) == 3
    assert sizes == [3]


def test_each_frame_of_a_batch_keeps_its_own_features(model):
    frames = frames_of(3)
    kept = {}

    class Keeps:
        def once(self, what, places, make, *, of_segments=False):
            return kept.setdefault(places, make())

    MaptSegmenter(model, Keeps()).segment_all(frames)
    assert [*kept] == [(0,), (1,), (2,)]
    for frame in frames:
        seen, alone = kept[(frame.index,)], MaptCues(model).see(frame.image)
        for mine, other in zip(seen.levels, alone.levels, strict=True):
            assert mine.shape == other.shape
            assert torch.allclose(mine, other, rtol=0, atol=1e-3)


def test_half_precision_detects_and_leaves_float32(model):
    try:
        check_precision(torch.device("cpu"), "bf16")
    except ConfigError:
        pytest.skip("this processor does not compute in bf16")
    segmenter = MaptSegmenter(model, precision="bf16")
    whole, half = (each.segment(frames_of(1)[0]) for each in (MaptSegmenter(model), segmenter))
    assert half.embeddings.dtype == np.float32
    assert not np.array_equal(half.cues.features, whole.cues.features)
    assert np.allclose(half.cues.features, whole.cues.features, rtol=0.1, atol=0.1)
