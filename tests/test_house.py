"""The rules of the house: imports run one way, files stay short, `import pyneural` stays light."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST = 500

# From the bottom up. A module imports from its own layer and from those below.
LAYERS: dict[str, int] = {
    "pyneural.csrc": 0,
    "pyneural.cuda": 1,
    "pyneural.kernels": 2,
    "pyneural.device": 3,
    "pyneural.tensor": 4,
    "pyneural.random": 4,
    "pyneural.recording": 3,
    "pyneural.functional": 4,
    "pyneural.autograd": 4,
    "pyneural.autocast": 4,
    "pyneural.amp": 5,
    "pyneural.nn": 5,
    "pyneural.optim": 5,
    "pyneural.data": 5,
    "pyneural.io": 5,
    "pyneural.interop": 5,
    "pyneural.distributed": 5,
    "pyneural.compilation": 5,
    "pyneural.doctor": 6,
    "pyneural.apps": 6,
    "pyneural.bench": 6,
    "pyneural.explore": 6,
    "pyneural.learn": 6,
    "pyneural.cli": 6,
    "pyneural": 6,  # the package itself, which gathers everything
}


def _modules() -> dict[str, Path]:
    """Every module by its installed name."""
    found = {}
    for folder, package in (("pyneural", "pyneural"), ("kernels", "pyneural.kernels"), ("csrc", "pyneural.csrc")):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join([package, *(part for part in parts if part != "__init__")])] = path
    return found


MODULES = _modules()


def _layer(module: str) -> int:
    while module not in LAYERS:
        module, _, _ = module.rpartition(".")
    return LAYERS[module]


def _imports(module: str, path: Path) -> Iterator[tuple[int, str]]:
    """(line, module of ours) of every import of a file, those inside functions and under TYPE_CHECKING included."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for each in node.names:
                if each.name.split(".")[0] == "pyneural":
                    yield node.lineno, each.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parent = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
                base = f"{parent}.{base}".rstrip(".")
            if base.split(".")[0] == "pyneural":
                for each in node.names:
                    inner = f"{base}.{each.name}"
                    yield node.lineno, inner if inner in MODULES else base


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module: str) -> None:
    upward = [
        f"{MODULES[module].relative_to(ROOT)}:{line} imports {imported}"
        for line, imported in _imports(module, MODULES[module])
        if _layer(imported) > _layer(module)
    ]
    assert not upward


def test_every_module_has_a_layer() -> None:
    """A new package must be given its place."""
    unknown = {name for name in MODULES if name.count(".") == 1} - set(LAYERS)
    assert not unknown


def test_import_reader_sees_what_it_must(tmp_path: Path) -> None:
    """The rule's own eyes: relative, nested and absolute imports."""
    file = tmp_path / "x.py"
    lines = (
        "from .. import check",
        "from . import loops",
        "def f():",
        "    from pyneural.tensor import Tensor",
        "    import pyneural.nn",
    )
    file.write_text("\n".join(lines))
    found = [name for _, name in _imports("pyneural.kernels.reduce.x", file)]
    assert found[0] == "pyneural.kernels.check"
    assert found[1].startswith("pyneural.kernels.reduce")
    assert {"pyneural.tensor", "pyneural.nn"} <= set(found)
    assert _layer("pyneural.kernels.reduce.x") < _layer("pyneural.tensor")


def test_tensor_imports_no_operation() -> None:
    assert not [name for _, name in _imports("pyneural.tensor", MODULES["pyneural.tensor"]) if "functional" in name]


@pytest.mark.parametrize("name", ["contract", "reference"])
def test_contracts_and_references_do_without_numba(name: str) -> None:
    for path in (ROOT / "kernels").glob(f"*/{name}.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [each for each in names if each.split(".")[0] in ("numba", "llvmlite", "torch")], path


def test_no_file_is_long() -> None:
    """Code of every language, tests included."""
    kinds = {".py", ".cu", ".cuh", ".cpp", ".h", ".hpp", ".c", ".S"}
    folders = ("pyneural", "kernels", "csrc", "tests", "bench", "docs")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in kinds]
    assert len(files) > 100
    long = {
        str(path.relative_to(ROOT)): lines
        for path in files
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST
    }
    assert not long


def _fresh(code: str) -> str:
    """What a new interpreter prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    result = subprocess.run(
        [sys.executable, "-c", f"{code}; assert sys.modules['pyneural'].__file__"],
        cwd=sys.prefix,  # where no folder of ours is
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("statement", ["import pyneural", "from pyneural import kernels", "import pyneural.cli"])
def test_import_is_light(statement: str) -> None:
    """No compiler, no GPU library, nothing that plots or learns; so nothing is compiled either."""
    heavy = ["numba", "llvmlite", "cupy", "torch", "matplotlib", "sklearn", "PIL", "pandas"]
    printed = _fresh(f"import sys; {statement}; print(*[name for name in {heavy!r} if name in sys.modules])")
    assert printed.split() == []


def test_reference_device_needs_no_numba() -> None:
    printed = _fresh(
        "import sys, pyneural as p; x = p.ones(3, device='reference', requires_grad=True); (x * x).sum().backward();"
        "print(x.grad.tolist(), 'numba' in sys.modules)"
    )
    assert printed.strip() == "[2.0, 2.0, 2.0] False"


def test_import_works_without_optional_packages() -> None:
    """CuPy, PyTorch, scikit-learn, matplotlib and a compiler are all optional."""
    printed = _fresh(
        "import sys\n"
        "for name in ('cupy', 'torch', 'sklearn', 'matplotlib', 'PIL'): sys.modules[name] = None\n"
        "import pyneural, pyneural.nn, pyneural.cli\n"
        "print((pyneural.ones(2, device='reference') + 1).tolist())"
    )
    assert printed.strip() == "[2.0, 2.0]"


def test_package_is_typed() -> None:
    assert (ROOT / "pyneural" / "py.typed").exists()


def test_what_applications_need_is_in_their_extra() -> None:
    """By its own name: what another package brings along today it may not bring tomorrow."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    core = re.search(r"^dependencies = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert core is not None
    found = 0
    for path in sorted((ROOT / "pyneural").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "need":
                continue
            _, package, *more = (each.value for each in node.args if isinstance(each, ast.Constant))
            listed = re.search(rf"^{more[0] if more else 'apps'} = \[(.*?)\]$", text, re.MULTILINE | re.DOTALL)
            assert listed is not None
            assert f'"{package}>' in listed[1] + core[1], f"{path.name} needs {package}"
            found += 1
    assert found > 30
