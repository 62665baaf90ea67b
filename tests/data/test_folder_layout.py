"""Which label space a folder has."""

import json
import os
from pathlib import Path

import pytest
from helpers.maps import CAR, KITTI, draw, random_maps, write_frames
from hypothesis import given
from hypothesis import strategies as st

from mapt_bench import frame_limit
from mapt_bench.data import KittiStepWriter, folder_layout, open_maps, resolve_labels
from mapt_bench.data.folder_layout import FilesIn, list_folder, natural_key
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import check_classes, check_map_classes, label_space

CITY = label_space("cityscapes")


def written(folder, labels):
    with KittiStepWriter(folder, labels) as writer:
        writer.write("0001", "000000", draw("r c1"))
    return folder


def test_the_default_is_kitti_step(tmp_path):
    assert resolve_labels(None, tmp_path) == KITTI


def test_a_folder_says_its_own_from_any_depth(tmp_path):
    folder = written(tmp_path / "out", CITY)
    maps = folder / "panoptic_maps"
    for place in (folder, maps, maps / "val", maps / "val" / "0001"):
        assert resolve_labels(None, place) == CITY


def test_the_option_wins(tmp_path):
    folder = written(tmp_path, CITY)
    assert resolve_labels("motchallenge-step", folder).name == "motchallenge-step"


def test_unknown_names_suggest_the_nearest(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'kitti-step'"):
        resolve_labels("kiti-step", tmp_path)


def test_folders_must_agree(tmp_path):
    one, two = written(tmp_path / "one", CITY), written(tmp_path / "two", KITTI)
    with pytest.raises(DataError, match=r"'kitti-step', but .* states 'cityscapes'") as caught:
        resolve_labels(None, one, two)
    assert caught.value.where == str(two / "dataset.json")
    assert resolve_labels(None, one, tmp_path) == CITY


def test_predictions_do_not_choose_for_the_truth(tmp_path):
    truth, pred = tmp_path / "truth", written(tmp_path / "pred", CITY)
    truth.mkdir()
    with pytest.raises(
        DataError,
        match=r"'cityscapes', but .*truth states none and is read as 'kitti-step'.*--dataset",
    ) as caught:
        resolve_labels(None, truth, pred)
    assert caught.value.where == str(pred / "dataset.json")
    assert resolve_labels("cityscapes", truth, pred) == CITY
    assert resolve_labels(None, truth, written(tmp_path / "same", KITTI)) == KITTI


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting property name"),
        ("[]", r"the label space is \[\]; expected a mapping"),
        ('{"name": "x"}', "lacks the key 'classes'"),
        ('{"name": "x", "what": 1}', "unknown key 'what'"),
    ],
)
def test_an_unreadable_dataset_file(tmp_path, text, reason):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(DataError, match=rf"cannot be read \(.*{reason}") as caught:
        resolve_labels(None, tmp_path)
    assert caught.value.where.endswith("dataset.json")


def test_the_stated_encoding_is_taken(tmp_path):
    write_frames(tmp_path / "0001", random_maps(1))
    stated = {**KITTI.to_dict(), "encoding": "two-channel"}
    (tmp_path / "dataset.json").write_text(json.dumps(stated))
    with pytest.raises(DataError, match="two-channel maps hold class and id"):
        open_maps(tmp_path, KITTI)
    assert open_maps(tmp_path, KITTI, encoding="kitti-step").encoding == "kitti-step"


def test_classes_outside_the_label_space_are_named():
    panoptic = draw("r r c1 v", "r p2 c1 v")
    check_map_classes(panoptic, KITTI, "here")
    labels = label_space("motchallenge-step")
    with pytest.raises(
        DataError,
        match=r"classes 11, 13 \(3 pixels\) are outside the label space 'motchallenge-step'",
    ) as caught:
        check_map_classes(panoptic, labels, "here")
    assert caught.value.where == "here"
    with pytest.raises(DataError, match=r"class 13 \(1 pixel\) is outside"):
        check_map_classes(draw("c1"), labels, "here")
    with pytest.raises(DataError, match="class 13 is outside"):
        check_classes(panoptic.codes[panoptic.classes == CAR], labels, "here")


