"""Golden cases: compare computed numbers with those of the published evaluation codes."""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mapt_bench.errors import DataError, nearest
from mapt_bench.evaluation.folder_scoring import evaluate_folders
from mapt_bench.evaluation.matched_folders import EvaluationSettings
from mapt_bench.files import parse_json, read_text
from mapt_bench.metrics.arithmetic import Block
from mapt_bench.special_files import refuse_root

__all__ = [
    "CONFORMANCE_SCHEMA",
    "ConformanceReport",
    "Mismatch",
    "check_conformance",
    "find_cases",
    "golden_cases",
]

CONFORMANCE_SCHEMA = "mapt-bench/conformance/1"

_NOTES = frozenset({"errors", "depends_on_id_order"})
"""Keys with remarks on a case, which are not compared."""

_TOLERANCE = 1e-9
_LOOSE_TOLERANCE = 1e-6
_LOOSE_KEYS = frozenset({"official_float32", "mopt"})
_NEAR_ZERO = 1e-12
_ABSENT = "absent"


@dataclass(frozen=True)
class Mismatch:
    """One number that differs.

    Attributes:
        case: Name of the folder of the case.
        block: Block of results, for example ``"stq"``.
        field: Path inside the block, with dots.
        expected: Number in ``expected.json``.
        got: Number of this implementation. ``"absent"`` if the field is missing.
    """

    case: str
    block: str
    field: str
    expected: object
    got: object


@dataclass(frozen=True)
class ConformanceReport:
    """Result of checking golden cases.

    Attributes:
        cases: Names of the cases, in order.
        number_count: Number of compared numbers.
        not_given: Number of expected numbers that another implementation does not have.
        mismatches: Numbers that differ.
    """

    cases: list[str]
    number_count: int
    not_given: int
    mismatches: list[Mismatch]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {"schema": CONFORMANCE_SCHEMA, **asdict(self)}


def golden_cases() -> Path:
    """Return the folder of the built-in golden cases.

    Example:
        >>> len(find_cases(golden_cases()))
        24
    """
    return Path(__file__).with_name("golden")


def find_cases(folder: Path) -> list[Path]:
    """Return the cases at or below a folder. A case has ``expected.json``, ``gt`` and ``pred``.

    Raises:
        DataError: If there is no case, or a case is incomplete.
    """
    if not folder.is_dir():
        raise DataError("expected a folder of golden cases", where=folder)
    refuse_root(folder)
    cases = sorted(path.parent for path in folder.rglob("expected.json"))
    for case in cases:
        for side in ("gt", "pred"):
            if not (case / side).is_dir():
                raise DataError(
                    f"the case has an expected.json but no folder {side!r}; complete it or "
                    "remove it",
                    where=case,
                )
    if not cases:
        raise DataError(
            "has no case; expected folders with gt/, pred/ and expected.json", where=folder
        )
    return cases


def check_conformance(
    folder: Path,
    progress: Callable[[int], None] | None = None,
    *,
    results: Path | None = None,
) -> ConformanceReport:
    """Score every case below a folder and compare all numbers.

    Integers must be equal. Real numbers may differ by a relative 1e-9 (absolute 1e-12 near 0), and
    by 1e-6 for references in single precision.

    Args:
        folder: Folder of the cases, at any depth.
        progress: Called with 1 after each case.
        results: Folder with the results of another implementation, to check instead of this one:
            ``<case>.json`` in the form of ``results`` in ``expected.json``. Missing numbers are
            counted, not compared.

    Raises:
        DataError: If there is no case, or a case cannot be read, or ``results`` lacks a case, has
            unknown fields, or has no expected number.
    """
    cases = {_name(case, folder): case for case in find_cases(folder)}
    mismatches: list[Mismatch] = []
    number_count = not_given = 0
    for name, case in cases.items():
        expected = _read_expected(case / "expected.json")
        if results is None:
            blocks: object = _own_blocks(case, expected)
        else:
            blocks = _read_results(results / f"{name}.json", expected["results"])
        for block, field, want, got in _numbers(expected["results"], blocks):
            if results is not None and got == _ABSENT:
                not_given += 1
                continue
            number_count += 1
            if not _equal(want, got, loose=bool(_LOOSE_KEYS & {block, *field[:1]})):
                mismatches.append(Mismatch(name, block, ".".join(field), want, got))
        if progress is not None:
            progress(1)
    return ConformanceReport(list(cases), number_count, not_given, mismatches)


