"""The reference's pages: every public name with its signature and docstring, once. `docs/site.py` shows them.

A name that several modules have stands on the page of the first of `MODULES`; the others link to it.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from types import ModuleType
from typing import Any, ForwardRef

import typer

from pyneural.cli import app

MODULES = (
    "pyneural.functional",
    "pyneural.autograd",
    "pyneural.nn.init",
    "pyneural.nn.utils",
    "pyneural.nn",
    "pyneural.optim.lr_scheduler",
    "pyneural.optim",
    "pyneural.data",
    "pyneural.io",
    "pyneural.amp",
    "pyneural.distributed",
    "pyneural.kernels",
    "pyneural.cuda",
    "pyneural",
)
ORDER = ("pyneural", "pyneural.functional", "pyneural.nn", "pyneural.nn.init", "pyneural.nn.utils", "pyneural.optim",
         "pyneural.optim.lr_scheduler", "pyneural.data", "pyneural.autograd", "pyneural.amp", "pyneural.io",
         "pyneural.distributed", "pyneural.cuda", "pyneural.kernels")  # fmt: skip
"""Of the pages."""
COMMAND = "reference/command.md"
WIDTH = 100
"""Of a signature in one line."""


def names(module: ModuleType) -> list[str]:
    """A module's public names: its `__all__`, or what it defines without an underscore in front."""
    if hasattr(module, "__all__"):
        return sorted(set(module.__all__), key=lambda name: (name.lower(), name))
    own = (name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__)
    return sorted(name for name in own if not name.startswith("_"))


def place(module: str) -> str:
    """A module's page."""
    return f"reference/{module}.md"


def homes() -> dict[tuple[str, str], str]:
    """The module on whose page a name of a module stands, by module and name."""
    found: dict[tuple[int, str], str] = {}
    where = {}
    for each in MODULES:
        module = importlib.import_module(each)
        for name in names(module):
            value = getattr(module, name)
            where[each, name] = found.setdefault((id(value), name), each)
    return where


def pages() -> tuple[dict[str, str], list[dict[str, str]]]:
    """Texts by their places among the site's pages, and the navigation's entries."""
    where = homes()
    texts = {place(each): _page(importlib.import_module(each), where) for each in ORDER}
    texts[COMMAND] = _commands()
    return texts, [*({each: place(each)} for each in ORDER), {"The command pyneural": COMMAND}]


def _page(module: ModuleType, where: dict[tuple[str, str], str]) -> str:
    here = module.__name__
    parts = [f"# {here}", markdown(inspect.getdoc(module) or "")]
    links = []
    for name in names(module):
        value, home = getattr(module, name), where[here, name]
        if isinstance(value, ModuleType):
            if value.__name__ not in MODULES:
                raise ValueError(f"{here}.{name} is a module without a page: add it to MODULES of docs/reference.py")
            links.append(f"[`{name}`]({value.__name__}.md)")
        elif home != here:
            links.append(f"[`{name}`]({home}.md#{name})")
        else:
            parts += _entry(name, value)
    if links:
        parts.insert(2, f"On pages of their own: {', '.join(links)}.")
    return "\n\n".join(part for part in parts if part) + "\n"


def _entry(name: str, value: Any) -> list[str]:
    """One name."""
    parts = [f"## {_text(name)} {{ #{name} }}"]
    if inspect.isclass(value):
        parts += [_code(f"class {name}", value), markdown(inspect.getdoc(value) or "")]
        fields = [f"- `{one}: {kind}`{f': {_one_line(said)}' if said else ''}" for one, kind, said in _fields(value)]
        return [*parts, "\n".join(fields), *_members(value)]
    if callable(value):
        return [*parts, _code(name, value), markdown(inspect.getdoc(value) or "")]
    return [*parts, _constant(value)]


def _constant(value: Any) -> str:
    shown = repr(value)
    plain = isinstance(value, str | int | float | tuple) or type(value).__module__ == "numpy.dtypes"
    if not plain or " at 0x" in shown:
        return f"A constant of type `{type(value).__name__}`."
    return f"```python\n{textwrap.fill(shown, WIDTH)}\n```"


