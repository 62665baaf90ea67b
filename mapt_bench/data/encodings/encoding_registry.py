"""Registry of encodings: how panoptic maps are stored in files, by name.

To add an encoding, write a class that derives from :class:`FrameEncoding` (one file per frame) or
:class:`Encoding` (any other layout), and decorate it with :func:`register_encoding`::

    @register_encoding
    class MyEncoding(FrameEncoding):
        name = "my-encoding"
        suffixes = frozenset({".png"})
        form = "8-bit RGBA PNG"

        def accepts(self, path): ...
        def size(self, path): ...
        def decode(self, path, size, labels): ...

An encoding of this package is a module beside this one, imported in
``mapt_bench/data/encodings/__init__.py``. Another package names its class or module as an entry
point of the group ``mapt_bench.encodings``.
"""

import importlib.metadata
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from mapt_bench.code_closure import not_followed
from mapt_bench.data.folder_layout import Listing
from mapt_bench.data.object_classes import find_object_classes
from mapt_bench.data.png import PngHeader, png_header
from mapt_bench.data.sequences import Report, StoredSequence, open_frame_files
from mapt_bench.errors import ConfigError, DataError, listed, nearest
from mapt_bench.labels import LabelSpace

__all__ = [
    "ENTRY_POINTS",
    "Encoding",
    "FrameEncoding",
    "Lacks",
    "ObjectEncoding",
    "detect_encoding",
    "encoding_by_name",
    "encoding_names",
    "encoding_suffixes",
    "grey_advice",
    "register_encoding",
    "sampled",
]

ENTRY_POINTS = "mapt_bench.encodings"
"""Group of entry points through which other packages add encodings."""

_SAMPLE = 9  # PNGs read for detection; the majority decides, so one odd file is reported later


@dataclass(frozen=True, slots=True)
class Lacks:
    """What maps cannot state, so that scores which need it are undefined.

    Attributes:
        stuff: Whether the maps label objects only. Their background holds no object.
        classes: Whether the classes of the objects are unknown.
    """

    stuff: bool = False
    classes: bool = False


class Encoding(ABC):
    """One way to store panoptic maps. Objects have no state and must pickle.

    Attributes:
        name: Name for ``--encoding`` and ``dataset.json``, for example ``"kitti-step"``.
        suffixes: Suffixes of its map files, lower case.
        form: Short description of a map file, for messages.
        refines: Name of a more general encoding whose files look the same. Detection asks
            :meth:`recognises` if a folder is of this encoding and not of the general one.
    """

    name: ClassVar[str]
    suffixes: ClassVar[frozenset[str]]
    form: ClassVar[str]
    refines: ClassVar[str | None] = None

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))

    @abstractmethod
    def accepts(self, path: Path) -> bool:
        """Whether a file can be a map of this encoding. Read as little as possible.

        Raises:
            DataError: If the file is damaged.
        """

    def recognises(self, listing: Listing, files: Sequence[Path]) -> bool:
        """Whether a folder is of this encoding and not of the encoding that it refines.

        Args:
            listing: Content of the folder.
            files: Files that the general encoding accepts.

        Raises:
            DataError: If a file that decides it is damaged.
        """
        del listing, files
        return False

    def claims(self, listing: Listing) -> Path | None:
        """Return a file that certainly belongs to a folder and says that it is of this encoding.

        Then a ``dataset.json`` that states the encoding which this one refines is contradicted.

        Args:
            listing: Content of the folder.
        """
        del listing
        return None

    def contradiction(self, listing: Listing, labels: LabelSpace) -> str | None:
        """Return what in the files contradicts a ``dataset.json`` that states this encoding.

        Args:
            listing: Content of the folder.
            labels: Label space.

        Returns:
            The evidence in words. ``None`` if there is none.

        Raises:
            DataError: If no file can be read.
        """
        for other in _encodings().values():
            if other.refines == self.name and (found := other.claims(listing)) is not None:
                return f"{found} says {other.name!r}"
        return None

    def settle(self, listing: Listing, files: Sequence[Path], labels: LabelSpace) -> str:
        """Return the name of the encoding of files that this general encoding accepts.

        Override it if encodings that refine this one are told apart by the values of pixels.

        Args:
            listing: Content of the folder.
            files: A sample of the files.
            labels: Label space.

        Raises:
            DataError: If the files can be of several encodings. The message names them.
        """
        del listing, files, labels
        return self.name

    def lacks(self, listing: Listing, labels: LabelSpace) -> Lacks:
        """Return what the maps of a folder cannot state.

        Args:
            listing: Content of the folder.
            labels: Label space.
        """
        del listing, labels
        return Lacks()

    @abstractmethod
    def open(
        self, listing: Listing, labels: LabelSpace, report: Report
    ) -> tuple[StoredSequence, ...]:
        """Return the sequences of a folder. Read headers only.

        Args:
            listing: Content of the folder.
            labels: Label space.
            report: Receives every unusable file. These files are omitted.
        """


