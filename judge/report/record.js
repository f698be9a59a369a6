// One record: its question, scores and trace, with evidence marked where it stands.

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
  return make("section", [...title, ...scores(own), ...trace(item, own), ...verdicts(own), ...labels(own)], { class: "one", "aria-label": named(item.model) });
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
  if (told.score_sd !== undefined) score.append(make("span", ["± ", numeral(told.score_sd), whole ? ` in ${whole.samples} samples` : ""], { class: "interval" }));
  const judged = whole ? `${whole.units[0]} of ${whole.units[1]} units` : told.coverage === undefined ? "" : percent(told.coverage);
  const answer = !whole ? "" : make("span", [...plain(whole.answer ?? (whole.answered ? "given" : "none")), whole.answer_correct === undefined ? "" : whole.answer_correct ? " ✓ right" : " ✗ wrong"]);
  return Object.assign([data.columns[column].name, axis, numeral(told.grounding), numeral(told.correctness), score, judged, answer], { whole: Boolean(whole) });
}

function failure({ error, message, axis, stage, units }, who = "") {
  const about = [who, axis, units?.join(", ")].filter(Boolean).join(", ");
  return make("p", [make("b", `Failed (${error}${stage ? `, while ${STAGES[stage] ?? stage}` : ""})`), about ? `, ${about}` : "", message ? ": " : "", ...plain(message ?? "")], { class: "wrong text" });
}
const STAGES = { read: "reading the line", ask: "asking", parse: "reading the reply", reply: "reading the reply", score: "scoring" };

// ---- the trace

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
