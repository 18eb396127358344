// The report's charts, tables and refresh. All texts go in as text, never as markup; the page is whole without this file.
(() => {
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const rows = data.rows, count = rows.number.length;
const placeOf = new Map(rows.number.map((number, place) => [number, place]));
const root = document.documentElement;
const one = (query, where = document) => where.querySelector(query);
const all = (query, where = document) => [...where.querySelectorAll(query)];

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter(child => child !== null));
  return element;
}

const colour = name => getComputedStyle(root).getPropertyValue(name).trim();
const shown = value => value === null || value === undefined ? "–" : typeof value === "number" ? String(+value.toPrecision(4)).replace("-", "−") : String(value);

// What a reader has chosen, kept for the next time the page loads itself.

const KEY = "symloss " + location.pathname;
let kept = {};
try { kept = JSON.parse(sessionStorage.getItem(KEY)) || {}; } catch { kept = {}; }
function keep(values) {
  Object.assign(kept, values);
  try { sessionStorage.setItem(KEY, JSON.stringify(kept)); } catch { /* a browser that keeps nothing shows the page all the same */ }
}

// One candidate, wherever it is pointed at.

function mathOf(number) {
  const found = one(`[data-math="${Number(number)}"] math`);
  return found ? found.cloneNode(true) : null;
}

function copyButton(text, words = "Copy") {
  const button = make("button", { class: "small", type: "button" }, words);
  button.addEventListener("click", async event => {
    event.stopPropagation();
    let done = true;
    try { await navigator.clipboard.writeText(text()); } catch { done = copyBySelection(text()); }
    button.textContent = done ? "Copied" : "Not copied";
    setTimeout(() => { button.textContent = words; }, 1500);
  });
  return button;
}

