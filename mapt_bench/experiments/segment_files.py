"""The segments of a run: found once for each video under each stress, and kept."""

from pathlib import Path

from mapt_bench.data.stress import Stress
from mapt_bench.errors import DataError
from mapt_bench.experiments.segment_sources import SegmentSource
from mapt_bench.labels import Video
from mapt_bench.tracking.archive import SegmentArchive, write_archive

__all__ = ["archive_path", "find_segments"]


def archive_path(
    folder: Path, source: SegmentSource, sequence: int, video: str, stress: Stress | None
) -> Path:
    """Return where the segments of a video under a stress lie.

    A stress that changes images alone changes no segments but those that are found in images.
    """
    place = folder / "segments" / source.name
    if stress is not None and (source.needs_images or not stress.entry.needs_images):
        place /= f"{stress.name}-{stress.level}"
    return place / f"{sequence:04d}-{video}.npz"


def find_segments(
    path: Path, source: SegmentSource, video: Video, sequence: int, seed: int
) -> None:
    """Find the segments of every frame of a video and write their archive, unless that was done.

    Args:
        path: Of the archive.
        source: Where they come from.
        video: The video, under stress or not.
        sequence: Its position in the data.
        seed: Of segment order and noise.

    Raises:
        DataError: If there are no segments for the video, or they cannot be written.
    """
    if _is_sound(path):
        return
    segmenter = source.segmenter(video, sequence, seed)
    segmenter.start(video.info)
    found = (segmenter.segment(video.frame(index)) for index in range(video.info.frame_count))
    write_archive(path, video.info, found)


def _is_sound(path: Path) -> bool:
    if not path.exists():
        return False
    try:
        SegmentArchive(path)
    except DataError:
        return False
    return True
