"""Read and write: videos and predictions from folders, and pictures in files."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data import StoredSequence, open_maps, open_videos, resolve_labels
from mapt_bench.data.matching import match_by_suffix
from mapt_bench.data.sequences import aligned, moment
from mapt_bench.errors import ConfigError, DataError, counted, listed, nearest
from mapt_bench.files import replace_when_complete
from mapt_bench.labels import LabelSpace, PanopticMap, Video, check_map_classes, pack_codes
from mapt_bench.pictures._video_comparison import Prediction

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "PictureFormat",
    "choose_frames",
    "open_predictions",
    "open_video",
    "picture_format",
    "write_animation",
    "write_png",
]


def open_video(
    folder: Path, sequence: str | None, dataset: str | None, encoding: str | None
) -> tuple[Video, LabelSpace, list[str]]:
    """Open one video of a folder.

    Args:
        folder: Folder of maps, images or both, as for :func:`mapt_bench.data.open_videos`.
        sequence: Name of the sequence, or end of its path (``val/0001``). ``None`` for the first.
        dataset: Name or file of the label space. ``None`` to read the folder's ``dataset.json``.
        encoding: Encoding of the maps. ``None`` to detect it.

    Returns:
        The video, its label space, and the paths of the other sequences of the folder.

    Raises:
        ConfigError: If no sequence or several sequences match the name.
        DataError: If the data are unusable.
    """
    labels = resolve_labels(dataset, folder)
    videos = open_videos(folder, labels, encoding=encoding)
    if sequence is None:
        return videos[0], labels, ["/".join(_parts(video)) for video in videos[1:]]
    wanted = tuple(part for part in sequence.split("/") if part)
    found = [video for video in videos if wanted and _parts(video)[-len(wanted) :] == wanted]
    if len(found) == 1:
        others = ["/".join(_parts(video)) for video in videos if video is not found[0]]
        return found[0], labels, others
    if found:
        paths = listed("/".join(_parts(video)) for video in found)
        raise ConfigError(
            f"has {len(found)} sequences named {sequence!r} ({paths}); name one by its path, or "
            "give a deeper folder",
            where=folder,
        )
    hint = nearest(sequence, {video.info.name for video in videos})
    raise ConfigError(f"has no sequence {sequence!r}; {hint}", where=folder)


def _parts(video: Video) -> tuple[str, ...]:
    maps = getattr(video, "maps", None)
    return maps.parts if isinstance(maps, StoredSequence) else (video.info.name,)


def open_predictions(
    folders: Sequence[Path], video: Video, labels: LabelSpace, encoding: str | None = None
) -> list[Prediction]:
    """Open the predictions of a video. Their titles are the names of their folders.

    A folder with one sequence belongs to the video with any name. Otherwise the sequence is found
    by name. A missing frame of a prediction is void.

    Args:
        folders: Folders of predicted maps.
        video: Video of the predictions.
        labels: Label space.
        encoding: Encoding of the predictions. ``None`` to detect it.

    Raises:
        ConfigError: If the encoding is unknown.
        DataError: If a folder lacks the sequence or all of its frames, or sizes differ.
    """
    titles = _titles(folders)
    return [
        _prediction(title, folder, _sequence(folder, video, labels, encoding), video)
        for title, folder in zip(titles, folders, strict=True)
    ]


def _titles(folders: Sequence[Path]) -> list[str]:
    names = [folder.resolve().name for folder in folders]
    return names if len(set(names)) == len(names) else [str(folder) for folder in folders]


def _sequence(
    folder: Path, video: Video, labels: LabelSpace, encoding: str | None
) -> StoredSequence:
    info = video.info
    by_parts = {
        sequence.parts: sequence
        for sequence in open_maps(folder, labels, encoding=encoding).sequences
    }
    own = _parts(video)
    if len(by_parts) == 1:
        partner = next(iter(by_parts))
    else:
        partners = match_by_suffix([own], list(by_parts), where=folder)
        if own not in partners:
            hint = nearest(info.name, {parts[-1] for parts in by_parts})
            raise DataError(f"has no sequence {info.name!r}; {hint}", where=folder)
        partner = partners[own]
    found = aligned(by_parts[partner], info.frame_names, (info.height, info.width))
    if found.size != (info.height, info.width):
        raise DataError(
            f"the maps are {found.size[1]}x{found.size[0]} pixels, those of the data "
            f"{info.width}x{info.height}; expected equal sizes",
            where=folder,
        )
    return found


def _prediction(title: str, folder: Path, sequence: StoredSequence, video: Video) -> Prediction:
    info = video.info
    position = {moment(name): index for index, name in enumerate(sequence.frame_names)}
    places = [position.get(moment(name)) for name in info.frame_names]
    if all(place is None for place in places):
        raise DataError(
            f"has none of the frames of sequence {info.name!r} ({listed(info.frame_names)}); it "
            f"has {listed(sequence.frame_names)}; expected frames of the same names",
            where=folder,
        )

    def read(index: int) -> PanopticMap:
        place = places[index]
        if place is None:
            void = np.full((info.height, info.width), info.labels.ignore_label)
            return PanopticMap(pack_codes(void, np.zeros_like(void)))
        panoptic = sequence.read(place)
        check_map_classes(panoptic, info.labels, sequence.path(place))
        return panoptic

    return Prediction(title, read)


_FORM = "positions from 0, for example 0:8, 0:40:5 (every fifth) or 3,4,9"


def choose_frames(text: str | None, frame_count: int, at_most: int | None) -> list[int]:
    """Return the positions of the frames to show.

    Args:
        text: Positions from 0: a range ``first:end`` or ``first:end:step`` without its end, or a
            list with commas. ``None`` for all.
        frame_count: Number of frames of the video.
        at_most: Maximum number of frames. More frames are thinned out evenly. ``None`` for no
            limit.

    Raises:
        ConfigError: If the text has another form, or a position is beyond the video.

    Example:
        >>> choose_frames("2:8:2", 20, None), choose_frames(None, 20, 3)
        ([2, 4, 6], [0, 10, 19])
    """
    chosen = list(range(frame_count)) if text is None else _positions(text, frame_count)
    if at_most is None or len(chosen) <= at_most:
        return chosen
    return [chosen[index] for index in np.linspace(0, len(chosen) - 1, at_most).round().astype(int)]


def _positions(text: str, frame_count: int) -> list[int]:
    if re.fullmatch("[0-9]{0,18}:[0-9]{0,18}(:[1-9][0-9]{0,17})?", text):
        first, end, step = ([int(part) if part else None for part in text.split(":")] + [None])[:3]
        frames = range(first or 0, frame_count if end is None else end, step or 1)
        # Only its last frame is needed of a range beyond the video.
        chosen = list(frames) if len(frames) <= frame_count else [frames[-1]]
    elif re.fullmatch("[0-9]{1,18}(,[0-9]{1,18})*", text):
        chosen = sorted({int(part) for part in text.split(",")})
    else:
        raise ConfigError(f"--frames is {text!r}; expected {_FORM}")
    if not chosen:
        raise ConfigError(f"--frames {text!r} selects no frame; expected {_FORM}")
    if chosen[-1] >= frame_count:
        raise ConfigError(
            f"--frames {text!r} reaches frame {chosen[-1]}, but the sequence has "
            f"{counted(frame_count, 'frame')}, from 0 to {frame_count - 1}"
        )
    return chosen


PictureFormat = Literal["png", "gif", "mp4"]

_FORMATS: dict[str, PictureFormat] = {".png": "png", ".gif": "gif", ".mp4": "mp4"}
_GIF_COLORS = 255


def picture_format(path: Path) -> PictureFormat:
    """Return the format of a file from its suffix.

    Raises:
        ConfigError: If the suffix is not ``.png``, ``.gif`` or ``.mp4``.

    Example:
        >>> picture_format(Path("tracks.GIF"))
        'gif'
    """
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        found = f"has the suffix {path.suffix!r}" if suffix else "has no suffix"
        raise ConfigError(
            f"{found}; expected a format of pictures; {nearest(suffix, _FORMATS)}", where=path
        )
    return _FORMATS[suffix]


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a picture. Equal pixels give equal bytes.

    Args:
        path: File.
        picture: ``uint8`` RGB of shape ``(height, width, 3)``.

    Raises:
        DataError: If the file cannot be written.
    """
    from PIL import Image

    with replace_when_complete(path) as beside:
        Image.fromarray(picture).save(beside, format="PNG", optimize=True)


