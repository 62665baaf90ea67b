"""Input that no program writes has a message: odd names, numbers, depth and paths."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.folders import GT, SWITCHED, write_films
from helpers.shipped_weights import empty_weights_folder

from mapt_bench.baselines.flow_files import read_flow
from mapt_bench.cli import main
from mapt_bench.data.folder_layout import natural_key
from mapt_bench.data.sequences import moment
from mapt_bench.errors import DataError

HUGE = "9" * 5000
DEEP = "[" * 50_000
LONG = "x/" * 2500


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    empty_weights_folder(monkeypatch, tmp_path / "no weights")
    write_films(tmp_path / "gt", {"0001": GT})
    write_films(tmp_path / "pred", {"0001": SWITCHED})
    return tmp_path


def run(*words):
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert "Traceback" not in result.output
    assert "No such option" not in result.output
    return result


@pytest.mark.parametrize(
    "words",
    [
        ("show", "gt", "--frames", f"0:{10**30}"),
        ("show", "gt", "--frames", f"0:{10**17}"),
        ("show", "gt", "--frames", HUGE),
        ("show", "gt", "--frames", "\u0663"),
        ("show", "gt", "--scale", "nan"),
        ("evaluate", "gt", "pred", "--vpq-windows", HUGE),
        ("evaluate", "gt", "pred", "--vpq-windows", "1,\u00b2"),
        ("convert", "gt", "out", "--to", "waymo", "--frames", HUGE),
        ("convert", "gt", "out", "--to", "waymo", "--size", f"{HUGE}x{HUGE}"),
        ("synth", "--kind", "crowd", "--seed", "1", "--out", "w", "--size", f"{HUGE}x9"),
        ("synth", "--kind", "crowd", "--seed", "1", "--out", "w", "--speed", "nan"),
        ("synth", "--kind", "crowd", "--seed", "1", "--out", "w", "--similarity", "-inf"),
        ("ablate", "--data", "gt", "--rows", f"iou+memory={HUGE}", "--out", "r"),
        ("ablate", "--data", "gt", "--rows", "sort,sort_iou_threshold=nan", "--out", "r"),
        ("train", "--config", "mapt-tiny", "--suite", "stream", "--set", "optimizer.lr=.inf"),
        ("train", "--config", "mapt-tiny", "--suite", "stream", "--set", "optimizer.lr=.nan"),
        ("train", "--config", "mapt-tiny", "--suite", "stream", "--set", f"steps={HUGE}"),
        ("train", "--config", "mapt-tiny", "--suite", "stream", "--set", f"steps={DEEP}"),
        ("flops", "mapt-tiny", "--input", f"{HUGE}x9"),
        ("compare", "a.json", "b.json", "--max-drop", f"PAT={HUGE}"),
    ],
    ids=lambda words: " ".join(words)[:40],
)
def test_odd_numbers_are_wrong_usage(words):
    result = run(*words)
    assert result.exit_code == 2, result.output


@pytest.mark.parametrize("text", [DEEP, HUGE, '{"a": ' * 50_000, "NaN", r'"\ud800"'])
def test_odd_json_and_yaml_name_their_file(place, text):
    (place / "odd.json").write_text(text)
    (place / "odd.yaml").write_text(text)
    (place / "labelled").mkdir()
    (place / "labelled" / "dataset.json").write_text(text)
    for words in (
        ("compare", "odd.json", "odd.json"),
        ("report", "odd.json", "--out", "page.html"),
        ("history", "odd.json"),
        ("evaluate", "gt", "pred", "--dataset", "odd.yaml"),
        ("evaluate", "gt", "pred", "--map", "odd.yaml"),
        ("compare", "odd.json", "odd.json", "--gate", "odd.yaml"),
        ("ablate", "--data", "gt", "--thresholds", "odd.json", "--out", "r"),
        ("check", "labelled"),
    ):
        result = run(*words)
        assert result.exit_code in (2, 3), (words, result.output)
        assert "odd." in result.output or "dataset.json" in result.output
        assert len(result.output) < 3000


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", LONG, "pred"),
        ("evaluate", "gt", "pred", "--json", LONG),
        ("evaluate", "gt", "pred", "--dataset", LONG),
        ("check", LONG),
        ("show", "gt", "--out", f"{LONG}.png"),
        ("track", "gt", "--tracker", "iou", "--out", LONG),
        ("synth", "--kind", "crowd", "--seed", "1", "--out", LONG),
        ("convert", "gt", LONG, "--to", "waymo"),
        ("compare", LONG, "b.json"),
        ("report", LONG),
        ("ablate", "--data", "gt", "--out", "y" * 5000),
    ],
    ids=lambda words: words[0],
)
def test_a_path_of_5000_characters(words):
    result = run(*words)
    assert result.exit_code in (2, 3), result.output


def test_a_name_with_nul_in_a_file(place):
    (place / "gate.yaml").write_text('limits: [{score: "PAT\\0", max_drop: 1}]')
    assert run("compare", "a.json", "b.json", "--gate", "gate.yaml").exit_code in (2, 3)
    (place / "dataset.json").write_text(json.dumps({"name": "a\0b", "classes": []}))
    assert run("evaluate", "gt", "pred", "--dataset", "a\0b").exit_code in (2, 3)


@pytest.mark.parametrize("name", [b"se\xffq", "\u0663".encode(), "\u00b2".encode(), b"9" * 200])
@pytest.mark.parametrize("of", ["sequence", "frame"])
def test_odd_names_of_sequences_and_frames(place, name, of):
    for side in ("gt", "pred"):
        (sequence,) = (place / side).rglob("0001")
        old = sequence if of == "sequence" else sorted(sequence.iterdir())[0]
        new = Path(os.fsdecode(os.fsencode(old.parent) + b"/" + name + os.fsencode(old.suffix)))
        try:
            old.rename(new)
        except OSError:
            pytest.skip("this file system has no such names")
    for words, codes in (
        (
            ("evaluate", "gt", "pred", "--csv", "a.csv", "--markdown", "a.md", "--json", "a.json"),
            {0},
        ),
        (("check", "gt"), {0, 1}),
        (("show", "gt", "--out", "a.png", "--timeline", "t.png"), {0}),
        (("convert", "gt", "out", "--to", "two-channel"), {0}),
        (("track", "gt", "--tracker", "iou", "--out", "tracked"), {0}),
        (("ablate", "--data", "gt", "--rows", "iou", "--out", "run"), {0, 2}),
        (("report", "a.json", "--out", "page.html"), {0}),
    ):
        result = run(*words)
        assert result.exit_code in codes, (words, result.output)


def test_digits_of_other_scripts_are_no_numbers():
    assert moment("\u0663") == "\u0663"
    assert moment("003") == 3
    assert sorted(["\u0663a", "10", "9"], key=natural_key) == ["9", "10", "\u0663a"]


@pytest.mark.parametrize(
    "header",
    [
        b"\x93NUMPY\x01\x00\x10\x00" + b"{" * 16,
        b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f4',",
        b"\x93NUMPY\x09\x09",
        b"\x93NUMPY\x01\x00\x46\x00"
        + b"{'descr': 'zz', 'fortran_order': False, 'shape': (2,)}".ljust(70),
        b"\x93NUMPY\x01\x00\x46\x00"
        + b"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}".ljust(70),
        b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 0xFFFF,
        b"PK\x03\x04",
        b"",
    ],
)
def test_flow_with_a_broken_header(place, header):
    path = place / "000001.npy"
    path.write_bytes(header)
    with pytest.raises(DataError, match=r"cannot be read|holds"):
        read_flow(path, (2, 3))


def test_flow_in_a_named_pipe_is_not_waited_for(place):
    for suffix in (".npy", ".flo", ".png"):
        os.mkfifo(place / f"a{suffix}")
        with pytest.raises(DataError, match="named pipe"):
            read_flow(place / f"a{suffix}", (2, 3))
    np.save(place / "b.npy", np.zeros((2, 3, 2), dtype=np.float32))
    assert read_flow(place / "b.npy", (2, 3)).shape == (2, 3, 2)
