"use strict";
// Texts of records go into the page as text nodes only; the page's policy lets no other script run, and nothing be fetched.

const $ = (id) => document.getElementById(id);
const read = (id) => JSON.parse($(id).textContent);
const data = read("data");
const ITEMS = data.items.map((item, index) => ({ ...item, index }));
const PAGE = 50;
const NO_MODEL = "(no model)";
const CHECKED = ["failed", "doubtful", "differs"];
const FIELDS = ["search", "model", "column", "axis", "sort", "from", "to"];
const FOUND = {
  0: "not raised", 1: "partly raised", 2: "raised",
  "-1": "wrong", "0c": "unclear", "1c": "right",
  MET: "met", UNMET: "unmet", CANNOT_ASSESS: "cannot be assessed",
  SUPPORTED: "supported", CONTRADICTED: "contradicted", NOT_FOUND: "not found in the sources",
  A: "the first", B: "the second", tie: "a tie", inconsistent: "inconsistent: another answer in the other order",
};
const DOUBTS = {
  low_coverage: "no verdict on", samples: "samples differ on", judges: "judges differ on", unsure: "not sure what is right on",
};
const QUOTES = { exact: "", normalised: "quoted in other spacing or case", near: "quoted nearly", no: "the quote is not in the trace" };
const MEASURES = { grounding: "grounding", correctness: "correctness", score: "score", contradicted: "contradicted" };

const state = { found: [], shown: PAGE, open: null, beside: false };
const details = new Map();
const haystacks = new Map();

// ---- making nodes

function make(tag, content = "", attributes = {}) {
  const node = document.createElement(tag);
  node.append(...(Array.isArray(content) ? content : [content]).filter((part) => part !== null && part !== ""));
  for (const [name, value] of Object.entries(attributes)) if (value !== null) node.setAttribute(name, value);
  return node;
}

// Characters that show nothing, or turn the line around, are shown by their number.
const HIDDEN = /([\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]|[\u{e0000}-\u{e007f}])/u;
function plain(text) {
  return String(text).split(HIDDEN).map((part, index) => {
    if (index % 2 === 0) return part;
    const code = part.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    return make("span", `⟨U+${code}⟩`, { class: "hidden-character" });
  }).filter((part) => part !== "");
}
const text = (value, attributes = {}) => make("div", plain(value), { class: "text", dir: "auto", ...attributes });

// A number as it is shown, and as it is.
function numeral(value, digits = 2) {
  if (value === null || value === undefined) return make("span", "n/a", { class: "soft" });
  const shown = digits ? value.toFixed(digits) : value.toLocaleString("en");
  return make("data", shown, { value: String(value) });
}
const counted = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
const percent = (share) => `${Math.round(100 * share)} %`;
const named = (model) => model ?? NO_MODEL;
const axisClass = (axis) => `axis-${Math.max(0, data.axes.indexOf(axis)) % 8}`;

function table(caption, head, rows, { numeric = () => true, rowClass = () => null } = {}) {
  const cells = (row, tag) => row.map((cell, index) => {
    const shown = cell instanceof Node ? cell : typeof cell === "number" ? numeral(cell, Number.isInteger(cell) ? 0 : 3) : cell === null ? numeral(null) : make("span", plain(cell));
    return make(tag, shown, { class: numeric(index) ? "number" : null, scope: tag === "th" ? "col" : null });
  });
  const body = make("tbody", rows.map((row) => make("tr", cells(row, "td"), { class: rowClass(row) })));
  const made = make("table", [caption ? make("caption", plain(caption)) : null, make("thead", make("tr", cells(head, "th"))), body]);
  return make("div", made, { class: "scroll", tabindex: "0", role: "region", "aria-label": caption || "Table" });
}

// ---- the runs as a whole

