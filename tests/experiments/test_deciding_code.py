"""What runs in a unit of each kind is covered by its keys: watched while it runs."""

import ast
import dis
import functools
import sys
from contextlib import contextmanager
from pathlib import Path

import cv2
import pytest
import torch
from helpers.modules import MODULES
from helpers.raft_files import write_raft_small
from helpers.small_runs import plan, source, walk, write_videos

from mapt_bench.baselines import associator_entry
from mapt_bench.code_closure import code_closure, not_followed, root_of
from mapt_bench.experiments import (
    MILD_NOISE,
    Cell,
    SegmentSource,
    Variant,
    folder_source,
    read_flow_weights,
    read_mapt_weights,
)
from mapt_bench.experiments.engine._keys import Keys
from mapt_bench.experiments.engine.schedule import schedule_plan
from mapt_bench.experiments.engine.unit_workers import Failure, Work, Worker
from mapt_bench.experiments.plans.plan import Series
from mapt_bench.stress import Stress
from mapt_bench.synthetic.video import WorldVideo
from mapt_bench.synthetic.world_settings import WorldSettings

torch.set_num_threads(1)

DECIDE_NOTHING = {
    # They say which unit comes next, hand it on, and write its result down.
    "experiments.engine.runner",
    "experiments.engine.unit_workers",
    "workers",
    "workers.processes",
    "experiments.engine.schedule",
    "experiments.engine._run_folder",
    # It records the objects of the ground truth, for slices of the report.
    "metrics.slices",
    # It says how a unit came about.
    "provenance",
    # It describes a row; the description is in the keys.
    "experiments.plans.variant",
    # It hands out videos and segments, which the keys have by their contents.
    "experiments.plans.data_source",
    # They look things up by name: what is found has its place in the keys.
    "data.encodings.encoding_registry",
    "stress._stressors",
    "baselines.rows",
    "baselines.flow_sources",
    # It says where a file of weights is; its contents are in the keys.
    "weights",
}
"""Modules that run and need not be in a key; without ``mapt_bench.``."""

FILES = {str(path.resolve()): name for name, path in MODULES.items()}


@functools.cache
def _tree(module):
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


@functools.cache
def _imports(module):
    """What the names that a module imports from the package stand for, in functions too."""
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(_tree(module))
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "mapt_bench"
        for alias in node.names
    }


def _home(module, name):
    """The module that defines what ``from module import name`` gives, ``None`` if marked."""
    if f"{module}.{name}" in MODULES:
        return f"{module}.{name}"
    for node in _tree(module).body:
        if getattr(node, "name", None) == name:
            marks = {getattr(mark, "id", "") for mark in node.decorator_list}
            return None if not_followed.__name__ in marks else module
    if name in _imports(module):
        return _home(*_imports(module)[name])
    return module


def _used_by(code):
    """The modules whose names running code reads, in branches that were not taken as well."""
    module = FILES[str(Path(code.co_filename).resolve())]
    imports = {} if _home(module, code.co_qualname.split(".")[0]) is None else _imports(module)
    for step in dis.get_instructions(code):
        if step.opname in {"LOAD_GLOBAL", "IMPORT_FROM"} and step.argval in imports:
            home = _home(*imports[step.argval])
            if home is not None:
                yield home


@contextmanager
def _watched():
    """Gather the code of every function of the package that is called."""
    called = set()

    def watch(frame, event, argument):
        if event == "call":
            called.add(frame.f_code)

    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("mapt_bench"):
            for thing in list(vars(module).values()):
                if hasattr(thing, "cache_clear"):
                    thing.cache_clear()  # or what an earlier test asked for would not run
    sys.setprofile(watch)
    try:
        yield called
    finally:
        sys.setprofile(None)


def _world(seed):
    return WorldVideo(WorldSettings(kind="crowd", seed=seed, frames=8, height=96, width=160), "w")


