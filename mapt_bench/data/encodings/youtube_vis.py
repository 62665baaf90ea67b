"""Video instance JSON of YouTube-VIS, COCO-VIS and OVIS: ground truth and results.

Ground truth has ``videos``, ``categories`` and ``annotations``. An annotation is one object of a
video, with one mask per frame: run lengths (compressed or not), polygons, or null. Results are a
list of the same entries with a ``score``, without videos and categories.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.dataset_file import write_dataset_file
from mapt_bench.data.encodings._vis_json import (
    StoredObject,
    VisMask,
    class_numbers,
    decode_mask,
    masks_by_frame,
    of_other_shape,
    parts_inside,
    read_object,
    read_videos,
    refuse_twin_annotation,
    valid_size,
)
from mapt_bench.data.encodings.encoding_registry import Encoding, Lacks, register_encoding
from mapt_bench.data.folder_layout import Listing
from mapt_bench.data.json_files import holds_text, load_json
from mapt_bench.data.mask_painting import paint_masks
from mapt_bench.data.rle import encode_rle, runs_of_mask
from mapt_bench.data.sequences import ClosingWriter, OpenEnded, Report, StoredSequence
from mapt_bench.errors import DataError, counted, listed
from mapt_bench.files import write_json
from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace, PanopticMap, background_code

__all__ = [
    "VisResults",
    "VisSequence",
    "YoutubeVisEncoding",
    "YoutubeVisWriter",
    "results_of_videos",
    "score_notes",
]

_KEYS = ("videos", "file_names", "annotations")
_MARK = '"segmentations"'


@dataclass(frozen=True, slots=True)
class VisSequence:
    """A video of a JSON; implements ``StoredSequence``.

    Attributes:
        parts: Folder of the video's frames in the JSON, or its id.
        frame_names: Names of the frames.
        size: Height and width in pixels.
        file: JSON.
        masks: Masks of each frame.
        void_class: Class number of background.
        video_id: Id of the video.
        is_renumbered: Whether a category has another number than its class.
    """

    parts: tuple[str, ...]
    frame_names: tuple[str, ...]
    size: tuple[int, int]
    file: Path
    masks: tuple[tuple[VisMask, ...], ...]
    void_class: int
    video_id: str
    is_renumbered: bool

    def path(self, index: int) -> Path:
        """Return the JSON, which holds all frames."""
        del index
        return self.file

    def read(self, index: int) -> PanopticMap:
        """Decode the masks of a frame. An empty mask is not an object.

        Raises:
            DataError: If a mask is malformed or of another size, or masks without scores overlap.
        """
        where = f"{self.file}, video {self.video_id}, frame {self.frame_names[index]}"
        found = self.masks[index]
        return _painted(found, self.size, self.void_class, where)


@dataclass(frozen=True, slots=True)
class VisResults(OpenEnded):
    """Results of a video, whose frames have no names; implements ``StoredSequence``.

    They are open-ended to take the names of the ground truth by position.

    Attributes:
        parts: Id of the video.
        frame_names: Positions, or names of the ground truth.
        known_size: Height and width in pixels. ``None`` if all masks are null or polygons.
        file: JSON.
        masks: Masks of each frame.
        void_class: Class number of background.
        video_id: Id of the video.
        is_complete: Always true: the number of frames is the number of masks of an object.
    """

    parts: tuple[str, ...]
    frame_names: tuple[str, ...]
    known_size: tuple[int, int] | None
    file: Path
    masks: tuple[tuple[VisMask, ...], ...]
    void_class: int
    video_id: str
    is_complete: bool = field(default=True, init=False)

    @property
    def is_empty(self) -> bool:
        """Whether no frame has an object."""
        return not any(self.masks)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels.

        Raises:
            DataError: If no mask states it.
        """
        if self.known_size is None:
            raise DataError(
                f"no mask of video {self.video_id} states its size; expected run lengths with a "
                "size; match it with ground truth, or give --size HxW",
                where=self.file,
            )
        return self.known_size

    def path(self, index: int) -> Path:
        """Return the JSON, which holds all frames."""
        del index
        return self.file

    def read(self, index: int) -> PanopticMap:
        """Decode the masks of a frame; see :meth:`VisSequence.read`."""
        where = f"{self.file}, video {self.video_id}, frame {self.frame_names[index]}"
        return _painted(self.masks[index], self.size, self.void_class, where)

    def with_extent(self, frames: int | None, size: tuple[int, int] | None) -> Self:
        """Return these maps with a size, where known.

        Raises:
            DataError: If the number of frames or the size differs.
        """
        if frames is not None and frames != len(self.masks):
            raise self._of_other_length(frames)
        if size is not None and self.known_size not in (None, size):
            raise DataError(
                f"the masks of video {self.video_id} are {self.size[1]}x{self.size[0]} pixels, but "
                f"the stated size is {size[1]}x{size[0]}; correct --size or dataset.json",
                where=self.file,
            )
        return replace(self, known_size=self.known_size or size)

    def with_frames(
        self,
        frame_names: tuple[str, ...],
        size: tuple[int, int] | None,
        *,
        is_complete: bool = False,
    ) -> Self:
        """Return these maps with the names of the partner's frames, by position.

        Raises:
            DataError: If the partner has another number of frames.
        """
        del is_complete
        if len(frame_names) != len(self.masks):
            raise self._of_other_length(len(frame_names))
        return replace(self, frame_names=frame_names, known_size=self.known_size or size)

    def _of_other_length(self, frames: int) -> DataError:
        return DataError(
            f"the objects of video {self.video_id} have {counted(len(self.masks), 'mask')}, but "
            f"the video has {counted(frames, 'frame')}; write one entry per frame, null where "
            "the object is absent",
            where=self.file,
        )


