// Texts of records go into the page as text nodes only; the page's policy lets no script write HTML.

import { joined, selectedIn, showIn, toPassage } from "./passage.js";

// Of each way to answer: a label that says nothing yet.
const NOTHING = {
  presence: { presence: null, correctness: null, evidence: null },
  verdict: { verdict: null, evidence: null },
  value: { value: null, evidence: null },
};
const NAMES = {
  presence: ["not raised", "partly", "raised"],
  correctness: { "-1": "wrong", 0: "unclear", 1: "right" },
  verdict: { MET: "met", UNMET: "unmet", CANNOT_ASSESS: "cannot assess" },
};
const ANSWERS = {
  presence: {
    0: { presence: 0 }, 1: { presence: 1 }, 2: { presence: 2 },
    w: { correctness: -1 }, "-": { correctness: -1 }, u: { correctness: 0 }, r: { correctness: 1 }, "+": { correctness: 1 },
  },
  verdict: { m: { verdict: "MET" }, u: { verdict: "UNMET" }, c: { verdict: "CANNOT_ASSESS" } },
};
const ALL_TOGETHER = "10 when all is as it should be by the list, 1 when nothing is. What is worth more counts for more.";
const ANSWER_KEY = /^[0-9wurmc+-]$/;
const $ = (id) => document.getElementById(id);
const trace = $("trace");

const state = { records: [], skipped: [], record: 0, unit: 0, sheet: null, labels: [], seen: null, shown: null };
const unsent = new Map(); // "record/unit" -> a label that is not complete, or that the server does not have yet
const past = []; // {record, unit, label} before each change of this visit
let selection = null; // [start, end] in UTF-16 units of what is shown of the trace
let acting = Promise.resolve();
let waiting = 0; // labels that wait for their turn
let sending = Promise.resolve(); // one label after the other, in the order they were given

// ---- the server

async function ask(method, path, body) {
  const options = { method, headers: { "Content-Type": "application/json" }, body: body && JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("judge label does not answer. Start the same command again, and go on in its page.");
  }
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error);
  return content;
}

function send(record, unit, label) {
  const key = `${record}/${unit}`;
  unsent.set(key, label);
  waiting += 1;
  sending = sending.then(async () => {
    const whole = isComplete(label);
    try {
      waiting -= 1;
      const answer = await ask(whole ? "PUT" : "DELETE", `records/${record}/labels/${unit}`, whole ? label : undefined);
      state.records[record][1] = answer.done;
      if (unsent.get(key) === label && (whole || Object.values(label).every((value) => value === null))) unsent.delete(key);
      showProgress();
      if (whole && !waiting) say(left() ? "Saved." : "Saved. All units have a label: Ctrl-C in the terminal ends.");
    } catch (error) {
      say(`Not saved: ${error.message}`, true);
    }
  });
}

// ---- labels

const isComplete = (label) => label.presence === 0 || (label.correctness ?? label.verdict ?? label.value ?? null) !== null;
const asked = () => state.sheet.units[state.unit];
const current = () => state.labels[state.unit] ?? NOTHING[asked().answer];
const left = () => state.records.reduce((sum, [units, done]) => sum + units - done, 0);

function change(given) {
  if (!state.sheet) return;
  const same = Object.entries(given).every(([name, value]) => current()[name] === value);
  if (same && !unsent.has(`${state.record}/${state.unit}`)) return;
  const label = { ...current(), ...given };
  if (label.presence === 0) Object.assign(label, { correctness: null, evidence: null });
  past.push({ record: state.record, unit: state.unit, label: current() });
  put(label);
}

function put(label) {
  state.labels[state.unit] = label;
  say(label.presence && label.correctness === null ? "Now: is what it says right?" : "");
  send(state.record, state.unit, label);
  show();
}

// What a key says depends on what is asked now.
function answerBy(key) {
  const given = state.sheet && answersOf(asked())[key];
  if (!given) return;
  if ("correctness" in given && !current().presence) say("First say that the trace raises it: 1 or 2.");
  else change(given);
}

function answersOf({ answer, levels }) {
  if (answer !== "value") return ANSWERS[answer];
  return Object.fromEntries(levels.map(([value], index) => [keyOf(levels, index), { value }]));
}

// Of a level: its own digit, and never the digit of another one.
function keyOf(levels, index) {
  const own = ([level]) => level === -1 ? "-" : level === 10 ? "0" : level >= 0 && level <= 9 ? String(level) : "";
  const key = own(levels[index]);
  return levels.findIndex((level) => own(level) === key) === index ? key : "";
}

async function undo() {
  const last = past.pop();
  if (!last) return say("Nothing to undo in this visit.");
  await go(last.record, last.unit);
  put(last.label);
}

// ---- evidence

function readSelection() {
  const found = state.sheet ? selectedIn(trace, state.shown.text) : undefined;
  if (found !== undefined) selection = found; // else a button was pressed: it is kept
}

