from dataclasses import replace
from pathlib import Path

import pytest

from mapt_bench.errors import ConfigError
from mapt_bench.strict_config import from_mapping, known_keys
from mapt_bench.training.recipe import Recipe
from mapt_bench.training.recipe_files import read_recipe, recipe_names

MINIMAL = {"model": "toy:build"}


def test_defaults_and_sections():
    recipe = Recipe.from_dict({**MINIMAL, "optimizer": {"name": "adamw", "lr": "1e-3"}})
    assert recipe.optimizer.name == "adamw"
    assert recipe.optimizer.lr == 0.001  # YAML hands 1e-3 over as text
    assert recipe.optimizer.momentum == 0.9
    assert recipe.clips.taus == (1,)


def test_plain_data_reads_back_equal():
    recipe = Recipe.from_dict(
        {
            **MINIMAL,
            "clips": {"interval": "sampled", "taus": [1, 2]},
            "augment": {"crop": [64, 128], "scale": [0.5, 2]},
            "loss_weights": {"loss_mask": 2},
            "model_settings": {"motion.gate": False},
        }
    )
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    assert recipe.augment.scale == (0.5, 2.0)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({**MINIMAL, "stesp": 3}, "unknown key 'stesp'; did you mean 'steps'?"),
        (
            {**MINIMAL, "optimizer": {"lrr": 3}},
            "unknown key 'optimizer.lrr'; did you mean 'optimizer.lr'?",
        ),
        ({**MINIMAL, "steps": 2.5}, "steps is 2.5; expected a whole number"),
        ({**MINIMAL, "steps": True}, "steps is true; expected a whole number"),
        ({**MINIMAL, "steps": 0}, "steps is 0; expected 1 or more"),
        ({**MINIMAL, "optimizer": {"lr": 0}}, "optimizer.lr is 0.0; expected more than 0"),
        ({**MINIMAL, "optimizer": {"lr": "fast"}}, "optimizer.lr is 'fast'; expected a number"),
        ({**MINIMAL, "optimizer": {"name": "sdg"}}, "did you mean 'sgd'?"),
        ({**MINIMAL, "optimizer": 3}, "optimizer is 3; expected a mapping with the keys name"),
        ({**MINIMAL, "clips": {"taus": []}}, "clips.taus is empty"),
        ({**MINIMAL, "clips": {"taus": 2}}, "clips.taus is 2; expected a list of numbers"),
        ({**MINIMAL, "clips": {"taus": [1, 2]}}, "clips.interval fixed; expected one tau"),
        ({**MINIMAL, "clips": {"length": 4}}, "clips.length is 4; expected 1 to 3"),
        (
            {**MINIMAL, "augment": {"crop": [3]}},
            "augment.crop is [3]; expected a list of 2 numbers",
        ),
        ({**MINIMAL, "augment": {"scale": [2.0, 1.0]}}, "expected 2 or more"),
        (
            {**MINIMAL, "augment": {"hue": 0.6}},
            "augment.hue is 0.6; expected 0 to 0.5",
        ),
        ({**MINIMAL, "loss_weights": [1]}, "loss_weights is [1]; expected a mapping"),
        ({**MINIMAL, "loss_weights": {"loss_a": "x"}}, "loss_weights.loss_a is 'x'"),
        ({**MINIMAL, "batch_size": 3, "accumulate": 2}, "not divisible by accumulate 2"),
        ({**MINIMAL, "checkpoint_every": 15}, "checkpoint_every is 15; expected a multiple"),
        ({}, "the recipe lacks the key 'model'; expected text"),
        ([], "the recipe is []; expected a mapping"),
    ],
)
def test_what_is_wrong_is_told(data, words):
    with pytest.raises(ConfigError) as caught:
        Recipe.from_dict(data, where="my.yaml")
    assert words in caught.value.message
    assert caught.value.where == "my.yaml"


def test_not_a_number_is_in_no_range():
    with pytest.raises(ConfigError, match=r"optimizer\.lr is nan"):
        Recipe.from_dict({**MINIMAL, "optimizer": {"lr": float("nan")}})


def test_a_file_and_what_replaces_its_settings(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("model: toy:build\noptimizer: {lr: 0.5, momentum: 0.8}\n")
    recipe = read_recipe(
        str(path),
        [
            "optimizer.lr=1e-2",
            "augment.crop=[8, 16]",
            "loss_weights.loss_box=0.5",
            "model_settings.motion.gate=false",
        ],
    )
    assert (recipe.optimizer.lr, recipe.optimizer.momentum) == (0.01, 0.8)
    assert recipe.augment.crop == (8, 16)
    assert recipe.loss_weights == {"loss_box": 0.5}
    assert recipe.model_settings == {"motion.gate": False}


def test_a_models_own_function_stands_for_the_default_recipe():
    assert read_recipe("my.net:build") == Recipe(model="my.net:build")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("steps", "--set is 'steps'; expected KEY=VALUE"),
        ("stps=3", "did you mean 'steps'?"),
        ("optimizer=3", "unknown key 'optimizer'"),
        ("optimizer.lr.x=3", "optimizer.lr is"),
        ("augment.crop=[1", "is not valid YAML"),
    ],
)
def test_overrides_are_strict(override, words):
    with pytest.raises(ConfigError) as caught:
        read_recipe("my.net:build", [override])
    assert words in caught.value.message


def test_files_that_are_no_recipes(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_recipe(str(tmp_path / "absent.yaml"))
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [")
    with pytest.raises(ConfigError, match="is not valid YAML"):
        read_recipe(str(broken))
    broken.write_text("just words")
    with pytest.raises(ConfigError, match="expected a mapping"):
        read_recipe(str(broken))
    with pytest.raises(ConfigError, match="no recipe 'mapt-enormous'"):
        read_recipe("mapt-enormous")


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_are_sound(name):
    assert read_recipe(name).model


def test_every_setting_has_a_name():
    keys = known_keys(Recipe)
    assert {"steps", "clips.taus", "augment.crop", "optimizer.lr", "loss_weights"} <= set(keys)
    assert len(keys) == len(set(keys))


def test_settings_take_none_where_it_is_allowed():
    assert from_mapping(Recipe, {**MINIMAL, "optimizer": {"clip_norm": None}}).optimizer == (
        Recipe.from_dict({**MINIMAL, "optimizer": {"clip_norm": None}}).optimizer
    )
    with pytest.raises(ConfigError, match=r"optimizer\.lr is null"):
        from_mapping(Recipe, {**MINIMAL, "optimizer": {"lr": None}})


def test_every_setting_is_in_the_documentation():
    text = (Path(__file__).resolve().parents[2] / "docs" / "training_settings.md").read_text()
    assert [key for key in known_keys(Recipe) if f"`{key}`" not in text] == []


@pytest.mark.parametrize("weighting", ["segmentation", "balanced", "identity"])
def test_the_weightings_differ_in_nothing_but_the_weights_of_losses(weighting):
    (stage,) = read_recipe(f"mapt-compact-{weighting}").all_stages
    (balanced,) = read_recipe("mapt-compact-balanced").all_stages
    assert replace(stage.recipe, loss_weights={}) == replace(balanced.recipe, loss_weights={})
    assert stage.recipe.loss_weights.keys() == balanced.recipe.loss_weights.keys()
    heavy = stage.recipe.loss_weights["loss_semantic"] - stage.recipe.loss_weights["loss_motion"]
    assert heavy == {"segmentation": 1.75, "balanced": 0, "identity": -1.75}[weighting]
