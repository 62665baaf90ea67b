"""A scene worked out for all its frames: where every face is, what it is, and what it looks like.

Every surface of the world is a *face*: a flat panel, a rod, a patch of ground, the sky. A face has
coordinates of its own and, in each frame, a 3x3 map from them to homogeneous image points. Images,
depth and optical flow all come from these maps, which is why they agree exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.world.camera import (
    focal_px,
    placements,
    sky_projections,
    world_projections,
)
from mapt_bench.data.world.polygons import (
    NEAR,
    Outline,
    fixed_point,
    flat_outlines,
    outline_of,
    rod_maps,
    rod_outlines,
)
from mapt_bench.data.world.scene import Ground, Scene
from mapt_bench.data.world.shapes import Actor, Body, Limb, Paint, Panel

__all__ = ["BONNET", "SKY", "Cast", "FaceStyle", "Stage", "set_stage"]

_Array = NDArray[np.float64]

SKY = 0
"""Number of the face that is the sky."""

BONNET = 1
"""Number of the face that is the bonnet of the recording car."""

_FAR = 3000.0
_SHADOW_POINTS = 12
_LONGEST_SHADOW = 9.0  # metres
_LEVEL = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class FaceStyle:
    """What a face looks like and whose it is.

    Attributes:
        class_name: Class of its pixels; ``None`` is void.
        owner: Number of its actor in the scene; -1 for ground, sky and surroundings.
        has_identity: Whether its pixels carry the identity of its actor.
        paint: Its look.
        normal: Heading that the face looks to, radians; ``None`` where it has none.
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
        actor: Who.
        owner: See :class:`FaceStyle`.
        faces: Numbers of its faces, panels first: shape ``(faces,)``.
        foreign: Numbers of those that do not carry its identity.
        panel_points: Homogeneous corners of each panel: ``(T, corners, 3)`` each.
        panel_outlines: The same in 16ths of a pixel, ``(T, corners, 2)`` each, ``int32``; nonsense
            where a panel is not whole.
        is_whole: Whether each panel lies wholly before the camera and about the image:
            ``(T, panels)``; others must be cut.
        outlines: Outlines of its limbs in 16ths of a pixel: ``(T, limbs, 10, 2)``, ``int32``.
        is_drawn: Whether each face can be seen at all: ``(T, faces)``.
        order: In which order its faces are drawn: ``(T, faces)``, positions.
        distance: Of the actor from the camera along its axis, metres: ``(T,)``.
        box: Left, top, right, bottom of everything in pixels: ``(T, 4)``; NaN where some of it is
            not before the camera.
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
    """Everything about a scene that drawing needs.

    Attributes:
        scene: What is drawn.
        height: Pixels.
        width: Pixels.
        styles: One a face.
        maps: From face to image, ``(T, faces, 3, 3)``.
        ground: Face and outline of each patch, from the bottom up.
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
    """Work out a scene for an image of some size."""
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
        surroundings = tuple(self._cast(actor, -1) for actor in self.scene.surroundings)
        cast = tuple(self._cast(actor, owner) for owner, actor in enumerate(self.scene.actors))
        return Stage(
            scene=self.scene,
            height=self.height,
            width=self.width,
            styles=tuple(self.styles),
            maps=np.concatenate(self.maps, axis=1),
            ground=tuple(ground),
            surroundings=surroundings,
            cast=cast,
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

    def _cast(self, actor: Actor, owner: int) -> Cast:
        body = actor.body
        placed = self.projections @ placements(actor, self.frames)
        frames = _panel_frames(body.panels)
        panel_maps = placed[:, None] @ frames
        panel_points = _panel_points(body.panels, placed)
        panel_outlines, is_whole = flat_outlines(panel_points, self.frames, 2 * self.width)
        joints = np.broadcast_to(body.joints, (self.frames, *body.joints.shape[1:]))
        points = np.einsum("tij,tnj->tni", placed[..., :3], joints) + placed[:, None, :, 3]
        outlines, limb_maps, limb_distance = self._limbs(body.limbs, joints, points)
        styles = [
            _style(actor, owner, panel, normal)
            for panel, normal in zip(body.panels, _headings(frames), strict=True)
        ]
        styles += [_style(actor, owner, limb, None) for limb in body.limbs]
        maps = np.concatenate([panel_maps, limb_maps], axis=1)
        faces = self._add(styles, maps)
        centres = [points[..., 2].mean(axis=1) for points in panel_points]
        distance = np.concatenate([np.array(centres).reshape(-1, self.frames).T, limb_distance], 1)
        layers = np.array(
            [panel.layer for panel in body.panels] + [limb.layer for limb in body.limbs], np.float64
        )
        two_sided = np.array([panel.two_sided for panel in body.panels], dtype=np.bool_)
        faces_us = two_sided | (np.linalg.det(panel_maps) < 0)
        near = np.ones((self.frames, 0), np.bool_)
        if body.limbs:
            ends = np.array([(limb.start, limb.end) for limb in body.limbs])
            near = (points[:, ends, 2] > NEAR).all(axis=2)
        return Cast(
            actor=actor,
            owner=owner,
            faces=faces,
            foreign=faces[[not style.has_identity for style in styles]],
            panel_points=tuple(panel_points),
            panel_outlines=panel_outlines,
            is_whole=is_whole,
            outlines=fixed_point(outlines),
            is_drawn=np.concatenate([faces_us, near], axis=1),
            order=np.argsort(layers * 1e5 - distance, axis=1, kind="stable"),
            distance=placed[:, 2, 3],
            box=_boxes(panel_points, outlines, points[..., 2]),
            shadow=self._shadow(actor, placed),
        )

    def _shadow(self, actor: Actor, placed: _Array) -> Outline | None:
        """An ellipse below a body, drawn out to where its top hides the sun."""
        if actor.body.shadow is None:
            return None
        light = self.scene.light
        angles = np.linspace(0, 2 * np.pi, _SHADOW_POINTS, endpoint=False)
        across, along = actor.body.shadow
        place = np.stack([across * np.cos(angles), along * np.sin(angles)], axis=1)
        points = np.zeros((self.frames, _SHADOW_POINTS, 4))
        points[..., [0, 2]], points[..., 3] = place, 1
        if light.sun_height is not None:
            reach = min(_height(actor.body) / np.tan(light.sun_height), _LONGEST_SHADOW)
            turn = light.sun - np.broadcast_to(actor.heading, (self.frames,))
            away = -np.stack([np.sin(turn), np.cos(turn)], axis=1)
            is_far = place @ away.T > 0
            points[..., [0, 2]] += reach * away[:, None] * is_far.T[..., None]
        return outline_of(points @ placed.transpose(0, 2, 1), self.height, self.width)

    def _limbs(
        self, limbs: Sequence[Limb], joints: _Array, points: _Array
    ) -> tuple[_Array, _Array, _Array]:
        """Outlines, maps and distances of the limbs of a body."""
        starts = [limb.start for limb in limbs]
        ends = [limb.end for limb in limbs]
        radii = np.array([(limb.start_radius, limb.end_radius) for limb in limbs]).reshape(-1, 2)
        held = np.concatenate([points[..., :2], np.maximum(points[..., 2:], NEAR)], axis=2)
        first, last = held[:, starts], held[:, ends]
        lengths = np.linalg.norm(joints[:, ends] - joints[:, starts], axis=2)
        widths = np.broadcast_to(2 * radii[:, 0], lengths.shape)
        shown = np.broadcast_to(radii, (*lengths.shape, 2))
        outlines = rod_outlines(first, last, shown, self.focal)
        maps = rod_maps(first, last, lengths, widths, self.focal)
        return outlines, maps, (first[..., 2] + last[..., 2]) / 2


def _plain(color: tuple[int, int, int]) -> Paint:
    return Paint(color, color)


def _style(actor: Actor, owner: int, part: Panel | Limb, heading: float | None) -> FaceStyle:
    own = part.class_name is None
    name = actor.class_name if part.class_name is None else part.class_name
    normal = None if heading is None else heading + float(actor.heading[0])
    return FaceStyle(name, owner, own, part.paint, normal)


def _headings(frames: _Array) -> list[float | None]:
    """Where panels look to, in the body; ``None`` for those that look up or down."""
    (ax, ay, az), (bx, by, bz) = frames[:, :3, 0].T, frames[:, :3, 1].T
    x, z = by * az - bz * ay, bx * ay - by * ax  # of the normal: the body's axes are left-handed
    return [
        None if level < _LEVEL else float(heading)
        for level, heading in zip(np.hypot(x, z), np.arctan2(x, z), strict=True)
    ]


def _panel_frames(panels: Sequence[Panel]) -> _Array:
    """What takes coordinates on panels, along the first edge and across, to the body (n, 4, 3)."""
    corners = np.array([panel.corners[:3] for panel in panels]).reshape(-1, 3, 3)
    origin = corners[:, 0]
    along = corners[:, 1] - origin
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    offset = corners[:, 2] - origin
    across = offset - (offset * along).sum(axis=1, keepdims=True) * along
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    frames = np.zeros((len(panels), 4, 3))
    frames[:, :3] = np.stack([along, across, origin], axis=2)
    frames[:, 3, 2] = 1
    return frames


def _panel_points(panels: Sequence[Panel], placed: _Array) -> list[_Array]:
    """Homogeneous corners of panels in the image, ``(T, corners, 3)`` each."""
    if not panels:
        return []
    corners = np.concatenate([panel.corners for panel in panels])
    points = corners @ placed[..., :3].transpose(0, 2, 1) + placed[:, None, :, 3]
    ends = np.cumsum([len(panel.corners) for panel in panels])[:-1]
    return np.split(points, ends, axis=1)


def _boxes(panels: Sequence[_Array], outlines: _Array, joint_distance: _Array) -> _Array:
    frames = len(outlines)
    corners = np.concatenate([*panels, np.zeros((frames, 0, 3))], axis=1)
    distance = np.concatenate([corners[..., 2], joint_distance], axis=1)
    ahead = (distance > NEAR).all(axis=1, keepdims=True)
    flat = corners[..., :2] / np.maximum(corners[..., 2:], NEAR)
    points = np.concatenate([flat, outlines.reshape(frames, -1, 2)], axis=1)
    if points.shape[1] == 0:
        return np.full((frames, 4), np.nan)
    boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
    return np.where(ahead, boxes, np.nan)


def _height(body: Body) -> float:
    """Return the greatest height of a body in metres."""
    tops = [float(panel.corners[:, 1].max()) for panel in body.panels]
    if body.joints.shape[1]:
        tops.append(float(body.joints[..., 1].max()))
    return max(tops)
