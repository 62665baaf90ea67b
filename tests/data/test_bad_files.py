"""Files that do not belong: each is a clear error that names the file."""

import numpy as np
import pytest
from helpers.maps import KITTI, random_maps, write_frames, write_sequences

from mapt_bench.data import open_maps
from mapt_bench.data.png import encode_png
from mapt_bench.errors import DataError

RGB = np.zeros((6, 9, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    return write_frames(tmp_path / "0001", random_maps(4)).parent


def refused(folder, message, **options):
    with pytest.raises(DataError, match=message) as caught:
        open_maps(folder, KITTI, **options)
    return caught.value


@pytest.mark.parametrize("frame", [0, 2])
@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (RGB[..., 0], "1 channel, 8-bit grey; kitti-step maps need 3 channels"),
        (RGB[..., 0].astype(np.uint16), "1 channel, 16-bit grey; kitti-step"),
        (RGB.astype(np.uint16), "3 channels, 16-bit RGB; kitti-step"),
        (RGB[..., [0, 1, 2, 2]], "4 channels, 8-bit RGBA; kitti-step"),
        (RGB[:5], "is 9x5 pixels, but the other frames of its sequence are 9x6"),
    ],
)
def test_one_file_unlike_the_rest(folder, pixels, message, frame):
    path = folder / "0001" / f"{frame:06d}.png"
    path.write_bytes(encode_png(pixels))
    assert refused(folder, message).where == str(path)


def test_a_palette_among_the_rest(folder):
    from PIL import Image

    path = folder / "0001" / "000001.png"
    Image.fromarray(RGB[..., 0]).convert("P").save(path)
    assert refused(folder, "palette; kitti-step").where == str(path)


@pytest.mark.parametrize("name", ["000001.png", "000009.jpg"])
def test_a_jpeg_whatever_its_name(folder, name):
    from PIL import Image

    path = folder / "0001" / name
    Image.fromarray(RGB).save(path, format="JPEG")
    problem = refused(folder, "JPEG|jpg file in a folder")
    assert problem.where == str(path)
    assert "write the labels as PNG" in problem.message


def test_an_array_among_pngs(folder):
    np.save(folder / "0001" / "000009.npy", np.zeros((6, 9, 2), dtype=np.uint8))
    problem = refused(folder, r"is a \.npy file in a folder of kitti-step maps")
    assert "remove it" in problem.message


def test_jpegs_only(tmp_path):
    from PIL import Image

    Image.fromarray(RGB).save(tmp_path / "000000.jpg")
    refused(tmp_path, "holds JPEGs only")


def test_a_giant_header_is_refused_undecoded(folder):
    path = folder / "0001" / "000001.png"
    giant = bytearray(encode_png(np.zeros((6000, 9000), dtype=np.uint8)))
    path.write_bytes(giant)
    assert "8-bit grey" in refused(folder, "kitti-step").message
    path.write_bytes(encode_png(np.zeros((600, 900, 3), dtype=np.uint8)))
    assert "the file was not decoded" in refused(folder, "is 900x600 pixels").message


def test_a_file_that_changed_after_opening_is_refused(folder):
    (sequence,) = open_maps(folder, KITTI).sequences
    sequence.path(1).write_bytes(encode_png(RGB[:5]))
    with pytest.raises(DataError, match="9x5 pixels"):
        sequence.read(1)
    sequence.path(1).write_bytes(encode_png(RGB)[:-20])
    with pytest.raises(DataError, match="truncated"):
        sequence.read(1)
    sequence.path(1).unlink()
    with pytest.raises(DataError, match="cannot be read"):
        sequence.read(1)


def test_an_empty_file(folder):
    path = folder / "0001" / "000003.png"
    path.write_bytes(b"")
    assert refused(folder, "empty file").where == str(path)


def test_the_same_frame_twice(tmp_path):
    np.save(tmp_path / "000000.npy", np.zeros((6, 9, 2), dtype=np.uint8))
    (tmp_path / "000000.png").write_bytes(encode_png(RGB[..., :2]))
    refused(tmp_path, r"is the same frame as 000000\.npy", encoding="two-channel")