def _painted(
    found: Sequence[VisMask], size: tuple[int, int], void_class: int, where: str
) -> PanopticMap:
    masks: dict[int, NDArray[np.bool_]] = {}
    scores: dict[int, float] = {}
    crowds: list[tuple[int, NDArray[np.bool_]]] = []
    for entry in found:
        mask = decode_mask(entry, size, where)
        code = entry.class_id << ID_BITS | entry.identity
        if entry.identity == 0:
            crowds.append((code, mask))
        elif mask.any():
            masks[code] = mask
            if entry.score is not None:
                scores[code] = entry.score
    ranked = scores if len(scores) == len(masks) else None
    codes = paint_masks(masks, void_class, size, where, ranked)
    for code, mask in crowds:  # objects keep their pixels inside a crowd
        codes[mask & (codes == background_code(void_class))] = code
    return PanopticMap(codes)


def _is_of_videos(path: Path) -> bool:
    """Whether a JSON has masks of videos, or lists videos with frames and no object at all."""
    return holds_text(path, _MARK) or all(holds_text(path, f'"{key}"') for key in _KEYS)


@register_encoding
class YoutubeVisEncoding(Encoding):
    """One JSON with the masks of all videos."""

    name = "youtube-vis"
    suffixes = frozenset({".json"})
    form = "JSON of videos with segmentations"

    def accepts(self, path: Path) -> bool:
        """Whether the file has masks of videos."""
        return _is_of_videos(path)

    def lacks(self, listing: Listing, labels: LabelSpace) -> Lacks:
        """Return that stuff is lacking."""
        del listing, labels
        return Lacks(stuff=True)

    def open(
        self, listing: Listing, labels: LabelSpace, report: Report
    ) -> tuple[StoredSequence, ...]:
        """Return one sequence for every video.

        Raises:
            DataError: If the JSON is too large or malformed, or its categories are unknown.
        """
        files = [path for path in listing.files(".json") if _is_of_videos(path)]
        if len(files) != 1:
            named = f" ({listed(files)})" if files else ""
            raise DataError(
                f"holds {len(files)} JSON files with segmentations of videos{named}; expected one; "
                "give a folder with one of them",
                where=listing.root,
            )
        data = load_json(files[0], "videos with segmentations")
        return _opened(data, files[0], labels, report)


def _opened(
    data: object, file: Path, labels: LabelSpace, report: Report
) -> tuple[StoredSequence, ...]:
    annotations = data.get("annotations") if isinstance(data, Mapping) else data
    if not isinstance(annotations, list):
        raise of_other_shape(file)
    videos = read_videos(data.get("videos"), file) if isinstance(data, Mapping) else None
    class_of = class_numbers(data, file, labels)
    by_video: dict[str, list[StoredObject]] = {one: [] for one in videos or {}}
    seen: set[int | str] = set()
    for position, entry in enumerate(annotations):
        try:
            video, mask, frames = read_object(entry, position, class_of, file)
            refuse_twin_annotation(entry, seen, position, file)
            if videos is not None and (
                video not in videos or len(frames) != len(videos[video].frame_names)
            ):
                known = videos.get(video)
                length = "none" if known is None else counted(len(known.frame_names), "frame")
                raise DataError(
                    f"annotation {position} has {counted(len(frames), 'mask')} for video {video}, "
                    f"which has {length}; expected one mask or null per frame of a listed video",
                    where=file,
                )
            by_video.setdefault(video, []).append((mask, frames))
        except DataError as problem:
            report(problem)
    if videos is None:
        return tuple(_results(video, found, file, labels) for video, found in by_video.items())
    return tuple(
        VisSequence(
            video.parts,
            video.frame_names,
            video.size,
            file,
            masks_by_frame(by_video[name], len(video.frame_names), file),
            labels.ignore_label,
            name,
            any(number != category for category, number in class_of.items()),
        )
        for name, video in videos.items()
    )