function copyBySelection(text) {
  const area = make("textarea", { class: "hidden" });
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

function madeBy(place) {
  const parents = rows.parents[place], variation = rows.variations[rows.variation[place]];
  return variation + (parents.length ? " of " + parents.map(parent => "#" + parent).join(" and ") : "");
}

function ending(place) {
  const state = rows.states[rows.state[place]];
  if (rows.twin[place] !== null) return `${state} of #${rows.twin[place]}`;
  return rows.reason[place] === null ? state : `${state}: ${rows.reasons[rows.reason[place]]}`;
}

function describe(number) {
  const place = placeOf.get(number);
  if (place === undefined) return [make("p", { class: "facts" }, `Candidate ${number} is not held by this file.`)];
  const facts = [`#${number}`, `${data.metric} ${shown(rows.fitness[place])}`, `complexity ${shown(rows.complexity[place])}`,
    `${data.unit} ${rows.batch[place]}`, madeBy(place), ...(rows.fitness[place] === null ? [ending(place)] : [])];
  const text = rows.text[place], math = mathOf(number);
  return [
    make("p", { class: "facts" }, facts.join(" · ")),
    make("div", { class: "body" }, math || make("code", {}, text)),
    make("div", { class: "act" }, copyButton(() => text, "Copy formula"), math ? make("code", {}, text) : ""),
  ];
}

let pinned = null, pinnedAt = null;
const readouts = new Map(all("[data-readout]").map(readout => [readout.dataset.readout, readout]));
const HINT = "Point at a candidate for its formula; click to keep it.";

// Only the readout below the chart that is pointed at changes: another one would move this chart away.
function tell(number, where) {
  const readout = readouts.get(where), what = number === null && pinnedAt === where ? pinned : number;
  if (!readout || readout.dataset.shows === String(what)) return;
  readout.dataset.shows = String(what);
  readout.classList.toggle("idle", what === null);
  readout.replaceChildren(...(what === null ? [make("p", { class: "facts" }, HINT)] : describe(what)));
}

const onPin = [];
function pin(number, where) {
  pinned = pinned === number ? null : number;
  pinnedAt = pinned === null ? null : where;
  keep({ pinned, pinnedAt });
  for (const place of readouts.keys()) tell(null, place);
  for (const tellPinned of onPin) tellPinned();
  for (const row of all("tr[data-number]")) row.classList.toggle("pinned", row.dataset.number === String(pinned));
}

// Charts.

function axis(label, side, extra = {}) {
  const text = { stroke: () => colour("--soft"), grid: { stroke: () => colour("--grid"), width: 1 }, ticks: { show: false },
    font: "12px system-ui, sans-serif", label, labelFont: "12px system-ui, sans-serif", labelSize: 20, gap: 4 };
  const values = (chart, splits) => splits.map(split => split === null ? "" : String(+split.toPrecision(6)).replace("-", "−"));
  return Object.assign(text, side === "x" ? { size: 26, values } : { size: 52, values }, extra);
}

const charts = [];
function chart(figure, options, columns) {
  const height = () => Math.max(250, Math.min(340, figure.clientWidth * 0.52));
  const padding = parseFloat(getComputedStyle(figure).paddingLeft) * 2;
  const size = () => ({ width: Math.max(200, Math.floor(figure.clientWidth - padding)), height: Math.round(height()) });
  const holder = make("div", { class: "over" });
  figure.prepend(holder);
  const made = new uPlot({ ...size(), legend: { show: false }, ...options }, columns, holder);
  figure.classList.add("on");
  let width = figure.clientWidth;
  new ResizeObserver(() => {
    if (figure.clientWidth && figure.clientWidth !== width) { width = figure.clientWidth; made.setSize(size()); }
  }).observe(figure);
  charts.push(made);
  return made;
}

const wholeSteps = (chart, axisNumber, low, high, increment) => {
  const step = Math.max(1, increment), splits = [];
  for (let at = Math.ceil(low / step) * step; at <= high && splits.length < 100; at += step) splits.push(at);
  return splits;
};

function scatter(name, xName, points, stairs) {
  const figure = one(`figure[data-plot="${name}"]`);
  if (!figure || !points.length) return;
  points.sort((a, b) => a.x - b.x);
  const xs = points.map(point => point.x), ys = points.map(point => point.y);
  const line = stairsAt(xs, stairs);
  const y = kept["all " + name] ? [Math.min(...ys), Math.max(...ys)] : data.span;
  const right = Math.max(...xs, 1);
  const made = chart(figure, {
    scales: { x: { time: false, range: (u, low, high) => low === null || (low === xs[0] && high === right) ? name === "front" ? [xs[0] - 1, right + 1] : [0, right * 1.02 + 0.5] : [low, high] },
      y: { range: (u, low, high) => u.zoomed ? [low, high] : padded(y) } },
    axes: [axis(xName, "x", { splits: wholeSteps }), axis(`${data.metric} on validation`, "y")],
    series: [{}, { stroke: () => colour("--dot"), paths: () => null, points: { show: true, size: 5, width: 0, fill: () => colour("--dot") + "88" } },
      { stroke: () => colour("--accent"), width: 2, paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } }],
    cursor: { x: false, y: false, points: { show: false }, drag: { x: true, y: true, uni: 20 } },
    hooks: {
      setSelect: [u => { u.zoomed = u.select.width > 0; }],
      draw: [u => marks(u, name === "front" ? stairs : [])],
      ready: [u => pointing(u, points, name)],
      drawClear: [u => { u.ctx.save(); }], // the state is given back by marks
    },
  }, [xs, ys, line]);
  made.over.addEventListener("dblclick", () => { made.zoomed = false; });
  if (ys.some(value => value < data.span[0] || value > data.span[1])) figure.append(rangeButton(made, name, ys, range => { y.splice(0, 2, ...range); }));
}

const padded = ([low, high]) => { const room = (high - low) * 0.02 || 0.5; return [low - room, high + room]; };

function rangeButton(made, name, ys, change) {
  const words = () => kept["all " + name] ? "Show the better part" : "Show all";
  const button = make("button", { class: "small", type: "button" }, words());
  button.addEventListener("click", () => {
    keep({ ["all " + name]: !kept["all " + name] });
    change(kept["all " + name] ? [Math.min(...ys), Math.max(...ys)] : data.span);
    made.zoomed = false;
    made.setData(made.data);
    button.textContent = words();
  });
  return make("div", { class: "plot-tools" }, button);
}

function stairsAt(xs, stairs) {
  let at = -1;
  return xs.map(x => {
    while (at + 1 < stairs.length && stairs[at + 1].x <= x) at += 1;
    return at < 0 ? null : stairs[at].y;
  });
}

function marks(u, stairs) {
  u.ctx.restore();
  u.ctx.save();
  u.ctx.beginPath();
  u.ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  u.ctx.clip();
  for (const stair of stairs) {
    u.ctx.beginPath();
    u.ctx.arc(u.valToPos(stair.x, "x", true), u.valToPos(stair.y, "y", true), 5 * devicePixelRatio, 0, 7);
    u.ctx.fillStyle = colour("--accent");
    u.ctx.fill();
    u.ctx.lineWidth = 1.5 * devicePixelRatio;
    u.ctx.strokeStyle = colour("--card");
    u.ctx.stroke();
  }
  u.ctx.restore();
}

