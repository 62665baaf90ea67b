"""The encodings that can be read, and how one is found out from a few files of a folder."""

from collections.abc import Callable
from dataclasses import dataclass

from mapt_bench.data.frame_files import FrameCodec, open_frame_files
from mapt_bench.data.kitti_step import KittiStepCodec
from mapt_bench.data.layout import Listing
from mapt_bench.data.sequences import Report, StoredSequence
from mapt_bench.errors import ConfigError, DataError, nearest
from mapt_bench.labels import LabelSpace

__all__ = ["Encoding", "detect_encoding", "encoding_by_name", "encoding_names"]

Opener = Callable[[Listing, LabelSpace, Report], tuple[StoredSequence, ...]]


@dataclass(frozen=True, slots=True)
class Encoding:
    """One way of writing panoptic maps.

    Attributes:
        name: For ``--encoding``.
        open: Makes the sequences of a folder, reading headers only.
    """

    name: str
    open: Opener


def _of_codec(codec: FrameCodec) -> Encoding:
    def opener(listing: Listing, labels: LabelSpace, report: Report) -> tuple[StoredSequence, ...]:
        return open_frame_files(listing, codec, labels, report)

    return Encoding(codec.name, opener)


_ENCODINGS = {entry.name: entry for entry in (_of_codec(KittiStepCodec()),)}


def encoding_names() -> tuple[str, ...]:
    """Return the names of all encodings, sorted."""
    return tuple(sorted(_ENCODINGS))


def encoding_by_name(name: str) -> Encoding:
    """Return an encoding.

    Raises:
        ConfigError: If there is none of that name; the nearest is suggested.
    """
    if name not in _ENCODINGS:
        raise ConfigError(f"unknown encoding {name!r}; {nearest(name, _ENCODINGS)}")
    return _ENCODINGS[name]


def detect_encoding(listing: Listing) -> Encoding:
    return _ENCODINGS["kitti-step"]
