"""Evaluation: score folders of maps or frames in memory, and check golden cases."""

from mapt_bench.evaluation.folder_scoring import evaluate_folders
from mapt_bench.evaluation.golden_cases import check_conformance, golden_cases
from mapt_bench.evaluation.matched_folders import EvaluationSettings, prediction_names
from mapt_bench.evaluation.result import EvaluationResult, evaluations_document
from mapt_bench.evaluation.streaming import Scorer

__all__ = [
    "EvaluationResult",
    "EvaluationSettings",
    "Scorer",
    "check_conformance",
    "evaluate_folders",
    "evaluations_document",
    "golden_cases",
    "prediction_names",
]
