import numpy as np
import pytest
from helpers.annotated_scenes import AnnotatedScene
from helpers.scenes import Box

from mapt_bench.data.flow_fields import chained_flow
from mapt_bench.labels import FlowField


def _field(width, shift, valid=None):
    flow = np.zeros((2, width, 2), dtype=np.float32)
    flow[..., 0] = shift
    seen = np.ones((2, width), dtype=bool) if valid is None else np.tile(valid, (2, 1))
    return FlowField(flow, seen)


def test_one_flow_is_itself_where_it_is_valid():
    field = _field(4, -1, np.array([False, True, True, True]))
    chained = chained_flow([field])
    assert np.array_equal(chained.valid, field.valid)
    assert np.array_equal(chained.flow[field.valid], field.flow[field.valid])
    assert not chained.flow[~field.valid].any()


def test_fractions_add_up_and_are_read_at_the_nearest_pixel():
    second = np.zeros((2, 6, 2), dtype=np.float32)
    second[:, :3, 0], second[:, 3:, 0] = 10, -1.25
    chained = chained_flow([_field(6, 0.6), FlowField(second, np.ones((2, 6), dtype=bool))])
    # From 2 it is 2.6, nearest to 3, where the flow is -1.25; from 1 it is 1.6, nearest to 2.
    assert chained.flow[0, 2, 0] == pytest.approx(-0.65)
    assert chained.flow[0, 1, 0] == pytest.approx(10.6)


def test_what_leaves_the_frame_on_the_way_is_lost_though_it_would_come_back():
    chained = chained_flow([_field(3, -2), _field(3, 2)])
    assert chained.valid[0].tolist() == [False, False, True]


def test_what_is_hidden_on_the_way_is_lost():
    # The nearer box stands before the farther one in frame 1 only.
    scene = [[Box(1, 30), Box(2, x, y=8, height=16)] for x in (60, 30, 0)]
    video = AnnotatedScene(scene)
    chained = chained_flow([video.backward_flow(2), video.backward_flow(1)])
    far, near = np.s_[10:22, 30:42], np.s_[8:24, 0:12]
    assert not chained.valid[far].any()
    assert chained.valid[near].all()
    assert (chained.flow[near] == (60, 0)).all()


def test_nothing_cannot_be_followed():
    with pytest.raises(ValueError, match="no flow"):
        chained_flow([])
