"""Modules and parameters in sequences, lists and dicts, and what stands between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pyneural import functional
from pyneural.tensor import Tensor

from .module import Module
from .parameter import Parameter


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


class Identity(Module):
    """Gives back what it is given."""

    def forward(self, input: Any) -> Any:
        return input


class ModuleList(Module):
    """A list of modules, all registered.

    Raises:
        TypeError: something is no Module.
        IndexError: there is no such place.
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def append(self, module: Module) -> ModuleList:
        """Add a module at the end; returns the list."""
        self[len(self) :] = [module]
        return self

    def extend(self, modules: Iterable[Module]) -> ModuleList:
        """Add modules at the end; returns the list."""
        self[len(self) :] = list(modules)
        return self

    def insert(self, index: int, module: Module) -> None:
        """Add a module before a place."""
        self[index:index] = [module]

    def pop(self, index: int = -1) -> Module:
        """Remove a module and give it."""
        module: Module = self[index]
        del self[index]
        return module

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __getitem__(self, index: int | slice) -> Any:
        """One module, or a `ModuleList` of a slice of them (the same modules)."""
        return ModuleList(list(self)[index]) if isinstance(index, slice) else list(self)[_place(self, index)]

    def __setitem__(self, index: int | slice, value: Any) -> None:
        entries = list(self)
        entries[index if isinstance(index, slice) else _place(self, index)] = value
        _replace(self, "_modules", Module, entries)

    def __delitem__(self, index: int | slice) -> None:
        entries = list(self)
        del entries[index if isinstance(index, slice) else _place(self, index)]
        _replace(self, "_modules", Module, entries)


class ModuleDict(Module):
    """Modules by name, in the order they came, all registered.

    Raises:
        TypeError: something is no Module.
        KeyError: there is no such name.
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        super().__init__()
        self.update(modules)

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add modules, or put them in the place of those with their names."""
        for name, module in modules.items() if isinstance(modules, Mapping) else modules:
            self[name] = module

    def __getitem__(self, name: str) -> Module:
        if name not in self._modules:
            raise KeyError(f"ModuleDict: no {name!r} among {', '.join(map(repr, self._modules)) or 'no modules'}")
        found: Module = self._modules[name]
        return found

    def __setitem__(self, name: str, module: Module) -> None:
        if not isinstance(module, Module):
            raise TypeError(f"ModuleDict: {name!r} must be a Module, not {type(module).__name__}")
        self.add_module(name, module)

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def pop(self, name: str) -> Module:
        """Remove a module and give it."""
        module = self[name]
        del self._modules[name]
        return module

    def __contains__(self, name: object) -> bool:
        return name in self._modules

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._modules.keys()  # type: ignore[no-any-return]

    def values(self) -> Iterable[Module]:
        """The modules."""
        return self._modules.values()  # type: ignore[no-any-return]

    def items(self) -> Iterable[tuple[str, Module]]:
        """Names and modules."""
        return self._modules.items()  # type: ignore[no-any-return]


class ParameterList(Module):
    """A list of parameters, all registered; a tensor among them becomes a `Parameter`.

    Raises:
        TypeError: something is no tensor.
        IndexError: there is no such place.
    """

    def __init__(self, parameters: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.extend(parameters)

    def append(self, parameter: Tensor) -> ParameterList:
        """Add a parameter at the end; returns the list."""
        return self.extend([parameter])

    def extend(self, parameters: Iterable[Tensor]) -> ParameterList:
        """Add parameters at the end; returns the list."""
        _replace(self, "_parameters", Parameter, [*self, *map(_parameter, parameters)])
        return self

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._parameters.values())

    def __getitem__(self, index: int | slice) -> Any:
        """One parameter, or a `ParameterList` of a slice of them (the same parameters)."""
        return ParameterList(list(self)[index]) if isinstance(index, slice) else list(self)[_place(self, index)]

    def __setitem__(self, index: int, parameter: Tensor) -> None:
        entries = list(self)
        entries[_place(self, index)] = _parameter(parameter)
        _replace(self, "_parameters", Parameter, entries)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}: {each.shape}" for name, each in self._parameters.items())


def _parameter(value: Any) -> Any:
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value


def _place(held: Any, index: Any) -> int:
    if isinstance(index, bool) or not hasattr(index, "__index__"):
        raise TypeError(f"{type(held).__name__}: index must be an int, not {index!r}")
    if not -len(held) <= index < len(held):
        raise IndexError(f"{type(held).__name__}: index (={index}) is out of range for {len(held)} entries")
    return int(index)


def _replace(held: Module, registered: str, kind: type, entries: list[Any]) -> None:
    """Register ``entries`` as 0, 1, ... in the place of what was registered."""
    for number, each in enumerate(entries):
        if not isinstance(each, kind):
            raise TypeError(
                f"{type(held).__name__}: entry {number} must be a {kind.__name__}, not {type(each).__name__}"
            )
    held.__dict__[registered] = {str(number): each for number, each in enumerate(entries)}
