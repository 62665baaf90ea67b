"""Read result files as rows of scores."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mapt_bench.errors import DataError, wrong_schema
from mapt_bench.files import parse_json, read_text
from mapt_bench.results.expected_fields import expecting_fields
from mapt_bench.results.result_views import (
    OWN_IN_WORDS,
    OWN_SEGMENTS,
    SCORES,
    entry_of_row,
    part_of,
    row_interval,
    row_name,
    row_score,
    run_parts,
)
from mapt_bench.results.run_folders import result_in

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ABSENT",
    "BASELINE",
    "BY_NAME",
    "COST",
    "EVALUATION",
    "EVALUATIONS",
    "RUN",
    "ResultFile",
    "ResultRow",
    "load_result",
    "read_document",
    "result_rows",
]

EVALUATION = "mapt-bench/evaluation/2"
EVALUATIONS = "mapt-bench/evaluations/2"
RUN = "mapt-bench/run/1"
COST = "mapt-bench/cost/1"
BASELINE = "mapt-bench/baseline/1"

BY_NAME = {RUN: "run", COST: "FLOPs report"}
"""Kinds of results whose rows are always matched by name, for each schema."""

_SCHEMAS = (EVALUATION, EVALUATIONS, RUN, COST, BASELINE)

ABSENT = "absent"
"""Mark of a score that a row of a baseline does not have, unlike one that is undefined."""

_OUTDATED = ("mapt-bench/evaluation/1", "mapt-bench/evaluations/1")
"""Schemas whose PAT, PQ and LSTQ may include classes of other predictions."""

Scores = Mapping[str, float | None]


@dataclass(frozen=True)
class ResultRow:
    """One prediction, or one variant of a run under one condition.

    Attributes:
        name: Name, unique in its file. Rows of two files are matched by it.
        label: Name in tables, also unique.
        scores: Shares as fractions, counts as numbers. ``None`` is undefined.
        sequences: Scores of each sequence.
        protocol: Settings that the scores depend on, if known: ``pat``, ``dataset``,
            ``classes``, ``segments`` and more.
        condition: For a row of a run, if known: ``variant``, ``group``, ``memory``,
            ``segments``, ``trained``, ``interval`` (``"drop"`` or ``"pair"``) and ``tau`` of a
            sweep, ``stressor`` and ``level`` of a stress test.
        intervals: Confidence intervals by score, see ``docs/statistics.md``.
        ground_truth: Fingerprint of the ground truth of each sequence, if known.
        predictions: Fingerprint of the predictions of each sequence, if known: of files in an
            evaluation, of maps in a run.
    """

    name: str
    label: str
    scores: Scores
    sequences: Mapping[str, Scores]
    protocol: Mapping[str, Any]
    condition: Mapping[str, Any] = field(default_factory=dict)
    intervals: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    ground_truth: Mapping[str, str] = field(default_factory=dict)
    predictions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ResultFile:
    """All rows of one file.

    Attributes:
        path: Path of the file, also if the folder of a run was given.
        schema: Schema of the file; of a baseline, the schema of the result it was made from.
        rows: Rows by name.
        origin: Fingerprints of ``data``, ``segments`` and ``weights``, the ``suite`` with its
            version, and the ``seed``, as text. Unknown entries are omitted.
        revision: Revision of the user's project, if known.
        created: Date and time of the result (ISO 8601, UTC), if known.
        document: The JSON object of the file.
    """

    path: Path
    schema: str
    rows: Mapping[str, ResultRow]
    origin: Mapping[str, str] = field(default_factory=dict)
    revision: str | None = None
    created: str | None = None
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def to_frame(self) -> "pd.DataFrame":
        """Return all scores as a pandas frame, one line per row, sequence and score.

        Returns:
            Columns ``row`` and ``label``; each entry of :attr:`ResultRow.condition` that any row
            has; ``sequence``, missing (``isna()``) for scores of the pooled sequences;
            ``score``; ``value``, shares as fractions, NaN if undefined; ``low`` and ``high``,
            the confidence interval of a pooled score, NaN if there is none.

        Example:
            >>> row = ResultRow("mine", "mine", {"PAT": 0.5}, {"0001": {"PAT": 0.25}}, {})
            >>> result = ResultFile(Path("mine.json"), EVALUATION, {"mine": row})
            >>> frame = result.to_frame()
            >>> frame[frame["sequence"].isna()][["row", "score", "value"]].values.tolist()
            [['mine', 'PAT', 0.5]]
            >>> frame[frame["sequence"] == "0001"]["value"].tolist()
            [0.25]
        """
        import pandas as pd  # imported here, because comparing results needs no pandas

        conditions = dict.fromkeys(name for row in self.rows.values() for name in row.condition)
        names = ("row", "label", *conditions, "sequence", "score", "value", "low", "high")
        lines = [line for row in self.rows.values() for line in _lines(row, tuple(conditions))]
        frame = pd.DataFrame(lines, columns=list(names))
        return frame.astype({"value": float, "low": float, "high": float})


def _lines(row: ResultRow, conditions: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return the lines of a row, those of the pooled sequences first."""
    given = (row.name, row.label, *(row.condition.get(name) for name in conditions))
    pooled = []
    for score, value in row.scores.items():
        interval = row.intervals.get(score, {})
        pooled.append((*given, None, score, value, interval.get("low"), interval.get("high")))
    return pooled + [
        (*given, sequence, score, value, None, None)
        for sequence, scores in row.sequences.items()
        for score, value in scores.items()
    ]


