"""The encodings that can be read, and how one is found out from a few files of a folder."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mapt_bench.data.coco_json import find_coco_json
from mapt_bench.data.coco_panoptic import open_coco_panoptic
from mapt_bench.data.folder_layout import Listing
from mapt_bench.data.instance_png import CityscapesCodec, MotsPngCodec, looks_like_mots
from mapt_bench.data.kitti_step import KittiStepCodec
from mapt_bench.data.mots_txt import is_mots_text, open_mots_text
from mapt_bench.data.png import PngHeader, png_header
from mapt_bench.data.sequences import FrameCodec, Report, StoredSequence, open_frame_files
from mapt_bench.data.two_channel import TwoChannelCodec
from mapt_bench.errors import ConfigError, DataError, nearest
from mapt_bench.labels import LabelSpace

__all__ = ["Encoding", "detect_encoding", "encoding_by_name", "encoding_names"]

_SAMPLE = 9  # files that are looked at; most of them decide, so that one odd file is the odd one

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


_ENCODINGS = {
    entry.name: entry
    for entry in (
        Encoding("coco-panoptic", open_coco_panoptic),
        Encoding("mots-txt", open_mots_text),
        _of_codec(CityscapesCodec()),
        _of_codec(KittiStepCodec()),
        _of_codec(MotsPngCodec()),
        _of_codec(TwoChannelCodec()),
    )
}


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
    """Find out the encoding of a folder from its file endings and the headers of a few files.

    Raises:
        DataError: If there is no frame, or nothing that is known.
    """
    pngs = listing.files(".png")
    if pngs:
        return encoding_by_name(_of_pngs(pngs, listing))
    if listing.files(".npy"):
        return encoding_by_name(TwoChannelCodec.name)
    texts = listing.files(".txt")
    if texts and all(map(is_mots_text, texts)):
        return encoding_by_name("mots-txt")
    if listing.files(".jpg", ".jpeg"):
        raise DataError(
            "holds JPEGs only, which change label values; expected maps as PNG, .npy or MOTS "
            "text; write the labels as PNG",
            where=listing.root,
        )
    if texts:
        raise DataError(
            f"{texts[0].name} is no MOTS text; expected lines of 'frame id class height width rle'",
            where=texts[0],
        )
    raise DataError(
        "holds no frame; expected maps as PNG, .npy or MOTS text, in the folder or in folders "
        "below it; give the folder that holds them",
        where=listing.root,
    )


def _of_pngs(pngs: Sequence[Path], listing: Listing) -> str:
    """Return what most of a few PNGs can be."""
    votes: Counter[str] = Counter()
    problem: DataError | None = None
    for path in pngs[:: max(1, len(pngs) // _SAMPLE)]:
        try:
            header = png_header(path)
            votes[_of_header(header, path)] += 1
        except DataError as found:
            problem = problem or found
    if not votes:
        raise problem or DataError("holds no PNG", where=listing.root)
    usual = votes.most_common(1)[0][0]
    if usual == KittiStepCodec.name and find_coco_json(listing) is not None:
        return "coco-panoptic"
    if usual == MotsPngCodec.name and votes[CityscapesCodec.name]:
        return CityscapesCodec.name  # a frame without stuff looks like MOTS; one with it decides
    return usual


def _of_header(header: PngHeader, path: Path) -> str:
    if KittiStepCodec.accepts(header):
        return KittiStepCodec.name
    if TwoChannelCodec.accepts(header):
        return TwoChannelCodec.name
    if MotsPngCodec.accepts(header):
        mots = looks_like_mots(MotsPngCodec().values(path))
        return MotsPngCodec.name if mots else CityscapesCodec.name
    raise DataError(
        f"has {header}; expected 8-bit RGB (kitti-step, coco-panoptic), grey and alpha "
        "(two-channel) or 16-bit grey (cityscapes, mots-png); convert the maps",
        where=path,
    )
