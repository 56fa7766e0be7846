"""`make gpu-check` rehearsed: real processes, with CuPy, compute-sanitizer, ncu and nvidia-smi stood in for."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time
from typing import Any

import pytest

from bench.gpu_check import __main__ as check
from bench.gpu_check import counters, races, run, sanitizer, steps, summary

STANDIN = pathlib.Path(__file__).resolve().parents[1] / "standin"


@pytest.fixture(scope="module", autouse=True)
def standin() -> None:
    """These tests start processes of their own; nothing is put in CuPy's place in this one."""


def _check(folder: pathlib.Path, *arguments: str, fault: str = "") -> tuple[int, dict[str, Any], str]:
    """Exit code, report and output of a run."""
    variables = {
        **os.environ, "PATH": f"{STANDIN / 'bin'}{os.pathsep}{os.environ['PATH']}", "STANDIN_FAULT": fault,
        "PYTHONPATH": os.pathsep.join([str(STANDIN), str(steps.ROOT)]),
    }  # fmt: skip
    places = ["--folder", str(folder), "--results", str(folder / "results"), "--small"]
    done = subprocess.run(
        [sys.executable, "-m", "bench.gpu_check", *places, *arguments], capture_output=True, text=True, env=variables,
        cwd=steps.ROOT, timeout=550,
    )  # fmt: skip
    path = folder / "results" / "stand-in-gpu.json"
    return done.returncode, json.loads(path.read_text()) if path.exists() else {}, done.stdout + done.stderr


@pytest.mark.xdist_group("gpu-check")
def test_failures_are_collected_and_the_rest_runs(tmp_path: pathlib.Path) -> None:
    """A fault that one tool finds fails its step; what comes after runs, and everything is on disk."""
    wanted = ("--only", "environment,contracts,memcheck,racecheck", "--operations", "relu")
    code, report, output = _check(tmp_path, *wanted, fault="memory")
    assert code == 1, output
    found = {name: each["status"] for name, each in report["steps"].items()}
    assert found == {"environment": "passed", "contracts": "passed", "memcheck": "failed", "racecheck": "passed"}, (
        output
    )
    memcheck = report["steps"]["memcheck"]["found"]
    assert memcheck["errors"] == 1
    assert memcheck["first"][0].startswith("Invalid __global__ read of size 4 bytes | at relu(")
    assert report["steps"]["contracts"]["found"]["tests"] >= 2
    assert report["steps"]["environment"]["found"]["card"] == "Stand-in GPU"
    assert "Invalid __global__ read" in (tmp_path / "results" / "stand-in-gpu.md").read_text()
    assert (tmp_path / "logs" / "memcheck.log").exists()
    again, resumed, output = _check(tmp_path, *wanted, "--resume")
    assert output.count("passed before") == 3, output
    assert (again, resumed["steps"]["memcheck"]["status"]) == (0, "passed"), output


@pytest.mark.slow
def test_every_step(tmp_path: pathlib.Path) -> None:
    code, report, output = _check(tmp_path, "--operations", "relu,softmax,adam_step", fault="race")
    assert code == 1, output
    failed = {name for name, each in report["steps"].items() if each["status"] != "passed"}
    assert failed == {"racecheck"}, output
    assert len(report["steps"]) == len(steps.STEPS)
    rows = report["steps"]["counters"]["found"]["beside"]
    assert rows
    assert all(row["gpu"] == row["simulator"] for row in rows)
    assert len(report["steps"]["benchmarks"]["found"]["cases"]) == 4


def test_no_time_left(tmp_path: pathlib.Path) -> None:
    code, report, output = _check(tmp_path, "--minutes", "0.001", "--only", "racecheck")
    assert code == 1, output
    unknown = json.loads((tmp_path / "results" / "unknown-gpu.json").read_text())
    assert unknown["steps"]["racecheck"]["status"] == "not run"
    assert not report


def test_steps_by_name() -> None:
    assert [each.name for each in check.chosen("smoke,environment", "")] == ["environment", "smoke"]
    assert check.chosen("", "racecheck")[0].name == "racecheck"
    with pytest.raises(ValueError, match="no step is named 'smok'; there are: environment"):
        check.chosen("smok", "")
    assert all((steps.ROOT / "bench/gpu_check" / f"{each.module}.py").is_file() for each in steps.STEPS)


