import numpy as np
import pytest

from mapt_bench.baselines.flow_files import FlowFiles
from mapt_bench.errors import DataError
from mapt_bench.labels import Frame, VideoInfo, label_space
from mapt_bench.tracking import FlowWarp

SIZE = (12, 30)


def _info(*names, video="0001"):
    return VideoInfo(video, names, *SIZE, label_space("kitti-step"), has_images=False)


def _frames(info):
    return [Frame(index, name) for index, name in enumerate(info.frame_names)]


def _save(folder, *names, flow=(0.0, 0.0)):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        np.save(folder / f"{name}.npy", np.broadcast_to(np.float32(flow), (*SIZE, 2)))


THREE = ("000000", "000001", "000002")


def test_flow_back_in_time_carries_a_mask_forwards(tmp_path):
    # The object moves 5 to the right and 2 down, so the flow from t to t-1 is (-5, -2).
    _save(tmp_path, "000001", flow=(-5, -2))
    info = _info(*THREE[:2])
    earlier, present = _frames(info)
    warp = FlowWarp(FlowFiles(tmp_path))
    warp.start(info)
    mask = np.zeros((1, *SIZE), dtype=np.float32)
    mask[0, 3:6, 4:10] = 1
    moved = np.zeros_like(mask)
    moved[0, 5:8, 9:15] = 1
    np.testing.assert_array_equal(warp.propagate(mask, earlier, present), moved)
    assert not warp.needs_images


@pytest.mark.parametrize(
    "name",
    [
        "000001",
        "1",
        "flow_000001",
        "000001_flow",
        "backward_000001",
        "000001_bwd",
        "flow_bw_000001",
        "000001_to_000000",
        "000001_000000",
        "flow-000001-000000",
        "backward_flow_000001",
    ],
)
def test_names_of_files_that_are_understood(tmp_path, name):
    _save(tmp_path, name, flow=(1, 2))
    source = FlowFiles(tmp_path)
    info = _info(*THREE[:2])
    source.start(info)
    earlier, present = _frames(info)
    assert source.flow(present, earlier)[0, 0].tolist() == [1, 2]


def test_names_that_are_words_match_exactly(tmp_path):
    names = ("frame-a", "Frame-B")
    _save(tmp_path, "Frame-B_bwd", flow=(1, 2))
    source = FlowFiles(tmp_path)
    info = _info(*names)
    source.start(info)
    earlier, present = _frames(info)
    assert source.flow(present, earlier)[0, 0].tolist() == [1, 2]


def test_frame_names_of_two_numbers_are_no_pair(tmp_path):
    names = ("000000_000018", "000000_000019")
    _save(tmp_path, names[1], flow=(1, 2))
    source = FlowFiles(tmp_path)
    source.start(_info(*names))


def test_each_video_has_its_folder_and_each_frame_its_file(tmp_path):
    for video, first in (("0001", 10.0), ("0002", 20.0)):
        _save(tmp_path / video, "000001", flow=(first, 0))
        _save(tmp_path / video, "000002", flow=(first + 1, 0))
    source = FlowFiles(tmp_path)
    for video, first in (("0001", 10), ("0002", 20)):
        info = _info(*THREE, video=video)
        source.start(info)
        frames = _frames(info)
        assert source.flow(frames[1], frames[0])[0, 0, 0] == first
        assert source.flow(frames[2], frames[1])[0, 0, 0] == first + 1


def test_forward_flow_beside_backward_flow_is_passed_over(tmp_path):
    _save(tmp_path, "000000_fwd", "000001_fwd", flow=(9, 9))
    _save(tmp_path, "000001_bwd", flow=(1, 2))
    source = FlowFiles(tmp_path)
    info = _info(*THREE[:2])
    source.start(info)
    earlier, present = _frames(info)
    assert source.flow(present, earlier)[0, 0].tolist() == [1, 2]


