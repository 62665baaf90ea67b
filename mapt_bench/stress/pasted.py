"""Cut-outs of other things that keep abreast of a thing and hide a share of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from mapt_bench.labels import ID_BITS, ID_LIMIT, AnnotatedVideo, Video
from mapt_bench.stress.catalog import Stress
from mapt_bench.stress.cutouts import Cutout, cut_out, place
from mapt_bench.stress.dice import dice
from mapt_bench.stress.occluder_class import VOID
from mapt_bench.stress.patch import Patch
from mapt_bench.stress.spells import Spell, Track, choose_spells
from mapt_bench.stress.survey import Box, Survey, survey

__all__ = ["Pasted", "pasted"]

_LONGEST = 8  # frames
_AROUND = 0.3  # of a thing's size: how far beyond it its cut-out reaches, more or less
_TOUCHED = 0.05  # of another thing's box: its own share stays what it is
_DONORS = 3
_REMEMBERED = 4  # frames: image, truth and visibility ask for the same one


@dataclass(frozen=True, slots=True)
class Paste:
    """One cut-out on its way.

    Attributes:
        spell: Whom it covers, and when.
        donor: Whose cut-out it is.
        donor_frame: Of which frame.
        mirror: Whether left is right.
        code: Of its pixels in the truth.
        look_alike: Group of look-alikes of the donor, 0 for none.
    """

    spell: Spell
    donor: int
    donor_frame: int
    mirror: bool
    code: int
    look_alike: int


@dataclass(frozen=True)
class Pasted:
    """Cut-outs before a video.

    Attributes:
        video: Where they come from and go to.
        share: Which share of its thing each covers, 0..1.
        pastes: The cut-outs.
        label: See :class:`~mapt_bench.stress.patch.Occluder`.
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
        """Leave out what is only remembered."""
        return {**self.__dict__, "_drawn": {}, "_cutouts": {}}

    @property
    def is_tracked(self) -> bool:
        """Whether the cut-outs are things of the truth."""
        return self.label != VOID

    def patches(self, index: int) -> Sequence[Patch]:
        """Return the cut-outs before a frame."""
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
    """Paste cut-outs over as many things as have room, each for half of the time it is seen.

    In a known video the cut-outs are tracked things of the donor's class, with identities of their
    own; in front of recorded frames they are void.

    Raises:
        DataError: If the video has no truth.
    """
    found = survey(video)
    generator = dice(stress, video.info.name)
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
    """Return about what a cut-out over a thing can hide."""
    boxes = ((frame, track[frame]) for frame in range(spell.start, spell.stop))
    return {frame: box.grown(_AROUND * box.width, _AROUND * box.height) for frame, box in boxes}


def _donor(found: Survey, code: int, choice: float) -> int:
    """Choose among the largest other things, of the same class if there are any."""
    others = [other for other in sorted(found.tracks) if other != code]
    alike = [other for other in others if other >> ID_BITS == code >> ID_BITS]
    largest = sorted(
        alike or others or [code],
        key=lambda other: -max(box.area for box in found.tracks[other].values()),
    )[:_DONORS]
    return largest[int(choice * len(largest))]


def _best_view(track: Track, video: Video) -> int:
    """Return the frame in which a thing is largest, whole in the frame if it ever is."""
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
