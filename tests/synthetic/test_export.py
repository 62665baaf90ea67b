import fcntl
import hashlib
import json
import os
import shutil

import numpy as np
import pytest
from helpers.annotated_scenes import AnnotatedScene
from helpers.scenes import HEIGHT, KITTI, WIDTH, Box
from pycocotools import mask as coco

from mapt_bench.baselines.flow_sources import build_flow_source
from mapt_bench.data import check_data, open_videos
from mapt_bench.data.annotations import open_annotated_videos
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import AnnotatedVideo
from mapt_bench.synthetic._export_folder import Place
from mapt_bench.synthetic.video import WorldVideo
from mapt_bench.synthetic.video_export import Export, ExportedVideo, export_videos
from mapt_bench.synthetic.world_settings import WorldSettings

# The second car passes before the first; both leave parts of themselves outside.
PASSING = [[Box(1, 30 - 3 * t), Box(2, 2 + 9 * t, y=14, height=20)] for t in range(5)]
APART = [[Box(1, 4 + t), Box(2, 60, y=30)] for t in range(4)]


def _videos(*names):
    scenes = {"passing": PASSING, "apart": APART}
    return tuple(
        ExportedVideo(AnnotatedScene(scenes[name], name=name), {"seed": number, "kind": "boxes"})
        for number, name in enumerate(names or ("passing", "apart"))
    )


def _tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_it_is_a_folder_like_any_other(tmp_path):
    written = export_videos(Export(tmp_path / "w", _videos()))
    assert [(one.header.sequence, one.header.frames) for one in written] == [
        ("passing", 5),
        ("apart", 4),
    ]
    assert not check_data(tmp_path / "w", KITTI).problems
    drawn = {one.video.info.name: one.video for one in _videos()}
    found = open_videos(tmp_path / "w", KITTI)
    assert {video.info.name for video in found} == set(drawn)
    for video in found:
        for index in range(video.info.frame_count):
            original = drawn[video.info.name]
            assert np.array_equal(video.frame(index).image, original.image(index))
            assert np.array_equal(video.truth(index).codes, original.truth(index).codes)


def test_what_is_known_comes_back(tmp_path):
    export_videos(Export(tmp_path / "w", _videos(), flow="both"))
    drawn = {one.video.info.name: one.video for one in _videos()}
    for video in open_annotated_videos(tmp_path / "w"):
        assert isinstance(video, AnnotatedVideo)
        original = drawn[video.info.name]
        last = video.info.frame_count - 1
        for index in range(last + 1):
            for mine, other in zip(video.objects(index), original.objects(index), strict=True):
                assert np.array_equal(mine.amodal, other.amodal)
                for name in ("code", "top", "left", "visible_px", "depth", "look_alike"):
                    assert getattr(mine, name) == getattr(other, name)
                assert mine.speed == pytest.approx(other.speed, abs=1e-4, nan_ok=True)
        for index in range(1, last + 1):
            mine, other = video.backward_flow(index), original.backward_flow(index)
            assert np.array_equal(mine.valid, other.valid)
            assert np.array_equal(mine.flow[mine.valid], other.flow[other.valid])
            mine, other = video.forward_flow(index - 1), original.forward_flow(index - 1)
            assert np.array_equal(mine.valid, other.valid)
        with pytest.raises(DataError, match="no previous frame"):
            video.backward_flow(0)
        with pytest.raises(DataError, match="no next frame"):
            video.forward_flow(last)


def test_the_side_car_speaks_coco(tmp_path):
    export_videos(Export(tmp_path / "w", _videos("passing"), split="train"))
    lines = (tmp_path / "w/known/train/passing.jsonl").read_text().splitlines()
    header, *frames = map(json.loads, lines)
    assert header["schema"] == "mapt-bench/known/1"
    assert header["settings"] == {"seed": 0, "kind": "boxes"}
    assert header["tracks"] == 2
    assert [frame["frame"] for frame in frames] == [f"{index:06d}" for index in range(5)]
    near, far = frames[3]["objects"]
    assert (near["id"], far["id"], near["order"], far["order"]) == (2, 1, 0, 1)
    assert (far["class"], far["code"]) == (13, 13 << 24 | 1)
    whole = coco.decode(far["amodal"])
    assert whole.shape == (HEIGHT, WIDTH)
    assert whole.sum() == far["amodal_px"] == 144
    assert whole[10:22, 21:33].all()
    assert far["box"] == [21, 10, 12, 12]
    assert far["visible_fraction"] == pytest.approx(far["visible_px"] / 144, abs=1e-4)
    assert 0 < far["visible_px"] < 144
    assert frames[0]["objects"][0]["speed"] is None
    assert frames[1]["objects"][0]["speed"] == 9


