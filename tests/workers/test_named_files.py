"""Files that tasks name: those of every kind of data are noted, and workers must have the same."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.annotated_scenes import AnnotatedScene
from helpers.maps import KITTI, draw, write_frames
from helpers.object_formats import as_archive_of_sequence, as_object_folders
from helpers.scenes import Box
from PIL import Image

from mapt_bench.data import encoding_names, open_maps, open_videos
from mapt_bench.data.annotations import open_annotated_videos
from mapt_bench.data.depth import open_depth
from mapt_bench.data.mapped import MappedVideo
from mapt_bench.data.png import encode_png
from mapt_bench.data.sequences import resized
from mapt_bench.data.writers import map_format, writer_names
from mapt_bench.errors import DataError
from mapt_bench.experiments.engine.unit_workers import _SettingFiles
from mapt_bench.experiments.plans.data_source import folder_source
from mapt_bench.experiments.plans.variant import UserCode, Variant
from mapt_bench.labels import class_maps, label_space
from mapt_bench.synthetic.video_export import Export, ExportedVideo, export_videos
from mapt_bench.workers.named_files import NamedFiles, check_files, differing_files

pytest.importorskip("distributed")

from mapt_bench.workers.sessions import packed

MAPS = [draw("c1 c1 p2", "c1 p2 p2"), draw("c1 p2 p2", "c1 c1 p2")]


def noted(*things):
    """Return the files that are noted when things are packed."""
    files = NamedFiles()
    for thing in things:
        packed(thing, files)
    return set(files.chosen())


def below(folder, *but):
    return {path for path in folder.rglob("*") if path.is_file() and path.name not in but}


def write(folder, encoding, labels):
    """Write two frames in an encoding."""
    if encoding in writer_names():
        with map_format(encoding).open(folder, labels) as writer:
            for index, panoptic in enumerate(MAPS):
                writer.write("0001", f"{index:06d}", panoptic)
    elif encoding == "object-folders":
        as_object_folders(folder, MAPS)
    else:
        assert encoding == "mots-png", f"write a folder of {encoding} here"
        place = folder / "0001"
        place.mkdir(parents=True)
        for index in range(2):
            values = np.array([[1001, 2003, 0]], np.uint16)
            (place / f"{index:06d}.png").write_bytes(encode_png(values))


@pytest.mark.parametrize("encoding", encoding_names())
def test_the_files_of_every_encoding_are_noted(tmp_path, encoding):
    labels = label_space("bdd100k-panoptic") if encoding == "bdd100k" else KITTI
    write(tmp_path, encoding, labels)
    opened = open_maps(tmp_path, labels, encoding=encoding)
    assert noted(opened.sequences) == below(tmp_path, "dataset.json")
    (sequence,) = opened.sequences
    assert noted(resized(sequence, (9, 9))) == below(tmp_path, "dataset.json")


def test_an_archive_of_a_sequence_is_noted(tmp_path):
    as_archive_of_sequence(tmp_path / "data", MAPS)
    assert noted(open_maps(tmp_path / "data", KITTI).sequences) == below(tmp_path)


@pytest.fixture
def data(tmp_path):
    """A folder with two frames of maps, images and depth."""
    for kind in ("panoptic_maps", "images", "depth"):
        (tmp_path / "data" / kind / "val" / "0001").mkdir(parents=True)
    write_frames(tmp_path / "data" / "panoptic_maps" / "val" / "0001", MAPS)
    for index in range(2):
        name = f"val/0001/{index:06d}.png"
        Image.new("RGB", (3, 2)).save(tmp_path / "data" / "images" / name)
        depth = encode_png(np.full((2, 3, 1), 256, np.uint16))
        (tmp_path / "data" / "depth" / name).write_bytes(depth)
    return tmp_path / "data"


def test_images_maps_and_depth_are_noted(data):
    videos = open_videos(data, KITTI)
    assert noted(videos) == below(data / "images") | below(data / "panoptic_maps")
    mapped = [MappedVideo(video, class_maps("common").of(KITTI)) for video in videos]
    assert noted(mapped) == noted(videos)
    maps = open_maps(data, KITTI)
    assert noted(open_depth(maps, maps.sequences)) == below(data / "depth")


def test_saved_predictions_are_noted(data, tmp_path):
    write_frames(tmp_path / "pred" / "0001", MAPS)
    source = folder_source(data, segments=(tmp_path / "pred",), dataset="kitti-step")
    assert noted(source) == noted(open_videos(data, KITTI)) | below(tmp_path / "pred")


def test_a_relative_folder_is_noted_by_its_place(data, monkeypatch):
    monkeypatch.chdir(data.parent)
    assert noted(open_videos(Path("data"), KITTI)) == noted(open_videos(data, KITTI))


def test_annotations_and_flow_are_noted(tmp_path):
    video = AnnotatedScene([[Box(1, 5 + t)] for t in range(3)], name="boxes")
    export_videos(Export(tmp_path / "w", (ExportedVideo(video, {}),), flow="both"))
    found = noted(open_annotated_videos(tmp_path / "w"))
    assert found == below(tmp_path / "w", "dataset.json", "world.json")


def test_files_that_settings_of_a_tracker_name_are_noted(tmp_path):
    file = tmp_path / "own.pt"
    file.touch()
    settings = (("least", 2), ("weights", str(file)))
    code = UserCode("fingerprint", is_whole=False, files=(("weights", "hash"),))
    own = Variant("m:T", "m:T", "added", "m:T", settings=settings, code=code)
    units = [SimpleNamespace(variant=variant) for variant in (own, replace(own, code=None))]
    assert noted(_SettingFiles.of(units)) == {file}


def test_many_files_cost_little_and_small_folders_are_not_missed():
    files = NamedFiles()
    files.add("frames", *(f"{index:06d}.png" for index in range(100_000)))
    files.add("few", *(f"{index}.png" for index in range(10)))
    files.add("own", "weights.safetensors")
    assert len(files) == 100_011
    chosen = files.chosen(100)
    assert len(chosen) == len(set(chosen)) == 100
    assert {path.parent.name for path in chosen[:11]} == {"own", "few"}
    assert chosen[11].name == "000000.png"
    assert chosen[-1].name == "099999.png"
    assert files.chosen(1) == [Path("own/weights.safetensors")]


def test_files_of_more_folders_than_are_checked():
    files = NamedFiles()
    for index in range(50):
        files.add(f"{index:02d}", "1.png", "2.png")
    chosen = files.chosen(10)
    assert len({path.parent for path in chosen}) == 10
    assert (chosen[0].parent.name, chosen[-1].parent.name) == ("00", "49")


@pytest.mark.parametrize("at", [0, 5_000, 9_999])
def test_other_content_of_the_same_size_differs(tmp_path, at):
    content = bytearray(10_000)
    file = tmp_path / "frame.npy"
    file.write_bytes(content)
    files = NamedFiles()
    files.add(str(tmp_path), file.name, "none.npy")
    marks = files.marks()
    assert [*marks] == [str(file)]  # a file that is nowhere is reported by the task that reads it
    assert differing_files(marks) == []
    content[at] = 1
    file.write_bytes(content)
    assert differing_files(marks) == [str(file)]
    file.unlink()
    assert differing_files(marks) == [str(file)]
    file.mkdir()
    assert differing_files(marks) == [str(file)]


def test_a_worker_with_other_files_is_named():
    check_files("tcp://a:1", [], 3)
    message = r"worker tcp://a:1 has no such file, or another one \(1 of 3 .*put the same data"
    with pytest.raises(DataError, match=message) as caught:
        check_files("tcp://a:1", ["/data/1.png"], 3)
    assert caught.value.where == "/data/1.png"
