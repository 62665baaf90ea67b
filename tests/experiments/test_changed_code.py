"""What a change of the code makes anew: tried on copies of the package that are changed."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from helpers.modules import FOLDERS, MODULES, ROOT
from helpers.small_runs import walk, write_videos

_KEYS = r"""
import json, sys
from pathlib import Path
import mapt_bench
from mapt_bench import code_closure
from helpers.experiment_networks import named_flow, named_mapt
from helpers.small_runs import plan, source
from mapt_bench.stress import Stress
from mapt_bench.synthetic.world_settings import WorldSettings
from mapt_bench.synthetic.video import WorldVideo
from mapt_bench.experiments import Cell, SegmentSource, MILD_NOISE, Variant, folder_source
from mapt_bench.experiments.plans.plan import Series
from mapt_bench.experiments.engine.schedule import schedule_plan

data, maps = map(Path, sys.argv[1:3])
modules = sys.argv[3]
assert Path(mapt_bench.__file__).parents[1] == Path.cwd(), mapt_bench.__file__
world = WorldVideo(WorldSettings(kind="crowd", seed=1, frames=4, height=96, width=160), "w")
MAPT, FLOW = named_mapt("mine"), named_flow("flow:flownet2-narrow")
kinds = {
    "true": SegmentSource(), "noisy": SegmentSource(noise=MILD_NOISE),
    "mapt": SegmentSource(mapt=MAPT), "saved": maps,
}


def row(name, **changes):
    return Variant(name, name, "heads", name, memory=0, **changes)


def key(on, segments, variant, stress=None):
    if on == "world":
        given = source(world, segments=(kinds[segments],))
    else:
        given = folder_source(data, segments=(kinds[segments],), dataset="kitti-step")
    cells = (Cell(variant, stress=stress),)
    series = () if stress is None else (Series(stress.name, (stress,)),)
    (cell,) = schedule_plan(plan(variant, cells=cells, series=series), given, 0).cells
    return cell.key


def keys():
    return {
        "world": key("world", "true", row("copy")),
        "copy": key("folder", "true", row("copy")),
        "iou": key("folder", "true", row("iou")),
        "noisy": key("folder", "noisy", row("copy")),
        "saved": key("folder", "saved", row("copy")),
        "motion": key("folder", "true", row("motion")),
        "dis": key("folder", "true", row("flow:dis")),
        "flow": key("folder", "true", row("flow:flownet2-narrow", weights=FLOW)),
        "flow+mapt": key("folder", "true", row("flow:dis+mapt", mapt=MAPT)),
        "mapt": key("folder", "true", row("mapt", mapt=MAPT)),
        "found": key("folder", "mapt", row("copy")),
        "bars": key("folder", "true", row("copy"), Stress("bars", 1)),
        "fog": key("folder", "true", row("motion"), Stress("fog", 1)),
    }


found = {"": keys()}
for name in modules.split():
    file = Path(name)
    text = file.read_text()
    file.write_text(text + "\n_CHANGED = True\n")
    for function in vars(code_closure).values():
        if hasattr(function, "cache_clear"):
            function.cache_clear()
    found[name] = keys()
    file.write_text(text)
print(json.dumps(found))
"""

_NETWORKS = {"flow+mapt", "mapt", "found"}
_ALL = {"world", "copy", "iou", "noisy", "saved", "motion", "dis", "flow", "bars", "fog"}
_ALL |= _NETWORKS

_RUN = """
import json, sys
from pathlib import Path
from helpers.small_runs import plan, source
from mapt_bench.experiments import MILD_NOISE, SegmentSource, run_experiment

kind = SegmentSource(noise=MILD_NOISE)
if __name__ == "__main__":
    result = run_experiment(plan(), source(segments=(kind,)), Path(sys.argv[1]))
    print(json.dumps([cell["scores"] for cell in result["cells"]]))
