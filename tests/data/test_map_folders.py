"""Which sequence and which frame belong together."""

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

from mapt_bench.data import match_sequences, matching_notes, open_maps, pair_frames
from mapt_bench.errors import DataError


def matched(gt, pred):
    pairs = match_sequences(open_maps(gt, KITTI), open_maps(pred, KITTI))
    return [("/".join(a.parts), "/".join(b.parts)) for a, b in pairs]


def test_by_the_longest_suffix(tmp_path):
    gt = write_sequences(tmp_path / "gt" / "panoptic_maps", ["train/0001", "val/0001", "val/0002"])
    pred = write_sequences(tmp_path / "pred", ["x/val/0001", "x/val/0002", "x/train/0001"])
    assert matched(gt.parent, pred) == [
        ("train/0001", "x/train/0001"),
        ("val/0001", "x/val/0001"),
        ("val/0002", "x/val/0002"),
    ]


def test_a_bare_name_goes_to_what_is_left(tmp_path):
    gt = write_sequences(tmp_path / "gt", ["a/0001", "b/0001"])
    pred = write_sequences(tmp_path / "pred", ["a/0001", "0001"])
    assert matched(gt, pred) == [("a/0001", "a/0001"), ("b/0001", "0001")]


def test_one_and_one_match_whatever_they_are_called(tmp_path):
    gt = write_frames(tmp_path / "gt", random_maps(2))
    pred = write_sequences(tmp_path / "pred", ["other"])
    assert matched(gt, pred) == [("gt", "other")]


@pytest.mark.parametrize("swap", [False, True])
def test_ties_are_named(tmp_path, swap):
    one = write_sequences(tmp_path / "one", ["0001", "0002"])
    two = write_sequences(tmp_path / "two", ["a/0001", "b/0001", "0002"])
    with pytest.raises(DataError, match="sequence 0001 matches both a/0001 and b/0001"):
        matched(*((two, one) if swap else (one, two)))


def test_missing_sequences_are_listed(tmp_path):
    gt = write_sequences(tmp_path / "gt", ["0001", "0002", "0003"])
    pred = write_sequences(tmp_path / "pred", ["0002", "0004"])
    with pytest.raises(DataError, match="no prediction for the sequences 0001, 0003") as caught:
        matched(gt, pred)
    assert caught.value.where == str(pred)
    with pytest.raises(DataError, match="no ground truth for the sequence 0003") as caught:
        matched(write_sequences(tmp_path / "less", ["0001", "0002"]), gt)
    assert caught.value.where == str(tmp_path / "less")


def test_the_same_folder_is_refused(tmp_path):
    gt = write_sequences(tmp_path / "gt" / "panoptic_maps", ["0001"])
    (tmp_path / "link").symlink_to(gt, target_is_directory=True)
    for other in (gt, gt.parent, tmp_path / "link"):
        with pytest.raises(DataError, match="are the same folder"):
            matched(gt, other)


@pytest.mark.parametrize("swap", [False, True])
def test_folders_inside_each_other_are_refused(tmp_path, swap):
    outer = write_sequences(tmp_path / "gt", ["val/0001"])
    folders = (outer, outer / "val")
    with pytest.raises(DataError, match="are one inside the other"):
        matched(*(folders[::-1] if swap else folders))


@pytest.mark.parametrize("kind", ["symlink_to", "hardlink_to"])
def test_a_file_of_both_sides_is_refused(tmp_path, kind):
    gt = write_sequences(tmp_path / "gt", ["0001", "0002"])
    pred = write_sequences(tmp_path / "pred", ["0001", "0002"])
    linked = pred / "0002" / "000001.png"
    linked.unlink()
    getattr(linked, kind)(gt / "0001" / "000000.png")
    with pytest.raises(DataError, match=r"also one of the ground truth \(1 file in all") as caught:
        matched(gt, pred)
    assert caught.value.where == str(linked)


def test_unlike_names_are_noted(tmp_path):
    def notes(gt, pred):
        return matching_notes(match_sequences(open_maps(gt, KITTI), open_maps(pred, KITTI)))

    gt = write_sequences(tmp_path / "gt", ["val/0001"])
    like, unlike = tmp_path / "like", tmp_path / "unlike"
    assert notes(gt, write_sequences(like, ["x/0001"])) == ()
    (note,) = notes(gt, write_sequences(unlike, ["0002"]))
    assert "val/0001 of the ground truth was scored against 0002 of the prediction" in note


def pair(tmp_path, gt_count=4, pred_count=4, first=0, missing="error", size=(6, 9)):
    gt = write_frames(tmp_path / "gt", random_maps(gt_count))
    pred = write_frames(tmp_path / "pred", random_maps(pred_count, size=size), first)
    folders = [open_maps(folder, KITTI).sequences[0] for folder in (gt, pred)]
    return pair_frames(*folders, missing)


def test_frames_by_name(tmp_path):
    assert pair(tmp_path) == [0, 1, 2, 3]


def test_digits_count_by_their_value(tmp_path):
    gt = write_frames(tmp_path / "gt", random_maps(11))
    pred = write_frames(tmp_path / "pred", random_maps(11))
    for path in sorted(pred.iterdir()):
        path.rename(pred / f"{int(path.stem)}.png")
    folders = [open_maps(folder, KITTI).sequences[0] for folder in (gt, pred)]
    assert pair_frames(*folders) == list(range(11))


