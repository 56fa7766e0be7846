"""`Tensor`: an array on a device, with its place in the graph of derivatives.

This module knows no operation. `pyneural.functional` attaches them as methods (functional/methods.py).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyneural.device import Device, device, get_default_device
from pyneural.kernels import dtypes
from pyneural.kernels.cuda_memory import is_gpu

if TYPE_CHECKING:
    from pyneural.autograd.function import Function

Array = Any
DTypeLike = Any
Hook = Callable[["Tensor"], "Tensor | None"]

_default_dtype: list[np.dtype[Any]] = [dtypes.float32]


def get_default_dtype() -> np.dtype[Any]:
    """The dtype of tensors made from Python floats, float32 unless `set_default_dtype` changed it."""
    return _default_dtype[0]


def set_default_dtype(dtype: DTypeLike) -> None:
    """Make tensors from Python floats with this floating dtype from now on."""
    chosen = np.dtype(dtype)
    if not dtypes.is_floating(chosen):
        raise TypeError(f"set_default_dtype: {chosen} is not a floating dtype")
    _default_dtype[0] = chosen


def check_dtype(operation: str, dtype: DTypeLike) -> np.dtype[Any]:
    """``dtype`` as one that tensors can have; TypeError otherwise."""
    found = np.dtype(dtype)
    if found not in dtypes.ALL:
        raise TypeError(f"{operation}: dtype {found} is none of {', '.join(str(each) for each in dtypes.ALL)}")
    return found


class RemovableHandle:
    """Undoes a registration: ``handle.remove()``."""

    _numbers = itertools.count()

    def __init__(self, hooks: dict[int, Any], hook: Any) -> None:
        self._hooks = hooks
        self._id = next(self._numbers)  # not id(self): a dropped handle's id comes back while its hook stays
        hooks[self._id] = hook

    def remove(self) -> None:
        """Remove the hook; doing it twice is harmless."""
        self._hooks.pop(self._id, None)


class Tensor:
    """A multi-dimensional array that can be differentiated.

    Args:
        data: a number, nested sequence, NumPy array or tensor; it is copied. Python floats get the
            default dtype, other data keeps its own.
        dtype: what to convert to.
        device: where to put it, default `pyneural.get_default_device`.
        requires_grad: whether operations on it are recorded and ``backward`` fills its ``grad``.

    Attributes:
        array: the device's own array (NumPy on the host). Changing it goes unnoticed by autograd.
        device: where it is.
        requires_grad: as above, and True for every result of a recorded operation.
        grad: the accumulated gradient of a leaf, a Tensor, or None.

    Raises:
        TypeError: a dtype that tensors cannot have.
        RuntimeError: ``requires_grad`` with an integer or bool dtype.
    """

    __slots__ = (
        "__weakref__",
        "_hooks",
        "_node",
        "_slot",
        "_version",
        "_view",
        "array",
        "device",
        "grad",
        "requires_grad",
    )

    array: Array
    device: Device
    requires_grad: bool
    grad: Tensor | None
    _node: Function | None  # what computed it; None for a leaf
    _slot: int  # which result of the node it is
    _version: list[int]  # numbers of in-place changes and, of these, recorded ones; shared with every view
    _view: int  # 0: has its own memory; -1: shares it outside the graph; n > 0: view taken after n - 1 recorded changes
    _hooks: dict[int, Hook] | None

    # NumPy must not treat a tensor as a sequence of objects in `array + tensor`.
    __array_priority__ = 1000
    __array_ufunc__ = None

    def __init__(
        self,
        data: Any,
        dtype: DTypeLike = None,
        device: str | Device | None = None,
        requires_grad: bool = False,
    ) -> None:
        target = _device(device) if device is not None else None
        if isinstance(data, Tensor):
            target = target or data.device
            given, source = data.array, data.device
        elif is_gpu(data):
            source = _device(f"cuda:{data.device.id}")
            target, given = target or source, data
        else:
            target, given, source = target or get_default_device(), _host_array(data), None
        wanted = check_dtype("Tensor", given.dtype if dtype is None else dtype)
        if source is not None and source.type == "cuda":  # converted where it lies
            cast = source.kernels.cast(given, dtype=wanted)
            self._set(cast if target is source else target.take_over(cast, source), target)
        else:
            self._set(target.from_host(given.astype(wanted, copy=False)), target)
        if requires_grad:
            self.requires_grad_()

    def _set(self, array: Array, device: Device) -> None:
        self.array = array
        self.device = device
        self.requires_grad = False
        self.grad = None
        self._node = None
        self._slot = 0
        self._version = [0, 0]
        self._view = 0
        self._hooks = None

    @classmethod
    def _over(cls, array: Array, device: Device) -> Tensor:
        """A leaf over an existing array of the device, not copied."""
        tensor = object.__new__(Tensor)
        tensor.array = array
        tensor.device = device
        tensor.requires_grad = False
        tensor.grad = None
        tensor._node = None
        tensor._slot = 0
        tensor._version = [0, 0]
        tensor._view = 0
        tensor._hooks = None
        return tensor

    def _filled(self, value: float) -> Tensor:
        """A new tensor of this one's shape, dtype and device, full of ``value``."""
        return Tensor._over(self.device.full(self.array.shape, value, self.array.dtype), self.device)

    def _copy(self) -> Tensor:
        """A contiguous copy outside the graph."""
        copy = self.device.kernels.cast(self.array, dtype=self.array.dtype)
        return Tensor._over(copy, self.device)

    # What it is

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        return self.array.ndim  # type: ignore[no-any-return]

    def dim(self) -> int:
        """The number of dimensions."""
        return self.array.ndim  # type: ignore[no-any-return]

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the length of one dimension."""
        return self.array.shape if dim is None else self.array.shape[dim]

    def numel(self) -> int:
        """The number of elements."""
        return int(self.array.size)

    def element_size(self) -> int:
        """Bytes of one element."""
        return int(self.array.dtype.itemsize)

    def stride(self, dim: int | None = None) -> Any:
        """Distances between neighbours along each dimension (or one), in elements."""
        strides = tuple(each // self.array.dtype.itemsize for each in self.array.strides)
        return strides if dim is None else strides[dim]

    def is_contiguous(self) -> bool:
        """True if the elements lie in C order without gaps."""
        return bool(self.array.flags.c_contiguous)

    def is_floating_point(self) -> bool:
        """True for a floating dtype."""
        return dtypes.is_floating(self.array.dtype)

    @property
    def is_leaf(self) -> bool:
        """True if no recorded operation computed it."""
        return self._node is None

    @property
    def grad_fn(self) -> Function | None:
        """The operation that computed it, a node of the graph."""
        return self._node

    def __len__(self) -> int:
        if not self.array.ndim:
            raise TypeError("len: a 0-d tensor has no length")
        return int(self.array.shape[0])

    def __repr__(self) -> str:
        host = self.device.to_host(self.array)
        text = np.array2string(host, separator=", ", prefix="tensor(", threshold=1000, precision=4)
        facts = []
        if host.dtype not in (_default_dtype[0], dtypes.int64, dtypes.bool_) or not host.size:
            facts.append(f"dtype={host.dtype}")
        if self.device is not get_default_device():
            facts.append(f"device='{self.device}'")
        if self._node is not None:
            facts.append(f"grad_fn={self._node!r}")
        elif self.requires_grad:
            facts.append("requires_grad=True")
        return f"tensor({', '.join([text, *facts])})"

    def __bool__(self) -> bool:
        if self.array.size != 1:
            raise RuntimeError(f"bool: the truth of a tensor of shape {self.shape} is ambiguous; use any() or all()")
        return bool(self.item())

    def __hash__(self) -> int:
        return id(self)

    # Out of the library

    def item(self) -> Any:
        """The only element, as a Python number."""
        if self.array.size != 1:
            raise RuntimeError(f"item: a tensor of shape {self.shape} has {self.array.size} elements, not one")
        return self.device.to_host(self.array).reshape(()).item()

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if dtypes.is_floating(self.array.dtype):
            raise TypeError(f"index: a tensor of dtype {self.array.dtype} is no integer")
        return int(self.item())

    def tolist(self) -> Any:
        """The elements as nested Python lists, or a number for a 0-d tensor."""
        return self.device.to_host(self.array).tolist()

    def numpy(self) -> np.ndarray:
        """The elements as a NumPy array that shares memory with this tensor.

        Raises:
            RuntimeError: the tensor requires a gradient: use ``detach().numpy()``.
            TypeError: it is on a GPU: use ``cpu().numpy()``.
        """
        if self.requires_grad:
            raise RuntimeError("numpy: the tensor requires a gradient; use tensor.detach().numpy()")
        if self.device.type == "cuda":
            raise TypeError(f"numpy: the tensor is on {self.device}; use tensor.cpu().numpy() to copy it to the host")
        return self.device.to_host(self.array)

    def __array__(self, dtype: DTypeLike = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy()
        if dtype is not None and array.dtype != np.dtype(dtype):
            if copy is False:
                raise ValueError(f"__array__: {array.dtype} cannot become {np.dtype(dtype)} without a copy")
            return array.astype(dtype)
        return array.copy() if copy else array

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """Version 3 of the CUDA array interface, of a tensor on a GPU."""
        if self.device.type != "cuda":
            raise AttributeError(f"__cuda_array_interface__: the tensor is on {self.device}, not on a GPU")
        if self.requires_grad:
            raise RuntimeError("__cuda_array_interface__: the tensor requires a gradient; export tensor.detach()")
        return self.array.__cuda_array_interface__  # type: ignore[no-any-return]

    def __dlpack__(self, **options: Any) -> Any:
        if self.requires_grad:
            raise RuntimeError("__dlpack__: the tensor requires a gradient; export tensor.detach()")
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()  # type: ignore[no-any-return]

    # Its place in the graph

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set ``requires_grad`` of a leaf; returns the tensor.

        Raises:
            RuntimeError: the dtype has no derivative, or the tensor is the result of an operation.
        """
        if requires_grad and not dtypes.is_floating(self.array.dtype):
            raise RuntimeError(f"requires_grad_: only floating tensors have gradients, not {self.array.dtype}")
        if self._node is not None and not requires_grad:
            raise RuntimeError("requires_grad_: only a leaf's requires_grad can be changed; use detach()")
        self.requires_grad = requires_grad
        return self

    def detach(self) -> Tensor:
        """A tensor over the same memory, outside the graph."""
        tensor = Tensor._over(self.array, self.device)
        tensor._version = self._version
        tensor._view = -1
        return tensor

    def backward(
        self, gradient: Tensor | None = None, retain_graph: bool | None = None, create_graph: bool = False
    ) -> None:
        """Add this tensor's derivative to the ``grad`` of every leaf (`pyneural.autograd.backward`)."""
        from pyneural.autograd.engine import backward

        backward(self, gradient, retain_graph, create_graph)

    def register_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(gradient)`` when this tensor's gradient is known; what it returns replaces it.

        Raises:
            RuntimeError: the tensor does not require a gradient.
        """
        if not self.requires_grad:
            raise RuntimeError(f"register_hook: a tensor of shape {self.shape} does not require a gradient")
        if self._node is None:
            if self._hooks is None:
                self._hooks = {}
            return RemovableHandle(self._hooks, hook)
        if self._node.hooks is None:
            self._node.hooks = {}
        return RemovableHandle(self._node.hooks.setdefault(self._slot, {}), hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], Any]) -> RemovableHandle:
        """Call ``hook(self)`` in each ``backward`` when this leaf's ``grad`` has all that it will get there.

        Raises:
            RuntimeError: the tensor is no leaf that requires a gradient.
        """
        if not self.requires_grad or self._node is not None:
            raise RuntimeError(
                f"register_post_accumulate_grad_hook: a tensor of shape {self.shape} is no leaf that requires a "
                "gradient"
            )
        from pyneural.autograd.leaf_hooks import register

        return register(self, hook)

    def retain_grad(self) -> None:
        """Let ``backward`` fill ``grad`` of this result as if it were a leaf."""
        if self._node is not None:

            def keep(gradient: Tensor) -> None:
                self.grad = gradient if self.grad is None else self.grad + gradient  # type: ignore[operator]

            self.register_hook(keep)

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.grad = None

    # Between devices

    def cpu(self) -> Tensor:
        """On the CPU: itself if it is there."""
        return self.to("cpu")  # type: ignore[no-any-return]

    def cuda(self, device: int | str | Device | None = None) -> Tensor:
        """On a GPU, the first one unless another is named: itself if it is there."""
        return self.to(f"cuda:{device}" if isinstance(device, int) else device or "cuda")  # type: ignore[no-any-return]

    @property
    def is_cuda(self) -> bool:
        """True on a GPU."""
        return self.device.type == "cuda"

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self._node is not None:
            raise RuntimeError("deepcopy: only a leaf can be copied; use detach() or clone()")
        copy = self._copy()
        copy.requires_grad = self.requires_grad
        if self.grad is not None:
            copy.grad = self.grad._copy()
        memo[id(self)] = copy
        return copy

    if TYPE_CHECKING:
        # Operations are attached by pyneural.functional.methods.
        def __getattr__(self, name: str) -> Any: ...

        def __add__(self, other: Any) -> Tensor: ...

        def __radd__(self, other: Any) -> Tensor: ...

        def __sub__(self, other: Any) -> Tensor: ...

        def __rsub__(self, other: Any) -> Tensor: ...

        def __mul__(self, other: Any) -> Tensor: ...

        def __rmul__(self, other: Any) -> Tensor: ...

        def __truediv__(self, other: Any) -> Tensor: ...

        def __rtruediv__(self, other: Any) -> Tensor: ...

        def __pow__(self, other: Any) -> Tensor: ...

        def __rpow__(self, other: Any) -> Tensor: ...

        def __matmul__(self, other: Any) -> Tensor: ...

        def __rmatmul__(self, other: Any) -> Tensor: ...

        def __neg__(self) -> Tensor: ...

        def __abs__(self) -> Tensor: ...

        def __invert__(self) -> Tensor: ...

        def __getitem__(self, key: Any) -> Tensor: ...

        def __setitem__(self, key: Any, value: Any) -> None: ...

        def __iter__(self) -> Iterator[Tensor]: ...

        def __eq__(self, other: object) -> Tensor: ...  # type: ignore[override]

        def __ne__(self, other: object) -> Tensor: ...  # type: ignore[override]

        def __lt__(self, other: Any) -> Tensor: ...

        def __le__(self, other: Any) -> Tensor: ...

        def __gt__(self, other: Any) -> Tensor: ...

        def __ge__(self, other: Any) -> Tensor: ...


_device = device  # the constructor's parameter hides the name


def _host_array(data: Any) -> np.ndarray:
    """Python or NumPy data as a NumPy array; Python floats get the default dtype."""
    if isinstance(data, (np.ndarray, np.generic)):
        return np.asarray(data)
    if isinstance(data, Sequence) and data and any(isinstance(each, Tensor) for each in data):
        data = [each.tolist() if isinstance(each, Tensor) else each for each in data]
    if hasattr(data, "__array__"):
        return np.asarray(data)
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ValueError(f"Tensor: the data is not a regular array of numbers: {error}") from None
    if array.dtype == np.float64:
        array = array.astype(_default_dtype[0])
    if array.dtype.kind not in "fiub":
        raise TypeError(f"Tensor: data of type {type(data).__name__} gives dtype {array.dtype}, not numbers")
    if array.dtype.kind in "iu":
        array = array.astype(dtypes.int64)
    return array