function showRuns() {
  for (const run of data.runs) {
    const told = [
      ["judge", run.judge], ["rubric", run.rubric], ["records", run.counts && `${run.counts.read.toLocaleString("en")} read = ${run.counts.scored.toLocaleString("en")} scored + ${run.counts.failed.toLocaleString("en")} failed`],
      ["begun", run.started], ["traces", run.input],
    ].filter(([, value]) => value);
    const list = make("dl", told.flatMap(([name, value]) => [make("dt", name), make("dd", plain(value))]));
    const wrong = run.status === "running" ? "This run is still at work: what its finished blocks hold is shown."
      : run.status === "stopped" ? "This run stopped early: what it has is shown. The same judge score command goes on." : null;
    $("runs").append(make("div", [make("h2", plain(run.name)), wrong && make("p", wrong, { class: "notice" }), list].filter(Boolean), { class: "run" }));
  }
}

// What several runs are cautioned of stands once.
function showCautions() {
  const told = new Map();
  for (const run of data.runs) {
    for (const message of [...run.cautions, ...(run.notes ?? [])]) told.set(message, [...(told.get(message) ?? []), run.name]);
  }
  const who = (names) => (data.runs.length > 1 ? [make("b", plain(`${names.join(", ")}: `))] : []);
  const lines = [...told].map(([message, names]) => make("li", [...who(names), ...plain(message)]));
  for (const fault of data.faults) lines.push(make("li", plain(fault)));
  if (lines.length) $("cautions").append(make("h2", "Cautions"), make("ul", lines));
}

// Of one judge: a line for each model and axis, the best model first, as judge score prints it.
function showMeans() {
  data.columns.forEach((column, index) => {
    const rows = data.headline.filter((row) => row.column === index);
    if (!rows.length) return;
    const parts = Object.keys(MEASURES).filter((part) => rows.some((row) => row.measure.endsWith(`_${part}`)));
    const scores = rows.filter((row) => row.measure === "trace_score").sort(byMean);
    const lines = scores.flatMap((score) => linesOf(column, rows.filter((row) => row.model === score.model), parts));
    const head = ["model", "axis", ...parts, "n", "failed"];
    $("means").append(table(`${column.rubric} judged by ${column.name}: means with 95 % intervals`, head, lines, {
      numeric: (at) => at > 1, rowClass: (row) => (row.whole ? "whole" : null),
    }));
  });
  if (!data.headline.length) $("means").append(make("p", "No record has a score.", { class: "soft" }));
  showDifferences();
}

const byMean = (one, other) => one.column - other.column || (other.mean ?? -1) - (one.mean ?? -1);

function linesOf(column, rows, parts) {
  const by = new Map(rows.map((row) => [row.measure, row]));
  const asked = column.axes.filter((axis) => by.get(`${axis}_score`)?.n || by.get(`${axis}_score`)?.n_failed);
  return [...asked, "trace"].map((axis, index) => {
    const score = by.get(`${axis}_score`);
    const whole = axis === "trace";
    const line = [index ? "" : named(score.model), axis, ...parts.map((part) => mean(by.get(`${axis}_${part}`))), ns(by, axis, parts), whole ? score.n_failed : ""];
    return Object.assign(line, { whole });
  });
}

function mean(row) {
  if (!row) return "–";
  const node = make("span", numeral(row.mean), { "data-measure": row.measure, "data-model": row.model, "data-n": row.n });
  if (row.low !== null) node.append(make("span", [numeral(row.low), "–", numeral(row.high)], { class: "interval" }));
  return node;
}

// Correctness is a mean of fewer records where some raised nothing.
function ns(by, axis, parts) {
  const of = parts.map((part) => by.get(`${axis}_${part}`)?.n).filter((n) => n !== undefined);
  const [fewest, n] = [Math.min(...of), by.get(`${axis}_score`).n];
  return make("span", fewest === n ? n.toLocaleString("en") : `${fewest.toLocaleString("en")}/${n.toLocaleString("en")}`);
}

function showDifferences() {
  const rows = data.differences.map((one) => [
    data.columns[one.column].name, `${one.model} − ${one.other}`, signed(one), one.n,
    one.separated ? "yes" : one.needed > one.n ? `with about ${one.needed.toLocaleString("en")} records` : "no",
  ]);
  if (rows.length) $("means").append(table("Trace score on the records that two models share", ["judge", "models", "difference", "n", "told apart"], rows, { numeric: (at) => at === 2 || at === 3 }));
  const answers = data.headline.filter((row) => row.measure === "answer_correct" && row.n).sort(byMean).map((row) => {
    const given = data.headline.find((other) => other.measure === "answered" && other.column === row.column && other.model === row.model);
    return [data.columns[row.column].name, named(row.model), mean(row), mean(given), row.n];
  });
  if (answers.length) $("means").append(table("Final answers", ["judge", "model", "right", "gave one", "n"], answers, { numeric: (at) => at > 1 }));
}

