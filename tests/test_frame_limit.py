"""Frames and files that would cost too much, or that would never end, are refused at once."""

import os
import socket
import struct
import zlib
from functools import partial

import numpy as np
import pytest
from helpers.memory import peak_mb

from mapt_bench.cli.main import main
from mapt_bench.data import open_maps
from mapt_bench.data.dataset_file import Extents, write_dataset_file
from mapt_bench.data.encodings import encoding_names
from mapt_bench.data.encodings._mots_lines import read_lines
from mapt_bench.data.png import encode_png, load_png
from mapt_bench.data.rle import encode_rle
from mapt_bench.data.sequences import raise_problem
from mapt_bench.data.writers import map_format, writer_names
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.files import file_sha256, read_text
from mapt_bench.frame_limit import frame_limit, max_pixels, set_frame_limit, working_memory
from mapt_bench.labels import BACKGROUND_ID, ID_BITS, PanopticMap, label_space

KITTI = label_space("kitti-step")


@pytest.fixture(autouse=True)
def _default_limit(monkeypatch):
    monkeypatch.setenv("MAPT_BENCH_MAX_FRAME", "8192x8192")
    frame_limit.cache_clear()
    yield
    frame_limit.cache_clear()


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of_zeros(width, height, color_type=2, depth=8):
    channels = {2: 3, 6: 4}[color_type]
    packer = zlib.compressobj(9)
    row = bytes(1 + channels * width * depth // 8)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def test_the_default_is_8192_by_8192_and_2_gb(monkeypatch):
    monkeypatch.delenv("MAPT_BENCH_MAX_FRAME")
    assert max_pixels() == 8192 * 8192
    assert working_memory() == 2 << 30


def test_a_larger_frame_is_refused_and_can_be_allowed(tmp_path):
    path = tmp_path / "0.png"
    path.write_bytes(png_of_zeros(8193, 8192))
    with pytest.raises(DataError, match="8193x8192 pixels; expected at most as many as 8192x8192"):
        load_png(path)
    set_frame_limit("8192x8193")
    assert load_png(path).header.width == 8193


def test_a_frame_of_many_bytes_per_pixel_is_refused(tmp_path):
    path = tmp_path / "0.png"
    path.write_bytes(png_of_zeros(8192, 8192, color_type=6, depth=16))
    with pytest.raises(DataError, match=r"would take about 2\.7 GB; expected at most 2\.1 GB"):
        load_png(path)


@pytest.mark.parametrize(
    "size", ["", "8192", "0x5", "8192 x 8192", "-1x5", "1e9x1", "9" * 20 + "x1"]
)
def test_a_limit_of_another_form(size):
    with pytest.raises(ConfigError, match="--max-frame"):
        set_frame_limit(size)


def test_the_option_of_the_command_line(tmp_path, capsys):
    (tmp_path / "0.png").write_bytes(encode_png(np.zeros((3, 4, 3), dtype=np.uint8)))
    with pytest.raises(SystemExit) as stop:
        main(["--max-frame", "3x3", "check", str(tmp_path)])
    assert stop.value.code in (1, 3)
    assert "4x3 pixels; expected at most as many as 3x3" in "".join(capsys.readouterr())


def lines_of(tmp_path, text):
    path = tmp_path / "0.txt"
    path.write_text(text)
    return read_lines(path, KITTI, raise_problem)


def test_a_line_of_a_large_frame_is_refused(tmp_path):
    whole = encode_rle((np.array([0]), np.array([5])), 16384 * 16384)
    with pytest.raises(DataError, match="line 1: its frame is 16384x16384 pixels"):
        lines_of(tmp_path, f"0 1001 1 16384 16384 {whole}\n")


def test_a_line_that_is_too_long_is_refused(tmp_path):
    set_frame_limit("100x100")
    assert len(lines_of(tmp_path, "0 1001 1 6 9 " + "1" * 2000 + "\n")) == 1
    with pytest.raises(DataError, match="has 5000 characters or more"):
        lines_of(tmp_path, "0 1001 1 6 9 12\n1 1001 1 6 9 " + "1" * 6000 + "\n")


def test_a_number_of_thousands_of_digits_is_no_number(tmp_path):
    with pytest.raises(DataError, match="five whole numbers"):
        lines_of(tmp_path, "9" * 5000 + " 1001 1 6 9 12\n")


DECODE = """
import sys
from pathlib import Path
from mapt_bench.data import open_maps
from mapt_bench.errors import DataError
try:
    encoding = sys.argv[3] if len(sys.argv) > 3 else None
    (sequence,) = open_maps(Path(sys.argv[1]), "kitti-step", encoding=encoding).sequences
    sequence.read(0)
except DataError as problem:
    assert sys.argv[2] == "refused", problem
else:
    assert sys.argv[2] == "read"
"""


def test_a_png_of_16384_by_16384_takes_no_memory(tmp_path):
    (tmp_path / "000000.png").write_bytes(png_of_zeros(16384, 16384))
    assert peak_mb(DECODE, tmp_path, "refused") < 250


@pytest.mark.parametrize(("encoding", "color_type"), [("kitti-step", 2), ("bdd100k", 6)])
def test_the_largest_png_stays_below_the_working_memory(tmp_path, encoding, color_type):
    (tmp_path / "000000.png").write_bytes(png_of_zeros(8192, 8192, color_type))
    assert peak_mb(DECODE, tmp_path, "read", encoding) < 2000


def test_the_largest_mots_frame_stays_below_the_working_memory(tmp_path):
    whole = encode_rle((np.array([0]), np.array([8192 * 8000])), 8192 * 8192)
    (tmp_path / "0000.txt").write_text(f"0 1001 1 8192 8192 {whole}\n")
    assert peak_mb(DECODE, tmp_path, "read") < 1500


def test_a_line_of_60_mb_takes_little_memory(tmp_path):
    with (tmp_path / "0000.txt").open("w") as file:
        file.write("0 1001 1 48 64 " + "1" * 60_000_000)
    assert peak_mb(DECODE, tmp_path, "refused") < 600


def make_special(path, kind):
    if kind == "named pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    else:
        path.symlink_to("/dev/zero")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("kind", ["named pipe", "socket", "device"])
@pytest.mark.parametrize("name", ["1.png", "1.txt", "1.json", "1.npz", "1.npy"])
def test_what_is_no_file_is_refused(tmp_path, monkeypatch, kind, name):
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    path = tmp_path / name
    make_special(path if kind != "socket" else path.relative_to(tmp_path), kind)
    with pytest.raises(DataError, match=f"is a {kind}; expected a file"):
        open_maps(tmp_path, KITTI)
    for reader in (read_text, file_sha256, load_png):
        with pytest.raises(DataError, match=f"is a {kind}; expected a file"):
            reader(path)


def test_a_link_to_nothing_is_reported_when_it_is_read(tmp_path):
    (tmp_path / "1.png").symlink_to(tmp_path / "gone")
    with pytest.raises(DataError, match="cannot be read"):
        open_maps(tmp_path, KITTI)


def written(folder, name):
    """Write two frames with one car in any encoding."""
    labels = label_space("bdd100k-panoptic") if name == "bdd100k" else KITTI
    codes = np.full((4, 5), labels.ignore_label << ID_BITS | BACKGROUND_ID, dtype=np.uint32)
    codes[1:3, 1:3] = labels.by_name("car").class_id << ID_BITS | 1
    objects_only = not map_format(name).has_stuff
    with map_format(name).open(folder, labels, objects_only=objects_only) as writer:
        for number in range(2):
            writer.write("0001", f"{number:06d}", PanopticMap(codes))


def mots_png(folder):
    folder.mkdir()
    pixels = np.zeros((4, 5), dtype=np.uint16)
    pixels[1:3, 1:3] = 1001
    (folder / "000000.png").write_bytes(encode_png(pixels))


def npy(folder):
    folder.mkdir()
    np.save(folder / "000000.npy", np.ones((4, 5, 2), dtype=np.uint8))


def array_of_masks(folder):
    folder.mkdir()
    np.savez(folder / "0001.npz", **{"0/1": np.ones((4, 5), dtype=bool)})
    (folder / "object_classes.yaml").write_text('{"sequences": {"0001": {"1": "car"}}}')


def folder_of_each_object(folder):
    for name in ("1", "2"):
        (folder / "0001" / name).mkdir(parents=True)
        mask = np.zeros((4, 5), dtype=np.uint8)
        mask[int(name)] = 255
        (folder / "0001" / name / "000000.png").write_bytes(encode_png(mask))
    classes = '{"sequences": {"0001": {"1": "car", "2": "car"}}}'
    (folder / "object_classes.yaml").write_text(classes)


def challenge(folder):
    """Ground truth of MOTS Challenge without object: ``seqinfo.ini`` alone states the size."""
    (folder / "MOTS20-02" / "gt").mkdir(parents=True)
    (folder / "MOTS20-02" / "gt" / "gt.txt").write_text("")
    text = "[Sequence]\nseqLength=3\nimHeight=4\nimWidth=5\n"
    (folder / "MOTS20-02" / "seqinfo.ini").write_text(text)


def sizes_in_dataset_file(folder):
    folder.mkdir()
    (folder / "0001.txt").write_text("")
    extents = Extents({"0001": 2}, {"0001": (4, 5)})
    write_dataset_file(folder, KITTI, "mots-txt", extents)


SAMPLES = {
    **{name: partial(written, name=name) for name in writer_names()},
    **{each.__name__: each for each in (mots_png, npy, array_of_masks, folder_of_each_object)},
    "challenge": challenge,
    "sizes_in_dataset_file": sizes_in_dataset_file,
}


def read_all(folder):
    maps = open_maps(folder)
    for sequence in maps.sequences:
        for index in range(len(sequence.frame_names)):
            assert sequence.read(index).shape == (4, 5)
    return maps.encoding


@pytest.mark.parametrize("name", SAMPLES)
def test_every_format_keeps_the_limit(tmp_path, name):
    SAMPLES[name](tmp_path / "maps")
    read_all(tmp_path / "maps")
    set_frame_limit("3x6")
    with pytest.raises(DataError, match="is 5x4 pixels; expected at most as many as 3x6"):
        read_all(tmp_path / "maps")


def test_the_samples_are_of_every_encoding(tmp_path):
    found = set()
    for name, write in SAMPLES.items():
        write(tmp_path / name)
        found.add(read_all(tmp_path / name))
    assert found == set(encoding_names())


def test_a_size_of_the_options_keeps_the_limit(tmp_path):
    (tmp_path / "0001.txt").write_text("")
    with pytest.raises(DataError, match="is 99999x99999 pixels; expected at most"):
        open_maps(tmp_path, KITTI, extents=Extents.from_options(["3"], "99999x99999"))


@pytest.mark.parametrize("frames", ["0", "-1", "1000001", "9" * 30, "9" * 5000, "\u0663", "a=1e3"])
def test_an_impossible_number_of_frames_is_refused(frames):
    with pytest.raises(ConfigError, match=r"--frames is .*1 to 1000000"):
        Extents.from_options([frames], None)


@pytest.mark.parametrize("count", [0, 10**30])
def test_an_impossible_length_in_files_is_refused(tmp_path, count):
    challenge(tmp_path / "a")
    path = tmp_path / "a" / "MOTS20-02" / "seqinfo.ini"
    path.write_text(path.read_text().replace("seqLength=3", f"seqLength={count}"))
    with pytest.raises(DataError, match="expected 1 to 1000000"):
        open_maps(tmp_path / "a", KITTI)
    sizes_in_dataset_file(tmp_path / "b")
    path = tmp_path / "b" / "dataset.json"
    path.write_text(path.read_text().replace('"frames": 2', f'"frames": {count}'))
    message = "more than 64 bits" if count else r"must map names to {'frames': 1 to 1000000"
    with pytest.raises(DataError, match=message):
        open_maps(tmp_path / "b")
