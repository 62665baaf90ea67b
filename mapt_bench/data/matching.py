"""Match the paths of sequences and the frames of two sequences."""

from collections.abc import Sequence
from typing import Literal

from mapt_bench.data.frame_names import frame_number, split_names
from mapt_bench.data.sequences import moment
from mapt_bench.errors import DataError, counted, listed, whole_number
from mapt_bench.labels import MapSequence

__all__ = ["Parts", "joined", "match_by_suffix", "pair_frames"]

Parts = tuple[str, ...]


def match_by_suffix(
    left: Sequence[Parts], right: Sequence[Parts], *, where: object
) -> dict[Parts, Parts]:
    """Pair paths by their longest common suffix, in parts. The longest is paired first.

    Args:
        left: Distinct paths.
        right: Distinct paths.
        where: Folder, for the message.

    Returns:
        The partner in ``right`` of each path of ``left`` that has one.

    Raises:
        DataError: If a path matches two others equally well.

    Example:
        >>> match_by_suffix([("val", "0001"), ("val", "0002")], [("0002",)], where="here")
        {('val', '0002'): ('0002',)}
    """
    partner: dict[Parts, Parts] = {}
    open_left, open_right = list(left), list(right)
    for length in range(max(map(len, left), default=0), 0, -1):
        sharing = _by_suffix(open_left, open_right, length)
        # Two of each side are enough to see a tie. All paths of a tie would be quadratic.
        pairs = [(a, b) for one, other in sharing.values() for a in one[:2] for b in other[:2]]
        if not pairs:
            continue
        position = {path: at for at, path in enumerate(open_left)}
        pairs.sort(key=lambda pair: position[pair[0]])
        _refuse_ties(pairs, where)
        partner.update(pairs)
        taken = set(partner.values())
        open_left = [path for path in open_left if path not in partner]
        open_right = [path for path in open_right if path not in taken]
    return partner


def _by_suffix(
    left: Sequence[Parts], right: Sequence[Parts], length: int
) -> dict[Parts, tuple[list[Parts], list[Parts]]]:
    """Group the paths of both sides by their last parts."""
    groups: dict[Parts, tuple[list[Parts], list[Parts]]] = {}
    for side, paths in enumerate((left, right)):
        for path in paths:
            if len(path) >= length:
                groups.setdefault(path[-length:], ([], []))[side].append(path)
    return groups


def _refuse_ties(pairs: list[tuple[Parts, Parts]], where: object) -> None:
    for side, other in ((0, 1), (1, 0)):
        first: dict[Parts, Parts] = {}
        for pair in pairs:
            rival = first.setdefault(pair[side], pair[other])
            if rival != pair[other]:
                raise DataError(
                    f"sequence {joined(pair[side])} matches both {joined(rival)} and "
                    f"{joined(pair[other])}; expected one partner; give deeper folders, or rename "
                    "the sequences",
                    where=where,
                )


