// Drawings, in SVG.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; a string is text. `svg:` before the name makes it one of a drawing. */
function make(name, attributes = {}, ...children) {
  const node = name.startsWith("svg:") ? document.createElementNS(SVG, name.slice(4)) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/**
 * The lanes of a warp on one side, what they touch on the other, lines between. Lanes run across a wide drawing and
 * down a narrow one: `at` turns a place along the lanes and a distance from them into x and y.
 */
class Drawing {
  constructor(narrow) {
    this.narrow = narrow;
    this.cell = narrow ? 20 : 26;
    this.length = 32 * this.cell;
    this.near = narrow ? 34 : 24; // depth of a lane's cell
    this.far = narrow ? 130 : 110; // where what is touched begins
    this.behind = make("svg:g");
    this.front = make("svg:g");
  }

  box(along, from, length, depth, className, label, title) {
    const [x, y, w, h] = this.narrow ? [from, along, depth, length] : [along, from, length, depth];
    const box = make("svg:g", {}, make("svg:rect", { x, y, width: Math.max(w, 1), height: Math.max(h, 1), class: className }));
    if (title) box.append(make("svg:title", {}, title));
    if (label) box.append(make("svg:text", { x: x + w / 2, y: y + h / 2, class: `label ${className}` }, label));
    this.front.append(box);
  }

  line(from, to, depth, className) {
    const start = [from, this.near], end = [to, depth];
    if (this.narrow) { start.reverse(); end.reverse(); }
    this.behind.append(make("svg:line", { x1: start[0], y1: start[1], x2: end[0], y2: end[1], class: `wire ${className}` }));
  }

  note(along, depth, text, className = "") {
    const [x, y] = this.narrow ? [depth, along] : [along, depth];
    this.front.append(make("svg:text", { x, y, class: `note ${className}` }, text));
  }

  lanes(active, marks) {
    const by = new Map(active.map((each) => [each.lane, each]));
    for (let lane = 0; lane < 32; lane++) {
      const each = by.get(lane);
      const bad = each && (each.outside || marks.has(lane));
      const className = each ? (bad ? "lane bad" : "lane") : "lane idle";
      const title = each ? `lane ${lane}, thread ${each.thread}` : `lane ${lane} takes no part`;
      this.box(lane * this.cell + 1, 0, this.cell - 2, this.near, className, `${lane}${bad ? "!" : ""}`, title);
    }
  }

  centre(lane) { return (lane + 0.5) * this.cell; }

  finish(depth, description) {
    const [width, height] = this.narrow ? [depth + 4, this.length] : [this.length, depth + 4];
    const svg = make("svg:svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": description, class: "drawing" });
    svg.style.maxWidth = `${width * (this.narrow ? 1 : 1.6)}px`;
    svg.append(this.behind, this.front);
    return svg;
  }
}

/** The picture of one request, or null where it has no addresses. */
function drawRequest(launch, request, narrow) {
  const [, kind] = launch.instructions[request.instruction];
  const lanes = lanesOf(launch, request);
  const space = spaceOf(kind);
  if (kind === "barrier" || space === "local") return null;
  const marks = marksOf(launch, request, lanes);
  const drawing = new Drawing(narrow);
  drawing.lanes(lanes, marks);
  const description = `${KINDS[kind]}: ${costOf(launch, request)}`;
  const state = new Map(lanes.map((each) => [each.lane, each.outside || marks.has(each.lane) ? "bad" : ""]));
  if (space === "shared") return drawBanks(drawing, launch, request, lanes, state, description);
  return drawUnits(drawing, launch, request, lanes, state, space === "constant" ? 4 : SECTOR, description);
}

function drawUnits(drawing, launch, request, lanes, state, width, description) {
  const units = unitsOf(launch, request, lanes, width);
  const [name, , start, bytes, element] = launch.arrays[launch.patterns[request.pattern][0]] ?? ["", "", 0, 0, 1];
  const step = drawing.length / units.length;
  const wrong = new Set(lanes.filter((each) => state.get(each.lane)).flatMap((each) => Array.from({ length: each.size }, (_, b) => address(launch, request, each.offset) + b)));
  const size = Math.min(step - 3, drawing.cell * 8);
  const depth = drawing.narrow ? 60 : 30;
  units.forEach((unit, i) => {
    const along = i * step + (step - size) / 2;
    const first = unit.number * width - start;
    const outside = first + width <= 0 || first >= bytes;
    const from = Math.floor(first / element), last = Math.floor((first + width - 1) / element);
    const what = !name ? `address ${first}` : `${name}[${from}]` + (last > from ? ` to [${last}]` : "");
    drawing.box(along, drawing.far, size, depth, outside ? "unit outside" : "unit", "", `${what}: ${unit.used.size} of ${width} bytes asked for`);
    const words = Math.max(width / 4, 1);
    for (let word = 0; word < words; word++) {
      let used = 0, bad = false;
      for (let b = word * 4; b < word * 4 + 4; b++) {
        used += unit.used.has(b) ? 1 : 0;
        bad ||= wrong.has(unit.number * width + b);
      }
      const beyond = first + word * 4 < 0 || first + word * 4 >= bytes;
      const className = used ? (bad ? "used bad" : "used") : beyond ? "outside" : "";
      if (className) drawing.box(along + (word * size) / words, drawing.far, size / words, used ? depth * (used / 4) : depth, className);
    }
    if (step >= (drawing.narrow ? 11 : 90)) drawing.note(along + size / 2, drawing.far + depth + (drawing.narrow ? 4 : 13), drawing.narrow ? `[${from}]` : what);
    for (const lane of unit.lanes) {
      const word = ((address(launch, request, lanes.find((each) => each.lane === lane).offset) - unit.number * width) + 2) / width;
      drawing.line(drawing.centre(lane), along + size * Math.min(Math.max(word, 0), 1), drawing.far, state.get(lane));
    }
  });
  return drawing.finish(drawing.far + depth + (drawing.narrow ? 70 : 20), description);
}

