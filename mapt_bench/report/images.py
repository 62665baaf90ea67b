"""Images of the page: JPEG files whose data are in their address."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.reports.tables import printable

__all__ = ["Image", "images_of_frames", "jpeg"]


@dataclass(frozen=True)
class Image:
    """An image of the page: its data as an address, its content in words, and its size."""

    source: str
    alt: str
    width: int
    height: int


def jpeg(picture: NDArray[np.uint8]) -> bytes:
    """Return a picture of frames as a JPEG."""
    from PIL import Image as Pillow

    data = io.BytesIO()
    Pillow.fromarray(picture).save(data, format="JPEG", quality=85, subsampling=0, optimize=True)
    return data.getvalue()


def _image_of(data: bytes, alt: str) -> Image:
    """Return an image of the page from the bytes of a JPEG."""
    from PIL import Image as Pillow

    with Pillow.open(io.BytesIO(data)) as picture:
        width, height = picture.size
        kind = str(picture.format).lower()
    text = base64.b64encode(data).decode()
    return Image(f"data:image/{kind};base64,{text}", printable(alt), width, height)


def images_of_frames(strip: bytes, alts: Sequence[str]) -> list[Image]:
    """Return one image per frame, so that a phone shows them below each other.

    Args:
        strip: JPEG of frames of one width, side by side.
        alts: What each frame shows.
    """
    from PIL import Image as Pillow

    if len(alts) == 1:
        return [_image_of(strip, alts[0])]
    with Pillow.open(io.BytesIO(strip)) as opened:
        whole = np.asarray(opened.convert("RGB"))
    parts = np.array_split(whole, len(alts), axis=1)
    return [_image_of(jpeg(part), alt) for part, alt in zip(parts, alts, strict=True)]