def test_fingerprints_are_of_what_was_drawn(tmp_path):
    (written,) = export_videos(Export(tmp_path / "w", _videos("apart")))
    video = _videos("apart")[0].video
    maps = b"".join(video.truth(t).codes.astype("<u4").tobytes() for t in range(4))
    images = b"".join(video.image(t).tobytes() for t in range(4))
    assert written.header.maps_sha256 == hashlib.sha256(maps).hexdigest()
    assert written.header.images_sha256 == hashlib.sha256(images).hexdigest()


def test_the_flow_tracker_reads_the_flow(tmp_path):
    export_videos(Export(tmp_path / "w", _videos(), flow="both"))
    source = build_flow_source("flow:files", weights=tmp_path / "w/backward_flow/val")
    video = _videos("apart")[0].video
    source.start(video.info)
    flow = source.flow(video.frame(1), video.frame(0))
    assert (flow[12, 8] == (-1, 0)).all()
    assert (flow[35, 65] == (0, 0)).all()


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_bytes_depend_on_nothing_but_what_is_asked_for(tmp_path, jobs):
    export_videos(Export(tmp_path / "first", _videos(), flow="both"))
    export_videos(Export(tmp_path / "second", _videos(), flow="both"), jobs=jobs)
    first = _tree(tmp_path / "first")
    assert first == _tree(tmp_path / "second")
    assert len(first) == 2 * 9 + 2 * 7 + 2 + 2
    assert not any(name.startswith(".") for name in first)


class Killed(BaseException):
    """Stands for the signal that ends a process."""


@pytest.mark.parametrize("moved", [0, 1, 2, 3])
def test_an_interrupted_export_goes_on(tmp_path, monkeypatch, moved):
    """Killed when the second sequence has been drawn and so many of its parts moved."""
    export_videos(Export(tmp_path / "whole", _videos()))
    folder = tmp_path / "w"
    real_move = Place.move

    def move(self):
        if self.info.name != "apart":
            real_move(self)
            return
        for part, goal in list(self.parts())[:moved]:
            goal.parent.mkdir(parents=True, exist_ok=True)
            part.replace(goal)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Place, "move", move)
        with pytest.raises(Killed):
            export_videos(Export(folder, _videos()))
    kept = folder / "images" / "val" / "passing" / "000000.png"
    stamp = kept.stat().st_mtime_ns
    told = []
    again = export_videos(Export(folder, _videos()), advance=told.append)
    assert [one.was_there for one in again] == [True, moved > 2]
    assert sum(told) == 9
    assert kept.stat().st_mtime_ns == stamp
    assert _tree(folder) == _tree(tmp_path / "whole")