class FrameEncoding(Encoding):
    """An encoding that stores each frame in one file."""

    @abstractmethod
    def size(self, path: Path) -> tuple[int, int]:
        """Return height and width from the file header.

        Raises:
            DataError: If the header is damaged or of another encoding.
        """

    @abstractmethod
    def decode(self, path: Path, size: tuple[int, int], labels: LabelSpace) -> NDArray[np.uint32]:
        """Return the codes ``class << 24 | id``, ``uint32`` of shape ``size``.

        Args:
            path: File of the frame.
            size: Height and width of the sequence.
            labels: Label space.

        Raises:
            DataError: If the file is unusable or has another size.
        """

    def open(
        self, listing: Listing, labels: LabelSpace, report: Report
    ) -> tuple[StoredSequence, ...]:
        """Return one sequence for every folder with frames; see :meth:`Encoding.open`."""
        return open_frame_files(listing, self, labels, report)


class ObjectEncoding(Encoding):
    """An encoding of masks of objects. ``object_classes.yaml`` states their classes."""

    def lacks(self, listing: Listing, labels: LabelSpace) -> Lacks:
        """Return that stuff is lacking, and the classes unless a file states them."""
        return Lacks(stuff=True, classes=not find_object_classes(listing.root, labels).is_known)


_Class = TypeVar("_Class", bound=type[Encoding])

_REGISTERED: dict[str, Encoding] = {}


def register_encoding(encoding: _Class) -> _Class:
    """Add an encoding to the registry. Use it as a decorator of the class.

    Args:
        encoding: Class without arguments.

    Returns:
        The class.

    Raises:
        ConfigError: If another encoding has the name.
    """
    own = encoding()
    other = _REGISTERED.setdefault(own.name, own)
    if type(other) is not encoding:
        raise ConfigError(
            f"two encodings are named {own.name!r}: {_path_of(type(other))} and "
            f"{_path_of(encoding)}; rename one, or uninstall its package"
        )
    return encoding


def _path_of(encoding: type[Encoding]) -> str:
    return f"{encoding.__module__}.{encoding.__qualname__}"


@cache
def _load_entry_points() -> None:
    """Register the encodings of other packages, once per process."""
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            found = entry.load()
        except Exception as problem:  # another package may raise anything
            raise ConfigError(
                f"encoding {entry.name!r} ({entry.value}) cannot be loaded: "
                f"{type(problem).__name__}: {problem}; update or uninstall its package"
            ) from problem
        if isinstance(found, type) and issubclass(found, Encoding):
            register_encoding(found)


def _encodings() -> dict[str, Encoding]:
    _load_entry_points()
    return dict(sorted(_REGISTERED.items()))


def encoding_names() -> tuple[str, ...]:
    """Return the names of all encodings, sorted."""
    return tuple(_encodings())


def encoding_suffixes() -> frozenset[str]:
    """Return the file suffixes of all encodings, lower case."""
    return frozenset().union(*(entry.suffixes for entry in _encodings().values()))


@not_followed
def encoding_by_name(name: str) -> Encoding:
    """Return an encoding.

    Raises:
        ConfigError: If no encoding has the name. The message suggests the nearest.
    """
    known = _encodings()
    if name not in known:
        raise ConfigError(f"unknown encoding {name!r}; {nearest(name, known)}")
    return known[name]


@not_followed
def detect_encoding(listing: Listing, labels: LabelSpace) -> Encoding:
    """Detect the encoding of a folder from evidence.

    Order of precedence:

    1. File suffixes: PNGs come before other files.
    2. Headers: the general encoding that accepts most of a sample of PNGs. For other suffixes, the
       encoding must accept every file.
    3. Other files: an encoding that refines the general one recognises the folder, for example by
       a JSON.
    4. Values: the general encoding reads the sample, see :meth:`Encoding.settle`.

    Args:
        listing: Content of the folder.
        labels: Label space. Its classes tell encodings apart that share their headers.

    Raises:
        DataError: If the folder has no frame, no encoding accepts the files, or several do.
    """
    pngs = listing.files(".png")
    if pngs:
        return _refined(*_of_pngs(pngs), listing, labels)
    # A JSON may describe other files, so it is the last one to be named as unreadable.
    suffixes = sorted(encoding_suffixes(), key=lambda suffix: (suffix == ".json", suffix))
    others = [suffix for suffix in suffixes if listing.files(suffix)]
    for suffix in others:
        files = listing.files(suffix)
        for encoding in _general(suffix):
            if all(encoding.accepts(file) for file in files):
                return _refined(encoding, files, listing, labels)
    raise _undetected(listing, others)


