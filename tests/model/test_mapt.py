import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.mapt_clips import SWITCHES, moving_clip, small_mapt, with_flow
from safetensors.torch import save_file

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.model import load_mapt, mapt_config, mapt_config_to_dict
from mapt_bench.model.mapt import MaptState

torch.set_num_threads(1)

PARTS = {
    *("loss_objectness", "loss_proposal", "loss_class", "loss_box", "loss_mask"),
    *("loss_semantic", "loss_motion", "loss_appearance"),
}


def frame(clip, index):
    return (clip.images[index].permute(1, 2, 0) * 255).byte().numpy()


@pytest.mark.parametrize("frames", [2, 3])
def test_a_clip_teaches_every_part(frames):
    model = small_mapt(**{"appearance.drop_propagated": 0.0})
    losses = model([moving_clip(frames)])
    assert set(losses) == PARTS
    assert all(loss.isfinite() for loss in losses.values())
    sum(losses.values()).backward()
    idle = [name for name, each in model.named_parameters() if each.grad is None]
    assert not idle


def test_losses_of_a_batch_are_means_of_those_of_its_clips():
    model = small_mapt()
    clips = [moving_clip(), moving_clip(start=30), moving_clip(things=False), moving_clip(2)]
    alone = [model([clip]) for clip in clips]
    joined = model(clips)
    for name in PARTS:
        mean = sum(each[name].item() for each in alone) / len(clips)
        assert joined[name].item() == pytest.approx(mean, rel=1e-5), name


def test_nothing_is_drawn_from_elsewhere_than_the_clip():
    model, clip = small_mapt(), moving_clip()
    torch.manual_seed(1)
    first = {name: loss.item() for name, loss in model([clip]).items()}
    torch.manual_seed(2)
    assert {name: loss.item() for name, loss in model([clip]).items()} == first


MATCHED = {"motion.design": "matched-s4"}
LINKING = ("loss_motion", "loss_flow", "loss_appearance")


def test_clips_without_semantics_teach_motion_and_appearance_only():
    model = small_mapt(**MATCHED).train()
    flying = with_flow(moving_clip(start=20), has_semantics=False)
    losses = model([flying])
    sum(losses.values()).backward()
    detector = {name: value for name, value in losses.items() if name not in LINKING}
    assert len(detector) == 6
    assert not any(value.requires_grad or value for value in detector.values())
    assert all(losses[name].requires_grad for name in LINKING)
    assert all(each.grad is None for each in model.instance.parameters())
    assert model.semantic.classify.weight.grad is None
    assert all(each.grad is not None for each in model.motion.matcher.parameters())


def test_losses_of_mixed_clips_are_means_in_which_missing_ones_are_zero():
    model = small_mapt(**MATCHED, **{"appearance.negatives": "clip"}).train()
    street = with_flow(moving_clip())
    flying = with_flow(moving_clip(start=20), has_semantics=False, starts_far=True)
    both, apart = model([flying, street]), [model([clip]) for clip in (street, flying)]
    assert both.keys() == apart[0].keys() == apart[1].keys()
    for name, value in both.items():
        wanted = (apart[0][name] + apart[1][name]) / 2
        assert value.item() == pytest.approx(wanted.item(), rel=1e-4), name


def test_motion_is_not_learned_from_a_far_first_frame():
    model = small_mapt(**MATCHED).train()
    far, last = moving_clip(), moving_clip()
    images = far.images.clone()
    images[0] = 0.5  # no trace of motion is left
    far = with_flow(replace(far, images=images), starts_far=True)
    last = replace(last, images=last.images[1:], targets=last.targets[1:], intervals=(1,))
    found, wanted = model([far]), model([with_flow(last)])
    assert found["loss_flow"].item() == pytest.approx(wanted["loss_flow"].item(), rel=1e-4)


def test_a_clip_without_things_is_valid_and_trains_what_it_can():
    model = small_mapt()
    losses = model([moving_clip(things=False)])
    assert losses["loss_motion"] == losses["loss_appearance"] == 0
    sum(losses.values()).backward()
    assert all(each.grad is None or each.grad.isfinite().all() for each in model.parameters())


def test_no_clip_is_refused():
    with pytest.raises(DataError, match="no clip"):
        small_mapt()([])


def test_a_few_steps_make_every_loss_fall():
    model = small_mapt().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    clips = [moving_clip(), moving_clip(start=20)]
    history = []
    for _ in range(16):
        losses = model(clips)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        history.append({name: loss.item() for name, loss in losses.items()})
    for name in ("loss_semantic", "loss_class", "loss_motion", "loss_appearance"):
        assert history[-1][name] < 0.8 * history[0][name], name


def trunk_gradient(model, name):
    """Gradient of one loss in the trunk, as a norm; ``None`` where none arrives."""
    model([moving_clip()])[name].backward()
    found = [each.grad.norm() for each in model.backbone.parameters() if each.grad is not None]
    return torch.stack(found).norm().item() if found else None


