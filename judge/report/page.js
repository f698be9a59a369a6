// The list of records, what is open, addresses, keys and buttons; and where it all begins.

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
  if (item.listed) told.push(make("span", ` · ${counted(item.listed, "unit")} for people to look at`, { class: "doubt" }));
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
  if (/^#[a-z-]+\d*$/.test(location.hash) && $(location.hash.slice(1))?.matches("section")) return;
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

// ---- what is open

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
  $("detail").replaceChildren(make("p", "Choose a record; j and k go to the next and the one before.", { class: "soft" }));
  for (const link of $("list").querySelectorAll("[aria-current=true]")) link.setAttribute("aria-current", "false");
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
showSections();
showFigures();
showSpending();
showTotals();
fillFilters();
follow();
if (!state.found.length && ITEMS.length && !location.hash) filter();
setTimeout(prepare, 100);
