import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.mapt_clips import small_mapt
from helpers.scenes import Box, DrawnVideo, segments_of

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.model.linker_fit import FitSettings, LinkExample, collect, fit_linker, reliability
from mapt_bench.tracking.link_model import CUES, PAIR, SEGMENT, STAGES, TRACK, LinkTable

torch.set_num_threads(1)

FEW = FitSettings(units=4, steps=120, rate=0.05)
TELLS = {"both": "mask_iou", "motion": "mask_iou", "appearance": "cosine_best"}


def drawn(rng, stage, cue):
    """Two tracks and two segments; the cue tells who is who, and one of each may have nobody."""
    pair = rng.normal(0, 0.1, (2, 2, len(PAIR.measured)))
    partner = rng.permutation(2)
    is_there = rng.random(2) < 0.8
    rows = np.where(is_there, partner, -2)
    columns = np.full(2, -2)
    for row, column in enumerate(rows):
        if column >= 0:
            columns[column] = row
            pair[row, column, PAIR.measured.index(cue)] += 1
    return LinkExample(
        stage,
        LinkTable(
            pair,
            rng.normal(0, 1, (2, len(TRACK.measured))),
            rng.normal(0, 1, (2, len(SEGMENT.measured))),
            np.ones((2, 2), dtype=bool),
        ),
        rows,
        columns,
    )


def examples(seed, cue, count=60):
    rng = np.random.default_rng(seed)
    return [drawn(rng, stage, cue) for _ in range(count) for stage in STAGES]


@pytest.mark.parametrize("cues", CUES)
def test_the_networks_learn_what_tells_objects_apart(cues):
    model = fit_linker(examples(0, TELLS[cues]), cues, FEW)
    for stage, found in reliability(model, examples(1, TELLS[cues]), bins=2).items():
        assert stage in STAGES
        (low, high), (few, many) = found.stated, found.found
        assert low < 0.2
        assert high > 0.8
        assert few < 0.1
        assert many > 0.9
        assert sum(found.pairs) == 240


def test_a_cue_that_is_not_given_teaches_nothing():
    model = fit_linker(examples(0, "cosine_best"), "motion", FEW)
    assert max(reliability(model, examples(1, "cosine_best"), bins=1)["lost"].stated) < 0.7


def test_equal_examples_give_equal_networks():
    first, again = (fit_linker(examples(0, "mask_iou", 10), "both", FEW) for _ in range(2))
    assert np.array_equal(first.stages["lost"].pair.hidden, again.stages["lost"].pair.hidden)


def test_a_stage_without_examples_is_an_error():
    in_view = [each for each in examples(0, "mask_iou", 3) if each.stage == "view"]
    with pytest.raises(DataError, match="no examples of the stage 'lost'"):
        fit_linker(in_view, "both", FEW)


def test_unknown_targets_count_for_nothing():
    known = examples(0, "mask_iou", 10)
    unknown = [
        LinkExample(each.stage, each.table, np.full(2, -1), np.full(2, -1)) for each in known
    ]
    with_both = fit_linker([*known, *unknown], "both", FitSettings(units=4, steps=1))
    assert np.isfinite(with_both.stages["view"].pair.out).all()
    found = reliability(with_both, [*known, *unknown])
    assert sum(found["lost"].pairs) == 40


def test_what_clear_overlap_links_is_left_out():
    each = examples(0, "mask_iou", 1)[0]
    rows, columns = np.array([1, -2]), np.array([-2, 0])
    example = LinkExample("view", each.table, rows, columns, clear=((0, 1),))
    left = example.without_clear()
    assert left.table.allowed.shape == (1, 1)
    assert (left.rows.tolist(), left.columns.tolist()) == ([-2], [-2])
    wrong = LinkExample("view", each.table, rows, columns, clear=((1, 1),)).without_clear()
    assert wrong.rows.tolist() == [-1]  # its own segment is gone


@pytest.fixture(scope="module")
def collected():
    # Car 1 stays, car 2 is hidden for two frames, a person comes in the last frame.
    car, other = Box(1, x=10), Box(2, x=50)
    scene = [[car, other], [car, other], [car], [car], [other, car], [other, car]]
    scene[-1] = [*scene[-1], Box(3, x=80, class_id=11)]
    video = DrawnVideo(scene)
    segments = [segments_of(boxes) for boxes in scene]
    return collect(small_mapt().eval(), video, segments, seed=0)


def test_tables_are_collected_under_ground_truth(collected):
    in_view = [each for each in collected if each.stage == "view"]
    assert [each.rows.tolist() for each in in_view[:3]] == [[0, 1], [0, -2], [0]]
    lost = [each for each in collected if each.stage == "lost"]
    # The other car comes back as the first segment; until it is linked it is asked for again.
    assert lost[0].rows.tolist() == [0]
    assert lost[0].columns.tolist() == [0]
    for each in collected:
        for row, column in enumerate(each.rows.tolist()):
            if column >= 0:
                assert each.columns[column] == row
                assert each.table.allowed[row, column]


def test_segments_without_an_object_are_unknown():
    car = Box(1, x=10)
    scene = [[car], [car]]
    segments = [segments_of([car, Box(9, x=60)]) for _ in scene]
    found = collect(small_mapt().eval(), DrawnVideo(scene), segments, seed=0)
    assert found[0].columns.tolist() == [0, -1]
    assert found[0].rows.tolist() == [0, -1]


@pytest.fixture(scope="module")
def tool():
    path = Path(__file__).parents[2] / "tools" / "fit_linker.py"
    spec = importlib.util.spec_from_file_location("fit_linker", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_command_fits_on_training_videos_only(tool):
    for suite in ("stream", "train", "train@2"):
        tool._check(suite)
    for suite in ("val", "bench", "tiny@2"):
        with pytest.raises(ConfigError, match="fitted on training videos only"):
            tool._check(suite)


def test_the_reliability_plot_is_drawn(tool, tmp_path):
    model = fit_linker(examples(0, "mask_iou", 5), "both", FEW)
    tool._draw({"both": reliability(model, examples(1, "mask_iou", 5))}, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_the_plot_of_an_existing_linker_is_drawn_from_its_record(tool, tmp_path, monkeypatch):
    plot = tmp_path / "plot.png"
    monkeypatch.setattr("sys.argv", ["fit_linker", "--draw", "--plot", str(plot)])
    tool.main()
    assert plot.read_bytes().startswith(b"\x89PNG")
