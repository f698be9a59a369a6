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
const LISTED = {
  split: "judges are split evenly", judges_differ: "judges differ", samples_differ: "samples differ", unsure: "a probability near one half",
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

// A number with its interval, as the report's data have it.
function between({ value, low, high }) {
  const node = make("span", numeral(value, 3));
  if (low !== null) node.append(make("span", [numeral(low, 3), " to ", numeral(high, 3)], { class: "interval" }));
  return node;
}

function table(caption, head, rows, { numeric = () => true, rowClass = () => null } = {}) {
  const cells = (row, tag) => row.map((cell, index) => {
    const shown = cell instanceof Node ? cell : cell !== null && typeof cell === "object" ? between(cell) : typeof cell === "number" ? numeral(cell, Number.isInteger(cell) ? 0 : 3) : cell === null ? numeral(null) : make("span", plain(cell));
    return make(tag, shown, { class: numeric(index) ? "number" : null, scope: tag === "th" ? "col" : null });
  });
  const body = make("tbody", rows.map((row) => make("tr", cells(row, "td"), { class: rowClass(row) })));
  const made = make("table", [caption ? make("caption", plain(caption)) : null, make("thead", make("tr", cells(head, "th"))), body]);
  return make("div", made, { class: "scroll", tabindex: "0", role: "region", "aria-label": caption || "Table" });
}
