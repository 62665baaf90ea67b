"""Values of 16-bit grey PNGs: what each means in Cityscapes, MOTS, Waymo and VIPSeg."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import DataError
from mapt_bench.labels import BACKGROUND_ID, ID_BITS, ID_LIMIT, LabelSpace, pack_codes

__all__ = [
    "IMPOSSIBLE",
    "MOTS_ID_LIMIT",
    "MOTS_IGNORE",
    "MOTS_NAMES",
    "NUMBERS",
    "PLAUSIBLE",
    "POSSIBLE",
    "VIPSEG_CLASSES",
    "VIPSEG_COCO",
    "WAYMO",
    "Table",
    "ambiguous",
    "cityscapes_codes",
    "class_of_mots",
    "fit",
    "fits_of",
    "has_identity",
    "looks_like_mots",
    "mots_of_class",
    "mots_table",
    "tables_of",
    "unknown_mots_class",
    "vipseg_table",
    "waymo_table",
]

MOTS_IGNORE = 10
"""Class number of ignore regions. Their object id is 10000."""

MOTS_ID_LIMIT = 1000
"""Numbers are smaller than this: an object id is ``class * 1000 + number``."""

MOTS_NAMES = {1: "car", 2: "person"}
"""Name of each MOTS class number in our label spaces. MOTS calls class 2 pedestrian.

