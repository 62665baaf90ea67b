"""Encodings of other packages: registered by decorator or entry point, detected, read."""

import importlib.metadata
import pickle
import re

import numpy as np
import pytest
from helpers.maps import CAR, KITTI, PERSON, draw, same, write_frames
from helpers.modules import ROOT

from mapt_bench.data import FrameEncoding, encoding_names, open_maps, register_encoding
from mapt_bench.data.encodings import encoding_registry
from mapt_bench.data.png import encode_png
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import pack_codes


class TinyEncoding(FrameEncoding):
    """A fake encoding: one byte each for height, width and every pixel's class."""

    name = "tiny"
    suffixes = frozenset({".tiny"})
    form = "bytes of height, width and classes"

    def accepts(self, path):
        return path.read_bytes()[:1] != b"\0"

    def size(self, path):
        height, width = path.read_bytes()[:2]
        return height, width

    def decode(self, path, size, labels):
        classes = np.frombuffer(path.read_bytes()[2:], dtype=np.uint8).reshape(size)
        return pack_codes(classes, np.ones_like(classes))


class AlphaEncoding(TinyEncoding):
    """A fake encoding of PNGs that a folder with a file ``alpha.txt`` holds."""

    name = "alpha"
    suffixes = frozenset({".png"})
    form = "8-bit RGB PNG"
    refines = "kitti-step"

    def recognises(self, listing, files):
        return (listing.root / "alpha.txt").exists()


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    """Forget after each test what it has registered."""
    monkeypatch.setattr(encoding_registry, "_REGISTERED", dict(encoding_registry._REGISTERED))
    yield
    encoding_registry._load_entry_points.cache_clear()


def save_tiny(folder, name="000000.tiny", content=bytes([1, 2, CAR, CAR])):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder


def enter(monkeypatch, value, name="tiny"):
    """Let another package name an entry point."""
    entry = importlib.metadata.EntryPoint(name, value, encoding_registry.ENTRY_POINTS)
    found = importlib.metadata.entry_points

    def entry_points(**given):
        return [entry] if given == {"group": encoding_registry.ENTRY_POINTS} else found(**given)

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    encoding_registry._load_entry_points.cache_clear()


def test_a_registered_encoding_is_named_detected_and_read(tmp_path):
    assert register_encoding(TinyEncoding) is TinyEncoding
    assert "tiny" in encoding_names()
    save_tiny(tmp_path / "0001")
    opened = open_maps(tmp_path, KITTI)
    assert opened.encoding == "tiny"
    (sequence,) = opened.sequences
    assert sequence.frame_names == ("000000",)
    assert same(sequence.read(0), draw("c1 c1"))
    assert pickle.loads(pickle.dumps(sequence)) == sequence  # noqa: S301 - our own bytes


def test_an_encoding_that_is_not_registered_is_unknown(tmp_path):
    save_tiny(tmp_path)
    with pytest.raises(DataError, match="holds no frame"):
        open_maps(tmp_path, KITTI)
    with pytest.raises(ConfigError, match="unknown encoding 'tiny'"):
        open_maps(tmp_path, KITTI, encoding="tiny")


def test_an_encoding_must_accept_every_file(tmp_path):
    register_encoding(TinyEncoding)
    save_tiny(tmp_path)
    save_tiny(tmp_path, "000001.tiny", b"\0")
    message = r"encoding of \.tiny files; expected bytes of height, width and classes \(tiny\)"
    with pytest.raises(DataError, match=message):
        open_maps(tmp_path, KITTI)


def test_a_refining_encoding_is_asked_about_the_folder(tmp_path):
    register_encoding(AlphaEncoding)
    write_frames(tmp_path, [draw("r")])
    assert open_maps(tmp_path, KITTI).encoding == "kitti-step"
    (tmp_path / "alpha.txt").write_text("")
    assert open_maps(tmp_path, KITTI).encoding == "alpha"


def test_an_entry_point_registers_a_class(tmp_path, monkeypatch):
    enter(monkeypatch, f"{__name__}:TinyEncoding")
    monkeypatch.setitem(__import__("sys").modules, __name__, _module())
    assert open_maps(save_tiny(tmp_path), KITTI).encoding == "tiny"


def test_a_broken_entry_point_is_named(monkeypatch):
    enter(monkeypatch, "no_such_package.maps:Maps", name="lost")
    with pytest.raises(ConfigError, match=r"encoding 'lost' \(no_such_package\.maps:Maps\) cannot"):
        encoding_names()


def test_a_name_is_registered_once():
    class Other(TinyEncoding):
        name = "kitti-step"

    with pytest.raises(ConfigError, match="two encodings are named 'kitti-step'"):
        register_encoding(Other)


def test_the_example_of_the_docs_works(tmp_path):
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?@register_encoding.*?)```", page, flags=re.DOTALL)
    exec(example, {})  # noqa: S102 - the text of our own page
    pixels = np.array([[[CAR, 0, 1, 2], [PERSON, 1, 0, 0]]], dtype=np.uint16)
    (tmp_path / "000000.png").write_bytes(encode_png(pixels))
    opened = open_maps(tmp_path, KITTI)
    assert opened.encoding == "rgba"
    panoptic = opened.sequences[0].read(0)
    assert panoptic.classes.tolist() == [[CAR, PERSON]]
    assert panoptic.ids.tolist() == [[258, 65536]]


def _module():
    import types

    module = types.ModuleType(__name__)
    module.TinyEncoding = TinyEncoding
    return module
