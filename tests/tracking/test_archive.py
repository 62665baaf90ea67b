import json
import tracemalloc
import zipfile
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from helpers.scenes import CAR, KITTI, PERSON, Box, DrawnVideo, segments_of
from hypothesis import given, settings
from hypothesis import strategies as st

from mapt_bench.errors import DataError
from mapt_bench.labels import VideoInfo
from mapt_bench.tracking import FrameCues, FrameSegments
from mapt_bench.tracking.archive import (
    ArchiveSegmenter,
    SegmentArchive,
    write_archive,
)

SCENE = [
    [Box(1, 5, score=0.25), Box(2, 40, class_id=PERSON)],
    [],
    [Box(3, 0, y=0), Box(4, 30), Box(5, 60)],
]


def _frames(dims=None):
    frames = [segments_of(boxes) for boxes in SCENE]
    if dims is None:
        return frames
    rng = np.random.default_rng(0)
    return [
        replace(frame, embeddings=rng.normal(size=(frame.count, dims)).astype(np.float32))
        for frame in frames
    ]


def _assert_equal(first: FrameSegments, second: FrameSegments) -> None:
    for name in ("stuff", "index_map", "class_ids", "scores", "embeddings"):
        left, right = getattr(first, name), getattr(second, name)
        if left is None:
            assert right is None
            continue
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("dims", [None, 7])
def test_round_trip_changes_nothing(tmp_path, dims):
    video = DrawnVideo(SCENE)
    path = tmp_path / "deep" / "drawn.npz"
    fingerprint = write_archive(path, video.info, _frames(dims))
    archive = SegmentArchive(path)
    assert archive.fingerprint == fingerprint
    assert archive.info.frame_names == video.info.frame_names
    assert archive.info.labels == KITTI
    segmenter = ArchiveSegmenter(archive)
    segmenter.start(video.info)
    for index, frame in enumerate(_frames(dims)):
        _assert_equal(frame, segmenter.segment(video.frame(index)))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12), st.integers(0, 5))
def test_round_trip_of_any_map(tmp_path_factory, seed, height, width, count):
    rng = np.random.default_rng(seed)
    index_map = rng.integers(-1, count, (height, width)).astype(np.int32)
    stuff = rng.choice([0, 1, 13, 255], (height, width)).astype(np.uint8)
    stuff[index_map >= 0] = 255
    frame = FrameSegments(stuff, index_map, rng.choice([PERSON, CAR], count), rng.random(count))
    info = VideoInfo("any", ("0",), height, width, KITTI, has_images=False)
    path = tmp_path_factory.mktemp("archive") / "any.npz"
    write_archive(path, info, [frame])
    _assert_equal(frame, SegmentArchive(path).read(0))


def test_equal_segments_make_equal_files(tmp_path):
    info = DrawnVideo(SCENE).info
    first, second = tmp_path / "a.npz", tmp_path / "b.npz"
    assert write_archive(first, info, _frames(3)) == write_archive(second, info, _frames(3))
    assert first.read_bytes() == second.read_bytes()
    assert write_archive(second, info, _frames(4)) != SegmentArchive(first).fingerprint


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (_frames()[:2], "segments of 2 frames, but the video has 3"),
        (
            [
                FrameSegments(
                    np.zeros((2, 2), np.uint8),
                    np.full((2, 2), -1, np.int32),
                    np.zeros(0, np.int64),
                    np.zeros(0),
                )
            ],
            r"\(2, 2\) pixels",
        ),
    ],
)
def test_frames_that_do_not_fit_leave_an_older_archive_alone(tmp_path, frames, message):
    path = tmp_path / "kept.npz"
    info = DrawnVideo(SCENE).info
    fingerprint = write_archive(path, info, _frames())
    with pytest.raises(DataError, match=message):
        write_archive(path, info, frames)
    assert SegmentArchive(path).fingerprint == fingerprint
    assert list(tmp_path.iterdir()) == [path]


def _archive(tmp_path):
    path = tmp_path / "drawn.npz"
    write_archive(path, DrawnVideo(SCENE).info, _frames(3))
    return path


def test_a_missing_archive(tmp_path):
    with pytest.raises(DataError, match="no such segment archive"):
        SegmentArchive(tmp_path / "none.npz")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_archive(tmp_path, share):
    path = _archive(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match="segment the video again") as caught:
        SegmentArchive(path)
    assert caught.value.where == str(path)


def test_every_flipped_byte_is_noticed_or_means_nothing(tmp_path):
    path = _archive(tmp_path)
    sound = SegmentArchive(path).read(0)
    content = path.read_bytes()
    noticed = 0
    for place in range(0, len(content), 17):
        damaged = bytearray(content)
        damaged[place] ^= 0x55
        path.write_bytes(damaged)
        try:
            _assert_equal(sound, SegmentArchive(path).read(0))
        except DataError:
            noticed += 1
    assert noticed > 0.5 * len(content) / 17


def _rewrite(path, change):
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files}
    change(arrays)
    np.savez_compressed(path, **arrays)


