"""Train a small MAPT for a few steps on synthetic video, and run it on a frame.

Run: python examples/train_a_little.py [STEPS]

Needs the extra [model]. A useful network needs thousands of steps: see docs/training.md.
To track with the weights: mapt-bench track DATA --tracker mapt --weights FILE --out MAPS
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import mapt_bench as mb


def main(steps="2"):
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        train = [sys.executable, "-m", "mapt_bench", "train", "--config", "mapt-tiny"]
        options = ["--suite", "tiny", "--steps", steps, "--val", "none", "--out", str(run)]
        subprocess.run([*train, *options], check=True)
        weights = run / "weights.safetensors"
        model = mb.load_mapt(weights)
        print(f"parameters: {sum(each.numel() for each in model.parameters()):,}")
        state, image = None, mb.open_suite("tiny").videos[0].frame(0).image
        step, state = model.step(image, state)  # then the next frame with this state
        print(f"segments in the first frame: {step.segments.count}")


if __name__ == "__main__":
    main(*sys.argv[1:])
