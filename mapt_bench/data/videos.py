"""Videos in files: camera images, ground-truth maps, or both."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.dataset_file import resolve_labels
from mapt_bench.data.folder_layout import (
    IMAGE_SUFFIXES,
    IMAGES_FOLDER,
    MAPS_FOLDER,
    FrameFolder,
    Listing,
    list_folder,
    require_folder,
)
from mapt_bench.data.map_folders import open_maps
from mapt_bench.data.matching import match_by_suffix
from mapt_bench.data.png import decode_png, load_png, png_header
from mapt_bench.data.sequences import StoredSequence, aligned, check_size, moment, refuse_twin
from mapt_bench.errors import DataError, listed
from mapt_bench.frame_limit import check_frame
from mapt_bench.labels import (
    Frame,
    LabelSpace,
    PanopticMap,
    Video,
    VideoInfo,
    check_map_classes,
)
from mapt_bench.special_files import refuse_special

__all__ = [
    "IMAGE_SUFFIXES",
    "FolderVideo",
    "check_image",
    "image_root",
    "image_size",
    "open_videos",
    "read_image",
]


_ORIENTATION = 0x0112
_SIDEWAYS = {5, 6, 7, 8}
"""Tag of EXIF and its values that swap height and width."""


def image_size(path: Path) -> tuple[int, int]:
    """Return height and width of a PNG or JPEG from its header, after rotation by its EXIF data.

    Raises:
        DataError: If the header is unreadable or claims more than the limit of pixels.
    """
    if path.suffix.lower() == ".png":
        return png_header(path).size
    from PIL import Image

    try:
        refuse_special(path)
        with Image.open(path, formats=["JPEG"]) as image:
            width, height = image.size
            if image.getexif().get(_ORIENTATION, 1) in _SIDEWAYS:
                width, height = height, width
    except (OSError, ValueError, Image.DecompressionBombError) as problem:
        raise _unreadable(path, problem) from problem
    check_frame(height, width, path)
    return height, width


def read_image(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Decode a PNG or JPEG.

    Args:
        path: File.
        size: Expected height and width, checked before decoding.

    Returns:
        RGB, ``uint8`` of shape ``(height, width, 3)``.

    Raises:
        DataError: If the file is unreadable or of another size.
    """
    check_size(path, image_size(path), size)
    return _decode(path)


def check_image(path: Path, size: tuple[int, int]) -> None:
    """Check that an image is readable. For PNGs the checksums are compared, without decoding.

    Args:
        path: File.
        size: Expected height and width.

    Raises:
        DataError: As :func:`read_image`.
    """
    if path.suffix.lower() == ".png":
        check_size(path, load_png(path).header.size, size)
    else:
        read_image(path, size)


