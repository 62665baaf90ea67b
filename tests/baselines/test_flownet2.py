import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.flownet2_parity import made_up_frames, made_up_weights

from mapt_bench.baselines.flownet2 import FlowNet2, stack
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.model.correlation import correlation

torch.set_num_threads(1)

HERE = Path(__file__).parent
SHAPES = json.loads((HERE / "flownet2_state_dict.json").read_text())
# Pixels. Flows of the parity cases reach 1; ours differ by 2e-6 from them. Swapping the axes of the
# correlation moves them by no more than 5e-5, so a looser limit would not see it.
PARITY_LIMIT = 2e-5


@pytest.fixture(scope="module")
def released():
    """The network at full width, without weights."""
    with torch.device("meta"):
        return FlowNet2()


@pytest.fixture(scope="module")
def narrow():
    torch.manual_seed(0)
    return FlowNet2(0.05).eval()


def _frames(seed, *size):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((1, 3, 2, *size), generator=generator) * 255


def test_keys_and_shapes_are_those_of_the_released_weights(released):
    assert {name: list(values.shape) for name, values in released.state_dict().items()} == SHAPES
    assert len(SHAPES) == 220
    assert sum(values.numel() for values in released.parameters()) == 162_518_834


@pytest.mark.parametrize("case", [7, 8])
def test_flow_equals_that_of_the_source(released, case):
    """Made-up weights and frames; the expected flow was computed by the released code's model."""
    facts = np.load(HERE / f"flownet2_case_{case}.npz")
    seed, size = int(facts["seed"]), (int(facts["height"]), int(facts["width"]))
    released.load_state_dict(made_up_weights(SHAPES, seed), assign=True)
    frames = made_up_frames(seed, *size, tuple(facts["shift"].tolist()))
    with torch.inference_mode():
        flow = released(frames)[0].numpy()
    released.to("meta")  # 650 MB that nobody needs any more
    np.testing.assert_allclose(flow, facts["flow"], rtol=0, atol=PARITY_LIMIT)


def test_the_first_frame_is_correlated_with_the_second(narrow, monkeypatch):
    """The parity cases hardly see this order."""
    seen = []

    def watched(first, second):
        seen.extend([first, second])
        return correlation(first, second)

    monkeypatch.setattr(stack, "correlation", watched)
    pair, part = torch.randn(1, 6, 64, 64), narrow.flownetc
    with torch.inference_mode():
        part(pair)
        for found, frame in zip(seen, pair.chunk(2, dim=1), strict=True):
            torch.testing.assert_close(found, part.conv3(part.conv2(part.conv1(frame))))


@pytest.mark.parametrize("size", [(64, 64), (375, 1242), (1, 1), (65, 63)])
def test_flow_has_the_size_of_the_frames(released, size):
    released.to("meta")
    flow = released(torch.empty(2, 3, 2, *size, device="meta"))
    assert flow.shape == (2, 2, *size)


def test_odd_sizes_are_padded_by_repeating_the_border_and_cropped(narrow):
    frames = _frames(1, 50, 70)
    padded = torch.cat([frames, frames[..., -1:, :].expand(1, 3, 2, 14, 70)], dim=-2)
    padded = torch.cat([padded, padded[..., -1:].expand(1, 3, 2, 64, 58)], dim=-1)
    with torch.inference_mode():
        torch.testing.assert_close(narrow(frames), narrow(padded)[..., :50, :70])


def test_members_of_a_batch_do_not_see_each_other(narrow):
    first, second = _frames(2, 64, 64), _frames(3, 64, 64) * 0.3
    with torch.inference_mode():
        both = narrow(torch.cat([first, second]))
        alone = torch.cat([narrow(first), narrow(second)])
    torch.testing.assert_close(both, alone, rtol=1e-3, atol=1e-4)


def test_brightness_of_both_frames_together_does_not_matter(narrow):
    frames = _frames(4, 64, 64) * 0.5
    with torch.inference_mode():
        flow, brighter = narrow(frames), narrow(frames + 40)
        other = narrow(frames + torch.tensor([0.0, 40.0]).view(1, 1, 2, 1, 1))
    torch.testing.assert_close(flow, brighter, rtol=1e-3, atol=1e-4)
    assert (flow - other).abs().max() > 1e-3


def test_narrow_networks_keep_flow_and_displacements_and_shrink_the_rest(narrow):
    state = narrow.state_dict()
    assert state.keys() == SHAPES.keys()
    assert state["flownetc.conv1.0.weight"].shape == (3, 3, 7, 7)  # round(64 * 0.05)
    assert state["flownetc.conv3_1.0.weight"].shape == (13, 2 + 441, 3, 3)
    assert state["flownetc.predict_flow2.weight"].shape[0] == 2
    with torch.device("meta"):
        smallest = FlowNet2(1e-6).state_dict()
    assert smallest["flownetc.conv1.0.weight"].shape == (1, 3, 7, 7)


def test_untrained_weights_follow_the_seed_and_the_documented_ranges():
    states = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        states.append(FlowNet2(0.02).state_dict())
    first, again, other = states
    assert all(torch.equal(first[name], again[name]) for name in first)
    weight = "flownets_1.conv6_1.0.weight"
    assert not torch.equal(first[weight], other[weight])
    bound = (6 / (2 * 20 * 9)) ** 0.5  # Xavier: 20 channels in, 20 out, 9 taps
    assert 0.9 * bound < first[weight].abs().max() <= bound
    biases = torch.cat([values for name, values in first.items() if name.endswith(".bias")])
    assert 0 <= biases.min() < 0.05
    assert 0.95 < biases.max() <= 1


def test_a_narrow_network_learns():
    torch.manual_seed(0)
    network = FlowNet2(0.05)
    frames, wanted = _frames(5, 64, 64), torch.tensor([3.0, -2.0]).view(1, 2, 1, 1)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    losses = []
    for _ in range(12):
        loss = (network(frames) - wanted).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    # Every network of the stack is reached by the gradient, through warps and correlation.
    assert all(
        values.grad is not None and torch.isfinite(values.grad).all()
        for values in network.parameters()
    )
    for part in ("flownetc.conv1", "flownets_1.conv1", "flownets_2.conv1", "flownets_d.conv0"):
        assert network.get_submodule(part)[0].weight.grad.abs().max() > 0


def test_frames_without_motion_or_texture_have_finite_gradients():
    torch.manual_seed(0)
    network = FlowNet2(0.02)
    network(torch.zeros(1, 3, 2, 64, 64)).sum().backward()
    assert all(torch.isfinite(values.grad).all() for values in network.parameters())


@pytest.mark.parametrize(
    "shape", [(1, 3, 64, 64), (1, 2, 3, 64, 64), (1, 3, 2, 0, 64), (0, 3, 2, 64, 64)]
)
def test_frames_of_another_shape_are_refused(narrow, shape):
    with pytest.raises(DataError, match=r"expected \(B, 3, 2, H, W\)"):
        narrow(torch.zeros(shape))


def test_whole_numbers_are_refused(narrow):
    with pytest.raises(DataError, match=r"torch.uint8; expected floating"):
        narrow(torch.zeros(1, 3, 2, 64, 64, dtype=torch.uint8))


@pytest.mark.parametrize("width", [0, -1, float("nan")])
def test_widths_that_are_not_positive_are_refused(width):
    with pytest.raises(ConfigError, match=f"width of FlowNet2 is {width}"):
        FlowNet2(width)
