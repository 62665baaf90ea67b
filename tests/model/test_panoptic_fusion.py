import numpy as np
import pytest
import torch

from mapt_bench.labels import LabelSpace, label_space
from mapt_bench.model.config import FusionConfig
from mapt_bench.model.instance import Detections
from mapt_bench.model.panoptic_fusion import PanopticFusion

LABELS = label_space("kitti-step")
ROAD, SKY, PERSON, CAR = 0, 10, 11, 13
VOID = LABELS.ignore_label
SIZE = (16, 32)


def semantic(class_id=ROAD, *, sure=4.0, size=SIZE):
    """Logits at stride 4 that are ``sure`` of one class and ``-sure`` of the rest."""
    logits = torch.full((19, size[0] // 4, size[1] // 4), -sure)
    logits[class_id] = sure
    return logits


def detections(*found):
    """Each ``(class, box, score, mask logit)``, the mask filling its box evenly."""
    return Detections(
        boxes=torch.tensor([box for _, box, _, _ in found], dtype=torch.float32).view(-1, 4),
        labels=torch.tensor([LABELS.thing_ids.index(each[0]) + 1 for each in found]).long(),
        scores=torch.tensor([score for _, _, score, _ in found]),
        mask_logits=torch.stack([torch.full((28, 28), float(each[3])) for each in found])
        if found
        else torch.zeros(0, 28, 28),
    )


def fuse(logits, found, *, size=SIZE, **changes):
    config = FusionConfig(**{"stuff_area": 0} | changes)
    return PanopticFusion(config, LABELS)(logits, found, size)


def test_without_detections_there_is_stuff_alone():
    fused = fuse(semantic(SKY), detections())
    assert (fused.segments.stuff == SKY).all()
    assert (fused.segments.index_map == -1).all()
    assert fused.segments.count == 0
    assert fused.masks.shape == (0, *SIZE)


def test_an_instance_takes_its_box_where_its_mask_is_sure():
    # Mask logit 2, times 4 is 8. Semantic logit of car -4: (s(8) + s(-4)) * (8 - 4) = 1.018 * 4
    # = 4.07, just above the 4 of road. With mask logit 1.9 it is (s(7.6) + s(-4)) * 3.6 = 3.66.
    strong = fuse(semantic(), detections((CAR, (8, 4, 16, 12), 0.9, 2.0)))
    expected = np.full(SIZE, -1)
    expected[4:12, 8:16] = 0
    np.testing.assert_array_equal(strong.segments.index_map, expected)
    assert strong.segments.class_ids.tolist() == [CAR]
    assert strong.segments.scores.tolist() == pytest.approx([0.9])
    assert set(np.unique(strong.segments.stuff)) == {ROAD, VOID}
    assert strong.masks[0].sum() == 64
    weak = fuse(semantic(), detections((CAR, (8, 4, 16, 12), 0.9, 1.9)))
    assert weak.segments.count == 0


def test_the_semantic_head_settles_whose_pixel_it_is():
    # Both masks are as sure, but the pixels look like a person: s(8) + s(4) is 1.98, times 12,
    # against 1.018 times 4. The car scored higher, and still keeps only what the person leaves.
    found = detections((CAR, (0, 0, 16, 8), 0.9, 2.0), (PERSON, (12, 0, 20, 8), 0.8, 2.0))
    fused = fuse(semantic(PERSON), found)
    np.testing.assert_array_equal(fused.segments.index_map[0], [0] * 12 + [1] * 8 + [-1] * 12)
    assert fused.segments.class_ids.tolist() == [CAR, PERSON]


def test_an_instance_mostly_under_a_stronger_one_is_dropped():
    behind = (CAR, (4, 0, 12, 8), 0.8, 3.0)  # its right 4 of 8 columns covered: half, not more
    kept = fuse(semantic(), detections((CAR, (8, 0, 24, 8), 0.9, 3.0), behind))
    assert kept.segments.count == 2
    dropped = fuse(semantic(), detections((CAR, (7, 0, 23, 8), 0.9, 3.0), behind))
    assert dropped.segments.count == 1
    assert dropped.detection.tolist() == [0]
    either = fuse(semantic(), detections((CAR, (7, 0, 23, 8), 0.9, 3.0), behind), overlap=0.7)
    assert either.segments.count == 2


def test_an_instance_that_lost_every_pixel_is_no_segment():
    # The first has a mask, but nowhere more than road; the second wins. Indices close up.
    found = detections((CAR, (0, 0, 8, 8), 0.9, 0.5), (CAR, (16, 0, 24, 8), 0.8, 3.0))
    fused = fuse(semantic(), found)
    assert fused.detection.tolist() == [1]
    assert fused.segments.index_map.max() == 0
    assert fused.segments.scores.tolist() == pytest.approx([0.8])


def test_outside_its_box_an_instance_never_wins():
    # Every stuff logit is far below zero, and a logit of zero would beat them all.
    logits = semantic(CAR)
    logits[[LABELS.class_ids.index(class_id) for class_id in LABELS.stuff_ids]] = -50
    fused = fuse(logits, detections((CAR, (8, 4, 16, 12), 0.9, 2.0)))
    assert (fused.segments.index_map >= 0).sum() == 64


@pytest.mark.parametrize(("keep", "expected"), [(False, VOID), (True, CAR)])
def test_pixels_of_a_thing_class_that_nobody_claims(keep, expected):
    fused = fuse(semantic(CAR), detections(), keep_thing_classes=keep)
    assert (fused.segments.stuff == expected).all()


def test_small_stuff_becomes_void_in_proportion_to_the_image():
    logits = semantic(ROAD)
    logits[:, :, 0] = semantic(SKY)[:, :, 0]  # about 4 of 32 columns: 64 of 512 pixels
    sky = int((fuse(logits, detections()).segments.stuff == SKY).sum())
    assert 0 < sky < 512
    # A limit for an image of twice as many pixels counts for half here.
    of_two = {"stuff_area_of": 2 * 512}
    kept = fuse(logits, detections(), stuff_area=2 * sky, **of_two)
    assert (kept.segments.stuff == SKY).sum() == sky
    gone = fuse(logits, detections(), stuff_area=2 * sky + 1, **of_two)
    assert (gone.segments.stuff == SKY).sum() == 0
    assert (gone.segments.stuff == VOID).sum() == sky


def test_padding_is_cut_off():
    fused = fuse(semantic(), detections((CAR, (20, 6, 29, 13), 0.9, 3.0)), size=(13, 29))
    assert fused.segments.shape == (13, 29)
    assert (fused.segments.index_map[6:, 20:] == 0).all()


def test_a_mask_is_laid_over_its_box_in_fractions_of_a_pixel():
    # The left half of the mask is sure; the box spans columns 8.5 to 16.5, so up to 12.5: the
    # pixels with centres 8.5 to 12.5 are 8..12, of which the last lies on the edge.
    found = detections((CAR, (8.5, 4, 16.5, 12), 0.9, 5.0))
    found.mask_logits[:, :, 14:] = -5
    row = fuse(semantic(CAR), found).segments.index_map[8]
    assert row[8:12].tolist() == [0] * 4
    assert row[14:].max() == -1
    assert row[:8].max() == -1


def test_every_segment_has_a_pixel_and_every_pixel_one_owner():
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(20, 2, 2, generator=generator) * torch.tensor([120.0, 60.0])
    found = Detections(
        boxes=torch.cat((corners.amin(1), corners.amax(1) + 2), 1),
        labels=torch.randint(1, 3, (20,), generator=generator),
        scores=torch.rand(20, generator=generator).sort(descending=True).values,
        mask_logits=3 * torch.randn(20, 28, 28, generator=generator),
    )
    logits = torch.randn(19, 16, 32, generator=generator)
    fused = fuse(logits, found, size=(63, 125))
    segments = fused.segments
    assert 0 < segments.count <= 20
    assert np.unique(segments.index_map).tolist() == list(range(-1, segments.count))
    assert (segments.stuff[segments.index_map >= 0] == VOID).all()
    assert fused.masks.sum(0).max() == 1
    assert segments.scores.tolist() == pytest.approx(found.scores[fused.detection].tolist())


def test_a_label_space_may_have_things_alone():
    labels = LabelSpace("things", tuple(each for each in LABELS.classes if each.is_thing))
    fused = PanopticFusion(FusionConfig(stuff_area=0), labels)(
        torch.full((2, 4, 8), -4.0), detections((CAR, (8, 4, 16, 12), 0.9, 2.0)), SIZE
    )
    assert (fused.segments.index_map >= 0).sum() == 64
    assert (fused.segments.stuff == VOID).all()


def test_logits_at_stride_2_are_laid_over_the_same_image():
    logits = torch.full((19, 8, 16), -4.0)
    logits[ROAD], logits[SKY, :4], logits[ROAD, :4] = 4.0, 4.0, -4.0
    fused = PanopticFusion(FusionConfig(stuff_area=0), LABELS)(
        logits, detections(), (13, 29), stride=2
    )
    assert fused.segments.stuff.shape == (13, 29)
    assert (fused.segments.stuff[:8] == SKY).all()
    assert (fused.segments.stuff[8:] == ROAD).all()
