import hashlib
import json
import os
import platform
import subprocess
import sys

import pytest
from helpers.modules import ROOT
from helpers.results import evaluation

from mapt_bench.baselines.thresholds import thresholds_named
from mapt_bench.compare import load_gate
from mapt_bench.errors import DataError
from mapt_bench.files import check_writable, file_sha256, parse_json, write_text
from mapt_bench.model.config_files import mapt_config
from mapt_bench.results import load_result
from mapt_bench.training.recipe_files import read_recipe


def test_a_file_is_known_by_its_contents(tmp_path):
    path = tmp_path / "some.bin"
    path.write_bytes(b"abc")
    assert file_sha256(path) == hashlib.sha256(b"abc").hexdigest()


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="No such file") as refusal:
        file_sha256(tmp_path / "gone.bin")
    assert refusal.value.where == str(tmp_path / "gone.bin")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_configuration_may_begin_with_a_byte_order_mark(tmp_path, encoding):
    def written(name, text):
        path = tmp_path / name
        path.write_text(text, encoding=encoding)
        return path

    gate = written("gate.yaml", "limits: [{score: PAT, max_drop: 0.5}]")
    assert [limit.score for limit in load_gate(gate).limits] == ["PAT"]
    recipe = written("recipe.yaml", "model: helpers.toy_model:build\nsteps: 7\n")
    assert read_recipe(str(recipe)).steps == 7
    model = written("model.yaml", "base: mapt-tiny\n")
    assert mapt_config(str(model)) == mapt_config("mapt-tiny")
    shipped = ROOT / "baselines/thresholds.json"
    thresholds = written("thresholds.json", shipped.read_text(encoding="utf-8"))
    assert thresholds_named(str(thresholds)) == thresholds_named("tuned")
    result = written("result.json", json.dumps(evaluation()))
    assert list(load_result(result).rows) == ["tracker"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nested too deeply"),
        ("[" * 61 + "]" * 61, "nested too deeply"),
        ('{"a":' * 61 + "1" + "}" * 61, "nested too deeply"),
        ('["[",' * 70 + "0" + "]" * 70, "nested too deeply"),
        ("9" * 5000, "digits"),
        ("1" + "0" * 40, "more than 64 bits"),
        ("1e999", "has the number inf"),
        ("[-1E+400]", "has the number -inf"),
        ("NaN", "has the number NaN"),
        ("-Infinity", "has the number -Infinity"),
        (r'"\ud800"', "half of a character"),
        (r'{"\udfff": 1}', "half of a character"),
        (b"\xff\xfe\xfa", "codec"),
    ],
)
def test_json_that_no_reader_needs_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_json(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 60 + "]" * 60,
        '{"a[[[": ["]", "{", 12345678901234567890]}',
        r'["\ud83d\ude00", "file-\udcff.png", "1e999", 1e-400]',
        '{"hash": "00000000000000000000000000000000"}',
    ],
)
def test_other_json_is_read_as_json_has_it(text):
    assert parse_json(text) == json.loads(text)


def test_names_of_constants_may_be_wanted():
    assert parse_json("[NaN, Infinity]", constants=str) == ["NaN", "Infinity"]


def test_the_next_output_removes_what_a_killed_command_left_beside_it(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = tmp_path / f".unfinished-{platform.node()}-{ended.pid}-ab_d.json"
    of_others = tmp_path / f".unfinished-{platform.node()}-{os.getpid()}-ab_d.json"
    for path in (left, of_others):
        path.write_text("{")
    write_text(tmp_path / "a.json", "{}")
    assert sorted(path.name for path in tmp_path.iterdir()) == [of_others.name, "a.json"]


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/null")])
def test_an_output_never_replaces_a_pipe_or_a_device(tmp_path, make):
    path = tmp_path / "odd"
    make(path)
    for write in (check_writable, lambda path: write_text(path, "a")):
        with pytest.raises(DataError, match=r"cannot be written \(it is a (named pipe|device)\)"):
            write(path)
    assert not path.is_file()


def test_json_may_have_many_values():
    """Results of a thousand sequences have more values than a YAML document may have."""
    hash_like = "e123"  # such a text is checked value by value
    assert len(parse_json(json.dumps([hash_like, *[0] * 1_000_001]))) == 1_000_002