def test_a_finished_export_is_left_alone(tmp_path):
    export_videos(Export(tmp_path / "w", _videos()))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "w").rglob("*.png")}
    assert all(one.was_there for one in export_videos(Export(tmp_path / "w", _videos())))
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("known/val/apart.jsonl", lambda data: b""),
        ("known/val/apart.jsonl", lambda data: data[:-40]),
        ("images/val/apart/000001.png", lambda data: b""),
        ("panoptic_maps/val/apart/000003.png", lambda data: data[: len(data) // 2]),
        ("backward_flow/val/apart/000002.png", lambda data: data[: len(data) // 2]),
    ],
)
def test_a_damaged_sequence_is_written_again(tmp_path, name, damage):
    export = Export(tmp_path / "w", _videos(), flow="backward")
    export_videos(export)
    whole = _tree(tmp_path / "w")
    (tmp_path / "w" / name).write_bytes(damage(whole[name]))
    assert [one.was_there for one in export_videos(export)] == [True, False]
    assert _tree(tmp_path / "w") == whole


def test_maps_of_another_picture_are_written_again(tmp_path):
    export_videos(Export(tmp_path / "w", _videos()))
    whole = _tree(tmp_path / "w")
    maps = tmp_path / "w/panoptic_maps/val/apart"
    (maps / "000000.png").write_bytes((maps / "000003.png").read_bytes())
    assert [one.was_there for one in export_videos(Export(tmp_path / "w", _videos()))] == [
        True,
        False,
    ]
    assert _tree(tmp_path / "w") == whole


def test_work_of_a_process_that_lives_is_left_alone(tmp_path):
    """An orphan of a killed call still draws while the call is repeated."""
    folder = tmp_path / "w"
    alive, dead = (folder / ".unfinished" / f"apart@here-{number}" for number in (1, 2))
    export_videos(Export(folder, _videos("apart")))
    for place in (alive, dead):
        place.mkdir(parents=True)
        (place / "000000.png").write_bytes(b"half")
    lock = os.open(alive, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    (written,) = export_videos(Export(folder, _videos("apart")))
    os.close(lock)
    assert written.was_there
    assert (alive / "000000.png").read_bytes() == b"half"
    assert not dead.exists()


@pytest.mark.parametrize("place", [".unfinished", ".unfinished/apart@here-1"])
def test_a_link_in_place_of_temporary_folders_is_not_followed(tmp_path, place):
    folder, home = tmp_path / "w", tmp_path / "home"
    export_videos(Export(folder, _videos("apart")))
    (home / "apart@here-2").mkdir(parents=True)
    (folder / place).parent.mkdir(exist_ok=True)
    (folder / place).symlink_to(home)
    (written,) = export_videos(Export(folder, _videos("apart")))
    assert written.was_there
    assert (home / "apart@here-2").is_dir()


def test_nothing_is_written_through_a_link_in_place_of_temporary_folders(tmp_path):
    folder, home = tmp_path / "w", tmp_path / "home"
    export_videos(Export(folder, _videos("apart")))
    (folder / "known/val/apart.jsonl").unlink()  # it is generated again
    home.mkdir()
    (folder / ".unfinished").symlink_to(home)
    with pytest.raises(ConfigError, match="is a link in place of a temporary folder"):
        export_videos(Export(folder, _videos("apart")))
    assert list(home.iterdir()) == []


def test_only_temporary_folders_are_removed(tmp_path):
    folder = tmp_path / "w"
    export_videos(Export(folder, _videos("apart")))
    (folder / ".unfinished" / "mine").mkdir(parents=True)
    export_videos(Export(folder, _videos("apart")))
    assert (folder / ".unfinished" / "mine").is_dir()


def test_what_another_process_finished_first_stays(tmp_path, monkeypatch):
    folder, real_move, stamps = tmp_path / "w", Place.move, {}

    def move(self):
        with monkeypatch.context() as patch:
            patch.setattr(Place, "move", real_move)
            patch.setattr(Place, "beside", folder / ".unfinished" / "apart@elsewhere-1")
            export_videos(Export(folder, _videos("apart")))
        stamps.update(
            {
                path: path.stat().st_ino
                for path in folder.rglob("0*.png")
                if ".unfinished" not in path.parts
            }
        )
        real_move(self)

    with monkeypatch.context() as patch:
        patch.setattr(Place, "move", move)
        export_videos(Export(folder, _videos("apart")))
    assert len(stamps) == 8
    assert {path: path.stat().st_ino for path in stamps} == stamps
    export_videos(Export(tmp_path / "alone", _videos("apart")))
    assert _tree(folder) == _tree(tmp_path / "alone")


def test_more_objects_than_fit_are_refused_before_anything_is_written(tmp_path):
    seeds = {"fits": None, "does not": 60}
    videos = tuple(
        ExportedVideo(
            WorldVideo(
                WorldSettings(kind="street", seed=4, frames=5, height=96, width=160, objects=many),
                name,
            ),
            {},
        )
        for name, many in seeds.items()
    )
    with pytest.raises(ConfigError, match="objects do not fit") as caught:
        export_videos(Export(tmp_path / "w", videos))
    assert caught.value.where == "street of seed 4"
    assert not (tmp_path / "w").exists()


def test_a_sequence_that_lost_a_frame_is_written_again(tmp_path):
    export_videos(Export(tmp_path / "w", _videos()))
    whole = _tree(tmp_path / "w")
    (tmp_path / "w/images/val/apart/000002.png").unlink()
    again = export_videos(Export(tmp_path / "w", _videos()))
    assert [one.was_there for one in again] == [True, False]
    assert _tree(tmp_path / "w") == whole


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"videos": _videos("passing")}, "differ in sequences"),
        ({"split": "train"}, "differ in split"),
        ({"flow": "backward"}, "differ in flow"),
        ({"suite": {"name": "quick"}}, "differ in suite"),
    ],
)
def test_a_folder_of_other_videos_is_refused(tmp_path, changed, words):
    export_videos(Export(tmp_path / "w", _videos()))
    before = _tree(tmp_path / "w")
    with pytest.raises(ConfigError, match=words):
        export_videos(Export(**{"folder": tmp_path / "w", "videos": _videos(), **changed}))
    assert _tree(tmp_path / "w") == before


