// The page: one pane or two, what is chosen in them, and the keys.

const data = JSON.parse(document.getElementById("data").textContent);
const panes = [];
let active = 0;

const COMPARED = [
  ["memory_instructions", "memory instructions of a warp"],
  ["global_load_sectors", "sectors loaded"],
  ["global_store_sectors", "sectors stored"],
  ["shared_load_wavefronts", "wavefronts of shared loads"],
  ["shared_store_wavefronts", "wavefronts of shared stores"],
  ["shared_load_bank_conflicts", "bank conflicts of shared loads"],
  ["shared_store_bank_conflicts", "bank conflicts of shared stores"],
  ["atomic_requests", "atomic instructions of a warp"],
  ["barriers", "barriers, once for each warp"],
];

const nameOf = (launch, i) => (data.launches.length > 1 ? `${i + 1}. ${launch.title}, ${launch.kernel}` : launch.title);

function use(i) {
  active = i;
  panes.forEach((pane, k) => pane.root.classList.toggle("active", panes.length > 1 && k === i));
}

function open(i, number) {
  if (panes[i]) panes[i].show(number);
  else {
    panes.push(new Pane(data.launches, number, i === 0 ? "Kernel" : "The other kernel", () => use(i)));
    document.getElementById("panes").append(panes[i].root);
    panes[i].speed = Number(speed.value);
  }
  arrange();
}

function close() {
  if (panes.length < 2) return;
  panes[1].pause();
  panes.pop().root.remove();
  use(0);
  arrange();
}

const compared = make("div", { id: "compared" });

function arrange() {
  document.getElementById("panes").classList.toggle("two", panes.length > 1);
  for (const pane of panes) pane.resized(); // their width is another one
  use(active);
  if (panes.length < 2) return compared.replaceChildren();
  const [a, b] = panes.map((pane) => pane.launch);
  const rows = COMPARED.filter(([key]) => a.total[key] || b.total[key]).map(([key, label]) => {
    const cells = [a, b].map((launch) => make("td", {}, (launch.total[key] ?? 0).toLocaleString("en")));
    return make("tr", {}, make("th", { scope: "row" }, label), ...cells);
  });
  compared.replaceChildren(make("table", { class: "compared" },
    make("caption", {}, "Counted over all blocks"),
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Counter"), ...[a, b].map((launch) => make("th", { scope: "col" }, a.title === b.title ? launch.kernel : launch.title)))),
    make("tbody", {}, ...rows)));
}

function choice(label, options, chosen, handler) {
  const select = make("select", { on: { change: (event) => handler(event.target.value) } },
    ...options.map(([value, text]) => make("option", { value, selected: String(value) === String(chosen) }, text)));
  return [select, make("label", {}, `${label} `, select)];
}

const numbered = data.launches.map((launch, i) => [i, nameOf(launch, i)]);
const second = data.beside ? data.launches.length - 1 : "";
const [speed, speedLabel] = choice("Speed", [[1500, "slow"], [700, "medium"], [200, "fast"]], 700, (value) => panes.forEach((pane) => { pane.speed = Number(value); }));
const keys = make("input", { type: "checkbox", checked: true });
const controls = document.getElementById("controls");
if (data.launches.length > 1) {
  controls.append(choice("Kernel", numbered, 0, (value) => open(0, Number(value)))[1]);
  controls.append(choice("Beside it", [["", "nothing"], ...numbered], second, (value) => (value === "" ? close() : open(1, Number(value))))[1]);
}
controls.append(speedLabel, make("label", {}, keys, " single keys"));
controls.after(compared);

const ACTIONS = {
  ArrowRight: (pane) => pane.move(1), ArrowLeft: (pane) => pane.move(-1),
  ".": (pane) => pane.again(1), ",": (pane) => pane.again(-1),
  j: (pane) => pane.neighbour(1), k: (pane) => pane.neighbour(-1),
  "]": (pane) => pane.epoch(1), "[": (pane) => pane.epoch(-1),
  p: (pane) => pane.play(), x: () => use(panes.length > 1 ? 1 - active : 0),
};

document.addEventListener("keydown", (event) => {
  if (!keys.checked || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.closest?.("select, input")) return;
  const action = ACTIONS[event.key];
  // What scrolls keeps its arrow keys.
  if (!action || (event.key.startsWith("Arrow") && event.target.closest?.(".scroll, pre, .blocks"))) return;
  event.preventDefault();
  action(panes[active]);
});

let width = window.innerWidth;
window.addEventListener("resize", () => {
  if (window.innerWidth === width) return; // a phone's address bar
  width = window.innerWidth;
  panes.forEach((pane) => pane.resized());
});

open(0, 0);
if (data.beside) open(1, second);