def _row(name, **changes):
    return Variant(name, name, "heads", name, **changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images and maps of one walk."""
    place = tmp_path_factory.mktemp("data")
    video = walk(6, name="a")
    write_videos(place, video)
    images = place / "images" / "val" / "a"
    images.mkdir(parents=True)
    for index, name in enumerate(video.info.frame_names):
        cv2.imwrite(str(images / f"{name}.png"), video.image(index))
    return place


@pytest.fixture(scope="module")
def mapt(mapt_files):
    return read_mapt_weights(str(mapt_files / "mapt-tiny.safetensors"))


@pytest.fixture(scope="module")
def raft(tmp_path_factory):
    file = write_raft_small(tmp_path_factory.mktemp("raft") / "raft.pth")
    return read_flow_weights({"flow:raft-small": file})[0]


def _check(given, variant, folder, *, stress=None, drop=1):
    """Run one cell and compare what runs with what its keys cover."""
    cell = Cell(variant, drop=drop, stress=stress)
    series = () if stress is None else (Series(stress.name, (stress,)),)
    schedule = schedule_plan(plan(variant, cells=(cell,), series=series), given, 0)
    keys = Keys(given, 0)
    roots = keys.roots_of_cell(cell, associator_entry(variant.associator), stress)
    covered = {
        *code_closure(roots),
        *code_closure(keys.roots_of_segments(None, stress)),
    }
    worker = Worker(Work(given, folder, 0))
    with _watched() as called:
        done = [worker.do(unit) for unit in schedule.units()]
    assert not [each for each in done if isinstance(each, Failure)]
    ours = {code for code in called if str(Path(code.co_filename).resolve()) in FILES}
    ran = {FILES[str(Path(code.co_filename).resolve())] for code in ours}
    spared = {f"mapt_bench.{name}" for name in DECIDE_NOTHING}
    assert ran - covered - spared == set()
    deciding = [code for code in ours if FILES[str(Path(code.co_filename).resolve())] in covered]
    used = {module for code in deciding for module in _used_by(code)}
    assert used - covered - spared == set()
    return covered, ran


@pytest.mark.parametrize(
    "name",
    [
        *("unlinked", "copy", "iou", "sort", "bytetrack", "appearance", "motion", "both"),
        *("oc-sort", "deep-oc-sort", "bot-sort"),
        *("both:appearance-first", "both:simultaneous", "oracle", "oracle:in-view"),
        *("flow:dis", "flow:exact+appearance"),
    ],
)
def test_trackers_without_networks(name, tmp_path):
    given = source(_world(1), segments=(SegmentSource(noise=MILD_NOISE),))
    covered, ran = _check(given, _row(name), tmp_path)
    assert "mapt_bench.synthetic._rendering" in covered
    assert {"mapt_bench.baselines.noise", "mapt_bench.metrics._tq"} <= ran & covered
    assert not any(".model" in module or "flownet2" in module for module in covered)


@pytest.mark.parametrize("name", ["copy", "motion"])
@pytest.mark.parametrize("segments", ["true", "saved"])
def test_data_in_files(name, segments, folder, tmp_path):
    kind = SegmentSource() if segments == "true" else folder
    given = folder_source(folder, segments=(kind,), dataset="kitti-step")
    covered, ran = _check(given, _row(name), tmp_path, drop=2)
    assert {"mapt_bench.data.encodings.kitti_step", "mapt_bench.data.png"} <= ran & covered
    assert not any(".world" in module or ".model" in module for module in covered)
    matching = "mapt_bench.evaluation.tracking_run"
    assert (matching in covered) == (segments == "saved")


@pytest.mark.parametrize(
    "name",
    [
        *("bars", "poles", "passing", "pasted", "speed", "shake", "blur", "look-alikes"),
        *("washed-palette", "washed", "noise", "exposure", "fog", "rain", "jpeg"),
    ],
)
def test_stress(name, tmp_path):
    _check(source(_world(2)), _row("motion"), tmp_path, stress=Stress(name, 1))


def test_stress_on_files_needs_no_world(folder, tmp_path):
    given = folder_source(folder, dataset="kitti-step")
    covered, _ = _check(given, _row("copy"), tmp_path, stress=Stress("bars", 2))
    assert "mapt_bench.stress._painted_occluders" in covered
    assert not any(".world" in module for module in covered)


@pytest.mark.parametrize(
    "name", ["copy", "mapt", "mapt:motion", "mapt:appearance", "flow:dis+mapt"]
)
@pytest.mark.parametrize("segments", ["true", "found"])
def test_networks(name, segments, mapt, folder, tmp_path):
    kind = SegmentSource() if segments == "true" else SegmentSource(mapt=mapt)
    given = folder_source(folder, segments=(kind,), dataset="kitti-step")
    variant = _row(name, mapt=mapt if "mapt" in name else None)
    covered, ran = _check(given, variant, tmp_path)
    runs_mapt = "mapt" in name or segments == "found"
    assert ("mapt_bench.model.network" in ran & covered) == runs_mapt
    assert ("mapt_bench.checkpoints" in covered) == runs_mapt


def test_removed_components_are_covered(mapt, folder, tmp_path):
    given = folder_source(folder, dataset="kitti-step")
    variant = _row("mapt", mapt=mapt, switches=("static", "no-offsets"))
    _, ran = _check(given, variant, tmp_path)
    assert "mapt_bench.model.switches" in ran


def test_flow_networks(raft, folder, tmp_path):
    given = folder_source(folder, dataset="kitti-step")
    covered, _ = _check(given, _row("flow:raft-small", weights=raft), tmp_path)
    assert {"mapt_bench.baselines.flow_networks", "mapt_bench.checkpoints"} <= covered
    assert not any(".model" in module for module in covered)


def test_roots_name_definitions():
    assert root_of(Keys.of_cell) == "mapt_bench.experiments.engine._keys:Keys"
    assert root_of(functools.partial(_home)) is None
    assert root_of("mapt_bench.files") == "mapt_bench.files"
    assert root_of(MILD_NOISE) == "mapt_bench.baselines.noise:SegmentNoise"
    with pytest.raises(ValueError, match=r"there is no module 'mapt_bench\.nothing'"):
        code_closure(frozenset({"mapt_bench.nothing"}))
    with pytest.raises(ValueError, match="defines no 'nothing'"):
        code_closure(frozenset({"mapt_bench.files:nothing"}))
