"""Plain types shared by all packages: label spaces, panoptic maps, frames and videos."""

from mapt_bench.labels._videos import (
    AnnotatedObject,
    AnnotatedVideo,
    FlowField,
    Frame,
    MapSequence,
    Video,
    VideoInfo,
    WrappedAnnotatedVideo,
    WrappedVideo,
)
from mapt_bench.labels.catalog import label_space, label_space_names
from mapt_bench.labels.class_map import (
    ClassMap,
    ClassMaps,
    ClassTarget,
    class_map_names,
    class_maps,
)
from mapt_bench.labels.mapped_share import DETECTIONS, MappedShare, MappingTally, mapped_notes
from mapt_bench.labels.panoptic_map import (
    BACKGROUND_ID,
    ID_BITS,
    ID_LIMIT,
    PanopticMap,
    as_panoptic_map,
    background_code,
    check_classes,
    check_map_classes,
    class_areas,
    pack_codes,
    with_one_void,
    without_void_ids,
)
from mapt_bench.labels.space import LabelClass, LabelSpace

__all__ = [
    "BACKGROUND_ID",
    "DETECTIONS",
    "ID_BITS",
    "ID_LIMIT",
    "AnnotatedObject",
    "AnnotatedVideo",
    "ClassMap",
    "ClassMaps",
    "ClassTarget",
    "FlowField",
    "Frame",
    "LabelClass",
    "LabelSpace",
    "MapSequence",
    "MappedShare",
    "MappingTally",
    "PanopticMap",
    "Video",
    "VideoInfo",
    "WrappedAnnotatedVideo",
    "WrappedVideo",
    "as_panoptic_map",
    "background_code",
    "check_classes",
    "check_map_classes",
    "class_areas",
    "class_map_names",
    "class_maps",
    "label_space",
    "label_space_names",
    "mapped_notes",
    "pack_codes",
    "with_one_void",
    "without_void_ids",
]
