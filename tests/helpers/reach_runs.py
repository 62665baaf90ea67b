"""Made-up results of an ablation in which every line is reached, to be spoilt one by one."""

import json

MOTION, GALLERY, BOTH = "mapt:motion+memory", "mapt:appearance+memory", "mapt+memory"
TQ = {
    BOTH: 0.60,
    MOTION: 0.57,
    GALLERY: 0.54,
    "copy+memory": 0.40,
    "sort+memory": 0.50,
    "flow:dis+memory": 0.55,
    "flow:flownet2-narrow+memory": 0.575,
    "flow:exact+memory": 0.60,
    "oracle": 0.70,
}
RECOVERED = {BOTH: 0.6, MOTION: 0.0, GALLERY: 0.5, "sort+memory": 0.3, "oracle": 0.9}
STREET = ("half and kind", "real-like street")


def reaching_run(seed=1, **changes):
    """A result that reaches every line; segments ``"net"``, and the true ones behind them."""
    result = {
        "schema": "mapt-bench/run/1",
        "experiment": "ablate",
        "summary": [
            {
                "variant": name,
                "cell": f"{segments}/{name}",
                "segments": segments,
                "trained": False,
                "scores": {"TQ": tq if segments == "net" else 1.0},
                "intervals": {},
                "cost": {"seconds_per_frame": 0.002 if name == MOTION else 0.001},
            }
            for segments in ("net", "groundtruth")
            for name, tq in TQ.items()
        ],
        "scores_by_group": [
            *(entry for name in TQ for entry in _groups(name)),
            *(_true_entry(name) for name in TQ),
        ],
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
    """A paired difference as results hold it: the other row less ``mapt+memory``."""
    return {"difference": (low + high) / 2, "interval": {"low": low, "high": high}}


def entry_of(result, name, factor, value):
    """The entry of a row and group of videos."""
    wanted = f"net/{name}", factor, value
    (entry,) = [
        each
        for each in result["scores_by_group"]
        if (each["cell"], each["factor"], each["value"]) == wanted
    ]
    return entry


def row_of(result, name):
    """The summary row of a variant on the first segments."""
    return next(row for row in result["summary"] if row["cell"] == f"net/{name}")


def recovery_of(result, name):
    """What a row recovers after gaps of 3 to 10 frames."""
    (entry,) = [each for each in result["recoveries"] if each["cell"] == f"net/{name}"]
    return entry["full_occlusions"]


def write_run(folder, result):
    """Write a result into the folder of a run."""
    folder.mkdir()
    (folder / "results.json").write_text(json.dumps(result), encoding="utf-8")
    return folder


def _groups(name):
    tq = TQ[name]
    for half in ("real-like", "hard"):
        scores = {"TQ": tq, "AssA": tq}
        differences = {
            "reference": BOTH,
            "scores": {score: difference(-0.08, -0.01) for score in scores},
        }
        yield _entry(name, "half", half, scores=scores, differences=differences)
    pat = {BOTH: 0.46, "oracle": 0.5}.get(name, 0.4)
    quality = {"road": 0.9, "person": 0.2, "pole": 0.05}
    yield _entry(name, *STREET, scores={"PAT": pat, "PQ": 0.4}, per_class={"PQ": quality})


def _true_entry(name):
    scores = {"TQ": 0.9, "AssA": 0.8}
    return {**_entry(name, "half", "hard", scores=scores), "cell": f"groundtruth/{name}"}


def _entry(name, factor, value, **rest):
    return {"cell": f"net/{name}", "factor": factor, "value": value, "intervals": {}, **rest}
