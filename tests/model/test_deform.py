import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.model import (
    DeformForm,
    deformable_convolution,
    deformable_pyramid,
    fastest_form,
)

torch.set_num_threads(1)

ALL = ["operator", "samples", "rows"]
TRAINED = ["operator", "samples"]


def _pyramid(
    seed: int, *, shape=(2, 5, 7, 9), dilations=(1, 3), per_group=1, dtype=torch.float64, spread=3.0
) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    batch, channels, height, width = shape
    levels = len(dilations)

    def normal(*size: int) -> Tensor:
        return torch.randn(*size, dtype=dtype, generator=generator)

    return {
        "x": normal(*shape),
        "offsets": spread * normal(batch, levels, 9, 2, height, width),
        "weights": normal(levels, channels, per_group, 3, 3),
        "gate": normal(batch, levels, height, width).softmax(1),
    }


@pytest.mark.parametrize("form", ALL)
@pytest.mark.parametrize("dilation", [1, 3, 6, 12])
def test_zero_offsets_are_an_ordinary_dilated_convolution(form, dilation):
    torch.manual_seed(0)
    x, weight = torch.randn(2, 4, 15, 20), torch.randn(4, 1, 3, 3)
    ordinary = functional.conv2d(x, weight, padding=dilation, dilation=dilation, groups=4)
    offset = torch.zeros(2, 18, 15, 20)
    deformed = deformable_convolution(x, offset, weight, dilation=dilation, form=form)
    torch.testing.assert_close(deformed, ordinary, atol=2e-5, rtol=0)


