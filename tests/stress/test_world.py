"""Synthetic video under stress: all annotations still agree with the pixels."""

import numpy as np
import pytest
from helpers.stress import EVERYWHERE, VOID_CODE

from mapt_bench.labels import AnnotatedVideo
from mapt_bench.stress import Stress, occluder_label, stress_video
from mapt_bench.synthetic.video import WorldVideo
from mapt_bench.synthetic.world_settings import WorldSettings

STREET = WorldVideo(
    WorldSettings(kind="street", seed=1, frames=12, height=128, width=416), "street"
)


@pytest.mark.parametrize("name", EVERYWHERE)
def test_what_is_known_agrees_with_the_pixels(name):
    stressed = stress_video(STREET, Stress(name, 2))
    # Flow over dropped frames is read at the nearest pixel in each of them.
    agreement = 0.98 if name == "drop" else 0.99
    assert isinstance(stressed, AnnotatedVideo)
    for index in range(1, stressed.info.frame_count, 3):
        codes, before = stressed.truth(index).codes, stressed.truth(index - 1).codes
        for entry in stressed.objects(index):
            assert entry.visible_px == np.count_nonzero(codes == entry.code)
        field = stressed.backward_flow(index)
        rows, columns = np.nonzero(field.valid)
        y, x = (
            np.rint(place + field.flow[rows, columns, axis]).astype(int)
            for place, axis in ((rows, 1), (columns, 0))
        )
        assert rows.size > 0.1 * codes.size
        assert np.mean(before[y, x] == codes[rows, columns]) > agreement
        assert not (codes[rows, columns] == VOID_CODE).any()


@pytest.mark.parametrize(
    ("name", "label"),
    [("bars", "wall"), ("poles", "pole"), ("passing", "truck"), ("shake", "void")],
)
def test_what_stands_in_front_has_a_class(name, label):
    assert occluder_label(stress_video(STREET, Stress(name, 1))) == label
