"""Frames an hour that a training on two cores makes, of this checkout and of an older one in turn.

Each turn is a process of its own in each checkout, and measures processor time of one thread, which
does not grow when others use the machine: a step of the recipe mapt-tiny (triples of 128x416), the
making of a clip of frames at hand, and the drawing of a frame. A frame is trained on several times
for each time that it is drawn; two processes on two cores make twice the frames of one.

    git worktree add ../older 7e41450
    python benchmarks/training.py ../older --json benchmarks/training_speed/result.json
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

_HERE = Path(__file__).resolve().parents[1]
_FRAMES = 3
_SIDES: dict[str, dict[str, Any]] = {
    # A step of today's recipe has two clips; the stream's recipes have four a process.
    "before": {"clips": 2, "draws": 5.6, "environment": {}},
    "after": {
        "clips": 4,
        "draws": 3.0,
        "environment": {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"},
    },
}
"""``draws``: how often a frame is trained on: 6,000 steps of two triples on the 6,400 frames of the
suite train; 16 triples of each sequence of 16 frames of the stream."""


@click.command()
@click.argument("older", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--rounds", default=3, show_default=True, help="Turns of each checkout.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write JSON, markdown.")
def main(older: Path, rounds: int, json_file: Path | None) -> None:
    """Measure this checkout and an OLDER one in turn."""
    turns: dict[str, list[dict[str, Any]]] = {side: [] for side in _SIDES}
    for number in range(rounds):
        for side, folder in (("before", older), ("after", _HERE)):
            turns[side].append(_ask(side, folder, has_profile=number == rounds - 1))
            print(side, _summary(side, turns[side][-1:]), file=sys.stderr)
    result = {side: {**_summary(side, found), "turns": found} for side, found in turns.items()}
    ratio = result["after"]["frames_per_hour"] / result["before"]["frames_per_hour"]
    result["ratio"] = {"frames_per_hour": ratio}
    text = _markdown(result)
    click.echo(text)
    if json_file is not None:
        json_file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        json_file.with_suffix(".md").write_text(text, encoding="utf-8")


def _ask(side: str, folder: Path, *, has_profile: bool) -> dict[str, Any]:
    """Run :func:`measure` in a checkout."""
    environment = {
        **os.environ,
        **_SIDES[side]["environment"],
        "PYTHONPATH": f"{folder.resolve()}{os.pathsep}{_HERE / 'benchmarks'}",
    }
    clips = _SIDES[side]["clips"]
    code = f"import training; training.measure({clips}, {has_profile})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.decode().splitlines()[-1])
    return found


def measure(count: int, has_profile: bool) -> None:
    """Print the CPU time of steps with ``count`` clips in this checkout, as JSON."""
    import importlib
    import random

    import cv2
    import torch

    import mapt_bench
    from mapt_bench.training.clips import ClipDataset, ClipDraw
    from mapt_bench.training.model_builder import build_model
    from mapt_bench.training.recipe_files import read_recipe
    from mapt_bench.training.trainer import Trainer

    # Older checkouts keep the synthetic world among the readers.
    is_new = Path(mapt_bench.__file__).with_name("synthetic").is_dir()
    world = "mapt_bench.synthetic" if is_new else "mapt_bench.data.world"
    open_suite = importlib.import_module(f"{world}.suites").open_suite

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _keep_memory()
    recipe = read_recipe("mapt-tiny", [f"batch_size={count}"])
    videos = open_suite("train").videos[::40]
    data = ClipDataset(videos, recipe.clips, recipe.augment, cache_bytes=2**30)
    start, drawn = time.process_time(), 0
    for video in videos:
        for frame in range(video.info.frame_count):
            data._store.image(videos.index(video), frame)
            data._store.truth(videos.index(video), frame)
            drawn += 1
    drawing = (time.process_time() - start) / drawn
    dice = random.Random(0)  # noqa: S311
    start = time.process_time()
    clips = [data[ClipDraw(dice.randrange(len(data)), (0, number))] for number in range(32)]
    making = (time.process_time() - start) / len(clips) / _FRAMES
    torch.manual_seed(0)
    model = build_model(recipe.model, recipe.model_settings, data.labels)
    trainer = Trainer(model, recipe, seed=0, device=torch.device("cpu"), folder=Path())
    batches = [dice.sample(clips, count) for _ in range(48 // count)]
    taken = []
    for batch in [*batches[:4], *batches]:  # the first ones prepare what later ones use
        start = time.process_time()
        trainer.train_step([batch])
        taken.append((time.process_time() - start) / count / _FRAMES)
    found = {
        "package": str(Path(mapt_bench.__file__).parents[1].name),
        "torch": torch.__version__,
        "step_ms": 1e3 * statistics.fmean(taken[4:]),
        "clip_ms": 1e3 * making,
        "draw_ms": 1e3 * drawing,
    }
    if has_profile:
        found["profile"] = _profile(trainer, batches)
    print(json.dumps(found))


def _keep_memory() -> None:
    """Do what a training does first, where this checkout has it."""
    try:
        from mapt_bench.training.loading import keep_memory
    except ImportError:
        return
    keep_memory()


def _profile(trainer: Any, batches: list[Any]) -> list[dict[str, Any]]:  # noqa: ANN401
    from torch.profiler import ProfilerActivity, profile

    steps = min(4, len(batches))
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for batch in batches[:steps]:
            trainer.train_step([batch])
    found = sorted(profiler.key_averages(), key=lambda each: -each.self_cpu_time_total)
    total = sum(each.self_cpu_time_total for each in found)
    frames = steps * len(batches[0]) * _FRAMES
    return [
        {
            "operator": each.key,
            "share": each.self_cpu_time_total / total,
            "calls_per_frame": each.count / frames,
        }
        for each in found[:20]
    ] + [
        {
            "operator": "all",
            "share": 1.0,
            "calls_per_frame": sum(each.count for each in found) / frames,
        }
    ]


def _summary(side: str, turns: list[dict[str, Any]]) -> dict[str, float]:
    """Return medians over turns, in milliseconds of a core a frame, and frames an hour."""
    parts = {
        name: statistics.median(turn[name] for turn in turns)
        for name in ("step_ms", "clip_ms", "draw_ms")
    }
    frame = parts["step_ms"] + parts["clip_ms"] + parts["draw_ms"] / _SIDES[side]["draws"]
    return {**parts, "frame_ms": frame, "frames_per_hour": 2 * 3600e3 / frame}


def _markdown(result: dict[str, Any]) -> str:
    lines = [
        "| ms a frame | step | clip | generation, each time | all | frames an hour, two cores |",
        "|---|---|---|---|---|---|",
    ]
    for side in _SIDES:
        row = result[side]
        cells = [f"{row[name]:.1f}" for name in ("step_ms", "clip_ms", "draw_ms", "frame_ms")]
        lines.append(f"| {side} | {' | '.join(cells)} | {row['frames_per_hour']:,.0f} |")
    lines += ["", f"After to before: {result['ratio']['frames_per_hour']:.2f}.", ""]
    for side in _SIDES:
        profile = result[side]["turns"][-1].get("profile", [])
        lines += [f"| operator, {side} | share of a step | calls a frame |", "|---|---|---|"]
        lines += [
            f"| `{each['operator'][:60]}` | {100 * each['share']:.1f} % "
            f"| {each['calls_per_frame']:.1f} |"
            for each in profile
        ]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