function signed(one) {
  const sign = (value) => make("data", `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`, { value: String(value) });
  return make("span", [sign(one.mean), one.low === null ? null : make("span", ["[", sign(one.low), ", ", sign(one.high), "]"], { class: "interval" })]);
}

function showFigures() {
  data.figures.forEach(({ head, rows }, index) => {
    const numbers = make("details", [make("summary", `Its numbers (${counted(rows.length, "row")})`)]);
    numbers.addEventListener("toggle", () => {
      if (numbers.open && numbers.children.length === 1) numbers.append(table("", head, rows, { numeric: (at) => typeof rows[0]?.[at] !== "string" }));
    });
    $(`figure-${index}`).append(numbers);
  });
  $("figures").hidden = !data.figures.length;
}

function showSpending() {
  const head = ["judge", "calls", "from a cache", "failed", "attempts", "prompt tokens", "completion tokens", "USD", "median s", "90 % s", "99 % s"];
  const rows = data.columns.map(({ name, spent }) => [
    name, spent.calls, spent.cached, spent.failed, spent.attempts, spent.prompt_tokens, spent.completion_tokens, spent.cost_usd,
    ...["p50", "p90", "p99"].map((part) => spent[part]),
  ]);
  if (rows.length) $("spending").append(table("Of all calls, those of records that failed too", head, rows, { numeric: (at) => at > 0 }));
  else $("spending").hidden = true;
}

function showTotals() {
  const { records, failed, doubtful, embedded, embedded_failed } = data.totals;
  const parts = [`${counted(records, "record")} in all, of which ${failed.toLocaleString("en")} failed and ${doubtful.toLocaleString("en")} give a reason to doubt.`];
  if (embedded < records) parts.push(`${embedded.toLocaleString("en")} are in this file: ${embedded_failed.toLocaleString("en")} of those that failed, the most doubtful, and others at random. Means and plots are of all.`);
  if (!data.with_text) parts.push("It was made without texts.");
  if (data.labels) parts.push(`${counted(data.labels.labels, "label")} of ${data.labels.raters.join(", ")}, on ${counted(data.labels.units, "unit")} of these runs.`);
  $("totals").textContent = parts.join(" ");
}

// ---- filters

function fill(id, options) {
  $(id).replaceChildren(...options.map(([value, name]) => make("option", plain(name), { value })));
}

function fillFilters() {
  const models = [...new Set(ITEMS.map((item) => named(item.model)))];
  fill("model", [["", "all"], ...models.map((model) => [model, model])]);
  fill("column", [["", "all"], ...data.columns.map(({ name }, index) => [String(index), name])]);
  fill("axis", [["", "all"], ...data.axes.map((axis) => [axis, axis])]);
  const labelled = Boolean(data.labels);
  $("differs-label").hidden = !labelled;
  $("sort").querySelector("[value=labels]").hidden = !labelled;
}

// The scores that are filtered and sorted by: of the chosen judge and axis.
function scoresOf(item) {
  const at = $("axis").value ? data.axes.indexOf($("axis").value) + 1 : 0;
  const columns = $("column").value === "" ? Object.keys(item.scores) : [$("column").value];
  return columns.map((column) => item.scores[column]?.[at]).filter((score) => score !== null && score !== undefined);
}
const meanScore = (item) => {
  const scores = scoresOf(item);
  return scores.length ? scores.reduce((sum, score) => sum + score, 0) / scores.length : null;
};

function detail(index) {
  if (!details.has(index)) details.set(index, read(`d${index}`));
  return details.get(index);
}

