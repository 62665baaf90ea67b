"""Conversion between encodings: there and back, and every loss by name."""

import json

import numpy as np
import pytest
from helpers.maps import KITTI, draw, shared_folder

from mapt_bench.data import map_format, open_maps, writer_names
from mapt_bench.data.conversion import convert_maps
from mapt_bench.errors import ConfigError, DataError, MaptBenchError
from mapt_bench.labels import PanopticMap, background_code, label_space

WHOLE = ("kitti-step", "coco-panoptic", "two-channel", "cityscapes", "waymo")
"""Encodings that hold whole maps of KITTI-STEP's classes."""

FRAMES = (draw("r s c1 p2", "v v c1 p0"), draw("s s c1 c3", "r v v p2"))


def write(folder, frames=FRAMES, encoding="kitti-step", labels=KITTI, *, objects_only=False):
    with map_format(encoding).open(folder, labels, objects_only=objects_only) as writer:
        for number, panoptic in enumerate(frames):
            writer.write("0001", f"{number:06d}", panoptic)
    return open_maps(folder)


def codes(folder):
    (sequence,) = open_maps(folder).sequences
    return sequence.frame_names, [sequence.read(i).codes for i in range(len(sequence.frame_names))]


def same(first, second):
    (names, maps), (other_names, others) = codes(first), codes(second)
    return names == other_names and all(map(np.array_equal, maps, others))


@pytest.mark.parametrize("encoding", WHOLE)
def test_there_and_back_is_the_identity(tmp_path, encoding):
    source = write(tmp_path / "source")
    there = convert_maps(source, tmp_path / "there", encoding)
    assert (there.losses, there.reasons, there.frames) == ((), (), 2)
    back = convert_maps(open_maps(tmp_path / "there"), tmp_path / "back", "kitti-step")
    assert back.losses == ()
    assert same(tmp_path / "source", tmp_path / "back")
    for before in (tmp_path / "source").rglob("*.png"):
        after = tmp_path / "back" / before.relative_to(tmp_path / "source")
        assert after.read_bytes() == before.read_bytes()


HOLDS_OBJECTS = (
    "kitti-step",
    "coco-panoptic",
    "two-channel",
    "mots-txt",
    "youtube-vis",
    "palette-png",
    "object-masks",
)
"""Encodings that hold the objects of KITTI-STEP's classes, and their background."""

NAMED = {
    "mots-txt": {"stuff", "void", "crowd"},
    "youtube-vis": {"stuff", "void"},
    "palette-png": {"stuff", "crowd"},
    "object-masks": {"stuff", "void", "crowd"},
}
"""What the real frames lose in encodings that hold objects only."""

REFUSED = {"bdd100k": "has no class 0", "vipseg": "values of class 0 or 1"}
"""Encodings that cannot store the class road."""


@pytest.mark.parametrize("encoding", writer_names())
def test_there_and_back_on_real_frames(tmp_path, encoding):
    folder = shared_folder("data/kitti_step_0001")
    if encoding in REFUSED:
        with pytest.raises(MaptBenchError, match=REFUSED[encoding]):
            convert_maps(open_maps(folder), tmp_path / "there", encoding)
        assert not (tmp_path / "there").exists()
        return
    there = convert_maps(open_maps(folder), tmp_path / "there", encoding)
    assert there.frames == 10
    if encoding in NAMED:
        assert {line.split(" of ")[1].split()[0] for line in there.losses} == NAMED[encoding]
        return
    assert there.losses == ()
    back = convert_maps(open_maps(tmp_path / "there"), tmp_path / "back", "kitti-step")
    assert (back.losses, back.frames) == ((), 10)
    assert same(folder, tmp_path / "back")
    assert (tmp_path / "back/panoptic_maps/train/0001/000000.png").is_file()


def objects_of(panoptic):
    """Return the objects of a map, over background."""
    is_object = KITTI.is_thing_table[panoptic.classes] & (panoptic.ids > 0)
    return PanopticMap(np.where(is_object, panoptic.codes, background_code(KITTI.ignore_label)))


@pytest.mark.parametrize("encoding", HOLDS_OBJECTS)
def test_objects_there_and_back_on_real_frames(tmp_path, encoding):
    (sequence,) = open_maps(shared_folder("data/kitti_step_0001")).sequences
    frames = [objects_of(sequence.read(index)) for index in range(len(sequence.frame_names))]
    source = write(tmp_path / "source", frames, objects_only=True)
    assert convert_maps(source, tmp_path / "there", encoding).losses == ()
    back = convert_maps(open_maps(tmp_path / "there"), tmp_path / "back", "kitti-step")
    assert back.losses == ()
    assert same(tmp_path / "source", tmp_path / "back")