def _results(video: str, found: list[StoredObject], file: Path, labels: LabelSpace) -> VisResults:
    lengths = {len(frames) for _, frames in found}
    if len(lengths) != 1:
        raise DataError(
            f"the objects of video {video} have {listed(sorted(lengths))} masks; expected one "
            "entry per frame, null where the object is absent",
            where=file,
        )
    (length,) = lengths
    sizes = [m.get("size") for _, frames in found for m in frames if isinstance(m, Mapping)]
    size = None
    if sizes:
        height, width = sizes[0] if isinstance(sizes[0], list) and len(sizes[0]) == 2 else (0, 0)
        size = valid_size(height, width, f"video {video}", file)
    names = tuple(f"{number:06d}" for number in range(length))
    masks = masks_by_frame(found, length, file)
    return VisResults(
        parts_inside(video) or ("_",), names, size, file, masks, labels.ignore_label, video
    )


def results_of_videos(
    gt: Sequence[StoredSequence], pred: Sequence[StoredSequence]
) -> tuple[StoredSequence, ...]:
    """Give results of videos the names that the ground truth has for the same ids.

    A video without results has no object. Other sequences are returned unchanged.

    Raises:
        DataError: If categories of the ground truth have other numbers in the label space, because
            results state numbers only.
    """
    videos = {one.video_id: one for one in gt if isinstance(one, VisSequence)}
    results = {one.video_id: one for one in pred if isinstance(one, VisResults)}
    if not videos or not results:
        return tuple(pred)
    file = next(iter(results.values())).file
    if any(one.is_renumbered for one in videos.values()):
        raise DataError(
            "states categories by number, but the categories of the ground truth have other "
            "numbers in the label space; expected the data set's own label space; choose it with "
            "--dataset, as in --dataset youtube-vis-2021",
            where=file,
        )
    found: list[StoredSequence] = []
    for name, video in videos.items():
        nothing = ((),) * len(video.frame_names)
        void = video.void_class
        none = VisResults(video.parts, video.frame_names, video.size, file, nothing, void, name)
        found.append(replace(results.pop(name, none), parts=video.parts))
    return (*found, *results.values())


def score_notes(sequences: Sequence[StoredSequence]) -> tuple[str, ...]:
    """Return a note if sequences are results of different scores, because all are scored."""
    scores = [
        entry.score
        for one in sequences
        if isinstance(one, VisResults)
        for frame in one.masks
        for entry in frame
        if entry.score is not None
    ]
    if not scores or min(scores) == max(scores):
        return ()
    return (
        f"all results are scored, also those with low scores (from {min(scores):.3g}); remove "
        "those below your threshold",
    )


class YoutubeVisWriter(ClosingWriter):
    """Writes ``<folder>/instances.json`` in :meth:`close`.

    Stuff and void are not written, so they are read as background. Identities are written as
    ``track_id``, an extension that other programs ignore. Id 0 of a thing is marked ``iscrowd``.

    Args:
        folder: Output folder.
        labels: Label space. Its things are the categories.
    """

    def __init__(self, folder: Path, labels: LabelSpace) -> None:
        self._folder = Path(folder)
        self._labels = labels
        self._frames: dict[str, list[str]] = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        self._masks: dict[tuple[str, int], dict[int, dict[str, Any]]] = {}

    def write(self, sequence: str, frame_name: str, panoptic_map: PanopticMap) -> None:
        """Take one frame; see :meth:`MapWriter.write`."""
        names = self._frames.setdefault(sequence, [])
        size = panoptic_map.shape
        self._sizes.setdefault(sequence, size)
        for code in np.unique(panoptic_map.codes).tolist():
            if self._labels.is_thing_table[code >> ID_BITS]:
                counts = encode_rle(runs_of_mask(panoptic_map.codes == code), size[0] * size[1])
                mask = {"size": list(size), "counts": counts}
                self._masks.setdefault((sequence, code), {})[len(names)] = mask
        names.append(frame_name)

    def close(self) -> None:
        """Write ``instances.json`` and ``dataset.json``."""
        videos = [
            {
                "id": number,
                "height": self._sizes[name][0],
                "width": self._sizes[name][1],
                "length": len(frames),
                "file_names": [f"{name}/{frame}.jpg" for frame in frames],
            }
            for number, (name, frames) in enumerate(self._frames.items(), start=1)
        ]
        number_of = {name: number for number, name in enumerate(self._frames, start=1)}
        annotations: list[dict[str, Any]] = []
        for (name, code), masks in self._masks.items():
            identity = code & (ID_LIMIT - 1)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "video_id": number_of[name],
                    "category_id": code >> ID_BITS,
                    "iscrowd": int(identity == 0),
                    **({"track_id": identity} if identity else {}),
                    "segmentations": [masks.get(at) for at in range(len(self._frames[name]))],
                }
            )
        categories = [
            {"id": entry.class_id, "name": entry.name}
            for entry in self._labels.classes
            if entry.is_thing
        ]
        data = {"videos": videos, "categories": categories, "annotations": annotations}
        write_json(self._folder / "instances.json", data)
        write_dataset_file(self._folder, self._labels, "youtube-vis")
