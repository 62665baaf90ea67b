import pytest
import torch
from torch import nn

from mapt_bench.errors import ConfigError
from mapt_bench.training.optimization import MovingAverage, build_optimizer, learning_rate
from mapt_bench.training.recipe import OptimizerSettings, ScheduleSettings


def rates(steps=10, **settings):
    return [learning_rate(step, steps, 1.0, ScheduleSettings(**settings)) for step in range(steps)]


def test_warm_up_rises_from_a_third():
    found = rates(6, warmup_steps=3, decay="constant")
    assert found == pytest.approx([1 / 3, 5 / 9, 7 / 9, 1, 1, 1])


def test_steps_fall_at_their_shares():
    expected = [1.0] * 5 + [0.1] * 3 + [0.01] * 2
    assert rates(warmup_steps=0, milestones=(0.5, 0.8)) == pytest.approx(expected)


def test_the_cosine_goes_from_one_to_its_end():
    found = rates(11, warmup_steps=0, decay="cosine", end=0.2)
    assert found[0] == 1
    assert found == sorted(found, reverse=True)
    half = learning_rate(5, 10, 1.0, ScheduleSettings(warmup_steps=0, decay="cosine"))
    assert half == pytest.approx(0.5)
    last = learning_rate(10, 10, 1.0, ScheduleSettings(warmup_steps=0, decay="cosine", end=0.2))
    assert last == pytest.approx(0.2)


@pytest.mark.parametrize("decay", ["constant", "cosine"])
def test_a_short_training_reaches_its_learning_rate_half_way(decay):
    assert max(rates(20, warmup_steps=300, decay=decay)) == rates(20, warmup_steps=0)[0] == 1
    assert rates(20, warmup_steps=300, decay=decay)[10] == 1


def test_a_warm_up_longer_than_the_training_is_no_error():
    assert rates(2, warmup_steps=500, decay="cosine")[0] == pytest.approx(1 / 3)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_norms_and_biases_are_not_decayed(name):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4))
    model[0].bias.requires_grad_(False)
    optimizer = build_optimizer(model, OptimizerSettings(name=name, weight_decay=0.1))
    decays = {
        id(parameter): group["weight_decay"]
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert decays == {
        id(model[0].weight): 0.1,
        id(model[1].weight): 0.0,
        id(model[1].bias): 0.0,
    }
    assert type(optimizer).__name__.lower() == name


def test_sgd_has_the_papers_momentum():
    optimizer = build_optimizer(nn.Linear(2, 2), OptimizerSettings())
    assert {group["momentum"] for group in optimizer.param_groups} == {0.9}


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_a_parameter_may_have_its_first_gradient_late(name):
    used = nn.ParameterList([torch.zeros(2), torch.zeros(2)])
    settings = OptimizerSettings(name=name, lr=1.0, momentum=0.5, weight_decay=0.0)
    optimizer = build_optimizer(used, settings)
    found = []
    for members in ((0,), (0, 1), (0, 1)):
        for position, each in enumerate(used):
            each.grad = torch.ones(2) if position in members else None
        optimizer.step()
        found.append([each[0].item() for each in used])
    if name == "sgd":  # speeds: 1, 1.5, 1.75
        assert found == [[-1, 0], [-2.5, -1], [-4.25, -2.5]]
    else:  # equal gradients: a whole learning rate in each step
        assert found == [pytest.approx(each) for each in ([-1, 0], [-2, -1], [-3, -2])]


def test_a_model_without_parameters_is_refused():
    with pytest.raises(ConfigError, match="no trainable parameter"):
        build_optimizer(nn.ReLU(), OptimizerSettings())


def test_the_average_follows_as_stated():
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(0.0)
    average = MovingAverage(model, 0.9)
    with torch.no_grad():
        model.weight.fill_(1.0)
    average.update(model, 0)  # decay 1 / 10
    assert average.model.weight.item() == pytest.approx(0.9)
    average.update(model, 1000)  # decay 0.9
    assert average.model.weight.item() == pytest.approx(0.91)
    assert not average.model.weight.requires_grad
    assert model.weight.requires_grad


def test_the_average_copies_counters():
    model = nn.BatchNorm1d(2)
    average = MovingAverage(model, 0.5)
    model(torch.randn(4, 2))
    average.update(model, 0)
    assert average.model.num_batches_tracked == 1
