"""Every kernel of the zoo: the wrong ones are caught with their kind on their line, the right ones pass in silence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyneural import cuda
from pyneural.cuda import toolchain
from tests.csrc.zoo import zoo

CASES = zoo.cases()
WRONG = [case for case in CASES if case.wrong]
RIGHT = [case for case in CASES if not case.wrong]


# docs/simulator.md names this under "Undetected".
PARTS = pytest.mark.xfail(
    not toolchain.compiler().gnu, reason="clang takes the copy of a whole vector for four of its parts", strict=True
)
WHOLE_VECTORS = ("memory-float4_off_by_one", "memory-rows_of_odd_pitch", "memory-int4_by_element")


def _grouped(cases: list[Any]) -> list[Any]:
    """Kernels of one file go to one worker, which compiles it once."""
    return [
        pytest.param(
            case,
            id=case.id,
            marks=[
                pytest.mark.xdist_group(f"zoo-{case.path.parent.name}-{case.path.stem}"),
                *([PARTS] if case.id in WHOLE_VECTORS else []),
            ],
        )
        for case in cases
    ]


def _check(case: Any, schedule: int | None) -> None:
    problems = zoo.problems(case, zoo.run(case, schedule))
    assert not problems, (f"schedule={schedule}", *problems)


def test_zoo_is_complete() -> None:
    assert len(WRONG) >= 60
    assert len(RIGHT) >= 60
    assert set().union(*(case.kinds for case in WRONG)) == set(cuda.KINDS)
    assert not [case.id for case in WRONG if not case.bugs]
    assert not [case.id for case in RIGHT if case.bugs]
    assert not [case.id for case in RIGHT if not case.gives and case.prints is None]
    assert len({case.id for case in WRONG}) == len(WRONG)
    assert len({case.id for case in RIGHT}) == len(RIGHT)


def test_every_line_of_the_sources_is_understood() -> None:
    """A misspelt marker would be a comment that tests nothing."""
    for path in sorted(zoo.HERE.glob("*/*.cu")):
        text = path.read_text(encoding="utf-8")
        cases = list(zoo.read(path))
        assert len(re.findall(r"//\s*(?:run|program)\b", text, re.IGNORECASE)) == len(cases), path
        assert len(re.findall(r"//\s*BUG", text, re.IGNORECASE)) == sum(len(case.bugs) for case in cases), path
        gives = sum(len(case.gives) + (case.prints is not None) for case in cases)
        assert len(re.findall(r"//\s*(?:gives|prints)\b", text, re.IGNORECASE)) == gives, path
        assert len(re.findall(r"__global__", text)) >= sum(bool(case.config) for case in cases), path


@pytest.mark.parametrize("case", _grouped(WRONG))
def test_wrong_kernel_is_caught(case: Any, rng: np.random.Generator) -> None:
    """In the usual schedule; and in one of three others, for in some a place forgets a reader before a write comes."""
    _check(case, None)
    schedules = [int(each) for each in rng.integers(1 << 30, size=3)]
    found = []
    for schedule in schedules:
        found.append(zoo.problems(case, zoo.run(case, schedule)))
        if not found[-1]:
            return
    pytest.fail(f"schedules {schedules}: {found}")


@pytest.mark.parametrize("case", _grouped(RIGHT))
def test_right_kernel_has_no_finding(case: Any, rng: np.random.Generator) -> None:
    _check(case, None)
    _check(case, int(rng.integers(1 << 30)))


@pytest.mark.slow
@pytest.mark.parametrize("case", _grouped(CASES))
def test_more_schedules(case: Any, rng: np.random.Generator) -> None:
    for schedule in rng.integers(1 << 30, size=3):
        _check(case, int(schedule))


@PARTS
@pytest.mark.xdist_group("zoo-page")
def test_page_is_fresh() -> None:
    reports = [(case, zoo.run(case)) for case in CASES]
    assert zoo.PAGE.read_text(encoding="utf-8") == zoo.page(reports), (
        "docs/zoo.md is stale: python tests/csrc/zoo/zoo.py"
    )


def _case(text: str, folder: str, tmp_path: Path) -> Any:
    path = tmp_path / folder / "one.cu"
    path.parent.mkdir()
    path.write_text(text)
    (case,) = zoo.read(path)
    return case


RACE = """
// run <<<1, 32>>> (zeros(32, dtype=i32))
__global__ void k(int* y) {
  __shared__ int s[32];
  s[threadIdx.x] = threadIdx.x;
  y[threadIdx.x] = s[31 - threadIdx.x];MARK
}
"""


def test_judge_sees_a_miss_and_a_false_alarm(tmp_path: Path) -> None:
    """The zoo's own eyes: a mark that is not met, a finding that no mark expects, a result that is not given."""
    case = _case(RACE.replace("MARK", "  // BUG: misaligned (not so)"), "wrong", tmp_path)
    missed, *alarms = zoo.problems(case, zoo.run(case))
    assert missed == "line 6: no misaligned was found"
    assert alarms
    assert all(re.match(r"false alarm: .*: race: ", alarm) for alarm in alarms)
    _, *rows = zoo.confusion([(case, zoo.run(case))])
    counts = {row[0]: row[1:] for row in rows}
    assert counts["`misaligned`"] == ["1", "1", *[""] * len(cuda.KINDS)]  # one kernel, in the column of races
    assert set(counts["`race`"][1:]) == {""}
    case.bugs = [zoo.Bug("race", 2, "on a line of comment")]
    assert zoo.problems(case, zoo.run(case)) == ["line 2: no race was found"]
    case.gives = {"y": "arange(32)"}
    with pytest.raises(AssertionError, match=r"k: y = arange\(32\)"):
        zoo.run(case)
