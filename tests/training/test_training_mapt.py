"""The real model under the trainer: shipped recipes, and two processes against one."""

from dataclasses import replace

import pytest
import torch
from helpers.mapt_clips import moving_clip, small_mapt, with_flow
from helpers.training_jobs import small_recipe
from helpers.two_processes import in_two_processes

from mapt_bench.model.config_files import mapt_config
from mapt_bench.training.processes import ProcessGroup
from mapt_bench.training.recipe_files import read_recipe, recipe_names
from mapt_bench.training.trainer import Trainer

torch.set_num_threads(1)


@pytest.mark.parametrize("name", [name for name in recipe_names() if name.startswith("mapt-")])
def test_the_recipes_of_mapt_train_it_on_triples(name):
    recipe = read_recipe(name)
    assert mapt_config(recipe.model, **recipe.model_settings)
    assert recipe.clips.length == (2 if name == "mapt-heads" else 3)  # heads compare pairs


def test_the_appearance_recipe_differs_in_the_motion_head_alone():
    whole, apart = read_recipe("mapt-tiny"), read_recipe("mapt-tiny-appearance")
    assert apart.model_settings == {"propagation": "none", "appearance.static": True}
    assert replace(apart, model_settings={}) == whole


def test_the_compact_appearance_recipe_differs_in_the_motion_head_alone():
    whole, apart = read_recipe("mapt-compact-clips"), read_recipe("mapt-compact-appearance")
    assert apart.model_settings == {"propagation": "none", "appearance.static": True}
    (both,), (one,) = whole.all_stages, apart.all_stages
    clips = replace(one.recipe.clips, flow=True)  # which trains the motion head only
    as_both = replace(one.recipe, clips=clips, loss_weights={"loss_flow": 0.3}, model_settings={})
    assert as_both == both.recipe


def test_there_is_a_recipe_for_the_published_and_for_the_shipped_model():
    assert {"mapt-regnety8gf", "mapt-tiny"} <= set(recipe_names())


def test_the_compact_model_learns_all_heads_after_its_detector():
    (detector,), (clips,) = (
        read_recipe(name).all_stages for name in ("mapt-compact", "mapt-compact-clips")
    )
    assert (detector.name, clips.name) == ("detector", "clips")
    assert detector.recipe.clips.length == 1
    assert detector.recipe.schedule.decay == "constant"
    settings = clips.recipe.clips
    assert (settings.length, settings.taus, settings.flow) == (3, (1, 2, 3), True)
    assert clips.recipe.stream.flying_share == pytest.approx(1 / 3, abs=0.01)
    assert (clips.recipe.schedule.decay, clips.recipe.schedule.end) == ("cosine", 0.01)


def one_step(group, folder, flying):
    torch.set_num_threads(1)
    # One process has no thing at all, and afterwards nothing that has a class.
    clips = [
        with_flow(moving_clip(), has_semantics=False) if flying else moving_clip(),
        with_flow(moving_clip(things=flying)) if flying else moving_clip(things=False),
    ]
    design = {"motion.design": "matched-s4"} if flying else {}
    trainer = Trainer(
        small_mapt(seed=group.rank, **design),  # the first weights are those of the first process
        small_recipe(batch_size=2, optimizer={"clip_norm": None}),
        seed=3,
        device=torch.device("cpu"),
        folder=folder,
        group=group,
    )
    report = trainer.train_step([clips[group.rank :: group.count]])
    gradients = {
        name: each.grad.clone()
        for name, each in trainer.model.named_parameters()
        if each.grad is not None
    }
    return {"values": report.values, "gradients": gradients}


def keep_step(group, folder, flying):
    torch.save(one_step(group, folder, flying), folder / f"{group.rank}.pt")


@pytest.mark.parametrize("flying", [False, True])
def test_losses_and_gradients_of_two_processes_are_those_of_one(tmp_path, flying):
    in_two_processes(keep_step, tmp_path, flying)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    alone = one_step(ProcessGroup(), tmp_path, flying)
    assert first["values"] == second["values"]
    assert first["values"] == pytest.approx(alone["values"], rel=1e-5)
    assert alone["values"]["loss_motion"] > 0
    for name, expected in alone["gradients"].items():
        assert torch.equal(first["gradients"][name], second["gradients"][name]), name
        assert torch.allclose(first["gradients"][name], expected, rtol=1e-3, atol=1e-5), name