def test_the_name_nearest_to_the_file_says_the_direction(tmp_path):
    folder = tmp_path / "forward_and_others" / "0001"
    _save(folder, "000001_backward")
    FlowFiles(folder.parent).start(_info(*THREE[:2]))
    # Names above the folder that was given are not about the flow.
    above = tmp_path / "forward" / "flow"
    _save(above, "000001")
    FlowFiles(above).start(_info(*THREE[:2]))


def _refused(folder, info):
    with pytest.raises(DataError) as caught:
        FlowFiles(folder).start(info)
    return caught.value


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("flow", "000001_forward"),
        ("flow", "forward_000001"),
        ("flow", "000001_fwd"),
        ("flow", "flow_fw_000001"),
        ("flow_fwd", "000001"),
        ("forward/0001", "000001"),
        ("flow", "000000_to_000001"),
        ("flow", "000000_000001"),
    ],
)
def test_a_name_that_says_the_other_direction_is_refused(tmp_path, folder, name):
    place = tmp_path / folder
    _save(place, name)
    problem = _refused(tmp_path / folder.split("/")[0], _info(*THREE[:2]))
    assert "leads forwards in time" in problem.message
    assert "expected flow from frame 1 back to 0" in problem.message
    assert problem.where == str(place / f"{name}.npy")


def test_a_missing_frame_is_named(tmp_path):
    _save(tmp_path, "000001")
    problem = _refused(tmp_path, _info(*THREE))
    assert "no flow from frame 2 to 1" in problem.message
    assert problem.where == str(tmp_path)


def test_a_file_that_leads_to_another_frame_does_not_count(tmp_path):
    _save(tmp_path, "000002_to_000000", "000001")
    assert "no flow from frame 2 to 1" in _refused(tmp_path, _info(*THREE)).message


def test_two_files_of_a_frame_are_refused(tmp_path):
    _save(tmp_path, "000001", "000001_bwd")
    problem = _refused(tmp_path, _info(*THREE[:2]))
    assert "000001.npy and 000001_bwd.npy are both flow of frame 1" in problem.message


def test_dropped_frames_are_noticed(tmp_path):
    _save(tmp_path, "000001", "000002", "000003", "000004")
    problem = _refused(tmp_path, _info("000000", "000002", "000004"))
    assert "000001.npy belongs to a frame that the video lacks" in problem.message


def test_folders_without_flow_are_refused(tmp_path):
    (tmp_path / "a.txt").touch()
    assert "has no flow files" in _refused(tmp_path, _info(*THREE)).message
    with pytest.raises(DataError, match="no such folder"):
        FlowFiles(tmp_path / "absent")


def test_only_the_frame_before_can_be_reached(tmp_path):
    _save(tmp_path, "000001", "000002")
    source = FlowFiles(tmp_path)
    info = _info(*THREE)
    source.start(info)
    frames = _frames(info)
    for pair in ((2, 0), (0, 1), (1, 1)):
        with pytest.raises(DataError, match="lead from each frame to the one before"):
            source.flow(frames[pair[0]], frames[pair[1]])


def test_another_size_is_refused(tmp_path):
    np.save(tmp_path / "000001.npy", np.zeros((6, 15, 2), dtype=np.float32))
    source = FlowFiles(tmp_path)
    info = _info(*THREE[:2])
    source.start(info)
    earlier, present = _frames(info)
    with pytest.raises(DataError, match=r"flow has \(6, 15\) pixels"):
        source.flow(present, earlier)


def test_a_video_of_one_frame_needs_no_file_but_its_folder(tmp_path):
    _save(tmp_path, "000000")
    FlowFiles(tmp_path).start(_info("000000"))


def test_flow_needs_a_start(tmp_path):
    _save(tmp_path, "000001")
    earlier, present = _frames(_info(*THREE[:2]))
    with pytest.raises(RuntimeError, match="start"):
        FlowFiles(tmp_path).flow(present, earlier)
