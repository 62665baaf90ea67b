"""Hand-crafted appearance: histograms of the colours and gradient directions of a segment."""

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import DataError
from mapt_bench.labels import Frame, VideoInfo
from mapt_bench.tracking import FrameSegments
from mapt_bench.tracking.masks import segment_boxes
from mapt_bench.tracking.sharing import NOTHING_SHARED, Share, SharedEmbedder
from mapt_bench.tracking.two_step import Embedder

__all__ = [
    "HistogramEmbedder",
    "SegmentAppearance",
    "running_mean",
]

_LIGHTNESS_BINS = 8
_COLOR_BINS = 6
_DIRECTION_BINS = 8
_COLOR_REACH = 48.0
_MAX_PIXELS = 2048


_Slopes = NDArray[np.floating]


class HistogramEmbedder:
    """Colour and texture histograms of the upper and the lower half of each segment.

    Per half: lightness (8 bins), the two colour axes of CIE Lab jointly (6 x 6 bins over the
    middle of their range, where street scenes lie) and gradient directions weighted by their
    strength (8 bins). Values are shared between neighbouring bins, so that small changes of light
    make small changes. Each histogram is normalised and its root taken, so that the dot product
    of two embeddings is the mean Bhattacharyya coefficient of their histograms: 1 for equal
    segments, 0 where nothing is shared. Only pixels of the segment itself count; of large segments
    a regular sample of about 2,000.
    """

    needs_images = True

    dims = 2 * (_LIGHTNESS_BINS + _COLOR_BINS**2 + _DIRECTION_BINS)
    """Length of an embedding."""

    def start(self, info: VideoInfo) -> None:
        """Nothing to prepare."""

    def embed(self, frame: Frame, segments: FrameSegments) -> NDArray[np.float32]:
        """Describe each segment.

        Returns:
            ``float32`` of shape ``(n, dims)``, rows of unit length (zeros without pixels).

        Raises:
            DataError: If the frame has no image, or one of another size than its segments.
        """
        image = frame.image
        if image.shape[:2] != segments.shape:
            raise DataError(
                f"image has {image.shape[:2]} pixels (height, width), its segments "
                f"{segments.shape}; they must agree",
                where=frame.name,
            )
        embeddings = np.zeros((segments.count, self.dims), dtype=np.float32)
        for k, box in enumerate(segment_boxes(segments.index_map, segments.count).astype(int)):
            left, top, right, bottom = box
            if right > left:
                # One pixel around the box, so that gradients at its edge are true ones.
                rows = slice(max(0, top - 1), bottom + 1)
                columns = slice(max(0, left - 1), right + 1)
                mask = segments.index_map[rows, columns] == k
                embeddings[k] = _describe(image[rows, columns], mask)
        return embeddings