const NEAR = 28; // pixels within which a point is pointed at
function pointing(u, points, name) {
  const ring = make("div", { class: "ring" });
  ring.hidden = true;
  u.over.parentElement.parentElement.classList.add("over");
  u.over.append(ring);
  const put = point => {
    ring.hidden = point === null;
    if (point) ring.style.transform = `translate(${u.valToPos(point.x, "x")}px, ${u.valToPos(point.y, "y")}px)`;
  };
  const nearest = event => {
    const box = u.over.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    let found = null, best = NEAR * NEAR;
    for (const point of points) {
      const far = (u.valToPos(point.x, "x") - x) ** 2 + (u.valToPos(point.y, "y") - y) ** 2 - (point.mark ? 40 : 0);
      if (far < best) { best = far; found = point; }
    }
    return found;
  };
  const rest = () => put(points.find(point => point.number === pinned) || null);
  u.over.addEventListener("pointermove", event => {
    const point = nearest(event);
    u.over.style.cursor = point ? "pointer" : "crosshair";
    if (point) put(point); else rest();
    tell(point ? point.number : null, name);
  });
  u.over.addEventListener("pointerleave", () => { rest(); tell(null, name); });
  let down = null;
  u.over.addEventListener("pointerdown", event => { down = [event.clientX, event.clientY]; });
  u.over.addEventListener("click", event => {
    if (down && Math.hypot(event.clientX - down[0], event.clientY - down[1]) > 4) return; // a zoom, not a click
    const point = nearest(event);
    if (point) pin(point.number, name);
  });
  onPin.push(rest);
  rest();
}

function drawSearch() {
  const scored = [...Array(count).keys()].filter(place => rows.fitness[place] !== null);
  const onFront = new Set(data.front.map(each => each[2])), better = new Set(data.best.map(each => each[2]));
  scatter("progress", "candidates trained", scored.filter(place => rows.place[place] !== null).map(place => (
    { x: rows.place[place], y: rows.fitness[place], number: rows.number[place], mark: better.has(rows.number[place]) })),
  data.best.map(([x, y]) => ({ x, y })));
  scatter("front", "complexity (nodes)", scored.filter(place => rows.complexity[place] !== null).map(place => (
    { x: rows.complexity[place], y: rows.fitness[place], number: rows.number[place], mark: onFront.has(rows.number[place]) })),
  data.front.map(([x, y]) => ({ x, y })));
}

// The winner's curves against those of published formulas.

const KINDS = 8;
function drawCurves() {
  const curves = data.curves, figures = ["values", "gradients"].map(part => one(`figure[data-plot="${part}"]`));
  if (!curves || !figures[0]) return;
  const on = curves.lines.map(line => kept.lines ? kept.lines.includes(line.name) : line.on);
  on[0] = true;
  const readout = one("#curve-readout"), sync = uPlot.sync("curves");
  const made = ["values", "gradients"].map((part, number) => chart(figures[number], {
    cursor: { sync: { key: "curves" }, y: false, points: { size: 6 }, drag: { x: true, y: true, uni: 20 } },
    scales: { x: { time: false }, y: { range: (u, low, high) => u.zoomed ? [low, high] : middle(curves.lines.filter((line, at) => on[at]).map(line => line[part])) } },
    axes: [axis(curves.axis, "x"), axis(number ? `gradient by ${curves.gradient_of}` : "value above its minimum", "y")],
    series: [{}, ...curves.lines.map((line, at) => ({ label: line.name, show: on[at], stroke: () => colour(`--k${at % KINDS}`),
      width: at ? 1.6 : 3, dash: at >= KINDS ? [6, 4] : undefined, points: { show: false } }))],
    hooks: { setSelect: [u => { u.zoomed = u.select.width > 0; }], setCursor: [u => { if (u.cursor.idx !== undefined) say(u.cursor.idx); }] },
  }, [curves.x, ...curves.lines.map(line => line[part])]));
  for (const u of made) u.over.addEventListener("dblclick", () => { u.zoomed = false; });
  function say(at) {
    const lines = curves.lines.map((line, number) => [line, number]).filter(([, number]) => on[number]);
    if (at === null || at === undefined) {
      readout.replaceChildren(...lines.map(([line, number]) => make("p", { class: "facts" }, make("i", { class: `swatch k${number % KINDS}` }), `${line.name}: `, make("code", {}, line.text))));
      return;
    }
    readout.replaceChildren(make("p", { class: "facts" }, `at ${shown(curves.x[at])}: value above its minimum, gradient`),
      make("p", { class: "values" }, ...lines.map(([line]) => make("span", {}, make("b", {}, line.name), ` ${shown(line.values[at])}, ${shown(line.gradients[at])}`))));
  }
  one("#chips").replaceChildren(...curves.lines.map((line, at) => {
    const box = make("input", { type: "checkbox", checked: on[at], disabled: at === 0, onchange: () => {
      on[at] = box.checked;
      keep({ lines: curves.lines.filter((each, number) => on[number]).map(each => each.name) });
      for (const u of made) { u.setSeries(at + 1, { show: on[at] }); u.zoomed = false; u.setData(u.data); }
      say(null);
    } });
    return make("label", { title: line.text }, box, make("i", { class: `k${at % KINDS}` }), line.name);
  }));
  sync.sub(made[0]);
  sync.sub(made[1]);
  say(null);
}