function haystack(item) {
  if (!haystacks.has(item.index)) {
    const own = detail(item.index);
    const question = own.question === undefined ? "" : $(`q${own.question}`).textContent;
    const words = [item.record, item.model, own.trace, plainJson(question)];
    for (const unit of own.units ?? []) words.push(unit.claim, ...Object.values(unit.by ?? {}).flat().flatMap((one) => [one.reason, one.evidence]));
    for (const one of [...(own.preferences ?? []), ...(own.unreadable ?? [])]) words.push(one.reason, one.reason_ba, one.message, one.raw);
    haystacks.set(item.index, words.filter(Boolean).join("\n").toLowerCase());
  }
  return haystacks.get(item.index);
}
function plainJson(content) {
  if (!content) return "";
  const { question, context, options = [] } = JSON.parse(content);
  return [question, context, ...options.flat()].filter(Boolean).join("\n");
}

function passes() {
  const [model, column, axis] = ["model", "column", "axis"].map((id) => $(id).value);
  const [from, to] = ["from", "to"].map((id) => ($(id).value === "" ? null : Number($(id).value)));
  const wanted = $("search").value.trim().toLowerCase();
  const at = axis ? data.axes.indexOf(axis) + 1 : 0;
  return (item) => (!model || named(item.model) === model)
    && (column === "" || column in item.scores || item.unreadable)
    && (!axis || item.unreadable || Object.values(item.scores).some((scores) => scores[at] !== null) || item.failed)
    && (!$("failed").checked || item.failed) && (!$("doubtful").checked || item.doubt > 0)
    && (!$("differs").checked || item.disagreements > 0)
    && ((from === null && to === null) || scoresOf(item).some((score) => score >= (from ?? -Infinity) && score <= (to ?? Infinity)))
    && (!wanted || haystack(item).includes(wanted));
}

const last = (value) => value ?? Infinity; // what has no score comes last, whichever way
const ORDERS = {
  place: (one, other) => one.place - other.place,
  low: (one, other) => last(meanScore(one)) - last(meanScore(other)) || one.place - other.place,
  high: (one, other) => last(negative(meanScore(one))) - last(negative(meanScore(other))) || one.place - other.place,
  doubt: (one, other) => other.doubt - one.doubt || one.place - other.place,
  labels: (one, other) => (other.disagreements ?? 0) - (one.disagreements ?? 0) || one.place - other.place,
};
const negative = (value) => (value === null ? null : -value);
function byOrder(one, other) {
  const found = ORDERS[$("sort").value](one, other);
  return Number.isNaN(found) ? one.place - other.place : found; // two that have no score
}

function filter() {
  state.found = ITEMS.filter(passes()).sort(byOrder);
  state.shown = PAGE;
  showList();
  const all = state.found.length === ITEMS.length ? "" : ` of ${ITEMS.length.toLocaleString("en")}`;
  $("count").textContent = `${state.found.length.toLocaleString("en")}${all} ${ITEMS.length === 1 ? "record" : "records"}`;
}

// ---- the list

function showList() {
  const shown = state.found.slice(0, state.shown);
  $("list").replaceChildren(...shown.map(entry));
  $("more").hidden = state.found.length <= state.shown;
  $("more").textContent = `Show ${Math.min(PAGE, state.found.length - state.shown)} more of ${(state.found.length - state.shown).toLocaleString("en")}`;
}

function entry(item) {
  const score = meanScore(item);
  const link = make("a", [
    make("span", plain(item.record ?? `line ${item.line}`), { class: "name" }),
    make("span", item.unreadable ? "not read" : score === null ? "n/a" : numeral(score), { class: "number" }),
    make("span", [make("span", plain(item.unreadable ? "" : named(item.model)), { class: "soft" }), ...notes(item)], { class: "notes" }),
  ], { href: address(item), "data-id": item.id });
  link.setAttribute("aria-current", String(item.id === state.open?.id));
  return make("li", link);
}

function notes(item) {
  const told = [];
  if (item.failed) told.push(make("span", " · failed", { class: "wrong" }));
  for (const [name, share] of Object.entries(item.why)) told.push(make("span", ` · ${DOUBTS[name]} ${percent(share)}`, { class: "doubt" }));
  if (item.disagreements) told.push(make("span", ` · ${counted(item.disagreements, "unit")} unlike the labels`, { class: "doubt" }));
  return told;
}

// ---- addresses: all that is chosen is behind the #, so that a link shows the same to others

