"""The decoders of PNG, MOTS text and run lengths under coverage-guided fuzzing (atheris).

    pip install -e ".[fuzz]"
    python -m tests.fuzz.decoders png --seconds 600

Each target takes bytes and raises an error that is not one of the package for a fault.
"""

import importlib
import io
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FunctionType, ModuleType

import click
import numpy as np

from mapt_bench.data import open_maps
from mapt_bench.data.png import decode_png, encode_png, load_png
from mapt_bench.data.rle import encode_rle, parse_rle
from mapt_bench.errors import DataError, MaptBenchError
from mapt_bench.frame_limit import set_frame_limit

_SIZE = 6 * 9
_LARGEST = "1024x1024"


def png(data: bytes, folder: Path) -> None:
    """Decode a PNG, and compare its pixels with those that Pillow decodes."""
    path = folder / "a.png"
    path.write_bytes(data)
    try:
        file = load_png(path)
        pixels = decode_png(file)
    except DataError:
        return
    assert pixels.shape[:2] == file.header.size
    expected = _with_pillow(data)
    if expected is not None and expected.shape == pixels.shape:
        assert np.array_equal(pixels, expected), "other pixels than Pillow"


def _with_pillow(data: bytes) -> "np.ndarray | None":
    from PIL import Image

    with suppress(Exception):  # it refuses what the header does not say, too
        image = Image.open(io.BytesIO(data))
        if image.mode in ("L", "LA", "RGB", "RGBA") and not image.info.get("transparency"):
            return np.asarray(image)
    return None


def rle(data: bytes, folder: Path) -> None:
    """Read run lengths. Those that are valid come back from their runs."""
    del folder
    text = data.decode("latin-1")
    try:
        starts, ends = parse_rle(text, _SIZE)
    except ValueError:
        return
    assert (starts < ends).all()
    assert (ends[:-1] <= starts[1:]).all()
    assert starts.size == 0 or (starts[0] >= 0 and ends[-1] <= _SIZE)
    again = parse_rle(encode_rle((starts, ends), _SIZE), _SIZE)
    mask = np.zeros(_SIZE, dtype=bool)
    for start, end in zip(starts, ends, strict=True):
        mask[start:end] = True
    for start, end in zip(*again, strict=True):
        assert mask[start:end].all()


def mots(data: bytes, folder: Path) -> None:
    """Read a folder with one file of MOTS text."""
    (folder / "0001.txt").write_bytes(data)
    with suppress(MaptBenchError):
        for sequence in open_maps(folder, "kitti-step", encoding="mots-txt").sequences:
            for index in range(min(20, len(sequence.frame_names))):
                sequence.read(index)


_DECODERS = (
    "mapt_bench.data.png",
    "mapt_bench.data.rle",
    "mapt_bench.data.encodings._mots_lines",
    "mapt_bench.data.encodings.mots_text",
)


def _instrument(module: ModuleType, instrument: Callable[[FunctionType], None]) -> None:
    """Let atheris see which lines of a module run."""
    for value in vars(module).values():
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            instrument(value)


TARGETS: dict[str, Callable[[bytes, Path], None]] = {"png": png, "rle": rle, "mots": mots}


def seeds(target: str) -> list[bytes]:
    """Return valid inputs, from which the search starts."""
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (6, 9, 4), dtype=np.uint8)
    if target == "png":
        wide = rng.integers(0, 2**16, (6, 9), dtype=np.uint16)
        shapes = (grey[..., 0], grey[..., :2], grey[..., :3], grey, wide)
        return [encode_png(np.ascontiguousarray(pixels)) for pixels in shapes]
    runs = [encode_rle((np.array([4, 20]), np.array([9, 50])), _SIZE), "f1", "04b1"]
    if target == "rle":
        return [text.encode() for text in runs]
    return [f"0 1001 1 6 9 {runs[0]}\n2 2002 2 6 9 {runs[1]}\n2 10000 10 6 9 {runs[2]}\n".encode()]


@click.command()
@click.argument("target", type=click.Choice(list(TARGETS)))
@click.option("--seconds", default=600, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(target: str, seconds: int, seed: int) -> None:
    """Search for bytes that a decoder mishandles. Needs the extra [fuzz]."""
    import atheris

    set_frame_limit(_LARGEST)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as name:  # noqa: PTH112, S108
        folder = Path(name)
        (folder / "seeds").mkdir()
        (folder / "data").mkdir()
        for number, data in enumerate(seeds(target)):
            (folder / "seeds" / str(number)).write_bytes(data)
        decode = TARGETS[target]
        for module in _DECODERS:
            _instrument(importlib.import_module(module), atheris.instrument_func)
        limits = (
            f"-max_total_time={seconds}",
            f"-seed={seed}",
            "-max_len=4096",
            "-rss_limit_mb=1000",
        )
        atheris.Setup(
            [sys.argv[0], str(folder / "seeds"), *limits],
            lambda data: decode(data, folder / "data"),
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
