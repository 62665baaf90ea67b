from dataclasses import dataclass, field

import numpy as np
from helpers.annotated_scenes import AnnotatedScene
from helpers.scenes import HEIGHT, WIDTH, DrawnVideo
from helpers.small_runs import walk

from mapt_bench.experiments.engine.shared import RememberedVideo, remembered
from mapt_bench.labels import AnnotatedVideo


@dataclass(frozen=True)
class Counting(DrawnVideo):
    """A video that notes what was read of it."""

    read: list[tuple[str, int]] = field(default_factory=list)

    def image(self, index):
        self.read.append(("image", index))
        return super().image(index)

    def truth(self, index):
        self.read.append(("truth", index))
        return super().truth(index)


def read_all(video):
    for index in range(video.info.frame_count):
        _ = video.frame(index).image
        video.truth(index)


def test_everything_is_read_once():
    video = Counting(walk(3).scene)
    kept = remembered(video)
    read_all(kept)
    read_all(kept)
    assert sorted(video.read) == [
        (kind, index) for kind in ("image", "truth") for index in range(3)
    ]
    assert kept.info == video.info
    assert kept.has_truth
    assert np.array_equal(kept.frame(1).image, video.image(1))
    assert np.array_equal(kept.truth(1).codes, video.truth(1).codes)


def test_an_image_that_nobody_asks_for_is_not_read():
    video = Counting(walk(3).scene)
    remembered(video).frame(0)
    assert video.read == []


def test_beyond_its_room_it_reads_anew():
    video = Counting(walk(3).scene)
    kept = RememberedVideo(video, budget_bytes=2 * 7 * HEIGHT * WIDTH)
    assert kept.room == 2
    read_all(kept)
    read_all(kept)
    assert video.read.count(("truth", 1)) == 1
    assert video.read.count(("truth", 2)) == 2
    assert video.read.count(("image", 2)) == 2


def test_a_known_video_stays_known_and_no_other_becomes_one():
    known = remembered(AnnotatedScene(walk(3).scene))
    assert isinstance(known, AnnotatedVideo)
    assert [entry.code for entry in known.objects(1)] == [13 << 24 | 2, 13 << 24 | 1]
    assert known.backward_flow(1).valid.any()
    assert known.forward_flow(1).valid.any()
    assert not isinstance(remembered(walk(3)), AnnotatedVideo)


def test_true_flow_is_made_once():
    made = []

    class Counted(AnnotatedScene):
        def backward_flow(self, index):
            made.append(index)
            return super().backward_flow(index)

    kept = remembered(Counted(walk(3).scene))
    flows = [kept.backward_flow(index) for index in (1, 2, 1, 2)]
    assert made == [1, 2]
    assert flows[0] is flows[2]
