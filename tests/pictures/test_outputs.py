from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.pictures import picture_format, write_animation, write_png

RED = np.zeros((41, 63, 3), dtype=np.uint8)
RED[..., 0] = 200
PAGES = [RED, RED[..., ::-1], RED]


@pytest.mark.parametrize(("name", "kind"), [("a.png", "png"), ("a.GIF", "gif"), ("b.c.mp4", "mp4")])
def test_format_by_suffix(name, kind):
    assert picture_format(Path(name)) == kind


@pytest.mark.parametrize(
    ("name", "message"),
    [("a.mp5", r"suffix '\.mp5'.*did you mean '\.mp4'"), ("a", r"no suffix.*\.gif, \.mp4, \.png")],
)
def test_unknown_suffix(name, message):
    with pytest.raises(ConfigError, match=message):
        picture_format(Path(name))


def test_png_has_the_pixels_and_the_same_bytes_each_time(tmp_path):
    for name in ("a.png", "b.png"):
        write_png(tmp_path / name, RED)
    assert (np.asarray(Image.open(tmp_path / "a.png")) == RED).all()
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_gif(tmp_path):
    write_animation(tmp_path / "a.gif", iter(PAGES), rate=4)
    with Image.open(tmp_path / "a.gif") as film:
        assert film.n_frames == 3
        assert film.info["duration"] == 250
        assert film.info["loop"] == 0
        film.seek(1)
        assert (np.asarray(film.convert("RGB")) == PAGES[1]).all()


def test_mp4_at_an_even_size(tmp_path):
    write_animation(tmp_path / "a.mp4", PAGES, rate=4)
    film = cv2.VideoCapture(str(tmp_path / "a.mp4"))
    ok, first = film.read()
    assert ok
    assert first.shape == (42, 64, 3)
    assert abs(int(first[20, 20, 2]) - 200) < 12
    assert first[20, 20, 0] < 30
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) == 3
    assert film.get(cv2.CAP_PROP_FPS) == 4


def test_without_the_codec(tmp_path, monkeypatch):
    class Deaf:
        fourcc = staticmethod(cv2.VideoWriter.fourcc)

        def __init__(self, *_):
            pass

        def isOpened(self):  # noqa: N802 - OpenCV's name
            return False

        def release(self):
            pass

    monkeypatch.setattr(cv2, "VideoWriter", Deaf)
    with pytest.raises(DataError, match=r"no encoder for MP4.*write a \.gif"):
        write_animation(tmp_path / "a.mp4", PAGES, rate=4)
    assert list(tmp_path.iterdir()) == []


def test_a_png_is_no_film(tmp_path):
    with pytest.raises(ConfigError, match="suffix of a single picture"):
        write_animation(tmp_path / "a.png", PAGES, rate=4)


def test_unwritable(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_png(tmp_path / "file" / "a.png", RED)


def test_a_film_that_breaks_off_leaves_what_was_there(tmp_path):
    def broken():
        yield RED
        raise DataError("unreadable")

    target = tmp_path / "a.gif"
    target.write_text("before")
    with pytest.raises(DataError, match="unreadable"):
        write_animation(target, broken(), rate=4)
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]