function drawBanks(drawing, launch, request, lanes, state, description) {
  const { words, wavefronts, ideal } = wordsOf(launch, request, lanes);
  const [name, , start, , element] = launch.arrays[launch.patterns[request.pattern][0]] ?? ["", "", 0, 0, 1];
  const row = wavefronts > 16 && drawing.narrow ? 6 : wavefronts > 8 ? 11 : 20;
  const head = drawing.narrow ? 26 : 20;
  const begin = drawing.far + head;
  const used = new Set(words.map((word) => word.bank));
  for (let bank = 0; bank < BANKS; bank++) {
    drawing.box(bank * drawing.cell + 1, drawing.far, drawing.cell - 2, head - 2, used.has(bank) ? "bank" : "bank idle", String(bank), `bank ${bank}`);
  }
  for (let i = 0; i < wavefronts; i++) drawing.box(0, begin + i * row, drawing.length, row - 1, "front", "", `wavefront ${i + 1}`);
  for (const word of words) {
    const bad = word.lanes.some((lane) => state.get(lane));
    const className = bad ? "word bad" : wavefronts > ideal ? "word conflict" : "word";
    const index = Math.floor((word.number * 4 - start) / element);
    drawing.box(word.bank * drawing.cell + 2, begin + word.wavefront * row + 1, drawing.cell - 4, row - 3, className, "", `${name}[${index}], lanes ${word.lanes.join(", ")}`);
    for (const lane of word.lanes) drawing.line(drawing.centre(lane), drawing.centre(word.bank), drawing.far, `${state.get(lane)} ${wavefronts > ideal ? "conflict" : ""}`);
  }
  return drawing.finish(begin + wavefronts * row + 4, description);
}

/** Where a finding happens: two threads that meet at one element, or a thread that goes past an array. */
function drawFinding(launch, finding) {
  const threads = sides(finding);
  if (finding.array === null || finding.index === null || !["race", "out_of_bounds"].includes(finding.kind)) return null;
  const svg = make("svg:svg", { viewBox: "0 0 320 92", role: "img", class: "drawing finding-drawing", "aria-label": finding.message });
  const apart = threads.length > 1 && threads[0].block !== threads[1].block;
  const name = (side) => (apart ? `block ${coordinates(side.block, launch.grid)}, ` : "") + `thread ${coordinates(side.thread, launch.block)}` + (side.line ? `, line ${side.line}` : "");
  threads.forEach((side, i) => {
    const x = threads.length === 1 ? 80 : 4 + i * 160;
    svg.append(
      make("svg:rect", { x, y: 2, width: 152, height: 22, class: "lane" }),
      make("svg:text", { x: x + 76, y: 13, class: "label lane" }, name(side)),
      make("svg:line", { x1: x + 76, y1: 24, x2: 160 + (finding.kind === "race" ? 0 : finding.distance < 0 ? -120 : 120), y2: 58, class: "wire bad" }),
    );
  });
  if (finding.kind === "race") {
    svg.append(make("svg:rect", { x: 90, y: 58, width: 140, height: 24, class: "word bad" }), make("svg:text", { x: 160, y: 70, class: "label bad" }, `${finding.array}[${finding.index}]`));
  } else {
    const before = finding.distance < 0;
    svg.append(
      make("svg:rect", { x: before ? 70 : 20, y: 58, width: 230, height: 24, class: "unit" }),
      make("svg:text", { x: before ? 185 : 135, y: 70, class: "label" }, finding.array),
      make("svg:rect", { x: before ? 10 : 254, y: 58, width: 56, height: 24, class: "word bad" }),
      make("svg:text", { x: before ? 38 : 282, y: 70, class: "label bad" }, `[${finding.index}]`),
    );
  }
  return svg;
}