// The range of pictures.curve_span: the middle of each curve, and not so much of one that it dwarfs the others.
function middle(lines) {
  const lows = [], highs = [];
  for (const line of lines) {
    const finite = line.filter(value => value !== null).sort((a, b) => a - b);
    if (!finite.length) continue;
    lows.push(finite[Math.floor(0.025 * (finite.length - 1))]);
    highs.push(finite[Math.floor(0.975 * (finite.length - 1))]);
  }
  if (!lows.length) return [0, 1];
  const low = median(lows), high = median(highs), beyond = 4 * (high - low) || Infinity;
  const ends = [Math.max(Math.min(...lows), low - beyond), Math.min(Math.max(...highs), high + beyond)];
  const room = (ends[1] - ends[0]) * 0.06 || 0.5;
  return [ends[0] - room, ends[1] + room];
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b), half = sorted.length / 2;
  return sorted.length % 2 ? sorted[Math.floor(half)] : (sorted[half - 1] + sorted[half]) / 2;
}

// Tables: those of the page are sorted in place; the candidates are searched, filtered and sorted.

const COLUMNS = [
  ["candidate", "num", place => rows.number[place], 1],
  [data.metric, "num", place => rows.fitness[place], data.maximise ? -1 : 1],
  ["complexity", "num", place => rows.complexity[place], 1],
  ["formula", "text", place => rows.text[place], 1],
  ["ended", "", ending, 1],
  [data.unit, "num", place => rows.batch[place], 1],
  ["made by", "", madeBy, 1],
];
const PAGE = 50;

function explore() {
  const place = one("#explorer");
  if (!place || !count) return;
  const choice = Object.assign({ column: 1, way: COLUMNS[1][3], text: "", state: "" }, kept.explorer);
  let most = PAGE;
  const search = make("input", { type: "search", placeholder: "Find in formulas, reasons and variations", "aria-label": "Find candidates", value: choice.text });
  const states = make("select", { "aria-label": "How they ended" }, make("option", { value: "" }, "all endings"),
    ...rows.states.map(state => make("option", { value: state, selected: state === choice.state }, state)));
  const found = make("span", { class: "note", role: "status" });
  const body = make("tbody"), more = make("button", { class: "small", type: "button" }, "Show more");
  const heads = COLUMNS.map(([name, kind, , way], column) => make("th", { scope: "col", class: kind === "num" ? "num" : null },
    make("button", { type: "button", onclick: () => {
      choice.way = choice.column === column ? -choice.way : way;
      choice.column = column;
      change();
    } }, name)));
  const table = make("table", {}, make("thead", {}, make("tr", {}, ...heads)), body);
  place.append(make("div", { class: "tools" }, search, states, found), make("div", { class: "scroll" }, table), more);
  const texts = [...Array(count).keys()].map(at => `#${rows.number[at]} ${rows.text[at]} ${ending(at)} ${madeBy(at)}`.toLowerCase());

  function draw() {
    const words = choice.text.toLowerCase().split(" ").filter(Boolean), value = COLUMNS[choice.column][2];
    const wanted = [...Array(count).keys()].filter(at => (!choice.state || rows.states[rows.state[at]] === choice.state) && words.every(word => texts[at].includes(word)));
    const values = new Map(wanted.map(at => [at, value(at)]));
    wanted.sort((a, b) => compared(values.get(a), values.get(b), choice.way) || rows.number[a] - rows.number[b]);
    found.textContent = `${wanted.length} of ${count}`;
    heads.forEach((head, column) => column === choice.column ? head.setAttribute("aria-sort", choice.way > 0 ? "ascending" : "descending") : head.removeAttribute("aria-sort"));
    body.replaceChildren(...wanted.slice(0, most).map(row));
    more.hidden = wanted.length <= most;
  }
  function row(at) {
    const cells = COLUMNS.map(([, kind, value], column) => {
      const math = column === 3 ? mathOf(rows.number[at]) : null;
      return make("td", { class: kind || null }, math || (column === 3 ? make("code", {}, value(at)) : shown(value(at))));
    });
    return make("tr", { "data-number": rows.number[at], class: rows.number[at] === pinned ? "pinned" : null, onclick: () => pin(rows.number[at], null) }, ...cells);
  }
  function change() { most = PAGE; keep({ explorer: choice }); draw(); }
  search.addEventListener("input", () => { choice.text = search.value; change(); });
  states.addEventListener("change", () => { choice.state = states.value; change(); });
  more.addEventListener("click", () => { most += 4 * PAGE; draw(); });
  draw();
}

