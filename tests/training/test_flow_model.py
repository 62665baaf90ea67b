"""The narrow FlowNet2 as something to train: losses, start, validation, and its weights in use."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.annotated_scenes import AnnotatedScene
from helpers.scenes import Box, DrawnVideo
from helpers.training_jobs import small_job

from mapt_bench.baselines import build_associator
from mapt_bench.baselines.flow_sources import build_flow_source
from mapt_bench.baselines.flownet2 import FlowNet2, NarrowWidth, load_narrow_flownet2
from mapt_bench.baselines.flownet2.narrow import prepare_for_training
from mapt_bench.baselines.flownet2.stack import FlowNet2 as Network
from mapt_bench.baselines.tracker_options import FlowOptions
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import Frame, label_space
from mapt_bench.model.targets import Clip, FlowTargets
from mapt_bench.training.clips import ClipDataset, ClipDraw
from mapt_bench.training.flow_model import build, end_point_error, pyramid_loss, shrunk_flow
from mapt_bench.training.recipe import Recipe
from mapt_bench.training.recipe_files import read_recipe
from mapt_bench.training.request import TrainingRequest, carry_out
from mapt_bench.training.run import WEIGHTS_NAME, train
from mapt_bench.training.sources import TrainingData
from mapt_bench.training.validation import FlowValidation, JoinedValidation, TrackerValidation

KITTI = label_space("kitti-step")
TINY = {"width": 0.01, "least": 4}
LOSSES = {"loss_c", "loss_s1", "loss_s2", "loss_sd", "loss_fusion"}


def scene(frames=4):
    return AnnotatedScene([[Box(1, 10 + 3 * at), Box(2, 60, y=30)] for at in range(frames)])


def tiny_recipe(**changes):
    return Recipe.from_dict(
        {
            "model": "mapt_bench.training.flow_model:build",
            "model_settings": TINY,
            "steps": 2,
            "log_every": 1,
            "clips": {"flow": True},
            "optimizer": {"name": "adamw", "lr": 0.001},
            **changes,
        }
    )


def clips(count=2):
    recipe = tiny_recipe()
    data = ClipDataset([scene()], recipe.clips, recipe.augment)
    return [data[ClipDraw(at, (at,))] for at in range(count)]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return build(KITTI, **TINY)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flow")
    job = small_job(
        folder / "run", tiny_recipe(), videos=[scene()], validate=FlowValidation([scene()])
    )
    record = train(job)
    return folder / "run" / WEIGHTS_NAME, record


def test_flow_shrinks_to_the_means_of_what_is_known():
    flow = torch.zeros(1, 2, 2, 4)
    flow[0, 0] = torch.tensor([[1.0, 3.0, 50.0, 8.0], [50.0, 50.0, 50.0, 50.0]])
    valid = torch.tensor([[[True, True, False, True], [False, False, False, False]]])
    means, known = shrunk_flow(flow, valid, 2)
    assert means[0, 0, 0, 0] == 2
    assert known.tolist() == [[[True, False]]]  # one pixel of four is too little


def test_the_loss_by_hand():
    target = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1).expand(1, 2, 2, 2)
    valid = torch.tensor([[[True, True], [True, False]]])
    coarse, fine = torch.zeros(1, 2, 1, 1), target.clone()
    fine[0, :, 1, 1] = 1000  # not valid
    loss = pyramid_loss([coarse, fine], target, valid)
    assert loss.item() == pytest.approx((5 + 2 * 0.01) / 3, rel=1e-4)
    assert end_point_error(coarse, target[..., :1, :1]).item() == 5


def test_each_clip_counts_alike_and_one_without_flow_counts_nothing():
    target = torch.tensor([1.0, 4.0, 9.0]).view(3, 1, 1, 1) * torch.tensor([1.0, 0]).view(2, 1, 1)
    target = target.expand(3, 2, 2, 2)
    valid = torch.ones(3, 2, 2, dtype=torch.bool)
    valid[0, 0], valid[2] = False, False
    loss = pyramid_loss([torch.zeros(3, 2, 2, 2, requires_grad=True)], target, valid)
    assert loss.item() == pytest.approx(5 / 3, rel=1e-3)
    assert loss.requires_grad


def test_training_begins_with_nothing_moving(model):
    values = model(clips())
    assert values.keys() == LOSSES | {"EPE"}
    # Without any flow each loss is about the mean length of the true one.
    moved = [clip.motion.flow.norm(dim=1)[clip.motion.valid].mean() for clip in clips()]
    assert values["EPE"].item() == pytest.approx(np.mean(moved), abs=1e-4)
    assert model.estimate_flow(torch.rand(1, 3, 48, 96), torch.rand(1, 3, 48, 96)).abs().max() == 0


def test_the_fusion_begins_as_the_flow_for_large_displacements():
    network = FlowNet2(0.01, 4, small_scale=20)
    prepare_for_training(network)
    with torch.no_grad():
        network.flownets_2.predict_flow6.bias.copy_(torch.tensor([0.4, -0.2]))
        network.flownets_d.predict_flow6.bias.copy_(torch.tensor([0.1, 0.3]))
        flows = network.flows(torch.rand(1, 3, 2, 64, 128) * 255)
    large = flows["s2"][-1].repeat_interleave(4, 2).repeat_interleave(4, 3)
    # 20 times the bias; less at the border, where enlarging finds nothing beyond.
    assert flows["s2"][0][0, :, 0, 0].tolist() == pytest.approx([8, -4])
    assert flows["sd"][0][0, :, 0, 0].tolist() == pytest.approx([2, 6])
    torch.testing.assert_close(flows["fusion"][-1], large, rtol=1e-5, atol=1e-4)


def test_every_network_learns_from_its_own_loss_alone(model):
    values = model(clips())
    parts = {
        "loss_c": "flownetc",
        "loss_s1": "flownets_1",
        "loss_s2": "flownets_2",
        "loss_sd": "flownets_d",
        "loss_fusion": "flownetfusion",
    }
    for loss in parts:
        names, tensors = zip(*model.network.named_parameters(), strict=True)
        found = torch.autograd.grad(values[loss], tensors, retain_graph=True, allow_unused=True)
        reached = {
            name.split(".")[0] for name, grad in zip(names, found, strict=True) if grad is not None
        }
        assert reached == {parts[loss]}


def test_a_few_steps_bring_every_loss_down():
    torch.manual_seed(0)
    model, dice = build(KITTI, **TINY), torch.Generator().manual_seed(1)
    texture = torch.rand(1, 3, 64, 68, generator=dice)
    flow, valid = torch.zeros(1, 2, 64, 64), torch.ones(1, 64, 64, dtype=torch.bool)
    flow[:, 0] = 4  # what is at x was at x + 4
    images = torch.cat((texture[..., :64], texture[..., 4:]))
    batch = [Clip(images, (), "moved", (1,), FlowTargets(flow, valid))]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    rows = []
    for _ in range(30):
        values = model(batch)
        optimizer.zero_grad()
        sum(values[name] for name in LOSSES).backward()
        optimizer.step()
        rows.append({name: values[name].item() for name in LOSSES})
    for name in LOSSES:
        assert rows[0][name] == pytest.approx(4, rel=1e-3)
        assert min(row[name] for row in rows[-5:]) < 2, name


def test_clips_without_flow_or_of_two_sizes_are_refused(model):
    recipe = tiny_recipe(clips={"flow": False})
    plain = ClipDataset([scene()], recipe.clips, recipe.augment)[ClipDraw(0, (0,))]
    with pytest.raises(ConfigError, match=r"set clips\.flow to true"):
        model([plain])
    settings = tiny_recipe(augment={"crop": [32, 64]})
    small = ClipDataset([scene()], settings.clips, settings.augment)[ClipDraw(0, (0,))]
    with pytest.raises(ConfigError, match=r"64x32 and 96x48 pixels.*augment\.crop"):
        model([small, clips(1)[0]])


def test_training_wants_multiples_of_64():
    with pytest.raises(DataError, match="multiples of 64"):
        Network(0.01).flows(torch.rand(1, 3, 2, 48, 64))
    with pytest.raises(ConfigError, match="least width"):
        Network(0.01, 0)


def test_validation_is_the_mean_over_known_pixels(model):
    scores = FlowValidation([scene()])(model, 0)
    lengths, on_things = [], []
    for index in range(1, 4):
        true = scene().backward_flow(index)
        length = np.linalg.norm(true.flow, axis=2)
        lengths += length[true.valid].tolist()
        on_things += length[true.valid & (scene().truth(index).ids > 0)].tolist()
    assert scores["EPE of no motion"] == pytest.approx(np.mean(lengths))
    assert scores["EPE"] == pytest.approx(np.mean(lengths))  # untrained, it says that nothing moves
    assert scores["EPE on things"] == pytest.approx(np.mean(on_things)) == pytest.approx(1.5)
    assert model.training


def test_models_that_are_no_flow_have_no_flow_scores(model):
    none = FlowValidation([scene()])(torch.nn.Linear(1, 1), 0)
    assert none == {}
    no_tracker = TrackerValidation([scene()], lambda model: None)
    both = JoinedValidation(no_tracker, FlowValidation([scene()]))(model, 0)
    assert both.keys() == FlowValidation([scene()])(model, 0).keys()


def test_validation_on_videos_without_flow_is_refused(tmp_path, monkeypatch):
    from mapt_bench.training import request

    data = TrainingData("films", None, "0", (DrawnVideo(scene().scene),))
    known = TrainingData("films", None, "0", (scene(),))
    monkeypatch.setattr(request, "suite_data", {"train": known, "val": data}.__getitem__)
    asked = TrainingRequest(config="flownet2-narrow", suite="train", out=tmp_path / "out")
    with pytest.raises(ConfigError, match="--val 'val' has no ground-truth flow"):
        carry_out(replace(asked, overrides=("clips.taus=[1]",)), None)


def test_the_recipe_says_how_narrow_it_is():
    recipe = read_recipe("flownet2-narrow")
    assert NarrowWidth(**recipe.model_settings) == NarrowWidth()
    assert recipe.clips.flow
    with torch.device("meta"):
        network = FlowNet2(**recipe.model_settings)
    assert 2 * sum(values.numel() for values in network.parameters()) < 2.5e6
    assert min(len(values) for values in network.state_dict().values() if values.ndim == 1) == 2
    widths = {len(v) for k, v in network.state_dict().items() if k.endswith(".0.bias")}
    assert min(widths) == 8


def test_weights_carry_their_width_and_serve_as_a_flow(weights):
    path, record = weights
    assert record["recipe"]["model_settings"] == TINY
    assert record["validation"].keys() >= {"EPE", "EPE of no motion", "EPE on things"}
    network = load_narrow_flownet2(path)
    assert (network.width, network.least) == (0.01, 4)
    source = build_flow_source("flow:flownet2-narrow", weights=path)
    video = scene()
    flow = source.flow(video.frame(1), video.frame(0))
    frames = torch.from_numpy(np.stack([video.image(1), video.image(0)])).permute(3, 0, 1, 2)
    expected = network(frames[None].float())[0].permute(1, 2, 0).detach().numpy()
    assert np.abs(flow - expected).max() < 1e-5
    assert np.abs(flow).max() > 0  # two steps moved it


@pytest.mark.parametrize("name", ["flow:flownet2-narrow", "flow:flownet2-narrow+appearance"])
def test_trackers_by_name(weights, name):
    associator = build_associator(name, flow=FlowOptions(weights=weights[0]))
    associator.start(scene().info)


def test_untrained_it_must_be_asked_for(monkeypatch):
    with monkeypatch.context() as bare:
        bare.setattr("mapt_bench.baselines.flow_sources.shipped_weights", tuple)
        with pytest.raises(ConfigError, match="needs trained weights"):
            build_flow_source("flow:flownet2-narrow")
    source = build_flow_source("flow:flownet2-narrow", random_weights=True)
    image = np.zeros((64, 64, 3), dtype=np.uint8)
    frames = [Frame(at, str(at), lambda: image) for at in (0, 1)]
    assert source.flow(*frames).shape == (64, 64, 2)


def test_weights_of_the_wrong_flownet2_are_refused(weights, tmp_path):
    with pytest.raises(DataError, match=r"narrow FlowNet2 \(width 0.01\).*flow:flownet2-narrow"):
        build_flow_source("flow:flownet2", weights=weights[0])
    whole = tmp_path / "FlowNet2_checkpoint.pth.tar"
    torch.save({"state_dict": {"flownetc.conv1.0.weight": torch.zeros(64, 3, 7, 7)}}, whole)
    with pytest.raises(DataError, match="first layer has 64 channels, and no record") as caught:
        build_flow_source("flow:flownet2-narrow", weights=whole)
    assert "for flow:flownet2" in caught.value.message
    assert caught.value.where == str(whole)


def test_a_record_without_width_and_other_weights_are_told(weights, tmp_path):
    from safetensors.torch import save_file

    model = {"model": "mapt_bench.training.flow_model:build", "recipe": {}}
    for record, message in (
        (model, "does not say how wide"),
        ({"model": "mapt-tiny"}, "is not of a training of a narrow FlowNet2"),
    ):
        path = tmp_path / "other.safetensors"
        save_file({"a": torch.zeros(1)}, path, metadata={"record": json.dumps(record)})
        with pytest.raises(DataError, match=message):
            load_narrow_flownet2(path)


def test_drawn_videos_alone_are_trained_on():
    video = DrawnVideo(scene().scene)
    with pytest.raises(DataError, match="only synthetic videos have it"):
        ClipDataset([video], tiny_recipe().clips, tiny_recipe().augment)