function mark() {
  readSelection(); // the browser tells of a change only later
  if (current().presence === 0) return say("What is not raised has no evidence.");
  if (!selection) return say("First select a passage of the trace, with the mouse, or with t and Shift and the arrows.");
  const evidence = toPassage(state.shown, selection);
  if (evidence) change({ evidence });
  else say("Select within one part of the trace: something between the two is not shown.");
}

function unmark() {
  if (current().evidence) change({ evidence: null });
}

// ---- moving

async function go(record, unit) {
  if (record !== state.record || !state.sheet) await load(record);
  state.unit = unit;
  say("");
  show();
  document.querySelector("mark")?.scrollIntoView({ block: "nearest" });
}

async function load(record) {
  state.sheet = null;
  await sending; // so that the server tells of what was given here
  const found = await ask("GET", `records/${record}`);
  Object.assign(state, { record, sheet: found.sheet, seen: null });
  state.labels = found.labels.map((label, unit) => unsent.get(`${record}/${unit}`) ?? label);
  window.scrollTo(0, 0);
}

async function step(by) {
  if (!state.sheet) return;
  const unit = state.unit + by;
  if (unit >= 0 && unit < state.labels.length) return go(state.record, unit);
  const record = state.record + by;
  if (!state.records[record]) return say(by > 0 ? "This is the last unit." : "This is the first unit.");
  await go(record, by > 0 ? 0 : state.records[record][0] - 1);
}

async function nextOpen() {
  if (!state.sheet) return;
  await sending;
  const open = (label) => !label || !isComplete(label);
  const here = state.labels.findIndex((label, unit) => unit > state.unit && open(label));
  if (here >= 0) return go(state.record, here);
  const count = state.records.length;
  for (let by = 1; by <= count; by += 1) {
    const record = (state.record + by) % count;
    const [units, done] = state.records[record];
    if (done >= units) continue;
    await load(record);
    return go(record, Math.max(0, state.labels.findIndex(open)));
  }
  say("All units have a label.");
}

// ---- showing

