import json
import re

import pytest

from mapt_bench.errors import ConfigError
from mapt_bench.model.config import (
    BackboneConfig,
    FusionConfig,
    InstanceConfig,
    MaptConfig,
    SemanticConfig,
)
from mapt_bench.model.config_files import (
    mapt_config,
    mapt_config_from_dict,
    mapt_config_names,
    mapt_config_to_dict,
)
from mapt_bench.model.motion_config import MOTION_DESIGNS


def test_the_configurations_that_come_with_the_package():
    names = ("mapt-compact", "mapt-regnety8gf", "mapt-s8", "mapt-small", "mapt-tiny")
    assert mapt_config_names() == names


@pytest.mark.parametrize("name", mapt_config_names())
def test_each_survives_json_unchanged(name):
    config = mapt_config(name)
    assert mapt_config_from_dict(json.loads(json.dumps(mapt_config_to_dict(config)))) == config


def test_the_published_model_is_the_default():
    assert mapt_config("mapt-regnety8gf") == MaptConfig()


def test_s8_differs_from_it_in_the_motion_head_alone():
    published, other = mapt_config("mapt-regnety8gf"), mapt_config("mapt-s8")
    assert other.motion == MOTION_DESIGNS["s8-c128"]
    assert mapt_config_to_dict(published) | {"motion": None} == mapt_config_to_dict(other) | {
        "motion": None
    }


def test_changes_by_dotted_key():
    changes = {"motion.gate": "false", "instance.anchor_scales": "[2, 3]", "norm": "batch"}
    config = mapt_config("mapt-tiny", **changes)
    assert not config.motion.gate
    assert config.instance.anchor_scales == (2.0, 3.0)
    assert config.norm == "batch"
    assert mapt_config("mapt-tiny", **{"motion.gate": False}).motion == config.motion


def test_a_design_replaces_the_motion_head_but_not_what_it_reads():
    config = mapt_config("mapt-tiny", **{"motion.design": "linear-s4", "motion.out_channels": 5})
    linear = MOTION_DESIGNS["linear-s4"]
    width = config.semantic.channels
    assert width != linear.in_channels
    assert config.motion == linear.with_changes(in_channels=width, out_channels=5)


def test_the_motion_head_reads_as_wide_as_the_semantic_head_is():
    assert mapt_config("mapt-tiny", **{"semantic.channels": 40}).motion.in_channels == 40


def test_a_file_builds_on_a_base(tmp_path):
    base = tmp_path / "base.yaml"
    base.write_text("base: mapt-tiny\nfpn: {channels: 32}\n", encoding="utf-8")
    own = tmp_path / "own.yaml"
    own.write_text(f"base: {base}\nfpn: {{separable: false}}\n", encoding="utf-8")
    config = mapt_config(own)
    assert (config.fpn.channels, config.fpn.separable) == (32, False)
    assert config.backbone == mapt_config("mapt-tiny").backbone


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fpn: {chanels: 32}", r"unknown key 'fpn.chanels'; did you mean 'fpn.channels'"),
        ("fnp: {channels: 32}", r"unknown key 'fnp'; did you mean 'fpn'"),
        ("fpn: 32", "fpn is 32; expected a mapping"),
        ("- fpn", "holds a list"),
        ("fpn: {", "not valid YAML"),
        ("norm: groups", "norm is 'groups'; did you mean 'group'"),
        ("fpn: {channels: wide}", "fpn.channels is 'wide'; expected a whole number"),
        ("fpn: {channels: true}", "fpn.channels is true; expected a whole number"),
        ("fpn: {separable: 1}", "fpn.separable is 1; expected true or false"),
        ("pixel_mean: [0, 0]", "expected a list of 3 numbers"),
        ("motion: {design: gated}", "motion.design: .*did you mean 'gated-s4'"),
        (
            "motion: {dilation: [1]}",
            "unknown key 'motion.dilation'; did you mean 'motion.dilations'",
        ),
        ("motion: {in_channels: 3}", "motion.in_channels is 3, but .* 128"),
        ("backbone: {name: regnet_y_8fg}", "did you mean 'regnet_y_8gf'"),
        ("base: mapt-tny", "did you mean 'mapt-tiny'"),
    ],
)
def test_a_wrong_file_is_explained(tmp_path, text, message):
    file = tmp_path / "own.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as caught:
        mapt_config(file)
    assert caught.value.where == str(file)


def test_a_file_may_not_be_its_own_base(tmp_path):
    file = tmp_path / "own.yaml"
    file.write_text(f"base: {file}", encoding="utf-8")
    with pytest.raises(ConfigError, match="its own base"):
        mapt_config(file)


def test_names_and_files_that_are_not_there():
    with pytest.raises(ConfigError, match="did you mean 'mapt-tiny'"):
        mapt_config("mapt-tini")
    with pytest.raises(ConfigError, match="cannot be read"):
        mapt_config("nowhere.yaml")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"motion.gat": False}, "unknown key 'motion.gat'; did you mean 'motion.gate'"),
        ({"motion.gate": "["}, "not valid YAML"),
        ({"motion": 3, "motion.gate": False}, re.escape("'motion' of 'motion.gate'")),
        ({"label_space": "kitti"}, None),
    ],
)
def test_wrong_changes_are_explained(changes, message):
    if message is None:
        with pytest.raises(ConfigError, match="did you mean 'kitti-step'"):
            _ = mapt_config("mapt-tiny", **changes).labels
        return
    with pytest.raises(ConfigError, match=message):
        mapt_config("mapt-tiny", **changes)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: BackboneConfig(name="tiney"), "did you mean 'tiny'"),
        (lambda: BackboneConfig(widths=(8, 8)), "expected four numbers"),
        (lambda: SemanticConfig(channels=0), "channels of the semantic head is 0"),
        (lambda: SemanticConfig(hard_fraction=1.5), "expected a share from 0 to 1"),
        (lambda: SemanticConfig(loss_stride=3), "expected 1, 2 or 4"),
        (lambda: InstanceConfig(anchor_iou=(0.7, 0.3)), "that of things, which is not less"),
        (lambda: InstanceConfig(anchor_scales=()), "anchor_scales of the instance head is empty"),
        (lambda: InstanceConfig(anchor_ratios=(0.5, 0.0)), "expected more than 0"),
        (lambda: FusionConfig(overlap=float("nan")), "expected a share"),
        (lambda: FusionConfig(stuff_area=-1), "expected 0 or more"),
        (lambda: MaptConfig(semantic=SemanticConfig(channels=64)), "they must be equal"),
        (
            lambda: MaptConfig(motion=MOTION_DESIGNS["gated-s4"].with_changes(stride=16)),
            "features at 4 and 8",
        ),
    ],
)
def test_values_that_cannot_be_are_refused(build, message):
    with pytest.raises(ConfigError, match=message):
        build()


def test_fine_semantics_need_the_level_that_they_read():
    with pytest.raises(ConfigError, match=r"set fpn\.fine_channels too"):
        mapt_config("mapt-small", **{"semantic.fine_channels": 8})


def test_there_is_one_weight_a_class():
    with pytest.raises(ConfigError, match=r"has 2 numbers; expected one for each of the 19"):
        mapt_config("mapt-tiny", **{"semantic.class_weights": [1, 2]})