function address(item) {
  const words = new URLSearchParams();
  for (const id of FIELDS) if ($(id).value && !(id === "sort" && $(id).value === "place")) words.set(id, $(id).value);
  for (const id of CHECKED) if ($(id).checked) words.set(id, "1");
  if (item) words.set("record", item.id);
  if (item && state.beside) words.set("beside", "1");
  return `#${words}`;
}

function follow() {
  if (/^#(means|figures|records)$/.test(location.hash)) return;
  const words = new URLSearchParams(location.hash.slice(1));
  for (const id of FIELDS) $(id).value = words.get(id) ?? (id === "sort" ? "place" : "");
  for (const id of CHECKED) $(id).checked = words.has(id);
  state.beside = words.has("beside");
  filter();
  const item = ITEMS.find(({ id }) => id === words.get("record"));
  if (item) open(item);
  else close();
}

function remember() {
  history.replaceState(null, "", address(state.open) || " ");
}

// ---- one record

function open(item, { focus = false } = {}) {
  state.open = item;
  const place = state.found.indexOf(item);
  if (place >= state.shown) {
    state.shown = Math.ceil((place + 1) / PAGE) * PAGE;
    showList();
  }
  for (const link of $("list").querySelectorAll("a")) link.setAttribute("aria-current", String(link.dataset.id === item.id));
  document.body.classList.add("reading");
  showDetail(item);
  remember();
  if (focus) {
    $("detail").focus({ preventScroll: true });
    $("browser").scrollIntoView({ block: "start" });
  }
  $("list").querySelector("[aria-current=true]")?.scrollIntoView({ block: "nearest" });
}

function close() {
  state.open = null;
  document.body.classList.remove("reading", "side");
  $("detail").replaceChildren(make("p", "Choose a record.", { class: "soft" }));
  for (const link of $("list").querySelectorAll("[aria-current=true]")) link.setAttribute("aria-current", "false");
}

const siblings = (item) => (item.unreadable ? [item] : ITEMS.filter((other) => other.record === item.record && !other.unreadable));

function showDetail(item) {
  const own = detail(item.index);
  const family = siblings(item);
  const beside = state.beside && family.length > 1;
  const shown = beside ? family : [item];
  document.body.classList.toggle("side", beside);
  const title = make("h2", plain(`${item.record ?? `line ${item.line}`}${beside || item.unreadable ? "" : ` · ${named(item.model)}`}`), { id: "place" });
  const together = family.length > 1 ? make("button", `Side by side (${family.length})`, { type: "button", id: "beside", "aria-pressed": String(beside) }) : null;
  together?.addEventListener("click", toggleBeside);
  const back = make("button", "← List", { type: "button", id: "back" });
  back.addEventListener("click", leave);
  const moves = [back, mover("← Previous", -1), mover("Next →", 1), together].filter(Boolean);
  $("detail").replaceChildren(make("div", moves, { class: "moves" }), title, ...unread(own), ...question(own), traces(shown, beside), ...preferences(item, own, beside));
}

function mover(name, by) {
  const button = make("button", name, { type: "button" });
  button.addEventListener("click", () => step(by));
  button.disabled = !state.found[state.found.indexOf(state.open) + by] || (by < 0 && state.found.indexOf(state.open) < 1);
  return button;
}

const part = (title, ...content) => make("section", [make("h3", title), ...content], { class: "part" });

function unread(own) {
  return (own.unreadable ?? []).map((one) => part("This line could not be read", failure(one), ...(one.raw ? [text(one.raw)] : [])));
}

function question(own) {
  if (own.question === undefined) return [];
  const { question: asked, options = [], context, images = [], image_fault: fault } = read(`q${own.question}`);
  const pictures = images.map((source, index) => make("img", "", { src: source, alt: `Image ${index + 1} of ${images.length}`, loading: "lazy" }));
  return [
    asked && part("Question", text(asked)),
    options.length && part("Options", make("dl", options.flatMap(([name, value]) => [make("dt", plain(name)), make("dd", plain(value), { dir: "auto" })]), { class: "options" })),
    (pictures.length || fault) && part("Image", make("div", pictures, { class: "images" }), fault ? make("p", plain(fault), { class: "soft" }) : ""),
    context && part("Context", text(context)),
  ].filter(Boolean);
}

function traces(shown, beside) {
  const made = shown.filter((item) => !item.unreadable).map((item) => one(item, detail(item.index), beside));
  return make("div", made, { class: beside ? "traces beside" : "traces" });
}

function one(item, own, beside) {
  const title = beside ? [make("h4", plain(named(item.model)))] : [];
  return make("section", [...title, ...scores(own), ...trace(item, own), ...verdicts(own)], { class: "one", "aria-label": named(item.model) });
}

const columnsOf = (own) => Object.keys(own.columns ?? {}).filter((column) => $("column").value === "" || $("column").value === column);
const axesOf = (own) => data.axes.filter((axis) => !$("axis").value || axis === $("axis").value);

function scores(own) {
  const rows = columnsOf(own).flatMap((column) => {
    const told = own.columns[column];
    const axes = axesOf(own).filter((axis) => told.axes?.[axis]).map((axis) => scoreRow(column, axis, told.axes[axis]));
    return [...axes, scoreRow(column, "trace", told.trace ?? {}, told)];
  });
  const notesBelow = columnsOf(own).flatMap((column) => (own.columns[column].failures ?? []).map((one) => failure(one, data.columns[column].name)));
  const head = ["judge", "axis", "grounding", "correctness", "score", "judged", "answer"];
  const kept = head.map((_, at) => at > 0 || data.columns.length > 1);
  const numeric = (at) => ["grounding", "correctness", "score"].includes(head.filter((_, place) => kept[place])[at]);
  const few = (row) => Object.assign(row.filter((_, at) => kept[at]), { whole: row.whole });
  return rows.length ? [table("", few(head), rows.map(few), { numeric, rowClass: (row) => (row.whole ? "whole" : null) }), ...notesBelow] : [];
}

function scoreRow(column, axis, told, whole = null) {
  const score = make("span", numeral(told.score), { "data-column": column, "data-axis": axis });
  if (told.score === undefined && told.score_low !== undefined) score.append(make("span", ["between ", numeral(told.score_low), " and ", numeral(told.score_high)], { class: "interval" }));
  if (told.score_sd !== undefined) score.append(make("span", ["± ", numeral(told.score_sd), ` in ${whole?.samples ?? "its"} samples`], { class: "interval" }));
  const judged = whole ? `${whole.units[0]} of ${whole.units[1]} units` : told.coverage === undefined ? "" : percent(told.coverage);
  const answer = !whole ? "" : make("span", [...plain(whole.answer ?? (whole.answered ? "given" : "none")), whole.answer_correct === undefined ? "" : whole.answer_correct ? " ✓ right" : " ✗ wrong"]);
  return Object.assign([data.columns[column].name, axis, numeral(told.grounding), numeral(told.correctness), score, judged, answer], { whole: Boolean(whole) });
}

function failure({ error, message, axis, stage, units }, who = "") {
  const about = [who, axis, units?.join(", ")].filter(Boolean).join(", ");
  return make("p", [make("b", `Failed (${error}${stage ? `, while ${STAGES[stage] ?? stage}` : ""})`), about ? `, ${about}` : "", message ? ": " : "", ...plain(message ?? "")], { class: "wrong text" });
}
const STAGES = { read: "reading the line", ask: "asking", parse: "reading the reply", reply: "reading the reply", score: "scoring" };

// ---- the trace, with evidence marked where it stands

function trace(item, own) {
  if (own.trace === undefined) {
    if (!data.with_text) return [];
    return [make("p", "The trace is not here: its file was not found, or holds another record now. judge report --traces FILE shows it.", { class: "soft" })];
  }
  const spans = evidence(own);
  const legend = [...new Set(spans.map(({ axis }) => axis))].map((axis) => make("span", make("mark", plain(axis)), { class: axisClass(axis) }));
  const shown = make("div", marked(own.trace, spans), { class: "text trace", dir: "auto", tabindex: "0", role: "region", "aria-label": "Trace" });
  return [part("Trace", ...(legend.length ? [make("p", ["Evidence: ", ...legend], { class: "legend" })] : []), shown)];
}

function evidence(own) {
  const spans = new Map();
  for (const unit of own.units ?? []) {
    if (!axesOf(own).includes(unit.axis)) continue;
    for (const column of columnsOf(own)) {
      for (const { evidence_start: start, evidence_end: end } of unit.by?.[column] ?? []) {
        if (start !== undefined && end > start) spans.set(`${start}-${end}-${unit.axis}-${unit.unit}`, { start, end, axis: unit.axis, unit: unit.unit });
      }
    }
  }
  return [...spans.values()].sort((one, other) => one.start - other.start || other.end - one.end);
}

// Offsets are code points; a passage that several units quote has the colour of the first, and the tags of all.
function marked(content, spans) {
  const points = Array.from(content);
  const cuts = [...new Set([0, points.length, ...spans.flatMap(({ start, end }) => [start, end])])].filter((at) => at <= points.length).sort((one, other) => one - other);
  return cuts.slice(0, -1).flatMap((from, index) => {
    const piece = plain(points.slice(from, cuts[index + 1]).join(""));
    const over = spans.filter(({ start, end }) => start <= from && from < end);
    if (!over.length) return piece;
    const tags = spans.filter(({ start }) => start === from).map(tag);
    return [...tags, make("mark", piece, { class: axisClass(over[0].axis), "data-units": over.map(({ axis, unit }) => `${axis} ${unit}`).join(", ") })];
  });
}
const tag = ({ axis, unit }) => make("span", plain(unit), { class: `tag ${axisClass(axis)}`, title: `${axis}, ${unit}` });

// ---- verdicts

function verdicts(own) {
  const columns = columnsOf(own);
  const units = (own.units ?? []).filter((unit) => axesOf(own).includes(unit.axis) && columns.some((column) => unit.by?.[column]));
  if (!units.length) return [];
  const people = own.labels?.length ? ["people"] : [];
  const head = make("tr", ["unit", ...columns.map((column) => data.columns[column].name), ...people].map((name) => make("th", plain(name), { scope: "col" })));
  const rows = units.map((unit) => make("tr", [unitCell(unit), ...columns.map((column) => verdictCell(unit, column)), ...people.map(() => labelCell(unit, own.labels))], { class: axisClass(unit.axis) }));
  const made = make("table", [make("thead", head), make("tbody", rows)], { class: "verdicts" });
  return [part("Verdicts", make("div", made, { class: "scroll", tabindex: "0", role: "region", "aria-label": "Verdicts" }))];
}

function unitCell({ axis, unit, claim, importance, points, polarity }) {
  const worth = [importance, points === undefined ? "" : `${points} points`, polarity === "negative" ? "bad if it holds" : ""].filter(Boolean).join(", ");
  return make("th", [make("span", plain(unit), { class: `tag ${axisClass(axis)}` }), make("span", plain(axis), { class: "soft" }), claim ? text(claim) : "", worth ? make("span", plain(worth), { class: "soft" }) : ""], { scope: "row" });
}

function verdictCell(unit, column) {
  const said = unit.by?.[column] ?? [];
  return make("td", said.flatMap((one) => verdict(one, said.length)), { "data-column": data.columns[column].name });
}

function verdict(one, samples) {
  const parts = [make("div", [samples > 1 ? make("span", `${(one.sample ?? 0) + 1}. `, { class: "soft" }) : "", ...word(one)], { class: one.failure ? "found wrong" : "found" })];
  if (one.reason) parts.push(make("div", plain(one.reason), { class: "reason", dir: "auto" }));
  if (one.evidence) parts.push(make("div", [`“`, ...plain(one.evidence), `”`, QUOTES[one.evidence_found] ? make("span", ` (${QUOTES[one.evidence_found]})`, { class: "doubt" }) : ""], { class: "quote", dir: "auto" }));
  else if (QUOTES[one.evidence_found]) parts.push(make("div", QUOTES[one.evidence_found], { class: "doubt" }));
  if (one.source) parts.push(make("div", ["source: “", ...plain(one.source), "”"], { class: "quote", dir: "auto" }));
  return parts;
}

function word(one) {
  const parts = [];
  if (one.presence !== undefined) parts.push(FOUND[one.presence]);
  if (one.correctness !== undefined) parts.push(FOUND[one.correctness === -1 ? "-1" : `${one.correctness}c`]);
  if (one.verdict !== undefined) parts.push(FOUND[one.verdict] ?? one.verdict);
  if (one.level !== undefined) parts.push(`level ${one.level}`);
  const likely = [["raised", one.p_present], ["right", one.p_correct]].filter(([, share]) => share !== undefined).map(([name, share]) => `${name} ${share.toFixed(2)}`);
  if (likely.length) parts.push(`(${likely.join(", ")})`);
  if (one.failure) parts.unshift(`no verdict: ${one.failure}`);
  return plain(parts.join(", ") || "no verdict");
}

const saidWord = (said) => said.split("/").map((value, index) => (index ? FOUND[value === "-1" ? "-1" : `${value}c`] : FOUND[value] ?? `level ${value}`)).join(", ");
function labelCell(unit, labels) {
  const mine = labels.filter((one) => one.axis === unit.axis && one.unit === unit.unit);
  return make("td", mine.map(({ rater, said }) => make("div", [make("span", plain(`${rater}: `), { class: "soft" }), saidWord(said)])), { "data-column": "people" });
}

function preferences(item, own, beside) {
  const mine = (own.preferences ?? []).filter((one) => beside || one.model_a === item.model || one.model_b === item.model);
  if (!mine.length) return [];
  const winner = (one, said) => (said === "A" ? one.model_a : said === "B" ? one.model_b : said ? FOUND[said] : "no verdict");
  const rows = mine.map((one) => [
    `${one.model_a} or ${one.model_b}`, one.axis, one.judge, make("b", plain(one.failure ? `no verdict: ${one.failure}` : winner(one, one.outcome))),
    winner(one, one.order_ab), winner(one, one.order_ba), make("div", [one.reason, one.reason_ba].filter(Boolean).map((reason) => text(reason))),
  ]);
  return [part("Preferences", table("", ["models", "axis", "judge", "better", "first shown first", "second shown first", "reasons"], rows, { numeric: () => false }))];
}

// ---- keys and buttons

function step(by) {
  const place = state.open ? state.found.indexOf(state.open) : -1;
  const next = state.found[Math.max(0, place + by)];
  if (next) open(next, { focus: true });
}

function toggleBeside() {
  if (!state.open || siblings(state.open).length < 2) return;
  state.beside = !state.beside;
  showDetail(state.open);
  remember();
  $("beside")?.focus();
}

function leave() {
  const id = state.open?.id;
  close();
  remember();
  $("list").querySelector(`[data-id="${id}"]`)?.focus();
}

function reset() {
  for (const id of FIELDS) $(id).value = id === "sort" ? "place" : "";
  for (const id of CHECKED) $(id).checked = false;
  filter();
  remember();
}

const KEYS = {
  j: () => step(1), k: () => step(-1), s: toggleBeside, "/": () => $("search").focus(), "?": () => $("keys").showModal(),
};
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input:not([type=checkbox]), select, textarea");
  if (event.key === "Escape" && !$("keys").open) return typing ? event.target.blur() : state.open && leave();
  if (typing || event.ctrlKey || event.metaKey || event.altKey || $("keys").open || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});
$("list").addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  open(ITEMS.find(({ id }) => id === link.dataset.id), { focus: true });
});
$("filters").addEventListener("input", () => {
  filter();
  if (state.open) showDetail(state.open);
  remember();
});
$("filters").addEventListener("submit", (event) => event.preventDefault());
$("reset").addEventListener("click", reset);
$("more").addEventListener("click", () => {
  const before = state.shown;
  state.shown += PAGE;
  showList();
  $("list").children[before]?.firstChild.focus();
});
$("keys-button").addEventListener("click", () => $("keys").showModal());
window.addEventListener("hashchange", follow);

// What a search looks through is made ready while nobody waits.
function prepare(from = 0) {
  ITEMS.slice(from, from + PAGE).forEach(haystack);
  if (from + PAGE < ITEMS.length) setTimeout(prepare, 0, from + PAGE);
}

showRuns();
showCautions();
showMeans();
showFigures();
showSpending();
showTotals();
fillFilters();
follow();
if (!state.found.length && ITEMS.length && !location.hash) filter();
setTimeout(prepare, 100);