def test_a_process_that_does_not_end(tmp_path: pathlib.Path) -> None:
    """It is stopped at its limit, and so is what it started."""
    mark = tmp_path / "alive"
    child = f"import time, pathlib\nwhile True: pathlib.Path({str(mark)!r}).write_text('x'); time.sleep(0.05)"
    parent = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(600)"
    code, taken = run.run([sys.executable, "-c", parent], tmp_path / "logs" / "a.log", 3.0, dict(os.environ))
    assert code is None
    assert taken < 60
    assert mark.exists()
    mark.unlink()
    time.sleep(0.5)
    assert not mark.exists()


def test_a_step_that_dies_leaves_what_it_found(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(run.RESULT, str(tmp_path / "found.json"))
    findings = run.Findings()
    findings.add("cases", 1)
    assert json.loads((tmp_path / "found.json").read_text()) == {"cases": [1]}
    report = {
        "commit": "c",
        "started": "now",
        "steps": {"smoke": {"status": "timeout", "reason": "stopped", "seconds": 3}},
    }
    summary.write(report, tmp_path, tmp_path / "results")
    assert "| smoke | timeout | 3 | stopped |" in (tmp_path / "results" / "unknown-gpu.md").read_text()
    assert summary.load(tmp_path, "c")["steps"]["smoke"]["status"] == "timeout"
    assert summary.load(tmp_path, "another")["steps"] == {}


def test_sanitizer_output() -> None:
    text = """========= COMPUTE-SANITIZER
========= Invalid __global__ write of size 4 bytes
=========     at put(float *)+0x70 in put.cu:3
=========     by thread (1,0,0) in block (0,0,0)
=========     Saved host backtrace up to driver entry point at kernel launch time
=========
========= ERROR SUMMARY: 2 errors
"""
    count, first = sanitizer.read(text)
    assert count == 2
    assert [each.split(" | ")[0] for each in first] == ["Invalid __global__ write of size 4 bytes"]
    assert "by thread (1,0,0) in block (0,0,0)" in first[0]
    hazards = "========= RACECHECK SUMMARY: 3 hazards displayed (2 errors, 1 warning)"
    assert sanitizer.read(hazards)[0] == 2
    assert sanitizer.read("========= COMPUTE-SANITIZER\nSegmentation fault")[0] is None


def test_counters_of_both_layouts() -> None:
    metric = counters.METRICS["global_load_sectors"]
    wide = f'==PROF== x\n"ID","Kernel Name","{metric}"\n"","","sector"\n"0","void add<float>(int)","1,024"\n'
    long = (
        '"ID","Kernel Name","Metric Name","Metric Unit","Metric Value"\n'
        f'"0","void add<float>(int)","{metric}","sector","1,024"\n'
    )
    for text in (wide, long):
        assert counters.read(text) == [{"kernel": "void add<float>(int)", "global_load_sectors": 1024.0}]
    assert counters.plain("void pyneural::add<float, 3>(Layout<2>, const float *)") == "add"
    own = [{"kernel": "add", **dict.fromkeys(counters.METRICS, 7)}]
    theirs = {"kernel": "cupy_copy", "global_load_sectors": 1.0}
    rows = counters.beside([theirs, *counters.read(wide)], own)
    assert {"kernel": "void add<float>(int)", "counter": "global_load_sectors", "gpu": 1024.0, "simulator": 7} in rows
    assert counters.beside([theirs], own) == []


def test_races_judge_what_they_time() -> None:
    """Operands, the part that is judged and the reference fit together, and a wrong result is seen."""
    for race in races.races(small=True):
        operands = race.operands(0)
        where, truth = race.truth(operands)
        whole = race.own(_Reference())(*[each if each.dtype.kind == "i" else each.astype("f8") for each in operands])
        assert races.error(whole[where].astype("f8"), truth) < 1e-12, race.name
        assert races.error(whole[where].astype("f8") * 1.5, truth) > 0.1, race.name
        assert race.flops + race.nbytes > 0


class _Reference:
    def __getattr__(self, name: str) -> Any:
        from pyneural.kernels import backend

        return getattr(backend("reference"), name)
