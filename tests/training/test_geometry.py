import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mapt_bench.training.augmentation import Window, draw_window
from mapt_bench.training.recipe import AugmentSettings

VOID = 255 << 24
CODES = np.arange(12, dtype=np.uint32).reshape(3, 4)


def image_of(codes):
    return torch.from_numpy(codes.astype(np.float32) / 20).expand(3, *codes.shape)


def test_nothing_changes_nothing():
    window = draw_window(AugmentSettings(flip=0), (3, 4), np.random.default_rng(0))
    assert window == Window(flip=False, scaled=(3, 4), top=0, left=0, size=(3, 4))
    assert np.array_equal(window.of_codes(CODES, VOID), CODES)
    assert torch.equal(window.of_image(image_of(CODES)), image_of(CODES))


def test_a_flip():
    window = Window(flip=True, scaled=(3, 4), top=0, left=0, size=(3, 4))
    assert np.array_equal(window.of_codes(CODES, VOID), CODES[:, ::-1])
    assert torch.equal(window.of_image(image_of(CODES)), image_of(CODES).flip(-1))


def test_a_crop_beyond_the_border_is_void_and_grey():
    window = Window(flip=False, scaled=(3, 4), top=-1, left=2, size=(3, 4))
    expected = [[VOID] * 4, [2, 3, VOID, VOID], [6, 7, VOID, VOID]]
    assert window.of_codes(CODES, VOID).tolist() == expected
    image = window.of_image(image_of(CODES))
    assert image.shape == (3, 3, 4)
    assert image[0, 1].tolist() == pytest.approx([0.1, 0.15, 0.45, 0.45])
    assert image[:, 0].unique().tolist() == pytest.approx([0.45])


def test_twice_the_size_doubles_every_pixel():
    window = Window(flip=False, scaled=(6, 8), top=0, left=0, size=(6, 8))
    doubled = CODES.repeat(2, axis=0).repeat(2, axis=1)
    assert np.array_equal(window.of_codes(CODES, VOID), doubled)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("scale", [0.6, 1.0, 1.7])
def test_image_and_map_go_together(flip, scale):
    # A disc keeps its centre of mass in the image and in the map alike, to half a pixel.
    rows, columns = np.mgrid[:60, :90]
    disc = ((rows - 22) ** 2 + (columns - 61) ** 2 < 150).astype(np.uint32)
    size = (round(60 * scale), round(90 * scale))
    window = Window(flip=flip, scaled=size, top=-3, left=4, size=(50, 80))
    codes = window.of_codes(disc, 0)
    image = window.of_image(torch.from_numpy(disc.astype(np.float32)).expand(3, 60, 90))[0].numpy()
    on_frame = window.of_codes(np.ones_like(disc), 0).astype(bool)
    image = np.where(on_frame, image, 0)
    for axis in (0, 1):
        places = np.arange(codes.shape[axis])
        of_map = (codes.sum(1 - axis) * places).sum() / codes.sum()
        of_image = (image.sum(1 - axis) * places).sum() / image.sum()
        assert of_map == pytest.approx(of_image, abs=0.5)


@given(
    st.tuples(st.floats(0.3, 1), st.floats(1, 3)),
    st.tuples(st.integers(1, 40), st.integers(1, 40)) | st.none(),
    st.integers(0, 9),
    st.integers(0, 99),
)
def test_any_window_has_its_size_and_lies_on_the_frame(scale, crop, shift, seed):
    settings = AugmentSettings(scale=scale, crop=crop, shift_px=shift)
    window = draw_window(settings, (20, 30), np.random.default_rng(seed))
    frame = np.zeros((20, 30), dtype=np.uint32)
    cut = window.of_codes(frame, VOID)
    assert cut.shape == window.size == (crop or (20, 30))
    assert window.of_image(torch.zeros(3, 20, 30)).shape == (3, *window.size)
    is_grey = window.of_image(torch.zeros(3, 20, 30))[0].numpy() != 0
    assert np.array_equal(is_grey, cut == VOID)
    if shift == 0:
        covered = np.minimum(window.scaled, window.size).prod()
        assert (cut == 0).sum() == covered


def test_half_of_the_frames_are_flipped():
    dice = np.random.default_rng(0)
    flips = [draw_window(AugmentSettings(flip=0.5), (4, 4), dice).flip for _ in range(400)]
    assert 160 < sum(flips) < 240
