"""Introductions for readers who see a page for the first time: what was compared, on which data."""

from collections.abc import Mapping, Sequence
from typing import Any

from mapt_bench.errors import counted, listed
from mapt_bench.report.provenance import frame_count
from mapt_bench.reports.sentences import SWEEP_WORDS
from mapt_bench.results.result_views import is_reference, row_interval, row_name, run_parts

__all__ = [
    "evaluation_introduction",
    "frontier_introduction",
    "matrix_introduction",
    "network_introduction",
    "run_introduction",
]

Row = Mapping[str, Any]

_PAT = (
    "PAT, the main score in percent, is the harmonic mean of PQ, which rates the segments of each "
    "frame, and TQ, which rates whether objects keep their identities."
)


def run_introduction(run: Row) -> str:
    """Return two sentences on a run.

    Args:
        run: A result of schema ``mapt-bench/run/1``.
    """
    rows: Sequence[Row] = run["summary"]
    own = dict.fromkeys(row_name(row) for row in rows if not is_reference(row))
    bounds = dict.fromkeys(row_name(row) for row in rows if is_reference(row))
    what = counted(len(own), "tracker")
    if bounds:
        what += f" and {counted(len(bounds), 'reference')}"
    segments = [part.words for part in run_parts(run) if part.words]
    linked = f" that link the same segments ({'; '.join(segments)})" if segments else ""
    subject = f"This page compares {what}{linked}{_conditions(run)}"
    data = _data((run.get("provenance") or {}).get("data") or {})
    return f"{subject}{data}. {_PAT}"


def _conditions(run: Row) -> str:
    """Return the stressors or the temporal intervals of a run, in words."""
    stressors = [str(each["name"]) for each in run.get("stressors") or []]
    if stressors:
        return f", without stress and under {listed(stressors)}"
    taus: dict[str, set[int]] = {}
    for row in run["summary"]:
        if found := row_interval(row):
            taus.setdefault(SWEEP_WORDS.get(found[0], found[0]), set()).add(found[1])
    named = [f"{words} {', '.join(map(str, sorted(each)))}" for words, each in taus.items()]
    return f", at {' and '.join(named)}" if named else ""


def _data(data: Row) -> str:
    """Return the data of a result in words, as the end of a sentence. Empty if unknown."""
    sequences = data.get("sequences") or {}
    suite = (data.get("suite") or {}).get("name")
    size = ""
    if sequences:
        noun = "synthetic video" if suite else "sequence"
        frames = frame_count(sequences)
        size = counted(len(sequences), noun)
        size += f" with {counted(frames, 'frame')}" if frames else ""
    if suite:
        return f", on {size} of the suite {suite}" if size else f", on the suite {suite}"
    name = data.get("name")
    if not name:
        return f", on {size}" if size else ""
    return f", on {size} of {name}" if size else f", on {name}"


def evaluation_introduction(evaluations: Sequence[Row]) -> str:
    """Return two sentences on evaluations of schema ``mapt-bench/evaluation/2``."""
    what = counted(len(evaluations), "prediction")
    names = {str((each.get("protocol") or {}).get("dataset") or "") for each in evaluations} - {""}
    first = evaluations[0].get("per_sequence") or {}
    frames = sum(int(entry.get("frames") or 0) for entry in first.values())
    size = f"{counted(len(first), 'sequence')} with {counted(frames, 'frame')}"
    labels = f", in the label space {listed(sorted(names))}" if names else ""
    return f"This page scores {what} against the ground truth of {size}{labels}. {_PAT}"


def frontier_introduction(result: Row) -> str:
    """Return two sentences on a frontier of schema ``mapt-bench/frontier/1``."""
    trackers = counted(len(result["trackers"]), "tracker")
    data = _data(result.get("data") or {})
    return f"This page shows which PAT and STQ the settings of {trackers} reach{data}. {_PAT}"


def matrix_introduction(result: Row) -> str:
    """Return two sentences on an interval matrix of schema ``mapt-bench/interval-matrix/1``."""
    data = _data(result.get("data") or {})
    return (
        "This page shows how the temporal interval of training and the pairing interval of "
        f"inference change the scores of MAPT{data}. {_PAT}"
    )


def network_introduction(cost: Row) -> str:
    """Return two sentences on a FLOPs report of schema ``mapt-bench/cost/1``."""
    models = listed(dict.fromkeys(str(row["model"]) for row in cost["rows"]))
    return (
        f"This page shows what networks cost on one frame: {models}. A GMAC is a thousand million "
        "multiplications with an addition each."
    )
