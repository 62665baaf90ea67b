from dataclasses import replace
from pathlib import Path

import pytest
from helpers.experiment_networks import named_mapt
from helpers.linkers import written_model

from mapt_bench.baselines import mapt_trackers
from mapt_bench.baselines.mapt_trackers import linker_of
from mapt_bench.baselines.registry import associator_entry, mapt_tracker_names
from mapt_bench.baselines.rows import parse_row
from mapt_bench.errors import ConfigError
from mapt_bench.experiments.plans.variants import mapt_fusions, mapt_heads
from mapt_bench.tracking.link_model import CUES, linker_file, read_linker, write_linker
from mapt_bench.weights import DEFAULT_MAPT, weights_file


def test_the_linker_that_ships_has_all_cues():
    path = linker_file(weights_file(DEFAULT_MAPT))
    assert [read_linker(path, cues).cues for cues in CUES] == list(CUES)
    rows = {name for name in mapt_tracker_names() if associator_entry(name).uses_linker}
    assert rows == {"mapt", "mapt:motion", "mapt:appearance"}


def test_the_linker_of_weights_lies_beside_them_or_is_that_of_the_default_weights(tmp_path):
    weights = tmp_path / "mine.safetensors"
    assert linker_of(weights) == linker_file(weights_file(DEFAULT_MAPT))
    write_linker(tmp_path / "mine.linker.json", [written_model()], {})
    assert linker_of(weights) == tmp_path / "mine.linker.json"
    assert linker_of(Path(DEFAULT_MAPT)) == linker_file(weights_file(DEFAULT_MAPT))


def test_without_any_linker_the_error_says_how_to_fit_one(tmp_path, monkeypatch):
    monkeypatch.setattr(mapt_trackers, "shipped_weights", tuple)
    with pytest.raises(ConfigError, match=r"fit one with python tools/fit_linker.py --weights"):
        linker_of(tmp_path / "mine.safetensors")


def test_rows_of_the_linker_have_its_settings():
    assert dict(parse_row("mapt+memory,delay=2,lost_probability=0.6").settings) == {
        "delay": 2,
        "lost_probability": 0.6,
    }
    with pytest.raises(ConfigError, match="no setting 'clear_overlap'"):
        parse_row("mapt:appearance,clear_overlap=0.4")
    with pytest.raises(ConfigError, match="no setting 'delay'"):
        parse_row("mapt:paper,delay=2")
    with pytest.raises(ConfigError, match="no setting 'motion_threshold'"):
        parse_row("mapt,motion_threshold=0.4")
    with pytest.raises(ConfigError, match="delay is -1; expected 0 or more"):
        parse_row("mapt,delay=-1")
    with pytest.raises(ConfigError, match=r"view_probability is 1\.5; expected"):
        parse_row("mapt,view_probability=1.5")


def test_the_row_of_the_paper_has_no_settings_beyond_the_paper():
    assert "second_step" not in associator_entry("mapt:paper").settings
    assert {"motion_threshold", "embedding_threshold"} <= associator_entry("mapt:paper").settings


def test_another_linker_is_another_result():
    mapt = replace(named_mapt(), linker="aa")
    for row in mapt_heads(mapt):
        assert row.describe()["linker"] == "aa"
    assert all("linker" not in row.describe() for row in mapt_fusions(mapt))
