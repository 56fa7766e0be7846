// One kernel: its grid and warps, what was found, its source, its timeline, and the request that is looked at.

const MEASURES = {
  sectors: ["sectors of global memory", (c) => (c.global_load_sectors ?? 0) + (c.global_store_sectors ?? 0)],
  wavefronts: ["wavefronts of shared memory", (c) => (c.shared_load_wavefronts ?? 0) + (c.shared_store_wavefronts ?? 0)],
  conflicts: ["bank conflicts", (c) => (c.shared_load_bank_conflicts ?? 0) + (c.shared_store_bank_conflicts ?? 0)],
  requests: ["memory instructions of a warp", (c) => c.memory_instructions ?? 0],
};

const EPOCHS = 24; // columns of the timeline at a time
const GRID = 1024; // blocks that are drawn one by one

class Pane {
  constructor(launches, number, name, onUse) {
    this.launches = launches;
    this.name = name;
    this.root = make("section", { class: "pane", "aria-label": name, on: { pointerdown: onUse, focusin: onUse } });
    this.unpacked = new Map();
    this.timer = null;
    this.speed = 700;
    this.show(number);
  }

  show(number) {
    this.pause();
    this.number = number;
    this.launch = this.launches[number];
    if (!this.unpacked.has(number)) this.unpacked.set(number, unpack(this.launch));
    this.warps = this.unpacked.get(number);
    const totals = this.launch.total;
    this.measure = Object.keys(MEASURES).find((key) => MEASURES[key][1](totals) > 0) ?? "requests";
    const first = this.launch.findings.find((each) => this.launch.blocks.includes(each.block));
    this.block = first ? first.block : this.launch.blocks[0];
    this.warp = first ? first.thread >> 5 : 0;
    this.step = first ? Math.max(0, this.stepOf(first, sides(first)[0])) : 0;
    this.build();
    this.update();
  }

  get requests() { return this.warps.get(`${this.block}/${this.warp}`) ?? []; }
  get request() { return this.requests[this.step]; }
  get warpCount() { return Math.ceil((this.launch.block[0] * this.launch.block[1] * this.launch.block[2]) / 32); }