def load_result(path: Path | str) -> ResultFile:
    """Read an evaluation, several evaluations, a run, a FLOPs report, or a baseline of these.

    Args:
        path: A JSON file, or a run folder, which holds ``results.json``.

    Raises:
        DataError: If the file is missing or not JSON, or has another schema or missing fields.
    """
    path = Path(path)
    file = result_in(path) if path.is_dir() else path
    data = read_document(file)
    schema = data.get("schema")
    if schema not in _SCHEMAS:
        raise DataError(_wrong_schema(data), where=file)
    with expecting_fields(file, schema):
        rows = result_rows(data)
        origin = data["origin"] if schema == BASELINE else {}
        if schema == RUN:
            origin = _origin(data.get("provenance") or {})
        of = data["of"] if schema == BASELINE else schema
        when = _when(data)
    by_name = {row.name: row for row in rows}
    if len(by_name) < len(rows):
        names = sorted({row.name for row in rows if sum(r.name == row.name for r in rows) > 1})
        raise DataError(
            f"has several rows named {', '.join(names)}; give each row a name of its own",
            where=file,
        )
    return ResultFile(file, str(of), by_name, origin, **when, document=data)


def result_rows(data: Mapping[str, Any]) -> list[ResultRow]:
    """Return the rows of a JSON object of a schema that :func:`load_result` reads."""
    if data["schema"] == EVALUATION:
        return [_evaluation_row(data)]
    if data["schema"] == EVALUATIONS:
        return [_evaluation_row(member) for member in data["evaluations"]]
    if data["schema"] == BASELINE:
        return [_baseline_row(row, data["scores"]) for row in data["rows"]]
    return _run_rows(data) if data["schema"] == RUN else _cost_rows(data)


def _baseline_row(row: Mapping[str, Any], scores: Sequence[str]) -> ResultRow:
    """Return a row of a baseline, which has lists of values in the order of the scores."""
    return ResultRow(
        name=str(row["name"]),
        label=str(row["name"]),
        scores=_scores(_named(row["values"], scores)),
        sequences={
            str(name): _scores(_named(values, scores)) for name, values in row["sequences"].items()
        },
        protocol=dict(row["protocol"]),
        ground_truth=dict(row["ground_truth"]),
        predictions=dict(row["predictions"]),
    )


def _named(values: Sequence[float | str | None], scores: Sequence[str]) -> dict[str, Any]:
    """Return values by score. The text ``"absent"`` marks a score that a row does not have."""
    pairs = zip(scores, values, strict=True)
    return {name: value for name, value in pairs if value != ABSENT}


_COSTS = ("gmacs", "params", "latency_ms", "peak_mib")


