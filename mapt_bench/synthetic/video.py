"""A synthetic video: its frames are rendered when they are read, with equal bytes every time."""

from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import DataError
from mapt_bench.labels import AnnotatedObject, FlowField, Frame, PanopticMap, VideoInfo, label_space
from mapt_bench.synthetic._crowd import crowd_scene
from mapt_bench.synthetic._ground_truth import (
    FaceCodes,
    Motion,
    annotated_objects,
    code_faces,
    exact_flow,
    face_motion,
    frame_codes,
)
from mapt_bench.synthetic._rendering import Rendering, prepare_rendering, render_image
from mapt_bench.synthetic._street import street_scene
from mapt_bench.synthetic.scene import Scene
from mapt_bench.synthetic.stage import Stage, set_stage
from mapt_bench.synthetic.style_sampling import style_of
from mapt_bench.synthetic.surfaces import Surfaces, draw_surfaces
from mapt_bench.synthetic.world_settings import WorldSettings

__all__ = ["WorldMaps", "WorldVideo", "build_scene"]

_KIND_NUMBERS = {"street": 1, "crowd": 2}


def build_scene(settings: WorldSettings) -> Scene:
    """Generate the scene of a synthetic video. Equal settings give equal scenes on any machine.

    Args:
        settings: Settings of the video.

    Raises:
        ConfigError: If more objects are wanted than fit.
    """
    sequence = np.random.SeedSequence([_KIND_NUMBERS[settings.kind], settings.seed])
    rng = np.random.default_rng(sequence)
    make = street_scene if settings.kind == "street" else crowd_scene
    return make(settings, rng)


_KEPT_FRAMES = 64  # so that trackers that run one after the other share rendered frames


@dataclass(frozen=True, slots=True)
class WorldVideo:
    """One synthetic video; implements :class:`~mapt_bench.labels.AnnotatedVideo`.

    Attributes:
        settings: Settings that generate it.
        name: Name of the sequence.

    Raises:
        ConfigError: If the settings are impossible, when the first frame is generated.

    Example:
        >>> video = WorldVideo(WorldSettings(kind="crowd", seed=3), "0003")
        >>> video.frame(0).image.shape, video.truth(0).shape
        ((192, 624, 3), (192, 624))
    """

    settings: WorldSettings
    name: str

    @property
    def info(self) -> VideoInfo:
        """Description of the video."""
        return VideoInfo(
            name=self.name,
            frame_names=tuple(f"{index:06d}" for index in range(self.settings.frames)),
            height=self.settings.height,
            width=self.settings.width,
            labels=label_space(self.settings.labels),
            has_images=True,
        )

    @property
    def has_truth(self) -> bool:
        """Always true."""
        return True

    def check(self) -> None:
        """Check the settings before anything is rendered.

        Raises:
            ConfigError: If more objects are wanted than fit. All other settings are checked
                already.
        """
        if self.settings.objects is not None:
            build_scene(self.settings)

    def frame(self, index: int) -> Frame:
        """Return the frame at a position. Its image is rendered when it is read."""
        return Frame(index, f"{index:06d}", partial(_image, self.settings, index))

    def truth(self, index: int) -> PanopticMap:
        """Return the ground truth at a position."""
        return PanopticMap(_codes(self.settings, index))

    def objects(self, index: int) -> tuple[AnnotatedObject, ...]:
        """Return the tracked objects in a frame, hidden ones included, nearest first."""
        return _objects(self.settings, index)

    def backward_flow(self, index: int) -> FlowField:
        """Return the position of each pixel in the frame before.

        Raises:
            DataError: For the first frame.
        """
        if index < 1:
            raise DataError("the first frame has none before it to flow to", where=self.name)
        return _flow(self.settings, index, index - 1)

    def forward_flow(self, index: int) -> FlowField:
        """Return the position of each pixel in the next frame.

        Raises:
            DataError: For the last frame.
        """
        if index >= self.settings.frames - 1:
            raise DataError("the last frame has none after it to flow to", where=self.name)
        return _flow(self.settings, index, index + 1)

    def flow_between(self, index: int, other: int) -> FlowField:
        """Return the exact position of each pixel in any other frame.

        Points are valid if they are visible in both frames, even if something hides them in
        between. The position of a face is known in every frame, so errors do not add up over
        frames.

        Args:
            index: Frame with the pixels.
            other: Frame with the wanted positions.

        Raises:
            DataError: If there is no such frame.
        """
        for at in (index, other):
            if not 0 <= at < self.settings.frames:
                raise DataError(
                    f"there is no frame {at}; expected 0 to {self.settings.frames - 1}",
                    where=self.name,
                )
        return _flow(self.settings, index, other)


@lru_cache(maxsize=4)
def _prepared(settings: WorldSettings) -> tuple[Stage, Rendering, FaceCodes]:
    stage = set_stage(build_scene(settings), settings.height, settings.width)
    faces = code_faces(stage, label_space(settings.labels), settings.seed)
    return stage, prepare_rendering(stage, style_of(settings).textures), faces


@lru_cache(maxsize=4)
def _surfaces(settings: WorldSettings, index: int) -> Surfaces:
    return draw_surfaces(_prepared(settings)[0], index)


@lru_cache(maxsize=_KEPT_FRAMES)
def _codes(settings: WorldSettings, index: int) -> NDArray[np.uint32]:
    codes = frame_codes(_surfaces(settings, index), _prepared(settings)[2])
    codes.flags.writeable = False
    return codes


@lru_cache(maxsize=_KEPT_FRAMES)
def _objects(settings: WorldSettings, index: int) -> tuple[AnnotatedObject, ...]:
    stage, _, faces = _prepared(settings)
    codes = _codes(settings, index)
    return annotated_objects(stage, _surfaces(settings, index), codes, faces, index)


@lru_cache(maxsize=_KEPT_FRAMES)
def _image(settings: WorldSettings, index: int) -> NDArray[np.uint8]:
    rendering = _prepared(settings)[1]
    surfaces = _surfaces(settings, index)
    flow = _motion(settings, index, _neighbour(settings, index)).flow
    noise = np.random.default_rng([settings.seed, index, 5])
    image = render_image(rendering, surfaces, index, flow, noise)
    image.flags.writeable = False
    return image


@lru_cache(maxsize=4)
def _motion(settings: WorldSettings, index: int, other: int) -> Motion:
    """Cached, because motion blur and backward flow use the same motion."""
    return face_motion(_prepared(settings)[0], _surfaces(settings, index), index, other)


def _neighbour(settings: WorldSettings, index: int) -> int:
    """Return the frame that motion blur is measured to. A single frame has no blur."""
    return index - 1 if index else min(1, settings.frames - 1)


def _flow(settings: WorldSettings, index: int, other: int) -> FlowField:
    faces = _prepared(settings)[2]
    return exact_flow(
        _motion(settings, index, other),
        (_surfaces(settings, index), _surfaces(settings, other)),
        (_codes(settings, index), _codes(settings, other)),
        faces.void,
    )


@dataclass(frozen=True, slots=True)
class WorldMaps:
    """The ground truth of a synthetic video; implements :class:`~mapt_bench.labels.MapSequence`.

    Attributes:
        video: The video.
    """

    video: WorldVideo

    @property
    def parts(self) -> tuple[str, ...]:
        """The name of the video."""
        return (self.video.name,)

    @property
    def frame_names(self) -> tuple[str, ...]:
        """Names of the frames in order of time."""
        return self.video.info.frame_names

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.video.info.height, self.video.info.width

    def read(self, index: int) -> PanopticMap:
        """Return the map at a position of :attr:`frame_names`."""
        return self.video.truth(index)
