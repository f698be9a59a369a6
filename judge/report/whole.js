// The runs as a whole: what they are, cautions, means, plots, cost.

function showRuns() {
  for (const run of data.runs) {
    const told = [
      ["judge", run.judge], ["rubric", run.rubric], ["records", tally(run.counts)],
      ["begun", run.started], ["traces", run.input],
    ].filter(([, value]) => value);
    const list = make("dl", told.flatMap(([name, value]) => [make("dt", name), make("dd", plain(value))]));
    const wrong = run.status === "running" ? "This run is still at work: what its finished blocks hold is shown."
      : run.status === "stopped" ? "This run stopped early: what it has is shown. The same judge score command goes on." : null;
    if (list.children.length) $("runs").append(make("div", [make("h2", plain(run.name)), wrong && make("p", wrong, { class: "notice" }), list].filter(Boolean), { class: "run" }));
  }
}

// Records that were scored, or pairs that were judged.
function tally(counts) {
  const { read, pairs = read, scored, judged = scored, failed } = counts ?? {};
  if ([pairs, judged, failed].some((count) => count === undefined)) return null;
  const [all, good, bad] = [pairs, judged, failed].map((count) => count.toLocaleString("en"));
  return scored === undefined ? `${all} pairs = ${good} judged + ${bad} failed` : `${all} read = ${good} scored + ${bad} failed`;
}

// What several runs are cautioned of stands once.
function showCautions() {
  const told = new Map();
  for (const run of data.runs) {
    for (const { message, judge } of [...run.cautions, ...(run.notes ?? []).map((note) => ({ message: note }))]) {
      told.set(message, [...(told.get(message) ?? []), judge ? `${run.name} (${judge})` : run.name]);
    }
  }
  const who = (names) => (data.runs.length > 1 || names.some((name) => name !== data.runs[0].name) ? [make("b", plain(`${names.join(", ")}: `))] : []);
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
    if (calibratedOf(index).length) parts.push("calibrated");
    const lines = scores.flatMap((score) => linesOf(column, [...rows, ...calibratedOf(index)].filter((row) => row.model === score.model), parts));
    const head = ["model", "axis", ...parts, "n", "failed"];
    $("means").append(table(`${column.rubric} judged by ${column.name}: means with 95 % intervals`, head, lines, {
      numeric: (at) => at > 1, rowClass: (row) => (row.whole ? "whole" : null),
    }));
  });
  if (!data.headline.length) $("means").append(make("p", "No record has a score.", { class: "soft" }));
  showDifferences();
}

const calibratedOf = (index) => data.calibrated.filter((row) => row.column === index);
const byMean = (one, other) => one.column - other.column || (other.mean ?? -1) - (one.mean ?? -1);

function linesOf(column, rows, parts) {
  const by = new Map(rows.map((row) => [row.measure, row]));
  const asked = column.axes.filter((axis) => by.get(`${axis}_score`)?.n || by.get(`${axis}_score`)?.n_failed);
  return [...asked, "trace"].map((axis, index) => {
    const score = by.get(`${axis}_score`);
    const whole = axis === "trace";
    const line = [index ? "" : named(score.model), axis, ...parts.map((part) => mean(by.get(`${axis}_${part}`))), ns(by, axis, parts.filter((part) => part !== "calibrated")), whole ? score.n_failed : ""];
    return Object.assign(line, { whole });
  });
}

function mean(row) {
  if (!row) return "–";
  const node = make("span", numeral(row.mean), { "data-measure": row.measure, "data-model": row.model, "data-n": row.n });
  if (row.low !== null) node.append(make("span", [numeral(row.low), "–", numeral(row.high)], { class: "interval" }));
  if (row.measure.endsWith("_calibrated")) node.append(make("span", `n = ${row.n.toLocaleString("en")}`, { class: "interval" }));
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

// Tables and sentences of one thing that was looked into, such as how far judges and people agree.
function showSections() {
  for (const { name, title, short, about, tables, found } of data.sections) {
    const lines = (sentences) => sentences.map((sentence) => make("p", plain(sentence), { class: "soft" }));
    const made = tables.map(({ caption, head, rows }) => table(caption, head, rows, { numeric: (at) => rows.every((row) => typeof row[at] !== "string") }));
    const content = [make("h2", plain(title), { id: `${name}-title` }), ...lines(about), ...made, ...lines(found)];
    $("sections").append(make("section", content, { id: name, "aria-labelledby": `${name}-title` }));
    $("parts").append(make("a", plain(short), { href: `#${name}` }), " ");
  }
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
  const rows = data.columns.filter(({ panel }) => !panel).map(({ name, spent }) => [
    name, spent.calls, spent.cached, spent.failed, spent.attempts, spent.prompt_tokens, spent.completion_tokens, spent.cost_usd,
    ...spent.quantiles_s,
  ]);
  if (rows.length) $("spending").append(table("Of all calls, those of records that failed too", head, rows, { numeric: (at) => at > 0 }));
  else $("spending").hidden = true;
}

function showTotals() {
  const { records, failed, doubtful, embedded, embedded_failed } = data.totals;
  const parts = [`${counted(records, "record")} in all, of which ${failed.toLocaleString("en")} failed and ${doubtful.toLocaleString("en")} give a reason to doubt.`];
  if (embedded < records) parts.push(`${embedded.toLocaleString("en")} are in this file: ${embedded_failed.toLocaleString("en")} of those that failed, the most doubtful, and others at random. Means and plots are of all.`);
  if (!data.with_text) parts.push("It was made without texts.");
  if (data.labels) parts.push(`${counted(data.labels.labels, "label")} of ${data.labels.raters.join(", ")}, on ${counted(data.labels.units, "unit")} of these runs.`, ...data.labels.unmatched.map(({ why, count }) => `${count.toLocaleString("en")} more are ${why}.`));
  $("totals").textContent = parts.join(" ");
}