def test_every_encoding_that_is_written_has_its_test():
    assert {*WHOLE, *NAMED, *REFUSED} == set(writer_names())


def test_mots_text_names_what_it_loses(tmp_path):
    found = convert_maps(write(tmp_path / "source"), tmp_path / "out", "mots-txt")
    assert set(found.losses) == {
        "5 pixels of stuff read as background",
        "4 pixels of void read as background",
        "1 pixel of crowd read as void",
    }
    assert "void becomes background, which excuses no prediction" in found.reasons


def test_objects_with_other_numbers_are_counted(tmp_path):
    # a palette has one number for each object, whatever its class
    frames = [draw("c1 p1", "b b")] * 2
    source = write(tmp_path / "source", frames, objects_only=True)
    found = convert_maps(source, tmp_path / "out", "palette-png")
    assert found.losses == ("1 object with another number",)
    assert any("another number" in reason for reason in found.reasons)


OBJECTS = [draw("c1 p2 b b", "v b b b"), draw("b b b b", "b b b p2")]


@pytest.mark.parametrize("encoding", ["kitti-step", "coco-panoptic", "two-channel"])
def test_the_mark_of_objects_is_kept(tmp_path, encoding):
    source = write(tmp_path / "source", OBJECTS, "mots-txt", objects_only=True)
    assert source.lacks.stuff
    found = convert_maps(source, tmp_path / "out", encoding)
    assert found.losses == ()
    stated = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert stated["objects_only"] is True
    assert same(tmp_path / "source", tmp_path / "out")
    back = convert_maps(open_maps(tmp_path / "out"), tmp_path / "back", "mots-txt")
    assert back.losses == ()
    assert (tmp_path / "back/0001.txt").read_text() == (tmp_path / "source/0001.txt").read_text()


def test_a_mark_that_is_lost_is_named(tmp_path):
    source = write(tmp_path / "source", OBJECTS, "mots-txt", objects_only=True)
    found = convert_maps(source, tmp_path / "out", "cityscapes")
    assert "the mark that only objects are labelled" in found.losses
    assert "12 pixels of background read as void" in found.losses
    assert "background becomes void, which excuses predictions" in found.reasons


def test_a_lossless_conversion_leaves_nothing_behind_if_something_is_lost(tmp_path):
    source = write(tmp_path / "source")
    found = convert_maps(source, tmp_path / "out" / "deep", "mots-txt", keep_losses=False)
    assert found.losses
    assert list((tmp_path / "out").iterdir()) == []


def test_an_identity_that_does_not_fit_leaves_nothing_behind(tmp_path):
    source = write(tmp_path / "source", [draw("r c2000", "r r")])
    with pytest.raises(DataError, match="id 2000 is too large for MOTS text") as caught:
        convert_maps(source, tmp_path / "out", "mots-txt")
    assert str(tmp_path / "out" / "0001.txt") in str(caught.value.where)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_folder_with_content_is_refused(tmp_path):
    source = write(tmp_path / "source")
    with pytest.raises(ConfigError, match=r"^is not empty; give a new folder") as caught:
        convert_maps(source, tmp_path / "source", "coco-panoptic")
    assert caught.value.where == str(tmp_path / "source")
    (tmp_path / "new").mkdir()
    assert convert_maps(source, tmp_path / "new", "coco-panoptic").losses == ()


def test_sequences_of_several_splits_are_refused(tmp_path):
    for split in ("train", "val"):
        with map_format("kitti-step").open(tmp_path / "both", KITTI, split=split) as writer:
            writer.write("0001", "000000", FRAMES[0])
    with pytest.raises(ConfigError, match="below train, val; expected one split"):
        convert_maps(open_maps(tmp_path / "both"), tmp_path / "out", "two-channel")
    one = open_maps(tmp_path / "both" / "panoptic_maps" / "train")
    assert convert_maps(one, tmp_path / "out", "two-channel").losses == ()


def test_unknown_encodings_suggest_the_nearest(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'coco-panoptic'"):
        convert_maps(write(tmp_path / "source"), tmp_path / "out", "coco-panoptc")


def test_other_label_spaces_stay_with_the_data(tmp_path):
    labels = label_space("cityscapes")
    convert_maps(
        write(tmp_path / "source", labels=labels, encoding="cityscapes"),
        tmp_path / "out",
        "coco-panoptic",
    )
    assert open_maps(tmp_path / "out").labels == labels
    assert same(tmp_path / "source", tmp_path / "out")