def _set_schema(arrays):
    header = json.loads(arrays["header"].tobytes())
    header["schema"] = "mapt-bench/segments/99"
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set_schema, "a newer version of mapt-bench wrote; this version reads"),
        (lambda arrays: arrays["scores"].__setitem__(0, 0.5), "do not match its fingerprint"),
        (lambda arrays: arrays.pop("scores"), "no readable segment archive"),
        (
            lambda arrays: arrays.update(header=np.frombuffer(b"[1]", dtype=np.uint8)),
            "has no schema",
        ),
    ],
)
def test_an_archive_that_was_tampered_with(tmp_path, change, message):
    path = _archive(tmp_path)
    _rewrite(path, change)
    with pytest.raises(DataError, match=message):
        SegmentArchive(path)


def test_another_zip_file_is_no_archive(tmp_path):
    path = tmp_path / "other.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("hello.txt", "hello")
    with pytest.raises(DataError, match="no readable segment archive"):
        SegmentArchive(path)


def test_pickles_are_not_loaded(tmp_path):
    path = tmp_path / "pickled.npz"
    np.savez_compressed(path, header=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match="no readable segment archive"):
        SegmentArchive(path)


def _claim(path, name, shape):
    """Let the header of an array state another shape. Its values stay."""
    with zipfile.ZipFile(path) as file:
        parts = {entry: file.read(entry) for entry in file.namelist()}
    header = BytesIO()
    stated = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, stated)
    parts[f"{name}.npy"] = header.getvalue() + bytes(24)
    with zipfile.ZipFile(path, "w") as file:
        for entry, data in parts.items():
            file.writestr(entry, data)


@pytest.mark.parametrize("name", ["scores", "header", "rle_bytes"])
def test_a_header_that_claims_more_than_the_file_has_allocates_nothing(tmp_path, name):
    path = _archive(tmp_path)
    _claim(path, name, (1 << 33,))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="no readable segment archive") as caught:
            SegmentArchive(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.where == str(path)
    assert "claims 68719476736 bytes" in str(caught.value.__cause__)
    assert peak < 1 << 24


def test_arrays_above_the_limit_are_not_read(tmp_path, monkeypatch):
    path = _archive(tmp_path)
    monkeypatch.setattr("mapt_bench.frame_limit.frame_limit", lambda: "4x4")
    with pytest.raises(DataError, match="was not read; segment the video again, or raise the"):
        SegmentArchive(path)


def test_a_long_header_is_not_parsed(tmp_path, monkeypatch):
    path = _archive(tmp_path)
    monkeypatch.setattr("mapt_bench.tracking.archive.TEXT_LIMIT", 10)
    with pytest.raises(DataError, match="its header has 0 MiB; expected at most 0 MiB; segment"):
        SegmentArchive(path)


def test_a_frame_beyond_the_end(tmp_path):
    with pytest.raises(DataError, match="no frame 3; the archive has 3"):
        SegmentArchive(_archive(tmp_path)).read(3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frame_names": ("000000", "000001", "000003")}, "frames differ"),
        ({"width": 97}, "size differ"),
        ({"labels": replace(KITTI, name="other")}, "label space differ"),
    ],
)
def test_an_archive_of_another_video_is_refused(tmp_path, change, message):
    segmenter = ArchiveSegmenter(SegmentArchive(_archive(tmp_path)))
    with pytest.raises(DataError, match=message):
        segmenter.start(replace(DrawnVideo(SCENE).info, **change))


def _with_cues(frames, source="a"):
    cues = [
        FrameCues(
            source,
            np.full((2, 3, 4), index, dtype=np.float16),
            np.full((frame.count, 5), index, dtype=np.float32),
        )
        for index, frame in enumerate(frames)
    ]
    return [replace(frame, cues=each) for frame, each in zip(frames, cues, strict=True)]


def test_cues_come_back_as_they_were_and_count_in_the_fingerprint(tmp_path):
    video = DrawnVideo(SCENE)
    bare = [segments_of(boxes) for boxes in SCENE]
    plain = write_archive(tmp_path / "plain.npz", video.info, bare)
    prints = {plain}
    for source in ("a", "b"):
        frames = _with_cues(bare, source)
        prints.add(write_archive(tmp_path / f"{source}.npz", video.info, frames))
        archive = SegmentArchive(tmp_path / f"{source}.npz")
        for index, frame in enumerate(frames):
            found = archive.read(index).cues
            assert found.source == source
            assert found.features.dtype == np.float16
            assert np.array_equal(found.features, frame.cues.features)
            assert np.array_equal(found.descriptors, frame.cues.descriptors)
    assert len(prints) == 3
    assert SegmentArchive(tmp_path / "plain.npz").read(0).cues is None


def test_cues_of_some_frames_or_of_two_networks_are_refused(tmp_path):
    video = DrawnVideo(SCENE)
    bare = [segments_of(boxes) for boxes in SCENE]
    first, second, *_ = _with_cues(bare)
    with pytest.raises(DataError, match="frame 1 differs from those before"):
        write_archive(tmp_path / "a.npz", video.info, [first, *bare[1:]])
    with pytest.raises(DataError, match="frame 1 differs from those before"):
        write_archive(tmp_path / "a.npz", video.info, [bare[0], second, *bare[2:]])
    other = _with_cues(bare, "b")[1]
    with pytest.raises(DataError, match="frame 1 are of another network"):
        write_archive(tmp_path / "a.npz", video.info, [first, other, *bare[2:]])
    assert not (tmp_path / "a.npz").exists()
