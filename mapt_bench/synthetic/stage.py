"""A scene prepared for all its frames: position, class and appearance of every face.

Every surface of the world is a *face*: a flat panel, a rod, a patch of ground, the sky. A face has
its own coordinates and, in each frame, a 3x3 map from them to homogeneous image points. Images,
depth and optical flow are computed from these maps, so they agree exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.polygons import Limbs, Outline, Panels, joined_boxes, outline_of
from mapt_bench.synthetic.scene import (
    Ground,
    Scene,
    focal_px,
    placements,
    sky_projections,
    world_projections,
)
from mapt_bench.synthetic.shapes import Actor, Body, Limb, Paint, Panel

__all__ = ["BONNET", "SKY", "Cast", "FaceStyle", "Stage", "set_stage"]

_Array = NDArray[np.float64]

SKY = 0
"""Index of the sky among the faces."""

BONNET = 1
"""Index of the bonnet of the recording car among the faces."""

_FAR = 3000.0
_SHADOW_POINTS = 12
_LONGEST_SHADOW = 9.0  # metres


@dataclass(frozen=True, slots=True, eq=False)
class FaceStyle:
    """Appearance and owner of a face.

    Attributes:
        class_name: Class of its pixels; ``None`` is void.
        owner: Index of its actor in the scene; -1 for ground, sky and surroundings.
        has_identity: Whether its pixels have the identity of its actor.
        paint: Its paint.
        normal: Heading of the face in radians; ``None`` if it has none.
        is_ground: Whether shadows fall on it.
    """

    class_name: str | None
    owner: int
    has_identity: bool
    paint: Paint
    normal: float | None = None
    is_ground: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """One actor in the image, in all frames.

    Attributes:
        actor: The actor.
        owner: See :class:`FaceStyle`.
        faces: Indices of its faces, panels first: shape ``(faces,)``.
        foreign: Indices of its faces without its identity.
        panel_points: Homogeneous corners of each panel: ``(T, corners, 3)`` each.
        panel_outlines: The same in 16ths of a pixel, ``(T, corners, 2)`` each, ``int32``; undefined
            where a panel is not whole.
        is_whole: Whether each panel lies entirely in front of the camera and near the image: ``(T,
            panels)``; others must be clipped.
        outlines: Outlines of its limbs in 16ths of a pixel: ``(T, limbs, 10, 2)``, ``int32``.
        is_drawn: Whether each face can be visible: ``(T, faces)``.
        order: Order in which its faces are drawn: ``(T, faces)``, positions.
        distance: Distance of the actor along the axis of the camera in metres: ``(T,)``.
        box: Left, top, right and bottom of the actor in pixels: ``(T, 4)``; NaN where a part of it
            is behind the camera.
        shadow: Outline of its shadow, or ``None``.
    """

    actor: Actor
    owner: int
    faces: NDArray[np.int32]
    foreign: NDArray[np.int32]
    panel_points: tuple[_Array, ...]
    panel_outlines: tuple[NDArray[np.int32], ...]
    is_whole: NDArray[np.bool_]
    outlines: NDArray[np.int32]
    is_drawn: NDArray[np.bool_]
    order: NDArray[np.intp]
    distance: _Array
    box: _Array
    shadow: Outline | None


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Everything about a scene that rendering needs.

    Attributes:
        scene: The scene.
        height: Pixels.
        width: Pixels.
        styles: Style of each face.
        maps: Maps from face to image, ``(T, faces, 3, 3)``.
        ground: Face and outline of each patch of ground, from the bottom up.
        surroundings: Stuff behind the actors.
        cast: The actors.
    """

    scene: Scene
    height: int
    width: int
    styles: tuple[FaceStyle, ...]
    maps: _Array
    ground: tuple[tuple[int, Outline], ...]
    surroundings: tuple[Cast, ...]
    cast: tuple[Cast, ...]


def set_stage(scene: Scene, height: int, width: int) -> Stage:
    """Prepare a scene for an image size."""
    return _Builder(scene, height, width).build()