def test_numbers_of_one_value_are_the_same_frame(folder):
    twin = folder / "0001" / "2.png"
    twin.write_bytes((folder / "0001" / "000001.png").read_bytes())
    problem = refused(folder, r"is the same frame as 000002\.png \(numbers count by their value\)")
    assert problem.where == str(twin)


def test_every_frame_of_an_unknown_kind(tmp_path):
    (tmp_path / "000000.png").write_bytes(encode_png(RGB[..., 0]))
    refused(
        tmp_path,
        r"has 1 channel, 8-bit grey; expected one of: .*8-bit RGB PNG \(coco-panoptic, kitti",
    )


def test_folders_that_are_none(tmp_path):
    (tmp_path / "empty" / "0001").mkdir(parents=True)
    (tmp_path / "file").write_text("text")
    refused(tmp_path / "empty", "holds no frame")
    refused(tmp_path / "empty", "holds no frame that can be read", encoding="kitti-step")
    refused(tmp_path / "file", "is a file; expected a folder")
    refused(tmp_path / "none", "does not exist")


def test_a_text_that_is_no_mots(tmp_path):
    (tmp_path / "README.txt").write_text("hello")
    refused(tmp_path, r"encoding of \.txt files; expected lines of .* \(mots-txt\)")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((6, 9, 2), np.nan), "108 values are NaN or infinite, the first at row 0"),
        (np.full((6, 9, 2), 0.5), "are not whole"),
        (np.where(np.arange(108) == 1, 0.5, 0).reshape(6, 9, 2), "1 value is not whole, the first"),
        (np.full((6, 9, 2), -1), "class values are -1 to -1"),
        (np.full((6, 9, 2), 256), "class values are 256 to 256"),
        (np.full((6, 9, 2), (0, 1 << 24)), "id values are"),
        (np.full((6, 9, 2), 1e30), "values are"),
    ],
)
def test_numbers_that_are_no_labels(tmp_path, array, message):
    np.save(tmp_path / "000000.npy", array)
    (sequence,) = open_maps(tmp_path, KITTI).sequences
    with pytest.raises(DataError, match=message) as caught:
        sequence.read(0)
    assert caught.value.where.endswith("000000.npy")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((6, 9)), "of shape \\(6, 9\\); two-channel maps"),
        (np.zeros((6, 9, 3)), "of shape \\(6, 9, 3\\)"),
        (np.zeros((6, 9, 2), dtype=complex), "complex128"),
        (np.zeros((0, 9, 2)), "of shape \\(0, 9, 2\\)"),
        (np.full((6, 9, 2), None), "object"),
    ],
)
def test_arrays_that_are_no_maps(tmp_path, array, message):
    np.save(tmp_path / "000000.npy", array)
    refused(tmp_path, message)


def test_broken_arrays(tmp_path):
    path = tmp_path / "000000.npy"
    np.save(path, np.zeros((6, 9, 2), dtype=np.uint8))
    whole = path.read_bytes()
    (sequence,) = open_maps(tmp_path, KITTI).sequences
    path.write_bytes(whole[:-5])
    with pytest.raises(DataError, match=r"cannot be read as \.npy"):
        sequence.read(0)
    path.write_bytes(whole.replace(b"(6, 9, 2)", b"(6, 9, 2("))
    refused(tmp_path, r"cannot be read as \.npy")
    path.write_bytes(b"nothing of the kind")
    refused(tmp_path, r"cannot be read as \.npy")


def test_a_giant_array_header(tmp_path):
    with (tmp_path / "000000.npy").open("wb") as handle:
        np.lib.format.write_array_header_1_0(
            handle, {"descr": "|u1", "fortran_order": False, "shape": (60000, 90000, 2)}
        )
    refused(tmp_path, "90000x60000 pixels; expected at most as many as 8192x8192")


def test_hidden_files_and_links_do_not_disturb(tmp_path):
    write_sequences(tmp_path / "data", ["0001"])
    (tmp_path / "data" / "0001" / "._000000.png").write_bytes(b"resource fork")
    (tmp_path / "data" / "loop").symlink_to(tmp_path / "data", target_is_directory=True)
    opened = open_maps(tmp_path / "data", KITTI)
    assert [sequence.parts for sequence in opened.sequences] == [("0001",)]
    assert opened.sequences[0].frame_names == ("000000", "000001")
