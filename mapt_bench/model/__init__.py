"""MAPT and its parts. Each part works alone."""

from mapt_bench.model.adaptive_pair import AdaptivePair
from mapt_bench.model.appearance import AppearanceHead
from mapt_bench.model.backbone import Backbone, build_backbone, load_imagenet, prepare_images
from mapt_bench.model.config import (
    AppearanceConfig,
    BackboneConfig,
    FpnConfig,
    FusionConfig,
    InstanceConfig,
    LossConfig,
    MaptConfig,
    SemanticConfig,
)
from mapt_bench.model.config_files import (
    mapt_config,
    mapt_config_from_dict,
    mapt_config_names,
    mapt_config_to_dict,
)
from mapt_bench.model.cues import MaptCues
from mapt_bench.model.deform import (
    DeformForm,
    deformable_convolution,
    deformable_pyramid,
    fastest_form,
)
from mapt_bench.model.fpn import TwoWayFPN
from mapt_bench.model.instance import Detections, InstanceHead
from mapt_bench.model.mapt import MAPT, MaptState, MaptStep, build_mapt, load_mapt
from mapt_bench.model.motion import MotionHead, MotionOutput, normalise_masks
from mapt_bench.model.motion_config import MOTION_DESIGNS, Cue, MotionConfig, motion_config
from mapt_bench.model.panoptic_fusion import FusedFrame, PanopticFusion
from mapt_bench.model.region_pool import RegionPool
from mapt_bench.model.seen_clips import HeadTuning, SeenClip, SeenFrame, see_frames
from mapt_bench.model.semantic import SemanticHead, SemanticOutput
from mapt_bench.model.switches import SWITCHES, check_switch, switched
from mapt_bench.model.targets import Clip, FrameTargets
from mapt_bench.model.tracker import MaptAssociator, MaptLinker, MaptSegmenter

__all__ = [
    "MAPT",
    "MOTION_DESIGNS",
    "SWITCHES",
    "AdaptivePair",
    "AppearanceConfig",
    "AppearanceHead",
    "Backbone",
    "BackboneConfig",
    "Clip",
    "Cue",
    "DeformForm",
    "Detections",
    "FpnConfig",
    "FrameTargets",
    "FusedFrame",
    "FusionConfig",
    "HeadTuning",
    "InstanceConfig",
    "InstanceHead",
    "LossConfig",
    "MaptAssociator",
    "MaptConfig",
    "MaptCues",
    "MaptLinker",
    "MaptSegmenter",
    "MaptState",
    "MaptStep",
    "MotionConfig",
    "MotionHead",
    "MotionOutput",
    "PanopticFusion",
    "RegionPool",
    "SeenClip",
    "SeenFrame",
    "SemanticConfig",
    "SemanticHead",
    "SemanticOutput",
    "TwoWayFPN",
    "build_backbone",
    "build_mapt",
    "check_switch",
    "deformable_convolution",
    "deformable_pyramid",
    "fastest_form",
    "load_imagenet",
    "load_mapt",
    "mapt_config",
    "mapt_config_from_dict",
    "mapt_config_names",
    "mapt_config_to_dict",
    "motion_config",
    "normalise_masks",
    "prepare_images",
    "see_frames",
    "switched",
]
