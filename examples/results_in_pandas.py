"""Read results into a pandas frame, and compare two of them.

Run: python examples/results_in_pandas.py [RESULT.json or RUN folder]

Without a result, the script makes two on the synthetic suite tiny.
"""

import sys
import tempfile
from pathlib import Path

import mapt_bench as mb


def made(folder, row):
    """Score a row on the suite tiny; return the JSON file of the result."""
    scorer = mb.Scorer("kitti-step", name=row)
    for video in mb.open_suite("tiny").videos:
        tracker = mb.build_tracker(row, video)
        for index, found in enumerate(mb.run_tracker(tracker, video)):
            scorer.update(video.truth(index), found, sequence=video.info.name)
    return scorer.compute().write(Path(folder) / f"{row}.json")


def show(result):
    """Print the scores of each sequence and of all of them."""
    frame = mb.load_result(result).to_frame()
    frame["sequence"] = frame["sequence"].fillna("all")
    table = frame.pivot(index=["row", "sequence"], columns="score", values="value")
    print(table[["PAT", "TQ", "STQ", "IDSW"]].round(4).to_string())


def main(words):
    if words:
        show(words[0])
        return
    with tempfile.TemporaryDirectory() as folder:
        copy, both = made(folder, "copy"), made(folder, "both+memory")
        show(both)
        comparison = mb.compare_results(copy, both, limits=[mb.Limit.parse("PAT<-0.5")])
    for change in comparison.changes:
        if change.score in ("PAT", "TQ", "STQ"):
            print(f"{change.score}: {100 * change.difference:+.2f} points")
    print("passed" if comparison.is_passed else "failed")


if __name__ == "__main__":
    main(sys.argv[1:])
