"use strict";
// The search page. Without this script its form and links load the page again; with it hits are gone through with keys,
// filters act as they are chosen, and citations are copied in place.
const form = document.getElementById("ask");
const box = document.getElementById("q");
const failed = document.getElementById("no-answer");
const refused = document.getElementById("refused");
const citation = document.getElementById("citation-box");

function typing(event) {
  return event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [popover]");
}

// --- Keys ---

function hits() {
  return Array.from(document.querySelectorAll(".hit .open"));
}

function step(by) {
  const links = hits();
  const now = links.findIndex((link) => link.closest(".hit").contains(document.activeElement));
  const next = links[now < 0 ? (by > 0 ? 0 : links.length - 1) : now + by];
  if (!next) return;
  next.focus({ preventScroll: true });
  next.closest(".hit").scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target === box && event.key === "ArrowDown" && hits().length) {
    event.preventDefault();
    step(1);
  }
  if (typing(event)) return;
  if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
});

// A dialog begins in its field.
document.addEventListener("toggle", (event) => {
  if (event.newState === "open") event.target.querySelector("input[name=name]")?.select();
}, { capture: true });

// --- Filters ---

document.addEventListener("change", (event) => {
  if (event.target.form === form && event.target.matches("[type=checkbox][name], [type=radio]")) form.requestSubmit();
});

// What was unfolded stays so, and the focus in it: nothing that is folded away can have it.
let unfolded = [];
let focused = "";
document.body.addEventListener("htmx:beforeSwap", () => {
  unfolded = Array.from(document.querySelectorAll(".filters .rest[open]"), (rest) => rest.id);
  focused = document.activeElement.id;
});
document.body.addEventListener("htmx:afterSwap", () => {
  for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
  const before = document.getElementById(focused);
  before?.closest(".rest")?.setAttribute("open", "");
  if (document.activeElement === document.body) before?.focus({ preventScroll: true });
});

// A day is typed number by number: it is whole when whoever types goes on.
document.addEventListener("focusout", (event) => {
  const day = event.target;
  if (day.matches(".dates input") && day.value !== day.defaultValue) form.requestSubmit();
});

// --- A server that does not answer or refuses, a person who is no longer signed in ---

for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.body.addEventListener(name, (event) => {
    const told = document.getElementById(`refused-${event.detail.xhr.status}`);
    if (told) refuse(told);
    else failed.hidden = false;
  });
}

// What was refused may stand far below: it is told in a dialog, which is seen wherever the page is scrolled to.
function refuse(told) {
  for (const one of refused.querySelectorAll("p")) one.hidden = one !== told;
  refused.showPopover();
}

document.body.addEventListener("htmx:afterSwap", () => {
  if (failed) failed.hidden = true;
});

document.body.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, pathInfo, requestConfig } = event.detail;
  const asked = new URL(pathInfo.finalRequestPath, window.location.href);
  if (new URL(xhr.responseURL, window.location.href).pathname === asked.pathname) return;
  event.detail.shouldSwap = false;
  // Whoever signs in again goes on with what they asked for last.
  if (requestConfig.boosted || requestConfig.elt.matches("[hx-push-url]")) window.location.assign(asked);
  else window.location.reload();
});

// --- The sentences that answer ---

const PATIENCE = 5000;
const TOGETHER = 2;

// They come after the hits, and only their look changes: nothing moves. Late or not at all, the hits are what they are.
async function showAnswers() {
  const list = document.querySelector(".hits[data-sentences]:not([data-asked])");
  if (!list) return;
  list.dataset.asked = "yes";
  const passages = Array.from(list.querySelectorAll("[data-passage]"), (hit) => `&passage=${hit.dataset.passage}`);
  try {
    // A few at a time, the first ones first: an encoder without a GPU reads some ten sentences a second.
    while (passages.length && list.isConnected) await showAnswersOf(list, passages.splice(0, TOGETHER));
  } catch {
    // Highlights are a help; without them the page is whole.
  }
}

async function showAnswersOf(list, passages) {
  const answer = await window.fetch(list.dataset.sentences + passages.join(""), {
    headers: { Accept: "application/json" },
    signal: AbortSignal.timeout(PATIENCE),
  });
  if (!answer.ok || answer.redirected) throw new Error("no sentences");
  for (const [passage, ranges] of Object.entries(await answer.json())) {
    const text = list.querySelector(`[data-passage="${passage}"] .passage`);
    for (const range of ranges) mark(text, range);
  }
}

// The range counts characters as people do; a string of this language has two units for some of them.
function mark(text, [start, end]) {
  const nodes = [];
  const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) nodes.push(walker.currentNode);
  let position = 0;
  for (const node of nodes) {
    const characters = Array.from(node.data);
    const from = Math.max(start - position, 0);
    const to = Math.min(end - position, characters.length);
    position += characters.length;
    if (from >= to || !node.parentNode.closest(".paragraph")) continue;
    const chosen = node.splitText(characters.slice(0, from).join("").length);
    chosen.splitText(characters.slice(from, to).join("").length);
    const answering = document.createElement("mark");
    answering.className = "answers";
    chosen.replaceWith(answering);
    answering.append(chosen);
  }
}

document.body.addEventListener("htmx:afterSettle", showAnswers);

// --- Back ---

// Back to a search that another one took the place of loads it again; where one was there, its entry in the history
// says, which the browser itself notes only of pages that were left.
let left = 0;
document.body.addEventListener("htmx:beforeSwap", () => {
  left = window.scrollY;
});
document.body.addEventListener("htmx:beforeHistoryUpdate", () => {
  window.history.replaceState({ ...window.history.state, left }, "");
  window.history.scrollRestoration = "manual";
});
document.body.addEventListener("htmx:pushedIntoHistory", () => {
  window.history.scrollRestoration = "auto";
});
// htmx would load it again too, but forget first where one was.
window.addEventListener("popstate", (event) => {
  if (!event.state?.htmx) return;
  event.stopImmediatePropagation();
  window.location.reload();
});

function comeBack() {
  const { left: then, ...state } = window.history.state || {};
  if (then === undefined) return;
  window.history.replaceState(state, "");
  window.scrollTo(0, then);
  window.addEventListener("pagehide", () => {
    window.history.scrollRestoration = "auto";
  });
}

// --- Citations ---

document.addEventListener("click", (event) => {
  const link = event.target.closest("a.cite");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) showCitation(event, link);
  const copy = event.target.closest("[data-copy]");
  if (copy) copyFrom(document.getElementById(copy.dataset.copy));
});

function showCitation(event, link) {
  event.preventDefault();
  citation.replaceChildren();
  window.htmx.ajax("GET", link.href, { target: citation, select: "#citation", swap: "innerHTML" }).then(() => {
    if (!citation.childElementCount) return;
    reveal();
    citation.showPopover();
  });
}

// Buttons that do nothing without this script are hidden until it is there.
function reveal() {
  for (const button of document.querySelectorAll("[data-copy], #citation-box [data-close]")) button.hidden = false;
}

// Where the clipboard is closed to pages (no https, or not allowed), what is to be copied is left selected.
async function copyFrom(field) {
  field.focus();
  field.select();
  const told = document.getElementById("copied");
  try {
    await window.navigator.clipboard.writeText(field.value);
    told.textContent = told.dataset.done;
  } catch {
    told.textContent = document.execCommand("copy") ? told.dataset.done : told.dataset.byHand;
  }
}

comeBack();
showAnswers();
reveal();
