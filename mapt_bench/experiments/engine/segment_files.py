"""The segments of a run: found once for each video under each stress, and kept."""

from pathlib import Path

from mapt_bench.errors import DataError
from mapt_bench.experiments.plans.segment_sources import SegmentSource
from mapt_bench.labels import Video
from mapt_bench.stress import Stress
from mapt_bench.tracking.archive import SegmentArchive, write_archive

__all__ = ["archive_path", "find_segments", "noticed_by_segments"]


def noticed_by_segments(source: SegmentSource, stress: Stress | None) -> Stress | None:
    """Return what segments notice of a stress: nothing if only images change and they need none."""
    if stress is not None and stress.entry.needs_images and not source.needs_images:
        return None
    return stress


def archive_path(
    folder: Path, source: SegmentSource, sequence: int, video: str, stress: Stress | None
) -> Path:
    """Return where the segments of a video under a stress lie."""
    place = folder / "segments" / source.name
    noticed = noticed_by_segments(source, stress)
    if noticed is not None:
        place /= f"{noticed.name}-{noticed.level}"
    return place / f"{sequence:04d}-{video}.npz"


def find_segments(
    path: Path, source: SegmentSource, video: Video, sequence: int, seed: int, *, key: str
) -> None:
    """Make the segments of every frame of a video and write their archive.

    An archive that is there is kept if it can be read and has the same key.

    Args:
        path: Of the archive.
        source: Where they come from.
        video: The video, under stress or not.
        sequence: Its position in the data.
        seed: Of segment order and noise.
        key: Content key of the segments: the code that makes them, their source, the data, the
            stress, the seed.

    Raises:
        DataError: If there are no segments for the video, or they cannot be written.
    """
    if _has_key(path, key):
        return
    segmenter = source.segmenter(video, sequence, seed)
    segmenter.start(video.info)
    found = (segmenter.segment(video.frame(index)) for index in range(video.info.frame_count))
    write_archive(path, video.info, found, key=key)


def _has_key(path: Path, key: str) -> bool:
    if not path.exists():
        return False
    try:
        return SegmentArchive(path).key == key
    except DataError:
        return False
