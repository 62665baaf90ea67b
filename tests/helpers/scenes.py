"""Small drawn scenes: rectangles that move, as segments, truth and images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mapt_bench.labels import Frame, LabelSpace, PanopticMap, VideoInfo, label_space, pack_codes
from mapt_bench.tracking import Associator, FrameSegments

KITTI = label_space("kitti-step")
PERSON, CAR, ROAD, VOID = 11, 13, 0, 255
HEIGHT, WIDTH = 48, 96


@dataclass(frozen=True)
class Box:
    """One object in one frame: ``track`` is its true identity, ``color`` its look."""

    track: int
    x: int
    y: int = 10
    width: int = 12
    height: int = 12
    class_id: int = CAR
    score: float = 1.0
    color: tuple[int, int, int] = (200, 30, 30)


Scene = Sequence[Sequence[Box]]


@dataclass(frozen=True)
class DrawnVideo:
    """A scene as a video with truth and images; later boxes lie over earlier ones."""

    scene: Scene
    name: str = "drawn"
    with_images: bool = True
    with_truth: bool = True
    labels: LabelSpace = KITTI

    @property
    def info(self) -> VideoInfo:
        names = tuple(f"{index:06d}" for index in range(len(self.scene)))
        return VideoInfo(self.name, names, HEIGHT, WIDTH, self.labels, self.with_images)

    @property
    def has_truth(self) -> bool:
        return self.with_truth

    def frame(self, index: int) -> Frame:
        name = f"{index:06d}"
        return Frame(index, name, (lambda: self.image(index)) if self.with_images else None)

    def image(self, index: int) -> np.ndarray:
        image = np.full((HEIGHT, WIDTH, 3), 90, dtype=np.uint8)
        texture = np.random.default_rng(7).integers(0, 30, (HEIGHT, WIDTH, 1), dtype=np.uint8)
        image += texture
        for box in self.scene[index]:
            pattern = np.random.default_rng(box.track).integers(
                0, 40, (box.height, box.width, 1), dtype=np.uint8
            )
            left, right = max(0, box.x), min(WIDTH, box.x + box.width)
            patch = np.array(box.color, dtype=np.uint8) + pattern
            image[box.y : box.y + box.height, left:right] = patch[:, left - box.x : right - box.x]
        return image

    def truth(self, index: int) -> PanopticMap:
        classes = np.full((HEIGHT, WIDTH), ROAD)
        ids = np.zeros((HEIGHT, WIDTH), dtype=np.int64)
        for box in self.scene[index]:
            place = np.s_[box.y : box.y + box.height, max(0, box.x) : box.x + box.width]
            classes[place], ids[place] = box.class_id, box.track
        return PanopticMap(pack_codes(classes, ids))


def segments_of(boxes: Sequence[Box]) -> FrameSegments:
    """Segments in the order of the boxes, so that tests can name them."""
    index_map = np.full((HEIGHT, WIDTH), -1, dtype=np.int32)
    for k, box in enumerate(boxes):
        index_map[box.y : box.y + box.height, max(0, box.x) : box.x + box.width] = k
    return FrameSegments(
        stuff=np.where(index_map < 0, ROAD, VOID).astype(np.uint8),
        index_map=index_map,
        class_ids=np.array([box.class_id for box in boxes], dtype=np.int64),
        scores=np.array([box.score for box in boxes], dtype=np.float64),
    )


def link(associator: Associator, scene: Scene) -> list[dict[int, int]]:
    """Run an associator over a scene; return, frame by frame, the identity given to each track."""
    video = DrawnVideo(scene)
    associator.start(video.info)
    given = []
    for index, boxes in enumerate(scene):
        association = associator.associate(video.frame(index), segments_of(boxes))
        assert len(association.ids) == len(association.steps) == len(association.ages) == len(boxes)
        given.append({box.track: int(k) for box, k in zip(boxes, association.ids, strict=True)})
    return given


def steps_of(associator: Associator, scene: Scene) -> list[tuple[str, ...]]:
    """Run an associator over a scene; return the steps of each frame."""
    video = DrawnVideo(scene)
    associator.start(video.info)
    return [
        associator.associate(video.frame(index), segments_of(boxes)).steps
        for index, boxes in enumerate(scene)
    ]
