"""Every command that reads results refuses fields of another type by name."""

import json
from contextlib import suppress

import pytest
from helpers.costs import cost
from helpers.results import evaluation, run, sweep

from mapt_bench.compare import compare_results, score_history
from mapt_bench.errors import MaptBenchError
from mapt_bench.report import report_text


@pytest.mark.parametrize("value", [0.5, True, "text", [3], {"a": 3}, [[]]])
@pytest.mark.parametrize("made", [run, evaluation, cost, sweep])
def test_fields_of_another_type_are_faults_of_the_file(made, value, tmp_path):
    document, file, whole = made(), tmp_path / "odd.json", tmp_path / "whole.json"
    whole.write_text(json.dumps(document))
    readers = (
        lambda: report_text([file]),
        lambda: score_history([whole, file]),
        lambda: compare_results(whole, file),
    )
    for name in document.keys() - {"schema"}:
        file.write_text(json.dumps({**document, name: value}))
        for read in readers:
            with suppress(MaptBenchError):  # or the field is not read
                read()
