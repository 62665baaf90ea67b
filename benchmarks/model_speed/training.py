"""Steps of training on clips of the synthetic world that are already in memory."""

import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from mapt_bench.training.clips import ClipDataset, ClipDraw
from mapt_bench.training.model_builder import build_model
from mapt_bench.training.recipe_files import read_recipe
from mapt_bench.training.sources import suite_data
from mapt_bench.training.trainer import Trainer

__all__ = ["measure_training"]

_SUITE, _VIDEOS, _BATCHES = "train", 4, 4


def measure_training(request: dict[str, Any]) -> dict[str, Any]:
    """Time steps of the recipe of a configuration; clips are drawn before."""
    torch.set_num_threads(request["threads"])
    recipe = read_recipe(request["config"])
    dataset = ClipDataset(
        suite_data(_SUITE).videos[:_VIDEOS], recipe.clips, recipe.augment, cache_bytes=2**28
    )
    spacing = len(dataset) // (_BATCHES * recipe.batch_size)
    began = time.process_time()
    clips = [
        dataset[ClipDraw(spacing * number, (number,))]
        for number in range(_BATCHES * recipe.batch_size)
    ]
    drawing = (time.process_time() - began) / sum(len(clip.intervals) for clip in clips)
    batches = [
        clips[start : start + recipe.batch_size]
        for start in range(0, len(clips), recipe.batch_size)
    ]
    torch.manual_seed(0)
    model = build_model(recipe.model, recipe.model_settings, dataset.labels)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(model, recipe, seed=0, device=torch.device("cpu"), folder=Path(folder))
        trainer.train_step([batches[0]])  # warms up
        pairs, cpu, wall = 0, time.process_time(), time.perf_counter()
        for step in range(request["steps"]):
            batch = batches[step % len(batches)]
            trainer.train_step([batch])
            pairs += sum(len(clip.intervals) for clip in batch)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {
        "pairs": pairs,
        "cpu_s": cpu,
        "wall_s": wall,
        "drawing_cpu_s_a_pair": drawing,
        "batch_size": recipe.batch_size,
        "frames_a_clip": recipe.clips.length,
        "size": list(clips[0].images.shape[-2:]),
    }