class _Builder:
    def __init__(self, scene: Scene, height: int, width: int) -> None:
        self.scene = scene
        self.height, self.width = height, width
        self.frames = scene.camera.frame_count
        self.focal = focal_px(scene.camera, height)
        self.projections = world_projections(scene.camera, height, width)
        self.styles: list[FaceStyle] = []
        self.maps: list[_Array] = []  # (T, faces, 3, 3) each

    def build(self) -> Stage:
        still = np.broadcast_to(np.eye(3), (self.frames, 1, 3, 3))
        sky = sky_projections(self.scene.camera, self.height, self.width)
        self._add([FaceStyle("sky", -1, False, _plain(self.scene.sky.zenith))], sky[:, None])
        self._add([FaceStyle(None, -1, False, _plain((38, 40, 46)))], still)
        ground = [self._ground(patch) for patch in self.scene.ground]
        behind = len(self.scene.surroundings)
        casts = self._casts((*self.scene.surroundings, *self.scene.actors), behind)
        return Stage(
            scene=self.scene,
            height=self.height,
            width=self.width,
            styles=tuple(self.styles),
            maps=np.concatenate(self.maps, axis=1),
            ground=tuple(ground),
            surroundings=tuple(casts[:behind]),
            cast=tuple(casts[behind:]),
        )

    def _add(self, styles: Sequence[FaceStyle], maps: _Array) -> NDArray[np.int32]:
        first = len(self.styles)
        self.styles += styles
        self.maps.append(maps)
        return np.arange(first, len(self.styles), dtype=np.int32)

    def _ground(self, patch: Ground) -> tuple[int, Outline]:
        frame = np.array([[1, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1.0]])
        maps = self.projections @ frame
        style = FaceStyle(patch.class_name, -1, False, patch.paint, is_ground=True)
        number = int(self._add([style], maps[:, None])[0])
        if patch.corners is None:
            around = _FAR * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
            corners = self.scene.camera.position[:, None] + around
        else:
            corners = np.broadcast_to(patch.corners, (self.frames, *patch.corners.shape))
        whole = np.concatenate([corners, np.ones((*corners.shape[:2], 1))], axis=2)
        points = np.einsum("tij,tnj->tni", maps, whole)
        return number, outline_of(points, self.height, self.width)

    def _casts(self, actors: Sequence[Actor], behind: int) -> list[Cast]:
        """Prepare all actors at once, which takes little longer than one of them."""
        if not actors:
            return []
        placed = np.stack([self.projections @ placements(each, self.frames) for each in actors])
        panels = Panels.of(actors, placed, 2.0 * self.width)
        limbs = Limbs.of(actors, placed, self.focal)
        boxes = joined_boxes(panels.boxes(len(actors)), limbs.boxes(len(actors)))
        shadows = self._shadows(actors, placed)
        panel_places, limb_places = _slices(panels.owner, actors), _slices(limbs.owner, actors)
        casts = []
        for number, actor in enumerate(actors):
            mine, rods = panel_places[number], limb_places[number]
            owner = number - behind if number >= behind else -1
            styles = [
                _style(actor, owner, panel, normal)
                for panel, normal in zip(actor.body.panels, panels.headings[mine], strict=True)
            ]
            styles += [_style(actor, owner, limb, None) for limb in actor.body.limbs]
            maps = np.concatenate([panels.maps[:, mine], limbs.maps[:, rods]], axis=1)
            faces = self._add(styles, maps)
            layers = [panel.layer for panel in actor.body.panels]
            layers += [limb.layer for limb in actor.body.limbs]
            distance = np.concatenate([panels.distance[:, mine], limbs.distance[:, rods]], axis=1)
            cast = Cast(
                actor=actor,
                owner=owner,
                faces=faces,
                foreign=faces[[not style.has_identity for style in styles]],
                panel_points=tuple(panels.points[mine]),
                panel_outlines=tuple(panels.outlines[mine]),
                is_whole=panels.is_whole[:, mine],
                outlines=limbs.outlines[:, rods],
                is_drawn=np.concatenate([panels.faces_us[:, mine], limbs.is_near[:, rods]], axis=1),
                order=np.argsort(np.array(layers) * 1e5 - distance, axis=1, kind="stable"),
                distance=placed[number, :, 2, 3],
                box=boxes[:, number],
                shadow=shadows.get(number),
            )
            casts.append(cast)
        return casts

    def _shadows(self, actors: Sequence[Actor], placed: _Array) -> dict[int, Outline]:
        """Return the shadow of each actor: an ellipse, stretched away from the sun."""
        numbers = [at for at, actor in enumerate(actors) if actor.body.shadow is not None]
        if not numbers:
            return {}
        light = self.scene.light
        angles = np.linspace(0, 2 * np.pi, _SHADOW_POINTS, endpoint=False)
        reach = np.array([actors[at].body.shadow for at in numbers])
        circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        place = reach[:, None] * circle  # (actors, points, 2)
        points = np.zeros((len(numbers), self.frames, _SHADOW_POINTS, 4))
        points[..., [0, 2]], points[..., 3] = place[:, None], 1
        if light.sun_height is not None:
            tops = np.array([_height(actors[at].body) for at in numbers])
            length = np.minimum(tops / np.tan(light.sun_height), _LONGEST_SHADOW)
            headings = [np.broadcast_to(actors[at].heading, (self.frames,)) for at in numbers]
            turn = light.sun - np.stack(headings)
            away = -np.stack([np.sin(turn), np.cos(turn)], axis=2)  # (actors, T, 2)
            is_far = np.einsum("and,atd->atn", place, away) > 0
            points[..., [0, 2]] += (
                length[:, None, None, None] * away[:, :, None] * is_far[..., None]
            )
        seen = points @ placed[numbers].transpose(0, 1, 3, 2)
        flat = outline_of(seen.reshape(-1, _SHADOW_POINTS, 3), self.height, self.width)
        return {
            at: flat.part(slice(place * self.frames, (place + 1) * self.frames))
            for place, at in enumerate(numbers)
        }


def _plain(color: tuple[int, int, int]) -> Paint:
    return Paint(color, color)


def _style(actor: Actor, owner: int, part: Panel | Limb, heading: float | None) -> FaceStyle:
    own = part.class_name is None
    name = actor.class_name if part.class_name is None else part.class_name
    normal = None if heading is None else heading + float(actor.heading[0])
    return FaceStyle(name, owner, own, part.paint, normal)


def _height(body: Body) -> float:
    """Return the largest height of a body in metres."""
    tops = [float(panel.corners[:, 1].max()) for panel in body.panels]
    if body.joints.shape[1]:
        tops.append(float(body.joints[..., 1].max()))
    return max(tops)


def _slices(owner: NDArray[np.intp], actors: Sequence[Actor]) -> list[slice]:
    edges = np.searchsorted(owner, np.arange(len(actors) + 1)).tolist()
    return [slice(*pair) for pair in pairwise(edges)]
