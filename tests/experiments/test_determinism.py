"""An ablation gives the same bytes whatever the surroundings are. Times and provenance differ."""

import csv
import json
import os
import subprocess
import sys

import pytest
from helpers.modules import ROOT

ABLATION = (
    *("ablate", "--suite", "tiny", "--segments", "mapt"),
    *("--only", "mapt+memory", "--only", "sort+memory", "--no-report", "--out", "run"),
)
TIMES = {"cost", "created", "provenance", "seconds"}
SURROUNDINGS = {
    "plain": (1, {"PYTHONHASHSEED": "0", "TZ": "UTC"}),
    "spaces and ünïcode 日本": (
        2,
        {
            "PYTHONHASHSEED": "1",
            "TZ": "Pacific/Kiritimati",
            "LC_ALL": "C",
            "PYTHONUTF8": "0",  # or the locale has no effect
            "PYTHONCOERCECLOCALE": "0",
        },
    ),
}


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(each) for key, each in value.items() if key not in TIMES}
    return [without_times(each) for each in value] if isinstance(value, list) else value


def content(path):
    if path.suffix == ".json":
        return json.dumps(without_times(json.loads(path.read_text(encoding="utf-8"))))
    if path.suffix == ".csv":
        head, *rows = csv.reader(path.read_text(encoding="utf-8").splitlines())
        kept = [at for at, name in enumerate(head) if "ms" not in name.replace("_", "/").split("/")]
        return [[row[at] for at in kept] for row in (head, *rows)]
    return path.read_bytes()


def test_surroundings_change_no_byte(tmp_path):
    pytest.importorskip("torch")
    found = []
    for name, (jobs, changes) in SURROUNDINGS.items():
        place = tmp_path / name
        place.mkdir()
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **changes}
        command = [sys.executable, "-P", "-m", "mapt_bench", *ABLATION, "-j", str(jobs)]
        done = subprocess.run(
            command, cwd=place, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        files = [path for path in (place / "run").rglob("*") if path.is_file()]
        assert len(files) > 20
        found.append(
            {
                str(path.relative_to(place)): content(path)
                for path in files
                if path.suffix not in (".md", ".tex")  # tables as in CSV, with times between
            }
        )
    plain, other = found
    assert plain.keys() == other.keys()
    assert [name for name in plain if plain[name] != other[name]] == []
