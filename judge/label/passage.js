// A passage of a trace: UTF-16 units of what is shown in the browser, code points of the whole for the server. The two
// part at the first emoji, and where only parts are shown.

const toPoints = (text, units) => Array.from(text.slice(0, units)).length;

function toUnits(text, points) {
  let units = 0;
  for (const char of text) {
    if (points-- <= 0) break;
    units += char.length;
  }
  return units;
}

// What the server tells of a trace -> the text that is shown, and where its pieces stand: `at` in it, `start` in the whole.
export function joined(parts) {
  const pieces = [];
  let text = "";
  for (const part of parts) {
    if (text) text += "\n\n";
    for (const [start, piece] of part) {
      pieces.push({ at: text.length, start, text: piece });
      text += piece;
    }
  }
  return { text, pieces };
}

// [start, end] of what is shown -> a passage of the whole; undefined where it holds more than one piece.
export function toPassage(shown, [start, end]) {
  const piece = shown.pieces.find(({ at, text }) => at <= start && end <= at + text.length);
  const place = (units) => piece.start + toPoints(piece.text, units - piece.at);
  return piece && { quote: shown.text.slice(start, end), start: place(start), end: place(end) };
}

function toSpan(shown, { quote, start, end }) {
  for (const piece of shown.pieces) {
    const [from, to] = [start, end].map((points) => toUnits(piece.text, points - piece.start));
    if (start >= piece.start && piece.text.slice(from, to) === quote) return [piece.at + from, piece.at + to];
  }
  return null; // another view showed it
}

const cutsPair = (text, at) => /^[\uDC00-\uDFFF]$/.test(text[at] ?? "") && /^[\uD800-\uDBFF]$/.test(text[at - 1] ?? "");

// [start, end] of what is selected in an element that shows the text, without white space around it;
// null where nothing is, undefined where the selection is elsewhere on the page.
export function selectedIn(element, text) {
  const found = document.getSelection();
  const range = found.rangeCount ? found.getRangeAt(0) : null;
  if (!range || !range.intersectsNode(element)) return undefined;
  const all = document.createRange();
  all.selectNodeContents(element);
  const before = range.compareBoundaryPoints(Range.START_TO_START, all) < 0;
  const after = range.compareBoundaryPoints(Range.END_TO_END, all) > 0;
  return trimmed(
    text,
    before ? 0 : offset(element, range.startContainer, range.startOffset),
    after ? text.length : offset(element, range.endContainer, range.endOffset),
  );
}

function offset(element, node, at) {
  const before = document.createRange();
  before.selectNodeContents(element);
  before.setEnd(node, at);
  return before.toString().length;
}

function trimmed(text, start, end) {
  if (cutsPair(text, start)) start -= 1;
  if (cutsPair(text, end)) end += 1;
  while (start < end && /\s/.test(text[start])) start += 1;
  while (start < end && /\s/.test(text[end - 1])) end -= 1;
  return start < end ? [start, end] : null;
}

// Show the text with a passage of the whole marked, where it is in it; a selection stays where nothing changes.
export function showIn(element, shown, passage) {
  const span = passage ? toSpan(shown, passage) : null;
  if (element.dataset.shown === String(span)) return;
  const [start, end] = span ?? [0, 0];
  const marked = document.createElement("mark");
  marked.textContent = shown.text.slice(start, end);
  const parts = [shown.text.slice(0, start), span ? marked : "", shown.text.slice(end)];
  element.replaceChildren(...parts.filter((part) => part !== ""));
  element.dataset.shown = String(span);
}
