"""Segment archives: what a segmenter found in a video, kept so that every tracker replays it.

An archive is one compressed NumPy file (``.npz``, nothing pickled) a video. Per frame it holds the
class, score and mask of each thing segment, embeddings where there are any, and the map of the
remaining classes. Masks are run lengths in COCO's compressed coding. Where the segmenter is a
network that keeps cues of a frame (:class:`~mapt_bench.tracking.protocol.FrameCues`), these are in
it as well. Nothing in it says which segments of different frames belong together.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from mapt_bench.errors import ConfigError, DataError, wrong_schema
from mapt_bench.files import NPY_DAMAGE, TEXT_LIMIT, parse_json, replace_when_complete
from mapt_bench.labels import Frame, LabelSpace, VideoInfo
from mapt_bench.numpy_files import archive_headers, check_array_size
from mapt_bench.tracking.protocol import FrameCues, FrameSegments

__all__ = ["ARCHIVE_SCHEMA", "ArchiveSegmenter", "SegmentArchive", "write_archive"]

ARCHIVE_SCHEMA = "mapt-bench/segments/1"
"""Name and version of the format."""

# What zipfile, zlib, NumPy and json raise for a file that is damaged or something else.
_DAMAGE = (OSError, *NPY_DAMAGE)

_ARRAYS = {
    "segment_counts": np.int64,
    "stuff_counts": np.int64,
    "class_ids": np.int64,
    "scores": np.float64,
    "embedding_dims": np.int64,
    "embeddings": np.float32,
    "stuff_classes": np.int64,
    "rle_lengths": np.int64,
    "rle_bytes": np.uint8,
}

_CUE_ARRAYS = {"cue_features": np.float16, "cue_descriptors": np.float32}
"""Only in archives with cues: ``(frames, channels, rows, columns)`` and ``(segments, dims)``."""


def write_archive(
    path: Path,
    info: VideoInfo,
    frames: Iterable[FrameSegments],
    *,
    key: str | None = None,
    made_on: Mapping[str, Any] | None = None,
    mapped: Callable[[], Mapping[str, str | int]] | None = None,
) -> str:
    """Write the segments of a video; an older archive is replaced only when this one is complete.

    Args:
        path: File to write, usually ending in ``.npz``.
        info: The video.
        frames: Segments of each frame, in order; one for each of ``info.frame_names``.
        key: Content key of what made the segments; readers compare it.
        made_on: Device, precision and batch of the network that made them, ready for JSON.
        mapped: Returns what a class map removed from the segments, after the last frame. ``None``
            without a class map.

    Returns:
        The fingerprint: SHA-256 of everything in the archive.

    Raises:
        DataError: If frames are missing or too many, differ in size from the video, or the file
            cannot be written.
    """
    encoder = _Encoder(info)
    for segments in frames:
        encoder.add(segments)
    header, arrays = encoder.finish()
    if key is not None:
        header["key"] = key
    if made_on is not None:
        header["made_on"] = dict(made_on)
    if mapped is not None:
        header["mapped"] = dict(mapped())
    fingerprint = _fingerprint(header, arrays)
    header["fingerprint"] = fingerprint
    text = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    content: dict[str, Any] = {"header": text, **arrays}
    with replace_when_complete(path) as beside, beside.open("wb") as file:
        np.savez_compressed(file, **content)
    return fingerprint


class _Encoder:
    """Gathers frames into the flat arrays of the format."""

    def __init__(self, info: VideoInfo) -> None:
        self.info = info
        self.segment_counts: list[int] = []
        self.stuff_classes: list[NDArray[np.uint8]] = []
        self.class_ids: list[NDArray[np.int64]] = []
        self.scores: list[NDArray[np.float64]] = []
        self.embedding_dims: list[int] = []
        self.embeddings: list[NDArray[np.float32]] = []
        self.runs: list[bytes] = []
        self.cues: list[FrameCues] = []

    def add(self, segments: FrameSegments) -> None:
        size = (self.info.height, self.info.width)
        if segments.shape != size:
            raise DataError(
                f"segments of frame {len(self.segment_counts)} have {segments.shape} pixels "
                f"(height, width), the video {size}",
                where=self.info.name,
            )
        self._add_cues(segments.cues)
        void = self.info.labels.ignore_label
        present = np.unique(segments.stuff)
        present = present[present != void]
        self.segment_counts.append(segments.count)
        self.stuff_classes.append(present)
        self.class_ids.append(segments.class_ids)
        self.scores.append(segments.scores)
        looks = segments.embeddings
        # -1 tells "none" from embeddings of a frame without segments.
        self.embedding_dims.append(-1 if looks is None else looks.shape[1])
        if looks is not None:
            self.embeddings.append(looks.ravel())
        self.runs += [_encode(segments.index_map == k) for k in range(segments.count)]
        self.runs += [_encode(segments.stuff == class_id) for class_id in present]

    def _add_cues(self, cues: FrameCues | None) -> None:
        before = len(self.segment_counts)
        if (cues is not None) != (len(self.cues) == before) and before:
            raise DataError(f"frame {before} differs from those before in whether it has cues")
        if cues is None:
            return
        first = self.cues[0] if self.cues else cues
        if cues.source != first.source or cues.features.shape != first.features.shape:
            raise DataError(f"cues of frame {before} are of another network or size than the first")
        self.cues.append(cues)

    def finish(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        info = self.info
        if len(self.segment_counts) != info.frame_count:
            raise DataError(
                f"segments of {len(self.segment_counts)} frames, but the video has "
                f"{info.frame_count}",
                where=info.name,
            )
        header = {
            "schema": ARCHIVE_SCHEMA,
            "name": info.name,
            "frame_names": list(info.frame_names),
            "height": info.height,
            "width": info.width,
            "labels": info.labels.to_dict(),
        }
        values: dict[str, Any] = {
            "segment_counts": self.segment_counts,
            "stuff_counts": [len(present) for present in self.stuff_classes],
            "class_ids": _joined(self.class_ids),
            "scores": _joined(self.scores),
            "embedding_dims": self.embedding_dims,
            "embeddings": _joined(self.embeddings),
            "stuff_classes": _joined(self.stuff_classes),
            "rle_lengths": [len(run) for run in self.runs],
            "rle_bytes": np.frombuffer(b"".join(self.runs), dtype=np.uint8),
        }
        kinds = dict(_ARRAYS)
        if self.cues:
            header["cues"] = self.cues[0].source
            kinds |= _CUE_ARRAYS
            values["cue_features"] = np.stack([cues.features for cues in self.cues])
            values["cue_descriptors"] = np.concatenate([cues.descriptors for cues in self.cues])
        return header, {key: np.asarray(values[key], dtype=kind) for key, kind in kinds.items()}


class SegmentArchive:
    """An archive opened for reading. Frames are decoded when asked for.

    Args:
        path: A file that :func:`write_archive` wrote.

    Attributes:
        fingerprint: SHA-256 of everything in it.
        key: Content key of what made the segments; ``None`` if it was written without one.
        made_on: Device, precision and batch of the network; ``None`` where none made them.
        mapped: What a class map removed from the segments; ``None`` without a class map.
        info: The video as it was when segmented; ``has_images`` is false.

    Raises:
        DataError: If the file is missing, damaged, or of another schema.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        header, self._arrays = _load(path)
        self.fingerprint = str(header["fingerprint"])
        self.key: str | None = header.get("key")
        self.made_on: dict[str, Any] | None = header.get("made_on")
        self.mapped: dict[str, str | int] | None = header.get("mapped")
        self.info = VideoInfo(
            name=header["name"],
            frame_names=tuple(header["frame_names"]),
            height=header["height"],
            width=header["width"],
            labels=_labels(header["labels"], path),
            has_images=False,
        )
        segments, stuff = self._arrays["segment_counts"], self._arrays["stuff_counts"]
        dims = np.maximum(self._arrays["embedding_dims"], 0)
        self._cue_source = header.get("cues")
        self._segment_ends = np.cumsum(segments)
        self._stuff_ends = np.cumsum(stuff)
        self._embedding_ends = np.cumsum(segments * dims)
        self._run_ends = np.cumsum(self._arrays["rle_lengths"])

    def read(self, index: int) -> FrameSegments:
        """Decode the segments of the frame at a position.

        Raises:
            DataError: If the archive has no such frame, or its masks overlap.
        """
        if not 0 <= index < self.info.frame_count:
            raise DataError(
                f"there is no frame {index}; the archive has {self.info.frame_count}",
                where=self.path,
            )
        arrays = self._arrays
        count, stuff_count = (
            int(arrays["segment_counts"][index]),
            int(arrays["stuff_counts"][index]),
        )
        last = int(self._segment_ends[index])
        stuff_last = int(self._stuff_ends[index])
        # Runs of a frame: its things, then its stuff, after those of all frames before it.
        first_run = last - count + stuff_last - stuff_count
        index_map = np.full((self.info.height, self.info.width), -1, dtype=np.int32)
        for k in range(count):
            index_map[self._mask(first_run + k)] = k
        stuff = np.full(index_map.shape, self.info.labels.ignore_label, dtype=np.uint8)
        for k in range(stuff_count):
            class_id = arrays["stuff_classes"][stuff_last - stuff_count + k]
            stuff[self._mask(first_run + count + k)] = class_id
        dims = int(arrays["embedding_dims"][index])
        embeddings = None
        if dims >= 0:
            end = int(self._embedding_ends[index])
            embeddings = arrays["embeddings"][end - count * dims : end].reshape(count, dims)
        return FrameSegments(
            stuff=stuff,
            index_map=index_map,
            class_ids=arrays["class_ids"][last - count : last],
            scores=arrays["scores"][last - count : last],
            embeddings=embeddings,
            cues=self._cues(index, slice(last - count, last)),
        )

    def _cues(self, index: int, rows: slice) -> FrameCues | None:
        if self._cue_source is None:
            return None
        features, descriptors = self._arrays["cue_features"], self._arrays["cue_descriptors"]
        return FrameCues(str(self._cue_source), features[index], descriptors[rows])

    def _mask(self, run: int) -> NDArray[np.bool_]:
        end = int(self._run_ends[run])
        coded = self._arrays["rle_bytes"][end - int(self._arrays["rle_lengths"][run]) : end]
        size = [self.info.height, self.info.width]
        decoded = coco_mask.decode({"size": size, "counts": coded.tobytes()})
        return np.asarray(decoded, dtype=bool)


