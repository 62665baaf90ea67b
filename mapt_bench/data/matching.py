"""Which sequence of the predictions is which of the ground truth, and which frame is which."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from mapt_bench.data.layout import map_root
from mapt_bench.data.map_folder import MapFolder
from mapt_bench.data.sequences import OpenEnded, StoredSequence, aligned, moment
from mapt_bench.errors import DataError, counted, listed
from mapt_bench.labels import MapSequence

__all__ = ["match_by_suffix", "match_sequences", "matching_notes", "pair_frames"]

Parts = tuple[str, ...]


def match_sequences(gt: MapFolder, pred: MapFolder) -> list[tuple[StoredSequence, StoredSequence]]:
    """Match the sequences of two folders by their longest common path suffix.

    Where each side holds exactly one sequence they match whatever they are called. A sequence of
    MOTS text, which writes no empty frames, gets the frames of its partner.

    Returns:
        Pairs (ground truth, prediction), in the order of the ground truth.

    Raises:
        DataError: If both are the same folder, or share folders or files; if a match is not
            unique, or a sequence of either side is left without a partner.
    """
    _refuse_the_same(gt, pred)
    if len(gt.sequences) == len(pred.sequences) == 1:
        return [_aligned(gt.sequences[0], pred.sequences[0])]
    gt_by_parts = {sequence.parts: sequence for sequence in gt.sequences}
    pred_by_parts = {sequence.parts: sequence for sequence in pred.sequences}
    partner = match_by_suffix(list(gt_by_parts), list(pred_by_parts), where=pred.folder)
    _require_none("prediction", set(gt_by_parts) - set(partner), pred.folder)
    _require_none("ground truth", set(pred_by_parts) - set(partner.values()), gt.folder)
    return [_aligned(gt_by_parts[parts], pred_by_parts[partner[parts]]) for parts in gt_by_parts]


def matching_notes(
    pairs: Sequence[tuple[MapSequence, MapSequence]],
) -> tuple[str, ...]:
    """Say what a user should know of a match that names did not decide.

    Args:
        pairs: As :func:`match_sequences` gives them.

    Returns:
        One line for each pair whose names differ: at most one, since names decide between several.
    """
    return tuple(
        f"sequence {_join(gt.parts)} of the ground truth was scored against {_join(pred.parts)} "
        "of the prediction, since each side has only that one"
        for gt, pred in pairs
        if gt.parts[-1] != pred.parts[-1]
    )


def _refuse_the_same(gt: MapFolder, pred: MapFolder) -> None:
    truth, prediction = map_root(gt.folder).resolve(), map_root(pred.folder).resolve()
    if truth == prediction:
        raise DataError(
            "prediction and ground truth are the same folder; give two different ones",
            where=pred.folder,
        )
    if truth in prediction.parents or prediction in truth.parents:
        raise DataError(
            f"the maps of prediction and ground truth ({gt.folder}) lie one inside the other; "
            "expected two folders apart; give those that hold the maps of one side alone",
            where=pred.folder,
        )
    shared = _files(gt).keys() & _files(pred).keys()
    if shared:
        path = min(_files(pred)[key] for key in shared)
        raise DataError(
            "this file of the prediction is also one of the ground truth "
            f"({counted(len(shared), 'file')} in all); expected predictions of their own; write "
            "them to another folder, without links to the ground truth",
            where=path,
        )


def _files(folder: MapFolder) -> dict[tuple[int, int], Path]:
    """Return the files of a folder by device and inode, which links share."""
    paths = {
        sequence.path(index)
        for sequence in folder.sequences
        for index in range(len(sequence.frame_names))
    }
    found = {}
    for path in paths:
        try:
            status = path.stat()
        except OSError:  # gone since the folder was listed: reading it will tell
            continue
        found[status.st_dev, status.st_ino] = path
    return found


def _aligned(gt: StoredSequence, pred: StoredSequence) -> tuple[StoredSequence, StoredSequence]:
    """Let open-ended sequences have the frames of their partner."""
    own = gt.frame_names if isinstance(pred, OpenEnded) else ()
    gt = aligned(gt, (*own, *pred.frame_names), None)
    if isinstance(pred, OpenEnded):
        pred = aligned(pred, gt.frame_names, gt.size)
    return gt, pred


def match_by_suffix(
    left: Sequence[Parts], right: Sequence[Parts], *, where: object
) -> dict[Parts, Parts]:
    """Pair paths by the number of last parts that they share, the most first.

    Args:
        left: Distinct paths.
        right: Distinct paths.
        where: Folder, for the message.

    Returns:
        The partner in ``right`` of each path of ``left`` that has one.

    Raises:
        DataError: If a path could be paired with two others equally well.

    Example:
        >>> match_by_suffix([("val", "0001"), ("val", "0002")], [("0002",)], where="here")
        {('val', '0002'): ('0002',)}
    """
    shared = {(a, b): _common_suffix(a, b) for a in left for b in right}
    partner: dict[Parts, Parts] = {}
    for length in range(max(shared.values(), default=0), 0, -1):
        taken = set(partner.values())
        open_pairs = [
            pair
            for pair, count in shared.items()
            if count == length and pair[0] not in partner and pair[1] not in taken
        ]
        _refuse_ties(open_pairs, where)
        partner.update(open_pairs)
    return partner


def _common_suffix(left: Parts, right: Parts) -> int:
    count = 0
    for a, b in zip(reversed(left), reversed(right), strict=False):
        if a != b:
            break
        count += 1
    return count


def _refuse_ties(pairs: list[tuple[Parts, Parts]], where: object) -> None:
    for side, other in ((0, 1), (1, 0)):
        first: dict[Parts, Parts] = {}
        for pair in pairs:
            rival = first.setdefault(pair[side], pair[other])
            if rival != pair[other]:
                raise DataError(
                    f"sequence {_join(pair[side])} matches both {_join(rival)} and "
                    f"{_join(pair[other])}; expected one partner; give folders further down, or "
                    "name the sequences apart",
                    where=where,
                )


def _require_none(side: str, left_over: set[Parts], where: object) -> None:
    if left_over:
        raise DataError(
            f"no {side} for the sequence{'s' if len(left_over) > 1 else ''} "
            f"{listed(_join(parts) for parts in sorted(left_over))}; expected the same sequences "
            "on both sides; add what is missing, or give the folder of fewer sequences",
            where=where,
        )


def pair_frames(
    gt: MapSequence, pred: MapSequence, missing: Literal["error", "void"] = "error"
) -> list[int | None]:
    """Find for every frame of the ground truth its position in the prediction.

    Names of digits alone are compared as numbers, so that ``0001`` is ``000001``.

    Args:
        gt: Ground truth.
        pred: Prediction for the same sequence.
        missing: Whether a frame that the prediction lacks is an error, or is all void.

    Returns:
        For each frame of ``gt`` an index into ``pred.frame_names``; ``None`` if it is missing
        and counts as void.

    Raises:
        DataError: If the sizes differ, frames are missing, or the prediction has frames that
            the ground truth lacks.
    """
    where = "/".join(gt.parts)
    if gt.size != pred.size:
        raise DataError(
            f"the prediction is {_pixels(pred.size)}, the ground truth {_pixels(gt.size)}; "
            "expected equal sizes; write predictions at the size of the ground truth",
            where=where,
        )
    position = {moment(name): index for index, name in enumerate(pred.frame_names)}
    found = [position.get(moment(name)) for name in gt.frame_names]
    known = {moment(name) for name in gt.frame_names}
    extra = [name for name in pred.frame_names if moment(name) not in known]
    if extra:
        raise DataError(
            f"the prediction has {_frames(extra)} that the ground truth lacks; remove them, or "
            "complete the ground truth",
            where=where,
        )
    absent = [name for name, index in zip(gt.frame_names, found, strict=True) if index is None]
    if absent and missing == "error":
        raise DataError(
            f"the prediction lacks {_frames(absent)} of {len(gt.frame_names)}; add them, or "
            "count them as void with --missing void",
            where=where,
        )
    return found


def _frames(names: list[str]) -> str:
    return f"{counted(len(names), 'frame')} ({listed(names)})"


def _join(parts: Parts) -> str:
    return "/".join(parts)


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]} pixels"