def _decode(path: Path) -> NDArray[np.uint8]:
    if path.suffix.lower() == ".png":
        file = load_png(path)
        if file.header.color_type == 2 and file.header.bit_depth == 8:
            return decode_png(file)
    from PIL import Image, ImageOps

    try:
        with Image.open(path, formats=["PNG", "JPEG"]) as image:
            upright = ImageOps.exif_transpose(image) if image.format == "JPEG" else image
            return np.asarray(upright.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as problem:
        raise _unreadable(path, problem) from problem


def _unreadable(path: Path, reason: object) -> DataError:
    return DataError(
        f"cannot be decoded as an image ({reason}); write or copy the file again", where=path
    )


@dataclass(frozen=True, slots=True)
class FolderVideo:
    """A video in files; implements ``Video``.

    Attributes:
        info: Description of the video.
        images: One file per frame, or ``None``.
        maps: Ground truth of every frame, or ``None``.
    """

    info: VideoInfo
    images: Sequence[Path] | None
    maps: StoredSequence | None

    @property
    def has_truth(self) -> bool:
        """Whether the video has ground truth."""
        return self.maps is not None

    def frame(self, index: int) -> Frame:
        """Return the frame at a position. Its image is read at first access."""
        name = self.info.frame_names[index]
        if self.images is None:
            return Frame(index, name)
        size = (self.info.height, self.info.width)
        return Frame(index, name, partial(read_image, self.images[index], size))

    def truth(self, index: int) -> PanopticMap:
        """Return the ground truth at a position.

        Raises:
            DataError: If there is no ground truth, the map is unreadable, or a class is unknown.
        """
        if self.maps is None:
            raise DataError(
                "this video has no ground truth; give data with panoptic_maps", where=self.info.name
            )
        panoptic = self.maps.read(index)
        check_map_classes(panoptic, self.info.labels, self.maps.path(index))
        return panoptic


def open_videos(
    folder: Path | str,
    labels: LabelSpace | str | Path | None = None,
    *,
    encoding: str | None = None,
) -> list[Video]:
    """Open the videos of a folder. Only headers are read.

    ``images`` and ``panoptic_maps`` in the folder are paired by path suffix and frame names.
    Everything else in the folder is ignored. A folder without them holds maps, unless it is
    ``images`` itself, a split or sequence below ``images``, or has JPEGs only.

    Args:
        folder: Folder of the data.
        labels: Label space, its built-in name or YAML file. ``None`` reads the folder's
            ``dataset.json``, and takes ``kitti-step`` where there is none.
        encoding: Encoding of the maps. ``None`` to detect it.

    Raises:
        ConfigError: If the encoding is unknown.
        DataError: If there is no video, or images and maps do not match.
    """
    folder = Path(folder)
    labels = resolve_labels(labels, folder)
    require_folder(folder)
    images = image_root(folder)
    if images is None:
        maps = open_maps(folder, labels, encoding=encoding).sequences
        return [_video_of_maps(sequence, labels) for sequence in maps]
    listing = list_folder(images)
    folders = [entry for entry in listing.folders if entry.with_suffix(*IMAGE_SUFFIXES)]
    if not folders:
        raise DataError("holds no image; expected PNG or JPEG files", where=images)
    if not (folder / MAPS_FOLDER).is_dir():
        return [_video_of_images(entry, None, labels) for entry in folders]
    maps = open_maps(folder, labels, encoding=encoding).sequences
    return [_video_of_images(*pair, labels) for pair in _pair(folders, maps, folder)]


def image_root(folder: Path) -> Path | None:
    """Return the folder of the images, or ``None`` if the folder has maps only."""
    inner = folder / IMAGES_FOLDER
    if inner.is_dir():
        return inner
    if (folder / MAPS_FOLDER).is_dir():
        return None
    # At most <split>/<sequence> below: a whole collection may be in a folder named "images".
    nearest_names = folder.resolve().parts[-3:]
    named = IMAGES_FOLDER in nearest_names and MAPS_FOLDER not in nearest_names
    return folder if named or _only_jpegs(list_folder(folder)) else None


def _only_jpegs(listing: Listing) -> bool:
    return bool(listing.files(".jpg", ".jpeg")) and not listing.files(".png", ".npy", ".txt")


def _pair(
    folders: Sequence[FrameFolder], maps: Sequence[StoredSequence], where: Path
) -> list[tuple[FrameFolder, StoredSequence | None]]:
    by_parts = {sequence.parts: sequence for sequence in maps}
    partner = match_by_suffix([entry.parts for entry in folders], list(by_parts), where=where)
    without_images = set(by_parts) - set(partner.values())
    if without_images:
        raise DataError(
            f"there are maps but no images for {_names(without_images)}; expected images for "
            "every sequence of panoptic_maps; add them, or give the folder panoptic_maps itself",
            where=where / IMAGES_FOLDER,
        )
    labelled_splits = {parts[:-1] for parts in by_parts}
    without_maps = {
        entry.parts
        for entry in folders
        if entry.parts not in partner and entry.parts[:-1] in labelled_splits
    }
    if without_maps:  # a split without any labels is normal: the test split
        raise DataError(
            f"there are images but no maps for {_names(without_maps)}, though other sequences "
            "of the split have maps; add the maps, or remove the images",
            where=where / MAPS_FOLDER,
        )
    return [
        (entry, by_parts[partner[entry.parts]] if entry.parts in partner else None)
        for entry in folders
    ]


def _names(sequences: set[tuple[str, ...]]) -> str:
    return listed("/".join(parts) for parts in sorted(sequences))


def _video_of_maps(maps: StoredSequence, labels: LabelSpace) -> FolderVideo:
    height, width = maps.size
    info = VideoInfo(maps.parts[-1], maps.frame_names, height, width, labels, has_images=False)
    return FolderVideo(info, None, maps)


def _video_of_images(
    folder: FrameFolder, maps: StoredSequence | None, labels: LabelSpace
) -> FolderVideo:
    images = folder.with_suffix(*IMAGE_SUFFIXES)
    moments: dict[str | int, str] = {}
    for path in images:
        refuse_twin(path, folder.frame_name(path), moments)
    names = tuple(folder.frame_name(path) for path in images)
    size = _common_size(images)
    if maps is not None:
        maps = aligned(maps, names, size)
        _check_maps_match(folder, names, size, maps)
    info = VideoInfo(folder.parts[-1], names, size[0], size[1], labels, has_images=True)
    return FolderVideo(info, images, maps)


def _common_size(images: Sequence[Path]) -> tuple[int, int]:
    first = image_size(images[0])
    for path in images[1:]:
        size = image_size(path)
        if size != first:
            raise DataError(
                f"is {size[1]}x{size[0]} pixels, but {images[0].name} is {first[1]}x{first[0]}; "
                "all images of a sequence need one size",
                where=path,
            )
    return first


def _check_maps_match(
    folder: FrameFolder, names: tuple[str, ...], size: tuple[int, int], maps: StoredSequence
) -> None:
    if maps.size != size:
        raise DataError(
            f"images are {size[1]}x{size[0]} pixels, their maps {maps.size[1]}x{maps.size[0]}; "
            "expected one size",
            where=folder.path,
        )
    of_images = {moment(name): name for name in names}
    of_maps = {moment(name): name for name in maps.frame_names}
    for lacking, having, what in (
        (of_maps, of_images, "images but no maps"),
        (of_images, of_maps, "maps but no images"),
    ):
        odd = [name for key, name in having.items() if key not in lacking]
        if odd:
            raise DataError(
                f"{len(odd)} of {len(having)} frames have {what} (the first is {odd[0]}); "
                "expected both for every frame; add the missing files, or remove the others",
                where=folder.path,
            )
