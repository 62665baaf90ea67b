import json

import pytest
import torch
from helpers.scenes import KITTI
from helpers.training_jobs import moving_boxes
from torch import nn

from mapt_bench.errors import ConfigError
from mapt_bench.training.model_builder import build_model, model_config, tracker_of
from mapt_bench.training.sources import folder_data, spread, suite_data
from mapt_bench.training.validation import VALIDATION_SCORES, TrackerValidation

torch.set_num_threads(1)


def test_a_function_of_the_user_gets_the_labels_and_its_settings():
    model = build_model("helpers.toy_model:build", {"hidden": 4}, KITTI)
    assert model.features.out_channels == 4
    assert model.labels is KITTI


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("helpers.toy_model:biuld", "did you mean 'build'?"),
        ("helpers.toy_model:os", "is an object of type module; expected package.module:function"),
        ("builtins:repr", "returned a str; expected a torch module"),
        ("builtins:float", "could not be built: TypeError: float() argument must be a string"),
        ("builtins:exit", "could not be built: it called sys.exit("),
        ("absent_module:build", "there is no module 'absent_module'"),
    ],
)
def test_names_that_build_nothing(name, words):
    with pytest.raises(ConfigError) as caught:
        build_model(name, {}, KITTI)
    assert words in caught.value.message


def test_the_whole_configuration_goes_on_record():
    found = model_config("mapt-tiny", {"motion.gate": False})
    assert found["motion"]["gate"] is False
    assert found["backbone"]["name"] == "tiny"
    assert json.loads(json.dumps(found))
    assert model_config("helpers.toy_model:build", {}) is None
    with pytest.raises(ConfigError):
        model_config("mapt-tiny", {"motion.gaet": False})


def test_validation_scores_the_models_own_tracker():
    model = build_model("helpers.toy_model:build", {}, KITTI)
    model.train()
    found = TrackerValidation([moving_boxes(3)], tracker_of)(model, 0)
    assert set(found) <= set(VALIDATION_SCORES)
    assert 0 <= found["SQ"] <= 1
    assert model.training


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: 1 / 0, r"model .*Odd failed: ZeroDivisionError"),
        (lambda: 3, r"tracker\(\) of model .*Odd returned an int; expected a tracker"),
    ],
)
def test_a_tracker_of_a_model_that_cannot_be_had(made, message):
    class Odd(nn.Linear):
        def tracker(self):
            return made()

    with pytest.raises(ConfigError, match=message):
        tracker_of(Odd(1, 1))


def test_a_model_without_tracker_is_not_validated():
    assert tracker_of(nn.Linear(1, 1)) is None
    assert TrackerValidation([moving_boxes(3)], tracker_of)(nn.Linear(1, 1), 0) == {}


def test_suites_are_known_by_what_they_were_frozen_with():
    tiny, again, stress = (suite_data(name) for name in ("tiny", "tiny", "stress"))
    assert tiny.describe() == again.describe()
    assert tiny.describe()["sequences"] == 4
    assert tiny.fingerprint != stress.fingerprint
    with pytest.raises(ConfigError, match=r"unknown suite 'trian'; did you mean 'train'?"):
        suite_data("trian")


def test_folders_are_known_by_their_maps(tmp_path):
    from mapt_bench.data import KittiStepWriter
    from mapt_bench.errors import DataError

    video = moving_boxes(2)
    for index in range(2):
        with KittiStepWriter(tmp_path / "a", KITTI) as writer:
            writer.write("0001", f"{index:06d}", video.truth(index))
    one = folder_data(tmp_path / "a")
    assert one.describe()["frames"] == 2
    with KittiStepWriter(tmp_path / "a", KITTI) as writer:
        writer.write("0001", "000001", video.truth(0))
    assert folder_data(tmp_path / "a").fingerprint != one.fingerprint
    with pytest.raises(DataError):
        folder_data(tmp_path / "absent")


def test_a_few_videos_are_spread():
    assert spread([1, 2, 3], 9) == (1, 2, 3)
    assert spread(list(range(10)), 1) == (0,)