def test_the_root_of_the_file_system_is_no_data_set(tmp_path):
    (tmp_path / "gt").symlink_to("/")
    for root in (tmp_path / "gt", Path("/")):
        with pytest.raises(DataError, match="is the root of the file system"):
            list_folder(root)


def test_a_data_set_has_a_bounded_number_of_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(frame_limit, "MAX_FOLDERS", 4)
    for name in ("1", "2", "3"):
        (tmp_path / "gt" / name).mkdir(parents=True)
    list_folder(tmp_path / "gt")
    (tmp_path / "gt" / "1" / "more").symlink_to(tmp_path / "gt" / "2")
    (tmp_path / "gt" / "4").mkdir()
    with pytest.raises(DataError, match="has more than 4 folders; expected one data set") as caught:
        list_folder(tmp_path / "gt")
    assert caught.value.where == str(tmp_path / "gt")


def test_a_folder_that_vanishes_while_it_is_listed_is_named(tmp_path, monkeypatch):
    gone = str(tmp_path / "0001")
    monkeypatch.setattr(os, "walk", lambda *_, **__: [(gone, [], ["000000.png"])])
    with pytest.raises(DataError, match=r"cannot be read \(No such file") as caught:
        list_folder(tmp_path)
    assert caught.value.where == gone


@pytest.mark.parametrize("target", [".", "..", "../..", "/"])
def test_a_link_to_a_folder_above_is_not_followed(tmp_path, target):
    root = tmp_path / "above" / "gt"
    (root / "0001").mkdir(parents=True)
    (root / "0001" / "000000.png").touch()
    (tmp_path / "stray.png").touch()
    (root / "0001" / "loop").symlink_to(target)
    found = list_folder(root)
    assert [folder.parts for folder in found.folders] == [("0001",)]


def test_files_of_a_folder_are_paths_made_from_names():
    names = ("000000.png", "000001.png", "000002.png")
    files = FilesIn(Path("gt"), names)
    paths = [Path("gt") / name for name in names]
    assert list(files) == paths
    assert (len(files), files[1], files[-1]) == (3, paths[1], paths[2])
    assert list(files[::2]) == paths[::2]
    assert files[:2] == FilesIn(Path("gt"), names[:2])
    with pytest.raises(IndexError):
        files[3]


def test_a_folder_split_by_prefixes_keeps_its_other_files(tmp_path):
    frames = [f"{prefix}_{frame:06d}.png" for prefix in ("0001", "0002") for frame in range(2)]
    for name in [*frames, "notes.txt"]:
        (tmp_path / name).touch()
    found = {folder.parts[1:]: list(folder.files) for folder in list_folder(tmp_path).folders}
    assert found == {
        (): [tmp_path / "notes.txt"],
        ("0001",): [tmp_path / name for name in frames[:2]],
        ("0002",): [tmp_path / name for name in frames[2:]],
    }


@pytest.mark.parametrize(
    "names",
    [
        ["10.png", "9.png", "09.png"],
        ["2b3.png", "2a10.png", "2a9.png"],
        ["000010.png", "000009.png", "000100.png"],  # equal texts between numbers of equal length
        ["x2y10.png", "x2y9.png", "x10y1.png"],
    ],
)
def test_files_are_in_natural_order(tmp_path, names):
    for name in names:
        (tmp_path / name).touch()
    (folder,) = list_folder(tmp_path).folders
    assert list(folder.files.names) == sorted(names, key=natural_key)


@given(st.lists(st.text("019aé٣_", min_size=1, max_size=5), min_size=1, unique=True))
def test_numbers_count_by_their_value_in_any_order(names):
    assert folder_layout._in_natural_order(names) == sorted(names, key=natural_key)
