"""The list of mutations fits the sources and its page; run slowly, every one of them is caught."""

from __future__ import annotations

import importlib
import re
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from pyneural.kernels import FAMILIES, OPERATIONS

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def package() -> ModuleType:
    """``tests.mutations``, which `python -m tests.mutations` finds from the root of the repository."""
    sys.path.insert(0, str(ROOT))
    try:
        return importlib.import_module("tests.mutations")
    finally:
        sys.path.remove(str(ROOT))


def test_applies(package: ModuleType) -> None:
    """Every snippet is where it is expected, and its replacement is another one that is still Python."""
    for mutation in package.MUTATIONS:
        text = (ROOT / mutation.file).read_text(encoding="utf-8")
        try:
            wrong = mutation.apply(text)
        except LookupError as error:
            pytest.fail(f"{mutation.name}: in {mutation.file} {error}")
        assert wrong != text, mutation.name
        compile(wrong, mutation.file, "exec")


def test_names(package: ModuleType) -> None:
    """Names are told apart; operations are declared."""
    repeated = [name for name, count in Counter(each.name for each in package.MUTATIONS).items() if count > 1]
    assert not repeated
    for mutation in package.MUTATIONS:
        assert mutation.operations, mutation.name
        unknown = [name for name in mutation.operations if name not in OPERATIONS and name not in ENGINE_ONLY]
        assert not unknown, f"{mutation.name}: {unknown}"


ENGINE_ONLY: tuple[str, ...] = ()


def test_coverage(package: ModuleType) -> None:
    """A wrong kernel of every operation, a wrong reference in every family, and at least 25 wrong derivatives."""
    kernels = [each for each in package.MUTATIONS if each.in_kernel]
    references = [each for each in kernels if each.file.endswith("/reference.py")]
    compiled = {name for each in kernels if each not in references for name in each.operations}
    assert not [name for name in OPERATIONS if name not in compiled]
    assert not set(FAMILIES) - {each.family for each in references}
    assert len(package.MUTATIONS) - len(kernels) >= 25


def test_page(package: ModuleType) -> None:
    """docs/mutations.md lists the present mutations; ``python -m tests.mutations --write`` makes it anew."""
    text = (ROOT / "docs" / "mutations.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| (\w+) \| `([^`]+)` \|", text, re.MULTILINE)
    assert listed == [(each.name, each.file) for each in package.MUTATIONS]
    assert re.search(r"^\d+ mutations: \d+ caught", text, re.MULTILINE)


def test_gone(package: ModuleType) -> None:
    """A snippet that is missing, or there twice, is an error; behind ``after`` the first one is meant."""
    mutation = package.Mutation("sign", "kernels/none.py", ("add",), "a + b", "a - b")
    assert mutation.apply("x = a + b\n") == "x = a - b\n"
    for text in ("x = a * b\n", "x = a + b\ny = a + b\n"):
        with pytest.raises(LookupError, match=r"'a \+ b' occurs [02] times"):
            mutation.apply(text)
    second = package.Mutation("sign", "kernels/none.py", ("add",), "a + b", "a - b", "def second")
    assert second.apply("a + b\ndef second\na + b\na + b\n") == "a + b\ndef second\na - b\na + b\n"


@pytest.mark.slow
def test_caught(package: ModuleType) -> None:
    """A generated test fails with each mutation in place, and none without."""
    runner = importlib.import_module("tests.mutations.run")
    missed = [
        f"{each.mutation.name}: {each.kind} {each.test} {each.detail}"
        for each in runner.run(package.MUTATIONS)
        if each.kind != runner.CAUGHT
    ]
    assert not missed, "\n".join(missed)
