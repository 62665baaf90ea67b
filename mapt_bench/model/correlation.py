"""How alike two feature maps are at every displacement within reach.

The operator is registered with torch as ``mapt_bench::correlation``, so that tracers and
operation counters see one operator under its own name instead of the matrix products inside.
"""

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["correlation"]

_BLOCK = 20
"""Columns that meet their neighbours in one matrix product, after the split by stride."""


def correlation(
    first: Tensor, second: Tensor, max_displacement: int = 20, stride: int = 2
) -> Tensor:
    """Compare every cell of one map with cells of the other at each displacement.

    ``out[b, k, y, x]`` is the mean over channels of ``first[b, :, y, x] * second[b, :, y + dy,
    x + dx]``, where ``second`` is 0 outside. Displacements are multiples of ``stride`` from
    ``-max_displacement`` to ``max_displacement``; ``dy`` is the outer loop of ``k``.

    Args:
        first: ``(B, C, H, W)``, floating.
        second: Of the same shape.
        max_displacement: In cells; a multiple of ``stride``.
        stride: Cells between neighbouring displacements.

    Returns:
        ``(B, D * D, H, W)`` with ``D = 2 * max_displacement / stride + 1``: 441 channels by
        default. Differentiable once with respect to both maps.

    Raises:
        ValueError: If shapes differ or ``stride`` does not divide ``max_displacement``.

    Note:
        Memory beside the output is about three times the second map and one row of displacements.
        Dosovitskiy et al. 2015 (arXiv:1504.06852), eq. 1, with patches of one cell.

    Example:
        >>> row = torch.tensor([1.0, 2.0, 3.0]).view(1, 1, 1, 3)
        >>> correlation(row, row, max_displacement=1, stride=1)[0, 3:6, 0]
        tensor([[0., 2., 6.],
                [1., 4., 9.],
                [2., 6., 0.]])
    """
    if first.ndim != 4 or first.shape != second.shape:
        raise ValueError(
            f"feature maps have shapes {tuple(first.shape)} and {tuple(second.shape)}; expected "
            "twice the same (B, C, H, W)"
        )
    if stride < 1 or max_displacement < 0 or max_displacement % stride:
        raise ValueError(f"stride {stride} does not divide max_displacement {max_displacement}")
    result: Tensor = torch.ops.mapt_bench.correlation(first, second, max_displacement, stride)
    return result


def _shape(first: Tensor, second: Tensor, max_displacement: int, stride: int) -> Tensor:
    batch, _, height, width = first.shape
    return first.new_empty(batch, (2 * (max_displacement // stride) + 1) ** 2, height, width)


def _keep(
    ctx: torch.autograd.function.FunctionCtx,
    inputs: tuple[Tensor, Tensor, int, int],
    output: Tensor,
) -> None:
    first, second, *ctx.reach = inputs  # type: ignore[attr-defined]
    ctx.save_for_backward(first, second)


def _backward(
    ctx: torch.autograd.function.FunctionCtx, grad: Tensor
) -> tuple[Tensor, Tensor, None, None]:
    # Done again with its graph, rather than kept: backwards is rare, and the graph is large.
    first, second = (saved.detach().requires_grad_() for saved in ctx.saved_tensors)  # type: ignore[attr-defined]
    with torch.enable_grad():
        output = _banded_products(first, second, *ctx.reach)  # type: ignore[attr-defined]
    grad_first, grad_second = torch.autograd.grad(output, (first, second), grad)
    return grad_first, grad_second, None, None


def _banded_products(first: Tensor, second: Tensor, max_displacement: int, stride: int) -> Tensor:
    """Correlate by matrix products of blocks of columns, one row of displacements at a time.

    With displacements that are multiples of the stride, columns fall into ``stride`` sets that
    never meet. Within a set a block of columns meets itself and ``reach`` more on either side, all
    pairs in one matrix product; the wanted displacements are a band of that product.
    """
    batch, channels, height, width = first.shape
    reach = max_displacement // stride
    blocks = -(-width // (stride * _BLOCK))
    extra = blocks * stride * _BLOCK - width
    meets = _BLOCK + 2 * reach

    left = functional.pad(first / channels, (0, extra))
    left = left.view(batch, channels, height, blocks, _BLOCK, stride)
    # (H, B, stride, blocks, _BLOCK, C): rows lead, so that any run of rows is one piece of memory.
    left = left.permute(2, 0, 5, 3, 4, 1).reshape(-1, _BLOCK, channels)
    margin = max_displacement
    right = functional.pad(second, (margin, margin + extra, margin, margin))
    right = right.view(batch, channels, height + 2 * margin, -1, stride).unfold(3, meets, _BLOCK)
    # (H + 2 margin, B, stride, blocks, C, meets)
    right = right.permute(2, 0, 4, 3, 1, 5).contiguous()

    rows = []
    for top in range(0, 2 * margin + 1, stride):
        products = left @ right[top : top + height].view(-1, channels, meets)
        band = products.as_strided(
            (len(products), _BLOCK, 2 * reach + 1), (_BLOCK * meets, meets + 1, 1)
        )
        band = band.view(height, batch, stride, blocks, _BLOCK, 2 * reach + 1)
        # To (B, displacements, H, blocks, _BLOCK, stride); the last three are the columns.
        rows.append(band.permute(1, 5, 0, 3, 4, 2).flatten(3)[..., :width])
    return torch.cat(rows, dim=1)


def _register() -> torch.library.Library:
    # Not by torch.library.custom_op, whose first call imports torch's compiler: over a second.
    library = torch.library.Library("mapt_bench", "DEF")  # type: ignore[no-untyped-call]
    library.define(  # type: ignore[no-untyped-call]
        "correlation(Tensor first, Tensor second, int max_displacement, int stride) -> Tensor"
    )
    library.impl(  # type: ignore[no-untyped-call]
        "correlation", _banded_products, "CompositeExplicitAutograd"
    )
    torch.library.register_fake("mapt_bench::correlation", _shape, lib=library)
    torch.library.register_autograd(
        "mapt_bench::correlation", _backward, setup_context=_keep, lib=library
    )
    return library


_LIBRARY = _register()  # the operator lives as long as this does
