"""PQ, STQ and PAT a second time: slow, plain, on sets of pixels.

Written from the definitions in tests/golden/README.md and sharing nothing with the package but
the maps. A film is a list of panoptic maps; a pixel is (frame, row, column); a segment's key is
(class, id), and id 0 for stuff.
"""

import math
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

from mapt_bench.labels import PanopticMap

VOID = 255
Key = tuple[int, int]
Pixel = tuple[int, int, int]
Pixels = set[Pixel]


@dataclass(frozen=True)
class Space:
    """Class numbers."""

    classes: tuple[int, ...]
    things: tuple[int, ...]


def paint(film: list[PanopticMap], space: Space) -> dict[Pixel, Key]:
    """Give every pixel its key."""
    painted = {}
    for frame, panoptic in enumerate(film):
        for row, codes in enumerate(panoptic.codes.tolist()):
            for column, code in enumerate(codes):
                class_id, identity = code >> 24, code & 0xFFFFFF
                key = (class_id, identity if class_id in space.things else 0)
                painted[frame, row, column] = key
    return painted


def segments(painted: dict[Pixel, Key]) -> dict[tuple[int, Key], Pixels]:
    """The pixels of each key in each frame."""
    found: dict[tuple[int, Key], Pixels] = defaultdict(set)
    for pixel, key in painted.items():
        found[pixel[0], key].add(pixel)
    return found


def tubes(painted: dict[Pixel, Key], space: Space) -> dict[Key, Pixels]:
    """The pixels of each thing key over all frames."""
    found: dict[Key, Pixels] = defaultdict(set)
    for pixel, key in painted.items():
        if key[0] in space.things:
            found[key].add(pixel)
    return found


def is_crowd(key: Key, space: Space) -> bool:
    return key[0] in space.things and key[1] == 0


def panoptic_quality(
    gt: dict[Pixel, Key], pred: dict[Pixel, Key], space: Space
) -> dict[int, tuple[float, int, int, int]]:
    """(sum of IoU, tp, fp, fn) of each class."""
    void = {pixel for pixel, key in gt.items() if key[0] == VOID}
    gt_segments, pred_segments = segments(gt), segments(pred)
    result = {}
    for class_id in space.classes:
        iou_sum, matched_gt, matched_pred = 0.0, set(), set()
        for (frame, g), g_pixels in gt_segments.items():
            for (p_frame, p), p_pixels in pred_segments.items():
                if frame != p_frame or g[0] != class_id or p[0] != class_id or is_crowd(g, space):
                    continue
                iou = len(g_pixels & p_pixels) / len(g_pixels | (p_pixels - void))
                if iou > 0.5:
                    iou_sum += iou
                    matched_gt.add((frame, g))
                    matched_pred.add((frame, p))
        crowd = {p for p, key in gt.items() if key[0] == class_id and is_crowd(key, space)}
        missed = [
            at
            for at in gt_segments
            if at[1][0] == class_id and not is_crowd(at[1], space) and at not in matched_gt
        ]
        alarms = [
            at
            for at, pixels in pred_segments.items()
            if at[1][0] == class_id
            and at not in matched_pred
            and 2 * len(pixels & (void | crowd)) <= len(pixels)
        ]
        result[class_id] = (iou_sum, len(matched_gt), len(alarms), len(missed))
    return result


def mean_quality(counts: dict[int, tuple[float, int, int, int]], classes: set[int]) -> float | None:
    """Mean PQ over classes; one without any segment counts as 0."""
    values = []
    for class_id in classes:
        iou_sum, tp, fp, fn = counts[class_id]
        weight = tp + fp / 2 + fn / 2
        values.append(iou_sum / weight if weight else 0.0)
    return sum(values) / len(values) if values else None


def pq(gt_film: list[PanopticMap], pred_film: list[PanopticMap], space: Space) -> float | None:
    """PQ over the classes with any segment that counts."""
    counts = panoptic_quality(paint(gt_film, space), paint(pred_film, space), space)
    return mean_quality(counts, {c for c, (_, tp, fp, fn) in counts.items() if tp + fp + fn})


def stq(
    gt_film: list[PanopticMap], pred_film: list[PanopticMap], space: Space
) -> dict[str, float | None]:
    """STQ, AQ and SQ of one sequence."""
    gt, pred = paint(gt_film, space), paint(pred_film, space)
    crowd = {pixel for pixel, key in gt.items() if is_crowd(key, space)}
    gt_tubes = {key: pixels for key, pixels in tubes(gt, space).items() if key[1] > 0}
    pred_tubes = [pixels - crowd for pixels in tubes(pred, space).values()]
    association = 0.0
    for g in gt_tubes.values():
        for p in pred_tubes:
            if g & p:
                association += len(g & p) / len(g) * len(g & p) / len(g | p)
    aq = association / len(gt_tubes) if gt_tubes else 0.0

    valid = [pixel for pixel, key in gt.items() if key[0] != VOID]
    ious = []
    for class_id in (*space.classes, VOID):
        truth = {pixel for pixel in valid if gt[pixel][0] == class_id}
        said = {pixel for pixel in valid if pred[pixel][0] == class_id}
        if truth | said:
            ious.append(len(truth & said) / len(truth | said))
    sq = sum(ious) / len(ious) if ious else None
    return {"STQ": None if sq is None else math.sqrt(aq * sq), "AQ": aq, "SQ": sq}


def pat(
    gt_film: list[PanopticMap], pred_film: list[PanopticMap], space: Space
) -> dict[str, float | None]:
    """PAT, PQ and TQ of one sequence, variant thing_ids_present_classes."""
    gt, pred = paint(gt_film, space), paint(pred_film, space)
    valid = [p for p, key in gt.items() if key[0] != VOID and not is_crowd(key, space)]
    gt, pred = {p: gt[p] for p in valid}, {p: pred[p] for p in valid}
    present = {key[0] for key in (*gt.values(), *pred.values())} - {VOID}
    quality = mean_quality(panoptic_quality(gt, pred, space), present)

    gt_segments, pred_segments = segments(gt), segments(pred)
    qualities = []
    for g in tubes(gt, space):
        frames = sorted(frame for frame, key in gt_segments if key == g)
        partners = [
            _partner(gt_segments[frame, g], frame, pred_segments, space) for frame in frames
        ]
        qualities.append(_track_quality(partners, pred_segments))
    tq = sum(qualities) / len(qualities) if qualities else None
    both = (quality or 0) + (tq or 0)
    undefined = quality is None or tq is None or both == 0
    return {"PAT": None if undefined else 2 * quality * tq / both, "PQ": quality, "TQ": tq}


def _partner(
    truth: Pixels, frame: int, pred_segments: dict[tuple[int, Key], Pixels], space: Space
) -> Key | None:
    for (p_frame, key), pixels in pred_segments.items():
        overlaps = len(truth & pixels) / len(truth | pixels) > 0.5
        if p_frame == frame and key[0] in space.things and overlaps:
            return key
    return None


def _track_quality(
    partners: list[Key | None], pred_segments: dict[tuple[int, Key], Pixels]
) -> float:
    length = len(partners)
    association = 0.0
    for key in set(partners) - {None}:
        together = partners.count(key)
        lifetime = sum(1 for _, p in pred_segments if p == key)
        association += together**2 / (length + lifetime - together) / length
    switches = sum(1 for now, then in pairwise(partners) if now is None or now != then)
    steadiness = 1 if length == 1 else 1 - switches / (length - 1)
    return math.sqrt(association * steadiness)
