import pickle
from collections import Counter

import cv2
import numpy as np
import pytest
from helpers.experiment_networks import named_mapt
from helpers.maps import shared_folder
from helpers.small_runs import source as drawn_source
from helpers.small_runs import walk, write_videos

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.experiments import MILD_NOISE, SegmentSource, folder_source, suite_source


@pytest.fixture
def data(tmp_path):
    """A folder with the maps of two videos."""
    write_videos(tmp_path / "data", walk(4, name="one"), walk(4, name="two"))
    return tmp_path / "data"


def test_a_suite_says_what_it_is():
    source = suite_source("quick")
    described = source.describe()
    assert described["name"] == described["suite"]["name"] == "quick"
    assert described["suite"]["version"] >= 1
    assert described["label_space"] == "kitti-step"
    assert len(described["sequences"]) == 24
    assert described["segments"] == {"groundtruth": {"kind": "ground truth", "noise": None}}
    assert source.has_images
    assert source.knows_flow
    (true,) = source.segments
    assert true.in_words() == "ground-truth segments without identities"


def test_a_suite_knows_the_groups_of_its_videos():
    source = suite_source("quick")
    assert set(source.groups) == {video.info.name for video in source.videos}
    halves = Counter(groups["half"] for groups in source.groups.values())
    assert halves == {"real-like": 12, "hard": 12}
    kinds = Counter(groups["kind"] for groups in source.groups.values())
    assert kinds == {"street": 12, "crowd": 12}
    for groups in source.groups.values():
        assert ("displacement" in groups) == (groups["half"] == "hard")


def test_suites_are_told_apart_and_faults_are_not_of_the_videos():
    noisy = suite_source("tiny", (SegmentSource(noise=MILD_NOISE),))
    described = noisy.describe()["segments"]
    assert described["noisy"]["noise"]["missed"] == MILD_NOISE.missed > 0
    assert "with faults" in noisy.segments[0].in_words()
    assert noisy.fingerprint == suite_source("tiny").fingerprint
    assert noisy.fingerprint != suite_source("quick").fingerprint


def test_kinds_of_segments_are_asked_for_by_name():
    mapt = named_mapt("mine")
    kinds = SegmentSource(mapt=mapt), SegmentSource(), SegmentSource(noise=MILD_NOISE)
    source = drawn_source(segments=kinds)
    assert [each.name for each in source.segments] == ["mine", "groundtruth", "noisy"]
    assert source.segments_named(None) is source.segments_named("mine") is kinds[0]
    assert source.segments_named("noisy") is kinds[2]
    with pytest.raises(ConfigError, match=r"no segments 'groundtrut'; did you mean 'groundtruth'"):
        source.segments_named("groundtrut")
    assert source.describe()["segments"]["mine"] == {
        "kind": "found by MAPT",
        "weights": mapt.sha256,
    }
    assert str(mapt.path) not in str(source.describe())
    assert kinds[0].in_words() == "detections of MAPT"
    assert [each.needs_images for each in kinds] == [True, False, False]


@pytest.mark.parametrize(
    "kinds",
    [
        (SegmentSource(), SegmentSource()),
        (SegmentSource(saved=()), SegmentSource(saved=(), folder="other")),
        (SegmentSource(), SegmentSource(mapt=named_mapt("groundtruth"))),
    ],
)
def test_two_kinds_of_one_name_are_refused(kinds):
    with pytest.raises(ConfigError, match="distinct names; found"):
        drawn_source(segments=kinds)


def test_unknown_suites_are_refused():
    with pytest.raises(ConfigError, match="did you mean 'quick'"):
        suite_source("quik")


def test_one_byte_amid_a_large_image_makes_other_data(data):
    frames = data / "images" / "val" / "one"
    frames.mkdir(parents=True)
    (data / "images" / "val" / "two").mkdir()
    noise = np.random.default_rng(0)
    for sequence in ("one", "two"):
        for index in range(4):
            image = noise.integers(0, 256, (48, 96, 3)).astype(np.uint8)
            path = data / "images" / "val" / sequence / f"{index:06d}.png"
            cv2.imwrite(str(path), image)
            with path.open("ab") as file:
                file.write(noise.bytes(600_000))
    before = folder_source(data).fingerprint
    with (frames / "000002.png").open("r+b") as file:
        file.seek(300_000)
        file.write(b"\x01\x02\x03\x04")
    assert folder_source(data).fingerprint != before


def test_a_folder_is_known_by_its_contents(data):
    first = folder_source(data)
    assert [video.info.name for video in first.videos] == ["one", "two"]
    assert not first.has_images
    assert first.fingerprint == folder_source(data).fingerprint
    maps = data / "panoptic_maps" / "val" / "two"
    (maps / "000002.png").write_bytes((maps / "000003.png").read_bytes())
    assert folder_source(data).fingerprint != first.fingerprint


def test_saved_segments_are_found_and_known_by_their_contents(data, tmp_path):
    mine = [walk(4, speed=1, name=name) for name in ("one", "two")]
    maps = write_videos(tmp_path / "mine", *mine)
    source = folder_source(data, segments=(SegmentSource(), tmp_path / "mine"))
    assert [each.name for each in source.segments] == ["groundtruth", "saved"]
    saved = source.segments_named("saved")
    described = saved.describe()
    assert described["kind"] == "saved predictions"
    assert saved.in_words() == "saved predictions of mine"
    assert str(tmp_path) not in str(source.describe())
    segmenter = saved.segmenter(source.videos[1], 1, seed=0)
    segmenter.start(source.videos[1].info)
    assert segmenter.segment(source.videos[1].frame(0)).count == 2
    (maps / "000000.png").write_bytes((maps / "000003.png").read_bytes())
    (other,) = folder_source(data, segments=(tmp_path / "mine",)).segments
    again = other.describe()
    assert again["fingerprint"] != described["fingerprint"]


def test_a_sequence_without_segments_is_an_error(data, tmp_path):
    write_videos(tmp_path / "mine", walk(4, name="one"))
    with pytest.raises(DataError, match="no segments for sequence 'two'"):
        folder_source(data, segments=(tmp_path / "mine",))


def test_unknown_label_spaces_are_refused(data):
    with pytest.raises(ConfigError, match="did you mean 'kitti-step'"):
        folder_source(data, dataset="kiti-step")


def test_images_without_truth_cannot_be_scored(tmp_path):
    _, pixels = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "images" / "a").mkdir(parents=True)
    (tmp_path / "images" / "a" / "0.png").write_bytes(pixels.tobytes())
    with pytest.raises(DataError, match="has no ground truth"):
        folder_source(tmp_path)


def test_sources_cross_process_borders(data):
    for source in (suite_source("tiny"), folder_source(data)):
        again = pickle.loads(pickle.dumps(source))  # noqa: S301 - written just now
        assert again.describe() == source.describe()


def test_real_frames_open():
    folder = shared_folder("data", "kitti_step_0001")
    source = folder_source(folder, segments=(folder / "predictions_espnet",))
    assert source.describe()["sequences"] == {"0001": 10}
    assert source.has_images
