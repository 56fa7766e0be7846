"""The page in a real Chromium: it opens from a file, is moved about in, and says and draws what is planted.

Chromium is Debian's (or `$PYNEURAL_CHROMIUM`), driven by Playwright; axe-core checks the page's accessibility. Both
come with the extra `browser`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyneural import cuda, explore

sync_api = pytest.importorskip("playwright.sync_api", reason="the extra `browser` is not installed")
CHROMIUM = os.environ.get("PYNEURAL_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
AXE = resources.files(
    pytest.importorskip("axe_playwright_python", reason="the extra `browser` is not installed")
).joinpath("axe.min.js")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium; apt-get install chromium")

SOURCE = r"""__global__ void shifted(float* y, int n) {
  __shared__ float tile[128];
  tile[threadIdx.x] = threadIdx.x;
  float next = tile[(threadIdx.x + 1) % 128];
  if (threadIdx.x <= n) y[threadIdx.x] = next;
}
__global__ void columns(const float* x, float* y) {
  __shared__ float tile[32][32];
  tile[threadIdx.y][threadIdx.x] = x[threadIdx.y * 32 + threadIdx.x];
  __syncthreads();
  y[threadIdx.y * 32 + threadIdx.x] = tile[threadIdx.x][threadIdx.y];
}
__global__ void nowhere(float* y) { y[threadIdx.x] = 1; }
__global__ void mixed(const double* x, const float4* v, float* y, int* counts) {
  __shared__ double pairs[64];
  __shared__ float4 quads[64];
  pairs[threadIdx.x * 5 % 64] = x[threadIdx.x * 3];
  quads[threadIdx.x * 7 % 64] = v[threadIdx.x];
  __syncthreads();
  atomicAdd(&counts[threadIdx.x % 5], 1);
  if (threadIdx.x % 3) y[threadIdx.x + 1] = pairs[threadIdx.x] + quads[threadIdx.x].x;
}
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    module = cuda.compile(SOURCE, "simulator")
    race = explore.module("a race", module, "shifted", 1, 128, 0, lambda: [np.zeros(100, np.float32), 100])
    conflict = explore.module(
        "a conflict", module, "columns", 1, (32, 32), 0, lambda: [np.zeros(1024, np.float32) for _ in range(2)]
    )
    mixed = explore.module(
        "widths", module, "mixed", 1, 64, 0,
        lambda: [np.zeros(192), np.zeros(256, np.float32), np.zeros(65, np.float32), np.zeros(5, np.int32)],
    )  # fmt: skip
    nowhere = explore.module("nowhere", module, "nowhere", 1, 32, 0, lambda: [None])
    tiled = explore.rung("matmul", 3)
    folder = tmp_path_factory.mktemp("pages")
    made = {
        "race": [race],
        "conflict": [conflict],
        "mixed": [mixed],
        "nowhere": [nowhere],
        "tiled": [tiled],
        "two": [race, conflict],
    }
    for name, subjects in made.items():
        explore.write(folder / f"{name}.html", subjects)
    return {name: folder / f"{name}.html" for name in made}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser: Any, pages: dict[str, Path]) -> Iterator[Callable[..., Any]]:
    """Opens one of the pages; at the end nothing may have gone to the console, and nothing over the network."""
    contexts, said, asked = [], [], []

    def page(name: str, width: int = 1920, scheme: str = "light") -> Any:
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True)
        contexts.append(context)
        context.set_default_timeout(10_000)
        made = context.new_page()
        made.on("console", lambda message: said.append(message.text))
        made.on("pageerror", lambda error: said.append(str(error)))
        made.on("request", lambda request: asked.append(request.url))
        made.goto(pages[name].as_uri())
        return made

    yield page
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def status(page: Any, pane: int = 0) -> str:
    return str(page.locator(".pane").nth(pane).locator(".status").inner_text())


def test_steps_with_the_keyboard(opened: Callable[..., Any]) -> None:
    page = opened("conflict")
    assert status(page).startswith("1 of 5: global load of x, line 9 (block 0, warp 0, epoch 0)")
    assert "4 sectors moved, 100% of them asked for" in status(page)
    page.keyboard.press("ArrowRight")
    assert status(page).startswith("2 of 5: shared store of tile, line 9")
    page.keyboard.press("ArrowLeft")
    assert status(page).startswith("1 of 5")
    page.keyboard.press("]")
    assert status(page).startswith("4 of 5")
    page.keyboard.press("[")
    assert status(page).startswith("1 of 5")
    page.keyboard.press("j")
    assert "warp 1, epoch 0" in status(page)
    page.keyboard.press("k")
    page.keyboard.press("k")
    assert "warp 0, epoch 0" in status(page)
    page.get_by_label("single keys").uncheck()
    page.locator("h1").click()
    page.keyboard.press("ArrowRight")
    assert status(page).startswith("1 of 5")


def test_a_conflict_of_32_ways(opened: Callable[..., Any]) -> None:
    page = opened("conflict")
    page.get_by_role("button", name="Line 11").click()
    assert status(page).startswith("4 of 5: shared load of tile, line 11")
    assert "32 wavefronts: a 32-way bank conflict" in status(page)
    assert page.locator("rect.word.conflict").count() == 32
    assert page.locator("rect.front").count() == 32
    assert page.locator("rect.bank:not(.idle)").count() == 1
    assert page.locator("tr.here").get_attribute("data-line") == "11"
    page.get_by_text("The lanes as a table").click()
    row = page.locator("table.lanes tbody tr").nth(31)
    assert row.locator("th, td").all_inner_texts()[:5] == ["31", "(31, 0)", "tile[992]", "0", "32"]
    page.get_by_label("Shaded by").select_option("conflicts")
    assert page.locator("tr[data-line='11'] .amount").inner_text() == "992"


