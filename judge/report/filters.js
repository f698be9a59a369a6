// Which records are found, and in which order.

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
    && (!$("failed").checked || item.failed) && (!$("doubtful").checked || item.doubt > 0 || item.listed > 0)
    && (!$("differs").checked || item.disagreements > 0)
    && ((from === null && to === null) || scoresOf(item).some((score) => score >= (from ?? -Infinity) && score <= (to ?? Infinity)))
    && (!wanted || haystack(item).includes(wanted));
}

const UNLISTED = Number.MAX_SAFE_INTEGER;
const last = (value) => value ?? Infinity; // what has no score comes last, whichever way
const ORDERS = {
  place: (one, other) => one.place - other.place,
  low: (one, other) => last(meanScore(one)) - last(meanScore(other)) || one.place - other.place,
  high: (one, other) => last(negative(meanScore(one))) - last(negative(meanScore(other))) || one.place - other.place,
  // What a run lists for people first, in its order; then by the share of the units.
  doubt: (one, other) => (one.rank ?? UNLISTED) - (other.rank ?? UNLISTED) || other.doubt - one.doubt || one.place - other.place,
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