class ArchiveSegmenter:
    """A segmenter that replays an archive.

    Args:
        archive: What was found before.
    """

    needs_images = False

    def __init__(self, archive: SegmentArchive) -> None:
        self.archive = archive

    def start(self, info: VideoInfo) -> None:
        """Check that the archive belongs to the video.

        Raises:
            DataError: If frames, size or label space differ.
        """
        kept = self.archive.info
        for what, found, expected in (
            ("frames", kept.frame_names, info.frame_names),
            ("size", (kept.height, kept.width), (info.height, info.width)),
            ("label space", kept.labels.to_dict(), info.labels.to_dict()),
        ):
            if found != expected:
                raise DataError(
                    f"the archive's {what} differ from those of video {info.name!r}; "
                    "segment the video again",
                    where=self.archive.path,
                )

    def segment(self, frame: Frame) -> FrameSegments:
        """Return what was found in the frame."""
        return self.archive.read(frame.index)


def _encode(mask: NDArray[np.bool_]) -> bytes:
    coded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))["counts"]
    return coded if isinstance(coded, bytes) else coded.encode("ascii")


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0)


def _fingerprint(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for key in (*_ARRAYS, *(key for key in _CUE_ARRAYS if key in arrays)):
        digest.update(f"{key}:{arrays[key].shape};".encode())
        digest.update(np.ascontiguousarray(arrays[key]).tobytes())
    return digest.hexdigest()


def _load(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read and check header and arrays: their fingerprint covers every byte that is used."""
    advice = "segment the video again"
    try:
        _check_sizes(path, advice)
        with np.load(path, allow_pickle=False) as file:
            header = parse_json(file["header"].tobytes())
            cue_keys = _CUE_ARRAYS if isinstance(header, dict) and "cues" in header else {}
            arrays = {key: np.asarray(file[key]) for key in (*_ARRAYS, *cue_keys)}
    except FileNotFoundError as problem:
        raise DataError(f"there is no such segment archive; {advice}", where=path) from problem
    except _DAMAGE as problem:
        raise DataError(f"is no readable segment archive; {advice}", where=path) from problem
    found = header.get("schema") if isinstance(header, dict) else None
    if found != ARCHIVE_SCHEMA:
        raise DataError(wrong_schema(found, ARCHIVE_SCHEMA, remedy=advice), where=path)
    stated = header.get("fingerprint")
    bare = {key: value for key, value in header.items() if key != "fingerprint"}
    if stated != _fingerprint(bare, arrays):
        raise DataError(f"its contents do not match its fingerprint; {advice}", where=path)
    return header, arrays


def _check_sizes(path: Path, advice: str) -> None:
    """Refuse arrays that are too large by their headers, before memory is allocated for one."""
    found = archive_headers(path)
    stated = found["header"].byte_count
    if stated > TEXT_LIMIT:
        raise DataError(
            f"its header has {stated >> 20} MiB; expected at most {TEXT_LIMIT >> 20} MiB; {advice}",
            where=path,
        )
    total = sum(header.byte_count for header in found.values())
    check_array_size("the archive", total, path, remedy=advice)


def _labels(data: dict[str, Any], path: Path) -> LabelSpace:
    try:
        return LabelSpace.from_dict(data, where=path)
    except ConfigError as problem:
        raise DataError(problem.message, where=path) from problem