def test_a_race_and_an_access_out_of_bounds(opened: Callable[..., Any]) -> None:
    page = opened("race")
    findings = page.locator(".findings li")
    assert findings.count() == 2
    race = findings.filter(has_text="race")
    assert "tile[" in race.locator("svg").inner_html()
    race.get_by_role("button", name="Show", exact=True).click()
    first = status(page)
    assert "⚠ race: thread" in first
    assert page.locator(".view rect.lane.bad").count() == 1
    assert page.locator(".view rect.word.bad").count() == 1
    assert page.locator(".view line.bad").count() == 1
    race.get_by_role("button", name="Show the other thread").click()
    assert "⚠ race: thread" in status(page)
    assert status(page).partition("(")[0] != first.partition("(")[0]
    findings.filter(has_text="out of bounds").get_by_role("button", name="Show").click()
    assert "⚠ out of bounds: lane 4" in status(page)
    assert page.locator(".view rect.used.bad").count() == 1
    assert page.locator("tr.message").count() == 3  # both lines of the race, and one
    assert page.locator(".warps button.bad").all_inner_texts()[-1] == "3!"


def test_a_null_pointer(opened: Callable[..., Any]) -> None:
    page = opened("nowhere")
    assert "The launch ended early: an illegal memory access was encountered" in page.locator(".failure").inner_text()
    assert status(page).startswith("1 of 1: global store in no array, line 13")
    assert "⚠ out of bounds: lane 0" in status(page)
    assert "through a null pointer" in page.locator(".findings").inner_text()


def test_switching_instruction_warp_and_block(opened: Callable[..., Any]) -> None:
    page = opened("tiled")
    page.get_by_role("button", name="Line 22").click()
    assert "line 22 (block (0, 0), warp 0, epoch 1)" in status(page)
    page.get_by_role("button", name="block 63, at (7, 7)").click()
    assert "block (7, 7)" in status(page)
    page.get_by_role("button", name="warp 31, threads 992 to 1023").click()
    assert "warp 31" in status(page)
    assert page.evaluate("document.activeElement.textContent") == "31"
    page.get_by_role("button", name="warp 2, epoch 3: ").click()
    assert "warp 2, epoch 3" in status(page)
    assert page.locator(".timeline button[aria-pressed=true]").get_attribute("aria-label").startswith("warp 2, epoch 3")
    before = status(page)
    page.keyboard.press(".")
    assert status(page).partition(" of ")[0] != before.partition(" of ")[0]
    assert status(page).partition(": ")[2] == before.partition(": ")[2]
    assert "Recorded: blocks (0, 0), (5, 2), (2, 5), (7, 7) of 64" in page.locator(".pane").inner_text()


def test_plays(opened: Callable[..., Any]) -> None:
    page = opened("conflict")
    page.get_by_label("Speed").select_option("200")
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function("document.querySelector('.status').textContent.startsWith('5 of 5')")
    page.get_by_role("button", name="Play", exact=True).wait_for()  # it has come to the end


def test_two_side_by_side(opened: Callable[..., Any]) -> None:
    page = opened("two")
    assert page.locator(".pane").count() == 2
    assert page.locator(".pane h2").all_inner_texts() == ["a race", "a conflict"]
    page.keyboard.press("x")
    page.keyboard.press("ArrowRight")
    assert status(page, 0).startswith("1 of 3")
    assert status(page, 1).startswith("2 of 5")
    conflicts = page.locator(".compared tr", has_text="bank conflicts of shared loads")
    assert conflicts.locator("td").all_inner_texts() == ["0", "992"]
    page.get_by_label("Beside it").select_option(label="nothing")
    assert page.locator(".pane").count() == 1
    page.locator("#controls select").first.select_option(index=1)
    assert page.locator(".pane h2").all_inner_texts() == ["a conflict"]


@pytest.mark.parametrize("name", ["race", "conflict", "mixed"])
def test_it_counts_as_the_profiler_does(opened: Callable[..., Any], name: str) -> None:
    counted = opened(name).evaluate("""() => {
      const launch = data.launches[0], sums = { sectors: 0, wavefronts: 0, contention: 0 };
      for (const requests of unpack(launch).values()) for (const request of requests) {
        const kind = launch.instructions[request.instruction][1], lanes = lanesOf(launch, request);
        if (/global_(load|store)/.test(kind)) sums.sectors += unitsOf(launch, request, lanes, 32).length;
        if (/shared_(load|store)/.test(kind)) sums.wavefronts += wordsOf(launch, request, lanes).wavefronts;
        if (kind.endsWith("atomic")) sums.contention += contention(lanes);
      }
      return { ...sums, total: launch.total };
    }""")
    total = counted["total"]
    assert counted["sectors"] == total.get("global_load_sectors", 0) + total["global_store_sectors"]
    assert counted["wavefronts"] == total["shared_load_wavefronts"] + total["shared_store_wavefronts"]
    assert counted["contention"] == total.get("atomic_contention", 0) * total.get("atomic_requests", 0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1920])
@pytest.mark.parametrize("name", ["race", "tiled", "two"])
def test_fits_and_is_accessible(opened: Callable[..., Any], name: str, width: int, scheme: str) -> None:
    page = opened(name, width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for summary in page.locator("summary").all():
        summary.click()
    page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    result = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    violations = [(each["id"], [node["html"][:120] for node in each["nodes"]]) for each in result["violations"]]
    assert violations == []
