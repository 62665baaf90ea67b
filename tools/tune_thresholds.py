"""Tune the thresholds of every tracker on the suite ``val``, and write them into the package.

    python tools/tune_thresholds.py --out runs/thresholds -j 2

Each tracker gets the same number of trials, on MAPT's own detections, with the same track memory.
The trial with the best TQ wins. A stopped run resumes.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

from mapt_bench.baselines.thresholds import THRESHOLDS_FILE, THRESHOLDS_SCHEMA
from mapt_bench.cli.options import progress_bar
from mapt_bench.experiments import (
    SegmentSource,
    ablation_plan,
    read_flow_weights,
    read_mapt_weights,
    run_experiment,
    shipped_flow_files,
    suite_source,
)
from mapt_bench.experiments.plans.tuning import best_trials, tuning_plan
from mapt_bench.files import write_json
from mapt_bench.weights import DEFAULT_MAPT

_SUITE = "val"
_SCORE = "TQ"


def main() -> None:
    """Run every trial, and write the best settings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    parser.add_argument("--weights", default=DEFAULT_MAPT, help="MAPT weights: a name or a file")
    parser.add_argument("--trials", type=int, default=33, help="trials per tracker")
    parser.add_argument("--memory", type=int, default=10, help="track memory in frames")
    parser.add_argument("-j", dest="jobs", type=int, default=1, help="worker processes")
    given = parser.parse_args()
    mapt = read_mapt_weights(given.weights)
    flows = shipped_flow_files()
    rows = ablation_plan(
        thresholds="published",
        memory=given.memory,
        mapt=mapt,
        flow_weights=read_flow_weights(flows),
    )
    with_memory = [row for row in rows.variants if row.memory != 0]
    plan = tuning_plan(with_memory, trials=given.trials)
    source = suite_source(_SUITE, [SegmentSource(mapt=mapt)])
    result = run_experiment(
        plan,
        source,
        given.out,
        jobs=given.jobs,
        progress=lambda schedule: progress_bar(plan.experiment, len(schedule.units())),
    )
    chosen = best_trials(result, plan, score=_SCORE)
    write_json(
        THRESHOLDS_FILE,
        {
            "schema": THRESHOLDS_SCHEMA,
            "suite": dict(source.suite or {}),
            "segments": [each.describe() for each in source.segments],
            "memory": given.memory,
            "score": _SCORE,
            "tuned": {name: asdict(choice) for name, choice in sorted(chosen.items())},
        },
    )
    for name, choice in sorted(chosen.items()):
        print(f"{name:32} {choice.default_score:.4f} -> {choice.score:.4f} {choice.settings}")


if __name__ == "__main__":
    main()
