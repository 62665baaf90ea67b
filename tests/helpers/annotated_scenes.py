"""Drawn scenes of which everything is known: amodal masks, exact flow, depth."""

from dataclasses import dataclass

import numpy as np
from helpers.scenes import HEIGHT, WIDTH, DrawnVideo

from mapt_bench.errors import DataError
from mapt_bench.labels import AnnotatedObject, FlowField


@dataclass(frozen=True)
class AnnotatedScene(DrawnVideo):
    """Boxes before a ground that stands still; later boxes are nearer."""

    def objects(self, index):
        codes = self.truth(index).codes
        boxes = self.scene[index]
        return tuple(
            self._object(index, box, codes, depth=float(len(boxes) - place))
            for place, box in reversed(list(enumerate(boxes)))
        )

    def _object(self, index, box, codes, depth):
        before = self._box(index - 1, box.track)
        left, right = max(0, box.x), min(WIDTH, box.x + box.width)
        code = box.class_id << 24 | box.track
        return AnnotatedObject(
            code=code,
            top=box.y,
            left=left,
            amodal=np.ones((box.height, max(0, right - left)), dtype=bool),
            visible_px=int(np.count_nonzero(codes == code)),
            depth=depth,
            speed=float("nan") if before is None else float(np.hypot(*self._shift(before, box))),
            look_alike=int(box.track > 1),
        )

    def backward_flow(self, index):
        if index < 1:
            raise DataError("the first frame has none before it", where=self.name)
        return self._flow(index, index - 1)

    def forward_flow(self, index):
        if index + 1 >= len(self.scene):
            raise DataError("the last frame has none after it", where=self.name)
        return self._flow(index, index + 1)

    def _flow(self, index, other):
        flow = np.zeros((HEIGHT, WIDTH, 2), dtype=np.float32)
        lasting = np.ones((HEIGHT, WIDTH), dtype=bool)
        for box in self.scene[index]:
            place = np.s_[box.y : box.y + box.height, max(0, box.x) : box.x + box.width]
            there = self._box(other, box.track)
            lasting[place] = there is not None
            flow[place] = (0, 0) if there is None else self._shift(box, there)
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        y, x = rows + flow[..., 1].astype(int), columns + flow[..., 0].astype(int)
        inside = (y >= 0) & (y < HEIGHT) & (x >= 0) & (x < WIDTH)
        codes, others = self.truth(index).codes, self.truth(other).codes
        same = others[y.clip(0, HEIGHT - 1), x.clip(0, WIDTH - 1)] == codes
        return FlowField(flow, inside & lasting & same)

    def _box(self, index, track):
        if not 0 <= index < len(self.scene):
            return None
        return next((box for box in self.scene[index] if box.track == track), None)

    @staticmethod
    def _shift(box, there):
        return there.x - box.x, there.y - box.y