def _name(case: Path, folder: Path) -> str:
    return case.name if case == folder else case.relative_to(folder).as_posix()


def _own_blocks(case: Path, expected: dict[str, Any]) -> Block:
    settings = EvaluationSettings(dataset=expected["dataset"].replace("_", "-"))
    return evaluate_folders(case / "gt", [case / "pred"], settings)[0].blocks


def _read_expected(path: Path) -> dict[str, Any]:
    expected = _read_json(path)
    dataset, results = expected.get("dataset"), expected.get("results")
    if not isinstance(dataset, str) or not isinstance(results, dict):
        raise DataError(
            "expected a JSON object with 'dataset' (a name) and 'results' (blocks)", where=path
        )
    return expected


def _read_results(path: Path, expected: dict[str, Any]) -> dict[str, Any]:
    """Read the results of another implementation. Refuse results that cannot be compared."""
    if not path.is_file():
        raise DataError(
            "does not exist; write the results of every case as <case>.json", where=path
        )
    results = _read_json(path)
    problem = next(_unknown(results, expected), None)
    if problem is None and all(got == _ABSENT for *_, got in _numbers(expected, results)):
        problem = "holds none of the expected numbers"
    if problem is not None:
        raise DataError(
            f"{problem}; expected the shape of 'results' in expected.json, or a part of it",
            where=path,
        )
    return results


def _unknown(got: object, expected: object, place: str = "") -> Iterator[str]:
    """Yield the fields of another implementation's results that are not expected."""
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in got:
            name = f"{place}.{key}".lstrip(".")
            if key in expected:
                yield from _unknown(got[key], expected[key], name)
            elif key not in _NOTES:
                yield f"has the field {name!r}, which is not expected ({nearest(key, expected)})"
    elif isinstance(expected, list) and isinstance(got, list):
        if len(got) > len(expected):
            yield f"has {len(got)} entries in {place!r} where {len(expected)} are expected"
    elif isinstance(expected, dict | list):
        kind = "an object" if isinstance(expected, dict) else "a list"
        yield f"holds no {kind.split()[1]} in {place!r} where {kind} is expected"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        # NaN and Infinity are not valid JSON numbers. As text, they differ from every score.
        content = parse_json(read_text(path), constants=str)
    except (OSError, ValueError) as problem:
        raise DataError(f"cannot be read as JSON: {problem}", where=path) from problem
    if not isinstance(content, dict):
        raise DataError(f"expected a JSON object, found {type(content).__name__}", where=path)
    return content


def _numbers(
    expected: dict[str, Any], got: object
) -> Iterator[tuple[str, tuple[str, ...], object, object]]:
    """Yield the block, path, expected value and computed value of every expected number."""
    for block, content in expected.items():
        for field, want, found in _leaves(content, _child(got, block)):
            yield block, field, want, found


def _leaves(want: object, got: object) -> Iterator[tuple[tuple[str, ...], object, object]]:
    if isinstance(want, dict):
        for key, value in want.items():
            if key not in _NOTES:
                for field, leaf, found in _leaves(value, _child(got, key)):
                    yield (key, *field), leaf, found
    elif isinstance(want, list):
        for at, value in enumerate(want):
            found_value = got[at] if isinstance(got, list) and at < len(got) else _ABSENT
            for field, leaf, found in _leaves(value, found_value):
                yield (str(at), *field), leaf, found
    else:
        yield (), want, got


def _child(got: object, key: str) -> object:
    return got[key] if isinstance(got, dict) and key in got else _ABSENT


def _equal(want: object, got: object, *, loose: bool) -> bool:
    if not isinstance(want, int | float) or not isinstance(got, int | float):
        return bool(want == got)
    if isinstance(want, bool) or isinstance(got, bool):
        return want is got
    if isinstance(want, int) and isinstance(got, int):
        return want == got
    tolerance = _LOOSE_TOLERANCE if loose else _TOLERANCE
    return math.isclose(want, got, rel_tol=tolerance, abs_tol=_NEAR_ZERO)
