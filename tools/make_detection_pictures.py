"""Draw good, typical and bad detections from runs of ``ablate``, for the documentation.

python tools/make_detection_pictures.py runs/seed0 runs/shift0
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import ID_LIMIT, Video
from mapt_bench.pictures._painting import Page, paint
from mapt_bench.pictures.track_colors import identity_color
from mapt_bench.synthetic.suites import open_suite
from mapt_bench.tracking.archive import SegmentArchive
from mapt_bench.tracking.oracle_steps import true_tracks

_PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
_ROW = "mapt+memory"
_SHARES = {"good": 0.95, "typical": 0.5, "bad": 0.05}
"""Sequences that are shown: this share of all sequences has a lower PQ."""
_TITLE, _GAP = 24, 8
_UNMATCHED = 900  # identities of detections that match no object


def main(folders: Sequence[str]) -> None:
    """Write a picture for each run: image, detections and ground truth of three frames."""
    for folder in map(Path, folders):
        result = json.loads((folder / "results.json").read_text())
        suite = open_suite(result["provenance"]["data"]["suite"]["name"])
        (cell,) = (
            cell
            for cell in result["cells"]
            if cell["variant"] == _ROW and cell["segments"] != "groundtruth"
        )
        names = [video.info.name for video in suite.videos]
        quality = {name: scores["PQ"] for name, scores in cell["per_sequence"].items()}
        ordered = sorted(quality, key=quality.__getitem__)
        rows = []
        for word, share in _SHARES.items():
            name = ordered[round(share * (len(ordered) - 1))]
            position = names.index(name)
            archive = folder / "segments" / cell["segments"] / f"{position:04d}-{name}.npz"
            title = f"{word}: {name}, PQ of the sequence {100 * quality[name]:.1f}"
            rows.append(_row(suite.videos[position], archive, title))
        sheet = np.concatenate(rows, axis=0)
        path = _PICTURES / f"detections_{suite.name}.jpg"
        cv2.imwrite(str(path), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])


def _row(video: Video, archive: Path, title: str) -> NDArray[np.uint8]:
    """Return the middle frame of a video. A detection has the colour of the object it matches."""
    index = video.info.frame_count // 2
    image, truth, labels = video.frame(index).image, video.truth(index), video.info.labels
    segments = SegmentArchive(archive).read(index)
    tracks = true_tracks(truth, segments, labels.is_thing_table, video.info.name)
    ids = np.array(
        [tracks[k] % ID_LIMIT if k in tracks else _UNMATCHED + k for k in range(segments.count)],
        dtype=np.int64,
    )
    found = segments.compose(ids, labels).codes
    height, width = image.shape[:2]
    sheet = Page(3 * width + 2 * _GAP, _TITLE + height + _GAP)
    sheet.text(0, _TITLE / 2, f"{title}. Frame {index}: image, detections, ground truth.", size=14)
    drawn = (
        image,
        paint(found, labels, _colour, image=image),
        paint(truth.codes, labels, _colour, image=image, zero_is_crowd=True),
    )
    for column, picture in enumerate(drawn):
        sheet.paste(column * (width + _GAP), _TITLE, picture)
    return sheet.pixels()


def _colour(code: int) -> tuple[int, int, int]:
    """Return a colour by the identity alone: a detection of another class keeps it."""
    return identity_color(code % ID_LIMIT)


if __name__ == "__main__":
    main(sys.argv[1:])