def test_missing_frames(tmp_path):
    with pytest.raises(DataError, match=r"lacks 2 frames \(000002, 000003\) of 4.*--missing void"):
        pair(tmp_path, pred_count=2)
    assert pair(tmp_path, pred_count=2, missing="void") == [0, 1, None, None]


@pytest.mark.parametrize("missing", ["error", "void"])
def test_extra_frames_are_always_an_error(tmp_path, missing):
    with pytest.raises(DataError, match=r"has 7 frames \(000004, .* and 2 more\) that the ground"):
        pair(tmp_path, pred_count=11, missing=missing)


def test_sizes_must_agree(tmp_path):
    with pytest.raises(DataError, match="prediction is 9x5 pixels, the ground truth 9x6"):
        pair(tmp_path, size=(5, 9))


def test_every_golden_case_pairs():
    cases = [folder for folder in shared_folder("golden").iterdir() if folder.is_dir()]
    assert len(cases) == 24
    for case in cases:
        gt, pred = open_maps(case / "gt", KITTI), open_maps(case / "pred", KITTI)
        for left, right in match_sequences(gt, pred):
            assert pair_frames(left, right) == list(range(len(left.frame_names)))


def test_real_predictions_pair_with_the_data_set_around_them():
    folder = shared_folder("data", "kitti_step_0001")
    gt, pred = open_maps(folder, KITTI), open_maps(folder / "predictions_espnet", KITTI)
    ((left, right),) = match_sequences(gt, pred)
    assert left.parts == ("train", "0001")
    assert pair_frames(left, right) == list(range(10))


def test_maps_beside_images_are_all_that_counts(tmp_path):
    write_sequences(tmp_path / "images", ["0001"])
    write_sequences(tmp_path / "panoptic_maps", ["0001"])
    write_frames(tmp_path / "predictions" / "0001", [draw("r")])
    opened = open_maps(tmp_path, KITTI)
    assert [sequence.parts for sequence in opened.sequences] == [("0001",)]
    assert opened.frame_count == 2


def test_a_sequence_name_before_the_number_is_ignored(tmp_path):
    gt = write_frames(tmp_path / "gt" / "0007", [draw("r"), draw("c1")])
    pred = write_frames(tmp_path / "pred" / "0007", [draw("c2"), draw("s")])
    for number, name in ((0, "0007_1"), (1, "0007_0")):
        (pred / f"{number:06d}.png").rename(pred / f"{name}.png")
    ((left, right),) = match_sequences(open_maps(gt, KITTI), open_maps(pred, KITTI))
    assert pair_frames(left, right) == [0, 1]
    assert same(right.read(0), draw("s"))
    (pred / "0007_1.png").rename(pred / "other_1.png")
    ((left, right),) = match_sequences(open_maps(gt, KITTI), open_maps(pred, KITTI))
    with pytest.raises(DataError, match="the ground truth lacks"):
        pair_frames(left, right)


VPS = ("0005_0025_frankfurt_000000_001736", "0005_0030_frankfurt_000000_001741",
       "0005_0035_frankfurt_000000_001746")  # fmt: skip


@pytest.mark.parametrize(
    ("gt", "names", "pred", "others"),
    [
        ("gt", VPS, "pred", ("0025", "0030", "0035")),
        ("gt", VPS, "pred/0005", ("25", "30", "35")),
        ("gt", VPS, "pred", ("0005_0025", "0005_0030", "0005_0035")),
        ("gt/0005", ("0025", "0030", "0035"), "pred", VPS),
        ("gt", tuple(f"lindau_000000_00029{n}_gtFine" for n in range(3)), "pred",
         tuple(f"lindau_000000_00029{n}" for n in range(3))),
    ],
)  # fmt: skip
def test_one_flat_sequence_matches_names_without_its_name(tmp_path, gt, names, pred, others):
    for folder, stems in ((tmp_path / gt, names), (tmp_path / pred, others)):
        write_frames(folder, [draw("r"), draw("c1"), draw("s")])
        for number, stem in enumerate(stems):
            (folder / f"{number:06d}.png").rename(folder / f"{stem}.png")
    ((left, right),) = match_sequences(
        open_maps(tmp_path / gt, KITTI), open_maps(tmp_path / pred, KITTI)
    )
    assert pair_frames(left, right) == [0, 1, 2]
    right.path(0).unlink()
    ((left, right),) = match_sequences(
        open_maps(tmp_path / gt, KITTI), open_maps(tmp_path / pred, KITTI)
    )
    assert pair_frames(left, right, "void") == [None, 0, 1]


@pytest.mark.parametrize(
    ("pred", "others"),
    [
        ("pred/0010", ("0025", "0030", "0035")),
        ("pred", ("0010_0025", "0010_0030", "0010_0035")),
        ("pred", ("0001", "0002", "0003")),
        ("pred", ("a", "b", "c")),
    ],
)
def test_frames_of_another_sequence_or_number_are_refused(tmp_path, pred, others):
    for folder, stems in ((tmp_path / "gt", VPS), (tmp_path / pred, others)):
        write_frames(folder, [draw("r"), draw("c1"), draw("s")])
        for number, stem in enumerate(stems):
            (folder / f"{number:06d}.png").rename(folder / f"{stem}.png")
    ((left, right),) = match_sequences(
        open_maps(tmp_path / "gt", KITTI), open_maps(tmp_path / pred, KITTI)
    )
    with pytest.raises(DataError, match=f"no frame .*: {others[0]}, .* against {VPS[0]}"):
        pair_frames(left, right)