@pytest.mark.parametrize("name", ["loss_motion", "loss_appearance"])
def test_stop_gradient_keeps_linking_losses_out_of_the_trunk(name):
    assert trunk_gradient(small_mapt(), name) > 0
    assert trunk_gradient(small_mapt(**{"losses.stop_gradient": True}), name) is None


@pytest.mark.parametrize(("switch", "value"), SWITCHES.items(), ids=list(SWITCHES))
def test_every_switch_builds_learns_and_tracks(switch, value):
    model = small_mapt(**{switch: value})
    losses = model([moving_clip(), moving_clip(start=20)])
    gone = {"propagation": {"loss_motion"}, "appearance.enabled": {"loss_appearance"}}
    assert set(losses) == PARTS - gone.get(switch, set())
    sum(losses.values()).backward()
    clip = moving_clip()
    _, state = model.step(frame(clip, 0))
    step, _ = model.step(frame(clip, 1), state)
    assert (step.carried is None) == (switch == "propagation")
    assert (step.embeddings is None) == (switch == "appearance.enabled")


def test_switches_are_in_the_documents():
    page = (Path(__file__).parents[2] / "docs" / "model.md").read_text(encoding="utf-8")
    missing = [switch for switch in SWITCHES if f"`{switch}" not in page]
    assert not missing


def eager(**changes):
    """A model that takes whatever it finds for a thing, so that untrained ones find some."""
    return small_mapt(**{"instance.score_threshold": 1e-4, "instance.detections": 6, **changes})


def test_step_looks_at_each_frame_once_and_changes_no_state():
    model, clip = eager(), moving_clip()
    looked = []
    model.backbone.register_forward_hook(lambda *_: looked.append(1))
    first, state = model.step(frame(clip, 0))
    assert first.carried is None
    kept = state.frames
    second, after = model.step(frame(clip, 1), state)
    assert len(looked) == 2
    assert state.frames is kept
    assert len(after.frames) == 1
    assert second.carried.shape == (first.segments.count, 16, 24)
    assert second.embeddings.shape == (second.segments.count, 64)
    again, _ = model.step(frame(clip, 1), state)
    assert np.array_equal(again.carried, second.carried)
    assert np.array_equal(again.embeddings, second.embeddings)


def test_embeddings_know_of_the_earlier_frame_only_where_there_is_one():
    model, clip = eager(), moving_clip()
    first, state = model.step(frame(clip, 0))
    assert first.segments.count > 0
    assert np.allclose(first.embeddings, first.segments.embeddings, atol=1e-6)
    second, _ = model.step(frame(clip, 1), state)
    assert np.abs(second.embeddings - second.segments.embeddings).max() > 1e-3


def test_a_pairing_interval_reaches_back_so_many_frames():
    model, clip = eager(), moving_clip()
    state = MaptState(pair=2)
    steps = []
    for index in range(3):
        step, state = model.step(frame(clip, index), state)
        steps.append(step)
    assert [step.carried is None for step in steps] == [True, True, False]
    assert len(steps[2].carried) == steps[0].segments.count
    assert len(state.frames) == 2


def test_frames_of_another_size_are_refused():
    model, clip = small_mapt(), moving_clip()
    _, state = model.step(frame(clip, 0))
    with pytest.raises(DataError, match=r"\(48, 96\).*\(64, 96\)"):
        model.step(frame(clip, 1)[:48], state)


def write(model, path, *, config=None):
    record = {"model_config": mapt_config_to_dict(config or model.config)}
    tensors = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(tensors, path, metadata={"record": json.dumps(record)})
    return path


def test_weights_say_what_they_are_of(tmp_path):
    model = small_mapt(**{"appearance.static": True})
    loaded = load_mapt(write(model, tmp_path / "w.safetensors"))
    assert loaded.config == model.config
    assert not loaded.training
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    assert len(loaded.source) == 64
    assert loaded.source != model.source


def test_weights_that_do_not_fit_name_the_key_and_both_shapes(tmp_path):
    wider = mapt_config("mapt-tiny", **{"appearance.embedding_channels": 32})
    path = write(small_mapt(), tmp_path / "w.safetensors", config=wider)
    with pytest.raises(DataError) as caught:
        load_mapt(path)
    assert "appearance.embedding.weight is (64, 128), expected (32, 128)" in caught.value.message
    with pytest.raises(DataError, match=r"unknown .*appearance\.project"):
        load_mapt(path, mapt_config("mapt-tiny", **{"appearance.static": True}))


def test_weights_without_a_configuration_are_refused_unless_it_is_given(tmp_path):
    model, path = small_mapt(), tmp_path / "w.safetensors"
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path)
    with pytest.raises(ConfigError, match="does not say which configuration"):
        load_mapt(path)
    assert load_mapt(path, model.config).config == model.config
