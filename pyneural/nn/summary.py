"""`summary`: what each layer of a network gives, holds and costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyneural.autograd import no_grad
from pyneural.functional.creation import zeros
from pyneural.kernels import dtypes
from pyneural.tensor import Tensor

if TYPE_CHECKING:
    from rich.table import Table

    from .module import Module


@dataclass(frozen=True)
class Layer:
    """One line of a summary.

    Attributes:
        name, kind: dotted name in the network and class.
        output_shape: shape of the layer's output, or a tuple of shapes.
        parameters: elements of its own parameters; one shared with an earlier layer counts there.
        flops: floating-point operations of one forward, a multiply-add counted as two; None where not defined.
    """

    name: str
    kind: str
    output_shape: tuple[Any, ...]
    parameters: int
    flops: int | None


@dataclass(frozen=True)
class Summary:
    """Every layer in the order of its call, and the totals. Prints as a table."""

    layers: tuple[Layer, ...]
    parameters: int
    trainable: int

    @property
    def flops(self) -> int:
        """The sum of what is defined."""
        return sum(each.flops or 0 for each in self.layers)

    def __rich__(self) -> Table:
        from rich.table import Table

        table = Table(show_footer=True)
        table.add_column("layer", "total")
        table.add_column("output shape", f"{self.trainable:,} trainable")
        table.add_column("parameters", f"{self.parameters:,}", justify="right")
        table.add_column("FLOPs", f"{self.flops:,}", justify="right")
        for each in self.layers:
            label = f"{each.name} ({each.kind})" if each.name else each.kind
            flops = "" if each.flops is None else f"{each.flops:,}"
            table.add_row(label, str(each.output_shape), f"{each.parameters:,}", flops)
        return table

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=100, color_system=None)
        with console.capture() as capture:
            console.print(self)
        return capture.get().rstrip("\n")


def summarize(module: Module, *inputs: Any) -> Summary:
    """Run ``module`` once in evaluation, without gradients, and note what each layer does.

    A layer is a module without modules inside, or one with parameters of its own. A layer that is
    called twice has two lines, its parameters in the first.

    Args:
        module: the network; its mode is restored.
        inputs: for each argument of forward its shape, batch included, or a tensor. A shape stands
            for zeros on the device and in the dtype of the module's first floating parameter.

    Raises:
        ValueError: no input was given, or a shape has a negative length.
    """
    if not inputs:
        raise ValueError(f"summary: {type(module).__name__} needs the shape of at least one input")
    like = next((each for each in module.parameters() if dtypes.is_floating(each.dtype)), None)
    given = []
    for each in inputs:
        if not isinstance(each, Tensor):
            dtype, device = (None, None) if like is None else (like.dtype, like.device)
            each = zeros(tuple(each), dtype=dtype, device=device)
        given.append(each)

    layers: list[Layer] = []
    counted: set[int] = set()

    def note(name: str) -> Any:
        def hook(called: Module, args: tuple[Any, ...], output: Any) -> None:
            own = [each for each in called.parameters(recurse=False) if id(each) not in counted]
            counted.update(id(each) for each in own)
            size = sum(each.numel() for each in own)
            layers.append(Layer(name, type(called).__name__, _shape(output), size, called.flops(output, *args)))

        return hook

    modes = [(each, each.training) for each in module.modules()]
    handles = [
        each.register_forward_hook(note(name))
        for name, each in module.named_modules()
        if not any(True for _ in each.children()) or any(True for _ in each.parameters(recurse=False))
    ]
    try:
        module.eval()
        with no_grad():
            module(*given)
    finally:
        for handle in handles:
            handle.remove()
        for each, mode in modes:
            each.training = mode
    parameters = list(module.parameters())
    total = sum(each.numel() for each in parameters)
    return Summary(tuple(layers), total, sum(each.numel() for each in parameters if each.requires_grad))


def _shape(output: Any) -> tuple[Any, ...]:
    if isinstance(output, Tensor):
        return output.shape
    return tuple(_shape(each) for each in output) if isinstance(output, (tuple, list)) else ()
