import pytest
import torch
from helpers.mapt_clips import moving_clip, small_mapt

from mapt_bench.errors import DataError
from mapt_bench.model import HeadTuning, SeenClip, see_frames

torch.set_num_threads(1)

PLAIN = {"losses.jittered_masks": 0.0, "appearance.drop_propagated": 0.0}


def seen_clip(network, clip):
    frames = see_frames(network, clip.images, clip.targets)
    return SeenClip(tuple(frames), clip.name, clip.intervals)


def tuned(network):
    heads = HeadTuning(network.config)
    heads.load_state_dict(network.state_dict())
    return heads


def test_the_losses_are_those_of_the_whole_network():
    network = small_mapt(**PLAIN)
    clips = [moving_clip(2), moving_clip(2, start=14)]
    expected = network.train()(clips)
    found = tuned(network).train()([seen_clip(network, clip) for clip in clips])
    assert found.keys() == {"loss_motion", "loss_appearance"}
    for name, value in found.items():  # maps are kept in half precision
        assert value.item() == pytest.approx(expected[name].item(), rel=5e-3, abs=5e-3)


def test_frames_are_seen_alike_one_by_one_and_together():
    network, clip = small_mapt(), moving_clip(2)
    together = see_frames(network, clip.images, clip.targets)
    for at, other in enumerate(together):
        (alone,) = see_frames(network, clip.images[at : at + 1], clip.targets[at : at + 1])
        for name, value in alone.tensors().items():
            torch.testing.assert_close(other.tensors()[name], value, rtol=1e-2, atol=1e-3)


def test_a_frame_takes_two_bytes_a_cell_for_each_channel_and_thing():
    clip, network = moving_clip(1), small_mapt()
    (seen,) = see_frames(network, clip.images, clip.targets)
    channels, rows, columns = seen.reduced.shape
    things, numbers = seen.described.shape
    assert (channels, things) == (network.config.motion.reduced_channels, 2)
    size = sum(value.nbytes for value in seen.tensors().values())
    assert size == 2 * rows * columns * (channels + things) + things * (4 * numbers + 2 * 8)


def test_frames_are_seen_on_the_device_of_the_network(monkeypatch):
    network, clip, read = small_mapt().to("meta"), moving_clip(2), []

    def describe(levels, boxes, masks, images):
        read.extend(each.device.type for each in (*levels, *boxes, *masks, images))
        return torch.zeros(sum(map(len, boxes)), 1)

    monkeypatch.setattr(network.appearance, "describe", describe)
    with pytest.raises(NotImplementedError, match="meta tensor"):  # it holds no numbers to keep
        see_frames(network, clip.images, clip.targets)
    assert set(read) == {"meta"}


def test_only_the_layers_behind_the_cues_are_trained():
    network = small_mapt(**{"appearance.colour_channels": 8, "motion.design": "matched-s4"})
    heads = tuned(network)
    trained = {name for name, each in heads.named_parameters() if each.requires_grad}
    assert {name.split(".")[0] for name in trained} == {"motion", "appearance"}
    frozen = ("motion.reduction", "motion.matcher.stem", "motion.matcher.describe")
    assert not any(name.startswith((*frozen, "appearance.colours")) for name in trained)
    assert any(name.startswith("motion.matcher.decode") for name in trained)


def test_networks_share_cues_if_they_differ_only_behind_them():
    network = small_mapt()
    source = network.cue_fingerprint()
    assert small_mapt().cue_fingerprint() == source
    with torch.no_grad():
        network.motion.offset[0].weight.add_(1)
        network.appearance.hidden.weight.add_(1)
    assert network.cue_fingerprint() == source
    with torch.no_grad():
        network.motion.reduction.weight.add_(1)
    assert network.cue_fingerprint() != source


def test_a_network_without_a_head_is_refused():
    with pytest.raises(DataError, match="lacks a motion or appearance head"):
        HeadTuning(small_mapt(propagation="none").config)
    with pytest.raises(DataError, match="no clip"):
        HeadTuning(small_mapt().config)([])
