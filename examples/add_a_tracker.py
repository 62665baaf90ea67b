"""Add an associator of your own and compare it with other rows.

Run: python examples/add_a_tracker.py

As a row of every experiment: mapt-bench ablate --suite tiny --add add_a_tracker:Nearest+memory
"""

import numpy as np

import mapt_bench as mb


class Nearest:
    """Continue the nearest track of the same class."""

    needs_images = False

    def __init__(self, memory=0, reach=30):
        self.memory, self.reach = memory, reach  # frames, pixels

    def start(self, info):
        self.tracks = {}  # by id: class, centre, frame in which it was last seen

    def associate(self, frame, segments):
        ids = np.zeros(segments.count, dtype=np.int64)
        for k, kind in enumerate(segments.class_ids):
            centre = np.argwhere(segments.index_map == k).mean(axis=0)
            near = [
                (np.hypot(*(centre - at)), number)
                for number, (of, at, seen) in self.tracks.items()
                if of == kind and 0 < frame.index - seen <= self.memory + 1
            ]
            ids[k] = min([(self.reach, len(self.tracks) + 1), *near])[1]
            self.tracks[ids[k]] = (kind, centre, frame.index)
        return mb.Association(ids)


def main():
    videos = mb.open_suite("tiny").videos
    for row in ("copy", "add_a_tracker:Nearest", "add_a_tracker:Nearest+memory=5", "oracle"):
        scorer = mb.Scorer(videos[0].info.labels, name=row)
        for video in videos:
            tracker = mb.build_tracker(row, video, segments="noisy")
            for index, found in enumerate(mb.run_tracker(tracker, video)):
                scorer.update(video.truth(index), found, sequence=video.info.name)
        scores = scorer.compute().scores
        print(f"{row:32} PAT {100 * scores['PAT']:.2f}  TQ {100 * scores['TQ']:.2f}")


if __name__ == "__main__":
    main()
