"""Comparison pictures of one video: ground truth and predictions, over chosen frames."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import DataError, whole_number
from mapt_bench.labels import PanopticMap, Video
from mapt_bench.metrics import count_overlap
from mapt_bench.metrics.track_table import TrackTable, match_tracks
from mapt_bench.pictures._painting import (
    Page,
    Section,
    SwitchMark,
    bounds,
    draw_timeline,
    paint,
)
from mapt_bench.pictures.track_colors import (
    Color,
    Palette,
    identity_color,
)

__all__ = ["Prediction", "VideoComparison"]

_GAP, _TITLE = 6, 24
_STRIP_WIDTH, _ANIMATION_WIDTH = 2560, 960
_CELL_WIDTHS = (320, 640)
_FEW_FRAMES = 2
"""Frames of a strip that leave room for the name of the row above each."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """Prediction for one video.

    Attributes:
        title: Title of its row.
        read: Returns the map of the frame at a position of the video.
        tracks: Tracks of the whole video with their matches, which give identities their colours.
            ``None`` takes those of the frames that are shown.
    """

    title: str
    read: Callable[[int], PanopticMap]
    tracks: TrackTable | None = None


@dataclass(frozen=True)
class _Row:
    title: str
    read: Callable[[int], PanopticMap]
    color: Callable[[int], Color]
    table: TrackTable | None
    is_ground_truth: bool


@dataclass(frozen=True)
class VideoComparison:
    """Chosen frames of one video with ground truth and predictions.

    Without ground truth, each prediction is shown with its own identities.

    Attributes:
        video: Video with images, ground truth, or both.
        predictions: Predictions for the same frames at the same size.
        frames: Positions in the video, ascending. At least one.
        scale: Size of the pictures relative to the frames. ``None`` to fit the page.
        focus: Code of a ground-truth object. Pictures show its surroundings at a fixed size, with
            a box around its place in the ground truth. ``None`` for whole frames.

    Raises:
        DataError: If there is neither ground truth nor a prediction.
    """

    video: Video
    predictions: Sequence[Prediction]
    frames: Sequence[int]
    scale: float | None = None
    focus: int | None = None

    def __post_init__(self) -> None:
        if not self.video.has_truth and not self.predictions:
            raise DataError(
                "has images but no panoptic maps; expected ground truth or predictions; add "
                "panoptic_maps, or give predictions with --pred",
                where=self.video.info.name,
            )

    @cached_property
    def tables(self) -> tuple[TrackTable, ...]:
        """Tracks of each prediction. Without predictions, tracks of the ground truth.

        Identity switches are counted between the shown frames, also across gaps.
        """
        return tuple(row.table for row in self._rows if row.table is not None)

    @cached_property
    def _rows(self) -> tuple[_Row, ...]:
        rows = []
        if self.video.has_truth:
            own = None if self.predictions else self._match(self.video.truth, self.video.truth)
            rows.append(_Row("Ground truth", self.video.truth, identity_color, own, True))
        for prediction in self.predictions:
            reference = self.video.truth if self.video.has_truth else prediction.read
            table = self._match(reference, prediction.read)
            color = (
                Palette(prediction.tracks or table).color
                if self.video.has_truth
                else identity_color
            )
            rows.append(_Row(prediction.title, prediction.read, color, table, False))
        return tuple(rows)

    def _match(
        self, gt: Callable[[int], PanopticMap], pred: Callable[[int], PanopticMap]
    ) -> TrackTable:
        labels = self.video.info.labels
        overlaps = [count_overlap(gt(index), pred(index), labels) for index in self.frames]
        return match_tracks(overlaps, labels)

    def strip(self) -> NDArray[np.uint8]:
        """Return all frames on one page: one row for the ground truth and for each prediction.

        Returns:
            ``uint8`` RGB of shape ``(height, width, 3)``.
        """
        across = len(self.frames)
        height, width = self._cell(_STRIP_WIDTH // across)
        sheet = Page(
            across * (width + _GAP) + _GAP, len(self._rows) * (height + _TITLE + _GAP) + _GAP
        )
        for column in range(across):
            for line, row in enumerate(self._rows):
                x, y = _GAP + column * (width + _GAP), line * (height + _TITLE + _GAP) + _GAP
                caption = f"frame {self._frame_name(column)}"
                has_title = column == 0 or across <= _FEW_FRAMES
                title = f"{row.title}, {caption}" if has_title else caption
                sheet.text(x, y + _TITLE / 2 - 1, title, size=15)
                sheet.paste(x, y + _TITLE, self._painted(row, column, (height, width)))
        return sheet.pixels()

    def animation(self) -> Iterator[NDArray[np.uint8]]:
        """Yield one page per frame: the ground truth above the predictions.

        Yields:
            ``uint8`` RGB of shape ``(height, width, 3)``, all of one size.
        """
        height, width = self._cell(_ANIMATION_WIDTH)
        for column in range(len(self.frames)):
            sheet = Page(width + 2 * _GAP, len(self._rows) * (height + _TITLE + _GAP) + _GAP)
            for line, row in enumerate(self._rows):
                y = line * (height + _TITLE + _GAP) + _GAP
                caption = f"{row.title}, frame {self._frame_name(column)}"
                sheet.text(_GAP, y + _TITLE / 2 - 1, caption, size=15)
                sheet.paste(_GAP, y + _TITLE, self._painted(row, column, (height, width)))
            yield sheet.pixels()

    def timeline(self, tracks: Sequence[int] | None = None) -> NDArray[np.uint8]:
        """Return the tracks over frames as a picture, see :func:`draw_timeline`.

        Args:
            tracks: Rows of :attr:`tables` to show, in this order. ``None`` for all.
        """
        info = self.video.info
        sections = [
            Section(
                f"{info.name}: {row.title}",
                row.table if tracks is None else row.table.selected(tracks),
                row.color,
                summarized=self.video.has_truth and not row.is_ground_truth,
            )
            for row in self._rows
            if row.table is not None
        ]
        return draw_timeline(
            sections, info.labels, [info.frame_names[index] for index in self.frames]
        )

    def _frame_name(self, column: int) -> str:
        name = self.video.info.frame_names[self.frames[column]]
        number = whole_number(name)
        return name if number is None else str(number)

    def _cell(self, room: int) -> tuple[int, int]:
        """Return height and width of one picture. Small frames are enlarged by an integer."""
        if self.focus is not None:
            width = self._window[1].stop - self._window[1].start
            return round(_FOCUS_WIDTH * (self._window[0].stop - self._window[0].start) / width), (
                _FOCUS_WIDTH
            )
        info = self.video.info
        scale = self.scale
        if scale is None:
            least, most = _CELL_WIDTHS
            target = min(max(room, least), most if room < _ANIMATION_WIDTH else _ANIMATION_WIDTH)
            enlarged = max(min(target, most) // info.width, 1)
            scale = enlarged if info.width <= target else target / info.width
        return max(round(info.height * scale), 1), max(round(info.width * scale), 1)

    @cached_property
    def _window(self) -> tuple[slice, slice]:
        """Rows and columns that pictures show: the whole frame, or the surroundings of the focus.

        The window is at least a third of the frame wide, and half as high as wide.
        """
        height, width = self.video.info.height, self.video.info.width
        boxes = [box for index in self.frames if (box := self._box(index)) is not None]
        if not boxes:
            return slice(0, height), slice(0, width)
        top, left = (min(box[axis].start for box in boxes) for axis in (0, 1))
        bottom, right = (max(box[axis].stop for box in boxes) for axis in (0, 1))
        across = min(width, max(width // 3, 2 * (right - left), 4 * (bottom - top)))
        down = min(height, max(across // 2, bottom - top))
        first_row = min(max((top + bottom - down) // 2, 0), height - down)
        first_column = min(max((left + right - across) // 2, 0), width - across)
        return slice(first_row, first_row + down), slice(first_column, first_column + across)

    def _box(self, index: int) -> tuple[slice, slice] | None:
        """Return rows and columns of the focus in a frame, ``None`` if it is not there."""
        if self.focus is None or not self.video.has_truth:
            return None
        mask = self.video.truth(index).codes == self.focus
        return bounds(mask) if mask.any() else None

    def _painted(self, row: _Row, column: int, size: tuple[int, int]) -> NDArray[np.uint8]:
        info, index = self.video.info, self.frames[column]
        codes = row.read(index).codes[self._window]
        image = self.video.frame(index).image[self._window] if info.has_images else None
        painted = paint(
            _nearest(codes, size),
            info.labels,
            row.color,
            image=None if image is None else _resized(image, size),
            zero_is_crowd=row.is_ground_truth,
            marks=_marks(row, column),
        )
        box = self._box(index)
        if box is not None:
            _frame(painted, box, self._window)
        return painted


_FOCUS_WIDTH = 480
"""Width of a picture of the surroundings of an object, in pixels."""


def _frame(
    picture: NDArray[np.uint8], box: tuple[slice, slice], window: tuple[slice, slice]
) -> None:
    """Draw a thin double box around a place, with some distance. Changes the picture."""
    edges = []
    for place, shown, length in zip(box, window, picture.shape, strict=False):
        scale = length / (shown.stop - shown.start)
        edges.append(
            (
                max(round((place.start - shown.start) * scale) - _BOX_MARGIN, 0),
                min(round((place.stop - shown.start) * scale) + _BOX_MARGIN, length - 1),
            )
        )
    for inset, value in ((0, 0), (1, 255), (2, 0)):
        (top, bottom), (left, right) = ((low + inset, high - inset) for low, high in edges)
        picture[[top, bottom], left : right + 1] = value
        picture[top : bottom + 1, [left, right]] = value


_BOX_MARGIN = 6


def _marks(row: _Row, column: int) -> list[SwitchMark]:
    if row.table is None:
        return []
    table = row.table
    return [
        SwitchMark(
            code=int(table.partner[track, column]),
            before=row.color(int(table.before[track, column])),
            after=row.color(int(table.partner[track, column])),
        )
        for track in np.flatnonzero(table.switched[:, column])
    ]


def _nearest(codes: NDArray[np.uint32], size: tuple[int, int]) -> NDArray[np.uint32]:
    rows, columns = (
        (np.arange(wanted) * 2 + 1) * given // (2 * wanted)
        for wanted, given in zip(size, codes.shape, strict=True)
    )
    picked: NDArray[np.uint32] = codes[rows[:, None], columns]
    return picked


def _resized(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    from PIL import Image

    if image.shape[:2] == size:
        return image
    resized = Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.LANCZOS)
    return np.asarray(resized, dtype=np.uint8)
