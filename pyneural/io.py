"""Tensors in files, in the safetensors format (https://github.com/huggingface/safetensors), never pickle.

A file is written beside its place and then moved there, so that a failed save leaves the old one whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyneural.device import Device, get_default_device
from pyneural.device import device as find_device
from pyneural.kernels import dtypes
from pyneural.random import Generator
from pyneural.tensor import Tensor

if TYPE_CHECKING:
    from pyneural.data import DataLoader
    from pyneural.nn import Module
    from pyneural.optim import Optimizer

StrPath = str | os.PathLike[str]

_DTYPES: dict[str, np.dtype[Any]] = {
    "F64": dtypes.float64,
    "F32": dtypes.float32,
    "F16": dtypes.float16,
    "I64": dtypes.int64,
    "I32": dtypes.int32,
    "I16": dtypes.int16,
    "I8": dtypes.int8,
    "U8": dtypes.uint8,
    "BOOL": dtypes.bool_,
}
if dtypes.bfloat16 is not None:
    _DTYPES["BF16"] = dtypes.bfloat16

_CHECKPOINT = "pyneural.checkpoint"  # metadata key of everything in a checkpoint that is no tensor
_CHECKSUM = "sha256"  # its entry in there
_FORMAT = 1


def save(path: StrPath, tensors: Mapping[str, Tensor] | Module, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors to a safetensors file.

    Args:
        path: its folder must exist; an old file is replaced at the end, at once.
        tensors: by name, or a module for its state dict.
        metadata: strings by name, kept in the file.

    Raises:
        TypeError: a name, a value or a metadata entry of another type.
        OSError: the file cannot be written; an old one is still there.
    """
    named = _named(tensors)
    for key, value in (metadata or {}).items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"save: metadata must map strings to strings, not {key!r} to {value!r}")
    arrays = {name: np.ascontiguousarray(each.device.to_host(each.array)) for name, each in named.items()}
    # ascontiguousarray gives a 0-d array one dimension.
    arrays = {name: array.reshape(named[name].shape) for name, array in arrays.items()}
    from safetensors.numpy import save as serialized

    _write(Path(path), serialized(arrays, dict(metadata) if metadata else None))


def _named(tensors: Any) -> dict[str, Tensor]:
    state = tensors.state_dict() if hasattr(tensors, "state_dict") else tensors
    if not isinstance(state, Mapping):
        raise TypeError(f"save: tensors must be a dict or a module, not {type(tensors).__name__}")
    for name, each in state.items():
        if not isinstance(name, str):
            raise TypeError(f"save: a name must be a string, not {name!r}")
        if not isinstance(each, Tensor):
            raise TypeError(f"save: {name} must be a tensor, not {type(each).__name__}")
    return dict(state)