def _general(suffix: str) -> list[Encoding]:
    return [e for e in _encodings().values() if e.refines is None and suffix in e.suffixes]


def sampled(files: Sequence[Path]) -> Sequence[Path]:
    """Return the files that are read to detect an encoding."""
    return files[:: max(1, len(files) // _SAMPLE)]


def _of_pngs(pngs: Sequence[Path]) -> tuple[Encoding, list[Path]]:
    """Return the encoding that accepts most files of a sample, and these files."""
    votes: Counter[str] = Counter()
    accepted: dict[str, list[Path]] = {}
    problem: DataError | None = None
    unknown: list[Path] = []
    for path in sampled(pngs):
        try:
            names = [encoding.name for encoding in _general(".png") if encoding.accepts(path)]
        except DataError as found:
            problem = problem or found
            continue
        if not names:
            unknown.append(path)
        votes.update(names)
        for name in names:
            accepted.setdefault(name, []).append(path)
    name, most = votes.most_common(1)[0] if votes else ("", 0)
    # A single unknown file is an odd one, which is reported when it is opened. So are files that
    # look like those of the winner.
    forms = {str(png_header(path)) for path in unknown[:1] + accepted.get(name, [])[:1]}
    if unknown and (not votes or (len(unknown) >= max(most, 2) and len(forms) > 1)):
        raise _unknown_png(unknown[0])
    if problem is not None and not votes:
        raise problem
    return encoding_by_name(name), accepted[name]


def _refined(
    encoding: Encoding, files: Sequence[Path], listing: Listing, labels: LabelSpace
) -> Encoding:
    refining = [other for other in _encodings().values() if other.refines == encoding.name]
    found = [other for other in refining if other.recognises(listing, files)]
    if len(found) > 1:
        raise DataError(
            f"can be read as {listed(other.name for other in found)}; expected the files of one "
            "encoding; name it with --encoding (--gt-encoding for the ground truth)",
            where=listing.root,
        )
    return found[0] if found else encoding_by_name(encoding.settle(listing, files, labels))


def grey_advice(header: PngHeader) -> str | None:
    """Return what to do with a grey PNG of 8 bits. ``None`` for other PNGs."""
    if header.color_type != 0 or header.bit_depth > 8:
        return None
    return (
        "8-bit grey holds classes or identities, not both; join them in .npy files of shape "
        "(height, width, 2), which are two-channel maps, or write ids of objects with a palette"
    )


def _unknown_png(path: Path) -> DataError:
    names: dict[str, list[str]] = {}
    for encoding in _encodings().values():
        if ".png" in encoding.suffixes:
            names.setdefault(encoding.form, []).append(encoding.name)
    forms = "; ".join(f"{form} ({', '.join(found)})" for form, found in names.items())
    header = png_header(path)
    advice = grey_advice(header) or "convert the maps"
    if header.color_type == 6:
        advice = (
            "its alpha is 255 throughout, as in a picture; write the maps without their alpha "
            "channel, as RGB"
        )
    return DataError(f"has {header}; expected one of: {forms}; {advice}", where=path)


def _undetected(listing: Listing, suffixes: Sequence[str]) -> DataError:
    if listing.files(".jpg", ".jpeg"):
        return DataError(
            "holds JPEGs only, which change label values; expected maps as "
            f"{_all_suffixes()}; write the labels as PNG",
            where=listing.root,
        )
    if suffixes:
        suffix = suffixes[0]
        file = listing.files(suffix)[0]
        forms = "; ".join(f"{entry.form} ({entry.name})" for entry in _general(suffix))
        return DataError(
            f"is not a map in any encoding of {suffix} files; expected {forms}; "
            "correct or remove the file",
            where=file,
        )
    return DataError(
        f"holds no frame; expected maps as {_all_suffixes()}, in the folder or in folders below "
        "it; give the folder that holds them",
        where=listing.root,
    )


def _all_suffixes() -> str:
    return ", ".join(sorted(encoding_suffixes()))
