"""What the truth says where something stands in front."""

from collections.abc import Iterable

from mapt_bench.labels import ID_BITS, AnnotatedVideo, Video

__all__ = ["VOID", "occluder_class"]

VOID = "void"
"""Label of an occluder that has no class."""


def occluder_class(video: Video, names: Iterable[str]) -> tuple[str, int]:
    """Return the name and the code of an occluder's pixels.

    In a known video it is the first of some classes that its label space has as stuff. What is put
    before recorded frames has no class in their truth and becomes void.
    """
    labels = video.info.labels
    stuff = {entry.name: entry.class_id for entry in labels.classes if not entry.is_thing}
    for name in names if isinstance(video, AnnotatedVideo) else ():
        if name in stuff:
            return name, stuff[name] << ID_BITS
    return VOID, labels.ignore_label << ID_BITS
