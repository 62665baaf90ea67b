"""Panoptic maps from arrays as people have them."""

import numpy as np
import pytest

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import ID_LIMIT, PanopticMap, as_panoptic_map, label_space

CLASSES = np.array([[0, 13, 13], [255, 11, 0]])
IDS = np.array([[0, 1, 300], [0, 2, 0]])
MAP = PanopticMap((CLASSES.astype(np.uint32) << 24) | IDS.astype(np.uint32))
RGB = np.stack([CLASSES, IDS // 256, IDS % 256], axis=-1).astype(np.uint8)


def same(found):
    return found.codes.dtype == np.uint32 and np.array_equal(found.codes, MAP.codes)


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int64, np.uint64])
def test_class_and_id_arrays(dtype):
    assert same(as_panoptic_map((CLASSES.astype(dtype), IDS.astype(dtype))))


@pytest.mark.parametrize("divisor", [1000, 2**16, 301])
@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64, np.uint64])
def test_packed_arrays(dtype, divisor):
    assert same(as_panoptic_map((CLASSES * divisor + IDS).astype(dtype), divisor=divisor))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_rgb_images(dtype):
    assert same(as_panoptic_map(RGB.astype(dtype)))


def test_nested_lists():
    assert same(as_panoptic_map((CLASSES.tolist(), IDS.tolist())))


def test_a_map_stays_itself():
    assert as_panoptic_map(MAP) is MAP


def test_a_map_does_not_change_with_the_array_that_it_came_from():
    rgb, classes = RGB.copy(), CLASSES.astype(np.uint32)
    found = as_panoptic_map(rgb), as_panoptic_map((classes, IDS))
    rgb[:], classes[:] = 0, 0
    assert all(map(same, found))


class Tensor:
    """What this package uses of a torch tensor."""

    dtype = "torch.int64"

    def __init__(self, array):
        self.array = array

    def detach(self):
        return self

    def cpu(self):
        return self

    def numpy(self):
        return self.array


def test_tensors_are_known_by_their_methods():
    assert same(as_panoptic_map((Tensor(CLASSES), Tensor(IDS))))
    assert same(as_panoptic_map(Tensor(CLASSES * 1000 + IDS), divisor=1000))


def test_torch_tensors():
    torch = pytest.importorskip("torch")
    assert same(as_panoptic_map((torch.as_tensor(CLASSES), torch.as_tensor(IDS))))
    assert same(as_panoptic_map(torch.as_tensor(RGB)))
    with pytest.raises(DataError, match=r"bfloat16.*tensor\.long\(\)"):
        as_panoptic_map(torch.zeros(2, 3, dtype=torch.bfloat16), divisor=1000)
    with pytest.raises(DataError, match=r"float32; expected integers"):
        as_panoptic_map(torch.zeros(2, 3), divisor=1000)


@pytest.mark.parametrize(
    ("frame", "divisor", "message"),
    [
        ((CLASSES, IDS[:1]), None, r"classes \(2, 3\) and ids \(1, 3\) differ in shape"),
        ((CLASSES,), None, r"tuple of 1; expected \(classes, ids\)"),
        ((CLASSES - 1, IDS), None, "class values reach from -1 to 254; expected 0 to 255"),
        ((CLASSES + 1, IDS), None, "class values reach from 1 to 256"),
        ((CLASSES, IDS - 1), None, "id values reach from -1 to 299"),
        ((CLASSES, IDS + ID_LIMIT), None, "id values reach .*; expected 0 to 16777215"),
        ((CLASSES[0], IDS[0]), None, r"shape \(height, width\)"),
        ((CLASSES / 1, IDS), None, "float64; expected integers; convert them"),
        ((CLASSES == 0, IDS), None, "bool; expected integers"),
        (([[0, 1], [2]], IDS), None, "cannot be read as an array"),
        (CLASSES, None, "no divisor is given"),
        (-CLASSES, 1000, "go down to -255; expected class"),
        (CLASSES * 1000, 10, "class 25500 with divisor 10; expected classes 0 to 255"),
        (CLASSES * 2**25 + 2**24, 2**25, "id values reach"),
        (RGB[None], None, r"shape \(1, 2, 3, 3\).*without a batch dimension"),
        (RGB[..., :2], None, r"\(2, 3, 2\)"),
        (RGB.astype(int) - 1, None, "colour values reach from -1 to 254"),
        (None, None, "expected integers"),
    ],
)
def test_what_does_not_fit_is_named(frame, divisor, message):
    with pytest.raises(DataError, match=message):
        as_panoptic_map(frame, divisor=divisor)


def test_channels_belong_to_the_end():
    with pytest.raises(DataError, match="move the channels to the end"):
        PanopticMap.from_rgb(np.moveaxis(np.tile(RGB, (1, 2, 1)), 2, 0))


def test_a_divisor_is_positive():
    with pytest.raises(ConfigError, match="divisor is 0"):
        as_panoptic_map(CLASSES, divisor=0)


def test_unknown_classes_are_named_when_a_label_space_is_given():
    frame = (np.array([[0, 42]]), np.array([[0, 0]]))
    as_panoptic_map(frame)
    with pytest.raises(DataError, match=r"class 42 \(1 pixel\) is outside the label space"):
        as_panoptic_map(frame, labels=label_space("kitti-step"))
