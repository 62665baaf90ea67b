"""KITTI-STEP's coding: 8-bit RGB PNG, red the class, ``256 * green + blue`` the identity."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.frame_files import check_size
from mapt_bench.data.png import PngHeader, load_png, png_header
from mapt_bench.data.png_decoding import decode_png
from mapt_bench.data.png_encoding import encode_png
from mapt_bench.errors import DataError
from mapt_bench.labels import LabelSpace, PanopticMap

__all__ = ["KITTI_STEP_ID_LIMIT", "KittiStepCodec", "encode_kitti_step"]

KITTI_STEP_ID_LIMIT = 1 << 16
"""Identities are smaller than this."""


@dataclass(frozen=True, slots=True)
class KittiStepCodec:
    """Reads KITTI-STEP and MOTChallenge-STEP maps (Weber et al. 2021, arXiv:2102.11859)."""

    name: ClassVar[str] = "kitti-step"
    suffixes: ClassVar[frozenset[str]] = frozenset({".png"})

    @staticmethod
    def accepts(header: PngHeader) -> bool:
        """Whether a PNG with this header can be of this encoding."""
        return header.color_type == 2 and header.bit_depth == 8

    def size(self, path: Path) -> tuple[int, int]:
        """Return height and width from the header alone."""
        header = png_header(path)
        self._check(header, path)
        return header.size

    def decode(self, path: Path, size: tuple[int, int], labels: LabelSpace) -> NDArray[np.uint32]:
        """Return the codes, ``uint32`` of shape ``size``."""
        file = load_png(path)
        self._check(file.header, path)
        check_size(path, file.header.size, size)
        return codes_of_rgb(decode_png(file))

    def _check(self, header: PngHeader, path: Path) -> None:
        if not self.accepts(header):
            raise DataError(
                f"has {header}; kitti-step maps need 3 channels, 8-bit RGB "
                "(class, id // 256, id % 256); convert it, or name its encoding with --encoding",
                where=path,
            )


def codes_of_rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Join the channels of shape ``(height, width, 3)`` into codes.

    Writing bytes into place costs 0.4 ms for 375x1242 pixels; shifting and joining wider
    numbers, of three or of four decoded channels, costs 0.6 to 3 ms.
    """
    height, width, _ = pixels.shape
    quads = np.zeros((height, width, 4), dtype=np.uint8)  # little-endian: id low, id high, 0, class
    quads[..., 0] = pixels[..., 2]
    quads[..., 1] = pixels[..., 1]
    quads[..., 3] = pixels[..., 0]
    return quads.view("<u4")[..., 0].astype(np.uint32, copy=False)


def encode_kitti_step(panoptic: PanopticMap, where: object) -> bytes:
    """Return the PNG of a map.

    Args:
        panoptic: The map.
        where: Its sequence and frame, for messages.

    Raises:
        DataError: If an identity is 65536 or more.
    """
    ids = panoptic.ids
    largest = int(ids.max())
    if largest >= KITTI_STEP_ID_LIMIT:
        raise DataError(
            f"id {largest} is too large for kitti-step, whose ids end at "
            f"{KITTI_STEP_ID_LIMIT - 1}; number the tracks anew, or write coco-panoptic",
            where=where,
        )
    low, high = (ids & np.uint32(0xFF)).astype(np.uint8), (ids >> np.uint32(8)).astype(np.uint8)
    return encode_png(np.stack([panoptic.classes, high, low], axis=-1))
