"""What a segmenter finds in one frame: things without identity, and the stuff around them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import DataError
from mapt_bench.labels import LabelSpace, PanopticMap

__all__ = ["FrameCues", "FrameSegments"]


@dataclass(frozen=True, eq=False)
class FrameCues:
    """What a network saw in a frame that links it with others, so that it need not look again.

    Attributes:
        source: Which network: cues of another mean nothing to it.
        features: ``float16`` of shape ``(channels, rows, columns)``: the map that motion is found
            from; without channels where the network finds none.
        descriptors: ``float32`` of shape ``(n, dims)``: what embeddings are made from, one row a
            segment; without columns where the network makes none.
    """

    source: str
    features: NDArray[np.float16]
    descriptors: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FrameSegments:
    """The segments of one frame. Thing segments never overlap.

    Attributes:
        stuff: ``uint8`` of shape ``(height, width)``: class of each pixel outside the thing
            segments, void (``labels.ignore_label``) where there is none or where a thing lies. It
            may be a thing class: pixels known to be of that class, but of no particular object.
        index_map: ``int32`` of the same shape: ``k`` where thing segment ``k`` lies, -1 elsewhere.
        class_ids: ``int64`` of shape ``(n,)``: class of each thing segment.
        scores: ``float64`` of shape ``(n,)`` in ``[0, 1]``: the segmenter's confidence.
        embeddings: ``float32`` of shape ``(n, dims)``, one unit-length row a segment, or ``None``
            where the segmenter gives none.
        cues: What a network keeps of the frame, or ``None`` where the segmenter is no such network.

    Raises:
        DataError: If shapes disagree or the index map names a segment that does not exist.
    """

    stuff: NDArray[np.uint8]
    index_map: NDArray[np.int32]
    class_ids: NDArray[np.int64]
    scores: NDArray[np.float64]
    embeddings: NDArray[np.float32] | None = None
    cues: FrameCues | None = None

    def __post_init__(self) -> None:
        if self.stuff.shape != self.index_map.shape or self.stuff.ndim != 2:
            raise DataError(
                f"stuff {self.stuff.shape} and index map {self.index_map.shape} must be two "
                "arrays of the same shape (height, width)"
            )
        count = len(self.class_ids)
        rows = count if self.embeddings is None else len(self.embeddings)
        if len(self.scores) != count or rows != count:
            raise DataError(
                f"{count} segments, but {len(self.scores)} scores and {rows} embeddings"
            )
        if self.cues is not None and len(self.cues.descriptors) != count:
            raise DataError(f"{count} segments, but {len(self.cues.descriptors)} descriptors")
        if self.index_map.size and not -1 <= self.index_map.min() <= self.index_map.max() < count:
            raise DataError(
                f"index map reaches from {self.index_map.min()} to {self.index_map.max()}, "
                f"but there are {count} segments"
            )

    @property
    def count(self) -> int:
        """Number of thing segments."""
        return len(self.class_ids)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.index_map.shape
        return height, width

    def compose(self, ids: NDArray[np.int64], labels: LabelSpace) -> PanopticMap:
        """Lay segments and stuff into one panoptic map; pixels of no object have identity 0.

        Args:
            ids: ``(n,)`` identity of each thing segment; a negative one drops the segment (its
                pixels become void).
            labels: Gives the void class.
        """
        void = labels.ignore_label
        kept = ids >= 0
        classes = np.append(np.where(kept, self.class_ids, void), void)
        identities = np.append(np.where(kept, ids, 0), 0)
        is_thing = self.index_map >= 0
        return PanopticMap.from_classes_and_ids(
            np.where(is_thing, classes[self.index_map], self.stuff),
            np.where(is_thing, identities[self.index_map], 0),
        )
