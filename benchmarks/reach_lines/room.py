"""What each tracker reaches of what the segments allow, and on another domain."""

from collections.abc import Sequence

from mapt_bench.errors import DataError
from mapt_bench.reports.tables import Cell, Column, Table
from reach_lines.seed_run import SeedRun
from reach_lines.verdict import average

_TRUE = "groundtruth"
_HARD = ("half", "hard")
_VARIANTS = {
    "copy+memory": "copying",
    "sort+memory": "SORT",
    "bytetrack+memory": "ByteTrack",
    "oc-sort+memory": "OC-SORT",
    "deep-oc-sort+memory": "Deep OC-SORT",
    "bot-sort+memory": "BoT-SORT",
    "mapt:motion+memory": "MAPT motion",
    "mapt:appearance+memory": "MAPT appearance",
    "mapt+memory": "MAPT both",
    "mapt:paper+memory": "MAPT, fusion of the paper",
    "mapt:appearance-first+memory": "MAPT appearance first",
    "mapt:simultaneous+memory": "MAPT simultaneous",
    "mapt:propagation+memory": "MAPT propagation",
    "flow:dis+memory": "DIS",
    "flow:exact+memory": "ground-truth flow",
    "oracle:in-view": "oracle, in view",
    "oracle": "oracle",
}
_DROPPED = ("PAT", "PQ", "TQ", "AssA")
_REFERENCES = 3
"""The last rows use the ground truth. They are references."""


def room(runs: Sequence[SeedRun]) -> Table:
    """Return TQ and AssA on the hard split, for both sources of segments, means over the runs."""
    columns = [Column("with memory")]
    wanted = [(kind, score) for kind in (None, _TRUE) for score in ("TQ", "AssA")]
    for kind, score in wanted:
        columns.append(
            Column(f"{score}, {'ground truth' if kind else 'detections'}", "percent", True)
        )
    rows: list[tuple[Cell, ...]] = []
    for variant, words in _VARIANTS.items():
        found = [
            average([run.score(variant, score, _HARD, kind) for run in runs])
            for kind, score in wanted
        ]
        rows.append((words, *(each.value for each in found)))
    return Table(
        "Hard split, on MAPT's detections and on ground-truth segments, means over runs",
        tuple(columns),
        tuple(rows),
        references=frozenset(range(len(rows) - _REFERENCES, len(rows))),
    )


def drops(runs: Sequence[SeedRun], shifted: Sequence[SeedRun]) -> Table:
    """Return the scores of every tracker on two suites, means over the runs, and their difference.

    Args:
        runs: On the suite of the training domain.
        shifted: On another domain, with the same weights in the same order.

    Raises:
        DataError: If the weights differ.
    """
    if [run.weights for run in runs] != [run.weights for run in shifted]:
        raise DataError(
            f"the runs of {shifted[0].suite} are of other weights than those of {runs[0].suite}; "
            "give --shift once for each run, in the same order"
        )
    columns = [Column("with memory")]
    for score in _DROPPED:
        columns += [
            Column(f"{score}, {runs[0].suite}", "percent", True),
            Column(f"{score}, {shifted[0].suite}", "percent", True),
            Column(f"{score} change", "points"),
        ]
    rows: list[tuple[Cell, ...]] = []
    for variant, words in _VARIANTS.items():
        line: list[Cell] = [words]
        for score in _DROPPED:
            here, there = (
                average([run.score(variant, score) for run in each]).value
                for each in (runs, shifted)
            )
            line += [here, there, None if here is None or there is None else there - here]
        rows.append(tuple(line))
    return Table(
        f"Own detections on {runs[0].suite} and on {shifted[0].suite}, another domain",
        tuple(columns),
        tuple(rows),
        references=frozenset(range(len(rows) - _REFERENCES, len(rows))),
    )
