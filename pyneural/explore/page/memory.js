"use strict";
// What a request does to memory, computed from the lanes' addresses as the simulator's profiler does it.

const SECTOR = 32;
const BANKS = 32;

const KINDS = {
  global_load: "global load", global_store: "global store", global_atomic: "global atomic",
  shared_load: "shared load", shared_store: "shared store", shared_atomic: "shared atomic",
  local_load: "local load", local_store: "local store", constant_load: "constant load", barrier: "barrier",
};

const spaceOf = (kind) => kind.split("_")[0];

/** The requests of a launch's warps, by "block/warp". */
function unpack(launch) {
  const warps = new Map();
  for (const [block, warp, packed] of launch.warps) {
    const requests = [];
    for (let i = 0; i < packed.length; i += 4) {
      requests.push({ block, warp, instruction: packed[i], epoch: packed[i + 1], base: packed[i + 2], pattern: packed[i + 3] });
    }
    warps.set(`${block}/${warp}`, requests);
  }
  return warps;
}

/** The lanes of a request: each with its number, its thread, its offset in the array and the element there. */
function lanesOf(launch, request) {
  const [array, size, mask, , ...steps] = launch.patterns[request.pattern];
  const element = array < 0 ? 1 : launch.arrays[array][4];
  const bytes = array < 0 ? 0 : launch.arrays[array][3];
  const addressed = !["barrier", "local"].includes(spaceOf(launch.instructions[request.instruction][1]));
  const lanes = [];
  for (let lane = 0; lane < 32; lane++) {
    if (!((mask >>> lane) & 1)) continue;
    const k = lanes.length;
    const apart = k === 0 ? 0 : steps.length === 1 ? k * steps[0] : steps[k - 1];
    const offset = request.base + apart;
    lanes.push({
      lane, thread: request.warp * 32 + lane, offset, size,
      element: Math.floor(offset / element),
      outside: addressed && (offset < 0 || offset + size > bytes),
    });
  }
  return lanes;
}

/** An address that has the array's alignment; only differences and remainders of it mean anything. */
function address(launch, request, offset) {
  const array = launch.patterns[request.pattern][0];
  return (array < 0 ? 0 : launch.arrays[array][2]) + offset;
}

/** The units (sectors, or words of constant memory) that lanes touch, by address, with the lanes and bytes in each. */
function unitsOf(launch, request, lanes, width) {
  const units = new Map();
  for (const each of lanes) {
    const start = address(launch, request, each.offset);
    for (let n = Math.floor(start / width); n <= Math.floor((start + each.size - 1) / width); n++) {
      if (!units.has(n)) units.set(n, { number: n, lanes: [], used: new Set() });
      const unit = units.get(n);
      unit.lanes.push(each.lane);
      for (let b = Math.max(start, n * width); b < Math.min(start + each.size, (n + 1) * width); b++) unit.used.add(b - n * width);
    }
  }
  return [...units.values()].sort((a, b) => a.number - b.number);
}

/**
 * The words of shared memory that lanes want, each with its bank and the wavefront that brings it. Accesses of 8 bytes
 * go in two halves of the warp, those of 16 in four quarters.
 */
function wordsOf(launch, request, lanes) {
  const size = launch.patterns[request.pattern][1];
  const phases = size >= 16 ? 4 : size === 8 ? 2 : 1;
  const words = [];
  let wavefronts = 0, ideal = 0;
  for (let phase = 0; phase < phases; phase++) {
    const found = new Map();
    for (const each of lanes) {
      if (Math.floor((each.lane * phases) / 32) !== phase) continue;
      const start = address(launch, request, each.offset);
      for (let n = Math.floor(start / 4); n <= Math.floor((start + each.size - 1) / 4); n++) {
        if (!found.has(n)) found.set(n, []);
        found.get(n).push(each.lane);
      }
    }
    const depth = new Array(BANKS).fill(0);
    for (const n of [...found.keys()].sort((a, b) => a - b)) {
      const bank = ((n % BANKS) + BANKS) % BANKS;
      words.push({ number: n, bank, wavefront: wavefronts + depth[bank]++, lanes: found.get(n) });
    }
    const most = Math.max(...depth);
    wavefronts += most;
    ideal += most > 0 ? 1 : 0;
  }
  return { words, wavefronts, ideal };
}

/** The most lanes at one address. */
function contention(lanes) {
  const at = new Map();
  for (const each of lanes) at.set(each.offset, (at.get(each.offset) ?? 0) + 1);
  return Math.max(0, ...at.values());
}

const plural = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

/** What a request costs, in words. */
function costOf(launch, request) {
  const [, kind] = launch.instructions[request.instruction];
  const lanes = lanesOf(launch, request);
  const [, size] = launch.patterns[request.pattern];
  const who = `${plural(lanes.length, "lane")}`;
  if (kind === "barrier") return `${who} of the warp come to a barrier`;
  const each = `${who}, ${plural(size, "byte")} each`;
  if (spaceOf(kind) === "local") return `${each}: local memory, of which every lane has its own`;
  if (spaceOf(kind) === "constant") {
    return `${each}: ${plural(unitsOf(launch, request, lanes, 4).length, "different word")}, fetched one after another`;
  }
  let cost;
  if (spaceOf(kind) === "global") {
    const units = unitsOf(launch, request, lanes, SECTOR);
    const used = units.reduce((sum, unit) => sum + unit.used.size, 0);
    cost = `${plural(units.length, "sector")} moved, ${Math.round((100 * used) / (units.length * SECTOR))}% of ${units.length === 1 ? "it" : "them"} asked for`;
  } else {
    const { wavefronts, ideal } = wordsOf(launch, request, lanes);
    const ways = wavefronts / ideal;
    cost = `${plural(wavefronts, "wavefront")}` + (wavefronts > ideal ? `: a ${Number(ways.toFixed(1))}-way bank conflict` : ", no bank conflict");
  }
  if (kind.endsWith("atomic")) cost += `; ${plural(contention(lanes), "lane")} at one address`;
  return `${each}: ${cost}`;
}

/** A block's or thread's coordinates from its number. */
function place(number, sizes) {
  const [x, y] = sizes;
  return [number % x, Math.floor(number / x) % y, Math.floor(number / (x * y))];
}

/** Coordinates as CUDA's users write them: without trailing dimensions that the grid or block has not. */
function coordinates(number, sizes) {
  const at = place(number, sizes);
  const used = sizes[2] > 1 ? 3 : sizes[1] > 1 ? 2 : 1;
  return used === 1 ? String(at[0]) : `(${at.slice(0, used).join(", ")})`;
}

/** Lanes of a request that take part in a finding, by lane. */
function marksOf(launch, request, lanes) {
  const [line] = launch.instructions[request.instruction];
  const marks = new Map();
  for (const finding of launch.findings) {
    for (const side of sides(finding)) {
      if (side.block !== request.block || side.thread >> 5 !== request.warp || side.line !== line || !line) continue;
      const lane = lanes.find((each) => each.thread === side.thread);
      if (lane && (finding.index === null || lane.element === finding.index)) marks.set(lane.lane, finding);
    }
  }
  return marks;
}

/** The one or two accesses of a finding: where, by whom. */
function sides(finding) {
  const first = { block: finding.block, thread: finding.thread, line: finding.line };
  if (finding.otherThread === null) return [first];
  return [first, { block: finding.otherBlock, thread: finding.otherThread, line: finding.otherLine || finding.line }];
}
