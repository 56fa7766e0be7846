"""What the rewriter notes of a file: kernels, variables, and who may call whom."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Kernel:
    name: str
    """With its namespaces: `ns::saxpy`."""
    template: bool
    parameters: list[str]
    """Names as written; empty strings where a parameter has none."""
    bounds: str
    """What stands in `__launch_bounds__`, or the empty string."""
    line: int
    overloaded: bool = False
    cluster: str = ""
    """What stands in `__cluster_dims__`, or the empty string."""


@dataclass
class SharedArray:
    """A static shared array: the function it stands in (empty at file scope), bytes of an element, dimensions."""

    function: str
    element: int
    dims: int
    end: int | None = None
    """The last line of the function."""


@dataclass
class Unit:
    """A rewritten file."""

    text: str = ""
    kernels: list[Kernel] = field(default_factory=list)
    shared: dict[str, int] = field(default_factory=dict)
    """Static shared arrays: bytes of an element, 0 where the type is not a known one."""
    arrays: dict[tuple[str, str, int], SharedArray] = field(default_factory=dict)
    """Static shared arrays by name, file and line: functions may use one name for different arrays."""
    dynamic: list[tuple[str, int, int]] = field(default_factory=list)
    """Names of dynamic shared memory: bytes of an element (0: unknown) and the line."""
    constants: dict[str, int] = field(default_factory=dict)
    devices: dict[str, int] = field(default_factory=dict)
    functions: dict[str, set[str]] = field(default_factory=dict)
    """The words in the body of each function: what it may call is among them."""
    includes: list[tuple[int, int, str, bool]] = field(default_factory=list)
    """Start and end of each include's name in the original text, the name, and whether it is in quotes."""
    launches: int = 0
    ordered: bool = False
    """Blocks must run one after another in order: there are atomics, fences or volatile accesses."""
    has_main: bool = False
    unclosed: tuple[str, int] | None = None
    """File and line of a brace that nothing closes, unless the preprocessor leaves it out."""


def reachable(functions: dict[str, set[str]], name: str) -> set[str]:
    """The functions that `name` may call, itself among them: all whose name stands in a body that is reached."""
    found = {name}
    open_ = [name]
    while open_:
        for word in functions.get(open_.pop(), set()):
            if word in functions and word not in found:
                found.add(word)
                open_.append(word)
    return found
