"""What is written reads back the same."""

import json

import numpy as np
import pytest
from helpers.maps import KITTI, draw, random_maps, same
from hypothesis import given, settings
from hypothesis import strategies as st

from mapt_bench.data import (
    CocoPanopticWriter,
    KittiStepWriter,
    MapWriter,
    MotsTextWriter,
    check_data,
    open_maps,
    resolve_labels,
)
from mapt_bench.errors import DataError
from mapt_bench.labels import PanopticMap, background_code, pack_codes


def write(writer: MapWriter, maps, sequence="0001"):
    with writer:
        for index, panoptic in enumerate(maps):
            writer.write(sequence, f"{index:06d}", panoptic)


def read(folder):
    opened = open_maps(folder, resolve_labels(None, folder))
    (sequence,) = opened.sequences
    return opened.encoding, sequence, [sequence.read(i) for i in range(len(sequence.frame_names))]


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 1000), width=st.integers(1, 9))
def test_kitti_step_survives(tmp_path_factory, seed, width):
    folder = tmp_path_factory.mktemp("out")
    maps = random_maps(2, size=(3, width), seed=seed)
    write(KittiStepWriter(folder, KITTI, split="train"), maps)
    encoding, sequence, found = read(folder)
    assert (encoding, sequence.parts) == ("kitti-step", ("train", "0001"))
    assert all(map(same, maps, found))


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 1000))
def test_coco_panoptic_survives_with_ids_of_24_bits(tmp_path_factory, seed):
    folder = tmp_path_factory.mktemp("out")
    maps = random_maps(3, seed=seed, id_limit=1 << 24)
    write(CocoPanopticWriter(folder, KITTI), maps)
    encoding, sequence, found = read(folder)
    assert (encoding, sequence.parts) == ("coco-panoptic", ("val", "0001"))
    assert all(map(same, maps, found))


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 1000))
def test_mots_text_survives_as_far_as_it_goes(tmp_path_factory, seed):
    folder = tmp_path_factory.mktemp("out")
    maps = random_maps(3, size=(9, 14), seed=seed, id_limit=1001)
    write(MotsTextWriter(folder, KITTI), maps)
    encoding, sequence, found = read(folder)
    assert (encoding, sequence.parts) == ("mots-txt", ("0001",))
    for panoptic, again in zip(maps, found, strict=True):
        # MOTS has no stuff, and its ignore regions (our crowd) read as void.
        is_thing = KITTI.is_thing_table[panoptic.classes]
        rest = np.where(is_thing, np.uint32(255 << 24), np.uint32(background_code(255)))
        kept = is_thing & (panoptic.ids > 0)
        assert same(again, PanopticMap(np.where(kept, panoptic.codes, rest)))


def test_coco_keeps_one_segment_id_a_track(tmp_path):
    write(CocoPanopticWriter(tmp_path, KITTI), [draw("r c7 p7 p0 v"), draw("p7 c7 r r r")])
    data = json.loads((tmp_path / "panoptic.json").read_text())
    first, second = ({s["id"]: s for s in a["segments_info"]} for a in data["annotations"])
    shared = first.keys() & second.keys()
    assert [first[n]["category_id"] for n in sorted(shared)] == [0, 11, 13]
    assert {s["track_id"] for s in first.values() if "track_id" in s} == {7}
    assert [s["category_id"] for s in first.values() if s["iscrowd"]] == [11]
    assert data["images"][0]["file_name"] == "val/0001/000000.png"
    assert {c["id"]: c["isthing"] for c in data["categories"]}[13] == 1


def test_coco_drops_identities_of_stuff(tmp_path):
    stuff = PanopticMap(pack_codes(np.array([[0, 0]]), np.array([[3, 4]])))
    write(CocoPanopticWriter(tmp_path, KITTI), [stuff])
    assert same(read(tmp_path)[2][0], draw("r r"))


def test_written_folders_have_no_problems(tmp_path):
    for name, kind in (("kitti", KittiStepWriter), ("coco", CocoPanopticWriter)):
        write(kind(tmp_path / name, KITTI), random_maps(2))
        assert check_data(tmp_path / name, KITTI).problems == ()


def one_car(track):
    return PanopticMap(pack_codes(np.array([[13]]), np.array([[track]])))


@pytest.mark.parametrize(("kind", "largest"), [(KittiStepWriter, 65535), (MotsTextWriter, 1000)])
def test_ids_end_where_the_format_ends(tmp_path, kind, largest):
    write(kind(tmp_path / "fits", KITTI), [one_car(largest)])
    assert same(read(tmp_path / "fits")[2][0], one_car(largest))
    with pytest.raises(DataError, match=f"id {largest + 1} is too large") as caught:
        write(kind(tmp_path / "not", KITTI), [one_car(largest + 1)])
    assert "0001" in caught.value.where
    assert not list((tmp_path / "not").rglob("*.*"))


def test_coco_refuses_classes_outside_the_label_space(tmp_path):
    odd = PanopticMap(pack_codes(np.array([[77]]), np.array([[1]])))
    with pytest.raises(DataError, match="class 77"):
        write(CocoPanopticWriter(tmp_path, KITTI), [odd])


def test_mots_text_needs_numbered_frames(tmp_path):
    with pytest.raises(DataError, match="frame 'first' is not a number"):
        MotsTextWriter(tmp_path, KITTI).write("0001", "first", one_car(1))


def test_mots_text_without_objects_is_an_empty_file(tmp_path):
    write(MotsTextWriter(tmp_path, KITTI), [draw("r r")])
    assert (tmp_path / "0001.txt").read_text() == ""


@pytest.mark.parametrize("kind", [KittiStepWriter, CocoPanopticWriter, MotsTextWriter])
def test_a_path_that_cannot_be_written(tmp_path, kind):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot be written"):
        write(kind(tmp_path / "file", KITTI), [one_car(1)])


def test_a_failed_run_leaves_no_index(tmp_path):
    writer = CocoPanopticWriter(tmp_path, KITTI)
    writer.write("0001", "000000", one_car(1))
    with pytest.raises(RuntimeError, match="stop"), writer:
        raise RuntimeError("stop")
    assert not (tmp_path / "panoptic.json").exists()
    assert not (tmp_path / "dataset.json").exists()