A class of a label space that is called pedestrian comes before one that is called person.
"""


def class_of_mots(labels: LabelSpace) -> dict[int, int]:
    """Return the class number in a label space of each MOTS class. Ignore regions are void.

    Classes that the label space lacks are omitted.
    """
    numbers = {entry.name: entry.class_id for entry in labels.classes}
    if "pedestrian" in numbers:
        numbers[MOTS_NAMES[2]] = numbers["pedestrian"]
    known = {mots: numbers[name] for mots, name in MOTS_NAMES.items() if name in numbers}
    return {**known, MOTS_IGNORE: labels.ignore_label}


def mots_of_class(labels: LabelSpace) -> dict[int, int]:
    """Return the MOTS class number of each class of a label space that MOTS has."""
    return {number: mots for mots, number in class_of_mots(labels).items() if mots != MOTS_IGNORE}


def unknown_mots_class(mots_class: int, labels: LabelSpace, where: object) -> DataError:
    """Return the error for an unknown MOTS class number."""
    if mots_class in MOTS_NAMES:
        return DataError(
            f"class {mots_class} is MOTS's {MOTS_NAMES[mots_class]!r}, which the label space "
            f"{labels.name!r} lacks; choose another with --dataset",
            where=where,
        )
    return DataError(
        f"class {mots_class} is unknown in MOTS; expected 1 (car), 2 (pedestrian) or "
        f"{MOTS_IGNORE} (ignore); correct the file, or name its encoding with --encoding",
        where=where,
    )


_VALUES = np.arange(1 << 16)
NUMBERS = 1000  # numbers of one class
VIPSEG_NUMBERS = 100
VIPSEG_COCO = "vipseg-coco"
VIPSEG_CLASSES = 125  # classes of VIPSeg end before this number
WAYMO = "waymo"
_VOID = (1 << 16) - 1  # void in files that were written from signed -1

Table = tuple[NDArray[np.uint32], NDArray[np.bool_]]
"""Code of each value, and which values have no class. Cached tables are never changed."""


@lru_cache(maxsize=4)
def cityscapes_codes(labels: LabelSpace) -> Table:
    """Return the table that decodes: stuff has no identity."""
    codes, no_class = _cityscapes_table(labels)
    # Cityscapes-VPS writes stuff as class * 1000, which is not an identity.
    is_stuff = np.zeros(256, dtype=bool)
    is_stuff[list(labels.stuff_ids)] = True
    bare = (_VALUES % NUMBERS == 0) & is_stuff[codes >> np.uint32(ID_BITS)]
    codes[bare] &= np.uint32(0xFF << ID_BITS)
    return codes, no_class


def _cityscapes_table(labels: LabelSpace) -> Table:
    """Return the code of each value, and which values have no class."""
    with_id = _VALUES >= NUMBERS
    classes = np.where(with_id, _VALUES // NUMBERS, _VALUES)
    ids = np.where(with_id, _VALUES % NUMBERS + 1, 0)
    no_class = classes > 255
    classes[_VOID], ids[_VOID] = labels.ignore_label, 0
    classes[no_class] = 0
    return pack_codes(classes, ids), no_class


@lru_cache(maxsize=4)
def vipseg_table(labels: LabelSpace) -> Table:
    """Return the code of each value, and which values have no class."""
    with_id = _VALUES >= VIPSEG_CLASSES
    classes = np.where(with_id, _VALUES // VIPSEG_NUMBERS, _VALUES)
    ids = np.where(with_id, _VALUES % VIPSEG_NUMBERS + 1, 0)
    no_class = classes >= VIPSEG_CLASSES
    if labels.name == VIPSEG_COCO:  # the JSON of VIPSeg numbers the classes of its masks from 0
        classes = classes - 1
    classes[0] = labels.ignore_label
    no_class[0] = False
    classes[no_class] = 0
    return pack_codes(classes, ids), no_class


@lru_cache(maxsize=4)
def waymo_table(labels: LabelSpace) -> Table:
    """Return the code of each value. Every value has a class."""
    classes, ids = _VALUES // NUMBERS, _VALUES % NUMBERS
    codes = pack_codes(classes, np.where(labels.is_thing_table[classes], ids, 0))
    is_void = classes == labels.ignore_label
    codes[is_void | (_VALUES == _VOID)] = labels.ignore_label << ID_BITS
    return codes, np.zeros(_VALUES.size, dtype=np.bool_)


@lru_cache(maxsize=4)
def mots_table(labels: LabelSpace) -> Table:
    """Return the code of each value, and which values have no class."""
    mots_class = _VALUES // NUMBERS
    classes = np.full(_VALUES.size, labels.ignore_label)
    ids = np.zeros_like(classes)
    no_class = _VALUES > 0
    for number, class_id in class_of_mots(labels).items():
        here = mots_class == number
        no_class[here] = False
        classes[here] = class_id
        if number != MOTS_IGNORE:
            ids[here] = _VALUES[here] % NUMBERS + 1
    ids[0] = BACKGROUND_ID
    return pack_codes(classes, ids), no_class


def looks_like_mots(values: NDArray[np.uint16]) -> bool:
    """Whether all values are MOTS values: background, cars, pedestrians and ignore regions.

    Example:
        >>> looks_like_mots(np.array([[0, 1003, 10000]], dtype=np.uint16))
        True
    """
    present = np.unique(values)
    of_mots = (present == 0) | (present == 10000) | ((present >= 1000) & (present < 3000))
    return bool(of_mots.all())


PLAUSIBLE, POSSIBLE, IMPOSSIBLE = range(3)


def fit(
    codes: NDArray[np.uint32],
    no_class: NDArray[np.bool_],
    values: NDArray[np.uint16],
    labels: LabelSpace,
) -> int:
    """Say how well values fit an encoding, given its code of each value."""
    found = codes[values]
    classes, ids = found >> np.uint32(ID_BITS), found & np.uint32(ID_LIMIT - 1)
    is_void = labels.is_void_table[classes]
    with_id = (ids > 0) & ~is_void
    if no_class[values].any() or not (is_void | labels.is_known_table[classes]).all():
        return IMPOSSIBLE
    return PLAUSIBLE if labels.is_thing_table[classes[with_id]].all() else POSSIBLE


def has_identity(values: NDArray[np.uint16]) -> bool:
    """Whether a value is no bare class in any of these encodings."""
    return bool((values >= VIPSEG_CLASSES).any())


def tables_of(labels: LabelSpace) -> dict[str, Table]:
    """Return the tables of the encodings that are told apart by values."""
    return {
        "mots-png": mots_table(labels),
        "cityscapes": _cityscapes_table(labels),
        "vipseg": vipseg_table(labels),
    }


def fits_of(values: NDArray[np.uint16], labels: LabelSpace) -> dict[str, int]:
    """Say how well values fit each of these encodings."""
    fits = {name: fit(*table, values, labels) for name, table in tables_of(labels).items()}
    fits["mots-png"] = min(fits["mots-png"], POSSIBLE) if looks_like_mots(values) else IMPOSSIBLE
    if fits["vipseg"] == POSSIBLE:  # identities of stuff contradict the label space
        fits["vipseg"] = IMPOSSIBLE
    return fits


def ambiguous(names: Sequence[str], value: int, where: Path) -> DataError:
    """Return the error for a value with different meanings in several of these encodings."""
    readings = " or ".join(f"{name} ({_meaning(name, value)})" for name in names)
    return DataError(
        f"can be read as {readings}: value {value} fits each; expected values of one encoding; "
        "name it with --encoding (--gt-encoding for the ground truth)",
        where=where,
    )


def _meaning(name: str, value: int) -> str:
    if value == 0 and name != "cityscapes":
        return "background" if name == "mots-png" else "void"
    if value < (VIPSEG_CLASSES if name == "vipseg" else NUMBERS):
        return f"class {value}"
    base = VIPSEG_NUMBERS if name == "vipseg" else NUMBERS
    kind = "MOTS class" if name == "mots-png" else "class"
    return f"{kind} {value // base}, number {value % base}"