@pytest.mark.parametrize("form", ALL)
def test_an_offset_reads_there_so_it_moves_things_the_other_way(form):
    # One cell lit at row 2, column 3. Reading 1 row further down and 2 columns further left
    # (dy = 1, dx = -2) shows it at row 1, column 5.
    x = torch.zeros(1, 1, 6, 8)
    x[..., 2, 3] = 1
    weight = torch.zeros(1, 1, 3, 3)
    weight[..., 1, 1] = 1
    offset = torch.tensor([1.0, -2.0]).repeat(9).view(1, 18, 1, 1).expand(1, 18, 6, 8)
    deformed = deformable_convolution(x, offset, weight, form=form)
    expected = torch.zeros(1, 1, 6, 8)
    expected[..., 1, 5] = 1
    torch.testing.assert_close(deformed, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("form", ALL)
def test_between_cells_it_reads_the_bilinear_mixture(form):
    # At column 0.75 between 4 and 8: 0.25 * 4 + 0.75 * 8 = 7. At column 1.75, beyond the edge
    # lies zero: 0.25 * 8 = 2.
    x = torch.tensor([[[[4.0, 8.0]]]])
    weight = torch.zeros(1, 1, 3, 3)
    weight[..., 1, 1] = 1
    offset = torch.zeros(1, 18, 1, 2)
    offset[:, 1::2] = 0.75
    deformed = deformable_convolution(x, offset, weight, form=form)
    torch.testing.assert_close(deformed.flatten(), torch.tensor([7.0, 2.0]))


every_size = given(
    seed=st.integers(0, 10_000),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    channels=st.sampled_from([1, 3, 16, 17]),
    spread=st.sampled_from([0.0, 0.5, 4.0, 100.0]),
    dilations=st.sampled_from([(1,), (2, 1), (1, 3, 6, 12)]),
)


@settings(max_examples=25, deadline=None)
@every_size
def test_all_forms_give_the_same_values(seed, height, width, channels, spread, dilations):
    scene = _pyramid(seed, shape=(2, channels, height, width), dilations=dilations, spread=spread)
    results = [deformable_pyramid(**scene, dilations=dilations, form=form) for form in ALL]
    for result in results[1:]:
        torch.testing.assert_close(result, results[0], atol=1e-9, rtol=0)


@settings(max_examples=25, deadline=None)
@every_size
def test_one_offset_for_all_taps_gives_the_values_of_equal_offsets(
    seed, height, width, channels, spread, dilations
):
    scene = _pyramid(seed, shape=(2, channels, height, width), dilations=dilations, spread=spread)
    shared = scene["offsets"][:, :, :1].expand_as(scene["offsets"])
    result = deformable_pyramid(**scene | {"offsets": shared}, dilations=dilations, form="rows")
    apart = scene | {"offsets": shared.contiguous()}
    expected = deformable_pyramid(**apart, dilations=dilations, form="operator")
    torch.testing.assert_close(result, expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("gated", [True, False])
def test_a_shared_offset_that_is_not_a_number_shows_where_it_was(gated):
    scene = _pyramid(7, shape=(1, 2, 4, 5), dilations=(1,))
    if not gated:
        del scene["gate"]
    scene["offsets"][0, 0, :, 0, 2, 3] = torch.nan
    scene["offsets"] = scene["offsets"][:, :, :1].expand_as(scene["offsets"])
    result = deformable_pyramid(**scene, dilations=(1,), form="rows")
    assert result[..., 2, 3].isnan().all()
    assert result.isnan().sum() == 2


@pytest.mark.parametrize("form", ALL)
def test_a_map_of_many_blocks_equals_the_operator_in_single_precision(form):
    scene = _pyramid(1, shape=(1, 31, 50, 160), dilations=(1, 3, 6, 12), dtype=torch.float32)
    result = deformable_pyramid(**scene, dilations=(1, 3, 6, 12), form=form)
    exact = {name: tensor.double() for name, tensor in scene.items()}
    expected = deformable_pyramid(**exact, dilations=(1, 3, 6, 12), form="operator")
    torch.testing.assert_close(result.double(), expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("per_group", [1, 2])
def test_the_trained_forms_give_the_same_gradients(per_group):
    gradients = []
    for form in TRAINED:
        scene = _pyramid(3, shape=(2, 4, 6, 7), per_group=per_group)
        leaves = {name: tensor.requires_grad_() for name, tensor in scene.items()}
        result = deformable_pyramid(**leaves, dilations=(1, 3), form=form)
        (result * torch.linspace(-1, 1, result.numel()).view(result.shape)).sum().backward()
        gradients.append({name: tensor.grad for name, tensor in leaves.items()})
    for name, expected in gradients[0].items():
        assert expected.abs().max() > 0
        torch.testing.assert_close(gradients[1][name], expected, atol=1e-9, rtol=0, msg=name)


def test_the_gradient_is_that_of_the_values():
    scene = _pyramid(4, shape=(1, 2, 3, 4), dilations=(1,), spread=0.7)

    def convolve(x: Tensor, offsets: Tensor, weights: Tensor, gate: Tensor) -> Tensor:
        return deformable_pyramid(
            x, offsets, weights, gate=gate, dilations=(1,), form=DeformForm.SAMPLES
        )

    assert torch.autograd.gradcheck(convolve, [t.requires_grad_() for t in scene.values()])


def test_no_gate_is_a_plain_sum():
    scene = _pyramid(5)
    scene["gate"] = torch.ones_like(scene["gate"])
    gated = deformable_pyramid(**scene, dilations=(1, 3), form="samples")
    del scene["gate"]
    for form in ALL:
        plain = deformable_pyramid(**scene, dilations=(1, 3), form=form)
        torch.testing.assert_close(plain, gated, atol=1e-9, rtol=0)


def test_layouts_in_memory_do_not_matter():
    scene = _pyramid(6)
    expected = deformable_pyramid(**scene, dilations=(1, 3), form="rows")
    scene["x"] = scene["x"].contiguous(memory_format=torch.channels_last)
    scene["offsets"] = scene["offsets"].permute(4, 5, 0, 1, 2, 3).contiguous()
    scene["offsets"] = scene["offsets"].permute(2, 3, 4, 5, 0, 1)
    scene["gate"] = scene["gate"].contiguous(memory_format=torch.channels_last)
    for form in ALL:
        result = deformable_pyramid(**scene, dilations=(1, 3), form=form)
        torch.testing.assert_close(result, expected, atol=1e-9, rtol=0)


def test_not_a_number_shows_where_it_was_and_nowhere_else():
    scene = _pyramid(7, shape=(1, 2, 4, 5), dilations=(1,))
    scene["offsets"][0, 0, 4, 0, 2, 3] = torch.nan
    result = deformable_pyramid(**scene, dilations=(1,), form="rows")
    assert result[..., 2, 3].isnan().all()
    assert result.isnan().sum() == 2


@pytest.mark.parametrize("shape", [(0, 3, 4, 5), (1, 3, 0, 5)])
def test_rows_of_an_empty_batch_or_map_are_empty(shape):
    scene = _pyramid(0, shape=shape)
    result = deformable_pyramid(**scene, dilations=(1, 3), form="rows")
    assert result.shape == shape
    scene["offsets"] = scene["offsets"][:, :, :1].expand_as(scene["offsets"])
    result = deformable_pyramid(**scene, dilations=(1, 3), form="rows")
    assert result.shape == shape


@pytest.mark.parametrize(
    ("device", "depthwise", "training", "form"),
    [
        ("cpu", True, False, "rows"),
        ("cpu", True, True, "samples"),
        ("cpu", False, False, "samples"),
        ("cuda:1", True, True, "operator"),
        ("meta", True, False, "operator"),
        ("mps", True, False, "samples"),
        ("xpu", False, True, "samples"),
    ],
)
def test_the_form_follows_the_device(device, depthwise, training, form):
    assert fastest_form(device, depthwise=depthwise, training=training) == form


def test_auto_takes_a_trainable_form_when_gradients_are_wanted():
    scene = _pyramid(8)
    scene["offsets"].requires_grad_()
    deformable_pyramid(**scene, dilations=(1, 3)).sum().backward()
    assert scene["offsets"].grad.abs().max() > 0


def test_rows_refuse_what_they_cannot_do():
    scene = _pyramid(9)
    scene["x"].requires_grad_()
    with pytest.raises(ConfigError, match="gradients are wanted"):
        deformable_pyramid(**scene, dilations=(1, 3), form="rows")
    grouped = _pyramid(9, shape=(1, 4, 5, 5), per_group=2)
    with pytest.raises(ConfigError, match="mixes channels"):
        deformable_pyramid(**grouped, dilations=(1, 3), form="rows")


def test_an_unknown_form_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'samples'"):
        deformable_pyramid(**_pyramid(0), dilations=(1, 3), form="sample")


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("x", (5, 7, 9), r"features have shape \(5, 7, 9\)"),
        ("x", (2, 4, 7, 9), "do not divide|offsets"),
        ("offsets", (2, 2, 9, 2, 7, 8), r"offsets has shape .* expected \(2, 2, 9, 2, 7, 9\)"),
        ("weights", (2, 5, 1, 2, 2), "odd k"),
        ("weights", (2, 5, 3, 3, 3), "do not divide"),
        ("weights", (3, 5, 1, 3, 3), r"dilations are \(1, 3\); expected 3"),
        ("gate", (2, 1, 7, 9), r"gate has shape .* expected \(2, 2, 7, 9\)"),
    ],
)
def test_shapes_that_do_not_fit_are_named(name, shape, message):
    scene = _pyramid(0)
    scene[name] = torch.zeros(shape, dtype=torch.float64)
    with pytest.raises(DataError, match=message):
        deformable_pyramid(**scene, dilations=(1, 3))


def test_integer_features_are_refused():
    scene = _pyramid(0)
    scene["x"] = scene["x"].long()
    with pytest.raises(DataError, match="floating point"):
        deformable_pyramid(**scene, dilations=(1, 3))


def test_odd_offset_channels_are_refused():
    with pytest.raises(DataError, match="2 \\* taps"):
        deformable_convolution(
            torch.zeros(1, 1, 4, 4), torch.zeros(1, 17, 4, 4), torch.zeros(1, 1, 3, 3)
        )
