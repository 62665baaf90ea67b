"""Decoders hold for bytes that are broken in their grammar. With atheris for longer."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.decoders import TARGETS, seeds
from tests.fuzz.tree_breaks import BREAKS_OF

ROOT = Path(__file__).parents[2]
BREAKS = {"png": BREAKS_OF[".png"], "rle": BREAKS_OF[".txt"], "mots": BREAKS_OF[".txt"]}


@pytest.mark.parametrize("target", TARGETS)
def test_a_decoder_holds(target, tmp_path_factory):
    folder = tmp_path_factory.mktemp(target)

    @settings(
        max_examples=200,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def decode(data):
        found = data.draw(st.sampled_from(seeds(target)))
        for _ in range(data.draw(st.integers(0, 3))):
            found, _ = BREAKS[target](data.draw, found)
        TARGETS[target](found, folder)

    decode()


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="needs the extra [fuzz]")
@pytest.mark.parametrize("target", TARGETS)
def test_atheris_finds_nothing_at_once(target, tmp_path):
    words = [sys.executable, "-m", "tests.fuzz.decoders", target, "--seconds", "2"]
    # A process inherits the peak memory of the one that starts it, and libFuzzer limits the peak.
    # So a shell starts it. What it finds is written to the current folder.
    shell = ["sh", "-c", '"$@"; exit $?', "sh", *words]
    paths = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        shell, cwd=tmp_path, env=paths, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Done" in done.stderr