def write_animation(path: Path, pictures: Iterable[NDArray[np.uint8]], rate: float) -> None:
    """Write pictures of one size as an animation.

    Args:
        path: File with suffix ``.gif`` or ``.mp4``.
        pictures: ``uint8`` RGB of shape ``(height, width, 3)``. At least one.
        rate: Pictures per second, above 0 and at most 50 (GIF has steps of 0.01 s).

    Raises:
        ConfigError: If the suffix is another.
        DataError: If the file cannot be written, or this machine cannot encode MP4.
    """
    chosen = picture_format(path)
    if chosen == "png":
        raise ConfigError("has the suffix of a single picture; expected .gif or .mp4", where=path)
    with replace_when_complete(path) as beside:
        (_write_gif if chosen == "gif" else _write_mp4)(path, beside, iter(pictures), rate)


def _write_gif(
    path: Path, beside: Path, pictures: Iterator[NDArray[np.uint8]], rate: float
) -> None:
    first = _reduced(next(pictures))
    first.save(
        beside,
        format="GIF",
        save_all=True,
        append_images=(_reduced(picture) for picture in pictures),
        duration=round(1000 / rate),
        loop=0,
        disposal=1,
    )


def _reduced(picture: NDArray[np.uint8]) -> "Image":
    """Reduce a picture to the best colours for a GIF."""
    from PIL import Image

    return Image.fromarray(picture).quantize(_GIF_COLORS, dither=Image.Dither.NONE)


def _write_mp4(
    path: Path, beside: Path, pictures: Iterator[NDArray[np.uint8]], rate: float
) -> None:
    import cv2

    first = _even(next(pictures))
    height, width = first.shape[:2]
    writer = cv2.VideoWriter(str(beside), cv2.VideoWriter.fourcc(*"mp4v"), rate, (width, height))
    try:
        if not writer.isOpened():
            raise DataError(
                f"OpenCV {cv2.__version__} has no encoder for MP4 (codec mp4v) on this machine; "
                "write a .gif, or install an OpenCV built with FFmpeg",
                where=path,
            )
        for picture in chain([first], map(_even, pictures)):
            writer.write(np.ascontiguousarray(picture[..., ::-1]))
    finally:
        writer.release()


def _even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Make height and width even for the codec, by repeating the last row or column."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
