"""A small FLOPs report, as its JSON has it."""

from typing import Any

__all__ = ["cost", "cost_row"]


def cost_row(model: str, part: str = "whole", mode: str = "conv", **more: Any) -> dict[str, Any]:
    """Return a row with plausible contents; ``gmacs`` is 2 unless told."""
    gmacs = more.get("gmacs", 2.0)
    return {
        "model": model,
        "part": part,
        "input": [384, 1280],
        "shape": None,
        "instances": 10,
        "mode": mode,
        "is_whole": part in ("whole", "trunk"),
        "gmacs": gmacs,
        "gmacs_fvcore": gmacs,
        "macs": None if gmacs is None else int(gmacs * 1e9),
        "counted_gmacs": gmacs or 1.0,
        "excluded": ["aten::relu"],
        "uncounted": [],
        "counted_on": "meta",
        "fvcore_at": [[64, 64], [64, 128]],
        "relative_difference": 0.0,
        "explanation": None,
        "problem": None,
        "params": 1_500_000,
        "latency_ms": None,
        "peak_mib": None,
        "measurement": None,
        **more,
    }


def cost(*rows: dict[str, Any]) -> dict[str, Any]:
    """Return a FLOPs report of some rows, with one claim and one curve."""
    rows = rows or (
        cost_row("flownet2"),
        cost_row("flownet2", "flownetc", gmacs=0.5),
        cost_row("flownet2", "rest", gmacs=1.5),
        cost_row("motion-head", gmacs=0.01),
    )
    return {
        "schema": "mapt-bench/cost/1",
        "unit": "GMACs",
        "modes": {mode: ["matrix"] for mode in dict.fromkeys(row["mode"] for row in rows)},
        "rows": list(rows),
        "claims": [
            {
                "name": "operations of the motion head",
                "claimed": 3.5,
                "measured": 3.497,
                "fitted": True,
                "relative_difference": 3.497 / 3.5 - 1,
                "at": [1024, 1920],
                "mode": "conv",
                "instances": 10,
                "unit": "GMACs",
                "note": "chosen to meet the figure",
            }
        ],
        "curves": [
            {
                "model": "flownet2",
                "mode": "conv",
                "points": [
                    {"input": [192, 640], "gmacs": 62.0},
                    {"input": [384, 1280], "gmacs": 248.0},
                ],
            }
        ],
        "notes": ["a note"],
        "without_network": ["copy", "both", "both:appearance-first", "flow:dis"],
        "problems": [],
        "provenance": {},
    }
