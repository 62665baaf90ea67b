import struct

import cv2
import numpy as np
import pytest

from mapt_bench.baselines.flow_files import read_flow
from mapt_bench.data.png import encode_png
from mapt_bench.errors import DataError

SIZE = (2, 3)
FLOW = np.array(
    [[[1.5, -2.0], [0.0, 0.25], [-3.0, 4.0]], [[8.0, 0.5], [-0.5, -0.5], [2.0, 2.0]]],
    dtype=np.float32,
)


def _flo(flow):
    height, width = flow.shape[:2]
    return struct.pack("<fii", 202021.25, width, height) + flow.astype("<f4").tobytes()


def _kitti(flow, valid):
    values = np.rint(flow * 64 + 2**15).astype(np.uint16)
    return np.dstack([values, np.asarray(valid, dtype=np.uint16)])


def _write(path, flow=FLOW):
    if path.suffix == ".flo":
        path.write_bytes(_flo(flow))
    elif path.suffix == ".png":
        path.write_bytes(encode_png(_kitti(flow, np.ones(flow.shape[:2]))))
    else:
        np.save(path, flow)
    return path


def _refused(path, size=SIZE):
    with pytest.raises(DataError) as caught:
        read_flow(path, size)
    assert caught.value.where == str(path)
    return caught.value.message


@pytest.mark.parametrize("suffix", [".flo", ".png", ".npy"])
def test_every_format_gives_the_flow_that_was_written(tmp_path, suffix):
    flow = read_flow(_write(tmp_path / f"a{suffix}"), SIZE)
    assert flow.dtype == np.float32
    np.testing.assert_array_equal(flow, FLOW)
    flow[0, 0] = 0  # callers may write to it


def test_kitti_png_is_red_u_green_v_blue_valid_as_other_programs_write_it(tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), _kitti(FLOW, np.ones(SIZE))[..., ::-1])  # OpenCV writes blue first
    np.testing.assert_array_equal(read_flow(path, SIZE), FLOW)


def test_flo_is_what_opencv_writes(tmp_path):
    path = tmp_path / "a.flo"
    assert cv2.writeOpticalFlow(str(path), FLOW)
    np.testing.assert_array_equal(read_flow(path, SIZE), FLOW)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_npy_may_have_channels_first_and_any_precision(tmp_path, dtype):
    np.save(tmp_path / "a.npy", np.moveaxis(FLOW, -1, 0).astype(dtype))
    np.testing.assert_array_equal(read_flow(tmp_path / "a.npy", SIZE), FLOW)


def test_npy_of_two_rows_and_columns_has_channels_last(tmp_path):
    np.save(tmp_path / "a.npy", FLOW[:, :2])
    np.testing.assert_array_equal(read_flow(tmp_path / "a.npy", (2, 2)), FLOW[:, :2])


def test_pixels_without_valid_flow_take_that_of_the_nearest(tmp_path):
    valid = np.array([[1, 0, 0], [1, 0, 1]])
    (tmp_path / "a.png").write_bytes(encode_png(_kitti(FLOW, valid)))
    flow = read_flow(tmp_path / "a.png", SIZE)
    np.testing.assert_array_equal(flow[0, 1], FLOW[0, 0])
    np.testing.assert_array_equal(flow[0, 2], FLOW[1, 2])
    np.testing.assert_array_equal(flow[valid > 0], FLOW[valid > 0])
    marked = FLOW.copy()
    marked[valid == 0] = 1e10  # Middlebury's mark
    (tmp_path / "a.flo").write_bytes(_flo(marked))
    np.testing.assert_array_equal(read_flow(tmp_path / "a.flo", SIZE), flow)


def test_a_file_without_any_valid_pixel_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(encode_png(_kitti(FLOW, np.zeros(SIZE))))
    assert "no pixel with valid flow" in _refused(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", [".flo", ".png", ".npy"])
def test_another_size_is_refused_with_both(tmp_path, suffix):
    message = _refused(_write(tmp_path / f"a{suffix}"), (3, 2))
    assert "flow has (2, 3) pixels (height, width), the video (3, 2)" in message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("suffix", [".flo", ".npy"])
def test_flow_that_is_not_finite_is_refused(tmp_path, suffix, value):
    flow = FLOW.copy()
    flow[1, 2, 0] = value
    assert "not finite" in _refused(_write(tmp_path / f"a{suffix}", flow))


def test_numbers_too_large_for_float32_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", FLOW.astype(np.float64) * 1e300)
    assert "not finite" in _refused(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "begins with b''"),
        (b"PIEX" + bytes(20), "begins with b'PIEX'; expected b'PIEH'"),
        (_flo(FLOW)[:-1], "has 47 bytes of flow; expected 48"),
        (_flo(FLOW) + b"x", "has 49 bytes of flow; expected 48"),
        (struct.pack("<fii", 202021.25, -3, 2), "flow has (2, -3) pixels"),
    ],
)
def test_damaged_flo_files_are_refused(tmp_path, content, said):
    (tmp_path / "a.flo").write_bytes(content)
    assert said in _refused(tmp_path / "a.flo")


@pytest.mark.parametrize("pixels", [np.zeros((2, 3, 3), np.uint8), np.zeros((2, 3), np.uint16)])
def test_pngs_that_are_no_flow_are_refused(tmp_path, pixels):
    (tmp_path / "a.png").write_bytes(encode_png(pixels))
    assert "a flow PNG has 3 channels, 16-bit RGB" in _refused(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((2, 3)), "has shape (2, 3)"),
        (np.zeros((2, 3, 3)), "has shape (3, 3, 2)"),
        (np.zeros((4, 3, 3)), "has shape (4, 3, 3)"),
        (np.zeros((2, 3, 2), np.int16), "holds int16"),
    ],
)
def test_arrays_that_are_no_flow_are_refused(tmp_path, array, said):
    np.save(tmp_path / "a.npy", array)
    message = _refused(tmp_path / "a.npy")
    assert said in message or "flow has (3, 3)" in message


def test_pickled_and_damaged_arrays_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"u": 1}], dtype=object), allow_pickle=True)
    assert "cannot be read as .npy" in _refused(tmp_path / "a.npy")
    (tmp_path / "b.npy").write_bytes(b"\x93NUMPY")
    assert "cannot be read as .npy" in _refused(tmp_path / "b.npy")
    (tmp_path / "c.npy").write_bytes(b"")
    _refused(tmp_path / "c.npy")


def test_missing_files_and_other_formats_are_refused(tmp_path):
    assert "No such file" in _refused(tmp_path / "a.flo")
    assert "expected one of .flo, .npy, .png" in _refused(tmp_path / "a.jpg")
