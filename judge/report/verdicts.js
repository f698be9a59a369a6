// The verdicts of a record, judge by judge, and what people and preferences say.

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

function unitCell({ axis, unit, claim, importance, points, polarity, why }) {
  const worth = [importance, points === undefined ? "" : `${points} points`, polarity === "negative" ? "bad if it holds" : ""].filter(Boolean).join(", ");
  return make("th", [make("span", plain(unit), { class: `tag ${axisClass(axis)}` }), make("span", plain(axis), { class: "soft" }), claim ? text(claim) : "", why ? make("div", `For people to look at: ${LISTED[why] ?? why}`, { class: "doubt" }) : "", worth ? make("span", plain(worth), { class: "soft" }) : ""], { scope: "row" });
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

// What people gave to the whole trace, by the name of the score that it is of.
function labels(own) {
  const whole = (own.labels ?? []).filter((one) => one.unit === null);
  return whole.length ? [part("Labels of the whole trace", table("", ["score", "rater", "given"], whole.map(({ axis, rater, said }) => [axis, rater, said]), { numeric: () => false }))] : [];
}

const saidWord = (said) => said.split("/").map((value, index) => (index ? FOUND[value === "-1" ? "-1" : `${value}c`] : FOUND[value] ?? value)).join(", ");
function labelCell(unit, labels) {
  const mine = labels.filter((one) => one.axis === unit.axis && one.unit === unit.unit);
  return make("td", mine.map(({ rater, said }) => make("div", [make("span", plain(`${rater}: `), { class: "soft" }), saidWord(said)])), { "data-column": "people" });
}

const isOf = (one, other) => [[one.model_a, one.model_b], [one.model_b, one.model_a]].some(([a, b]) => a === other.model_a && b === other.model_b);
const preferredBy = (said) => make("div", said.map(({ rater, said: word }) => make("div", [make("span", plain(`${rater}: `), { class: "soft" }), ...plain(FOUND[word] ?? word)])));

function preferences(item, own, beside) {
  const mine = (own.preferences ?? []).filter((one) => beside || one.model_a === item.model || one.model_b === item.model);
  if (!mine.length) return [];
  const winner = (one, said) => (said === "A" ? one.model_a : said === "B" ? one.model_b : said ? FOUND[said] : "no verdict");
  const people = (one) => (own.preferred?.length ? [own.preferred.filter((said) => said.axis === one.axis && isOf(said, one))] : []);
  const rows = mine.map((one) => [
    `${one.model_a} or ${one.model_b}`, one.axis, one.judge, make("b", plain(one.failure ? `no verdict: ${one.failure}` : winner(one, one.outcome))),
    winner(one, one.order_ab), winner(one, one.order_ba), ...people(one).map(preferredBy), make("div", [one.reason, one.reason_ba].filter(Boolean).map((reason) => text(reason))),
  ]);
  const heard = own.preferred?.length ? ["people"] : [];
  return [part("Preferences", table("", ["models", "axis", "judge", "better", "first shown first", "second shown first", ...heard, "reasons"], rows, { numeric: () => false }))];
}
