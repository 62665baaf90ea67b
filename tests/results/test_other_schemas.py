"""Readers name the schema of a file of another version, and say what to do."""

import json

import pytest
import torch
from helpers.training_jobs import small_job, small_recipe
from safetensors.torch import save_file

from mapt_bench.baselines.thresholds import thresholds_named
from mapt_bench.data.annotations import read_annotations_header
from mapt_bench.errors import DataError
from mapt_bench.evaluation.result import EvaluationResult
from mapt_bench.experiments.engine._run_folder import claim_setup
from mapt_bench.results.result_files import load_result
from mapt_bench.tracking.link_model import read_linker
from mapt_bench.training.checkpoint import load_checkpoint, read_record
from mapt_bench.training.trainer import Trainer


def read_setup(path):
    claim_setup(path.rename(path.with_name("run.json")).parent, {})


def read_weights_record(path):
    path.with_suffix(".safetensors").touch()
    read_record(path)


def read_checkpoint(path):
    about = {"checkpoint": path.read_text()}
    save_file({"one": torch.zeros(1)}, path, metadata=about)
    job = small_job(path.parent / "run", small_recipe())
    trainer = Trainer(job.build(), job.recipe, seed=0, device=job.device, folder=job.folder)
    load_checkpoint(trainer, path, job.recipe.all_stages)


READERS = {
    "evaluation/2": load_result,
    "evaluations/2": load_result,
    "run/1": load_result,
    "cost/1": load_result,
    "baseline/1": load_result,
    "thresholds/3": thresholds_named,
    "run-setup/1": read_setup,
    "known/1": read_annotations_header,
    "linker/1": lambda path: read_linker(path, "both"),
    "weights/1": read_weights_record,
    "checkpoint/1": read_checkpoint,
}


@pytest.mark.parametrize(("number", "words"), [(99, "a newer version"), (0, "an older version")])
@pytest.mark.parametrize("own", READERS)
def test_another_version_is_named_with_a_remedy(tmp_path, own, number, words):
    other = f"mapt-bench/{own.split('/')[0]}/{number}"
    path = tmp_path / "file.json"
    path.write_text(json.dumps({"schema": other}))
    with pytest.raises(DataError) as caught:
        READERS[own](path)
    message = caught.value.message
    assert f"has schema {other!r}, which {words} of mapt-bench wrote" in message
    assert f"this version reads 'mapt-bench/{own}'" in message
    assert ("Upgrade mapt-bench, or" in message) == (number > 0)
    assert str(tmp_path) in str(caught.value.where)


def test_an_evaluation_in_memory_is_checked_too():
    with pytest.raises(DataError, match=r"newer version.*give the JSON of one evaluation"):
        EvaluationResult.from_dict({"schema": "mapt-bench/evaluation/3"})
