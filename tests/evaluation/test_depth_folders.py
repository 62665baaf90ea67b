"""Depth maps beside panoptic maps, and windows of VPQ, in evaluations of folders."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.films import film, headline
from helpers.folders import GT, LOST, SWITCHED
from helpers.maps import write_frames

from mapt_bench.cli import main
from mapt_bench.data.png import encode_png
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.evaluation import EvaluationSettings, evaluate_folders

SIZE = film(GT)[0].shape


def evaluate(gt, pred, **settings):
    return evaluate_folders(gt, [pred], EvaluationSettings(**settings))[0]


def write(folder, films, values=None):
    """Write maps to ``panoptic_maps/val`` and, with values, one depth for all pixels of a frame."""
    for name, drawn in films.items():
        write_frames(folder / "panoptic_maps/val" / name, film(drawn))
        for index, value in enumerate((values or {}).get(name, ())):
            place = folder / "depth/val" / name
            place.mkdir(parents=True, exist_ok=True)
            pixels = np.full((*SIZE, 1), value, dtype=np.uint16)
            (place / f"{index:06d}.png").write_bytes(encode_png(pixels))
    return folder


@pytest.fixture
def sides(tmp_path):
    truth = {"a": [256, 256, 256, 0], "b": [512] * 4}
    found = {"a": [256, 300, 280, 9], "b": [512] * 3 + [0]}
    gt = write(tmp_path / "gt", {"a": GT, "b": GT}, truth)
    return gt, write(tmp_path / "pred", {"a": SWITCHED, "b": LOST}, found)


def test_depth_of_both_sides_is_scored(sides):
    result = evaluate(*sides)
    # frames of a: 1, 300/256 = 1.17, 280/256 = 1.09, none; frames of b: three right, one missing
    shares = 6 / 7, 5 / 7
    quality = (shares[0] * shares[1]) ** 0.5
    assert result.scores["DQ"] == pytest.approx(quality)
    expected = (result.scores["AQ"] * result.scores["SQ"] * quality) ** (1 / 3)
    assert result.scores["DSTQ"] == pytest.approx(expected)
    assert result.per_sequence["b"]["DQ"] == 3 / 4
    assert result.blocks["dstq"]["dataset"]["DQ@1.1"] == pytest.approx(shares[1])
    assert result.blocks["dstq"]["per_sequence"]["a"]["DQ@1.25"] == 1
    assert "DSTQ" not in result.undefined
    assert evaluate(*sides, workers=2).blocks == result.blocks
    given = (sides[0] / "panoptic_maps" / "val", sides[1] / "panoptic_maps")
    assert evaluate(*given).scores == result.scores


def test_without_depth_it_is_undefined_with_the_reason(sides, tmp_path):
    plain = write(tmp_path / "plain", {"a": SWITCHED, "b": LOST})
    result = evaluate(sides[0], plain)
    assert (result.scores["DQ"], result.scores["DSTQ"]) == (None, None)
    assert result.undefined["DSTQ"] == f"only {sides[0]} has depth maps"
    other = write(tmp_path / "other", {"a": GT, "b": GT})
    neither = evaluate(other, plain).undefined["DQ"]
    assert neither == "neither the ground truth nor the prediction has depth maps"
    assert "dstq" not in result.blocks
    scored = evaluate(*sides).scores
    rest = {name: value for name, value in scored.items() if name not in ("DQ", "DSTQ")}
    assert {name: result.scores[name] for name in rest} == rest


def test_unusable_depth_is_refused(sides):
    gt, pred = sides
    file = pred / "depth/val/a/000002.png"
    whole = file.read_bytes()
    for content, message in (
        (encode_png(np.zeros((*SIZE, 1), np.uint8)), "depth maps need 1 channel, 16-bit grey"),
        (encode_png(np.zeros((SIZE[0], SIZE[1] + 1, 1), np.uint16)), "pixels, but the other"),
        (whole[:40], str(file)),
    ):
        file.write_bytes(content)
        with pytest.raises(DataError) as caught:
            evaluate(gt, pred)
        assert message in f"{caught.value.where}: {caught.value.message}"
    file.unlink()
    with pytest.raises(DataError, match=r"no depth map of 1 of 4 frames, the first 000002"):
        evaluate(gt, pred)
    file.write_bytes(whole)
    (pred / "depth/val/b").rename(pred / "depth/val/c")
    with pytest.raises(DataError, match="has no depth maps of val/b"):
        evaluate(gt, pred)


def test_windows_of_vpq_are_in_the_protocol_and_the_blocks(sides):
    result = evaluate(*sides, vpq_windows=(1, 2, 4))
    assert result.protocol["vpq_windows"] == [1, 2, 4]
    vpq = result.blocks["vpq"]["dataset"]
    assert list(vpq) == ["window_1", "window_2", "window_4", "mean_over_windows"]
    sizes = [vpq[f"window_{size}"]["All"]["PQ"] for size in (1, 2, 4)]
    assert result.scores["VPQ"] == pytest.approx(np.mean(sizes))
    alone = evaluate(*sides, vpq_windows=(3,))
    usual = evaluate(*sides)
    assert alone.scores["VPQ"] == usual.blocks["vpq"]["dataset"]["window_3"]["All"]["PQ"]
    assert alone.scores["PQ"] == usual.scores["PQ"] == result.scores["PQ"]
    assert alone.per_class == usual.per_class
    assert headline(GT, GT)["VPQ"] == 1


def test_intervals_follow_the_windows(tmp_path):
    names = "abcdef"
    gt = write(tmp_path / "gt", dict.fromkeys(names, GT))
    pred = write(
        tmp_path / "pred", {name: (SWITCHED, LOST)[at % 2] for at, name in enumerate(names)}
    )
    found = evaluate(gt, pred, vpq_windows=(2, 4), intervals=True)
    bounds = found.intervals["VPQ"]
    assert bounds["low"] <= found.scores["VPQ"] <= bounds["high"]


@pytest.mark.parametrize("text", ["", "0,1", "2,1", "1,1", "1,x", "1.5", "-1"])
def test_other_windows_are_refused(sides, text):
    words = ["evaluate", *map(str, sides), "--vpq-windows", text]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert "expected window sizes in frames from 1, ascending" in result.stderr


def test_windows_by_option_and_comparison(sides, tmp_path):
    for name, sizes in (("old", "1,2,3,4"), ("new", "1,2,4,6,8")):
        words = ["evaluate", *map(str, sides), "--vpq-windows", sizes]
        result = CliRunner().invoke(main, [*words, "--json", str(tmp_path / name)])
        assert result.exit_code == 0, result.stderr
    found = json.loads((tmp_path / "new").read_text())
    assert found["scores"]["VPQ"] is None  # the sequences have 4 frames
    assert found["undefined"]["VPQ"].startswith("every sequence is shorter than the longest window")
    compared = CliRunner().invoke(main, ["compare", str(tmp_path / "old"), str(tmp_path / "new")])
    assert compared.exit_code == 3
    assert "vpq_windows ([1, 2, 3, 4] then, [1, 2, 4, 6, 8] now)" in compared.stderr
    with pytest.raises(ConfigError, match="--vpq-windows is ''"):
        EvaluationSettings(vpq_windows=())
