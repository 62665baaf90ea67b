"""Images and maps as videos."""

import pickle

import numpy as np
import pytest
from helpers.maps import (
    KITTI,
    draw,
    random_maps,
    same,
    shared_folder,
    write_frames,
    write_sequences,
)
from PIL import Image

from mapt_bench.data import MotsTextWriter, open_videos
from mapt_bench.data.videos import image_size, read_image
from mapt_bench.errors import DataError
from mapt_bench.labels import Video, label_space


def picture(index, size=(6, 9)):
    return np.random.default_rng(index).integers(0, 256, (*size, 3), dtype=np.uint8)


def write_images(folder, count, suffix=".png", size=(6, 9)):
    folder.mkdir(parents=True)
    for index in range(count):
        Image.fromarray(picture(index, size)).save(folder / f"{index:06d}{suffix}")
    return folder


@pytest.fixture
def folder(tmp_path):
    for name in ("train/0001", "val/0002"):
        write_images(tmp_path / "images" / name, 3)
        write_frames(tmp_path / "panoptic_maps" / name, random_maps(3))
    return tmp_path


def test_images_and_truth(folder):
    write_frames(folder / "predictions", [draw("r")])
    videos = open_videos(folder, KITTI)
    assert [video.info.name for video in videos] == ["0001", "0002"]
    video = pickle.loads(pickle.dumps(videos[0]))  # noqa: S301 - our own bytes
    assert isinstance(video, Video)
    assert video.info.frame_names == ("000000", "000001", "000002")
    assert (video.info.height, video.info.width, video.info.has_images) == (6, 9, True)
    assert video.has_truth
    assert same(video.truth(1), random_maps(3)[1])
    frame = video.frame(2)
    assert (frame.index, frame.name) == (2, "000002")
    assert np.array_equal(frame.image, picture(2))


def test_maps_only(tmp_path):
    (video,) = open_videos(write_frames(tmp_path / "0001", random_maps(2)), KITTI)
    assert video.has_truth
    assert not video.info.has_images
    with pytest.raises(DataError, match="has no image"):
        _ = video.frame(0).image


@pytest.mark.parametrize("place", ["", "images", "images/0001"])
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_images_only(tmp_path, place, suffix):
    write_images(tmp_path / "images" / "0001", 2, suffix)
    (video,) = open_videos(tmp_path / place, KITTI)
    assert not video.has_truth
    assert video.frame(0).image.shape == (6, 9, 3)
    with pytest.raises(DataError, match="has no ground truth"):
        video.truth(0)


def test_jpegs_are_images_anywhere(tmp_path):
    write_images(tmp_path / "0001", 2, ".jpg")
    (video,) = open_videos(tmp_path, KITTI)
    assert video.info.has_images
    assert not video.has_truth


def test_text_as_truth(tmp_path):
    with MotsTextWriter(tmp_path, KITTI) as writer:
        writer.write("0005", "000001", draw("c1 v", "c1 p2"))
    (video,) = open_videos(tmp_path, KITTI)
    assert video.info.frame_count == 2
    assert same(video.truth(1), draw("c1 b", "c1 p2"))


def test_text_as_truth_takes_the_frames_of_the_images(tmp_path):
    with MotsTextWriter(tmp_path / "panoptic_maps", KITTI) as writer:
        writer.write("0005", "000001", draw(*["c1 " * 9] * 6))
    write_images(tmp_path / "images" / "0005", 4)
    (video,) = open_videos(tmp_path, KITTI)
    assert video.info.frame_count == 4
    assert same(video.truth(1), draw(*["c1 " * 9] * 6))
    assert same(video.truth(3), draw(*["b " * 9] * 6))


def test_a_split_without_labels_is_no_problem(folder):
    write_images(folder / "images" / "test" / "0009", 2)
    truth = {video.info.name: video.has_truth for video in open_videos(folder, KITTI)}
    assert truth == {"0001": True, "0002": True, "0009": False}


def test_a_sequence_without_maps_beside_others(folder):
    write_images(folder / "images" / "train" / "0003", 2)
    with pytest.raises(DataError, match="images but no maps for train/0003"):
        open_videos(folder, KITTI)


