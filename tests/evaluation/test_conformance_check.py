import json
import shutil
from pathlib import Path

import pytest

from mapt_bench.errors import DataError
from mapt_bench.evaluation import check_conformance
from mapt_bench.evaluation.golden_cases import find_cases

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
CASES = sorted(path.parent.name for path in GOLDEN.glob("*/expected.json"))


@pytest.fixture
def case(tmp_path):
    """A copy of a small case."""
    return Path(shutil.copytree(GOLDEN / "single_frame", tmp_path / "golden" / "single_frame"))


def alter(case, path, value):
    file = case / "expected.json"
    expected = json.loads(file.read_text())
    *parents, last = path
    place = expected["results"]
    for key in parents:
        place = place[key]
    old = place[last]
    place[last] = value(old) if callable(value) else value
    assert place[last] != old
    file.write_text(json.dumps(expected))


def test_there_are_24_cases():
    assert len(CASES) == 24


@pytest.mark.parametrize("name", CASES)
def test_golden(name):
    report = check_conformance(GOLDEN / name)
    assert report.mismatches == []
    assert report.cases == [name]
    assert report.number_count > 1500  # every block was there to compare


ALTERED = {
    "integer": (("stq", "dataset", "num_gt_tubes"), lambda old: old + 1),
    "real": (("stq", "dataset", "STQ"), lambda old: old * (1 + 1e-8)),
    "real to null": (("stq", "dataset", "AQ"), None),
    "null to real": (("stq", "dataset", "iou_per_class", "3"), 0.5),
    "flag": (("stq", "dataset", "void_counted_as_class"), lambda old: not old),
    "of a sequence": (("stq", "per_sequence", "0001", "length"), 2),
    "of a class": (("pq", "dataset", "per_class", "13", "fp"), lambda old: old + 1),
    "undefined class": (("pq", "dataset", "per_class", "3"), 0),
    "of a window": (("vpq", "dataset", "window_1", "All", "n"), lambda old: old + 1),
    "of a mean": (("vpq", "dataset", "mean_over_windows", "All"), 0.25),
    "of a variant": (("panoptic_tracking", "official", "dataset", "PAT"), lambda old: old + 1e-6),
    "loose": (
        ("panoptic_tracking", "official_float32", "dataset", "PQ"),
        lambda old: old * (1 + 1e-5),
    ),
    "in a list": (("tracking", "per_class", "car", "HOTA_per_alpha", 3), lambda old: old - 1e-6),
    "integer in a list": (("tracking", "detection_averaged", "HOTA_TP", 18), 99),
    "single precision": (("mopt", "dataset", "PTQ"), lambda old: old + 1e-4),
}


@pytest.mark.parametrize(("path", "value"), ALTERED.values(), ids=ALTERED)
def test_one_altered_number_is_found_and_named(case, path, value):
    alter(case, path, value)
    (mismatch,) = check_conformance(case.parent).mismatches
    assert mismatch.case == "single_frame"
    assert mismatch.block == path[0]
    assert mismatch.field == ".".join(str(part) for part in path[1:])
    assert mismatch.expected != mismatch.got


def test_single_precision_has_its_own_tolerance(case):
    alter(case, ("mopt", "dataset", "PTQ"), lambda old: old * (1 + 1e-7))
    path = ("panoptic_tracking", "official_float32", "dataset", "PQ")
    alter(case, path, lambda old: old * (1 + 1e-7))
    assert check_conformance(case).mismatches == []


def test_notes_are_not_compared(case):
    file = case / "expected.json"
    expected = json.loads(file.read_text())
    expected["results"]["tracking"]["depends_on_id_order"] = ["anything"]
    expected["results"]["stq"]["errors"] = {"0000": "anything"}
    file.write_text(json.dumps(expected))
    assert check_conformance(case).mismatches == []


def test_a_field_that_is_not_computed_is_a_mismatch(case):
    file = case / "expected.json"
    expected = json.loads(file.read_text())
    expected["results"]["stq"]["dataset"]["XTQ"] = 0.5
    file.write_text(json.dumps(expected))
    (mismatch,) = check_conformance(case).mismatches
    assert (mismatch.field, mismatch.got) == ("dataset.XTQ", "absent")


def test_an_infinite_number_is_a_mismatch(case):
    alter(case, ("stq", "dataset", "STQ"), float("inf"))
    (mismatch,) = check_conformance(case).mismatches
    assert (mismatch.field, mismatch.expected) == ("dataset.STQ", "Infinity")


def test_altered_pixels_are_a_mismatch(case):
    shutil.copytree(case / "gt", case / "pred", dirs_exist_ok=True)  # now perfect
    assert check_conformance(case).mismatches


def test_cases_lie_at_any_depth_and_are_named_by_their_path(case):
    deeper = case.parent.parent
    assert check_conformance(deeper).cases == ["golden/single_frame"]
    seen = []
    check_conformance(deeper, seen.append)
    assert seen == [1]


def test_a_folder_without_a_case_is_unusable(tmp_path):
    with pytest.raises(DataError, match="has no case"):
        find_cases(tmp_path)
    with pytest.raises(DataError, match="expected a folder of golden cases"):
        find_cases(tmp_path / "nowhere")


def test_an_incomplete_case_is_unusable(case):
    shutil.rmtree(case / "pred")
    with pytest.raises(DataError, match="no folder 'pred'") as info:
        check_conformance(case)
    assert info.value.where == str(case)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"dataset": "kitti_step", "results": []}'])
def test_an_unreadable_expectation_is_unusable(case, text):
    (case / "expected.json").write_text(text)
    with pytest.raises(DataError) as info:
        check_conformance(case)
    assert info.value.where == str(case / "expected.json")


def test_another_implementation_is_checked_by_its_numbers(case, tmp_path):
    results = json.loads((case / "expected.json").read_text())["results"]
    results["stq"]["dataset"]["STQ"] += 0.01
    del results["mopt"]
    (tmp_path / "single_frame.json").write_text(json.dumps(results))
    report = check_conformance(case.parent, results=tmp_path)
    (mismatch,) = report.mismatches
    assert (mismatch.block, mismatch.field) == ("stq", "dataset.STQ")
    assert report.not_given > 0
    with pytest.raises(DataError, match="does not exist"):
        check_conformance(case.parent, results=tmp_path / "nowhere")