def pair_frames(
    gt: MapSequence, pred: MapSequence, missing: Literal["error", "void"] = "error"
) -> list[int | None]:
    """Find the position of every ground-truth frame in the prediction.

    Names of digits are compared by value: ``0001`` is ``000001``. If no names agree, the name of a
    sequence before the number (``0001_000001``) and what follows another ``_`` are ignored.

    Args:
        gt: Ground truth.
        pred: Prediction for the same sequence.
        missing: Whether a missing frame of the prediction is an error or counts as void.

    Returns:
        For each frame of ``gt`` an index into ``pred.frame_names``. ``None`` for a missing frame
        that counts as void.

    Raises:
        DataError: If the sizes differ, frames are missing, or the prediction has frames that
            the ground truth lacks.
    """
    where = "/".join(gt.parts)
    if gt.size != pred.size:
        raise DataError(
            f"the prediction is {_pixels(pred.size)}, the ground truth {_pixels(gt.size)}; "
            "expected equal sizes; write predictions at the size of the ground truth, or score "
            "them at the nearest pixel with --resize nearest",
            where=where,
        )
    gt_keys: _Keys = _frame_keys(gt)
    pred_keys: _Keys = _frame_keys(pred)
    if not set(gt_keys) & set(pred_keys):
        prefixes = gt.parts[-1], pred.parts[-1]
        gt_keys, pred_keys = _frame_keys(gt, prefixes), _frame_keys(pred, prefixes)
    if not set(gt_keys) & set(pred_keys):
        gt_keys, pred_keys = _numbers_of(gt, pred, gt_keys, pred_keys)
    position = {key: index for index, key in enumerate(pred_keys)}
    found = [position.get(key) for key in gt_keys]
    known = set(gt_keys)
    extra = [n for n, key in zip(pred.frame_names, pred_keys, strict=True) if key not in known]
    if extra and not known & position.keys():
        raise DataError(
            f"no frame of the prediction has the name of one of the ground truth: {listed(extra)} "
            f"against {listed(gt.frame_names)}; name the frames as in the ground truth",
            where=where,
        )
    absent = [name for name, index in zip(gt.frame_names, found, strict=True) if index is None]
    if extra:
        lacks = f", and lacks {_frames(absent)} of {len(gt.frame_names)}" if absent else ""
        remedy = "name the frames as in the ground truth" if absent else "remove them"
        raise DataError(
            f"the prediction has {_frames(extra)} that the ground truth lacks{lacks}; {remedy}, or "
            "complete the ground truth",
            where=where,
        )
    if absent and missing == "error":
        raise DataError(
            f"the prediction lacks {_frames(absent)} of {len(gt.frame_names)}; add them, or "
            "count them as void with --missing void",
            where=where,
        )
    return found


_Keys = Sequence[str | int]


def _frame_keys(sequence: MapSequence, prefixes: tuple[str, ...] = ()) -> list[str | int]:
    """Return the key of each frame, without a sequence name that is before its number."""
    keys = []
    for name in sequence.frame_names:
        rests = (name.removeprefix(f"{p}{mark}") for p in prefixes for mark in "_-")
        numbers = (rest for rest in rests if rest != name and whole_number(rest) is not None)
        number = next(numbers, name)
        keys.append(moment(number))
    return keys


def _numbers_of(
    gt: MapSequence, pred: MapSequence, gt_keys: _Keys, pred_keys: _Keys
) -> tuple[_Keys, _Keys]:
    """Return the keys of the frames without the names of sequences before their numbers.

    If both sides have such names, they must be the same. If one has, the other side's sequence
    must not be another number.
    """
    (gt_name, gt_numbers), (pred_name, pred_numbers) = _named(gt), _named(pred)
    if gt_name is not None and gt_name == pred_name:
        return gt_numbers, pred_numbers
    if gt_name is not None and set(gt_numbers) & set(pred_keys) and _may_be(gt_name, pred):
        return gt_numbers, pred_keys
    if pred_name is not None and set(pred_numbers) & set(gt_keys) and _may_be(pred_name, gt):
        return gt_keys, pred_numbers
    return gt_keys, pred_keys


def _named(sequence: MapSequence) -> tuple[str | None, list[str | int]]:
    """Return the sequence that all names of frames begin with, and the numbers of the frames.

    One name alone does not say which of its numbers counts the frames.
    """
    found = split_names(sequence.frame_names)
    if found is None or len(found[1]) > 1 or len(sequence.frame_names) < 2:
        return None, []
    pieces, (name,) = found[0], found[1]
    return name, [moment(frame_number(one, pieces)) for one in sequence.frame_names]


def _may_be(name: str, sequence: MapSequence) -> bool:
    """Whether a name may be that of a sequence: not if both are numbers and differ."""
    numbers = whole_number(name), whole_number(sequence.parts[-1])
    return None in numbers or numbers[0] == numbers[1]


def _frames(names: list[str]) -> str:
    return f"{counted(len(names), 'frame')} ({listed(names)})"


def joined(parts: Parts) -> str:
    """Return the parts of a path as one text."""
    return "/".join(parts)


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]} pixels"
