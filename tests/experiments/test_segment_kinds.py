"""Several kinds of segments in one plan: what is scheduled, what is skipped, where files lie."""

from dataclasses import replace
from pathlib import Path

import pytest
from helpers.experiment_networks import named_mapt
from helpers.small_runs import COPY, MOTION, ORACLE, UNLINKED, plan, source, walk

from mapt_bench.errors import ConfigError
from mapt_bench.experiments import MILD_NOISE, Cell, SegmentSource, Variant, run_experiment
from mapt_bench.experiments.engine._run_folder import claim_folder
from mapt_bench.experiments.engine.schedule import schedule_plan
from mapt_bench.experiments.plans.plan import Series
from mapt_bench.experiments.plans.segment_sources import archive_path
from mapt_bench.stress import Stress

MAPT = named_mapt("mine")
OWN, TRUE, NOISY = SegmentSource(mapt=MAPT), SegmentSource(), SegmentSource(noise=MILD_NOISE)
NOISE, BARS = Stress("noise", 2), Stress("bars", 3)


def on_both(*variants):
    cells = [Cell(row, segments=name) for name in ("mine", "groundtruth") for row in variants]
    return plan(*variants, cells=tuple(cells))


def test_every_kind_is_work_of_its_own():
    given = source(walk(3, name="a"), walk(3, name="b"), segments=(OWN, TRUE))
    schedule = schedule_plan(on_both(COPY, ORACLE), given, seed=0)
    assert schedule.skipped == ()
    keys = [cell.key for cell in schedule.cells]
    assert len(set(keys)) == 4
    units = [(each.sequence, each.segments, each.variant.name) for each in schedule.units()]
    # Those of one video stand together, so that what was worked out of it is at hand.
    assert units == [
        (sequence, name, row)
        for sequence in (0, 1)
        for name in ("mine", "groundtruth")
        for row in ("copy", "oracle")
    ]


def test_no_name_is_the_first_kind():
    given = source(segments=(NOISY, TRUE))
    cells = (Cell(COPY), Cell(COPY, segments="noisy"), Cell(COPY, segments="groundtruth"))
    first, noisy, true = schedule_plan(plan(COPY, cells=cells), given, seed=0).cells
    assert first.key == noisy.key != true.key


def test_unknown_kinds_are_refused():
    cells = (Cell(COPY, segments="groundtrut"),)
    with pytest.raises(ConfigError, match="did you mean 'groundtruth'"):
        schedule_plan(plan(COPY, cells=cells), source(), seed=0)


def test_the_network_that_finds_segments_decides_by_its_contents():
    keys = []
    for found_by in (MAPT, replace(MAPT, name="other"), replace(MAPT, sha256="retrained")):
        given = source(segments=(SegmentSource(mapt=found_by),))
        keys.append(schedule_plan(plan(COPY), given, seed=0).cells[0].key)
    assert keys[0] == keys[1] != keys[2]


def test_without_images_mapt_finds_nothing():
    given = source(walk(3, with_images=False), segments=(OWN, TRUE))
    schedule = schedule_plan(on_both(COPY, MOTION), given, seed=0)
    assert [(each.cell.variant.name, each.cell.segments) for each in schedule.cells] == [
        ("copy", "groundtruth")
    ]
    assert {skip.tracker: skip.reason for skip in schedule.skipped} == {
        "copy": "links detections of mine, which needs images, and the data have none",
        "motion": "needs images, and the data have none",
    }


def test_mapt_finds_only_the_classes_that_it_knows():
    foreign = SegmentSource(mapt=replace(MAPT, label_space="motchallenge-step"))
    schedule = schedule_plan(on_both(COPY), source(segments=(foreign, TRUE)), seed=0)
    assert [each.cell.segments for each in schedule.cells] == ["groundtruth"]
    (skip,) = schedule.skipped
    assert skip.to_dict() == {
        "tracker": "copy",
        "reason": "links detections of mine, which has the label space motchallenge-step, and the "
        "data have kitti-step; map both to one label space with --map",
    }


def test_any_segments_are_linked_by_a_network_of_other_classes():
    foreign = replace(MAPT, label_space="motchallenge-step")
    links = Variant("mapt", "MAPT", "heads", "mapt", memory=0, mapt=foreign)
    schedule = schedule_plan(plan(links), source(), seed=0)
    assert len(schedule.cells) == 1
    assert schedule.skipped == ()


