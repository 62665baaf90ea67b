"""What each tracker reaches of what the segments allow."""

from collections.abc import Sequence

from mapt_bench.reports.tables import Cell, Column, Table
from reach_lines.seed_run import SeedRun
from reach_lines.verdict import average

_TRUE = "groundtruth"
_HARD = ("half", "hard")
_VARIANTS = {
    "copy+memory": "copying",
    "sort+memory": "SORT",
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
