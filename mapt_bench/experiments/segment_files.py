"""The segments of a run: found once for each video under each stress, and kept."""

from pathlib import Path

from mapt_bench.data.stress import Stress
from mapt_bench.errors import DataError
from mapt_bench.experiments.source import DataSource
from mapt_bench.labels import Video
from mapt_bench.tracking.archive import SegmentArchive, write_archive

__all__ = ["archive_path", "find_segments"]


def archive_path(folder: Path, source: DataSource, sequence: int, stress: Stress | None) -> Path:
    """Return where the segments of a video under a stress lie; a stress of images changes none."""
    name = f"{sequence:04d}-{source.videos[sequence].info.name}.npz"
    if stress is None or stress.entry.needs_images:
        return folder / "segments" / name
    return folder / "segments" / f"{stress.name}-{stress.level}" / name


def find_segments(path: Path, source: DataSource, video: Video, sequence: int, seed: int) -> None:
    """Find the segments of every frame of a video and write their archive, unless that was done.

    Args:
        path: Of the archive.
        source: Says where segments come from.
        video: The video, under stress or not.
        sequence: Its position in ``source``.
        seed: Of segment order and noise.

    Raises:
        DataError: If there are no segments for the video, or they cannot be written.
    """
    if _is_sound(path):
        return
    segmenter = source.segments.segmenter(video, sequence, seed)
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
