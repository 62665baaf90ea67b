import pytest
import torch
from helpers.mapt_clips import small_mapt

from mapt_bench.errors import ConfigError
from mapt_bench.model import SWITCHES, check_switch, switched

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def network():
    """An untrained MAPT in which every part does something."""
    model = small_mapt().eval()
    torch.manual_seed(1)
    with torch.no_grad():
        for convolution in (*model.motion.offset, model.motion.gate):
            convolution.weight.normal_(std=0.3)
            convolution.bias.normal_(std=0.3)
    return model


def maps(network, count=2):
    torch.manual_seed(2)
    return torch.rand(count, 1, network.motion.config.map_channels, 8, 12).unbind()


@torch.no_grad()
def motion_of(network, *frames):
    return network.motion.motion(*(frames or maps(network)))


@torch.no_grad()
def looks_of(network, *, with_motion):
    torch.manual_seed(3)
    described = torch.rand(4, network.config.fpn.channels)
    propagated = torch.rand(4, network.config.motion.out_channels)
    return network.appearance(described, propagated if with_motion else None)


def test_the_parts_of_the_network_matter_before_they_are_switched_off(network):
    offsets, gate = motion_of(network)
    assert offsets.std() > 0.1
    assert gate.std() > 0.05
    apart = looks_of(network, with_motion=True) - looks_of(network, with_motion=False)
    assert apart.abs().max() > 0.01


def test_without_the_gate_dilations_weigh_alike(network):
    offsets, gate = motion_of(switched(network, "no-gate"))
    assert torch.equal(gate, torch.full_like(gate, 1 / len(network.motion.config.dilations)))
    assert torch.equal(offsets, motion_of(network)[0])


def test_of_the_dilations_the_first_alone_is_left(network):
    offsets, gate = motion_of(switched(network, "single-dilation"))
    assert (gate[:, 0] == 1).all()
    assert (gate[:, 1:] == 0).all()
    assert torch.equal(offsets, motion_of(network)[0])


def test_without_offsets_taps_stay_in_their_places(network):
    offsets, gate = motion_of(switched(network, "no-offsets"))
    assert (offsets == 0).all()
    assert torch.equal(gate, motion_of(network)[1])


def test_the_difference_alone_does_not_see_what_both_frames_have(network):
    earlier, now, both = maps(network, 3)
    changed = switched(network, "difference-alone")
    for one, other in zip(
        motion_of(changed, earlier, now),
        motion_of(changed, earlier + both, now + both),
        strict=True,
    ):
        assert torch.allclose(one, other, atol=1e-4)
    seen = motion_of(network, earlier, now)[0] - motion_of(network, earlier + both, now + both)[0]
    assert seen.abs().max() > 0.05
    moved = motion_of(changed, earlier, now)[0] - motion_of(changed, now, earlier)[0]
    assert moved.abs().max() > 0.05  # it sees the difference all the same


def test_static_looks_do_not_follow_the_motion(network):
    changed = switched(network, "static")
    alone = looks_of(network, with_motion=False)
    assert torch.equal(looks_of(changed, with_motion=True), alone)
    assert torch.equal(looks_of(changed, with_motion=False), alone)


@pytest.mark.parametrize("name", SWITCHES)
def test_the_network_itself_stays_as_it_is(network, name):
    before = {key: value.clone() for key, value in network.state_dict().items()}
    changed = switched(network, name)
    assert network.switches == ()
    assert not network.appearance.is_static
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key]), key
    # What one found may be linked by the other; what they make of it is not the same.
    assert changed.source == network.source
    assert changed.switches == (name,)
    assert changed.identity != network.identity
    assert changed.training == network.training


def test_switches_add_up(network):
    changed = switched(switched(network, "no-gate"), "no-offsets")
    assert changed.switches == ("no-gate", "no-offsets")
    offsets, gate = motion_of(changed)
    assert (offsets == 0).all()
    assert (gate == gate[0, 0, 0, 0]).all()


def test_unknown_switches_are_told_with_the_nearest_and_all_that_there_are(network):
    for refuse in (check_switch, lambda name: switched(network, name)):
        with pytest.raises(ConfigError, match="no switch 'no-gat'; did you mean 'no-gate'") as told:
            refuse("no-gat")
        assert all(f"{name}: {meaning}" in told.value.message for name, meaning in SWITCHES.items())
        assert "mapt-bench train" in told.value.message
    for name in SWITCHES:
        check_switch(name)


@pytest.mark.parametrize(
    ("changes", "names", "message"),
    [
        (
            {"propagation": "none"},
            ("no-gate", "single-dilation", "no-offsets", "difference-alone"),
            "has no motion head",
        ),
        ({"motion.gate": False}, ("no-gate", "single-dilation"), "has no gate to switch off"),
        ({"motion.deformable": False}, ("no-offsets",), "has no offsets to switch off"),
        ({"motion.cue": "difference"}, ("difference-alone",), "nothing beside the difference"),
        ({"appearance.enabled": False}, ("static",), "has no appearance head"),
        ({"appearance.static": True}, ("static",), "without propagated features already"),
        ({"propagation": "none"}, ("static",), "without propagated features already"),
    ],
)
def test_what_is_not_there_cannot_be_switched_off(changes, names, message):
    lacking = small_mapt(**changes)
    for name in names:
        with pytest.raises(ConfigError, match=message):
            switched(lacking, name)
    assert lacking.switches == ()
