"""`Module`: a layer or a network, with the parameters, buffers and modules it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from pyneural import recording
from pyneural.autograd import no_grad
from pyneural.functional.transfer import destination
from pyneural.kernels import dtypes
from pyneural.tensor import RemovableHandle, Tensor

from .boundary import Boundary
from .parameter import Parameter
from .summary import Summary, summarize

M = TypeVar("M", bound="Module")


class IncompatibleKeys(NamedTuple):
    """What `Module.load_state_dict` found missing and unexpected."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """The base of every layer: a subclass makes its parts in ``__init__`` and computes in ``forward``::

        class Perceptron(nn.Module):
            def __init__(self):
                super().__init__()
                self.hidden = nn.Linear(64, 32, activation="relu")
                self.output = nn.Linear(32, 10)

            def forward(self, x):
                return self.output(self.hidden(x))

    A `Parameter` or `Module` assigned to an attribute is registered under its name; a tensor is
    registered by `register_buffer`.

    Attributes:
        training: True in training, False in evaluation; see `train` and `eval`.
    """

    training: bool

    def __init__(self) -> None:
        put = super().__setattr__
        put("training", True)
        put("_parameters", {})
        put("_buffers", {})
        put("_modules", {})
        put("_transient", set())
        put("_forward_hooks", {})
        put("_forward_pre_hooks", {})
        put("_backward_hooks", {})
        put("_backward_pre_hooks", {})

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The module's computation; every subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__}: forward is not defined")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        observer = recording.current()
        if observer is not None:
            observer.called(self)
        if self._forward_pre_hooks:
            for hook in list(self._forward_pre_hooks.values()):
                replaced = hook(self, args)
                if replaced is not None:
                    args = replaced if isinstance(replaced, tuple) else (replaced,)
        if self._backward_hooks or self._backward_pre_hooks:
            boundary = Boundary(self, self._backward_pre_hooks, self._backward_hooks)
            output = boundary.leave(self.forward(*boundary.enter(args), **kwargs))
        else:
            output = self.forward(*args, **kwargs)
        if self._forward_hooks:
            for hook in list(self._forward_hooks.values()):
                replaced = hook(self, args, output)
                if replaced is not None:
                    output = replaced
        return output

    def register_forward_pre_hook(self, hook: Callable[[Any, tuple[Any, ...]], Any]) -> RemovableHandle:
        """Call ``hook(module, args)`` before each forward; what it returns, if not None, replaces the arguments."""
        return RemovableHandle(self._forward_pre_hooks, hook)

    def register_forward_hook(self, hook: Callable[[Any, tuple[Any, ...], Any], Any]) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after each forward; what it returns, if not None, is the output."""
        return RemovableHandle(self._forward_hooks, hook)

    def register_full_backward_pre_hook(self, hook: Callable[[Any, tuple[Any, ...]], Any]) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` in backward when the gradients of the outputs are known.

        What it returns, if not None, replaces them: a gradient, or a tuple with one for each output tensor.
        """
        return RemovableHandle(self._backward_pre_hooks, hook)

    def register_full_backward_hook(
        self, hook: Callable[[Any, tuple[Any, ...], tuple[Any, ...]], Any]
    ) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` in backward when the gradients of the inputs are known.

        What it returns, if not None, replaces ``grad_input``. The tuples have an entry for each positional
        argument and for each output; None stands where there is no gradient. Where no input requires one, the
        hook is called as soon as those of the outputs are known.
        """
        return RemovableHandle(self._backward_hooks, hook)

    # Attributes

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter):
            self.register_parameter(name, value)
            return
        if isinstance(value, Module):
            self.add_module(name, value)
            return
        registered = self.__dict__
        for kind in ("_parameters", "_modules"):
            if name in registered.get(kind, ()):
                if value is not None:
                    wanted = "a Parameter" if kind == "_parameters" else "a Module"
                    raise TypeError(f"{type(self).__name__}: {name!r} must be {wanted} or None, not {_kind(value)}")
                registered[kind][name] = None
                return
        if name in registered.get("_buffers", ()):
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(f"{type(self).__name__}: buffer {name!r} must be a tensor or None, not {_kind(value)}")
            self._buffers[name] = value
            return
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        registered = self.__dict__
        for kind in ("_parameters", "_buffers", "_modules"):
            found = registered.get(kind)
            if found is not None and name in found:
                return found[name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        for registered in (self._parameters, self._buffers, self._modules):
            if name in registered:
                del registered[name]
                self._transient.discard(name)
                return
        super().__delattr__(name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._parameters, *self._buffers, *self._modules})

    def _register(self, kind: str, name: str, value: Any) -> None:
        own = type(self).__name__
        if "_modules" not in self.__dict__:
            raise AttributeError(f"{own}: call super().__init__() before assigning {name!r}")
        if not isinstance(name, str) or not name or "." in name:
            raise ValueError(f"{own}: name (={name!r}) must be a string without dots, and not empty")
        others = [each for each in ("_parameters", "_buffers", "_modules") if each != kind]
        if any(name in self.__dict__[each] for each in others):
            raise ValueError(f"{own}: {name!r} is already registered as another kind")
        self.__dict__.pop(name, None)
        if hasattr(type(self), name):
            raise ValueError(f"{own}: {name!r} is an attribute of the class and would hide what is registered")
        self.__dict__[kind][name] = value

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Add a parameter under a name; None keeps the name free of one.

        Raises:
            TypeError: it is no Parameter.
            ValueError: the name is empty, has a dot, or is taken by something else.
        """
        if parameter is not None and not isinstance(parameter, Parameter):
            raise TypeError(f"{type(self).__name__}: {name!r} must be a Parameter or None, not {_kind(parameter)}")
        self._register("_parameters", name, parameter)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is moved and, if ``persistent``, saved with the module but not trained."""
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"{type(self).__name__}: buffer {name!r} must be a tensor or None, not {_kind(tensor)}")
        self._register("_buffers", name, tensor)
        if persistent:
            self._transient.discard(name)
        else:
            self._transient.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a module under a name."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{type(self).__name__}: {name!r} must be a Module or None, not {_kind(module)}")
        self._register("_modules", name, module)

    # What it is made of

    def named_modules(self, prefix: str = "", _seen: set[int] | None = None) -> Iterator[tuple[str, Module]]:
        """This module and all inside it with their dotted names, a shared one once."""
        seen = set() if _seen is None else _seen
        if id(self) in seen:
            return
        seen.add(id(self))
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(_joined(prefix, name), seen)

    def modules(self) -> Iterator[Module]:
        """This module and all inside it, a shared one once."""
        for _, module in self.named_modules():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly inside this one."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def children(self) -> Iterator[Module]:
        """The modules directly inside this one."""
        for _, module in self.named_children():
            yield module

    def _named(self, kind: str, prefix: str, recurse: bool) -> Iterator[tuple[str, Any]]:
        seen = set()
        for path, module in self.named_modules(prefix) if recurse else ((prefix, self),):
            for name, value in module.__dict__[kind].items():
                if value is not None and id(value) not in seen:
                    seen.add(id(value))
                    yield _joined(path, name), value

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Parameters with their dotted names, a shared one once."""
        return self._named("_parameters", prefix, recurse)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Parameters, a shared one once."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Buffers with their dotted names, a shared one once."""
        return self._named("_buffers", prefix, recurse)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Buffers, a shared one once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    # Its state

    def _entries(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """Every name of every parameter and saved buffer: a shared one under each of its names."""
        for name, value in (*self._parameters.items(), *self._buffers.items()):
            if value is not None and name not in self._transient:
                yield prefix + name, value
        for name, module in self._modules.items():
            if module is not None:
                yield from module._entries(f"{prefix}{name}.")

    def state_dict(self) -> dict[str, Tensor]:
        """Parameters and buffers by dotted name, as tensors outside the graph over the same memory."""
        return {name: tensor.detach() for name, tensor in self._entries()}

    def load_state_dict(self, state_dict: Mapping[str, Tensor], strict: bool = True) -> IncompatibleKeys:
        """Copy the values of a state dict into parameters and buffers, converted to their device and dtype.

        Nothing is changed unless everything fits.

        Args:
            state_dict: tensors by dotted name, as `state_dict` gives.
            strict: whether missing and unexpected names are errors; shapes must agree in any case.

        Raises:
            ValueError: names or shapes do not fit; the message lists all of them.
            TypeError: a value is no tensor, or a floating one for an integer buffer.
        """
        own = dict(self._entries())
        result = IncompatibleKeys(
            [name for name in own if name not in state_dict], [name for name in state_dict if name not in own]
        )
        faults = []
        if strict and result.missing_keys:
            faults.append(f"missing: {', '.join(result.missing_keys)}")
        if strict and result.unexpected_keys:
            faults.append(f"unexpected: {', '.join(result.unexpected_keys)}")
        given = [(name, own[name], value) for name, value in state_dict.items() if name in own]
        for name, target, source in given:
            if not isinstance(source, Tensor):
                raise TypeError(f"load_state_dict: {name} must be a tensor, not {_kind(source)}")
            if dtypes.category(source.dtype) > dtypes.category(target.dtype):
                raise TypeError(f"load_state_dict: {name} has dtype {target.dtype}, the given tensor {source.dtype}")
            if source.shape != target.shape:
                faults.append(f"{name} has shape {target.shape}, the given tensor {source.shape}")
        if faults:
            raise ValueError(f"load_state_dict: {type(self).__name__} does not fit: " + "; ".join(faults))
        with no_grad():
            for _, target, source in given:
                target.copy_(source.detach())
        return result

    # Changing all of it

    def train(self: M, mode: bool = True) -> M:
        """Set this module and all inside it to training (or, ``mode=False``, to evaluation); returns it."""
        if not isinstance(mode, bool):
            raise TypeError(f"train: mode must be a bool, not {_kind(mode)}")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: M) -> M:
        """Set this module and all inside it to evaluation; returns it."""
        return self.train(False)

    def requires_grad_(self: M, requires_grad: bool = True) -> M:
        """Whether all parameters are trained; returns the module."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or fill them with 0."""
        for parameter in self.parameters():
            if set_to_none or parameter.grad is None:
                parameter.grad = None
            else:
                with no_grad():
                    parameter.grad.zero_()

    def apply(self: M, function: Callable[[Module], Any]) -> M:
        """Call ``function`` with every module inside this one and then with it; returns it."""
        for module in self.children():
            module.apply(function)
        function(self)
        return self

    def to(self: M, *targets: Any, dtype: Any = None, device: Any = None) -> M:
        """Move all parameters, buffers and gradients to a device, and the floating ones to a dtype.

        Parameters stay the same objects, so an optimizer that has not made a step yet goes on with them.

        Raises:
            TypeError: the dtype is not floating.
        """
        wanted, target = destination(targets, dtype, device)
        if wanted is not None and not dtypes.is_floating(wanted):
            raise TypeError(f"{type(self).__name__}: to: dtype must be floating, not {wanted}")
        tensors = [*self.parameters(), *self.buffers()]
        tensors += [each.grad for each in tensors if each.grad is not None]
        with no_grad():
            moved = [
                (each, each.to(dtype=wanted if each.is_floating_point() else None, device=target)) for each in tensors
            ]
        for tensor, result in moved:
            if result is not tensor:
                tensor.array, tensor.device = result.array, result.device
                tensor._version = [tensor._version[0] + 1, tensor._version[1]]  # what a graph saved of it is stale
        return self

    def float(self: M) -> M:
        """In float32."""
        return self.to(dtype=dtypes.float32)

    def double(self: M) -> M:
        """In float64."""
        return self.to(dtype=dtypes.float64)

    def half(self: M) -> M:
        """In float16."""
        return self.to(dtype=dtypes.float16)

    # How it reads

    def extra_repr(self) -> str:
        """What stands between the brackets of the repr."""
        return ""

    def __repr__(self) -> str:
        own = self.extra_repr()
        if not self._modules:
            return f"{type(self).__name__}({own})"
        lines = [own] if own else []
        for name, module in self._modules.items():
            lines.append(f"({name}): " + repr(module).replace("\n", "\n  "))
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"

    def flops(self, output: Any, *inputs: Any) -> int | None:
        """Floating-point operations of one forward with these tensors; None where it is not defined."""
        return None

    def summary(self, *inputs: Any) -> Summary:
        """What each layer gives, holds and costs for inputs of these shapes (see `pyneural.nn.summary`)."""
        return summarize(self, *inputs)


def _joined(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _kind(value: Any) -> str:
    return type(value).__name__