def _cost_rows(data: Mapping[str, Any]) -> list[ResultRow]:
    """Return the rows of a FLOPs report: one per model, part, input and mode."""
    rows = []
    for row in data["rows"]:
        name = f"{row['model']}, {row['part']}, {row['input'][0]}x{row['input'][1]}, {row['mode']}"
        scores = {cost: row[cost] for cost in _COSTS if row.get(cost) is not None}
        protocol = {"unit": data["unit"]}
        rows.append(ResultRow(name, name, _scores(scores), {}, protocol))
    return rows


def _when(data: Mapping[str, Any]) -> dict[str, str | None]:
    """Return revision and date of a result. Evaluations of one command share both."""
    first = (data.get("evaluations") or [data])[0]
    found = first.get("provenance") or {}
    return {
        name: None if found.get(name) is None else str(found[name])
        for name in ("revision", "created")
    }


def read_document(file: Path) -> Mapping[str, Any]:
    """Read the JSON object of a file, of any schema.

    Raises:
        DataError: If the file is missing or holds no JSON object.
    """
    try:
        data = parse_json(read_text(file), constants=lambda _: None)  # NaN is undefined
    except OSError as problem:
        raise DataError(
            f"cannot be read ({problem.strerror or problem}); give the JSON file of a result, "
            "or a run folder with results.json",
            where=file,
        ) from problem
    except ValueError as problem:  # broken JSON, or bytes that are not text
        raise DataError(f"is not JSON ({problem}); expected a result file", where=file) from problem
    if not isinstance(data, Mapping):
        raise DataError(
            f"holds a JSON {type(data).__name__}; expected a result, which is a JSON object",
            where=file,
        )
    return data


def _wrong_schema(data: Mapping[str, Any]) -> str:
    error = data.get("error")
    if isinstance(error, Mapping):
        return f"holds the error of a failed command ({error.get('message')}), not a result"
    if data.get("schema") in _OUTDATED:
        return (
            f"has schema {data['schema']!r}, whose PAT, PQ and LSTQ may depend on other "
            f"predictions; expected {EVALUATION!r}. Evaluate the predictions again"
        )
    return wrong_schema(
        data.get("schema"), *_SCHEMAS, remedy="write the file again with this version"
    )


_PARTS = ("protocol", "provenance", "per_class", "intervals", "differences", "losses", "cost")


def _check_parts(entry: Mapping[str, Any]) -> None:
    """Refuse parts of a row that are not objects, for example in a file that was edited by hand.

    Raises:
        TypeError: If a part, a confidence interval or a kind of mistake is not an object.
        KeyError: If losses have no kinds, or a kind has no shares.
    """
    parts = {name: entry[name] for name in _PARTS if entry.get(name) is not None}
    if "losses" in parts and isinstance(parts["losses"], Mapping):
        parts["kinds of losses"] = parts["losses"]["kinds"]
    for owner in ("intervals", "kinds of losses"):
        if isinstance(parts.get(owner), Mapping):
            parts |= {f"{owner}, {name}": value for name, value in parts[owner].items()}
    for name, part in parts.items():
        if not isinstance(part, Mapping):
            raise TypeError(f"{name} is {part!r}, not an object")
        if name.startswith("kinds of losses, ") and not isinstance(part["share"], Mapping):
            raise TypeError(f"the share of {name} is {part['share']!r}, not an object")


def _evaluation_row(data: Mapping[str, Any]) -> ResultRow:
    _check_parts(data)
    inputs = (data.get("provenance") or {}).get("inputs") or {}
    return ResultRow(
        name=str(data["name"]),
        label=str(data["name"]),
        scores=_scores(data["scores"]),
        sequences={
            str(name): _scores(entry) for name, entry in (data.get("per_sequence") or {}).items()
        },
        protocol=_named_classes(data.get("protocol") or {}, data.get("per_class") or {}),
        intervals=data.get("intervals") or {},
        ground_truth=_fingerprints(inputs.get("ground_truth") or {}),
        predictions=_fingerprints(inputs.get("predictions") or {}),
    )


def _fingerprints(entry: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in (entry.get("sequences") or {}).items()}


