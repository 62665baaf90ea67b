"""Statistics of labelled video, worked by hand on squares that move."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from helpers.maps import CAR, KITTI, PERSON, random_maps, shared_folder

from mapt_bench.data import open_maps
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import PanopticMap, pack_codes
from mapt_bench.statistics import Distribution, measure_statistics
from mapt_bench.statistics.frame_objects import (
    copied_links,
    find_objects,
    mask_overlaps,
    neighbour_distances,
)

HEIGHT, WIDTH = 8, 40


@dataclass(frozen=True)
class Film:
    """Maps in memory; ``None`` cannot be read."""

    maps: tuple[PanopticMap | None, ...]
    parts: tuple[str, ...] = ("film",)

    @property
    def frame_names(self):
        return tuple(f"{index:06d}" for index in range(len(self.maps)))

    @property
    def size(self):
        return HEIGHT, WIDTH

    def read(self, index):
        found = self.maps[index]
        if found is None:
            raise DataError("is truncated")
        return found


def frame(*boxes):
    """Road with boxes: class, id, left, top, width, height; later ones cover earlier ones."""
    classes = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    ids = np.zeros((HEIGHT, WIDTH), dtype=np.uint32)
    for class_id, identity, left, top, width, height in boxes:
        place = np.s_[top : top + height, left : left + width]
        classes[place], ids[place] = class_id, identity
    return PanopticMap(pack_codes(classes, ids))


def square(identity, left, class_id=CAR):
    """A square of 4 x 4 pixels: area 16, size 4."""
    return class_id, identity, left, 2, 4, 4


def measure(*frames):
    return measure_statistics([Film(frames)], KITTI)


def interval(found, tau):
    return next(entry for entry in found.overall.intervals if entry.tau == tau)


def only(distribution):
    """The value that all of a distribution have."""
    low, high = distribution.quantile("minimum"), distribution.quantile("maximum")
    assert low == high
    return low


def test_one_square_that_moves_a_pixel_a_frame():
    found = measure(*(frame(square(1, left)) for left in range(4)))
    assert (found.sequence_count, found.frame_count, found.unread_count) == (1, 4, 0)
    expected = {  # tau: links, displacement, over size 4, columns shared of those covered
        1: (3, 1, 1 / 4, 3 / 5),
        2: (2, 2, 2 / 4, 2 / 6),  # frames 0 and 2, and of the other phase 1 and 3
        3: (1, 3, 3 / 4, 1 / 7),
    }
    for tau, (count, displacement, over_size, overlap) in expected.items():
        entry = interval(found, tau)
        assert entry.link_count == entry.displacement.count == count
        assert only(entry.displacement) == displacement
        assert only(entry.over_size) == over_size
        assert only(entry.overlap) == overlap
    shares = [(interval(found, t).right_share, interval(found, t).wrong_share) for t in (1, 2, 3)]
    assert shares == [(1, 0), (1, 0), (0, 0)]  # 1/3 is enough to copy, 1/7 is not


def test_size_and_neighbour_are_those_of_the_earlier_frame():
    # Car 1 grows from 2 x 2 (size 2) to 4 x 4; its centre goes from 1 to 4. The nearest car's is
    # 5 away at first, and 8 later.
    earlier = frame((CAR, 1, 0, 2, 2, 2), (CAR, 2, 5, 2, 2, 2))
    later = frame((CAR, 1, 2, 1, 4, 4), (CAR, 2, 11, 2, 2, 2))
    entry = interval(measure(earlier, later), 1)
    # displacements 3 and 6
    assert entry.over_size.quantile("minimum") == 3 / 2
    assert entry.over_size.quantile("maximum") == 6 / 2
    assert entry.over_neighbour.quantile("minimum") == 3 / 5
    assert entry.over_neighbour.quantile("maximum") == 6 / 5


def test_copying_goes_wrong_where_a_mask_lies_on_another_objects():
    # Car 1 comes to where car 2 was (overlap 3/5); car 2 leaves both.
    before = (square(1, 0), square(2, 8))
    after = (square(1, 7), square(2, 16))
    entry = interval(measure(frame(*before), frame(*after)), 1)
    assert (entry.link_count, entry.right_share, entry.wrong_share) == (2, 0, 0.5)


def test_copying_stays_within_a_class():
    before = (square(1, 0), square(2, 8, PERSON))
    after = (square(1, 7), square(2, 16, PERSON))
    found = measure(frame(*before), frame(*after))
    entry = interval(found, 1)
    assert (entry.link_count, entry.right_share, entry.wrong_share) == (2, 0, 0)
    assert [group.class_id for group in found.classes] == [PERSON, CAR]
    assert entry.over_neighbour.count == 0  # the other one is of another class
    assert "another of its class" in entry.over_neighbour.undefined
    assert [only(group.intervals[0].displacement) for group in found.classes] == [8, 7]


def test_an_identity_counts_within_its_class():
    found = measure(frame(square(1, 0)), frame(square(1, 0, PERSON)))
    assert found.overall.track_count == 2
    assert interval(found, 1).link_count == 0


def test_an_object_that_was_not_there_before_is_no_link():
    entry = interval(measure(frame(square(1, 0)), frame(square(2, 0))), 1)
    assert entry.link_count == 0


@pytest.mark.parametrize(("overlap", "expected"), [(0.3, [0]), (0.2999, [-1])])
def test_copying_needs_an_overlap_of_0_3(overlap, expected):
    car = np.array([CAR], dtype=np.uint8)
    assert copied_links(np.array([[overlap]]), car, car).tolist() == expected


def test_a_pair_below_the_least_overlap_pushes_none_apart():
    # 0.7 + 0.29 is more than 0.9 alone, but 0.29 is no pair.
    cars = np.full(2, CAR, dtype=np.uint8)
    assert copied_links(np.array([[0.9, 0.7], [0.29, 0.0]]), cars, cars).tolist() == [0, -1]


def test_gaps_and_lengths():
    car = square(1, 0)
    seen = [1, 0, 0, 1, 1, 0, 1, 0]  # gaps of 2 and of 1; the end is no gap
    found = measure(*(frame(car) if there else frame() for there in seen))
    gap = found.overall.gap
    assert (gap.count, gap.quantile("minimum"), gap.quantile("maximum")) == (2, 1, 2)
    assert only(found.overall.length) == 4
    assert found.overall.track_count == 1
    assert [interval(found, tau).link_count for tau in (1, 2, 3, 5)] == [1, 1, 2, 0]


def test_a_track_that_comes_late_has_no_gap():
    found = measure(frame(), frame(), frame(square(1, 0)))
    assert found.overall.gap.count == 0
    assert found.overall.gap.undefined == "no track has a gap"


def test_objects_and_areas():
    boxes = (square(1, 0), (CAR, 2, 10, 0, 1, 2), square(7, 20, PERSON))
    found = measure(frame(*boxes), frame(square(1, 0)), frame())
    people, cars = found.classes
    assert (people.name, cars.name, found.overall.name) == ("person", "car", "all")
    objects = found.overall.objects
    assert objects.count == 3  # a frame without any counts as well
    assert [objects.quantile(name) for name in ("minimum", "median", "maximum")] == [0, 1, 3]
    assert cars.objects.quantile("maximum") == 2
    assert people.objects.quantile("median") == 0
    assert (cars.area.count, cars.area.quantile("minimum")) == (3, 2)
    assert cars.area.quantile("median") == cars.area.quantile("maximum") == 16
    assert only(people.area_share) == 16 / (HEIGHT * WIDTH)


def test_crowd_stuff_and_void_are_no_objects():
    found = measure(frame(square(0, 0), (1, 5, 10, 0, 3, 3), (255, 9, 20, 0, 3, 3)))
    assert found.overall.track_count == 0
    assert found.classes == ()
    assert found.overall.area.undefined == "no object is visible"


def test_a_frame_that_cannot_be_read_keeps_its_place():
    found = measure(frame(square(1, 0)), None, frame(square(1, 2)))
    assert (found.frame_count, found.unread_count) == (2, 1)
    assert [interval(found, tau).link_count for tau in (1, 2)] == [0, 1]
    assert found.overall.gap.count == 0  # it was not seen to be absent


def test_objects_round_one_centre_are_not_apart():
    ring = frame((CAR, 1, 0, 0, 6, 6), (CAR, 2, 2, 2, 2, 2))
    entry = interval(measure(ring, ring), 1)
    assert entry.link_count == 2
    assert entry.over_neighbour.count == 0


def test_sequences_are_pooled_and_never_linked():
    one, other = Film((frame(square(1, 0)),)), Film((frame(square(1, 1)),) * 2)
    found = measure_statistics([one, other], KITTI)
    assert (found.sequence_count, found.overall.track_count) == (2, 2)
    assert interval(found, 1).link_count == 1
    assert found.overall.length.quantile("median") == 1.5
    assert measure_statistics([other, one], KITTI) == found


@pytest.mark.parametrize("films", [[], [Film(())], [Film((None,))]], ids=["none", "bare", "unread"])
def test_nothing_to_measure(films):
    found = measure_statistics(films, KITTI)
    assert found.frame_count == 0
    assert found.overall.objects.undefined == "no frame could be read"
    plain = found.to_dict()
    assert plain["classes"] == []
    assert plain["all"]["objects_a_frame"]["median"] is None
    first = plain["all"]["intervals"][0]
    reason = "no track is visible in two frames that are 1 apart"
    assert first["copying"] == {"right": None, "wrong": None, "undefined": reason}
    assert {
        first[name]["undefined"] for name in ("displacement", "displacement_over_size", "overlap")
    } == {reason}
    json.dumps(plain, allow_nan=False)


def test_one_frame():
    found = measure(frame(square(1, 0)))
    assert only(found.overall.length) == 1
    assert all(entry.link_count == 0 for entry in found.overall.intervals)
    json.dumps(found.to_dict(), allow_nan=False)


def test_other_intervals_ascend():
    film = Film(tuple(frame(square(1, left)) for left in range(8)))
    found = measure_statistics([film], KITTI, taus=(7, 4))
    assert found.taus == (4, 7)
    assert [entry.link_count for entry in found.overall.intervals] == [4, 1]
    assert [only(entry.displacement) for entry in found.overall.intervals] == [4, 7]


@pytest.mark.parametrize("taus", [(), (0, 1), (2, 2)])
def test_impossible_intervals(taus):
    with pytest.raises(ConfigError, match="different numbers of frames, 1 or more"):
        measure_statistics([], KITTI, taus=taus)


def test_every_frame_is_counted_as_progress():
    done = []
    film = Film((frame(), None, frame(square(1, 0))))
    measure_statistics([film, film], KITTI, advance=done.append)
    assert sum(done) == 6


def test_plain_data_of_one_square():
    plain = measure(frame(square(1, 0)), frame(square(1, 2))).to_dict()
    assert (plain["sequences"], plain["frames"], plain["taus"]) == (1, 2, [1, 2, 3, 5])
    (car,) = plain["classes"]
    assert (car["id"], car["name"], car["tracks"]) == (CAR, "car", 1)
    assert car["intervals"][0]["copying"] == {"right": 1.0, "wrong": 0.0}
    assert car["intervals"][0]["displacement_over_size"] == {
        "count": 1, "minimum": 0.5, "p10": 0.5, "median": 0.5, "p90": 0.5, "p99": 0.5,
        "maximum": 0.5,
    }  # fmt: skip


def test_quantiles_are_interpolated():
    found = Distribution.of(np.arange(11), "none")
    assert found.quantile("p10") == pytest.approx(1)
    assert found.quantile("p99") == pytest.approx(9.9)
    assert Distribution.of([], "none").quantile("median") is None


@pytest.mark.parametrize("seed", range(5))
def test_objects_as_masks_have_them(seed):
    """The same as from whole masks, one object at a time."""
    maps = random_maps(2, size=(9, 13), id_limit=3, seed=seed)
    found = [find_objects(panoptic, KITTI) for panoptic in maps]
    masks = [
        {
            code: panoptic.codes == code
            for code in np.unique(panoptic.codes).tolist()
            if code >> 24 in KITTI.thing_ids and code & 0xFFFFFF
        }
        for panoptic in maps
    ]
    for objects, of_frame in zip(found, masks, strict=True):
        assert objects.codes.tolist() == list(of_frame)
        assert objects.areas.tolist() == [mask.sum() for mask in of_frame.values()]
        centres = {code: np.argwhere(mask).mean(axis=0) for code, mask in of_frame.items()}
        np.testing.assert_allclose(objects.centres[:, ::-1], list(centres.values()))
        distances = [
            min(
                (
                    np.linalg.norm(centre - other)
                    for code, other in centres.items()
                    if code >> 24 == own >> 24 and code != own
                ),
                default=np.inf,
            )
            for own, centre in centres.items()
        ]
        np.testing.assert_allclose(neighbour_distances(objects), distances)
    overlaps = [
        [(a & b).sum() / (a | b).sum() for b in masks[1].values()] for a in masks[0].values()
    ]
    np.testing.assert_allclose(mask_overlaps(*found), overlaps)


def test_figures_of_real_video():
    """KITTI MOTS 0012 as documented."""
    maps = open_maps(shared_folder("data", "kitti_mots_gt", "instances_txt"), KITTI)
    sequences = [entry for entry in maps.sequences if entry.parts[-1] == "0012"]
    found = measure_statistics(sequences, KITTI)
    assert (found.frame_count, found.overall.track_count, found.overall.area.count) == (78, 3, 204)
    copied = [(entry.link_count, entry.right_share) for entry in found.overall.intervals]
    assert [count for count, _ in copied] == [200, 196, 192, 185]
    shares = [share for _, share in copied]
    assert shares == pytest.approx([0.895, 0.6684, 0.6615, 0.5514], abs=5e-5)
