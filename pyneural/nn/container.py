"""Modules in sequence, and what stands between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pyneural import functional
from pyneural.tensor import Tensor

from .module import Module


class Sequential(Module):
    """Modules called one after the other: ``Sequential(a, b)`` or ``Sequential({"first": a, "second": b})``.

    Raises:
        TypeError: something is no Module.
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named = list(modules[0].items())
        else:
            named = [(str(i), each) for i, each in enumerate(modules)]
        for name, module in named:
            if not isinstance(module, Module):
                raise TypeError(f"Sequential: {name!r} must be a Module, not {type(module).__name__}")
            self.add_module(name, module)

    def forward(self, input: Any) -> Any:
        for module in self._modules.values():
            input = module(input)
        return input

    def append(self, module: Module) -> Sequential:
        """Add a module at the end; returns the sequence."""
        self.add_module(str(len(self)), module)
        return self

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __getitem__(self, index: int | slice) -> Any:
        """One module, or a `Sequential` of a slice of them (the same modules)."""
        if isinstance(index, slice):
            return Sequential(dict(list(self._modules.items())[index]))
        try:
            return list(self._modules.values())[index]
        except IndexError:
            raise IndexError(f"Sequential: index (={index}) is out of range for {len(self)} modules") from None


class Flatten(Module):
    """Dimensions ``start_dim`` to ``end_dim`` as one; the batch stays by default."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        return functional.flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