function compared(a, b, way) {
  if (a === null || b === null) return (a === null) - (b === null); // what has no value stands last, whichever way
  return way * (typeof a === "number" ? a - b : String(a).localeCompare(String(b)));
}

function sortable(table) {
  const body = table.tBodies[0];
  all("thead th", table).forEach((head, column) => {
    if (head.classList.contains("picture") || !head.textContent) return;
    const button = make("button", { type: "button" }, head.textContent);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const way = head.getAttribute("aria-sort") === "descending" ? 1 : head.getAttribute("aria-sort") === "ascending" ? -1 : head.classList.contains("num") ? -1 : 1;
      all("thead th", table).forEach(each => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
      const value = row => { const text = row.cells[column].textContent.trim(), number = parseFloat(text.replace("−", "-").replace(/\u202f/g, "")); return Number.isNaN(number) || !head.classList.contains("num") ? (text === "-" ? null : text) : number; };
      body.replaceChildren(...[...body.rows].sort((a, b) => compared(value(a), value(b), way)));
    });
  });
}

// An open page of a running search looks again, but not while somebody reads closely.

function refresh() {
  const age = one("#age"), every = Number(document.body.dataset.refresh);
  const say = () => {
    const seconds = Math.round(Date.now() / 1000 - data.written);
    age.textContent = seconds > 20 * every ? `, ${Math.round(seconds / 60)} minutes ago: the search may have stopped; symloss resume goes on with it` : `, ${Math.max(0, seconds)} s ago`;
  };
  say();
  setInterval(say, 1000);
  let busy = 0;
  const touch = () => { busy = Date.now(); };
  for (const kind of ["pointerdown", "keydown", "input", "wheel", "touchmove"]) addEventListener(kind, touch, { passive: true });
  setInterval(() => {
    const reading = Date.now() - busy < 3000 || document.hidden || charts.some(each => each.zoomed) || String(getSelection());
    if (!reading) { keep({ scroll: scrollY }); location.reload(); }
  }, every * 1000);
}

root.classList.add("scripts");
pinned = kept.pinned ?? null;
pinnedAt = kept.pinnedAt ?? null;
drawSearch();
drawCurves();
explore();
all("table.sortable").forEach(sortable);
for (const row of all("#front-table tr[data-number]")) {
  row.classList.toggle("pinned", row.dataset.number === String(pinned));
  row.addEventListener("click", () => pin(Number(row.dataset.number), "front"));
}
for (const member of all("#family [data-number]")) {
  member.addEventListener("pointerenter", () => tell(Number(member.dataset.number), "family"));
  member.addEventListener("pointerleave", () => tell(null, "family"));
  member.addEventListener("click", () => pin(Number(member.dataset.number), "family"));
}
for (const block of all("pre")) {
  const box = make("div", { class: "copybox" });
  block.replaceWith(box);
  box.append(block, copyButton(() => block.textContent.trim()));
}
for (const part of all("details[id]")) {
  part.open = (kept.open || []).includes(part.id);
}
addEventListener("pagehide", () => keep({ open: all("details[id][open]").map(each => each.id) }));
for (const place of readouts.keys()) tell(null, place);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { for (const each of charts) each.redraw(false, true); });
if (kept.scroll) { scrollTo(0, kept.scroll); keep({ scroll: 0 }); }
if (data.live) refresh();
})();