  build() {
    const launch = this.launch;
    const sizes = (v) => (v[2] > 1 ? `(${v.join(", ")})` : v[1] > 1 ? `(${v[0]}, ${v[1]})` : String(v[0]));
    const shared = launch.shared ? `, ${launch.shared}` : "";
    const count = launch.grid[0] * launch.grid[1] * launch.grid[2];
    const which = launch.blocks.map((each) => coordinates(each, launch.grid)).join(", ");
    const recorded = count === launch.blocks.length ? "All its blocks are recorded." : `Recorded: ${launch.blocks.length > 1 ? "blocks" : "block"} ${which} of ${count.toLocaleString("en")}. The counters are those of all.`;
    const lost = launch.dropped ? ` ${plural(launch.dropped, "further instruction")} of these blocks did not fit in and ${launch.dropped === 1 ? "is" : "are"} left out.` : "";
    this.grid = make("div", { class: "blocks", role: "group", "aria-label": "Blocks of the grid" });
    this.warpBar = make("div", { class: "warps", role: "group" });
    this.source = make("table", { class: "source" });
    this.scroll = make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Source of ${launch.title}` }, this.source);
    this.timeline = make("div", { class: "timeline" });
    this.timelineKey = this.warpsKey = "";
    this.view = make("div", { class: "view" });
    this.status = make("p", { class: "status", "aria-live": "polite" });
    this.lanes = make("div");
    const measure = make("select", { on: { change: (event) => { this.measure = event.target.value; this.drawSource(); } } },
      ...Object.entries(MEASURES).map(([key, [label]]) => make("option", { value: key, selected: key === this.measure }, label)));
    this.root.replaceChildren(
      make("h2", {}, launch.title),
      make("p", { class: "launch" }, make("code", {}, `${launch.kernel}<<<${sizes(launch.grid)}, ${sizes(launch.block)}${shared}>>>`)),
      make("p", {}, recorded + lost),
      ...(launch.failure ? [make("p", { class: "failure" }, `The launch ended early: ${launch.failure}`)] : []),
      make("div", { class: "columns" },
        make("div", {},
          this.findings(),
          make("h3", {}, "One memory instruction of a warp"),
          this.buttons(), this.status, this.view,
          make("details", {}, make("summary", {}, "The lanes as a table"), this.lanes),
          make("h3", {}, "Grid"), this.grid, this.warpBar,
          make("h3", {}, "Timeline of the block"),
          make("p", { class: "hint" }, "A row for each warp, a column for each epoch: what lies between two ", make("code", {}, "__syncthreads()"), ". Bars are memory instructions: ",
            make("span", { class: "key global" }, "global"), " ", make("span", { class: "key shared" }, "shared"), " ", make("span", { class: "key other" }, "other"), "."),
          this.timeline),
        make("div", {},
          make("h3", {}, "Source"),
          make("label", { class: "measure" }, "Shaded by ", measure),
          this.scroll)),
    );
    this.drawGrid();
    this.drawSource();
  }

  findings() {
    const found = this.launch.findings;
    if (!found.length) return make("p", { class: "clean" }, "✓ The sanitizer found nothing.");
    const items = found.map((finding) => {
      const buttons = sides(finding).map((side, i) => {
        if (!this.launch.blocks.includes(side.block)) return null;
        const text = i === 0 ? "Show" : "Show the other thread";
        return make("button", { type: "button", on: { click: () => this.find(finding, side) } }, text);
      });
      const where = finding.line ? `line ${finding.line}` : finding.place;
      const times = finding.count > 1 ? ` (${finding.count.toLocaleString("en")} times)` : "";
      return make("li", {}, make("strong", {}, `⚠ ${finding.kind.replaceAll("_", " ")}, ${where}: `), finding.message + times + " ", ...buttons, drawFinding(this.launch, finding));
    });
    return make("div", { class: "findings" }, make("h3", {}, "What the sanitizer found"), make("ul", {}, ...items));
  }

  buttons() {
    const button = (text, label, handler) => make("button", { type: "button", "aria-label": label, on: { click: handler } }, text);
    this.player = button("▶ Play", "Play", () => this.play());
    return make("div", { class: "buttons" },
      button("◀", "The instruction before", () => this.move(-1)),
      this.player,
      button("▶", "The next instruction", () => this.move(1)),
      button("◀ same", "The same instruction, one execution back", () => this.again(-1)),
      button("same ▶", "The same instruction, its next execution", () => this.again(1)),
      button("◀ epoch", "The epoch before", () => this.epoch(-1)),
      button("epoch ▶", "The next epoch", () => this.epoch(1)),
    );
  }

  // Moving about

  go(block, warp, step) {
    this.block = block;
    this.warp = warp;
    this.step = Math.max(0, Math.min(step, this.requests.length - 1));
    this.update();
  }

  move(by) { this.go(this.block, this.warp, this.step + by); }

  again(by) {
    const all = this.requests;
    for (let i = this.step + by; i >= 0 && i < all.length; i += by) {
      if (all[i].instruction === this.request.instruction) return this.go(this.block, this.warp, i);
    }
  }

  epoch(by) {
    const all = this.requests, now = this.request?.epoch;
    if (by > 0) {
      const next = all.findIndex((each) => each.epoch > now);
      if (next >= 0) this.go(this.block, this.warp, next);
    } else {
      const before = all.filter((each) => each.epoch < now).at(-1);
      if (before) this.go(this.block, this.warp, all.findIndex((each) => each.epoch === before.epoch));
    }
  }

  neighbour(by) {
    const warp = this.warp + by;
    if (warp < 0 || warp >= this.warpCount) return;
    this.go(this.block, warp, this.step);
  }

  play() {
    if (this.timer !== null) return this.pause();
    this.status.setAttribute("aria-live", "off"); // or a screen reader never ends
    this.player.textContent = "❚❚ Pause";
    this.player.setAttribute("aria-label", "Pause");
    const tick = () => {
      if (this.step + 1 >= this.requests.length) return this.pause();
      this.move(1);
      this.timer = setTimeout(tick, this.speed);
    };
    this.timer = setTimeout(tick, this.speed);
  }

  pause() {
    if (this.timer === null) return;
    clearTimeout(this.timer);
    this.timer = null;
    this.status.setAttribute("aria-live", "polite");
    this.player.textContent = "▶ Play";
    this.player.setAttribute("aria-label", "Play");
  }

  /** The step of a warp at which a finding's thread does it, or else comes to that line; -1: it never does. */
  stepOf(finding, side) {
    const requests = this.warps.get(`${side.block}/${side.thread >> 5}`) ?? [];
    const here = (request) => this.launch.instructions[request.instruction][0] === side.line;
    const marked = requests.findIndex((each) => here(each) && marksOf(this.launch, each, lanesOf(this.launch, each)).has(side.thread & 31));
    return marked >= 0 ? marked : requests.findIndex(here);
  }

  find(finding, side) {
    this.pause();
    const step = this.stepOf(finding, side);
    this.go(side.block, side.thread >> 5, step);
    this.reveal();
    if (step < 0) this.status.textContent = `Line ${side.line} makes no request of memory in this warp. ${this.status.textContent}`;
  }

  /** What was asked for may be drawn outside the window. */
  reveal() { this.status.scrollIntoView({ block: "nearest" }); }

  /** To the next request of a line, in this warp or else in the first that comes to it. */
  line(number) {
    const on = (each) => this.launch.instructions[each.instruction][0] === number;
    const all = this.requests;
    let next = all.findIndex((each, i) => i > this.step && on(each));
    if (next < 0) next = all.findIndex(on);
    if (next >= 0) this.go(this.block, this.warp, next);
    else {
      const keys = [...this.warps.keys()].sort((a, b) => Number(b.startsWith(`${this.block}/`)) - Number(a.startsWith(`${this.block}/`)));
      const key = keys.find((each) => this.warps.get(each).some(on));
      if (key === undefined) {
        this.status.textContent = `No recorded warp comes to line ${number}.`;
        return;
      }
      this.go(...key.split("/").map(Number), this.warps.get(key).findIndex(on));
    }
    this.reveal();
  }

  // Drawing

  update() {
    this.drawWarps();
    this.drawTimeline();
    this.drawView();
    for (const button of this.grid.querySelectorAll("button")) button.setAttribute("aria-pressed", String(Number(button.dataset.block) === this.block));
    const line = this.request ? this.launch.instructions[this.request.instruction][0] : 0;
    for (const row of this.source.querySelectorAll("tr[data-line]")) {
      const here = Number(row.dataset.line) === line;
      row.classList.toggle("here", here);
      if (here) row.setAttribute("aria-current", "true"); else row.removeAttribute("aria-current");
      if (here && (row.offsetTop < this.scroll.scrollTop || row.offsetTop + row.offsetHeight > this.scroll.scrollTop + this.scroll.clientHeight)) {
        this.scroll.scrollTop = row.offsetTop - this.scroll.clientHeight / 3;
      }
    }
  }

  drawGrid() {
    const launch = this.launch, count = launch.grid[0] * launch.grid[1] * launch.grid[2];
    const bad = new Set(launch.findings.flatMap((each) => sides(each).map((side) => side.block)));
    const cell = (number) => {
      const name = coordinates(number, launch.grid), mark = bad.has(number) ? "!" : "";
      const says = `block ${number}${name === String(number) ? "" : `, at ${name}`}${mark ? ", with a finding" : ""}`;
      if (!launch.blocks.includes(number)) return make("span", { class: `block${mark ? " bad" : ""}`, title: `${says}, not recorded` }, mark);
      return make("button", { type: "button", class: `block${mark ? " bad" : ""}`, "data-block": number, title: says, "aria-label": says, "aria-pressed": "false",
        on: { click: () => this.go(number, this.warp, 0) } }, `${number}${mark}`);
    };
    if (count <= GRID) {
      this.grid.style.gridTemplateColumns = `repeat(${launch.grid[0]}, 2.4rem)`;
      this.grid.replaceChildren(...Array.from({ length: count }, (_, number) => cell(number)));
    } else {
      this.grid.style.gridTemplateColumns = "repeat(auto-fill, 4.5rem)";
      this.grid.replaceChildren(...launch.blocks.map(cell));
    }
    if (launch.grid[0] > 8) { // wider than a phone: it scrolls
      this.grid.tabIndex = 0;
    }
  }

  drawWarps() {
    const key = `${this.number}/${this.block}`;
    if (key !== this.warpsKey) {
      this.warpsKey = key;
      const threads = this.launch.block[0] * this.launch.block[1] * this.launch.block[2];
      const bad = new Set(this.launch.findings.flatMap((each) => sides(each).filter((side) => side.block === this.block).map((side) => side.thread >> 5)));
      this.warpBar.setAttribute("aria-label", `Warps of block ${coordinates(this.block, this.launch.grid)}`);
      this.warpBar.replaceChildren("Warps: ", ...Array.from({ length: this.warpCount }, (_, warp) => {
        const says = `warp ${warp}, threads ${warp * 32} to ${Math.min(warp * 32 + 31, threads - 1)}${bad.has(warp) ? ", with a finding" : ""}`;
        return make("button", { type: "button", class: bad.has(warp) ? "bad" : "", title: says, "aria-label": says, "data-warp": warp,
          on: { click: () => this.go(this.block, warp, this.step) } }, `${warp}${bad.has(warp) ? "!" : ""}`);
      }));
    }
    // Changed in place, so that the button pressed keeps the focus.
    for (const button of this.warpBar.querySelectorAll("button")) button.setAttribute("aria-pressed", String(Number(button.dataset.warp) === this.warp));
  }

  get narrow() { return (this.root.clientWidth || window.innerWidth) < 560; }

  drawSource() {
    const launch = this.launch, narrow = this.narrow, [label, value] = MEASURES[this.measure];
    const most = Math.max(1, ...Object.values(launch.lines).map(value));
    const found = new Map();
    for (const finding of launch.findings) {
      for (const side of sides(finding)) if (side.line) found.set(side.line, [...(found.get(side.line) ?? []), finding]);
    }
    const touched = new Set(launch.instructions.map(([line]) => line));
    const turned = (...cells) => (narrow ? cells.reverse() : cells); // on a phone the code comes before its costs
    const rows = launch.source.map((text, i) => {
      const number = i + 1, counters = launch.lines[number], amount = counters ? value(counters) : 0;
      const note = counters ? noteOf(counters) : "";
      const look = touched.has(number) ? make("button", { type: "button", class: "look", "aria-label": `Line ${number}: ${note || "memory"}. Look at it`, on: { click: () => this.line(number) } }, note || "look") : "";
      const row = make("tr", { "data-line": number, class: found.has(number) ? "bad" : "" },
        make("th", { scope: "row" }, `${found.has(number) ? "⚠ " : ""}${number}`),
        make("td", { class: "amount" }, amount ? amount.toLocaleString("en") : ""),
        ...turned(make("td", { class: "note" }, look), make("td", { class: "code" }, make("code", {}, text || " "))));
      if (amount) row.style.setProperty("--heat", String(Math.round(8 + (52 * amount) / most)) + "%");
      if (!found.has(number)) return [row];
      const messages = [...new Set(found.get(number).map((each) => `⚠ ${each.kind.replaceAll("_", " ")}: ${each.message}`))];
      return [row, ...messages.map((each) => make("tr", { class: "message" }, make("td", { colspan: 4 }, make("div", {}, each))))];
    });
    const head = make("thead", {}, make("tr", {}, ...["Line", label.split(" ")[0].replace(/^./, (c) => c.toUpperCase()), ...turned("Costs", "Code")].map((each) => make("th", { scope: "col" }, each))));
    this.source.replaceChildren(head, make("tbody", {}, ...rows.flat()));
    if (this.status.textContent) this.update();
  }

  /** How many requests of each space lie in each epoch of the block's warps, and the first one's step. */
  epochs() {
    const rows = [];
    for (let warp = 0; warp < this.warpCount; warp++) {
      const cells = new Map();
      (this.warps.get(`${this.block}/${warp}`) ?? []).forEach((request, step) => {
        const space = spaceOf(this.launch.instructions[request.instruction][1]);
        if (!cells.has(request.epoch)) cells.set(request.epoch, { step, global: 0, shared: 0, other: 0, barrier: 0 });
        cells.get(request.epoch)[["global", "shared", "barrier"].includes(space) ? space : "other"]++;
      });
      rows.push(cells);
    }
    return rows;
  }

  drawTimeline() {
    const launch = this.launch, now = this.request?.epoch ?? 0;
    const begin = Math.floor(now / EPOCHS) * EPOCHS;
    const key = `${this.number}/${this.block}/${begin}`;
    if (key !== this.timelineKey) {
      this.timelineKey = key;
      const rows = this.epochs();
      const last = Math.max(0, ...rows.flatMap((cells) => [...cells.keys()].at(-1) ?? 0));
      const shown = Array.from({ length: Math.min(EPOCHS, last - begin + 1) }, (_, i) => begin + i);
      const amount = (c) => (c ? c.global + c.shared + c.other : 0);
      const most = Math.max(1, ...rows.flatMap((cells) => shown.map((epoch) => amount(cells.get(epoch)))));
      const range = last + 1 > EPOCHS ? `: ${begin} to ${shown.at(-1)} of ${last}` : "";
      const table = make("table", {},
        make("caption", {}, `Block ${coordinates(this.block, launch.grid)}, epochs${range}`),
        make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Warp"), ...shown.map((epoch) => make("th", { scope: "col" }, String(epoch))))),
        make("tbody", {}, ...rows.map((cells, warp) => make("tr", {}, make("th", { scope: "row" }, String(warp)), ...shown.map((epoch) => this.epochCell(cells.get(epoch), warp, epoch, most))))));
      this.timeline.replaceChildren(make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Timeline of ${launch.title}` }, table));
    }
    for (const button of this.timeline.querySelectorAll("button")) {
      const here = Number(button.dataset.warp) === this.warp && Number(button.dataset.epoch) === now;
      if (here === (button.tabIndex === 0)) continue;
      button.tabIndex = here ? 0 : -1;
      button.setAttribute("aria-pressed", String(here));
    }
  }

  epochCell(c, warp, epoch, most) {
    if (!c) return make("td", {});
    const bars = ["global", "shared", "other"].filter((key) => c[key]).map((key) => {
      const bar = make("span", { class: `bar ${key}` });
      bar.style.width = `${Math.max(8, (100 * c[key]) / most)}%`;
      return bar;
    });
    const says = `warp ${warp}, epoch ${epoch}: ${c.global} global, ${c.shared} shared, ${c.other} other${c.barrier ? ", then a barrier" : ""}`;
    return make("td", {}, make("button", { type: "button", tabindex: -1, "aria-label": says, title: says, "aria-pressed": "false", "data-warp": warp, "data-epoch": epoch,
      on: { click: () => this.go(this.block, warp, c.step) } }, ...bars));
  }

  resized() {
    this.drawSource();
    this.drawView();
  }

  drawView() {
    const launch = this.launch, request = this.request;
    if (!request) {
      this.status.textContent = `Warp ${this.warp} of block ${coordinates(this.block, launch.grid)} makes no request of memory.`;
      this.view.replaceChildren();
      this.lanes.replaceChildren();
      return;
    }
    const [line, kind, elsewhere] = launch.instructions[request.instruction];
    const [array, , , late] = launch.patterns[request.pattern];
    const lanes = lanesOf(launch, request), marks = marksOf(launch, request, lanes);
    const where = line ? `line ${line}` : elsewhere;
    const addressed = !["barrier", "local"].includes(spaceOf(kind));
    const what = array >= 0 ? ` of ${launch.arrays[array][0]}` : addressed ? " in no array" : "";
    const when = late ? `epochs ${request.epoch} to ${request.epoch + late}` : `epoch ${request.epoch}`;
    const outside = lanes.filter((each) => each.outside).map((each) => each.lane);
    const wrong = [
      ...(outside.length ? [`⚠ out of bounds: lane${outside.length > 1 ? "s" : ""} ${outside.join(", ")}`] : []),
      ...[...new Set(marks.values())].map((each) => `⚠ ${each.kind.replaceAll("_", " ")}: ${each.message}`),
    ];
    this.status.replaceChildren(
      make("strong", {}, `${this.step + 1} of ${this.requests.length}: ${KINDS[kind]}${what}, ${where}`),
      ` (block ${coordinates(this.block, launch.grid)}, warp ${this.warp}, ${when}). ${costOf(launch, request)}.`,
      ...wrong.map((each) => make("span", { class: "wrong" }, each)));
    const text = line ? make("pre", { class: "current", tabindex: 0 }, make("code", {}, launch.source[line - 1].trim())) : null;
    const narrow = this.narrow;
    const drawing = drawRequest(launch, request, narrow);
    const legend = addressed ? make("p", { class: "hint" }, narrow ? "Left: the warp’s lanes. Right: " : "Above: the warp’s lanes. Below: ", targetOf(kind)) : null;
    this.view.replaceChildren(...[text, legend, drawing].filter((each) => each !== null));
    this.drawLanes(lanes, marks);
  }

  drawLanes(lanes, marks) {
    const launch = this.launch, request = this.request;
    const kind = launch.instructions[request.instruction][1], array = launch.patterns[request.pattern][0];
    const shared = spaceOf(kind) === "shared";
    const words = shared ? wordsOf(launch, request, lanes).words : [];
    const rows = lanes.map((each) => {
      const cells = [String(each.lane), coordinates(each.thread, launch.block)];
      if (array >= 0) {
        cells.push(`${launch.arrays[array][0]}[${each.element}]`);
        const start = address(launch, request, each.offset);
        if (shared) {
          const mine = words.filter((word) => word.lanes.includes(each.lane));
          cells.push([...new Set(mine.map((word) => word.bank))].join(", "), [...new Set(mine.map((word) => word.wavefront + 1))].join(", "));
        } else cells.push(String(Math.floor(start / SECTOR) - Math.floor(launch.arrays[array][2] / SECTOR)));
        cells.push(each.outside ? "out of bounds" : marks.has(each.lane) ? marks.get(each.lane).kind.replaceAll("_", " ") : "");
      }
      return make("tr", { class: each.outside || marks.has(each.lane) ? "bad" : "" }, make("th", { scope: "row" }, cells[0]), ...cells.slice(1).map((text) => make("td", {}, text)));
    });
    const heads = ["Lane", "Thread", ...(array < 0 ? [] : ["Element", ...(shared ? ["Bank", "Wavefront"] : ["Sector"]), "Found"])];
    this.lanes.replaceChildren(make("table", { class: "lanes" }, make("thead", {}, make("tr", {}, ...heads.map((each) => make("th", { scope: "col" }, each)))), make("tbody", {}, ...rows)));
  }
}

