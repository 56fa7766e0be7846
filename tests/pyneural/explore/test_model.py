"""What the page is given, against cases counted by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from pyneural import cuda, explore
from pyneural.learn.lesson import find, lessons

SOURCE = r"""
__global__ void shifted(float* y) {
  __shared__ float tile[128];
  tile[threadIdx.x] = threadIdx.x;
  y[blockIdx.x * 128 + threadIdx.x] = tile[(threadIdx.x + 1) % 128];  // </script><b>
}
__global__ void scattered(const int* at, float* y) { y[at[threadIdx.x]] = 1; }
__global__ void turns(float* y, int n) {
  for (int i = 0; i < n; ++i) {
    if (i % 48 == threadIdx.x) y[i] = 1;
    __syncthreads();
  }
}
__global__ void endless(volatile int* y) {
  y[threadIdx.x] = 1;
  while (y[0]) {}
}
__global__ void behind(float* y) { if (blockIdx.x == 50) y[threadIdx.x + 10] = 1; }
"""


@pytest.fixture(scope="module")
def module() -> cuda.Module:
    return cuda.compile(SOURCE, "simulator")


def test_requests_and_their_patterns(module: cuda.Module) -> None:
    subject = explore.module("shifted", module, "shifted", 2, 128, 0, lambda: [np.zeros(256, np.float32)])
    (launch,) = explore.launches(subject)
    assert (launch["grid"], launch["block"], launch["blocks"]) == ((2, 1, 1), (128, 1, 1), (0, 1))
    store, load, write = (launch["instructions"].index(each) for each in (
        [4, "shared_store", ""], [5, "shared_load", ""], [5, "global_store", ""]
    ))  # fmt: skip
    assert [[block, warp] for block, warp, _ in launch["warps"]] == [[b, w] for b in range(2) for w in range(4)]
    packed = launch["warps"][-1][2]  # block 1, warp 3: threads 96 to 127, of which the last reads element 0
    requests = [packed[i : i + 4] for i in range(0, len(packed), 4)]
    assert [each[:3] for each in requests] == [[store, 0, 384], [load, 0, 388], [write, 0, 896]]
    patterns = [launch["patterns"][each[3]] for each in requests]
    tile, y = ([each[0] for each in launch["arrays"]].index(name) for name in ("tile", "y"))
    full = 2**32 - 1
    assert patterns[0] == [tile, 4, full, 0, 4]
    assert patterns[1] == [tile, 4, full, 0, *(4 * i for i in range(1, 31)), -388]
    assert patterns[2] == [y, 4, full, 0, 4]
    assert launch["lines"][5]["shared_load_wavefronts"] == 8
    race = next(each for each in launch["findings"] if each["kind"] == "race")
    assert {race["line"], race["otherLine"]} == {4, 5}
    assert race["array"] == "tile"
    assert race["otherThread"] != race["thread"]


def test_lanes_that_go_anywhere(module: cuda.Module, rng: np.random.Generator) -> None:
    at = rng.permutation(64)[:32].astype(np.int32)
    subject = explore.module("any", module, "scattered", 1, 32, 0, lambda: [at.copy(), np.zeros(64, np.float32)])
    (launch,) = explore.launches(subject)
    first, (array, size, mask, late, *steps) = launch["warps"][0][2][6], launch["patterns"][launch["warps"][0][2][7]]
    assert (launch["arrays"][array][0], size, mask, late) == ("y", 4, 2**32 - 1, 0)
    assert [first, *(first + step for step in steps)] == (4 * at).tolist()


def test_lanes_that_come_in_different_epochs(module: cuda.Module) -> None:
    subject = explore.module("turns", module, "turns", 1, 32, 0, lambda: [np.zeros(32, np.float32), 32])
    (launch,) = explore.launches(subject)
    store = launch["instructions"].index([10, "global_store", ""])
    packed = launch["warps"][0][2]
    (request,) = (packed[i : i + 4] for i in range(0, len(packed), 4) if packed[i] == store)
    assert request[1] == 0
    assert launch["patterns"][request[3]][3] == 31  # epochs between the first lane and the last


def test_blocks_with_findings_are_recorded(module: cuda.Module) -> None:
    subject = explore.module("behind", module, "behind", 100, 32, 0, lambda: [np.zeros(32, np.float32)])
    (launch,) = explore.launches(subject)
    assert launch["blocks"] == (0, 33, 50, 66, 99)
    (finding,) = launch["findings"]
    assert (finding["kind"], finding["block"], finding["thread"], finding["index"]) == ("out_of_bounds", 50, 22, 32)


def test_a_kernel_that_does_not_end(module: cuda.Module) -> None:
    subject = explore.module("endless", module, "endless", 1, 32, 0, lambda: [np.zeros(32, np.int32)])
    (launch,) = explore.launches(subject, timeout=0.5, most=100)
    assert [each["kind"] for each in launch["findings"]][-1] == "hang"
    assert launch["failure"] == "it did not end within 0.5 seconds"
    assert launch["instructions"][launch["warps"][0][2][0]] == [15, "global_store", ""]


def test_a_page_is_one_file_that_asks_for_nothing(module: cuda.Module, tmp_path: Path) -> None:
    subject = explore.module("a < b", module, "shifted", 1, 128, 0, lambda: [np.zeros(128, np.float32)])
    path = tmp_path / "page.html"
    size = explore.write(path, [subject])
    text = path.read_text(encoding="utf-8")
    assert size == path.stat().st_size
    assert "<title>a &lt; b</title>" in text
    assert text.count("</script>") == 2  # that of the source in the page is none
    assert not re.search(r'(?:src|href)=(?!"(?:data:|#))', text)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert "{{" not in text.replace(module.sources.originals[module.file], "")
    (data,) = re.findall(r'id="data">(.*)</script>', text)
    assert "</script><b>" in json.loads(data)["launches"][0]["source"][4]


def test_sixty_four_blocks_fit_into_two_megabytes(tmp_path: Path) -> None:
    subject = explore.rung("matmul", 3)
    assert explore.write(tmp_path / "page.html", [subject, explore.rung("matmul", 7)]) < 2_000_000
    ((launch, *_),) = [explore.launches(subject)]
    assert np.prod(launch["grid"]) == 64
    assert launch["dropped"] == 0


def test_what_does_not_fit_in_is_said(module: cuda.Module) -> None:
    subject = explore.module("shifted", module, "shifted", 2, 128, 0, lambda: [np.zeros(256, np.float32)])
    (launch,) = explore.launches(subject, most=20)
    assert launch["dropped"] == 4
    assert sum(len(packed) for *_, packed in launch["warps"]) == 4 * 20


@pytest.mark.parametrize("name", [each.name for each in lessons()])
def test_every_lesson_can_be_explored(name: str) -> None:
    (launch,) = explore.launches(explore.lesson(find(name)))
    assert launch["findings"] == []
    assert launch["failure"] is None
    assert launch["warps"]


@pytest.mark.parametrize("name", list(explore.subject.SIZES))
def test_every_ladder_can_be_explored(name: str) -> None:
    found = explore.launches(explore.rung(name, 2))
    assert found
    for launch in found:
        assert (launch["findings"], launch["failure"]) == ([], None)
        assert launch["warps"]


def test_refusals(module: cuda.Module) -> None:
    with pytest.raises(ValueError, match="matmul has no rung 99"):
        explore.rung("matmul", 99)
    with pytest.raises(explore.Unlaunchable, match="no size is named q; there are: m, k, n"):
        explore.rung("matmul", 1, sizes={"q": 3})
    with pytest.raises(KeyError, match="no kernel 'nothing'"):
        explore.launches(explore.module("", module, "nothing", 1, 1, 0, list))
