"""The regression gate: the changes between two results, and whether limits accept them."""

from mapt_bench.compare._baseline import baseline_text, check_replaceable
from mapt_bench.compare._changes import Change, Missing
from mapt_bench.compare._checks import BrokenLimit
from mapt_bench.compare._comparison import (
    AcceptedRegression,
    Comparison,
    assert_no_regression,
    compare_results,
)
from mapt_bench.compare._gate_file import load_gate
from mapt_bench.compare._history import Order, ScoreHistory, score_history
from mapt_bench.compare._limits import Acceptance, Allowed, GateRules, Limit, Scope

__all__ = [
    "Acceptance",
    "AcceptedRegression",
    "Allowed",
    "BrokenLimit",
    "Change",
    "Comparison",
    "GateRules",
    "Limit",
    "Missing",
    "Order",
    "Scope",
    "ScoreHistory",
    "assert_no_regression",
    "baseline_text",
    "check_replaceable",
    "compare_results",
    "load_gate",
    "score_history",
]