def _describe(patch: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    import cv2

    lab = np.asarray(cv2.cvtColor(patch, cv2.COLOR_RGB2LAB), dtype=np.float32)
    down, right = _slopes(lab[..., 0])
    y, x = np.nonzero(mask)
    step = max(1, len(y) // _MAX_PIXELS)
    y, x = y[::step], x[::step]
    middle = np.median(y)
    halves: list[NDArray[np.float64]] = []
    for half in (y <= middle, y > middle):
        rows, columns = y[half], x[half]
        if not len(rows):  # a segment one pixel high has no lower half: it is like its upper one
            halves.append(halves[0])
            continue
        color = lab[rows, columns]
        slope = np.hypot(down[rows, columns], right[rows, columns])
        direction = np.arctan2(down[rows, columns], right[rows, columns]) % np.pi
        halves.append(
            np.concatenate(
                [
                    _lightness_histogram(color[:, 0]),
                    _color_histogram(color[:, 1:]),
                    _direction_histogram(direction, slope),
                ]
            )
        )
    embedding = np.sqrt(np.concatenate(halves))
    return np.asarray(embedding / np.linalg.norm(embedding), dtype=np.float32)


def _slopes(lightness: NDArray[np.float32]) -> tuple[_Slopes, _Slopes]:
    """Change of lightness downwards and to the right, by central differences."""
    framed = np.pad(lightness, 1, mode="edge")
    down = (framed[2:, 1:-1] - framed[:-2, 1:-1]) / 2
    right = (framed[1:-1, 2:] - framed[1:-1, :-2]) / 2
    return down, right


def _normalised(histogram: NDArray[np.floating | np.integer]) -> NDArray[np.float64]:
    total = float(histogram.sum())
    if total <= 0:  # a flat patch has no gradients: no direction is likelier than another
        return np.full(len(histogram), 1 / len(histogram))
    return np.asarray(histogram / total, dtype=np.float64)


def _shared(position: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Lower bin of each value, and the share that belongs to the bin above."""
    lower = np.floor(position).astype(np.int64)
    return lower, position - lower


def _lightness_histogram(lightness: NDArray[np.float32]) -> NDArray[np.float64]:
    lower, above = _shared(lightness * np.float32((_LIGHTNESS_BINS - 1) / 255))
    histogram = np.bincount(lower, 1 - above, _LIGHTNESS_BINS + 1)
    histogram += np.bincount(lower + 1, above, _LIGHTNESS_BINS + 1)
    return _normalised(histogram[:_LIGHTNESS_BINS])


def _color_histogram(axes: NDArray[np.float32]) -> NDArray[np.float64]:
    reach = np.clip((axes - 128) / _COLOR_REACH, -1, 1)
    lower, above = _shared((reach + 1) / 2 * np.float32(_COLOR_BINS - 1))
    side = _COLOR_BINS + 1
    histogram = np.zeros(side * side)
    for a in (0, 1):
        for b in (0, 1):
            share_a = above[:, 0] if a else 1 - above[:, 0]
            share_b = above[:, 1] if b else 1 - above[:, 1]
            bins = (lower[:, 0] + a) * side + lower[:, 1] + b
            histogram += np.bincount(bins, share_a * share_b, side * side)
    return _normalised(histogram.reshape(side, side)[:_COLOR_BINS, :_COLOR_BINS].ravel())


def _direction_histogram(
    direction: NDArray[np.floating], slope: NDArray[np.floating]
) -> NDArray[np.float64]:
    lower, above = _shared(direction * np.float32(_DIRECTION_BINS / np.pi))
    histogram = np.bincount(lower % _DIRECTION_BINS, slope * (1 - above), _DIRECTION_BINS)
    histogram += np.bincount((lower + 1) % _DIRECTION_BINS, slope * above, _DIRECTION_BINS)
    return _normalised(histogram)


def shared_histograms(share: Share) -> Embedder:
    """Return an embedder that describes each frame once for all trackers of a video.

    Args:
        share: Cache of the work of these trackers.
    """
    return SharedEmbedder(HistogramEmbedder(), "histograms", share)


class SegmentAppearance:
    """Appearance of segments: the embeddings that they carry, else histograms.

    MAPT's segments carry its learned embeddings. All others are described by
    :class:`HistogramEmbedder`, like those of the tracker ``appearance``.

    Args:
        share: Cache of the work that trackers of a video have in common.
    """

    def __init__(self, share: Share = NOTHING_SHARED) -> None:
        self._histograms = shared_histograms(share)

    def describe(self, frame: Frame, segments: FrameSegments) -> tuple[NDArray[np.float64], bool]:
        """Return one unit-length row a segment, and whether the embeddings are learned.

        Returns:
            ``float64`` of shape ``(n, dims)``.

        Raises:
            DataError: If histograms are needed and the frame has no image.
        """
        if segments.embeddings is not None:
            return segments.embeddings.astype(np.float64), True
        return self._histograms.embed(frame, segments).astype(np.float64), False


def running_mean(
    old: NDArray[np.float64], new: NDArray[np.float64], kept: float
) -> NDArray[np.float64]:
    """Return the mean of two embeddings, of unit length.

    Args:
        old: Mean so far, ``(dims,)``.
        new: Embedding that is added, ``(dims,)``.
        kept: Share of the old mean, in ``[0, 1]``.
    """
    mean = kept * old + (1 - kept) * new
    return mean / max(float(np.linalg.norm(mean)), 1e-9)
