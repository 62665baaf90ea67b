import json
import os

import numpy as np
import pytest
from helpers.linkers import linear_network, written_model
from hypothesis import given, settings
from hypothesis import strategies as st

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.tracking.courses import camera_motion
from mapt_bench.tracking.link_model import (
    CUES,
    PAIR,
    SEGMENT,
    TRACK,
    LinkTable,
    contrasted,
    input_names,
    linker_file,
    read_linker,
    write_linker,
)

COSINE = PAIR.measured.index("cosine_best")
IOU = PAIR.measured.index("mask_iou")


def table(ious, allowed=None, cosines=None):
    ious = np.asarray(ious, dtype=float)
    rows, columns = ious.shape
    pair = np.zeros((rows, columns, len(PAIR.measured)))
    pair[..., IOU] = ious
    pair[..., COSINE] = 0.0 if cosines is None else cosines
    return LinkTable(
        pair,
        np.zeros((rows, len(TRACK.measured))),
        np.zeros((columns, len(SEGMENT.measured))),
        np.ones((rows, columns), dtype=bool) if allowed is None else np.asarray(allowed),
    )


def test_probabilities_are_those_of_a_softmax_over_rows_and_columns():
    model = written_model(view={"mask_iou": 1.0}).stages["view"]
    found = model.probabilities(table([[1.0, 0.0]]))
    e = np.e
    rows = np.array([e, 1]) / (e + 1 + 1)  # the two segments, and none
    columns = np.array([e / (e + 1), 1 / 2])  # the track, and none
    assert np.allclose(found, [np.sqrt(rows * columns)], atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 4), st.integers(0, 4), st.integers(0, 1000))
def test_probabilities_are_within_range_and_none_has_its_share(rows, columns, seed):
    rng = np.random.default_rng(seed)
    allowed = rng.random((rows, columns)) < 0.7
    model = written_model(view={"mask_iou": 5.0, "bias": -1.0}).stages["view"]
    found = model.probabilities(table(rng.random((rows, columns)), allowed))
    assert found.shape == (rows, columns)
    assert ((found >= 0) & (found < 1)).all()
    assert (found[~allowed] == 0).all()
    assert (found[allowed] > 0).all()


def test_contrasts_are_distances_to_the_best_rival():
    cosines = np.array([[0.9, 0.2], [0.5, 0.4]])
    found = contrasted(table(np.zeros((2, 2)), cosines=cosines))
    by_track, by_segment = found[..., -2], found[..., -1]
    assert np.allclose(by_track, [[0.4, -0.2], [-0.4, 0.2]])
    assert np.allclose(by_segment, [[0.7, -0.7], [0.1, -0.1]])
    alone = contrasted(table(np.zeros((2, 2)), np.eye(2, dtype=bool), cosines))
    assert (alone[..., -2:] == 1).all()  # no rival is allowed


def test_single_cues_do_not_see_the_other_one():
    motion, appearance = input_names(PAIR, "motion"), input_names(PAIR, "appearance")
    assert not {"cosine_best", "cosine_to_rival_track"} & set(motion)
    assert not {"mask_iou", "predicted_distance", "box_iou"} & set(appearance)
    assert set(PAIR.shared) <= set(motion) & set(appearance)
    assert set(input_names(PAIR, "both")) == set(motion) | set(appearance)
    assert "camera_speed" not in input_names(TRACK, "appearance")


def test_a_linker_file_is_read_back(tmp_path):
    path = tmp_path / "w.linker.json"
    models = [written_model(cues, view={"area_to_last": 2.0}) for cues in CUES]
    write_linker(path, models, {"videos": 3})
    assert json.loads(path.read_text())["record"] == {"videos": 3}
    for model in models:
        again = read_linker(path, model.cues)
        ours = table(np.random.default_rng(0).random((3, 2)))
        expected = model.stages["view"].probabilities(ours)
        assert np.allclose(again.stages["view"].probabilities(ours), expected, atol=1e-3)


def test_files_that_are_no_linker_are_refused(tmp_path):
    path = tmp_path / "w.linker.json"
    with pytest.raises(DataError, match=r"No such file.*fit it again"):
        read_linker(path, "both")
    path.write_text("{}")
    with pytest.raises(DataError, match="fit it again with"):
        read_linker(path, "both")
    write_linker(path, [written_model("motion")], {})
    with pytest.raises(ConfigError, match=r"no linker for the cues 'both'; it has motion"):
        read_linker(path, "both")
    data = json.loads(path.read_text())
    network = data["linkers"]["motion"]["lost"]["pair"]
    network["inputs"][0] = "colour"
    path.write_text(json.dumps(data))
    with pytest.raises(DataError, match=r"inputs \['colour'"):
        read_linker(path, "motion")
    network["inputs"][0] = PAIR.measured[0]
    network["out"] = [1.0]
    path.write_text(json.dumps(data))
    with pytest.raises(DataError, match=r"out has shape \(1,\), expected \(2,\)"):
        read_linker(path, "motion")


def test_a_pipe_in_place_of_a_linker_is_refused_at_once(tmp_path):
    path = tmp_path / "w.linker.json"
    os.mkfifo(path)
    with pytest.raises(DataError, match=r"named pipe"):
        read_linker(path, "both")


def test_a_linker_lies_beside_its_weights(tmp_path):
    assert linker_file(tmp_path / "a.b.safetensors") == tmp_path / "a.b.linker.json"


def test_networks_are_normalised():
    network = linear_network(("area",), area=2.0, bias=1.0)
    assert network(np.array([[3.0]]))[0] == pytest.approx(7.0, rel=1e-3)
    assert network(np.array([[99.0]]))[0] == pytest.approx(11.0, rel=1e-3)  # held to 5


def test_the_camera_is_found_beneath_moving_objects():
    y, x = np.mgrid[0:24, 0:60].astype(float)
    px, py = (x + 0.5) * 4, (y + 0.5) * 4
    # The later point is 1.05 times the earlier one, plus a shift.
    ex, ey = (px - 7) / 1.05, (py + 3) / 1.05
    displacement = np.stack((px - ex, py - ey), axis=2)
    displacement[5:15, 10:30] = 40.0  # an object that nobody marked
    displacement[0, :] = np.nan
    found = camera_motion(displacement, np.ones((24, 60), dtype=bool), 4)
    assert np.allclose(found.moved(np.array([100.0, 50.0])), [112.0, 49.5], atol=0.3)
    assert found.zoom == pytest.approx(1.05, abs=0.01)


def test_without_background_the_camera_stands_still():
    displacement = np.full((4, 8, 2), 5.0)
    found = camera_motion(displacement, np.ones((4, 8), dtype=bool), 4)
    assert found.moved(np.array([3.0, 4.0])).tolist() == [3.0, 4.0]
    nothing = camera_motion(np.full((40, 80, 2), 5.0), np.zeros((40, 80), dtype=bool), 4)
    assert nothing.speed == 0.0


def test_what_no_camera_does_is_held_to_a_shift():
    y, x = np.mgrid[0:24, 0:60].astype(float)
    displacement = np.stack((x * 2, y * 0), axis=2)  # half as fast again at every pixel
    found = camera_motion(displacement, np.ones((24, 60), dtype=bool), 4)
    assert np.array_equal(found.linear, np.eye(2))
