import pytest

from mapt_bench.errors import ConfigError
from mapt_bench.model import MOTION_DESIGNS, MotionConfig, motion_config


@pytest.mark.parametrize(
    ("name", "per_position", "per_instance"),
    [("gated-s4", 28_098, 36), ("linear-s4", 28_032, 36), ("s8-c128", 113_664, 36)],
)
def test_the_designs_cost_what_they_were_sized_for(name, per_position, per_instance):
    config = motion_config(name)
    assert config.macs_per_position() == per_position
    assert config.macs_per_position(10) == per_position + 10 * per_instance
    positions = 1_966_080 // config.stride**2
    assert config.macs_per_position(10) * positions == pytest.approx(3.50e9, rel=0.01)


def test_an_unknown_design_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'gated-s4'"):
        motion_config("gated")


def test_an_unknown_setting_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'dilations'"):
        MotionConfig().with_changes(dilation=(1,))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reduced_channels": 0}, "reduced_channels of the motion head is 0"),
        ({"dilations": ()}, "no dilation"),
        ({"dilations": (1, 0)}, "dilations of the motion head is"),
        ({"cue": "differnce"}, "did you mean 'difference'"),
        ({"channels_per_group": 4}, "do not divide the 21"),
        ({"match_channels": 16, "stride": 8}, "matching needs stride 4"),
        ({"match_channels": 16, "context_channels": None}, "matching needs stride 4"),
        ({"match_channels": 16, "cue": "concatenation"}, "matching needs stride 4"),
        ({"match_channels": 16, "deformable": False}, "matching needs stride 4"),
        ({"match_channels": 0}, "match_channels of the motion head is 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        MotionConfig(**changes)


def test_a_list_of_dilations_becomes_a_value_that_can_be_hashed():
    assert hash(MotionConfig(dilations=[1, 3, 6, 12])) == hash(MOTION_DESIGNS["gated-s4"])


def test_one_dilation_leaves_a_gate_nothing_to_choose():
    single = MotionConfig(dilations=(3,))
    assert not single.gated
    assert single.macs_per_position() == single.with_changes(gate=False).macs_per_position()


def test_matching_stays_at_a_tenth_of_the_narrow_flownet2():
    head = motion_config("matched-s4").with_changes(in_channels=64)
    cells = 128 * 416 // head.stride**2
    macs = cells * (head.macs_per_position() + head.correlation_macs_per_position())
    assert macs <= 0.065e9  # the narrow FlowNet2 takes 0.65e9 at this size


def test_a_head_without_matching_has_no_correlations():
    assert MotionConfig().correlation_macs_per_position() == 0
    assert MotionConfig().map_channels == MotionConfig().propagated_channels