def _write(path: Path, content: bytes) -> None:
    """Put ``content`` in the place of ``path``, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if os.name == "posix":  # the new name must survive a power failure as well
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def load(path: StrPath, device: str | Device | None = None) -> dict[str, Tensor]:
    """The tensors of a safetensors file, by name.

    Args:
        device: where to put them, `pyneural.get_default_device` unless given.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no safetensors file, is damaged, or holds a dtype that tensors cannot have.
    """
    return _read(path, device)[0]


def load_metadata(path: StrPath) -> dict[str, str]:
    """The metadata of a safetensors file; errors as of `load`."""
    return _read(path, "cpu")[1]


def _read(
    path: StrPath, device: str | Device | None, content: bytes | None = None
) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors import SafetensorError, deserialize

    target = get_default_device() if device is None else find_device(device)
    if content is None:
        content = Path(path).read_bytes()
    try:
        entries = deserialize(content)  # type: ignore[no-untyped-call]
    except (SafetensorError, UnicodeDecodeError) as error:
        raise ValueError(f"load: {os.fspath(path)} is no whole safetensors file: {error}") from None
    tensors = {}
    for name, entry in entries:
        dtype = _DTYPES.get(entry["dtype"])
        if dtype is None:
            raise ValueError(f"load: {os.fspath(path)}: {name} has dtype {entry['dtype']}, which tensors cannot have")
        array = np.frombuffer(entry["data"], dtype).reshape(entry["shape"])
        tensors[name] = Tensor._over(target.from_host(array), target)
    # deserialize has checked the header, but does not give its metadata.
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return tensors, header.get("__metadata__") or {}


# Checkpoints


def save_checkpoint(
    path: StrPath,
    *,
    model: Module | None = None,
    optimizer: Optimizer | None = None,
    generator: Generator | Mapping[str, Generator] | None = None,
    loader: DataLoader | None = None,
    **extra: Any,
) -> None:
    """Write all that a training needs to go on, bit for bit, to one safetensors file, with a checksum of it.

    Args:
        path: as of `save`.
        model, optimizer, loader: their states.
        generator: one, or several by name, e.g. `pyneural.random.default_generator` where dropout
            and shuffling draw from it.
        extra: anything that JSON can hold: epoch, settings.

    Raises:
        TypeError: ``extra`` holds something that JSON cannot.
    """
    tensors: dict[str, Tensor] = {}
    facts: dict[str, Any] = {"format": _FORMAT, "extra": extra}
    if model is not None:
        tensors.update({f"model.{name}": each for name, each in model.state_dict().items()})
        facts["model"] = type(model).__name__
    if optimizer is not None:
        state = optimizer.state_dict()
        numbers: dict[str, dict[str, Any]] = {}
        for number, entries in state["state"].items():
            numbers[str(number)] = {key: each for key, each in entries.items() if not isinstance(each, Tensor)}
            for key, each in entries.items():
                if isinstance(each, Tensor):
                    tensors[f"optimizer.{number}.{key}"] = each
        facts["optimizer"] = {"type": optimizer.name, "state": numbers, "groups": state["param_groups"]}
    if generator is not None:
        facts["generators"] = {name: each.state_dict() for name, each in _generators(generator).items()}
    if loader is not None:
        facts["loader"] = loader.state_dict()
    try:
        text = json.dumps(facts)
    except (TypeError, ValueError) as error:
        raise TypeError(f"save_checkpoint: the extra values must be such that JSON can hold them: {error}") from None
    facts = json.loads(text)
    # In the same entry: safetensors writes several in an order that changes from file to file.
    save(path, tensors, {_CHECKPOINT: json.dumps({**facts, _CHECKSUM: _checksum(tensors, facts)})})


def _checksum(tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> str:
    """SHA-256 of a checkpoint's tensors, with their names, shapes and dtypes, and of the rest, as JSON gave it."""
    digest = hashlib.sha256(json.dumps(facts).encode())
    for name, each in sorted(tensors.items()):
        array = np.ascontiguousarray(each.device.to_host(each.array))
        digest.update(f"{name} {each.dtype} {each.shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _generators(generator: Generator | Mapping[str, Generator]) -> dict[str, Generator]:
    return {"": generator} if isinstance(generator, Generator) else dict(generator)


def load_checkpoint(
    path: StrPath,
    *,
    model: Module | None = None,
    optimizer: Optimizer | None = None,
    generator: Generator | Mapping[str, Generator] | None = None,
    loader: DataLoader | None = None,
    content: bytes | None = None,
) -> dict[str, Any]:
    """Restore what is given from a file of `save_checkpoint`, all or nothing; returns its extra values.

    Args:
        content: the file's bytes, where they were read already.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no checkpoint, is damaged (its checksum is another), lacks what is asked for, or does not fit.
    """
    name = os.fspath(path)
    tensors, metadata = _read(path, "cpu", content)
    facts = _facts(name, metadata)
    written = facts.pop(_CHECKSUM, None)  # files of earlier versions have none
    if written is not None and written != (found := _checksum(tensors, facts)):
        raise ValueError(
            f"load_checkpoint: {name} is damaged: its checksum is {found[:12]}, written was {written[:12]}"
        )
    given = {"model": model, "optimizer": optimizer, "generators": generator, "loader": loader}
    lacking = [key for key, value in given.items() if value is not None and key not in facts]
    if lacking:
        raise ValueError(f"load_checkpoint: {name} holds no {', no '.join(lacking)}")
    with contextlib.ExitStack() as undo:
        for each in (model, optimizer, *(_generators(generator) if generator is not None else {}).values()):
            if each is not None:
                undo.callback(_restorer(each))
        try:
            if model is not None:
                model.load_state_dict(_below("model.", tensors))
            if optimizer is not None:
                optimizer.load_state_dict(_optimizer_state(facts["optimizer"], optimizer, tensors))
            if generator is not None:
                _restore_generators(facts["generators"], _generators(generator))
            if loader is not None:
                loader.load_state_dict(facts["loader"])
        except (KeyError, ValueError, TypeError) as error:
            raise ValueError(f"load_checkpoint: {name}: {error}") from error
        undo.pop_all()  # all is well: nothing is undone
    return dict(facts.get("extra", {}))


def _facts(name: str, metadata: Mapping[str, str]) -> dict[str, Any]:
    text = metadata.get(_CHECKPOINT)
    if text is None:
        raise ValueError(f"load_checkpoint: {name} is a safetensors file but no checkpoint of pyneural")
    try:
        facts: dict[str, Any] = json.loads(text)
        version = facts["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"load_checkpoint: {name} has a damaged {_CHECKPOINT} entry: {error!r}") from None
    if version != _FORMAT:
        raise ValueError(f"load_checkpoint: {name} has format (={version}), this version reads {_FORMAT}")
    return facts


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) :]: each for name, each in tensors.items() if name.startswith(prefix)}


def _optimizer_state(facts: Mapping[str, Any], optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    if facts["type"] != optimizer.name:
        raise ValueError(f"the optimizer was {facts['type']}, not {optimizer.name}")
    state: dict[int, dict[str, Any]] = {int(number): dict(entries) for number, entries in facts["state"].items()}
    for key, each in _below("optimizer.", tensors).items():
        number, _, entry = key.partition(".")
        state[int(number)][entry] = each
    return {"state": state, "param_groups": facts["groups"]}


def _restore_generators(states: Mapping[str, Any], generators: Mapping[str, Generator]) -> None:
    if sorted(states) != sorted(generators):
        raise ValueError(f"the generators are {sorted(states)}, not {sorted(generators)}")
    for key, each in generators.items():
        each.load_state_dict(states[key])


def _restorer(target: Any) -> Callable[[], None]:
    """A function that takes ``target`` back to its present state."""
    state = target.state_dict()

    def copies(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value._copy()
        return {key: copies(each) for key, each in value.items()} if isinstance(value, dict) else value

    kept = copies(state)
    return lambda: target.load_state_dict(kept)


def write_text(path: StrPath, text: str) -> None:
    """Write a small text file (a report) whole or not at all."""
    _write(Path(path), text.encode())
