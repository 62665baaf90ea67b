import numpy as np
import pytest
from helpers.scenes import Box, DrawnVideo, segments_of

from mapt_bench.baselines.histograms import HistogramEmbedder
from mapt_bench.errors import DataError
from mapt_bench.labels import Frame

RED, BLUE, DARK = (200, 30, 30), (30, 30, 200), (110, 20, 20)


def _looks(*boxes):
    video = DrawnVideo([boxes])
    return HistogramEmbedder().embed(video.frame(0), segments_of(boxes)).astype(np.float64)


def test_rows_are_of_unit_length():
    looks = _looks(Box(1, 5), Box(2, 40, color=BLUE), Box(3, 70, height=1), Box(4, 90, width=1))
    assert looks.shape == (4, HistogramEmbedder.dims)
    np.testing.assert_allclose(np.linalg.norm(looks, axis=1), 1, rtol=1e-6)


def test_equal_pixels_look_equal_wherever_they_are():
    here, there = _looks(Box(1, 5)), _looks(Box(1, 60, y=30))
    # Gradients at the rim see the ground, which differs a little.
    assert here[0] @ there[0] > 0.99


def test_other_colours_look_other_and_a_shadow_less_so():
    red, blue = _looks(Box(1, 5), Box(2, 50, color=BLUE))
    (shaded,) = _looks(Box(1, 5, color=DARK))
    assert red @ blue < 0.75
    assert red @ blue < red @ shaded < 0.99


def test_the_two_halves_are_told_apart():
    image = np.zeros((48, 96, 3), dtype=np.uint8)
    image[10:16, 5:17], image[16:22, 5:17] = RED, BLUE
    turned = np.zeros((48, 96, 3), dtype=np.uint8)
    turned[10:16, 5:17], turned[16:22, 5:17] = BLUE, RED
    segments = segments_of([Box(1, 5)])
    embedder = HistogramEmbedder()
    first, second = (
        embedder.embed(Frame(0, "0", lambda picture=picture: picture), segments)[0]
        for picture in (image, turned)
    )
    assert first @ second < 0.8


def test_only_the_pixels_of_the_segment_count():
    image = np.full((48, 96, 3), 128, dtype=np.uint8)
    other = image.copy()
    other[:, 40:] = RED
    segments = segments_of([Box(1, 5)])
    embedder = HistogramEmbedder()
    first, second = (
        embedder.embed(Frame(0, "0", lambda picture=picture: picture), segments)
        for picture in (image, other)
    )
    np.testing.assert_array_equal(first, second)


def test_no_segments_make_no_rows():
    assert _looks().shape == (0, HistogramEmbedder.dims)


def test_images_are_needed_and_must_fit():
    segments = segments_of([Box(1, 5)])
    embedder = HistogramEmbedder()
    with pytest.raises(DataError, match="no image"):
        embedder.embed(Frame(0, "0"), segments)
    small = np.zeros((10, 10, 3), dtype=np.uint8)
    with pytest.raises(DataError, match=r"\(10, 10\) pixels"):
        embedder.embed(Frame(0, "0", lambda: small), segments)