"""


class Copy:
    """A copy of the package that a test may change."""

    def __init__(self, folder):
        self.folder = folder
        ignored = shutil.ignore_patterns("__pycache__", "*.safetensors")
        for place in FOLDERS.values():
            shutil.copytree(place, folder / place.name, symlinks=True, ignore=ignored)
        shutil.copy(ROOT / "pyproject.toml", folder)

    def file(self, module):
        return self.folder / MODULES[module].relative_to(ROOT)

    def rewrite(self, module, change):
        path = self.file(module)
        before = path.read_text(encoding="utf-8")
        after = change(before)
        assert after != before, f"{module}: nothing was changed"
        path.write_text(after, encoding="utf-8")

    def run(self, script, *arguments):
        """Run a script with this copy of the package; return what it prints."""
        path = os.pathsep.join([str(self.folder), str(ROOT / "tests")])
        done = subprocess.run(
            [sys.executable, "-c", script, *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path / "package")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder of images and maps of one walk, and one of maps alone."""
    folder = tmp_path_factory.mktemp("data")
    video = walk(6, name="a")
    write_videos(folder, video)
    images = folder / "images" / "val" / "a"
    images.mkdir(parents=True)
    for index, name in enumerate(video.info.frame_names):
        cv2.imwrite(str(images / f"{name}.png"), video.image(index))
    saved = tmp_path_factory.mktemp("saved")
    write_videos(saved, video)
    return folder, saved


DECIDES = {
    "synthetic.stage": {"world"},
    "model.motion": _NETWORKS,
    "model.panoptic_fusion": _NETWORKS,
    "checkpoints": {*_NETWORKS, "flow"},
    "baselines.flownet2.narrow": {"flow"},
    # Each tracker is built in its own module; looking it up decides no result.
    "baselines.bounds": set(),
    "baselines.box_trackers": {"iou"},
    "baselines.cue_trackers": _ALL - {"iou", "dis", "flow", "flow+mapt", "mapt"},
    "baselines.flow_trackers": {"dis", "flow", "flow+mapt"},
    "baselines.flow_sources": set(),
    "baselines.flow_network_sources": {"flow"},
    "baselines.flow_without_network": {"motion", "dis", "fog", "flow+mapt"},
    "baselines.mapt_trackers": _NETWORKS,
    "evaluation.tracking_run": {"saved"},
    "data.encodings.kitti_step": _ALL - {"world"},
    "data.encodings.two_channel": set(),
    "stress._painted_occluders": {"bars"},
    "stress._image_corruptions": {"fog"},
    "baselines.noise": _ALL - {"found", "saved"},
    "files": _ALL,
    "metrics._tq": _ALL,
    "tracking.archive": _ALL,
    "experiments.engine.schedule": set(),
    "reports.tables": set(),
    "cli.main": set(),
}
"""Modules, and the keys that a change in each must change."""


@pytest.fixture(scope="module")
def keys(data, tmp_path_factory):
    """The keys of the code as it is, under ``""``, and with each of some modules changed."""
    whole = Copy(tmp_path_factory.mktemp("changed") / "package")
    files = [str(whole.file(f"mapt_bench.{name}")) for name in DECIDES]
    found = whole.run(_KEYS, *data, " ".join(files))
    return dict(zip(["", *DECIDES], found.values(), strict=True))


def _with_comments(text):
    """Other comments and docstrings, the same code."""
    said = re.sub(r'(?m)^(\s*r?""")(?=[A-Z`~])', r"\1Other words. ", text)
    return "# A comment.\n" + said + "\n# One more.\n"


def test_every_row_has_a_key_of_its_own(keys):
    assert set(keys[""]) == _ALL
    assert len(set(keys[""].values())) == len(_ALL)


def test_comments_and_docstrings_change_no_key(copy, keys, data):
    for name in MODULES:
        copy.rewrite(name, _with_comments)
    assert copy.run(_KEYS, *data, "")[""] == keys[""]


@pytest.mark.parametrize("module", DECIDES)
def test_a_change_of_the_code_changes_the_keys_that_it_decides(keys, module):
    changed = {row for row, key in keys[module].items() if key != keys[""][row]}
    assert changed == DECIDES[module]


def test_segments_are_made_again_when_their_code_changes(copy, tmp_path):
    before = copy.run(_RUN, tmp_path / "run")
    # Nearly all segments are missed now.
    copy.rewrite(
        "mapt_bench.baselines.noise",
        lambda text: text.replace("< noise.missed)", "< 1 - noise.missed)"),
    )
    resumed = copy.run(_RUN, tmp_path / "run")
    assert resumed == copy.run(_RUN, tmp_path / "fresh")
    assert resumed != before


def test_the_same_code_gives_the_same_segments_again(copy, tmp_path):
    before = copy.run(_RUN, tmp_path / "run")
    archives = {
        path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "segments").rglob("*.npz")
    }
    assert len(archives) == 2
    for path in Path(tmp_path / "run" / "cells").rglob("*.json"):
        path.unlink()
    assert copy.run(_RUN, tmp_path / "run") == before
    assert {path: path.stat().st_mtime_ns for path in archives} == archives
