"""Small trainings on drawn boxes."""

from functools import partial

import torch
from helpers.scenes import PERSON, Box, DrawnVideo

from mapt_bench.training.clips import ClipDataset
from mapt_bench.training.model_builder import build_model
from mapt_bench.training.recipe import Recipe
from mapt_bench.training.run import TrainingJob

SMALL = {
    "model": "helpers.toy_model:build_dropping",
    "steps": 6,
    "precision": "float32",
    "log_every": 1,
    "checkpoint_every": 3,
    "validate_every": 3,
    "clips": {"length": 2},
    "augment": {"brightness": 0.2},
    "schedule": {"warmup_steps": 2},
}


def moving_boxes(frames=6, name="boxes", speed=3, **video):
    scene = [
        [Box(1, 10 + speed * at), Box(2, 60 - at, y=30, width=8, class_id=PERSON)]
        for at in range(frames)
    ]
    return DrawnVideo(scene, name=name, **video)


def empty_street(frames=6, name="empty"):
    return DrawnVideo([[] for _ in range(frames)], name=name)


def small_recipe(**changes):
    return Recipe.from_dict({**SMALL, **changes})


def small_job(folder, recipe, *, videos=None, seed=0, validate=None):
    dataset = ClipDataset(videos or (moving_boxes(), empty_street()), recipe.clips, recipe.augment)
    return TrainingJob(
        recipe=recipe,
        dataset=dataset,
        data={"name": "boxes"},
        build=partial(build_model, recipe.model, recipe.model_settings, dataset.labels),
        folder=folder,
        seed=seed,
        device=torch.device("cpu"),
        validate=validate,
    )