def _named_classes(
    protocol: Mapping[str, Any], per_class: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Replace class numbers by class names, for messages."""
    if "classes" not in protocol:
        return dict(protocol)
    names = [per_class.get(str(c), {}).get("name", c) for c in protocol["classes"]]
    return {**protocol, "classes": names}


def _run_rows(data: Mapping[str, Any]) -> list[ResultRow]:
    rows = []  # names of the first part do not depend on the other parts of the run
    endings = {
        (part.segments, part.trained): f" on {part.suffix}" if part.suffix else ""
        for part in run_parts(data)
    }
    if not isinstance(data["summary"], list):
        raise TypeError("summary is not a list")
    for row in data["summary"]:
        _check_parts(row)
        interval = row_interval(row)
        ending = f", {interval[0]} {interval[1]}" if interval else ""
        condition = _condition(row)
        if "stressor" in condition:
            ending += f", {condition['stressor']} {condition['level']}"
        ending += endings[part_of(row)]
        scores = row["scores"] | {name: row_score(row, name) for name in ("IDSW", "Frag")}
        seconds = (row.get("cost") or {}).get("seconds_per_frame")
        if seconds is not None:
            scores["seconds_per_frame"] = seconds
        rows.append(
            ResultRow(
                name=row_name(row) + ending,
                label=row_name(row) + ending,
                scores=_scores(scores),
                sequences=_run_sequences(data, row),
                protocol=_protocol(data, row),
                condition=condition,
                intervals=row.get("intervals") or {},
                predictions=_run_predictions(data, row),
            )
        )
    return rows


def _protocol(data: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the protocol of a row, with the segments that it linked. Empty if none is stated."""
    if not data.get("protocol"):
        return {}
    protocol = dict(data["protocol"])
    by_name = protocol.pop("segments_by_name", None) or {}
    name = row.get("segments")
    segments = OWN_IN_WORDS if name == OWN_SEGMENTS else by_name.get(name)
    protocol |= {} if segments is None else {"segments": segments}
    classes = entry_of_row(data.get("cells") or (), row).get("classes")
    return protocol if classes is None else {**protocol, "classes": classes}


def _condition(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the condition of a summary row."""
    names = ("variant", "group", "memory", "segments", "trained")
    condition = {name: row[name] for name in names if name in row}
    interval, stress = row_interval(row), row.get("stress") or {}
    if interval is not None:
        condition |= {"interval": interval[0], "tau": interval[1]}
    return condition | {name: stress[name] for name in ("stressor", "level") if name in stress}


def _origin(provenance: Mapping[str, Any]) -> dict[str, str]:
    """Return the fingerprints of the inputs of a run."""
    data = provenance.get("data") or {}
    suite = data.get("suite")
    found = {
        "suite": None if not suite else f"{suite.get('name')} version {suite.get('version')}",
        "data": data.get("fingerprint"),
        "segments": _fingerprint_of_segments(data.get("segments") or {}),
        "weights": ", ".join(map(str, (provenance.get("weights") or {}).values())) or None,
        "seed": provenance.get("seed"),
    }
    return {name: str(value) for name, value in found.items() if value is not None}


def _fingerprint_of_segments(segments: Mapping[str, Any]) -> str | None:
    kinds = [each for each in segments.values() if isinstance(each, Mapping)]
    found = [each.get("fingerprint") for each in (segments, *kinds)]  # the first of older runs
    return next((each for each in found if each is not None), None)


def _run_sequences(data: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Scores]:
    """Return the scores of each sequence from the cell of a summary row."""
    found = entry_of_row(data.get("cells") or (), row).get("per_sequence") or {}
    return {str(sequence): _scores(entry) for sequence, entry in found.items()}


def _run_predictions(data: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, str]:
    """Return the hashes of the maps of each sequence from the cell of a summary row."""
    hashes = entry_of_row(data.get("cells") or (), row).get("predictions") or {}
    return {str(sequence): str(found) for sequence, found in hashes.items()}


def _scores(entry: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the scores of an entry: known scores, and other numbers except ``frames``."""
    kept: dict[str, float | None] = {}
    for name, value in entry.items():
        if isinstance(value, bool | str | Sequence | Mapping):
            if name in SCORES:
                raise TypeError(f"{name} is {value!r}, not a number")
        elif name != "frames":
            kept[name] = float(value) if value is not None and math.isfinite(value) else None
    return kept
