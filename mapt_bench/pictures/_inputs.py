"""Inputs of ``mapt-bench show``: a video and predictions from folders, and a frame choice."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mapt_bench.data import StoredSequence, open_maps, open_videos, resolve_labels
from mapt_bench.data.map_folders import match_by_suffix
from mapt_bench.data.sequences import aligned, moment
from mapt_bench.errors import ConfigError, DataError, counted, listed, nearest
from mapt_bench.labels import LabelSpace, PanopticMap, Video, check_map_classes, pack_codes
from mapt_bench.pictures._video_comparison import Prediction

__all__ = ["choose_frames", "open_predictions", "open_video"]


def open_video(
    folder: Path, sequence: str | None, dataset: str | None, encoding: str | None
) -> tuple[Video, LabelSpace]:
    """Open one video of a folder.

    Args:
        folder: Folder of maps, images or both, as for :func:`mapt_bench.data.open_videos`.
        sequence: Name of the sequence, or end of its path (``val/0001``). ``None`` for the first.
        dataset: Name or file of the label space. ``None`` to read the folder's ``dataset.json``.
        encoding: Encoding of the maps. ``None`` to detect it.

    Raises:
        ConfigError: If no sequence or several sequences match the name.
        DataError: If the data are unusable.
    """
    labels = resolve_labels(dataset, folder)
    videos = open_videos(folder, labels, encoding=encoding)
    if sequence is None:
        return videos[0], labels
    wanted = tuple(part for part in sequence.split("/") if part)
    found = [video for video in videos if wanted and _parts(video)[-len(wanted) :] == wanted]
    if len(found) == 1:
        return found[0], labels
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
    if re.fullmatch(r"\d*:\d*(:[1-9]\d*)?", text):
        first, end, step = ([int(part) if part else None for part in text.split(":")] + [None])[:3]
        chosen = list(range(first or 0, frame_count if end is None else end, step or 1))
    elif re.fullmatch(r"\d+(,\d+)*", text):
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
