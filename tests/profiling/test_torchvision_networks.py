"""Whole networks of torchvision: their known totals, and agreement of both counters."""

import pytest
import torch
from torchvision import models
from torchvision.models.video import MViT
from torchvision.models.video.mvit import MSBlockConfig

from mapt_bench.profiling import make_flops_report
from mapt_bench.profiling._fvcore_counter import trace_operations
from mapt_bench.profiling._torch_counter import count_operations
from mapt_bench.profiling.flops_settings import TARGETS, FlopsSettings, Target
from mapt_bench.profiling.operator_table import MODES, WHOLE

torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("name", "shape", "images", "gmacs"),
    [
        ("vit_b_16", (1, 3, 224, 224), 1, 17.564),
        ("swin_t", (1, 3, 224, 224), 1, 4.491),
        ("r3d_18", (1, 3, 16, 112, 112), 1, 40.697),
        ("mvit_v1_b", (1, 3, 16, 224, 224), 1, 70.599),
        ("raft_large", (1, 3, 512, 512), 2, 211.007),
    ],
)
def test_known_totals(name, shape, images, gmacs):
    with torch.device("meta"):
        network = models.get_model(name, weights=None).eval()
        count = count_operations(network, [torch.zeros(shape)] * images)
    assert count.unknown[WHOLE] == ()
    assert round(count.total(WHOLE, MODES["conv"]) / 1e9, 3) == gmacs


@pytest.mark.parametrize(
    ("name", "settings", "shape", "images"),
    [
        ("vit_b_16", {"image_size": 32}, (1, 3, 32, 32), 1),
        ("swin_t", {}, (1, 3, 64, 64), 1),
        ("r3d_18", {}, (1, 3, 8, 32, 32), 1),
        ("raft_large", {}, (1, 3, 128, 128), 2),
    ],
)
def test_both_counters_agree_in_every_mode(name, settings, shape, images):
    network = models.get_model(name, weights=None, **settings)
    agree(network.eval(), [torch.zeros(shape)] * images)


def test_both_counters_agree_on_a_small_mvit():
    blocks = [
        MSBlockConfig(2, 16, 32, [], [3, 3, 3], [], [1, 4, 4]),
        MSBlockConfig(4, 32, 32, [3, 3, 3], [3, 3, 3], [1, 2, 2], [1, 2, 2]),
    ]
    network = MViT((32, 32), 4, blocks, False, False, rel_pos_embed=True, proj_after_attn=True)
    agree(network.eval(), [torch.zeros(1, 3, 4, 32, 32)])


def agree(network, inputs):
    """Assert that both counters give the same number in every mode."""
    count, traced = count_operations(network, inputs), trace_operations(network, inputs)
    assert count.unknown[WHOLE] == traced.unknown[WHOLE] == ()
    for terms in MODES.values():
        assert count.total(WHOLE, terms) == traced.work[WHOLE].total(terms) > 0


def small_mask_rcnn():
    return models.detection.maskrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, min_size=64, max_size=64
    ).eval()


def test_a_detector_gets_a_total(monkeypatch):
    detector = Target(
        name="detector",
        summary="",
        build=small_mask_rcnn,
        example=lambda _, size, instances: torch.zeros(size.shape),
    )
    monkeypatch.setitem(TARGETS, "detector", detector)
    (row,) = make_flops_report(
        FlopsSettings(targets=("detector",), inputs=("64x64",), modes=("conv",))
    )["rows"]
    assert row["uncounted"] == []
    assert row["gmacs"] > 0.1
    # torchvision runs scripted functions while it is traced.
    assert row["explanation"] == "fvcore has no formula for prim::CallFunction"
