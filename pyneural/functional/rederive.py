"""The derivative of a fused backward kernel, from the formula that the kernel computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyneural.tensor import Tensor


def rederive(
    formula: Callable[..., tuple[Tensor, ...]],
    inputs: Sequence[Tensor | None],
    needs: Sequence[bool],
    cotangents: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """The gradients of ``formula(*inputs)`` by the inputs that ``needs`` marks, None for the others.

    The formula is written with simple differentiable operations; it is recorded, and walked back from
    the ``cotangents`` of its results. Where gradients are recorded themselves, so is the walk.
    """
    from pyneural.autograd.engine import grad as differentiate
    from pyneural.autograd.grad_mode import enable_grad, is_grad_enabled

    record = is_grad_enabled()
    with enable_grad():
        given = [
            each if each is None or record else _leaf(each, needed) for each, needed in zip(inputs, needs, strict=True)
        ]
        results = formula(*given)
        pairs = [
            (result, cotangent)
            for result, cotangent in zip(results, cotangents, strict=True)
            if cotangent is not None and result.requires_grad
        ]
        wanted = [i for i, needed in enumerate(needs) if needed]
        found = differentiate(
            [result for result, _ in pairs],
            [given[i] for i in wanted],  # type: ignore[misc]
            [cotangent for _, cotangent in pairs],
            create_graph=record,
            allow_unused=True,
        )
    gradients: list[Tensor | None] = [None] * len(inputs)
    for i, each in zip(wanted, found, strict=True):
        gradients[i] = each
    return gradients


def _leaf(tensor: Tensor, requires_grad: bool) -> Tensor:
    leaf = tensor.detach()
    leaf.requires_grad = requires_grad
    return leaf
