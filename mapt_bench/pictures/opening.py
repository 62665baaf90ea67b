"""From folders to a video and its predictions."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mapt_bench.data import StoredSequence, open_maps, open_videos, resolve_labels
from mapt_bench.data.map_folders import match_by_suffix
from mapt_bench.data.sequences import aligned, moment
from mapt_bench.errors import ConfigError, DataError, listed, nearest
from mapt_bench.labels import LabelSpace, PanopticMap, Video, check_map_classes, pack_codes
from mapt_bench.pictures.exhibit import Prediction

__all__ = ["open_predictions", "open_video"]


def open_video(
    folder: Path, sequence: str | None, dataset: str | None, encoding: str | None
) -> tuple[Video, LabelSpace]:
    """Open one video of a folder.

    Args:
        folder: Maps, images or both, as :func:`mapt_bench.data.open_videos` takes them.
        sequence: Its name, or the end of its path (``val/0001``); ``None`` takes the first.
        dataset: Name or file of the label space; ``None`` for what the folder says.
        encoding: Of the maps; ``None`` to find it out.

    Raises:
        ConfigError: If there is no such sequence (the nearest is suggested), or several are meant.
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
            f"{len(found)} sequences are called {sequence!r} ({paths}); name one by its path, or "
            "give a folder further down",
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
    """Open the predictions of a video, titled by their folders.

    A folder of one sequence belongs to the video whatever it is called; else names decide. A frame
    that a prediction lacks is all void, and is hatched.

    Raises:
        ConfigError: If the encoding is unknown.
        DataError: If a folder lacks the sequence or has none of its frames, or sizes differ.
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
