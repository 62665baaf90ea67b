"""The numbers that KITTI MOTS and MOTS20 give to classes and objects."""

from mapt_bench.errors import DataError
from mapt_bench.labels import LabelSpace

__all__ = ["MOTS_ID_LIMIT", "MOTS_IGNORE", "MOTS_NAMES", "class_of_mots", "mots_of_class"]

MOTS_IGNORE = 10
"""Class number of regions that are not scored; their object id is 10000."""

MOTS_ID_LIMIT = 1000
"""An object id is ``class * 1000 + number``, so numbers are smaller than this."""

MOTS_NAMES = {1: "car", 2: "person"}
"""Name, in our label spaces, of each MOTS class number (MOTS calls 2 pedestrian)."""


def class_of_mots(labels: LabelSpace) -> dict[int, int]:
    """Return the class number in a label space of each MOTS class, ignore regions as void.

    Classes that the label space lacks are left out.
    """
    numbers = {entry.name: entry.class_id for entry in labels.classes}
    known = {mots: numbers[name] for mots, name in MOTS_NAMES.items() if name in numbers}
    return {**known, MOTS_IGNORE: labels.ignore_label}


def mots_of_class(labels: LabelSpace) -> dict[int, int]:
    """Return the MOTS class number of each class that MOTS has."""
    return {number: mots for mots, number in class_of_mots(labels).items() if mots != MOTS_IGNORE}


def unknown_mots_class(mots_class: int, labels: LabelSpace, where: object) -> DataError:
    """Return the error for a class number that cannot be read."""
    if mots_class in MOTS_NAMES:
        return DataError(
            f"class {mots_class} is MOTS's {MOTS_NAMES[mots_class]!r}, which the label space "
            f"{labels.name!r} lacks; choose another with --dataset",
            where=where,
        )
    return DataError(
        f"class {mots_class} is none of MOTS's: expected 1 (car), 2 (pedestrian) or "
        f"{MOTS_IGNORE} (ignore)",
        where=where,
    )
