"""Every operator that torch registers: counted, free by definition, or known to be unknown."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from mapt_bench.profiling._fvcore_counter import trace_operations
from mapt_bench.profiling._operator_registry import (
    Standing,
    known_operators,
    operator_surface,
)
from mapt_bench.profiling._torch_counter import count_operations
from mapt_bench.profiling.operator_table import MODES, OPERATORS, WHOLE, Term

torch.set_num_threads(1)

UNKNOWN = """
from mapt_bench.profiling._operator_registry import Standing, operator_surface
for name, standing in operator_surface().items():
    if standing is Standing.UNKNOWN:
        print(name)
"""

SNAPSHOTS = Path(__file__).parent / "unknown_operators"


def version(text):
    return tuple(int(word) for word in text.split(".")[:2])


def snapshot():
    """Return the file of this version of torch, or of the newest one before it."""
    files = {version(path.stem.removeprefix("torch-")): path for path in SNAPSHOTS.iterdir()}
    earlier = [each for each in files if each <= version(torch.__version__)]
    if not earlier:
        pytest.skip(f"there is no list of unknown operators for torch {torch.__version__}")
    return max(earlier), files[max(earlier)]


def spaces(names):
    return {name.partition("::")[0] for name in names}


def test_no_further_operator_of_torch_is_unknown():
    _, path = snapshot()
    listed = path.read_text(encoding="ascii").split()
    # Parts of torch that other tests import register further operators in this process.
    found = subprocess.run(
        [sys.executable, "-c", UNKNOWN], capture_output=True, text=True, check=True
    )
    unknown = found.stdout.split()
    # Other packages register operators of their own.
    new = {name for name in unknown if name.partition("::")[0] in spaces(listed)} - set(listed)
    assert not new, f"give these a row in operator_table.py, or list them in {path.name}"


def test_the_list_of_unknown_operators_names_no_known_one():
    of, path = snapshot()
    if of != version(torch.__version__):
        pytest.skip("the list is of an earlier version")
    listed = path.read_text(encoding="ascii").split()
    assert listed == sorted(set(listed))
    surface = operator_surface()
    assert [name for name in listed if surface.get(name) not in (None, Standing.UNKNOWN)] == []


def test_forward_operators_of_ordinary_layers_are_known():
    layers = (
        *("conv2d", "linear", "batch_norm", "layer_norm", "rms_norm", "lstm", "gru", "embedding"),
        *("max_pool3d", "upsample_trilinear3d", "scaled_dot_product_attention", "sort", "topk"),
        *("cumsum", "logsumexp", "erf", "sign", "glu", "var_mean", "scatter_add", "one_hot"),
        *("threshold", "log2", "_unique2", "mv", "dot", "addmv", "addbmm", "_trilinear", "cdist"),
        *("conv_tbc", "_fft_r2c", "_record_function_enter_new"),
    )
    surface = operator_surface()
    spaces = ("aten", "profiler")
    for layer in layers:
        standing = next(
            surface[f"{each}::{layer}"] for each in spaces if f"{each}::{layer}" in surface
        )
        assert standing in (Standing.COUNTED, Standing.FREE), layer


def test_operators_named_in_the_table_exist():
    missing = {name for row in OPERATORS for name in row.names} - set(operator_surface())
    # The correlation is registered by the package when it is used.
    assert {name for name in missing if not name.startswith("mapt_bench::")} == set()


def test_counted_operators_are_in_a_mode_and_free_ones_in_none():
    surface = operator_surface()
    for name, row in known_operators().items():
        if name in surface and row.is_counted:
            assert surface[name] is Standing.COUNTED
    assert surface["aten::add"] is surface["aten::view"] is Standing.FREE
    assert surface["aten::linalg_multi_dot"] is Standing.PARTS
    assert surface["aten::_linalg_svd"] is Standing.UNKNOWN


class Calls(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def amounts(function, *inputs):
    """Count by both; return the work of the first by term, and that of the second."""
    module = Calls(function).eval()
    first, second = count_operations(module, inputs), trace_operations(module, inputs)
    assert first.unknown[WHOLE] == second.unknown[WHOLE] == ()
    of_first = {
        term: sum(work.amounts.get(term, 0) for work in first.work[WHOLE].values()) for term in Term
    }
    of_second = {term: second.work[WHOLE].amounts.get(term, 0) for term in Term}
    return [{term: n for term, n in each.items() if n} for each in (of_first, of_second)]


x = torch.zeros(2, 4, 6, 10)
index = torch.zeros(2, 4, 6, 10, dtype=torch.long)
OUT = {Term.ARITHMETIC: 480}
"""One operation for each of the 480 values."""


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        pytest.param(torch.log2, OUT, id="pointwise"),
        pytest.param(lambda x: x.clone().erf_(), OUT, id="pointwise in place"),
        pytest.param(lambda x: torch.atan2(x, x), OUT, id="pointwise of two"),
        pytest.param(
            lambda x: torch.outer(x[0, 0, 0], x[0, 0, 0]), {Term.ARITHMETIC: 100}, id="outer"
        ),
        pytest.param(lambda x: x.logsumexp(1), OUT, id="reduction"),
        pytest.param(lambda x: torch.var_mean(x, 1), OUT, id="reduction to two"),
        pytest.param(lambda x: x.cumsum(1), OUT, id="scan"),
        pytest.param(lambda x: x.scatter_add(1, index, x), OUT, id="scattered sum"),
        pytest.param(lambda x: functional.mse_loss(x, x), OUT, id="loss"),
        pytest.param(lambda x: functional.cosine_similarity(x, x), OUT, id="composite"),
        pytest.param(lambda x: x.sort(1), OUT, id="sort"),
        pytest.param(lambda x: x.topk(2), OUT, id="topk"),
        pytest.param(torch.unique, OUT, id="unique"),
        pytest.param(
            lambda x: torch.searchsorted(x[0, 0, 0], x[0, 0, 1]), {Term.ARITHMETIC: 10}, id="search"
        ),
        pytest.param(torch.rand_like, OUT, id="random"),
        pytest.param(lambda x: x.unfold(3, 2, 2).mT, {}, id="view"),
        pytest.param(lambda x: x.gather(1, index), {}, id="index"),
        pytest.param(lambda x: torch.cat([x, x.flip(1)]).contiguous(), {}, id="copy"),
        pytest.param(lambda x: torch.hann_window(5), {}, id="creation"),
        pytest.param(lambda x: x if x.is_contiguous() and x.size(0) else None, {}, id="query"),
        pytest.param(lambda x: functional.pad(x, (1, 1, 1, 1), mode="reflect"), {}, id="padding"),
        pytest.param(lambda x: functional.glu(x, 1), {Term.ACTIVATION: 240}, id="activation"),
        pytest.param(
            lambda x: functional.threshold(x, 0, 0), {Term.ACTIVATION: 480}, id="threshold"
        ),
    ],
)
def test_each_kind_of_operator(function, expected):
    first, second = amounts(function, x)
    assert first == second == expected


def test_free_operators_are_in_no_mode():
    assert not any(Term.ARITHMETIC in terms for terms in MODES.values())


def test_a_profiler_mark_is_free():
    def marked(x):
        with torch.autograd.profiler.record_function("backbone"):
            return functional.conv2d(x, torch.zeros(3, 4, 1, 1))

    assert amounts(marked, x) == [{Term.MATRIX: 2 * 3 * 4 * 60}] * 2


PRODUCTS = {
    "mm": (lambda a, b: a @ b.mT, (5, 7), (3, 7)),
    "bmm": (lambda a, b: a @ b.mT, (2, 5, 7), (2, 3, 7)),
    "addmm": (lambda a, b: torch.addmm(torch.zeros(3), a, b.mT), (5, 7), (3, 7)),
    "baddbmm": (lambda a, b: torch.baddbmm(torch.zeros(5, 3), a, b.mT), (2, 5, 7), (2, 3, 7)),
    "linear": (functional.linear, (2, 5, 7), (3, 7)),
    "conv1d": (functional.conv1d, (2, 4, 9), (6, 4, 3)),
    "conv2d": (lambda a, b: functional.conv2d(a, b, stride=2), (2, 4, 9, 8), (6, 4, 3, 3)),
    "grouped": (lambda a, b: functional.conv2d(a, b, groups=2), (2, 4, 9, 8), (6, 2, 3, 3)),
    "conv3d": (functional.conv3d, (1, 4, 5, 6, 7), (6, 4, 3, 3, 3)),
    "transposed": (functional.conv_transpose2d, (2, 4, 9, 8), (4, 6, 3, 3)),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_parity_with_the_counter_of_torch(name):
    function, *shapes = PRODUCTS[name]
    inputs = [torch.zeros(shape) for shape in shapes]
    with FlopCounterMode(display=False) as counter:
        function(*inputs)
    flops = counter.get_total_flops()
    first, second = amounts(function, *inputs)
    assert 2 * first[Term.MATRIX] == 2 * second[Term.MATRIX] == flops > 0


def test_parity_of_attention_with_the_formula_of_torch():
    query, key = torch.zeros(1, 2, 5, 8), torch.zeros(1, 2, 7, 8)
    found = amounts(lambda q, k: functional.scaled_dot_product_attention(q, k, k), query, key)
    flops = sdpa_flop_count(query.shape, key.shape, key.shape)
    assert [2 * each[Term.MATRIX] for each in found] == [flops, flops]
