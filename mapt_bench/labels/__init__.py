"""Plain types that every other part of the toolkit shares: classes, maps, frames, videos."""

from mapt_bench.labels.checks import check_classes, check_map_classes, class_areas
from mapt_bench.labels.known import AnnotatedObject, AnnotatedVideo, FlowField
from mapt_bench.labels.panoptic_map import (
    BACKGROUND_ID,
    ID_BITS,
    ID_LIMIT,
    PanopticMap,
    background_code,
    pack_codes,
)
from mapt_bench.labels.space import LabelClass, LabelSpace, label_space, label_space_names
from mapt_bench.labels.video import Frame, MapSequence, Video, VideoInfo
from mapt_bench.labels.wrapped import WrappedAnnotatedVideo, WrappedVideo

__all__ = [
    "BACKGROUND_ID",
    "ID_BITS",
    "ID_LIMIT",
    "AnnotatedObject",
    "AnnotatedVideo",
    "FlowField",
    "Frame",
    "LabelClass",
    "LabelSpace",
    "MapSequence",
    "PanopticMap",
    "Video",
    "VideoInfo",
    "WrappedAnnotatedVideo",
    "WrappedVideo",
    "background_code",
    "check_classes",
    "check_map_classes",
    "class_areas",
    "label_space",
    "label_space_names",
    "pack_codes",
]
