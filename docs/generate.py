"""Write docs/operations.md from the contracts: ``python docs/generate.py`` (``make docs``)."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from pyneural.kernels import BACKENDS, FAMILIES, OPERATIONS, Operation, dtypes

TARGET = Path(__file__).with_name("operations.md")
_ORDERS = {0: "-", 1: "1st", 2: "1st, 2nd"}


def _signature(operation: Operation) -> str:
    """The parameters with their defaults, without annotations."""
    empty = inspect.Parameter.empty
    parameters = [each.replace(annotation=empty) for each in operation.signature.parameters.values()]
    return f"{operation.name}{operation.signature.replace(parameters=parameters, return_annotation=empty)}"


def _dtypes(operation: Operation) -> str:
    found = set(operation.dtypes)
    parts = []
    for name, group in (("floats", dtypes.FLOATS), ("integers", dtypes.INTEGERS), ("bool", (dtypes.bool_,))):
        if found >= set(group):
            parts.append(name)
            found -= set(group)
    return ", ".join(parts + sorted(str(each) for each in found))


def _summary(operation: Operation) -> str:
    """The docstring's first sentence, on one line."""
    paragraph = " ".join(operation.doc.split("\n\n")[0].split())
    return re.split(r"(?<=[.;]) (?=[A-Z])", paragraph)[0].rstrip(".")


def _accuracy(operation: Operation) -> str:
    return "exact" if operation.error == "exact" else f"{operation.error}, {operation.ulps:g} ulp"


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


def page() -> str:
    """The whole of docs/operations.md."""
    lines = [
        "# Operations",
        "",
        "Generated from the contracts by `make docs`; a test holds it fresh. "
        f"{len(OPERATIONS)} operations, each with kernels in the backends "
        + " and ".join(f"`{name}`" for name in BACKENDS if name != "numba_cuda")  # which has most, not all
        + ".",
        "",
        "*Dtypes*: what the contract's samples are made in (floats: "
        f"{', '.join(str(each) for each in dtypes.FLOATS)}). *Accuracy*: what is allowed beside twice the error of the "
        "same-dtype reference, by element or relative to the largest element (norm). *Gradient*: the derivatives of "
        "`pyneural.functional`'s function of the same name that are checked against central differences.",
    ]
    for family in FAMILIES:
        lines += ["", f"## {family}", "", "| operation | what it is | dtypes | accuracy | gradient | source |"]
        lines.append("|---|---|---|---|---|---|")
        for operation in OPERATIONS.values():
            if operation.family == family:
                cells = (
                    f"`{_signature(operation)}`" + (", in place" if operation.writes else ""),
                    _summary(operation),
                    _dtypes(operation),
                    _accuracy(operation),
                    _ORDERS[operation.gradient],
                    operation.source,
                )
                lines.append("| " + " | ".join(_cell(each) for each in cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
    print(f"wrote {TARGET}")