class _Written:
    """What a signature shows as it is, without the quotes around an annotation."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _written(value: Any) -> Any:
    if isinstance(value, str):
        return _Written(value)
    if isinstance(value, ForwardRef):
        return _Written(value.__forward_arg__)
    return value


def _default(value: Any) -> Any:
    named = value is not inspect.Parameter.empty and (isinstance(value, type) or inspect.isroutine(value))
    return _Written(f"{value.__module__}.{value.__qualname__}".removeprefix("builtins.")) if named else value


def _code(name: str, value: Any) -> str:
    try:
        signature = inspect.signature(value)
    except ValueError:  # of classes that C made
        return f"```python\n{name}\n```"
    kept = [
        each.replace(annotation=_written(each.annotation), default=_default(each.default))
        for each in signature.parameters.values()
        if each.name != "self"
    ]
    returned = signature.empty if inspect.isclass(value) else _written(signature.return_annotation)
    text = f"{name}{signature.replace(parameters=kept, return_annotation=returned)}"
    if len(text) > WIDTH:
        last = str(signature.replace(parameters=[], return_annotation=returned)).removeprefix("()")
        text = "\n".join([f"{name}(", *(f"    {each}," for each in _marked(kept)), f"){last}"])
    return f"```python\n{re.sub(r' at 0x[0-9a-f]+', '', text)}\n```"


def _marked(parameters: list[inspect.Parameter]) -> Iterator[str]:
    """The parameters with the `/` and `*` between them."""
    before = None
    for each in parameters:
        if before == each.POSITIONAL_ONLY != each.kind:
            yield "/"
        if each.kind == each.KEYWORD_ONLY and before not in (each.KEYWORD_ONLY, each.VAR_POSITIONAL):
            yield "*"
        yield str(each)
        before = each.kind


def _fields(cls: type) -> Iterator[tuple[str, str, str]]:
    """Name, type and docstring of each field of a tuple or a dataclass."""
    if not (hasattr(cls, "_fields") or hasattr(cls, "__dataclass_fields__")):
        return
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    statements = body.body if isinstance(body, ast.ClassDef) else []
    for one, after in zip(statements, [*statements[1:], None], strict=True):
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and not one.target.id.startswith("_"):
            said = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
            yield one.target.id, ast.unparse(one.annotation), str(said)


def _members(cls: type) -> Iterator[str]:
    """Methods and properties with a docstring of their own; of a tensor's, those that are no functions as well."""
    functional = importlib.import_module("pyneural.functional")
    also = []
    for name, value in sorted(vars(cls).items()):
        inner = getattr(value, "__func__", getattr(value, "fget", value))
        said = getattr(inner, "__doc__", None)
        if name.startswith("_") or not said or inspect.isclass(value) or not inspect.isroutine(inner):
            continue
        function = getattr(functional, name, None)
        if cls.__name__ == "Tensor" and getattr(function, "__doc__", None) == said:
            also.append(f"[`{name}`](pyneural.functional.md#{name})")
            continue
        yield f"### {cls.__name__}.{_text(name)} {{ #{cls.__name__}.{name} }}"
        if not isinstance(value, property):
            yield _code(name, inner)
        yield markdown(inspect.cleandoc(said))
    if also:
        yield f"Functions that are methods as well: {', '.join(also)}."


def _commands() -> str:
    """Every command with its arguments and options."""
    parts = ["# The command pyneural"]

    def told(command: Any, path: str) -> None:
        if path != "pyneural":
            level = "##" if path.count(" ") == 1 else "###"
            parts.append(f"{level} {path}")
        parts.append(markdown(inspect.cleandoc(command.help or "")))
        shown = [each for each in command.params if not getattr(each, "hidden", False) and each.name != "help"]
        if shown:
            parts.append("\n".join(_parameter(each) for each in shown))
        for name, inner in sorted(getattr(command, "commands", {}).items()):
            told(inner, f"{path} {name}")

    told(typer.main.get_command(app), "pyneural")
    return "\n\n".join(part for part in parts if part) + "\n"


def _parameter(each: Any) -> str:
    option = each.param_type_name == "option"
    written = ", ".join([*each.opts, *each.secondary_opts]) if option else each.metavar or each.name.upper()
    said = _one_line(getattr(each, "help", None) or "")
    return f"- `{written}`{f': {said}' if said else ''}"


_SECTION = re.compile(r"^(Args|Arguments|Attributes|Raises|Returns|Yields|Note|Example|Examples):$")
_SPAN = re.compile(r"(``.+?``|`[^`\n]+`)")


def markdown(text: str) -> str:
    """A docstring as Markdown: sections become lists, sessions and indented blocks become code."""
    parts: list[str] = []
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        parts += _blocks(block)
    return "\n\n".join(_joined(parts))


def _blocks(block: str) -> Iterator[str]:
    lines = block.split("\n")
    if lines[0].startswith(">>>"):
        yield "```python\n" + "\n".join(lines) + "\n```"
    elif _SECTION.match(lines[0]):
        yield f"**{lines[0].strip(':')}**"
        yield "\n".join(f"- {_text(item)}" for item in _items(textwrap.dedent("\n".join(lines[1:])).split("\n")))
    elif lines[0].startswith("    "):
        yield "```python\n" + textwrap.dedent(block) + "\n```"
    elif len(lines) > 1 and lines[1].startswith("    ") and lines[0].endswith("::"):
        yield _text(lines[0].removesuffix(":"))
        yield "```python\n" + textwrap.dedent("\n".join(lines[1:])) + "\n```"
    else:
        yield _text(re.sub(r"::$", ":", block))


def _items(lines: list[str]) -> Iterator[str]:
    """A section's entries: what is indented goes on with the one above."""
    found: list[str] = []
    for line in lines:
        if line.startswith(" ") and found:
            found[-1] += " " + line.strip()
        elif line.strip():
            found.append(line.strip())
    yield from found


def _joined(parts: list[str]) -> list[str]:
    """With neighbouring blocks of code as one: an empty line in a block does not end it."""
    found: list[str] = []
    for part in parts:
        if found and _is_code(part) and _is_code(found[-1]):
            found[-1] = found[-1].removesuffix("\n```") + "\n\n" + part.removeprefix("```python\n")
        else:
            found.append(part)
    return found


def _is_code(part: str) -> bool:
    return part.startswith("```python\n") and not part.startswith("```python\n>>>")


def _text(text: str) -> str:
    """Prose: what Markdown would take for its own is escaped, outside of spans of code."""
    parts = _SPAN.split(text)
    for k in range(0, len(parts), 2):
        parts[k] = re.sub(r"([*_\[\]{}|\\])", r"\\\1", parts[k]).replace("<", "&lt;")
    for k in range(1, len(parts), 2):
        parts[k] = f"`{parts[k].strip('`')}`"
    return "".join(parts)


def _one_line(text: str) -> str:
    return _text(" ".join(text.split()))
