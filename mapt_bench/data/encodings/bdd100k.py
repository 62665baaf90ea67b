"""BDD100K bitmasks: RGBA PNG of class, attributes, and identity in two bytes."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.encodings.encoding_registry import (
    FrameEncoding,
    Lacks,
    register_encoding,
)
from mapt_bench.data.folder_layout import Listing
from mapt_bench.data.png import PngHeader, decode_png, encode_png, load_png, png_header
from mapt_bench.data.sequences import check_size
from mapt_bench.errors import ConfigError, DataError, counted, listed
from mapt_bench.labels import (
    BACKGROUND_ID,
    ID_BITS,
    LabelSpace,
    PanopticMap,
    background_code,
    pack_codes,
)

__all__ = ["BDD100K_ID_LIMIT", "Bdd100kEncoding", "encode_bdd100k"]

BDD100K_ID_LIMIT = 1 << 16
"""Identities are smaller than this."""

_IGNORE, _CROWD = 1, 2  # bits of the attributes; 4 is occluded, 8 is truncated
_ATTRIBUTES = 16
_OPAQUE = 255


def _is_rgba(header: PngHeader) -> bool:
    return header.color_type == 6 and header.bit_depth == 8


@register_encoding
class Bdd100kEncoding(FrameEncoding):
    """Bitmasks of segmentation tracking and of panoptic segmentation (Yu et al. 2020).

    Red is the class, green the attributes, ``256 * blue + alpha`` the identity. Class 0 is
    background in a label space of things only, and void in one with stuff. The attribute crowd
    makes an object crowd, ignore makes it void.
    """

    name = "bdd100k"
    suffixes = frozenset({".png"})
    form = "8-bit RGBA PNG (BDD100K bitmasks)"

    def accepts(self, path: Path) -> bool:
        """Whether the file is an RGBA PNG whose alpha is not transparency."""
        if not _is_rgba(png_header(path)):
            return False
        return bool((decode_png(load_png(path))[..., 3] != _OPAQUE).any())

    def lacks(self, listing: Listing, labels: LabelSpace) -> Lacks:
        """Return that stuff is lacking if the label space has none."""
        del listing
        return Lacks(stuff=not labels.stuff_ids)

    def size(self, path: Path) -> tuple[int, int]:
        """Return height and width from the header."""
        header = png_header(path)
        self._check(header, path)
        return header.size

    def decode(self, path: Path, size: tuple[int, int], labels: LabelSpace) -> NDArray[np.uint32]:
        """Return the codes, ``uint32`` of shape ``size``."""
        file = load_png(path)
        self._check(file.header, path)
        check_size(path, file.header.size, size)
        pixels = decode_png(file)
        classes, attributes = pixels[..., 0], pixels[..., 1]
        ids = pixels[..., 2].astype(np.uint16) << np.uint16(8) | pixels[..., 3]
        if attributes.max() >= _ATTRIBUTES:
            raise DataError(
                f"has attributes up to {attributes.max()}; expected bits of truncated (8), "
                "occluded (4), crowd (2) and ignore (1) in the green channel; name another "
                "encoding with --encoding",
                where=path,
            )
        is_thing = labels.is_thing_table[classes]
        is_crowd = (attributes & _CROWD) > 0
        nameless = is_thing & (ids == 0) & (attributes & (_CROWD | _IGNORE) == 0)
        if nameless.any():
            raise DataError(
                f"{counted(int(nameless.sum()), 'pixel')} of classes "
                f"{listed(np.unique(classes[nameless]))} have identity 0, which BDD100K does not "
                "use; number objects from 1, or mark them as crowd",
                where=path,
            )
        codes = pack_codes(classes, np.where(is_thing & ~is_crowd, ids, np.uint16(0)))
        void = np.uint32(labels.ignore_label << ID_BITS)
        # BDD100K has no class 0.
        nothing = void if labels.stuff_ids else np.uint32(background_code(labels.ignore_label))
        codes[classes == 0] = nothing
        codes[(attributes & _IGNORE) > 0] = void
        return codes

    @staticmethod
    def _check(header: PngHeader, path: Path) -> None:
        if not _is_rgba(header):
            raise DataError(
                f"has {header}; bdd100k maps need 4 channels, 8-bit RGBA (class, attributes, "
                "id // 256, id % 256); convert it, or name its encoding with --encoding",
                where=path,
            )


def encode_bdd100k(panoptic: PanopticMap, labels: LabelSpace, where: object) -> bytes:
    """Return the PNG of a map.

    Args:
        panoptic: The map.
        labels: Label space, whose classes are numbered from 1.
        where: Sequence and frame, for messages.

    Raises:
        ConfigError: If the label space has a class 0.
        DataError: If an identity is 65536 or more.
    """
    if 0 in labels.class_ids:
        raise ConfigError(
            f"bdd100k has no class 0, but {labels.by_id(0).name!r} of the label space "
            f"{labels.name!r} has that number; write another encoding"
        )
    classes, ids = panoptic.classes.astype(np.uint32), panoptic.ids
    is_void = classes == labels.ignore_label
    is_background = is_void & (ids == BACKGROUND_ID)
    is_thing = labels.is_thing_table[classes]
    ids = np.where(is_thing, ids, 0)
    if int(ids.max()) >= BDD100K_ID_LIMIT:
        raise DataError(
            f"id {int(ids.max())} is too large for bdd100k, whose ids end at "
            f"{BDD100K_ID_LIMIT - 1}; renumber the tracks, or write coco-panoptic",
            where=where,
        )
    attributes = np.where(is_thing & (ids == 0), _CROWD, 0)
    attributes = np.where(is_void & ~is_background, _IGNORE, attributes)
    channels = [np.where(is_void, 0, classes), attributes, ids >> np.uint32(8), ids & 0xFF]
    return encode_png(np.stack(channels, axis=-1).astype(np.uint8))