def test_a_sequence_without_images(folder):
    write_sequences(folder / "panoptic_maps", ["train/0004"])
    with pytest.raises(DataError, match="maps but no images for train/0004"):
        open_videos(folder, KITTI)


@pytest.mark.parametrize(
    ("kind", "message"),
    [("images", "1 of 3 frames have maps but no images"), ("panoptic_maps", "images but no maps")],
)
def test_a_missing_frame(folder, kind, message):
    (folder / kind / "train" / "0001" / "000001.png").unlink()
    with pytest.raises(DataError, match=rf"{message} \(the first is 000001\)"):
        open_videos(folder, KITTI)


def test_two_images_of_one_moment(folder):
    image = next((folder / "images").rglob("*01.png"))
    image.with_name("1.png").write_bytes(image.read_bytes())
    with pytest.raises(DataError, match=r"is the same frame as 000001\.png") as caught:
        open_videos(folder, KITTI)
    assert caught.value.where == str(image.with_name("1.png"))


def test_sizes_that_differ(folder):
    Image.fromarray(picture(0, (5, 9))).save(folder / "images" / "train" / "0001" / "000001.png")
    with pytest.raises(DataError, match=r"is 9x5 pixels, but 000000\.png is 9x6"):
        open_videos(folder, KITTI)


def test_images_of_another_size_than_their_maps(tmp_path):
    write_images(tmp_path / "images" / "0001", 2, size=(12, 18))
    write_sequences(tmp_path / "panoptic_maps", ["0001"])
    with pytest.raises(DataError, match="images are 18x12 pixels, their maps 9x6"):
        open_videos(tmp_path, KITTI)


def test_truth_outside_the_label_space(tmp_path):
    folder = write_frames(tmp_path / "0001", [draw("r c1 c1")])
    (video,) = open_videos(folder, label_space("motchallenge-step"))
    with pytest.raises(DataError, match=r"class 13 \(2 pixels\)") as caught:
        video.truth(0)
    assert caught.value.where.endswith("000000.png")


def test_broken_images(tmp_path):
    folder = write_images(tmp_path / "images", 2, ".jpg")
    (video,) = open_videos(folder, KITTI)
    (folder / "000001.jpg").write_bytes((folder / "000001.jpg").read_bytes()[:300])
    with pytest.raises(DataError, match="cannot be decoded as an image"):
        _ = video.frame(1).image
    (folder / "000001.jpg").write_bytes(b"")
    with pytest.raises(DataError, match="cannot be decoded as an image"):
        open_videos(folder, KITTI)


def test_grey_images_are_read_as_rgb(tmp_path):
    (tmp_path / "images").mkdir()
    Image.fromarray(picture(0)[..., 0]).save(tmp_path / "images" / "0.png")
    (video,) = open_videos(tmp_path, KITTI)
    assert np.array_equal(video.frame(0).image, picture(0)[..., [0, 0, 0]])


def test_nothing_to_open(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        open_videos(tmp_path, KITTI)
    with pytest.raises(DataError, match="does not exist"):
        open_videos(tmp_path / "none", KITTI)


def test_real_frames():
    (video,) = open_videos(shared_folder("data", "kitti_step_0001"), KITTI)
    assert video.info.frame_count == 10
    assert video.frame(9).image.shape == (375, 1242, 3)
    assert video.truth(9).shape == (375, 1242)


@pytest.mark.parametrize(("orientation", "size"), [(1, (2, 6)), (3, (2, 6)), (6, (6, 2))])
def test_a_jpeg_is_turned_upright(tmp_path, orientation, size):
    """Orientation 6: the first row of the file is the right side of the picture."""
    pixels = np.zeros((2, 6, 3), dtype=np.uint8)
    pixels[:, :3] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "0.jpg"
    Image.fromarray(pixels).save(path, quality=100, subsampling=0, exif=exif)
    image = read_image(path, image_size(path))
    assert image.shape[:2] == size
    bright = {1: image[:, :3], 3: image[:, 3:], 6: image[:3]}[orientation]
    assert bright.min() > 200
    assert image.mean() < 140