function make(tag, text, attributes = {}) {
  const node = document.createElement(tag);
  node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function say(text, wrong = false) {
  $("status").textContent = text;
  $("status").classList.toggle("wrong", wrong);
}

function fill(id, text) {
  $(id).textContent = text ?? "";
  const part = $(id).closest("article > section");
  if (part) part.hidden = !text;
}

function showProgress() {
  const total = state.records.reduce((sum, [units]) => sum + units, 0);
  $("progress").max = Math.max(total, 1);
  $("progress").value = total - left();
  $("count").textContent = `${total - left()} of ${total}`;
}

// What the judge sees for this unit: another axis may show other parts of the record.
function showSeen() {
  const seen = state.sheet.seen[asked().seen];
  if (state.seen === seen) return;
  Object.assign(state, { seen, shown: joined(seen.parts) });
  fill("context", seen.context);
  fill("question", seen.question);
  $("options").replaceChildren(...seen.options.flatMap(([name, text]) => [make("dt", name), make("dd", text)]));
  if (seen.options.length) $("options").closest("section").hidden = false;
  $("reasoning").textContent = seen.reasoning;
  $("answer").textContent = seen.answer ? `Answer: ${seen.answer}` : "";
  $("reference").hidden = !seen.reasoning && !seen.answer;
  const images = seen.images ? state.sheet.images : [];
  $("images").closest("section").hidden = !images.length;
  $("images").replaceChildren(...images.map((source, index) => showImage(source, `Image ${index + 1} of ${images.length}`)));
  trace.removeAttribute("data-shown");
  selection = null;
}

function showImage(source, name) {
  const button = make("button", "", { type: "button", "aria-pressed": "false", "aria-label": `${name}, larger` });
  button.append(make("img", "", { src: source, alt: name }));
  button.addEventListener("click", () => button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true"));
  return button;
}

function tell(label) {
  const named = Object.entries(NAMES).map(([name, names]) => names[label[name]]);
  return [...named, label.value].filter((told) => told != null).join(", ");
}

function rated({ text, importance, worth, good }) {
  return `(${[importance, `worth ${worth}`, good ? "" : "bad"].filter(Boolean).join(", ")}) ${text}`;
}

function showLevels(levels) {
  const shown = JSON.stringify(levels);
  if ($("levels").dataset.shown === shown) return; // else the focus would be lost
  $("levels").dataset.shown = shown;
  $("levels").classList.toggle("bare", !levels.some(([, anchor]) => anchor));
  $("levels").replaceChildren(...levels.map(([level, anchor], index) => {
    const label = make("label", "");
    label.append(make("input", "", { type: "radio", name: "value", value: level }), make("b", level));
    label.append(make("span", anchor, { dir: "auto" }));
    if (keyOf(levels, index)) label.append(make("kbd", keyOf(levels, index)));
    return label;
  }));
}

function showUnits() {
  const items = state.sheet.units.map((unit, index) => {
    const label = state.labels[index];
    const done = label && isComplete(label);
    const told = done ? tell(label) : "open";
    const name = unit.answer === "value" ? unit.axis : unit.unit_id; // an axis is one scale or rating
    const button = make("button", `${name}${done ? " ✓" : ""}`, { type: "button", title: told });
    button.setAttribute("aria-label", `${name}, ${told}`);
    button.setAttribute("aria-current", String(index === state.unit));
    button.classList.toggle("done", Boolean(done));
    button.addEventListener("click", () => perform(() => go(state.record, index)));
    const item = make("li", "");
    item.append(button);
    return item;
  });
  const focused = [...$("units").children].findIndex((item) => item.contains(document.activeElement));
  $("units").replaceChildren(...items);
  if (focused >= 0) items[focused]?.firstChild.focus();
}

function show() {
  const unit = asked();
  const label = current();
  showSeen();
  $("place").textContent = `Record ${state.record + 1} of ${state.records.length}, unit ${state.unit + 1} of ${state.labels.length}`;
  $("axis").textContent = [unit.axis, unit.unit_id, unit.topic].filter(Boolean).join(" · ");
  $("about").textContent = unit.about === unit.claim ? "" : unit.about;
  if ($("claim").textContent !== unit.claim) $("claim").textContent = unit.claim; // else it would be read out again
  $("presence-question").textContent = unit.presence_question ?? "";
  $("correctness-question").textContent = unit.correctness_question ?? "";
  $("within").textContent = unit.within.length ? `Part of: ${unit.within.join(" > ")}` : "";
  $("rated").replaceChildren(...unit.rated.map((one) => make("li", rated(one), { dir: "auto" })));
  $("how").textContent = unit.rated.length ? ALL_TOGETHER : "Where two fit, the lower one.";
  $("bad").hidden = unit.good;
  showLevels(unit.levels);
  for (const part of document.querySelectorAll("fieldset")) part.hidden = !(part.id in NOTHING[unit.answer]);
  for (const input of document.querySelectorAll("input[type=radio]")) input.checked = String(label[input.name]) === input.value;
  $("correctness").disabled = !label.presence;
  $("quote").textContent = label.evidence?.quote ?? "";
  $("quote").hidden = !label.evidence;
  document.querySelector("[data-act=unmark]").hidden = !label.evidence;
  document.querySelector("[data-act=undo]").disabled = !past.length;
  showIn(trace, state.shown, label.evidence);
  showUnits();
  showProgress();
}

function showSkipped() {
  const count = state.skipped.length;
  $("skipped").hidden = !count;
  $("skipped").querySelector("summary").textContent = `${count} ${count === 1 ? "record is" : "records are"} left out`;
  $("skipped").querySelector("ul").replaceChildren(...state.skipped.map(({ message }) => make("li", message)));
}

// ---- keys and buttons

const ACTS = {
  mark, unmark, undo, open: nextOpen, next: () => step(1), previous: () => step(-1),
  trace: intoTrace, help: () => { $("help").open = !$("help").open; },
};
const KEYS = {
  n: ACTS.next, j: ACTS.next, p: ACTS.previous, k: ACTS.previous,
  o: nextOpen, e: mark, x: unmark, z: undo, t: ACTS.trace, "?": ACTS.help,
};

// One after the other: a key that is pressed while a record loads is meant for what it shows.
function perform(act) {
  acting = acting.then(act).catch((error) => say(error.message, true));
}

function intoTrace() {
  trace.focus();
  const found = document.getSelection();
  if (!trace.contains(found.anchorNode)) found.collapse(trace, 0);
}

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.altKey) return;
  if (event.key === "Escape") return document.activeElement.blur();
  const undoing = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
  const key = event.key.toLowerCase();
  const act = undoing ? undo : KEYS[key] ?? (ANSWER_KEY.test(key) && (() => answerBy(key)));
  if (!act || (!undoing && (event.ctrlKey || event.metaKey || !$("keys").checked))) return;
  event.preventDefault();
  perform(act);
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (button) perform(ACTS[button.dataset.act]);
});
document.querySelector("[data-act=mark]").addEventListener("pointerdown", (event) => event.preventDefault()); // keeps the selection
$("panel").addEventListener("submit", (event) => event.preventDefault());
$("panel").addEventListener("change", ({ target }) => {
  if (target.type === "radio") perform(() => change({ [target.name]: target.name === "verdict" ? target.value : Number(target.value) }));
});
document.addEventListener("selectionchange", readSelection);
trace.addEventListener("beforeinput", (event) => event.preventDefault()); // it has a caret, and stays as it is
trace.addEventListener("input", () => { trace.removeAttribute("data-shown"); showIn(trace, state.shown, current().evidence); }); // of an input method
window.addEventListener("beforeunload", (event) => { if (unsent.size) event.preventDefault(); });

perform(async () => {
  Object.assign(state, await ask("GET", "tasks"));
  $("guidelines").hidden = !state.guidelines;
  $("guidelines").querySelector("p").textContent = state.guidelines;
  $("who").textContent = `${state.rater} · ${state.rubric} · ${state.out}`;
  document.title = `judge label · ${state.rater}`;
  showSkipped();
  showProgress();
  const first = state.records.findIndex(([units, done]) => done < units);
  await load(Math.max(first, 0));
  const open = state.labels.findIndex((label) => !label || !isComplete(label));
  await go(state.record, Math.max(open, 0));
  if (!left()) say("All units have a label.");
});
