"""Write tracks of an independent implementation, for the parity test of box trackers.

    pip install trackers==2.6.1        # roboflow/trackers, Apache-2.0; in an environment of its own
    python tests/parity/make_box_tracks.py

Random boxes move, turn, cross, hide and are missed; some detections are false. OC-SORT and
BoT-SORT of the package run on them with published parameters, without probation, and BoT-SORT once
more under a camera whose motion is given. ``box_tracks.json`` holds boxes, camera and identities.
"""

import argparse
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

HEIGHT, WIDTH = 360, 640
FRAMES, OBJECTS = 45, 8
FILE = Path(__file__).with_name("box_tracks.json")


class Mover:
    """A box that moves at a constant speed, turns now and then, and is hidden once."""

    def __init__(self, dice):
        self.centre = dice.uniform([60, 60], [WIDTH - 60, HEIGHT - 60])
        self.speed = dice.normal(0, 4, 2)
        self.size = dice.uniform([20, 30], [60, 90])
        self.growth = 1 + dice.normal(0, 0.004)
        self.born, self.gone = dice.integers(0, 15), dice.integers(30, FRAMES + 20)
        first = dice.integers(8, 35)
        self.hidden = range(first, first + dice.integers(0, 12))

    def step(self, dice):
        self.centre = self.centre + self.speed
        self.size = self.size * self.growth
        if dice.random() < 0.06:
            self.speed = self.speed + dice.normal(0, 3, 2)
        outside = (self.centre < 20) | (self.centre > np.array([WIDTH, HEIGHT]) - 20)
        self.speed = np.where(outside, -self.speed, self.speed)

    def is_seen(self, frame, dice):
        return self.born <= frame < self.gone and frame not in self.hidden and dice.random() > 0.08


def make_sequence(seed, pan):
    """Return detections (left, top, right, bottom, score) and camera of each frame."""
    dice = np.random.default_rng(seed)
    movers = [Mover(dice) for _ in range(OBJECTS)]
    shift, detections, camera = np.zeros(2), [], []
    for frame in range(FRAMES):
        step = dice.normal(0, pan, 2) if frame else np.zeros(2)
        shift = shift + step
        camera.append([[1.0, 0.0, round(float(step[0]), 3)], [0.0, 1.0, round(float(step[1]), 3)]])
        found = []
        for mover in movers:
            mover.step(dice)
            if mover.is_seen(frame, dice):
                size = mover.size * (1 + dice.normal(0, 0.03, 2))
                centre = mover.centre + shift + dice.normal(0, 1, 2)
                found.append((centre, size, float(np.clip(dice.normal(0.8, 0.18), 0.05, 1))))
        for _ in range(dice.poisson(0.4)):
            centre = dice.uniform([30, 30], [WIDTH - 30, HEIGHT - 30])
            found.append((centre, dice.uniform([15, 20], [60, 90]), dice.uniform(0.05, 0.9)))
        detections.append(whole_boxes([found[k] for k in dice.permutation(len(found))]))
    return detections, camera


def whole_boxes(found):
    """Return boxes of whole pixels inside the frame, no two with a corner pixel in common."""
    boxes, corners = [], set()
    for centre, size, score in found:
        low = np.clip(np.round(centre - size / 2), 0, None).astype(int)
        high = np.minimum(np.round(centre + size / 2), [WIDTH, HEIGHT]).astype(int)
        own = {tuple(low.tolist()), tuple((high - 1).tolist())}
        if (high - low >= 4).all() and not own & corners:
            corners |= own
            boxes.append([*low.tolist(), *high.tolist(), round(float(score), 3)])
    return boxes


def run_reference(tracker, detections, camera=None):
    """Return one identity a detection: -1 where it starts a track or has none."""
    import supervision

    identities = []
    for frame, boxes in enumerate(detections):
        table = np.array(boxes, dtype=float).reshape(-1, 5)
        given = supervision.Detections(
            xyxy=table[:, :4], confidence=table[:, 4], data={"place": np.arange(len(table))}
        )
        if camera is None:
            result = tracker.update(given)
        else:
            motion = np.array(camera[frame])
            tracker.cmc.estimate = lambda image, boxes, motion=motion: motion
            result = tracker.update(given, frame=np.zeros((4, 4, 3), np.uint8))
        ids = [-1] * len(table)
        for place, identity in zip(result.data.get("place", []), result.tracker_id, strict=True):
            ids[int(place)] = int(identity)
        identities.append(ids)
    return identities


def main():
    from trackers import BoTSORTTracker, OCSORTTracker

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sequences", type=int, default=3)
    parser.add_argument("--out", type=Path, default=FILE)
    given = parser.parse_args()
    cases = []
    for seed in range(given.sequences):
        still, _ = make_sequence(seed, 0.0)
        panned, camera = make_sequence(seed, 6.0)
        bot = {"minimum_consecutive_frames": 1, "instant_first_frame_activation": False}
        cases += [
            {
                "tracker": "oc-sort",
                "seed": seed,
                "detections": still,
                "ids": run_reference(OCSORTTracker(minimum_consecutive_frames=1), still),
            },
            {
                "tracker": "bot-sort",
                "seed": seed,
                "detections": still,
                "ids": run_reference(BoTSORTTracker(enable_cmc=False, **bot), still),
            },
            {
                "tracker": "bot-sort",
                "seed": seed,
                "detections": panned,
                "camera": camera,
                "ids": run_reference(BoTSORTTracker(enable_cmc=True, **bot), panned, camera),
            },
        ]
    made_by = f"trackers {version('trackers')} (Apache-2.0, github.com/roboflow/trackers)"
    content = {"made_by": made_by, "size": [HEIGHT, WIDTH], "cases": cases}
    given.out.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
