// A passage of a text: UTF-16 units in the browser, code points for the server. The two part at the first emoji.

export const toPoints = (text, units) => Array.from(text.slice(0, units)).length;

export function toUnits(text, points) {
  let units = 0;
  for (const char of text) {
    if (points-- <= 0) break;
    units += char.length;
  }
  return units;
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

// Show the text with a passage marked, by its code points; a selection in it stays where nothing changes.
export function showIn(element, text, passage) {
  const shown = passage ? `${passage.start}-${passage.end}` : "none";
  if (element.dataset.shown === shown) return;
  const [start, end] = passage ? [toUnits(text, passage.start), toUnits(text, passage.end)] : [0, 0];
  const marked = document.createElement("mark");
  marked.textContent = text.slice(start, end);
  const parts = [text.slice(0, start), passage ? marked : "", text.slice(end)];
  element.replaceChildren(...parts.filter((part) => part !== ""));
  element.dataset.shown = shown;
}
