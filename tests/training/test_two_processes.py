"""Two gloo processes against one process with the joined batch."""

import pytest
import torch
from helpers import toy_model
from helpers.scenes import KITTI
from helpers.training_jobs import empty_street, moving_boxes, small_recipe
from helpers.two_processes import in_two_processes

from mapt_bench.training.clips import ClipDataset
from mapt_bench.training.loading import ClipOrder, anchor_weights, step_batches
from mapt_bench.training.processes import ProcessGroup
from mapt_bench.training.trainer import Trainer


def run(group, folder, accumulate):
    """Make two steps of a training; return what a process saw and has."""
    torch.set_num_threads(1)
    recipe = small_recipe(
        model="helpers.toy_model:build",
        batch_size=4,
        accumulate=accumulate,
        gradient_norms_every=1,
        optimizer={"clip_norm": None},
    )
    # Half of the clips are empty: a process may have a part without things, alone.
    clips = ClipDataset((moving_boxes(), empty_street()), recipe.clips, recipe.augment)
    torch.manual_seed(group.rank)  # the first weights are those of the first process
    trainer = Trainer(
        toy_model.build(KITTI),
        recipe,
        seed=3,
        device=torch.device("cpu"),
        folder=folder,
        group=group,
    )
    order = ClipOrder(
        anchor_weights(clips),
        seed=3,
        batch_size=4,
        parts=accumulate,
        processes=group.count,
        rank=group.rank,
        end=2,
    )
    reports, gradients = [], []
    for parts in step_batches(clips, order, parts=accumulate):
        reports.append(trainer.train_step(parts))
        gradients.append([p.grad.clone() for p in trainer.model.parameters()])
    return {
        "values": [{**report.values, "total": report.total} for report in reports],
        "norms": [report.gradient_norm for report in reports],
        "gradients": gradients,
        "weights": trainer.model.state_dict(),
    }


def keep_runs(group, folder):
    for accumulate in (1, 2):
        found = run(group, folder, accumulate)
        torch.save(found, folder / f"{accumulate}-{group.rank}.pt")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    in_two_processes(keep_runs, folder)
    return folder


@pytest.mark.parametrize("accumulate", [1, 2])
def test_losses_gradients_and_weights_are_those_of_one_process(folder, accumulate):
    first, second = (torch.load(folder / f"{accumulate}-{rank}.pt") for rank in range(2))
    alone = run(ProcessGroup(), folder, 1)
    for step in range(2):
        assert first["values"][step] == second["values"][step]
        assert first["values"][step] == pytest.approx(alone["values"][step], rel=1e-5)
        assert first["norms"][step] == pytest.approx(alone["norms"][step], rel=1e-5)
        for one, other, expected in zip(
            *(found["gradients"][step] for found in (first, second, alone)), strict=True
        ):
            assert torch.equal(one, other)
            assert torch.allclose(one, expected, rtol=1e-4, atol=1e-6)
    for name, expected in alone["weights"].items():
        assert torch.equal(first["weights"][name], second["weights"][name])
        assert torch.allclose(first["weights"][name], expected, atol=1e-6), name
