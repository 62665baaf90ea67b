"""Clips that carry ground-truth flow, and what augmentation does to it."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from helpers.annotated_scenes import AnnotatedScene
from helpers.scenes import Box
from helpers.training_jobs import moving_boxes

from mapt_bench.baselines.flownet2.flow_layers import warp
from mapt_bench.errors import DataError
from mapt_bench.labels import FlowField
from mapt_bench.synthetic.video import WorldVideo
from mapt_bench.synthetic.world_settings import WorldSettings
from mapt_bench.training.augmentation import Window
from mapt_bench.training.clips import ClipDataset, ClipDraw
from mapt_bench.training.frames import flow_to_earlier
from mapt_bench.training.recipe import AugmentSettings, ClipSettings

NAN = float("nan")


def known_boxes(frames=6, speed=3):
    return AnnotatedScene([[Box(1, 10 + speed * at)] for at in range(frames)], name="known")


def clip_of(video, draw=0, augment=None, **clips):
    settings = ClipSettings(flow=True, **clips)
    data = ClipDataset([video], settings, augment or AugmentSettings(flip=0), cache_bytes=10**7)
    return data[ClipDraw(draw, (draw,))]


def field(*rows):
    """A flow of horizontal vectors."""
    x = np.array(rows, dtype=np.float32)
    return np.stack([x, np.where(np.isnan(x), NAN, 0)], axis=2)


def test_flow_leads_to_the_image_before():
    clip = clip_of(known_boxes())
    assert clip.motion.flow.shape == (1, 2, 48, 96)
    assert clip.motion.flow.dtype == torch.float32
    # The car moved 3 pixels to the right; around it nothing did.
    assert clip.motion.flow[0, :, 15, 20].tolist() == [-3, 0]
    assert clip.motion.flow[0, :, 40, 20].tolist() == [0, 0]
    # Ground that the car has just left was hidden before.
    assert not clip.motion.valid[0, 15, 10:13].any()
    assert clip.motion.valid[0, 40].all()


def test_clips_carry_no_flow_unless_asked():
    data = ClipDataset([known_boxes()], ClipSettings(), AugmentSettings(flip=0))
    assert data[ClipDraw(0, (0,))].motion is None


def test_a_triple_has_two_flows():
    clip = clip_of(known_boxes(), length=3)
    assert clip.motion.flow.shape == (2, 2, 48, 96)
    assert clip.motion.flow[:, 0, 15, 20].tolist() == [-3, -3]


def test_a_flip_by_hand():
    window = Window(flip=True, scaled=(1, 4), top=0, left=0, size=(1, 4))
    flow, valid = window.of_flow(field([0, -1, NAN, -1]))
    assert flow[0].tolist() == [[1, 0, 1, 0]]
    assert valid.tolist() == [[True, False, True, True]]


def test_twice_the_width_doubles_horizontal_vectors_alone():
    whole = np.array([[[0, 0], [-1, 0]], [[0, -1], [-1, -1]]], dtype=np.float32)
    window = Window(flip=False, scaled=(2, 4), top=0, left=0, size=(2, 4))
    flow, valid = window.of_flow(whole)
    assert flow[0].tolist() == [[0, 0, -2, -2]] * 2
    assert flow[1].tolist() == [[0] * 4, [-1] * 4]
    assert valid.all()


def test_what_leads_out_of_the_window_is_not_valid():
    # Of four columns the last three are seen; the fourth of the window is beyond the frame.
    window = Window(flip=False, scaled=(1, 4), top=0, left=1, size=(1, 4))
    flow, valid = window.of_flow(field([0, -1, -1, 0.5]))
    assert valid.tolist() == [[False, True, False, False]]
    assert flow[0].tolist() == [[0, -1, 0, 0]]


def test_a_window_beside_the_frame_knows_no_flow():
    window = Window(flip=False, scaled=(1, 4), top=0, left=9, size=(1, 4))
    assert not window.of_flow(field([0, 0, 0, 0]))[1].any()


@pytest.fixture(scope="module")
def street():
    return WorldVideo(
        WorldSettings(kind="street", seed=5, frames=8, height=128, width=416), "street"
    )


@pytest.mark.parametrize("draw", range(4))
def test_the_image_before_warped_by_the_flow_is_the_image(street, draw):
    augment = AugmentSettings(flip=0.5, scale=(0.8, 1.5), crop=(96, 200), shift_px=10)
    clip = clip_of(street, draw, augment, interval="sampled", taus=(1, 3))
    valid = clip.motion.valid[0]
    assert valid.float().mean() > 0.2
    warped = warp(clip.images[:1], clip.motion.flow)[0]
    with_flow = (warped - clip.images[1]).abs().mean(0)[valid].mean()
    # The flow in the other direction is a flow that augmentation got wrong.
    turned = warp(clip.images[:1], -clip.motion.flow)[0]
    assert with_flow < 0.03
    assert with_flow < 0.7 * (turned - clip.images[1]).abs().mean(0)[valid].mean()


def test_flow_over_several_frames_is_that_of_the_chain_where_both_are_known(street):
    whole, first, second = (
        street.flow_between(6, 4),
        street.flow_between(6, 5),
        street.flow_between(5, 4),
    )
    rows, columns = np.nonzero(whole.valid & first.valid)
    moved = first.flow[rows, columns]
    y, x = (np.rint(at).astype(int) for at in (rows + moved[:, 1], columns + moved[:, 0]))
    codes = street.truth(6).codes[rows, columns]
    same = second.valid[y, x] & (street.truth(5).codes[y, x] == codes)
    assert same.mean() > 0.7
    chained = (moved + second.flow[y, x])[same]
    apart = np.linalg.norm(chained - whole.flow[rows, columns][same], axis=1)
    assert np.median(apart) < 0.1


def test_neighbours_flow_is_one_of_all_flows(street):
    for known, asked in (
        (street.backward_flow(3), street.flow_between(3, 2)),
        (street.forward_flow(3), street.flow_between(3, 4)),
    ):
        assert np.array_equal(known.flow, asked.flow)
        assert np.array_equal(known.valid, asked.valid)


@pytest.mark.parametrize("frames", [(-1, 0), (0, 8), (99, 0)])
def test_flow_of_frames_that_there_are_not(street, frames):
    with pytest.raises(DataError, match="there is no frame"):
        street.flow_between(*frames)


def test_videos_that_do_not_know_their_flow_are_refused():
    with pytest.raises(
        DataError, match="boxes: it has no ground-truth flow; only synthetic videos"
    ):
        clip_of(moving_boxes())
    with pytest.raises(DataError, match=r"neighbouring frames only, so clips.taus must be \[1\]"):
        clip_of(known_boxes(), taus=(2,))
    with pytest.raises(DataError, match=r"from frame 3 to 1 is not known \(it knows"):
        flow_to_earlier(known_boxes(), 3, 1)


def test_flow_is_read_once():
    calls = []

    @dataclass(frozen=True)
    class Counting(AnnotatedScene):
        def backward_flow(self, index) -> FlowField:
            calls.append(index)
            return super().backward_flow(index)

    data = ClipDataset(
        [Counting(known_boxes().scene)],
        ClipSettings(flow=True),
        AugmentSettings(flip=0),
        cache_bytes=10**7,
    )
    for seed in range(3):
        data[ClipDraw(0, (seed,))]
    assert calls == [1]
