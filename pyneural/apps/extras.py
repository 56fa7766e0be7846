"""The packages of the extras, imported where an application needs them."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

_INSTALL = 'pip install "pyneural[{extra}]"'
INSTALL = _INSTALL.format(extra="apps")


class MissingPackage(ImportError):
    """A package that an application needs is not installed; the message has the command that installs it."""


def need(module: str, package: str, extra: str = "apps") -> Any:
    """Import ``module`` of ``package``; `MissingPackage` says how to install it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise MissingPackage(f"{package} is not installed; install it with: {_INSTALL.format(extra=extra)}") from None


def need_file(path: Path, package: str) -> Path:
    """``path``, a file of a Debian package; `MissingPackage` says how to install it."""
    if not path.is_file():
        raise MissingPackage(
            f"{package} is not installed (there is no file {path}); install it with: sudo apt-get install {package}"
        )
    return path
