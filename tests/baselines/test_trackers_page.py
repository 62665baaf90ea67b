import re
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.maps import KITTI, write_frames
from helpers.scenes import Box, DrawnVideo
from PIL import Image

from mapt_bench.baselines import TrackerSettings, associator_entry, associator_names
from mapt_bench.baselines.registry import mapt_tracker_names
from mapt_bench.cli.main import main
from mapt_bench.data import open_maps
from mapt_bench.tracking import FrameSegments

PAGE = (Path(__file__).parents[2] / "docs" / "trackers.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*associator_names(), *mapt_tracker_names()])
def test_every_associator_and_its_switches_are_described(name):
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
    *_, images, pair, memory = (cell.strip() for cell in row.strip("|").split("|"))
    entry = associator_entry(name)
    assert images == ("yes" if entry.needs_images else "no")
    assert pair == ("yes" if entry.supports_pair else "no")
    assert memory == ("yes" if entry.supports_memory else "no")


@pytest.mark.parametrize("field", fields(TrackerSettings), ids=lambda field: field.name)
def test_every_setting_is_described_with_its_default(field):
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{field.name}` |")]
    assert str(field.default) in row


def test_every_option_is_described():
    text = CliRunner().invoke(main, ["track", "--help"]).stdout
    for option in ("--tracker", "--segments", "--thresholds", "--suite", "--pair", "--out"):
        assert option in text
        assert option in PAGE


@pytest.fixture
def page_code(tmp_path, monkeypatch):
    """The trackers of the page in the current folder, and a video with images."""
    linker, whole = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "my_module.py").write_text(linker)
    (tmp_path / "my_tracker.py").write_text(whole)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    video = DrawnVideo([[Box(1, 10 + 6 * t), Box(2, 60, y=30)] for t in range(3)])
    write_frames(tmp_path / "data/panoptic_maps/val/drawn", [video.truth(t) for t in range(3)])
    images = tmp_path / "data/images/val/drawn"
    images.mkdir(parents=True)
    for t in range(3):
        Image.fromarray(video.image(t)).save(images / f"{t:06d}.png")
    yield linker, whole
    for name in ("my_module", "my_tracker"):
        sys.modules.pop(name, None)


def test_the_trackers_of_the_page_have_twenty_lines(page_code):
    for code in page_code:
        assert len([line for line in code.splitlines() if line.strip()]) <= 20


def test_the_whole_tracker_of_the_page_runs(page_code, tmp_path):
    words = ["track", "data", "--tracker", "my_tracker:Difference", "--out", "runs/mine"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    maps = open_maps(tmp_path / "runs/mine", KITTI).sequences[0]
    assert maps.read(0).ids.max() == 0
    assert maps.read(1).ids[12, 26] == 1  # the six columns that the box moved onto


@pytest.mark.parametrize("row", ["my_module:MyAssociator", "my_module:MyAssociator+memory"])
def test_the_associator_of_the_page_runs(page_code, tmp_path, row):
    words = ["track", "data", "--tracker", row, "--out", "runs/mine"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    maps = open_maps(tmp_path / "runs/mine", KITTI).sequences[0]
    assert {maps.read(t).ids[12, 16 + 6 * t] for t in range(3)} == {maps.read(0).ids[12, 16]}
    assert {int(number) for t in range(3) for number in np.unique(maps.read(t).ids)} == {0, 1, 2}


def test_the_fields_of_segments_are_described():
    for field in fields(FrameSegments):
        assert f"| `{field.name}` |" in PAGE