def test_a_folder_of_other_things_is_refused(tmp_path):
    (tmp_path / "holiday.txt").write_text("photos")
    with pytest.raises(ConfigError, match="not an empty folder"):
        export_videos(Export(tmp_path, _videos()))
    with pytest.raises(ConfigError, match="not an empty folder"):
        export_videos(Export(tmp_path / "holiday.txt", _videos()))
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "world.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        export_videos(Export(tmp_path / "w", _videos()))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"videos": ()}, "no video"),
        ({"videos": _videos("apart", "apart")}, "different names"),
        ({"flow": "forward"}, "flow is 'forward'"),
    ],
)
def test_impossible_exports_are_refused(tmp_path, given, words):
    with pytest.raises(ConfigError, match=words):
        Export(**{"folder": tmp_path, "videos": _videos(), **given})


def test_no_workers_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="0 workers"):
        export_videos(Export(tmp_path / "w", _videos()), jobs=0)
    assert not (tmp_path / "w").exists()


def test_damaged_side_cars_are_told(tmp_path):
    export_videos(Export(tmp_path / "w", _videos("apart")))
    side_car = tmp_path / "w" / "known" / "val" / "apart.jsonl"
    lines = side_car.read_text().splitlines(keepends=True)
    side_car.write_text("".join(lines[:-1]))
    (video,) = open_annotated_videos(tmp_path / "w")
    with pytest.raises(DataError, match="3 frame lines; expected 4"):
        video.objects(0)
    side_car.write_text("{}\n")
    with pytest.raises(DataError, match="has no schema; expected mapt-bench/known/1"):
        open_annotated_videos(tmp_path / "w")
    side_car.unlink()
    with pytest.raises(DataError, match="does not exist"):
        open_annotated_videos(tmp_path / "w")


def test_flow_that_was_not_written_is_told(tmp_path):
    export_videos(Export(tmp_path / "w", _videos("apart"), flow="backward"))
    (video,) = open_annotated_videos(tmp_path / "w")
    assert video.backward_flow(1).valid.any()
    with pytest.raises(DataError, match="synth --flow both"):
        video.forward_flow(1)


def test_check_tells_of_damaged_and_lonely_side_cars(tmp_path):
    folder = tmp_path / "w"
    export_videos(Export(folder, _videos()))
    side_cars = folder / "known" / "val"
    text = (side_cars / "apart.jsonl").read_text()
    (side_cars / "apart.jsonl").write_text(text[:-20])
    (side_cars / "lost.jsonl").write_text(text)
    shutil.rmtree(folder / "images" / "val" / "passing")
    shutil.rmtree(folder / "panoptic_maps" / "val" / "passing")
    problems = {problem.path: problem for problem in check_data(folder, KITTI).problems}
    assert {problem.kind for problem in problems.values()} == {"side-car"}
    assert "cannot be read" in problems[str(side_cars / "apart.jsonl")].message
    assert "describes 5 frames, but the sequence has maps of 0" in (
        problems[str(side_cars / "passing.jsonl")].message
    )
    assert str(side_cars / "lost.jsonl") in problems