def test_retrained_weights_are_another_run(tmp_path):
    links = Variant("mapt", "MAPT", "heads", "mapt", memory=0, mapt=MAPT)
    given = source(segments=(OWN, TRUE))
    claim_folder(tmp_path, plan(links), given, seed=0)
    claim_folder(tmp_path, plan(replace(links, mapt=replace(MAPT, path=Path("moved")))), given, 0)
    retrained = replace(MAPT, sha256="retrained")
    with pytest.raises(ConfigError, match=r"differs in rows .*weights"):
        claim_folder(tmp_path, plan(replace(links, mapt=retrained)), given, seed=0)
    with pytest.raises(ConfigError, match="differs in rows"):
        claim_folder(tmp_path, plan(replace(links, switches=("static",))), given, seed=0)
    found = source(segments=(SegmentSource(mapt=retrained), TRUE))
    with pytest.raises(ConfigError, match=r"differs in data \(segments mine weights\)"):
        claim_folder(tmp_path, plan(links), found, seed=0)


@pytest.mark.parametrize(
    ("kind", "stress", "place"),
    [
        (TRUE, None, "groundtruth"),
        (TRUE, NOISE, "groundtruth"),  # true segments do not depend on images
        (TRUE, BARS, "groundtruth/bars-3"),
        (NOISY, NOISE, "noisy"),
        (OWN, None, "mine"),
        (OWN, NOISE, "mine/noise-2"),
        (OWN, BARS, "mine/bars-3"),
    ],
)
def test_archives_lie_apart_where_segments_differ(kind, stress, place):
    path = archive_path(Path("run"), kind, 1, "b", stress)
    assert path == Path("run/segments") / place / "0001-b.npz"


def test_changed_images_change_what_mapt_finds_for_who_reads_none():
    cells = (Cell(COPY), Cell(COPY, stress=NOISE))
    given = plan(COPY, cells=cells, series=(Series("noise", (NOISE,)),))
    keys, noticed = {}, {}
    for kind in (OWN, TRUE):
        schedule = schedule_plan(given, source(walk(4), segments=(kind,)), seed=0)
        keys[kind.name] = {cell.key for cell in schedule.cells}
        noticed[kind.name] = [unit.stress for unit in schedule.units()]
    assert (len(keys["mine"]), noticed["mine"]) == (2, [None, NOISE])
    assert (len(keys["groundtruth"]), noticed["groundtruth"]) == (1, [None])


def test_a_table_of_each_kind_with_the_reference_of_its_own(tmp_path):
    kinds = (NOISY, TRUE)
    rows = (UNLINKED, COPY, ORACLE)
    cells = tuple(Cell(row, segments=kind.name) for kind in kinds for row in rows)
    videos = [walk(4, speed=speed, name=f"{speed}") for speed in range(1, 6)]
    given = source(*videos, segments=kinds)
    result = run_experiment(plan(*rows, cells=cells), given, tmp_path / "run")
    found = [(row["segments"], row["trained"], row["variant"]) for row in result["summary"]]
    assert found == [(kind.name, False, row.name) for kind in kinds for row in rows]
    assert [cell["segments"] for cell in result["cells"]] == 3 * ["noisy"] + 3 * ["groundtruth"]
    scores = {(row["segments"], row["variant"]): row for row in result["summary"]}
    assert scores["groundtruth", "oracle"]["scores"]["PQ"] == 1
    assert scores["noisy", "oracle"]["scores"]["PQ"] < 1
    for kind in ("noisy", "groundtruth"):
        unlinked, copy = scores[kind, "unlinked"], scores[kind, "copy"]
        assert copy["differences"] is None
        difference = unlinked["differences"]["scores"]["TQ"]["difference"]
        expected = unlinked["scores"]["TQ"] - copy["scores"]["TQ"]
        assert difference == pytest.approx(expected)
    both = result["protocol"]["segments_by_name"]
    assert list(both) == ["noisy", "groundtruth"]
    assert result["protocol"]["segments"] == "; ".join(both.values())
    folders = {path.name for path in (tmp_path / "run" / "segments").iterdir()}
    assert folders == {"noisy", "groundtruth"}