const targetOf = (kind) => ({ shared: "the 32 banks of shared memory; each row under them is a wavefront.", constant: "the words of constant memory." })[spaceOf(kind)]
  ?? "the sectors of global memory that are moved, filled where a lane asks for them.";

/** What a line costs, in few words. */
function noteOf(c) {
  const per = (total, requests, unit) => {
    const each = Number((total / requests).toPrecision(3));
    return unit ? plural(each, unit) : each.toLocaleString("en");
  };
  const parts = [];
  for (const [kind, short] of [["global_load", "load"], ["global_store", "store"]]) {
    if (c[`${kind}_requests`]) parts.push(`${short} ${per(c[`${kind}_sectors`], c[`${kind}_requests`], "sector")}`);
  }
  for (const [kind, short] of [["shared_load", "shared load"], ["shared_store", "shared store"]]) {
    if (c[`${kind}_requests`]) parts.push(`${short} ${per(c[`${kind}_wavefronts`], c[`${kind}_requests`], "wavefront")}`);
  }
  if (c.atomic_requests) parts.push(`atomic, ${per(c.atomic_contention, 1)} at one address`);
  if (c.local_load_requests || c.local_store_requests) parts.push("local");
  if (c.barriers) parts.push("barrier");
  return parts.join(", ");
}
