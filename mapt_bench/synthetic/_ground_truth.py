"""Ground truth of a frame from its surfaces: panoptic codes, objects and exact optical flow."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ConfigError
from mapt_bench.labels import ID_BITS, AnnotatedObject, FlowField, LabelSpace
from mapt_bench.synthetic.stage import Cast, FaceStyle, Stage
from mapt_bench.synthetic.surfaces import Silhouette, Surfaces, apply_maps

__all__ = [
    "LEAST_PX",
    "FaceCodes",
    "Motion",
    "annotated_objects",
    "code_faces",
    "exact_flow",
    "face_motion",
    "frame_codes",
]

LEAST_PX = 6
"""Visible pixels at 128 x 416 below which an object is void, because annotators skip it."""

_PIXELS_OF_LEAST = 128 * 416
_EDGED_SHARE = 0.3  # of the actors: annotators leave a thin void border around them


@dataclass(frozen=True, slots=True, eq=False)
class FaceCodes:
    """Panoptic codes of the faces of a stage.

    Attributes:
        codes: Panoptic code of each face, ``uint32``.
        void: Code of void.
        is_edged: For each face, whether void surrounds it.
        least_px: Pixels below which an object is void.
    """

    codes: NDArray[np.uint32]
    void: int
    is_edged: NDArray[np.bool_]
    least_px: int


def code_faces(stage: Stage, labels: LabelSpace, seed: int) -> FaceCodes:
    """Assign a panoptic code to every face.

    Args:
        stage: The scene.
        labels: Label space with every class of the scene.
        seed: Selects the actors that are surrounded by void.

    Raises:
        ConfigError: If the label space lacks a class.
    """
    names = {entry.name: entry.class_id for entry in labels.classes}
    void = labels.ignore_label << ID_BITS
    codes = np.zeros(len(stage.styles), dtype=np.uint32)
    for number, style in enumerate(stage.styles):
        codes[number] = void if style.class_name is None else _code(style, names, labels, stage)
    edged = np.random.default_rng([seed, 77]).random(len(stage.cast)) < _EDGED_SHARE
    owners = np.array([style.owner for style in stage.styles])
    is_edged = (owners >= 0) & np.append(edged, False)[owners]
    least = max(1, round(LEAST_PX * stage.height * stage.width / _PIXELS_OF_LEAST))
    return FaceCodes(codes, void, is_edged, least)


def _code(style: FaceStyle, names: dict[str, int], labels: LabelSpace, stage: Stage) -> int:
    if style.class_name not in names:
        raise ConfigError(
            f"the scene has {style.class_name!r}, which label space {labels.name!r} lacks; "
            f"it has {', '.join(names)}"
        )
    class_id = names[style.class_name]
    if not style.has_identity or style.owner < 0 or not labels.by_id(class_id).is_thing:
        return class_id << ID_BITS
    return class_id << ID_BITS | stage.cast[style.owner].actor.track_id


def frame_codes(surfaces: Surfaces, faces: FaceCodes) -> NDArray[np.uint32]:
    """Return the panoptic codes of a frame, ``uint32`` of shape ``(height, width)``.

    Tiny objects are void, and so is the border around some actors: the stuff pixels that touch them
    from the side or above.
    """
    codes = faces.codes[surfaces.face]
    identities = np.uint32((1 << ID_BITS) - 1)
    has_identity = (codes & identities) > 0
    found, counts = np.unique(codes[has_identity], return_counts=True)
    slivers = found[counts < faces.least_px]
    edged = faces.is_edged[surfaces.face]
    beside = np.zeros_like(edged)
    beside[:, 1:] |= edged[:, :-1]
    beside[:, :-1] |= edged[:, 1:]
    beside[1:] |= edged[:-1]
    codes[beside & ~edged & ~has_identity] = faces.void
    if slivers.size:
        codes[np.isin(codes, slivers)] = faces.void
    return codes


def annotated_objects(
    stage: Stage,
    surfaces: Surfaces,
    codes: NDArray[np.uint32],
    faces: FaceCodes,
    time: int,
) -> tuple[AnnotatedObject, ...]:
    """Return the tracked objects that reach into a frame, nearest first."""
    found, counts = np.unique(codes, return_counts=True)
    seen = dict(zip(found.tolist(), counts.tolist(), strict=True))
    objects = []
    for silhouette in surfaces.silhouettes:
        cast = stage.cast[silhouette.owner]
        code = _own_code(cast, stage, faces)
        if code is not None:
            objects.append(_object(silhouette, cast, code, seen.get(code, 0), time))
    return tuple(sorted(objects, key=lambda entry: entry.depth))


def _own_code(cast: Cast, stage: Stage, faces: FaceCodes) -> int | None:
    """Return the code of an actor with an identity."""
    for number in cast.faces:
        code = int(faces.codes[number])
        if stage.styles[number].has_identity and code & ((1 << ID_BITS) - 1):
            return code
    return None


def _object(
    silhouette: Silhouette, cast: Cast, code: int, visible_px: int, time: int
) -> AnnotatedObject:
    rows, columns = np.flatnonzero(silhouette.mask.any(1)), np.flatnonzero(silhouette.mask.any(0))
    speed = float("nan")
    if time:
        (l0, t0, r0, b0), (l1, t1, r1, b1) = cast.box[time - 1], cast.box[time]
        speed = float(np.hypot(l1 + r1 - l0 - r0, t1 + b1 - t0 - b0) / 2)
    return AnnotatedObject(
        code=code,
        top=silhouette.top + int(rows[0]),
        left=silhouette.left + int(columns[0]),
        amodal=silhouette.mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1],
        visible_px=visible_px,
        depth=float(cast.distance[time]),
        speed=speed,
        look_alike=cast.actor.look_alike,
    )


_DEPTH_TOLERANCE = 0.02
_DEPTH_SLACK_M = 0.1
_LEAST_RATIO = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Motion of the visible points of a frame to another frame.

    Attributes:
        flow: Pixels to the right and down, ``(height, width, 2)``; 0 for points behind the camera.
        ratio: Distance from the camera in the other frame divided by that in this one, ``(height,
            width)``; not positive behind the camera.
    """

    flow: NDArray[np.float32]
    ratio: NDArray[np.float32]


