"""The GPUs of this machine and the memory that CuPy's pool holds on them, under PyTorch's names."""

from __future__ import annotations

from typing import Any

from . import gpu

Device = Any  # a number, None for the first GPU, or a device of pyneural's


def is_available() -> bool:
    """Whether there is a GPU that can be used; `pyneural doctor` says why not."""
    return gpu.available()


def device_count() -> int:
    """How many GPUs there are."""
    return gpu.count() if gpu.available() else 0


def _at(operation: str, device: Device) -> Any:
    reason = gpu.obstacle()
    if reason is not None:
        raise RuntimeError(f"{operation}: no GPU can be used: {reason}")
    import cupy

    index = getattr(device, "index", device)
    return cupy.cuda.Device(0 if index is None else index)


def get_device_name(device: Device = None) -> str:
    """The name of a GPU. Raises RuntimeError where there is none, as do all functions that take one."""
    at = _at("get_device_name", device)
    import cupy

    name = cupy.cuda.runtime.getDeviceProperties(at.id)["name"]
    return name.decode() if isinstance(name, bytes) else str(name)


def synchronize(device: Device = None) -> None:
    """Wait until everything that was launched on a GPU has ended."""
    with _at("synchronize", device) as at:
        at.synchronize()


def memory_allocated(device: Device = None) -> int:
    """Bytes that arrays hold on a GPU."""
    with _at("memory_allocated", device):
        import cupy

        return int(cupy.get_default_memory_pool().used_bytes())


def memory_reserved(device: Device = None) -> int:
    """Bytes that CuPy's pool holds on a GPU, those that no array uses included."""
    with _at("memory_reserved", device):
        import cupy

        return int(cupy.get_default_memory_pool().total_bytes())


def empty_cache(device: Device = None) -> None:
    """Give back to the GPU what CuPy's pool holds and no array uses."""
    with _at("empty_cache", device):
        import cupy

        cupy.get_default_memory_pool().free_all_blocks()
