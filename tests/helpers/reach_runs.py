"""Made-up results of an ablation in which every target is reached, to be spoilt one by one."""

import json

MOTION, APPEARANCE, BOTH = "mapt:motion+memory", "mapt:appearance+memory", "mapt+memory"
CARRIED = "mapt:propagation+memory"
TRACKERS = [
    f"{name}+memory" for name in ("sort", "bytetrack", "oc-sort", "deep-oc-sort", "bot-sort")
]
SCORES = {
    BOTH: 0.60,
    MOTION: 0.57,
    APPEARANCE: 0.54,
    CARRIED: 0.58,
    "copy+memory": 0.40,
    **dict.fromkeys(TRACKERS, 0.50),
    "flow:dis+memory": 0.55,
    "flow:flownet2-narrow+memory": 0.575,
    "flow:exact+memory": 0.60,
    "oracle": 0.70,
}
RECOVERED = {BOTH: 0.6, MOTION: 0.1, APPEARANCE: 0.5, "sort+memory": 0.3, "oracle": 0.9}
REALISTIC, HARD = ("half", "real-like"), ("half", "hard")
STREET = ("half and kind", "real-like street")
SEGMENTS = ("net", "groundtruth")


def reaching_run(seed=1, **changes):
    """A result that reaches every target; segments ``"net"``, and ground truth after them."""
    rows = [(segments, name) for segments in SEGMENTS for name in SCORES]
    result = {
        "schema": "mapt-bench/run/1",
        "experiment": "ablate",
        "summary": [_row(segments, name) for segments, name in rows],
        "scores_by_group": [entry for row in rows for entry in _groups(*row)],
        "recoveries": [
            {
                "cell": f"net/{name}",
                "factor": "all",
                "value": "all",
                "full_occlusions": {
                    **rate(share / 2, 40),
                    "recovered": rate(share),
                    "returns": rate(0.85),
                },
            }
            for name, share in RECOVERED.items()
        ],
        "provenance": {
            "data": {"name": "bench", "fingerprint": "of bench"},
            "weights": {"net": f"hash{seed}"},
        },
    }
    return {**result, **changes}


def rate(share, n=20):
    """A share of events as results hold it."""
    events = {"hits": round(share * n), "n": n, "share": share if n else None}
    return {**events, "interval": {"low": share - 0.1, "high": min(1.0, share + 0.1)}}


def difference(low, high):
    """A paired difference as results hold it: the other row less the reference."""
    return {"difference": (low + high) / 2, "interval": {"low": low, "high": high}}


def entry_of(result, name, factor, value):
    """The entry of a row and group of videos on the first segments."""
    wanted = f"net/{name}", factor, value
    (entry,) = [
        each
        for each in result["scores_by_group"]
        if (each["cell"], each["factor"], each["value"]) == wanted
    ]
    return entry


def row_of(result, name, segments="net"):
    """The summary row of a variant."""
    return next(row for row in result["summary"] if row["cell"] == f"{segments}/{name}")


def recovery_of(result, name):
    """What a row recovers after gaps of 3 to 10 frames."""
    (entry,) = [each for each in result["recoveries"] if each["cell"] == f"net/{name}"]
    return entry["full_occlusions"]


def write_run(folder, result):
    """Write a result into the folder of a run."""
    folder.mkdir()
    (folder / "results.json").write_text(json.dumps(result), encoding="utf-8")
    return folder


def _row(segments, name):
    value = SCORES[name]
    is_mapt = name.startswith("mapt")
    effect = {"reference": name.removesuffix("+memory")}
    effect["scores"] = {"PAT": difference(-0.002, 0.004)}
    return {
        "variant": name,
        "associator": name.removesuffix("+memory"),
        "memory": 10 if name.endswith("+memory") else None,
        "cell": f"{segments}/{name}",
        "segments": segments,
        "trained": False,
        "scores": dict.fromkeys(("PAT", "TQ", "AssA"), value),
        "intervals": {},
        "differences": None if name == BOTH else _to_reference(("PAT", "TQ", "AssA")),
        "memory_effect": effect if is_mapt else None,
        "cost": {"seconds_per_frame": 0.002 if name == CARRIED else 0.001},
    }


def _to_reference(scores):
    changes = {score: difference(-0.08, -0.01) for score in scores}
    return {"reference": BOTH, "scores": changes}


def _groups(segments, name):
    value = SCORES[name]
    cell = {"cell": f"{segments}/{name}", "intervals": {}}
    pat = {BOTH: 0.48, "oracle": 0.5}.get(name, 0.4)
    for group in (REALISTIC, HARD):
        scores = {"PAT": pat, "TQ": value, "AssA": value}
        yield {
            **cell,
            "factor": group[0],
            "value": group[1],
            "scores": scores,
            "differences": _to_reference(scores),
        }
    quality = {"road": 0.9, "person": 0.2, "pole": 0.05}
    of_street = {"scores": {"PAT": pat, "PQ": 0.4}, "per_class": {"PQ": quality}}
    yield {**cell, "factor": STREET[0], "value": STREET[1], **of_street}