def face_motion(stage: Stage, surfaces: Surfaces, time: int, other: int) -> Motion:
    """Return the motion of the point at each pixel to another frame.

    Args:
        stage: The scene.
        surfaces: Surfaces of the frame.
        time: Index of the frame.
        other: Index of the other frame.
    """
    height, width = surfaces.face.shape
    moved = stage.maps[other] @ surfaces.inverse.reshape(-1, 3, 3).astype(np.float64)
    point = apply_maps(moved.reshape(-1, 9).astype(np.float32), surfaces)
    point = point.reshape(3, height, width)
    ahead = point[2] > _LEAST_RATIO
    flow = point[:2] / np.where(ahead, point[2], 1)
    flow[0] -= np.arange(width, dtype=np.float32)
    flow[1] -= np.arange(height, dtype=np.float32)[:, None]
    return Motion(np.where(ahead, flow, 0).transpose(1, 2, 0), point[2])


def exact_flow(
    motion: Motion,
    surfaces: tuple[Surfaces, Surfaces],
    codes: tuple[NDArray[np.uint32], NDArray[np.uint32]],
    void_code: int,
) -> FlowField:
    """Return the flow from one frame to another, with its valid pixels.

    A pixel is valid if its point lies inside the other frame, and the pixel there shows the same
    face, or the same segment at the same distance (the next face of the same rounded shape), and
    neither of the two is void.

    Args:
        motion: Motion from the frame to the other.
        surfaces: Surfaces of the frame, and of the other.
        codes: Panoptic codes of both, ``uint32`` of shape ``(height, width)``.
        void_code: Code of void pixels.
    """
    here, there = surfaces
    height, width = here.face.shape
    flow, ratio = motion.flow, motion.ratio
    x = np.rint(flow[..., 0] + np.arange(width))
    y = np.rint(flow[..., 1] + np.arange(height)[:, None])
    inside = (ratio > _LEAST_RATIO) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    at = np.where(inside, y * width + x, 0).astype(np.intp)
    same_face = np.take(there.face, at) == here.face
    same_code = np.take(codes[1], at) == codes[0]
    with np.errstate(invalid="ignore"):  # the sky is infinitely far away in both
        expected = here.distance * ratio
        apart = np.abs(np.take(there.distance, at) - expected)
        near = apart < _DEPTH_SLACK_M + _DEPTH_TOLERANCE * expected
    seen = codes[0] != void_code
    return FlowField(flow, inside & same_code & seen & (same_face | near))
