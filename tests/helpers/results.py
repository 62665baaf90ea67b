"""Small result files of every schema, as dictionaries."""

from typing import Any

from mapt_bench.results.result_views import HEADLINE


def evaluation(name: str = "tracker", *, shift: float = 0.0, **changes: Any) -> dict[str, Any]:
    """An evaluation of two sequences: every share is 0.6 (+ shift), PTQ is undefined."""
    scores: dict[str, float | None] = dict.fromkeys(HEADLINE, 0.6 + shift)
    scores |= {"PTQ": None, "IDSW": 7, "Frag": 3, "PAT": 0.5 + shift}
    sequence = {key: scores[key] for key in ("PAT", "STQ", "PTQ", "IDSW")}
    result = {
        "schema": "mapt-bench/evaluation/2",
        "name": name,
        "scores": scores,
        "per_sequence": {"0001": {**sequence, "frames": 10}, "0002": {**sequence, "frames": 12}},
        "per_class": {
            "0": _class("road", False, 0.75 + shift, 3, 1, 0),
            "11": _class("person", True, 0.25, 1, 2, 3),
            "13": _class("car", True, None, 0, 0, 0),
        },
        "blocks": {},
        "protocol": {
            "pat": "thing_ids_present_classes",
            "dataset": "kitti-step",
            "missing": "error",
            "classes": [0, 11, 13],
        },
        "undefined": {"PTQ": "no true positives"},
        "provenance": {},
    }
    return {**result, **changes}


def evaluations(*members: dict[str, Any]) -> dict[str, Any]:
    """Several evaluations in one file."""
    return {"schema": "mapt-bench/evaluations/2", "evaluations": list(members)}


def interval(low: float, high: float, n: int = 9) -> dict[str, Any]:
    """An interval as results hold it."""
    method = "BCa bootstrap, 2000 resamples"
    return {"low": low, "high": high, "level": 0.95, "method": method, "n": n}


def summary_row(
    variant: str, pat: float | None, stq: float | None, group: str, **changes: Any
) -> dict[str, Any]:
    """One row of a run's summary."""
    row = {
        "variant": variant,
        "label": variant.replace("_", " "),
        "group": group,
        "interval": None,
        "scores": {
            "PAT": pat,
            "PQ": 0.7,
            "TQ": 0.5,
            "STQ": stq,
        },
        "intervals": None,
        "switches": 4,
        "fragments": 2,
        "cost": {"seconds_per_frame": 0.0125},
        "n_sequences": 2,
        "status": "done",
    }
    tau = (changes.get("interval") or {}).get("tau", 1)
    return {**row, "cell": f"{variant}-{tau}", **changes}


def run(**changes: Any) -> dict[str, Any]:
    """An ablation of four variants, with a skipped tracker and a claim."""
    summary = [
        summary_row("copy", 0.40, 0.50, "baselines", switches=30, fragments=12),
        summary_row("iou", 0.6161, 0.70, "baselines", switches=11, fragments=6),
        summary_row("both", 0.6265, 0.69, "heads", switches=8, fragments=5),
        summary_row("oracle", 0.80, 0.90, "reference", switches=0, fragments=4),
    ]
    if "summary" in changes and "cells" not in changes:
        changes["cells"] = [cell(row) for row in changes["summary"]]
    result = {
        "schema": "mapt-bench/run/1",
        "experiment": "ablate",
        "cells": [cell(row) for row in summary],
        "skipped": [{"tracker": "motion_flow", "reason": "the data has no images"}],
        "summary": summary,
        "protocol": {"pat": "present", "label_space": "kitti-step"},
        "claims": [
            {
                "name": "PAT, both heads",
                "claimed": 0.6265,
                "measured": 0.6,
                "difference": -0.0265,
                "note": "other data, no trained weights",
            }
        ],
        "provenance": {},
    }
    return {**result, **changes}


def sweep() -> dict[str, Any]:
    """A sweep over tau = 1, 2, 3, 5 of two trackers, with copying and the oracle."""
    summary = [
        summary_row(
            variant,
            base - 0.03 * slope * (tau - 1),
            base,
            group,
            interval={"kind": "drop", "tau": tau},
            intervals={
                "PAT": interval(base - 0.03 * slope * (tau - 1) - 0.04, base + 0.04)
                if variant == "both"
                else {"reason": "2 sequences; an interval needs at least 5"}
            },
        )
        for variant, base, slope, group in (
            ("copy", 0.42, 2.5, "baselines"),
            ("iou", 0.6, 1.5, "baselines"),
            ("both", 0.63, 1, "heads"),
            ("oracle", 0.8, 0.1, "reference"),
        )
        for tau in (1, 2, 3, 5)
    ]
    return run(experiment="sweep-interval", summary=summary)


def cell(row: dict[str, Any]) -> dict[str, Any]:
    """The cell behind a summary row."""
    return {
        "key": row["cell"],
        "variant": row["variant"],
        "scores": row["scores"],
        "undefined": {name: "no tracks" for name, value in row["scores"].items() if value is None},
        "per_sequence": {"0001": row["scores"], "0002": row["scores"]},
        "cost": row["cost"],
        "status": row["status"],
    }


def _class(
    name: str, is_thing: bool, score: float | None, tp: int, fp: int, fn: int
) -> dict[str, Any]:
    counts = {"iou_sum": tp * (score or 0.0), "tp": tp, "fp": fp, "fn": fn}
    shares = dict.fromkeys(("PQ", "SQ", "RQ", "IoU"), score)
    return {"name": name, "is_thing": is_thing, **shares, **counts}
