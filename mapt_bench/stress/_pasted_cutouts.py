"""Cut-outs of other things that move along with a thing and hide a share of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import ID_BITS, ID_LIMIT, AnnotatedVideo, Frame, Video
from mapt_bench.stress.catalog import Stress
from mapt_bench.stress.occlusion import VOID, Patch
from mapt_bench.stress.tracked_things import Box, Spell, Survey, Track, choose_spells, survey

__all__ = ["Cutout", "Pasted", "Placing", "cut_out", "pasted", "place"]

_BISECTIONS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """A thing without its surroundings.

    Attributes:
        mask: Its silhouette without holes, ``bool`` of shape ``(h, w)``.
        frame: Source of its image, read when it is first painted.
        top: Row of its first row in the frame.
        left: Column of its first column in the frame.
        is_mirrored: Whether it is mirrored horizontally.
    """

    mask: NDArray[np.bool_]
    frame: Frame
    top: int
    left: int
    is_mirrored: bool

    def scaled(self, scale: float) -> NDArray[np.bool_]:
        """Return the silhouette at another size, at least one pixel in each direction."""
        height, width = (max(1, round(side * scale)) for side in self.mask.shape)
        plain = self.mask.astype(np.uint8)
        return cv2.resize(plain, (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)

    def painted(self, height: int, width: int) -> NDArray[np.uint8]:
        """Return its image at another size, ``uint8`` RGB of shape ``(height, width, 3)``.

        Raises:
            DataError: If the video has no images.
        """
        rows, columns = self.mask.shape
        image = self.frame.image[self.top : self.top + rows, self.left : self.left + columns]
        if self.is_mirrored:
            image = image[:, ::-1]
        how = cv2.INTER_AREA if height < rows else cv2.INTER_LINEAR
        resized = cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=how)
        return np.asarray(resized, dtype=np.uint8)

    def depth_inside(self) -> tuple[float, tuple[int, int]]:
        """Return the radius of the largest circle inside, and its centre as (row, column)."""
        padded = np.pad(self.mask, 1).astype(np.uint8)
        distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
        row, column = np.unravel_index(int(distance.argmax()), distance.shape)
        return float(distance.max()), (int(row), int(column))


def cut_out(video: Video, code: int, index: int, box: Box, *, mirror: bool) -> Cutout:
    """Cut a thing out of a frame: its largest piece, with holes filled.

    Args:
        video: A video with ground truth.
        code: The thing.
        index: The frame.
        box: Box of the thing in the frame.
        mirror: Whether to mirror it horizontally.
    """
    place_of = np.s_[box.top : box.bottom, box.left : box.right]
    pixels = (video.truth(index).codes[place_of] == code).astype(np.uint8)
    outlines, _ = cv2.findContours(pixels, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(outlines, key=cv2.contourArea)
    left, top, width, height = cv2.boundingRect(largest)
    filled = np.zeros_like(pixels)
    cv2.drawContours(filled, [largest], -1, 1, thickness=-1)
    mask = filled[top : top + height, left : left + width].astype(bool)
    return Cutout(
        mask=np.ascontiguousarray(mask[:, ::-1]) if mirror else mask,
        frame=video.frame(index),
        top=box.top + top,
        left=box.left + left,
        is_mirrored=mirror,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Placing:
    """Position of a cut-out over a thing.

    Attributes:
        top: Its first row, relative to the thing's box.
        left: Its first column, relative to the thing's box.
        mask: Its silhouette at its size.
        share: Share of the thing that it covers, 0..1.
    """

    top: int
    left: int
    mask: NDArray[np.bool_]
    share: float


def place(cutout: Cutout, thing: NDArray[np.bool_], share: float) -> Placing:
    """Place a cut-out over the middle of a thing, scaled so that it covers a share of it.

    Args:
        cutout: The cut-out.
        thing: The silhouette of the thing in its box.
        share: Share of the thing to cover, 0..1.
    """
    radius, inmost = cutout.depth_inside()
    # At this size the largest circle inside the cut-out contains the whole box.
    low, high = 0.0, (float(np.hypot(*thing.shape)) / 2 + 2) / max(radius - 0.5, 0.5)
    best = _laid(cutout, thing, high, inmost)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        tried = _laid(cutout, thing, middle, inmost)
        if abs(tried.share - share) <= abs(best.share - share):
            best = tried
        low, high = (low, middle) if tried.share >= share else (middle, high)
    return best


def _laid(
    cutout: Cutout, thing: NDArray[np.bool_], scale: float, inmost: tuple[int, int]
) -> Placing:
    mask = cutout.scaled(scale)
    top, left = (
        round((side - 1) / 2 - (place + 0.5) * scale + 0.5)
        for side, place in zip(thing.shape, inmost, strict=True)
    )
    return Placing(top, left, mask, _share(thing, mask, top, left))


def _share(thing: NDArray[np.bool_], mask: NDArray[np.bool_], top: int, left: int) -> float:
    first_row, first_column = max(0, top), max(0, left)
    last_row = min(thing.shape[0], top + mask.shape[0])
    last_column = min(thing.shape[1], left + mask.shape[1])
    if first_row >= last_row or first_column >= last_column:
        return 0.0
    part = thing[first_row:last_row, first_column:last_column]
    over = mask[first_row - top : last_row - top, first_column - left : last_column - left]
    return int(np.count_nonzero(part & over)) / int(np.count_nonzero(thing))


_LONGEST = 8  # frames
_AROUND = 0.3  # of a thing's size: about how far its cut-out reaches beyond it
_TOUCHED = 0.05  # of another thing's box: its own covered share hardly changes
_DONORS = 3
_REMEMBERED = 4  # frames: image, ground truth and visibility use the same one


@dataclass(frozen=True, slots=True)
class Paste:
    """One cut-out that moves along with a thing.

    Attributes:
        spell: The thing that it covers, and the frames.
        donor: Code of the thing that was cut out.
        donor_frame: Frame of the cut-out.
        mirror: Whether it is mirrored horizontally.
        code: Code of its pixels in the ground truth.
        look_alike: Group of look-alikes of the donor; 0 for none.
    """

    spell: Spell
    donor: int
    donor_frame: int
    mirror: bool
    code: int
    look_alike: int


@dataclass(frozen=True)
class Pasted:
    """Cut-outs in front of a video.

    Attributes:
        video: The video that they are cut from and pasted into.
        share: Share of its thing that each covers, 0..1.
        pastes: The cut-outs.
        label: See :class:`~mapt_bench.stress.occlusion.Occluder`.
    """

    video: Video
    share: float
    pastes: tuple[Paste, ...]
    label: str
    _drawn: dict[int, tuple[Patch, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _cutouts: dict[int, Cutout] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __getstate__(self) -> dict[str, object]:
        """Return the state without caches."""
        return {**self.__dict__, "_drawn": {}, "_cutouts": {}}

    @property
    def is_tracked(self) -> bool:
        """Whether the cut-outs are things of the ground truth."""
        return self.label != VOID

    def patches(self, index: int) -> Sequence[Patch]:
        """Return the cut-outs in front of a frame."""
        if index not in self._drawn:
            if len(self._drawn) >= _REMEMBERED:
                self._drawn.pop(next(iter(self._drawn)))
            self._drawn[index] = tuple(self._patches(index))
        return self._drawn[index]

    def _patches(self, index: int) -> Iterator[Patch]:
        pastes = [
            (number, paste)
            for number, paste in enumerate(self.pastes)
            if paste.spell.start <= index < paste.spell.stop
        ]
        if not pastes:
            return
        codes = self.video.truth(index).codes
        tracks = survey(self.video).tracks
        for number, paste in pastes:
            box = tracks[paste.spell.code][index]
            thing = codes[box.top : box.bottom, box.left : box.right] == paste.spell.code
            cutout = self._cutout(number)
            placing = place(cutout, thing, self.share)
            yield Patch(
                box.top + placing.top,
                box.left + placing.left,
                placing.mask,
                paste.code,
                partial(cutout.painted, *placing.mask.shape),
                paste.look_alike,
            )

    def _cutout(self, number: int) -> Cutout:
        if number not in self._cutouts:
            paste = self.pastes[number]
            box = survey(self.video).tracks[paste.donor][paste.donor_frame]
            self._cutouts[number] = cut_out(
                self.video, paste.donor, paste.donor_frame, box, mirror=paste.mirror
            )
        return self._cutouts[number]


def pasted(video: Video, stress: Stress) -> Pasted:
    """Paste cut-outs over as many things as possible, each for half of its visible frames.

    In an annotated synthetic video the cut-outs are tracked things of the donor's class, with
    identities of their own. In front of recorded frames they are void.

    Raises:
        DataError: If the video has no ground truth.
    """
    found = survey(video)
    generator = stress.generator(video.info.name)
    looks = {
        code: (bool(generator.integers(2)), generator.random()) for code in sorted(found.tracks)
    }

    spells = choose_spells(found, _half_of_its_time, _reach, generator, touched=_TOUCHED)
    is_known = isinstance(video, AnnotatedVideo)
    first_id = max((code & (ID_LIMIT - 1) for code in found.tracks), default=0) + 1
    pastes = []
    for number, spell in enumerate(spells):
        mirror, choice = looks[spell.code]
        donor = _donor(found, spell.code, choice)
        frame = _best_view(found.tracks[donor], video)
        class_id = donor >> ID_BITS
        pastes.append(
            Paste(
                spell=spell,
                donor=donor,
                donor_frame=frame,
                mirror=mirror,
                code=class_id << ID_BITS | first_id + number
                if is_known
                else video.info.labels.ignore_label << ID_BITS,
                look_alike=_look_alike(video, donor, frame),
            )
        )
    classes = {video.info.labels.by_id(paste.code >> ID_BITS).name for paste in pastes if is_known}
    label = ", ".join(sorted(classes)) or VOID
    return Pasted(video, stress.value / 100, tuple(pastes), label)


def _half_of_its_time(track: Track) -> int:
    return max(1, min(_LONGEST, len(track) // 2))


def _reach(spell: Spell, track: Track) -> dict[int, Box]:
    """Return approximately the rectangles that a cut-out over a thing can hide."""
    boxes = ((frame, track[frame]) for frame in range(spell.start, spell.stop))
    return {frame: box.grown(_AROUND * box.width, _AROUND * box.height) for frame, box in boxes}


def _donor(found: Survey, code: int, choice: float) -> int:
    """Choose one of the largest other things, of the same class if possible."""
    others = [other for other in sorted(found.tracks) if other != code]
    alike = [other for other in others if other >> ID_BITS == code >> ID_BITS]
    largest = sorted(
        alike or others or [code],
        key=lambda other: -max(box.area for box in found.tracks[other].values()),
    )[:_DONORS]
    return largest[int(choice * len(largest))]


def _best_view(track: Track, video: Video) -> int:
    """Return the frame in which a thing is largest, entirely inside the frame if possible."""
    height, width = video.info.height, video.info.width

    def rank(index: int) -> tuple[bool, int]:
        box = track[index]
        inside = box.top > 0 and box.left > 0 and box.bottom < height and box.right < width
        return inside, box.area

    return max(track, key=rank)


def _look_alike(video: Video, code: int, index: int) -> int:
    if not isinstance(video, AnnotatedVideo):
        return 0
    groups = {entry.code: entry.look_alike for entry in video.objects(index)}
    return groups.get(code, 0)
