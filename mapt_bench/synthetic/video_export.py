"""Write synthetic videos to disk in KITTI-STEP's layout, with annotations beside them."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.annotations import (
    BACKWARD_FLOW_FOLDER,
    FORWARD_FLOW_FOLDER,
    AnnotationsHeader,
    annotations_text,
)
from mapt_bench.data.dataset_file import write_dataset_file
from mapt_bench.data.encodings.kitti_step import encode_kitti_step
from mapt_bench.data.flow_fields import encode_kitti_flow
from mapt_bench.data.folder_layout import IMAGES_FOLDER, MAPS_FOLDER
from mapt_bench.errors import ConfigError, DataError, nearest
from mapt_bench.faults import unwritable
from mapt_bench.files import parse_json, read_text, write_json
from mapt_bench.labels import AnnotatedObject, AnnotatedVideo, FlowField
from mapt_bench.synthetic._export_folder import SIDE_CAR, Place, flow_names, sweep
from mapt_bench.synthetic.video import WorldVideo
from mapt_bench.workers import Processes

__all__ = [
    "WORLD_FILE",
    "Export",
    "ExportedVideo",
    "Written",
    "WrittenFlow",
    "export_videos",
]

WrittenFlow = Literal["none", "backward", "both"]

WORLD_FILE = "world.json"

_SCHEMA = "mapt-bench/world/1"
_FLOW_FOLDERS: Mapping[WrittenFlow, tuple[str, ...]] = {
    "none": (),
    "backward": (BACKWARD_FLOW_FOLDER,),
    "both": (BACKWARD_FLOW_FOLDER, FORWARD_FLOW_FOLDER),
}


@dataclass(frozen=True, slots=True)
class ExportedVideo:
    """A video to write, and the settings that generated it.

    Attributes:
        video: The video.
        settings: Plain data for JSON.
    """

    video: AnnotatedVideo
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Export:
    """Videos to write, and their folder.

    Attributes:
        folder: New folder, or one with a part of the same export.
        videos: Videos with one label space and different names.
        split: For example ``"val"``.
        flow: Directions of flow to write.
        suite: Name, version and fingerprint of the suite, if the videos are one.

    Raises:
        ConfigError: If there is nothing to write, videos share a name or differ in label space,
            or the flow is unknown.
    """

    folder: Path
    videos: tuple[ExportedVideo, ...]
    split: str = "val"
    flow: WrittenFlow = "none"
    suite: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.flow not in get_args(WrittenFlow):
            raise ConfigError(f"flow is {self.flow!r}; {nearest(self.flow, get_args(WrittenFlow))}")
        names = [exported.video.info.name for exported in self.videos]
        if not names:
            raise ConfigError("there is no video to write")
        if len(set(names)) < len(names):
            raise ConfigError(f"videos must have different names; found {names}")
        spaces = {exported.video.info.labels.name for exported in self.videos}
        if len(spaces) > 1:
            raise ConfigError(
                f"videos of several label spaces ({', '.join(sorted(spaces))}) cannot lie in one "
                "folder; write them to separate folders"
            )

    def describe(self) -> dict[str, Any]:
        """Return everything that decides the written files, ready for JSON."""
        return {
            "schema": _SCHEMA,
            "label_space": self.videos[0].video.info.labels.name,
            "split": self.split,
            "flow": self.flow,
            "suite": None if self.suite is None else dict(self.suite),
            "sequences": {
                exported.video.info.name: dict(exported.settings) for exported in self.videos
            },
        }


@dataclass(frozen=True, slots=True)
class Written:
    """A sequence on disk.

    Attributes:
        header: First line of its side-car.
        was_there: Whether an earlier call wrote it.
    """

    header: AnnotationsHeader
    was_there: bool


def export_videos(
    export: Export, *, jobs: int = 1, advance: Callable[[int], None] = lambda frames: None
) -> list[Written]:
    """Write videos. Sequences that are already complete are kept.

    A sequence is written to a temporary folder and moved when it is complete, its side-car last.
    The bytes depend only on the export, not on ``jobs``, the time or earlier attempts.

    Args:
        export: Videos and folder.
        jobs: Worker processes.
        advance: Called with each number of frames done.

    Returns:
        One entry per video, in their order.

    Raises:
        ConfigError: If the folder holds something else, or a setting is impossible.
        DataError: If the folder cannot be written.
    """
    if jobs < 1:
        raise ConfigError(f"{jobs} workers; expected 1 or more")
    for exported in export.videos:
        if isinstance(exported.video, WorldVideo):
            exported.video.check()
    _claim(export)
    written: dict[str, Written] = {}
    todo: list[_Job] = []
    for job in (_job(export, exported) for exported in export.videos):
        header = job.place.finished()
        if header is None:
            todo.append(job)
        else:
            written[header.sequence] = Written(header, was_there=True)
            advance(header.frames)
    try:
        with Processes(jobs) as processes:
            for _, header in processes.run(_writer, todo):
                written[header.sequence] = Written(header, was_there=False)
                advance(header.frames)
    finally:
        sweep(export.folder)
    write_dataset_file(export.folder, export.videos[0].video.info.labels, "kitti-step")
    return [written[exported.video.info.name] for exported in export.videos]


def _writer() -> "Callable[[_Job], AnnotationsHeader]":
    """Return the function by which a worker writes a video."""
    return _write


def _claim(export: Export) -> None:
    """Write the description of the export, or check that the folder has the same one."""
    path, mine = export.folder / WORLD_FILE, export.describe()
    if path.is_file():
        try:
            theirs = parse_json(read_text(path))
        except (OSError, ValueError) as problem:
            raise DataError(f"cannot be read ({problem}); choose another folder", where=path) from (
                problem
            )
        known = theirs if isinstance(theirs, dict) else {}
        differing = [name for name in mine if known.get(name) != json.loads(json.dumps(mine[name]))]
        if differing:
            raise ConfigError(
                f"holds synthetic videos that differ in {', '.join(differing)} (see {WORLD_FILE} "
                "there); choose another folder, or repeat the same command to resume",
                where=export.folder,
            )
        return
    if export.folder.exists() and (not export.folder.is_dir() or any(export.folder.iterdir())):
        raise ConfigError("is not an empty folder; choose another --out", where=export.folder)
    write_json(path, mine)


@dataclass(frozen=True, slots=True)
class _Job:
    """One video to write, and its place."""

    exported: ExportedVideo
    place: Place


def _job(export: Export, exported: ExportedVideo) -> _Job:
    flows = _FLOW_FOLDERS[export.flow]
    return _Job(exported, Place(export.folder, export.split, exported.video.info, flows))


def _write(job: _Job) -> AnnotationsHeader:
    try:
        with job.place.staged():
            header = _write_parts(job)
            job.place.move()
    except OSError as problem:
        raise unwritable(job.place.folder, problem) from problem
    return header


def _write_parts(job: _Job) -> AnnotationsHeader:
    video, info, beside = job.exported.video, job.exported.video.info, job.place.beside
    maps, images = hashlib.sha256(), hashlib.sha256()
    objects: list[tuple[AnnotatedObject, ...]] = []
    for index, name in enumerate(info.frame_names):
        image, truth = video.frame(index).image, video.truth(index)
        images.update(image.tobytes())
        maps.update(truth.codes.astype("<u4").tobytes())
        (beside / IMAGES_FOLDER / f"{name}.png").write_bytes(_encode_image(image))
        encoded = encode_kitti_step(truth, f"{info.name}/{name}")
        (beside / MAPS_FOLDER / f"{name}.png").write_bytes(encoded)
        objects.append(video.objects(index))
        for folder, field in _flows(job, index):
            (beside / folder / f"{name}.png").write_bytes(encode_kitti_flow(field))
    header = AnnotationsHeader(
        sequence=info.name,
        frames=info.frame_count,
        height=info.height,
        width=info.width,
        label_space=info.labels.name,
        settings=job.exported.settings,
        tracks=len({known.code for found in objects for known in found}),
        maps_sha256=maps.hexdigest(),
        images_sha256=images.hexdigest(),
    )
    (beside / SIDE_CAR).write_text(annotations_text(header, info, objects), encoding="utf-8")
    return header


def _flows(job: _Job, index: int) -> Iterator[tuple[str, FlowField]]:
    video = job.exported.video
    for folder in job.place.flows:
        if video.info.frame_names[index] in flow_names(video.info, folder):
            is_backward = folder == BACKWARD_FLOW_FOLDER
            yield folder, (video.backward_flow if is_backward else video.forward_flow)(index)


def _encode_image(image: NDArray[np.uint8]) -> bytes:
    import cv2

    done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise RuntimeError("OpenCV cannot encode PNG")
    return data.tobytes()
